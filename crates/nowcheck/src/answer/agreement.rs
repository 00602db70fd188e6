//! Two readings in one answer: whether one right clock can have given both.

use clock_offset::{Interval, Reading, Shown};

/// How far apart two readings of one clock may be in one answer, in nanoseconds: a program that fills two
/// fields reads its clock twice, and may have to wait in between.
const MOST_BETWEEN: i128 = 250_000_000;

const DAY: i128 = 86_400_000_000_000;

/// Whether the readings are no further apart than one clock's readings for one answer can be. A time of day is
/// put on the day that brings it nearest to the other reading, so that midnight may lie between them.
#[must_use]
pub(super) fn agree(one: &Reading, other: &Reading) -> bool {
    let ([from, to], [other_from, other_to]) = (ends(one), ends(other));
    let have_dates = |reading: &Reading| matches!(reading.shown, Shown::Instant(_));
    let days = if have_dates(one) && have_dates(other) {
        0
    } else {
        ((from + to - other_from - other_to) / 2 + DAY / 2).div_euclid(DAY)
    };
    let (other_from, other_to) = (other_from + days * DAY, other_to + days * DAY);
    (other_from - to).max(from - other_to) <= MOST_BETWEEN
}

/// The reading that covers both, if both have their date or neither has, and they agree.
#[must_use]
pub(super) fn covering(one: &Reading, other: &Reading) -> Option<Reading> {
    let shown = match (one.shown, other.shown) {
        (Shown::Instant(one), Shown::Instant(other)) => Shown::Instant(one.hull(&other)),
        (Shown::TimeOfDay(one), Shown::TimeOfDay(other)) => {
            let from = one.earliest().min(other.earliest());
            Shown::TimeOfDay(Interval::new(from, one.latest().max(other.latest())))
        }
        _ => return None,
    };
    agree(one, other).then_some(Reading {
        shown,
        step: one.step.max(other.step),
        may_lag: one.may_lag.max(other.may_lag),
    })
}

fn ends(reading: &Reading) -> [i128; 2] {
    match reading.shown {
        Shown::Instant(shown) => [shown.earliest().as_nanos(), shown.latest().as_nanos()],
        Shown::TimeOfDay(shown) => [shown.earliest().as_nanos(), shown.latest().as_nanos()],
    }
}
