//! The wall clock as timestamps: what is stored, shown and sent.

use std::time::Duration;

use clock_offset::UnixInstant;
use jiff::Timestamp;
use nowcheck::clock::Clock;

/// What this machine's clock shows.
#[must_use]
pub fn now(clock: Clock) -> Timestamp {
    of(clock.read_wall().shown.shows.earliest())
}

/// An instant as a timestamp. One that no timestamp can be is the nearest that can.
#[must_use]
pub fn of(instant: UnixInstant) -> Timestamp {
    let nanos = instant.as_nanos().clamp(Timestamp::MIN.as_nanosecond(), Timestamp::MAX.as_nanosecond());
    Timestamp::from_nanosecond(nanos).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// How much later that is; nothing if it is earlier, as after a clock went back.
#[must_use]
pub fn elapsed(then: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(then)).unwrap_or_default()
}
