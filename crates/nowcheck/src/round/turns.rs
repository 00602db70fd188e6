//! Whose turn it is: what a round asks is asked side by side, until something has to be asked alone.
//!
//! Several addresses of a name, or several URLs, may be one small device. So the turns are those of the whole round.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

/// How long something waits for what is asked alone, and how long that may keep others waiting. It may be silent until the
/// end of the round.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// What a small device needs to get ready for the next connection.
const REST: Duration = Duration::from_millis(25);

/// The turns of a round. Each clone is for one address.
#[derive(Debug, Clone, Default)]
pub(super) struct Turns {
    shared: Arc<Shared>,
    /// The number of the latest turn of this address.
    latest: u64,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// How many turns have begun.
    begun: u64,
    /// How many of them go on.
    ongoing: u32,
    /// Whether one of these keeps others waiting.
    is_kept: bool,
}

/// A turn. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    shared: Arc<Shared>,
    number: u64,
    began_alone: bool,
    keeps_others_waiting: bool,
}

impl Turns {
    /// Waits for a turn beside others.
    pub(super) async fn wait(&mut self) -> Turn {
        match timeout(PATIENCE, self.granted(false)).await {
            Ok(turn) => turn,
            Err(_) => self.begin(false),
        }
    }

    /// Waits for a turn alone. It becomes one beside others when those take longer than that.
    pub(super) async fn wait_to_be_alone(&mut self, patience: Duration) -> Turn {
        let before = self.latest;
        match timeout(patience, self.granted(true)).await {
            Ok(turn) => {
                if turn.number > before + 1 {
                    sleep(REST).await;
                }
                turn
            }
            Err(_) => self.begin(false),
        }
    }

    async fn granted(&mut self, alone: bool) -> Turn {
        loop {
            let shared = Arc::clone(&self.shared);
            let mut changed = pin!(shared.changed.notified());
            changed.as_mut().enable();
            let is_free = {
                let state = shared.state();
                if alone { state.ongoing == 0 } else { !state.is_kept }
            };
            if is_free {
                return self.begin(alone);
            }
            changed.await;
        }
    }

    fn begin(&mut self, alone: bool) -> Turn {
        let mut state = self.shared.state();
        state.begun += 1;
        state.ongoing += 1;
        state.is_kept |= alone;
        self.latest = state.begun;
        Turn {
            shared: Arc::clone(&self.shared),
            number: state.begun,
            began_alone: state.ongoing == 1,
            keeps_others_waiting: alone,
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Whether nothing else was asked so far, from its beginning on.
    pub(super) fn was_alone(&self) -> bool {
        self.began_alone && self.shared.state().begun == self.number
    }

    /// Whether others wait until it ends.
    pub(super) fn is_kept(&self) -> bool {
        self.keeps_others_waiting
    }

    /// Keeps others waiting no longer.
    pub(super) fn share(&mut self) {
        if std::mem::take(&mut self.keeps_others_waiting) {
            self.shared.state().is_kept = false;
            self.shared.changed.notify_waiters();
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.share();
        self.shared.state().ongoing -= 1;
        self.shared.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn many_are_asked_side_by_side_and_one_alone() {
        let mut turns = Turns::default();
        let mut of_another = turns.clone();
        let first = turns.wait().await;
        assert!(first.was_alone(), "so far");
        let second = of_another.wait().await;
        assert!(!first.was_alone() && !second.was_alone());
        drop((first, second));
        let alone = turns.wait_to_be_alone(PATIENCE).await;
        let another = tokio::spawn(async move { of_another.wait().await });
        sleep(PATIENCE / 2).await;
        assert!(alone.was_alone() && !another.is_finished());
        drop(alone);
        assert!(another.await.unwrap().was_alone());
    }

    #[tokio::test]
    async fn who_wants_to_be_alone_waits_for_the_others_and_does_not_hold_them_up() {
        let mut turns = Turns::default();
        let (mut of_another, mut of_a_third) = (turns.clone(), turns.clone());
        let busy = turns.wait().await;
        let alone = tokio::spawn(async move { of_another.wait_to_be_alone(PATIENCE).await });
        sleep(PATIENCE / 2).await;
        drop((busy, of_a_third.wait().await));
        assert!(alone.await.unwrap().was_alone());
    }

    #[tokio::test]
    async fn nobody_waits_for_ever() {
        let mut turns = Turns::default();
        let (mut of_another, mut of_a_third) = (turns.clone(), turns.clone());
        let silent = turns.wait().await;
        let beside = of_another.wait_to_be_alone(PATIENCE).await;
        assert!(!beside.was_alone(), "beside the one that is silent");
        drop((silent, beside));
        let silent = turns.wait_to_be_alone(PATIENCE).await;
        assert!(!of_a_third.wait().await.was_alone() && !silent.was_alone());
    }

    #[tokio::test]
    async fn a_turn_that_takes_long_is_shared() {
        let mut turns = Turns::default();
        let mut of_another = turns.clone();
        let mut long = turns.wait_to_be_alone(PATIENCE).await;
        let another = tokio::spawn(async move { of_another.wait().await });
        sleep(PATIENCE / 4).await;
        assert!(!another.is_finished());
        long.share();
        sleep(PATIENCE / 4).await;
        assert!(another.is_finished() && !long.was_alone());
    }
}
