//! Whose turn it is: the addresses of one service are asked side by side, until one of them has to be asked alone.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};
use tokio::time::timeout;

/// How long an address waits to be asked alone. Another one may be silent until the end of the round.
const PATIENCE: Duration = Duration::from_secs(1);

/// Whose turn it is to be asked.
#[derive(Debug, Clone, Default)]
pub(super) struct Turns(Arc<RwLock<()>>);

/// A turn. It ends when this is dropped.
#[derive(Debug)]
pub(super) enum Turn {
    /// Other addresses may be asked meanwhile.
    BesideOthers(#[expect(dead_code, reason = "held until it is dropped")] Option<OwnedRwLockReadGuard<()>>),
    /// No other address is asked meanwhile.
    Alone(#[expect(dead_code, reason = "held until it is dropped")] OwnedRwLockWriteGuard<()>),
}

impl Turns {
    /// Waits for a turn. One alone becomes one beside others when those take too long.
    pub(super) async fn wait(&self, alone: bool) -> Turn {
        if !alone {
            return Turn::BesideOthers(timeout(PATIENCE, Arc::clone(&self.0).read_owned()).await.ok());
        }
        match timeout(PATIENCE, Arc::clone(&self.0).write_owned()).await {
            Ok(guard) => Turn::Alone(guard),
            Err(_) => Turn::BesideOthers(None),
        }
    }
}

impl Turn {
    pub(super) fn is_alone(&self) -> bool {
        matches!(self, Self::Alone(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn many_are_asked_side_by_side_and_one_alone() {
        let turns = Turns::default();
        let (first, second) = (turns.wait(false).await, turns.wait(false).await);
        assert!(!first.is_alone() && !second.is_alone());
        drop((first, second));
        let alone = turns.wait(true).await;
        assert!(alone.is_alone());
        let turns_of_another = turns.clone();
        let another = tokio::spawn(async move { turns_of_another.wait(false).await });
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!another.is_finished());
        drop(alone);
        assert!(!another.await.unwrap().is_alone());
    }

    #[tokio::test]
    async fn nobody_waits_for_ever() {
        let turns = Turns::default();
        let silent = turns.wait(false).await;
        assert!(!turns.wait(true).await.is_alone(), "beside the one that is silent");
        drop(silent);
    }
}
