//! Two readings in one answer: whether one right clock can have given both.

use std::time::Duration;

use clock_offset::{Interval, Reading, Shown, Span};

/// How far apart two readings of one clock may be in one answer at least: a program that fills two fields reads its clock
/// twice, and may have to wait in between; a proxy may have made one of them.
const MOST_BETWEEN: Duration = Duration::from_millis(250);

/// How far apart they may be in an answer that took so long.
///
/// Both were taken between the request and the answer, however long the program waited. So one right clock's readings are
/// at most the round trip apart. Each of them alone bounds the clock, since the bounds of a sample hold for a reading
/// that was taken at any instant of the round trip. So does their hull, which [`covering`] gives: it contains both.
pub(super) fn most_between(round_trip: Duration) -> Duration {
    MOST_BETWEEN.max(round_trip)
}

const DAY: i128 = 86_400_000_000_000;

/// Whether the readings are no further apart than one clock's readings for one answer can be. A time of day is
/// put on the day that brings it nearest to the other reading, so that midnight may lie between them.
#[must_use]
pub(super) fn agree(one: &Reading, other: &Reading, most_between: Duration) -> bool {
    let ([from, to], [other_from, other_to]) = (ends(one), ends(other));
    let have_dates = |reading: &Reading| matches!(reading.shown, Shown::Instant(_));
    let days = if have_dates(one) && have_dates(other) {
        0
    } else {
        ((from + to - other_from - other_to) / 2 + DAY / 2).div_euclid(DAY)
    };
    let (other_from, other_to) = (other_from + days * DAY, other_to + days * DAY);
    (other_from - to).max(from - other_to) <= Span::from(most_between).as_nanos()
}

/// The reading that covers both, if both have their date or neither has, and they agree.
#[must_use]
pub(super) fn covering(one: &Reading, other: &Reading, most_between: Duration) -> Option<Reading> {
    let shown = match (one.shown, other.shown) {
        (Shown::Instant(one), Shown::Instant(other)) => Shown::Instant(one.hull(&other)),
        (Shown::TimeOfDay(one), Shown::TimeOfDay(other)) => {
            let from = one.earliest().min(other.earliest());
            Shown::TimeOfDay(Interval::new(from, one.latest().max(other.latest())))
        }
        _ => return None,
    };
    agree(one, other, most_between).then_some(Reading {
        shown,
        step: one.step.max(other.step),
        may_lag: one.may_lag.max(other.may_lag),
    })
}

/// The first reading, as one that stands for both; none if they do not agree. It is widened to cover the other one where
/// that was taken much earlier or later. A time of day cannot be covered, and the first one alone is true as well.
#[must_use]
pub(super) fn standing_for_both(one: &Reading, other: &Reading, most_between: Duration) -> Option<Reading> {
    if agree(one, other, MOST_BETWEEN) {
        return Some(*one);
    }
    agree(one, other, most_between).then(|| covering(one, other, most_between).unwrap_or(*one))
}

fn ends(reading: &Reading) -> [i128; 2] {
    match reading.shown {
        Shown::Instant(shown) => [shown.earliest().as_nanos(), shown.latest().as_nanos()],
        Shown::TimeOfDay(shown) => [shown.earliest().as_nanos(), shown.latest().as_nanos()],
    }
}
