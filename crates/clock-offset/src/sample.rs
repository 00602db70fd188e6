//! One answer of a server, and the bounds on its clock that it proves.

use core::time::Duration;
use std::sync::Arc;

use crate::interval::{BoundedTime, Interval};
use crate::time::{Drift, MonotonicInstant, NANOS_PER_DAY, Span, TimeOfDay, UnixInstant};

/// What a server's clock showed, as its answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Reading {
    /// The interval that contains what its clock showed when the answer was made. It is as wide as the
    /// resolution of the answer.
    pub shown: Shown,
    /// The difference between one reading and the next that the format can express: one second for
    /// `HH:MM:SS`. Readings are truncated to multiples of it.
    pub step: Duration,
    /// How long before the request the reading may have been taken. Zero, except for a `Date` header that the
    /// server caches. The clock may have advanced by that much since.
    pub may_lag: Duration,
}

/// An interval of clock readings, with or without their date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shown {
    /// Date and time: for `2026-11-23T20:11:51Z`, from that second to the next.
    Instant(Interval<UnixInstant>),
    /// A time of day in UTC, without a date. An error of whole days cannot be seen in it.
    TimeOfDay(Interval<TimeOfDay>),
}

impl Reading {
    /// The width of the interval that the answer means for the clock: its resolution plus the lag.
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

    /// How far what was shown reaches below and above the step that the reading names: half a step below where a printer may
    /// have rounded, and what a float may be off. A reading that is no wider than its step reaches nowhere.
    pub(crate) fn beyond_its_step(&self) -> (Span, Span) {
        let (earliest, latest) = match self.shown {
            Shown::Instant(shown) => (shown.earliest().as_nanos(), shown.latest().as_nanos()),
            Shown::TimeOfDay(shown) => (shown.earliest().as_nanos(), shown.latest().as_nanos()),
        };
        let step = Span::from(self.step).as_nanos().max(1);
        let below = (-earliest).rem_euclid(step);
        let above = latest - earliest - step - below;
        if above < 0 { (Span::ZERO, Span::ZERO) } else { (Span::from_nanos(below), Span::from_nanos(above)) }
    }

    /// The multiple of its step that was printed, in nanoseconds: where what was shown begins, unless a printer may have
    /// rounded.
    pub(crate) fn printed_nanos(&self) -> i128 {
        let earliest = match self.shown {
            Shown::Instant(shown) => shown.earliest().as_nanos(),
            Shown::TimeOfDay(shown) => shown.earliest().as_nanos(),
        };
        earliest + self.beyond_its_step().0.as_nanos()
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
    /// An instant before the first byte of the request was handed to the network.
    pub sent: MonotonicInstant,
    /// An instant after the last byte that the reading was taken from had arrived.
    pub received: MonotonicInstant,
    /// The time in the answer.
    pub reading: Reading,
    /// The name that the answer gives to the process that made it, if it gives one.
    pub instance: Option<Arc<str>>,
    /// The connection that it came over. Connections are counted from 0 in the order in which they were
    /// opened.
    pub connection: u32,
}

impl Sample {
    /// The time from the request to the end of the answer.
    #[must_use]
    pub fn round_trip(&self) -> Duration {
        self.received.since(self.sent)
    }

    /// What this sample alone proves.
    ///
    /// At `received` the server's clock showed at least what it had answered. It showed at most that plus the
    /// whole round trip, in which it may have run fast by `drift`, plus the time by which the answer may lag.
    /// A time of day is put on the day that brings it nearest to `expected`.
    #[must_use]
    pub fn bounds(&self, expected: &BoundedTime, drift: Drift) -> BoundedTime {
        let apparent = self.apparent_bounds(expected, drift);
        let lag = Span::from(self.reading.may_lag) + drift.during(self.reading.may_lag);
        let latest = apparent.shows.latest() + lag;
        BoundedTime { shows: Interval::new(apparent.shows.earliest(), latest), ..apparent }
    }

    /// The same for the apparent clock: the one that the answers show, which lags the real one when they are
    /// cached. The edges of its readings are what requests are aimed at.
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
    fn what_was_rounded_reaches_half_a_step_below_and_what_was_truncated_nowhere() {
        let shown = |earliest: i128, latest: i128| Reading {
            shown: Shown::Instant(Interval::new(
                UnixInstant::from_nanos(earliest),
                UnixInstant::from_nanos(latest),
            )),
            step: Duration::from_secs(1),
            may_lag: Duration::ZERO,
        };
        let beyond = |reading: Reading| {
            let (below, above) = reading.beyond_its_step();
            (below.as_nanos(), above.as_nanos())
        };
        assert_eq!(beyond(shown(7 * SECOND, 8 * SECOND)), (0, 0));
        assert_eq!(beyond(shown(7 * SECOND - SECOND / 2, 8 * SECOND)), (SECOND / 2, 0));
        assert_eq!(beyond(shown(7 * SECOND - SECOND / 2 - 250, 8 * SECOND + 250)), (SECOND / 2 + 250, 250));
        assert_eq!(beyond(shown(7 * SECOND + 1, 8 * SECOND)), (0, 0));
        assert_eq!(beyond(time_of_day(7)), (0, 0));
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
