//! The state that all threads share, and whether the process is ready. Written about once a second, read at every
//! request.

pub(crate) mod hysteresis;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::clock::status::{AtomicClockStatus, ClockStatus};
use crate::readiness::hysteresis::GOOD_READINGS;

/// Why a load balancer should send no requests here. The text says what to do about it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotReady {
    #[error("this process is about to stop: ask another instance")]
    Draining,
    #[error(
        "the clock of this host is within --max-clock-error {limit:?} again, and has to stay within \
         three quarters of it for {GOOD_READINGS} s: ask again then"
    )]
    ClockRecovering { limit: Duration },
    #[error(
        "the clock of this host {clock}, and --max-clock-error allows {limit:?}: check its time synchronization"
    )]
    ClockNotTrusted { clock: ClockStatus, limit: Duration },
}

/// Shared by all threads.
#[derive(Debug)]
pub(crate) struct ServiceState {
    /// The clock's status, at most about a second old.
    pub(crate) clock: AtomicClockStatus,
    /// Eight hexadecimal digits, new at each start.
    pub(crate) instance: String,
    draining: AtomicBool,
    trusts_clock: AtomicBool,
    max_clock_error: Option<Duration>,
}

impl ServiceState {
    pub(crate) fn new(instance: String, clock: ClockStatus, max_clock_error: Option<Duration>) -> Self {
        Self {
            clock: AtomicClockStatus::new(clock),
            instance,
            draining: AtomicBool::new(false),
            trusts_clock: AtomicBool::new(max_clock_error.is_none_or(|limit| clock.is_within(limit))),
            max_clock_error,
        }
    }

    /// From here on the process is not ready, and each response ends its connection.
    pub(crate) fn start_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Decided by [`crate::readiness::hysteresis`].
    pub(crate) fn set_trust(&self, trusts_clock: bool) {
        self.trusts_clock.store(trusts_clock, Ordering::Relaxed);
    }

    /// Whether a load balancer should send requests here, and if not, why.
    pub(crate) fn readiness(&self) -> Result<(), NotReady> {
        if self.is_draining() {
            return Err(NotReady::Draining);
        }
        match self.max_clock_error {
            Some(limit) if !self.trusts_clock.load(Ordering::Relaxed) => {
                let clock = self.clock.load();
                Err(if clock.is_within(limit) {
                    NotReady::ClockRecovering { limit }
                } else {
                    NotReady::ClockNotTrusted { clock, limit }
                })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_worse_than_the_limit_makes_it_not_ready_from_the_start_and_no_limit_never_does() {
        let new = |max_error_micros, limit| {
            ServiceState::new(String::new(), ClockStatus::Synchronized { max_error_micros }, limit)
        };
        let limit = Some(Duration::from_millis(1));
        assert!(new(1_000, limit).readiness().is_ok());
        let strict = new(1_001, limit);
        assert!(matches!(strict.readiness(), Err(NotReady::ClockNotTrusted { .. })));
        strict.clock.store(ClockStatus::Synchronized { max_error_micros: 1_000 });
        assert!(matches!(strict.readiness(), Err(NotReady::ClockRecovering { .. })));
        strict.set_trust(true);
        assert!(strict.readiness().is_ok());

        let easy = ServiceState::new(String::new(), ClockStatus::Unknown, None);
        assert!(easy.readiness().is_ok());
        easy.start_draining();
        assert!(matches!(easy.readiness(), Err(NotReady::Draining)));
    }

    #[test]
    fn a_clock_that_is_not_trusted_is_told_in_words_with_both_figures() {
        let reason = NotReady::ClockNotTrusted {
            clock: ClockStatus::Synchronized { max_error_micros: 60_000 },
            limit: Duration::from_millis(50),
        };
        assert_eq!(
            reason.to_string(),
            "the clock of this host may be wrong by 60ms, and --max-clock-error allows 50ms: check its time \
             synchronization"
        );
    }
}
