//! Bounds on an offset against the limits.

use core::time::Duration;

use crate::interval::Interval;
use crate::time::{Offset, Span};

/// How far a clock may be off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most by which the clock may be off, in either direction. Exactly this is still within the limit.
    pub max_offset: Duration,
    /// An offset above this, in either direction, deserves a warning.
    pub warn_offset: Option<Duration>,
}

/// What the bounds prove.
///
/// The order is that of severity, and the greater one is what a reader must hear of first: a proven fault,
/// then not knowing, then a warning. So the verdict on several clocks is the maximum of theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// The whole interval is within every limit.
    InSync,
    /// The whole interval is within the maximum, but not within the warning limit.
    NotWithinWarning,
    /// The interval straddles the maximum: more precision is needed.
    Undetermined,
    /// The whole interval is beyond the maximum.
    Desynchronized,
}

impl Limits {
    /// The verdict on a clock whose offset is known to lie in `offset`.
    ///
    /// One other than [`Verdict::Undetermined`] is a proof: it holds for every value in the interval. For the
    /// warning limit only [`Verdict::InSync`] is one; [`Verdict::NotWithinWarning`] says that it is missing.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use clock_offset::{Interval, Limits, Offset, Verdict};
    ///
    /// let warn_offset = Some(Duration::from_millis(500));
    /// let limits = Limits { max_offset: Duration::from_secs(1), warn_offset };
    /// let offset = |earliest: i128, latest: i128| {
    ///     Interval::new(Offset::from_nanos(earliest * 1_000_000), Offset::from_nanos(latest * 1_000_000))
    /// };
    /// assert_eq!(limits.verdict(&offset(-3, 4)), Verdict::InSync);
    /// assert_eq!(limits.verdict(&offset(400, 600)), Verdict::NotWithinWarning);
    /// // Exactly at the limit is within it.
    /// assert_eq!(limits.verdict(&offset(990, 1_000)), Verdict::NotWithinWarning);
    /// assert_eq!(limits.verdict(&offset(990, 1_001)), Verdict::Undetermined);
    /// assert_eq!(limits.verdict(&offset(-1_200, -1_100)), Verdict::Desynchronized);
    /// ```
    #[must_use]
    pub fn verdict(&self, offset: &Interval<Offset>) -> Verdict {
        let allowed = within(self.max_offset);
        if offset.intersection(&allowed).is_none() {
            Verdict::Desynchronized
        } else if !offset.is_within(&allowed) {
            Verdict::Undetermined
        } else if self.warn_offset.is_some_and(|warn| !offset.is_within(&within(warn))) {
            Verdict::NotWithinWarning
        } else {
            Verdict::InSync
        }
    }
}

/// The offsets that a limit allows: both ends included (“not more than 1 second”).
#[must_use]
pub fn within(limit: Duration) -> Interval<Offset> {
    let limit = Span::from(limit);
    Interval::new(Offset::ZERO - limit, Offset::ZERO + limit)
}

/// Offsets of civil time zones are multiples of 15 minutes, at most 14 hours (IANA time zone database).
const ZONE_STEP: i128 = 15 * 60 * 1_000_000_000;
const ZONE_STEPS_MAX: i128 = 14 * 4;
/// A clock that shows local time is usually right otherwise; so the rest must be small.
const ZONE_REST_MAX: i128 = 5_000_000_000;

/// The multiple of 15 minutes that an offset is close to, when it looks like the offset of a time zone: the
/// clock shows local time as if it were UTC. `None` when the offset does not look like that.
#[must_use]
pub fn resembles_time_zone(offset: &Interval<Offset>) -> Option<Offset> {
    let nanos = offset.midpoint().as_nanos();
    let steps = (nanos + ZONE_STEP / 2).div_euclid(ZONE_STEP);
    let rest = (nanos - steps * ZONE_STEP).abs();
    (steps != 0 && steps.abs() <= ZONE_STEPS_MAX && rest <= ZONE_REST_MAX)
        .then(|| Offset::from_nanos(steps * ZONE_STEP))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(earliest: i128, latest: i128) -> Interval<Offset> {
        Interval::new(Offset::from_nanos(earliest * 1_000_000), Offset::from_nanos(latest * 1_000_000))
    }

    const ONE_SECOND: Limits = Limits { max_offset: Duration::from_secs(1), warn_offset: None };

    #[test]
    fn exactly_at_the_limit_is_still_in_sync_on_both_sides() {
        assert_eq!(ONE_SECOND.verdict(&millis(1_000, 1_000)), Verdict::InSync);
        assert_eq!(ONE_SECOND.verdict(&millis(-1_000, -1_000)), Verdict::InSync);
        let beyond = Interval::point(Offset::from_nanos(1_000_000_001));
        assert_eq!(ONE_SECOND.verdict(&beyond), Verdict::Desynchronized);
        let behind = Interval::point(Offset::from_nanos(-1_000_000_001));
        assert_eq!(ONE_SECOND.verdict(&behind), Verdict::Desynchronized);
    }

    #[test]
    fn a_proven_fault_is_more_severe_than_not_knowing_and_that_than_a_warning() {
        let by_severity =
            [Verdict::InSync, Verdict::NotWithinWarning, Verdict::Undetermined, Verdict::Desynchronized];
        assert!(by_severity.is_sorted());
    }

    #[test]
    fn an_interval_that_straddles_the_limit_proves_nothing() {
        for straddling in
            [millis(900, 1_100), millis(-1_100, -900), millis(-5_000, 5_000), millis(1_000, 1_001)]
        {
            assert_eq!(ONE_SECOND.verdict(&straddling), Verdict::Undetermined, "{straddling:?}");
        }
    }

    #[test]
    fn the_warning_limit_is_judged_inside_of_the_maximum_only() {
        let limits = Limits { warn_offset: Some(Duration::from_millis(500)), ..ONE_SECOND };
        assert_eq!(limits.verdict(&millis(-500, 500)), Verdict::InSync);
        assert_eq!(limits.verdict(&millis(400, 600)), Verdict::NotWithinWarning);
        assert_eq!(limits.verdict(&millis(700, 800)), Verdict::NotWithinWarning);
        assert_eq!(limits.verdict(&millis(700, 1_800)), Verdict::Undetermined);
        assert_eq!(limits.verdict(&millis(-1_800, -1_700)), Verdict::Desynchronized);
    }

    #[test]
    fn whole_quarters_of_an_hour_look_like_a_time_zone_and_others_do_not() {
        let hour = 3_600_000;
        assert_eq!(
            resembles_time_zone(&millis(hour - 300, hour + 700)),
            Some(Offset::from_nanos(3_600_000_000_000))
        );
        assert!(resembles_time_zone(&millis(-12_600_000, -12_600_000)).is_some());
        assert!(resembles_time_zone(&millis(-300, 700)).is_none());
        assert!(resembles_time_zone(&millis(hour + 60_000, hour + 60_001)).is_none());
        assert!(resembles_time_zone(&millis(15 * hour, 15 * hour)).is_none());
    }
}
