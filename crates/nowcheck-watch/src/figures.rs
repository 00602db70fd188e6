//! Figures as pages, reports and the terminal show them.

use std::time::Duration;

use clock_offset::Offset;
use nowcheck::text::figures::signed;

use crate::incident::OffsetBounds;

/// Bounds on an offset: `-1.20 ms … +3.40 ms`.
#[must_use]
pub fn bounds(offset: OffsetBounds) -> String {
    let [lower, upper] = [offset.lower, offset.upper].map(Offset::from_nanos);
    format!("{} … {}", signed(lower), signed(upper))
}

/// Nanoseconds in seconds; exact for a month, which is more than any offset that is still of interest in its digits.
#[expect(clippy::cast_precision_loss, reason = "53 bits are nanoseconds for 104 days")]
pub(crate) fn seconds(nanos: i128) -> f64 {
    nanos as f64 / 1e9
}

/// Seconds in nanoseconds: the way back, for figures that are shown.
#[expect(clippy::cast_possible_truncation, reason = "what no offset can be is the greatest that one can")]
pub(crate) fn nanoseconds(seconds: f64) -> i128 {
    (seconds * 1e9) as i128
}

/// A length of time in its greatest unit, for a glance: `59 s`, `1 min`, `2 h`, `3 days`.
#[must_use]
pub fn rough(length: Duration) -> String {
    let seconds = length.as_secs();
    let (count, unit) = match seconds {
        0..60 => (seconds, "s"),
        60..3_600 => (seconds / 60, "min"),
        3_600..172_800 => (seconds / 3_600, "h"),
        _ => (seconds / 86_400, "days"),
    };
    format!("{count} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_said_in_its_greatest_unit_and_days_from_the_second_one_on() {
        let rough = |seconds: u64| rough(Duration::from_secs(seconds));
        assert_eq!([59, 60, 7_200, 172_799, 200_000].map(rough), ["59 s", "1 min", "2 h", "47 h", "2 days"]);
    }
}
