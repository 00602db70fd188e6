//! The only file that reads the operating system's clocks.
//!
//! Everything else is handed a [`UnixTime`] or a [`Status`], so that it can be tested with any time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// The last second that four digits can write: 9999-12-31T23:59:59Z.
const LAST_SECOND: u64 = 253_402_300_799;

/// A point in time: seconds since 1970-01-01T00:00:00Z without leap seconds, and the nanoseconds into that second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnixTime {
    /// Whole seconds, at most [`LAST_SECOND`].
    pub(crate) seconds: u64,
    /// Nanoseconds, below 1 000 000 000.
    pub(crate) nanos: u32,
}

/// Reads the system's clock.
///
/// A clock before 1970 or after 9999 reads as the nearest time between: Linux refuses to set such a time, and it
/// would be a wrong clock either way.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
pub(crate) fn now() -> UnixTime {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    if since_epoch.as_secs() > LAST_SECOND {
        return UnixTime { seconds: LAST_SECOND, nanos: 999_999_999 };
    }
    UnixTime { seconds: since_epoch.as_secs(), nanos: since_epoch.subsec_nanos() }
}

/// What the kernel says of its own clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// Something disciplines the clock, and the kernel bounds its error.
    Synchronized {
        /// The kernel's bound in microseconds; it grows by 500 a second until the next correction.
        max_error_micros: u32,
    },
    /// Nothing disciplines the clock.
    Unsynchronized,
    /// The kernel could not be asked.
    Unknown,
}

impl Status {
    /// Asks the kernel, through `ntp_adjtime` in its mode that changes nothing. Needs no privilege.
    pub(crate) fn of_kernel() -> Self {
        #[expect(unsafe_code, reason = "the standard library has no ntp_adjtime")]
        // SAFETY: all-zero bytes are a valid `timex`, which is a struct of integers, and `modes` 0 makes the call
        // read-only. The pointer is to a live, exclusively borrowed value.
        let (state, timex) = unsafe {
            let mut timex: libc::timex = std::mem::zeroed();
            (libc::ntp_adjtime(&raw mut timex), timex)
        };
        if state == -1 {
            return Self::Unknown;
        }
        if state == libc::TIME_ERROR || timex.status & libc::STA_UNSYNC != 0 {
            return Self::Unsynchronized;
        }
        u32::try_from(timex.maxerror)
            .map_or(Self::Unknown, |max_error_micros| Self::Synchronized { max_error_micros })
    }

    /// Whether the kernel vouches for an error of at most `limit`.
    pub(crate) fn is_within(self, limit: Duration) -> bool {
        match self {
            Self::Synchronized { max_error_micros } => {
                Duration::from_micros(u64::from(max_error_micros)) <= limit
            }
            Self::Unsynchronized | Self::Unknown => false,
        }
    }
}

/// A [`Status`] that one thread writes and all threads read, without a lock and without a system call.
#[derive(Debug)]
pub(crate) struct SharedStatus(AtomicU64);

impl SharedStatus {
    // A bound fits 32 bits; what lies above says that there is none.
    const UNSYNCHRONIZED: u64 = 1 << 32;
    const UNKNOWN: u64 = 2 << 32;

    pub(crate) fn new(status: Status) -> Self {
        Self(AtomicU64::new(Self::pack(status)))
    }

    pub(crate) fn store(&self, status: Status) {
        self.0.store(Self::pack(status), Ordering::Relaxed);
    }

    pub(crate) fn load(&self) -> Status {
        match self.0.load(Ordering::Relaxed) {
            Self::UNSYNCHRONIZED => Status::Unsynchronized,
            packed => u32::try_from(packed)
                .map_or(Status::Unknown, |max_error_micros| Status::Synchronized { max_error_micros }),
        }
    }

    fn pack(status: Status) -> u64 {
        match status {
            Status::Synchronized { max_error_micros } => u64::from(max_error_micros),
            Status::Unsynchronized => Self::UNSYNCHRONIZED,
            Status::Unknown => Self::UNKNOWN,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_survives_being_shared() {
        for status in [
            Status::Synchronized { max_error_micros: 0 },
            Status::Synchronized { max_error_micros: u32::MAX },
            Status::Unsynchronized,
            Status::Unknown,
        ] {
            let shared = SharedStatus::new(Status::Unknown);
            shared.store(status);
            assert_eq!(shared.load(), status);
        }
    }

    #[test]
    fn only_a_synchronized_clock_is_within_a_limit_and_the_limit_itself_is_within() {
        let limit = Duration::from_millis(50);
        assert!(Status::Synchronized { max_error_micros: 50_000 }.is_within(limit));
        assert!(!Status::Synchronized { max_error_micros: 50_001 }.is_within(limit));
        assert!(!Status::Unsynchronized.is_within(limit));
        assert!(!Status::Unknown.is_within(limit));
    }

    #[test]
    fn the_kernel_answers_without_privilege() {
        assert_ne!(Status::of_kernel(), Status::Unknown);
    }
}
