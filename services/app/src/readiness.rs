//! What all threads share. It is written about once a second and read at every request.

pub(crate) mod hysteresis;

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::clock::status::{SharedStatus, Status};
use crate::connection::limit::Seats;
use crate::http::problem::Problem;

/// What all threads share.
#[derive(Debug)]
pub(crate) struct State {
    /// What was said of the clock, at most about a second ago.
    pub(crate) clock: SharedStatus,
    /// Eight hexadecimal digits, new at each start.
    pub(crate) instance: String,
    pub(crate) seats: Arc<Seats>,
    draining: AtomicBool,
    trusts_clock: AtomicBool,
    max_clock_error: Option<Duration>,
}

impl State {
    pub(crate) fn new(clock: Status, max_clock_error: Option<Duration>, max_connections: usize) -> Self {
        Self {
            clock: SharedStatus::new(clock),
            instance: random_instance(),
            seats: Arc::new(Seats::new(max_connections)),
            draining: AtomicBool::new(false),
            trusts_clock: AtomicBool::new(max_clock_error.is_none_or(|limit| clock.is_within(limit))),
            max_clock_error,
        }
    }

    /// From here on the process wants no new work: it is not ready, and each answer ends its connection.
    pub(crate) fn start_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// [`crate::readiness::hysteresis`] decides it.
    pub(crate) fn set_trust(&self, trusts_clock: bool) {
        self.trusts_clock.store(trusts_clock, Ordering::Relaxed);
    }

    /// Whether a load balancer should send requests here; if not, why not.
    pub(crate) fn readiness(&self) -> Result<(), Problem> {
        if self.is_draining() {
            return Err(Problem::Draining);
        }
        match self.max_clock_error {
            Some(limit) if !self.trusts_clock.load(Ordering::Relaxed) => {
                let clock = self.clock.load();
                Err(if clock.is_within(limit) {
                    Problem::ClockRecovering { limit }
                } else {
                    Problem::ClockNotTrusted { clock, limit }
                })
            }
            _ => Ok(()),
        }
    }
}

/// The standard library seeds its hash maps from the system's random numbers: enough to tell processes apart.
fn random_instance() -> String {
    let random = RandomState::new().build_hasher().finish();
    format!("{:08x}", random >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_is_eight_hexadecimal_digits_and_new_each_time() {
        let (one, other) = (random_instance(), random_instance());
        assert_eq!(one.len(), 8);
        assert!(one.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')), "{one}");
        assert_ne!(one, other);
    }

    #[test]
    fn a_clock_worse_than_the_limit_makes_it_not_ready_from_the_start_and_no_limit_never_does() {
        let new = |max_error_micros, limit| State::new(Status::Synchronized { max_error_micros }, limit, 1);
        let limit = Some(Duration::from_millis(1));
        assert!(new(1_000, limit).readiness().is_ok());
        let strict = new(1_001, limit);
        assert!(matches!(strict.readiness(), Err(Problem::ClockNotTrusted { .. })));
        strict.clock.store(Status::Synchronized { max_error_micros: 1_000 });
        assert!(matches!(strict.readiness(), Err(Problem::ClockRecovering { .. })));
        strict.set_trust(true);
        assert!(strict.readiness().is_ok());

        let easy = State::new(Status::Unknown, None, 1);
        assert!(easy.readiness().is_ok());
        easy.start_draining();
        assert!(matches!(easy.readiness(), Err(Problem::Draining)));
    }
}
