//! What all threads share. It is written about once a second and read at every request.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::clock::{SharedStatus, Status};
use crate::problem::Problem;

/// What all threads share.
#[derive(Debug)]
pub(crate) struct State {
    /// What the kernel said of its clock, at most about a second ago.
    pub(crate) clock: SharedStatus,
    /// Eight hexadecimal digits, new at each start.
    pub(crate) instance: String,
    draining: AtomicBool,
    max_clock_error: Option<Duration>,
}

impl State {
    pub(crate) fn new(max_clock_error: Option<Duration>) -> Self {
        Self {
            clock: SharedStatus::new(Status::of_kernel()),
            instance: random_instance(),
            draining: AtomicBool::new(false),
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

    /// Whether a load balancer should send requests here; if not, why not.
    pub(crate) fn readiness(&self) -> Result<(), Problem> {
        if self.is_draining() {
            return Err(Problem::Draining);
        }
        match (self.max_clock_error, self.clock.load()) {
            (Some(limit), clock) if !clock.is_within(limit) => Err(Problem::ClockNotTrusted { clock, limit }),
            _ => Ok(()),
        }
    }

    /// Whether the kernel vouches for its clock as far as it was asked to.
    pub(crate) fn trusts_clock(&self) -> bool {
        self.max_clock_error.is_none_or(|limit| self.clock.load().is_within(limit))
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
    fn a_clock_worse_than_the_limit_makes_it_not_ready_and_no_limit_never_does() {
        let strict = State::new(Some(Duration::from_millis(1)));
        strict.clock.store(Status::Synchronized { max_error_micros: 1000 });
        assert!(strict.readiness().is_ok());
        strict.clock.store(Status::Synchronized { max_error_micros: 1001 });
        assert!(strict.readiness().is_err());

        let easy = State::new(None);
        easy.clock.store(Status::Unknown);
        assert!(easy.readiness().is_ok());
        easy.start_draining();
        assert!(easy.readiness().is_err());
    }
}
