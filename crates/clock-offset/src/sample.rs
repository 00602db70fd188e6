//! One answer of a server, and the bounds on its clock that it proves.

use core::time::Duration;
use std::sync::Arc;

use crate::interval::{BoundedTime, Interval};
use crate::time::{Drift, MonotonicInstant, NANOS_PER_DAY, Span, TimeOfDay, UnixInstant};

/// What a server said its clock showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Reading {
    /// When the answer was made its clock showed something in here: as wide as the resolution of what was
    /// said.
    pub shown: Shown,
    /// By how much one reading differs from the next that can be said: one second for `HH:MM:SS`. Readings
    /// are truncated to its multiples.
    pub step: Duration,
    /// How long before the request the reading may have been taken: zero, but for a `Date` header that the
    /// server caches. The clock may have gone on by that much.
    pub may_lag: Duration,
}

/// An interval of clock readings, with or without their date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shown {
    /// Date and time: for `2026-11-23T20:11:51Z`, from that second to the next.
    Instant(Interval<UnixInstant>),
    /// A time of day in UTC, without a date: it says nothing about whole days.
    TimeOfDay(Interval<TimeOfDay>),
}

impl Reading {
    /// How far the ends of what it means for the clock are apart.
    #[must_use]
    pub fn width(&self) -> Duration {
        let said = match self.shown {
            Shown::Instant(interval) => interval.width(),
            Shown::TimeOfDay(interval) => {
                let width = interval.latest().as_nanos() - interval.earliest().as_nanos();
                Span::from_nanos(width).positive_part()
            }
        };
        said + self.may_lag
    }

    /// The reading as an interval of Unix time. A time of day is put on the day that brings it nearest to
    /// `expected`, so that it wraps at midnight.
    #[must_use]
    pub fn nearest_to(&self, expected: UnixInstant) -> Interval<UnixInstant> {
        match self.shown {
            Shown::Instant(interval) => interval,
            Shown::TimeOfDay(interval) => {
                let on_the_first_day = |time: TimeOfDay| UnixInstant::from_nanos(time.as_nanos());
                let shown =
                    Interval::new(on_the_first_day(interval.earliest()), on_the_first_day(interval.latest()));
                // The whole number of days that leaves the least distance, at most half a day.
                let from_expected = (shown.midpoint() - expected).as_nanos();
                let days = (NANOS_PER_DAY / 2 - from_expected).div_euclid(NANOS_PER_DAY);
                shown.moved_by(Span::from_nanos(days * NANOS_PER_DAY))
            }
        }
    }
}

/// One request and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Before the first byte of the request was handed to the network.
    pub sent: MonotonicInstant,
    /// After the last byte that the reading was taken from had come.
    pub received: MonotonicInstant,
    /// What the answer said.
    pub reading: Reading,
    /// How the answer names the process that gave it, if it does.
    pub instance: Option<Arc<str>>,
    /// Which connection it came over, counted from 0 in the order in which they were opened.
    pub connection: u32,
}

impl Sample {
    /// From the request to the end of the answer.
    #[must_use]
    pub fn round_trip(&self) -> Duration {
        self.received.since(self.sent)
    }

    /// What this sample alone proves: at `received` the server's clock showed at least what it had answered,
    /// and at most that plus the whole round trip (in which it may have run fast by `drift`), plus the time by
    /// which the answer may lag. A time of day is put on the day that brings it nearest to `expected`.
    #[must_use]
    pub fn bounds(&self, expected: &BoundedTime, drift: Drift) -> BoundedTime {
        let apparent = self.apparent_bounds(expected, drift);
        let lag = Span::from(self.reading.may_lag) + drift.during(self.reading.may_lag);
        let latest = apparent.shows.latest() + lag;
        BoundedTime { shows: Interval::new(apparent.shows.earliest(), latest), ..apparent }
    }

    /// The same for the clock as it appears in the answers, which may be the real one a little while ago. It
    /// is where the edges of the readings are, and so what requests are aimed at.
    #[must_use]
    pub(crate) fn apparent_bounds(&self, expected: &BoundedTime, drift: Drift) -> BoundedTime {
        let round_trip = self.round_trip();
        let expected = expected.carried_to(self.received, Drift::from_ppm(0)).shows.midpoint();
        let shown = self.reading.nearest_to(expected);
        let latest = shown.latest() + Span::from(round_trip) + drift.during(round_trip);
        BoundedTime { at: self.received, shows: Interval::new(shown.earliest(), latest) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i128 = 1_000_000_000;

    fn time_of_day(seconds: i128) -> Reading {
        let second = Interval::new(
            TimeOfDay::from_nanos(seconds * SECOND),
            TimeOfDay::from_nanos((seconds + 1) * SECOND),
        );
        Reading { shown: Shown::TimeOfDay(second), step: Duration::from_secs(1), may_lag: Duration::ZERO }
    }

    #[test]
    fn a_time_of_day_wraps_at_midnight_in_both_directions() {
        let midnight = UnixInstant::from_nanos(20_000 * NANOS_PER_DAY);
        let just_before = time_of_day(86_399).nearest_to(midnight + Span::from_nanos(SECOND));
        assert_eq!(just_before.latest(), midnight);
        let just_after = time_of_day(0).nearest_to(midnight - Span::from_nanos(SECOND));
        assert_eq!(just_after.earliest(), midnight);
    }

    #[test]
    fn a_time_of_day_is_never_put_more_than_half_a_day_away() {
        for second in (0..86_400).step_by(977) {
            for expected in (0..86_400).step_by(1_013) {
                let expected = UnixInstant::from_nanos(20_000 * NANOS_PER_DAY + expected * SECOND);
                let placed = time_of_day(second).nearest_to(expected);
                let middle = placed.earliest() + Span::from_nanos(SECOND / 2);
                assert!((middle - expected).magnitude().as_secs() <= 43_200);
            }
        }
    }

    #[test]
    fn before_the_epoch_days_are_counted_downwards() {
        let placed = time_of_day(86_399).nearest_to(UnixInstant::from_nanos(-SECOND));
        assert_eq!(placed.earliest(), UnixInstant::from_nanos(-SECOND));
    }
}
