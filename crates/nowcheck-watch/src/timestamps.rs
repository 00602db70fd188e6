//! The wall clock as timestamps: what is stored, shown and sent.

use std::time::Duration;

use clock_offset::{MonotonicInstant, UnixInstant};
use jiff::{SignedDuration, Timestamp};
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

/// Follows the wall clock, so that ages by it can be kept right when it is stepped.
#[derive(Debug)]
pub(crate) struct WallSteps {
    wall: Timestamp,
    passed: Duration,
}

impl WallSteps {
    /// What is less is slewing, or a program that had to wait between two readings.
    const LEAST: Duration = Duration::from_secs(10);

    /// Steps from now on.
    pub(crate) fn start(clock: Clock) -> Self {
        Self { wall: now(clock), passed: passed(clock) }
    }

    /// As if the wall clock had been stepped ahead just now.
    #[cfg(test)]
    pub(crate) fn behind(clock: Clock, by: Duration) -> Self {
        Self { wall: now(clock) - by, passed: passed(clock) }
    }

    /// Now, and by how much the wall clock was stepped since this was asked last.
    pub(crate) fn look(&mut self, clock: Clock) -> (Timestamp, Option<SignedDuration>) {
        let now = now(clock);
        (now, self.step(now, passed(clock)))
    }

    fn step(&mut self, wall: Timestamp, passed: Duration) -> Option<SignedDuration> {
        let passed_since = SignedDuration::try_from(passed.saturating_sub(self.passed)).ok();
        let step = wall.duration_since(self.wall) - passed_since.unwrap_or_default();
        *self = Self { wall, passed };
        (step.unsigned_abs() >= Self::LEAST).then_some(step)
    }
}

/// The time since the start of the program, also that in which this machine was suspended.
fn passed(clock: Clock) -> Duration {
    clock.now().since(MonotonicInstant::ORIGIN) + clock.suspended()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_what_the_wall_clock_goes_beyond_the_time_that_passed() {
        let at = |second: i64| Timestamp::from_second(1_795_521_600 + second).unwrap();
        let mut steps = WallSteps { wall: at(0), passed: Duration::from_secs(5) };
        assert_eq!(steps.step(at(90_000), Duration::from_secs(90_005)), None, "it was suspended");
        assert_eq!(steps.step(at(90_063), Duration::from_secs(90_065)), None, "it was slewed");
        let ahead = steps.step(at(180_063), Duration::from_secs(90_125));
        assert_eq!(ahead, Some(SignedDuration::from_secs(90_000 - 60)));
        let back = steps.step(at(-60), Duration::from_secs(90_125));
        assert_eq!(back, Some(SignedDuration::from_secs(-180_123)));
        assert_eq!(steps.step(at(0), Duration::from_secs(90_185)), None);
    }
}
