//! The status of the clock, in types that read no clock.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The status of the clock, as reported by the kernel or by ClockBound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClockStatus {
    /// Something disciplines the clock, and bounds its error.
    Synchronized {
        /// The bound in microseconds. The kernel's grows by 500 a second until the next correction.
        max_error_micros: u32,
    },
    /// Nothing disciplines the clock.
    Unsynchronized,
    /// The kernel could not report it.
    Unknown,
}

impl ClockStatus {
    /// Whether the error is bounded by `limit` at most.
    pub(crate) fn is_within(self, limit: Duration) -> bool {
        match self {
            Self::Synchronized { max_error_micros } => {
                Duration::from_micros(u64::from(max_error_micros)) <= limit
            }
            Self::Unsynchronized | Self::Unknown => false,
        }
    }
}

/// As a phrase that follows “the clock”.
impl fmt::Display for ClockStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Synchronized { max_error_micros } => {
                write!(f, "may be wrong by {:?}", Duration::from_micros(max_error_micros.into()))
            }
            Self::Unsynchronized => write!(f, "is not synchronized"),
            Self::Unknown => write!(f, "cannot be asked for its error"),
        }
    }
}

/// A [`ClockStatus`] that one thread writes and all threads read, without a lock and without a system call.
#[derive(Debug)]
pub(crate) struct AtomicClockStatus(AtomicU64);

impl AtomicClockStatus {
    // A bound fits into 32 bits; values above mean that there is none.
    const UNSYNCHRONIZED: u64 = 1 << 32;
    const UNKNOWN: u64 = 2 << 32;

    pub(crate) fn new(status: ClockStatus) -> Self {
        Self(AtomicU64::new(Self::pack(status)))
    }

    pub(crate) fn store(&self, status: ClockStatus) {
        self.0.store(Self::pack(status), Ordering::Relaxed);
    }

    pub(crate) fn load(&self) -> ClockStatus {
        match self.0.load(Ordering::Relaxed) {
            Self::UNSYNCHRONIZED => ClockStatus::Unsynchronized,
            packed => u32::try_from(packed).map_or(ClockStatus::Unknown, |max_error_micros| {
                ClockStatus::Synchronized { max_error_micros }
            }),
        }
    }

    fn pack(status: ClockStatus) -> u64 {
        match status {
            ClockStatus::Synchronized { max_error_micros } => u64::from(max_error_micros),
            ClockStatus::Unsynchronized => Self::UNSYNCHRONIZED,
            ClockStatus::Unknown => Self::UNKNOWN,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_survives_being_shared() {
        for status in [
            ClockStatus::Synchronized { max_error_micros: 0 },
            ClockStatus::Synchronized { max_error_micros: u32::MAX },
            ClockStatus::Unsynchronized,
            ClockStatus::Unknown,
        ] {
            let shared = AtomicClockStatus::new(ClockStatus::Unknown);
            shared.store(status);
            assert_eq!(shared.load(), status);
        }
    }

    #[test]
    fn only_a_synchronized_clock_is_within_a_limit_and_the_limit_itself_is_within() {
        let limit = Duration::from_millis(50);
        assert!(ClockStatus::Synchronized { max_error_micros: 50_000 }.is_within(limit));
        assert!(!ClockStatus::Synchronized { max_error_micros: 50_001 }.is_within(limit));
        assert!(!ClockStatus::Unsynchronized.is_within(limit));
        assert!(!ClockStatus::Unknown.is_within(limit));
    }
}
