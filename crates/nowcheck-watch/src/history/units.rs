//! The units of the file: milliseconds since 1970 for instants, milliseconds and microseconds for lengths.

use std::time::Duration;

use jiff::Timestamp;

use crate::incident::OffsetBounds;

/// The most milliseconds that a key has room for: the year 2109.
pub(super) const LAST_MILLISECOND: i64 = (1 << 42) - 1;

/// Milliseconds since 1970, rounded down; what a key has no room for becomes the nearest that it has room for.
pub(super) fn milliseconds(at: Timestamp) -> i64 {
    at.as_millisecond().clamp(0, LAST_MILLISECOND)
}

pub(super) fn timestamp(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::MAX)
}

/// The longest time that a result stands: a month. So a row that is damaged cannot fill years.
const LONGEST_STAND: u64 = 31 * 24 * 60 * 60 * 1_000;

/// How long a result stands, rounded down: never longer than it was given.
pub(super) fn whole_milliseconds(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX).min(LONGEST_STAND)
}

/// Rounded up.
pub(super) fn microseconds(length: Duration) -> u64 {
    u64::try_from(length.as_nanos().div_ceil(1_000)).unwrap_or(u64::MAX)
}

/// Bounds in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Micros {
    pub(super) lower: i64,
    pub(super) width: u64,
}

/// Rounded outward.
impl From<OffsetBounds> for Micros {
    fn from(bounds: OffsetBounds) -> Self {
        let lower = clamped(bounds.lower.div_euclid(1_000));
        let upper = clamped(-(-bounds.upper).div_euclid(1_000)).max(lower);
        Self { lower, width: upper.abs_diff(lower) }
    }
}

fn clamped(number: i128) -> i64 {
    // Half of the range: a width has to fit, too.
    const MOST: i64 = i64::MAX / 2;
    i64::try_from(number).map_or(if number < 0 { -MOST } else { MOST }, |number| number.clamp(-MOST, MOST))
}

impl From<Micros> for OffsetBounds {
    fn from(micros: Micros) -> Self {
        let lower = i128::from(micros.lower) * 1_000;
        Self { lower, upper: lower + i128::from(micros.width) * 1_000 }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn stored_bounds_hold_those_that_were_proven(lower in -1_i128 << 70..1 << 70, width in 0_i128..1 << 40) {
            let proven = OffsetBounds { lower, upper: lower + width };
            let stored = OffsetBounds::from(Micros::from(proven));
            if lower.abs() < 1 << 62 {
                prop_assert!(stored.lower <= proven.lower && proven.upper <= stored.upper);
                prop_assert!(proven.lower - stored.lower < 1_000 && stored.upper - proven.upper < 1_000);
            }
        }
    }
}
