//! The only file that reads the operating system's clocks.
//!
//! Everything else is handed a [`UnixTime`] or a [`ClockStatus`](status::ClockStatus), so that it can be tested with any time.

pub(crate) mod clock_bound;
pub(crate) mod ecs_metadata;
pub(crate) mod kernel;
pub(crate) mod source;
pub(crate) mod status;
pub(crate) mod text;

use std::time::{Duration, SystemTime};

use crate::unsafe_calls;

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

impl UnixTime {
    pub(crate) fn since_epoch(self) -> Duration {
        Duration::new(self.seconds, self.nanos)
    }
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

/// The processor's counter, if there is one, between two readings of the system's clock. Of a few attempts, the one with
/// the readings closest together.
pub(crate) fn now_with_counter() -> (UnixTime, Option<u64>, UnixTime) {
    let read = |_| (now(), unsafe_calls::timestamp_counter(), now());
    let width = |(before, _, after): &(UnixTime, Option<u64>, UnixTime)| {
        after.since_epoch().abs_diff(before.since_epoch())
    };
    (0..3).map(read).min_by_key(width).unwrap_or_else(|| read(0))
}

/// An instant of the monotonic clock, for durations: nanoseconds since about the start of the machine.
///
/// Like the standard library's `Instant`, without its checks, which every request would pay for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Monotonic(u64);

impl Monotonic {
    pub(crate) fn now() -> Self {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        // The clock starts at zero, and 64 bits of nanoseconds last for more than five hundred years.
        Self(now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned())
    }

    /// Nanoseconds from this instant until now.
    pub(crate) fn elapsed_nanos(self) -> u64 {
        Self::now().0.saturating_sub(self.0)
    }

    /// The reading as a duration, as ClockBound's instants are given.
    pub(crate) fn since_zero(self) -> Duration {
        Duration::from_nanos(self.0)
    }
}
