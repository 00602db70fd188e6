//! Round instants of a stretch of time in UTC, with their labels.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

/// An instant, and how it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TimeTick {
    pub(super) at: Timestamp,
    pub(super) label: String,
}

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// The first Monday after the beginning of 1970.
const FIRST_MONDAY: i64 = 4 * DAY;

/// Steps of equal length, in seconds.
const STEPS: [i64; 20] = [
    1,
    2,
    5,
    10,
    15,
    30,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    7 * DAY,
];
/// Longer steps, in months.
const MONTHS: [i64; 7] = [1, 2, 3, 6, 12, 24, 60];

/// Round instants from one to another, about so many.
pub(super) fn ticks(from: Timestamp, to: Timestamp, most: i64) -> Vec<TimeTick> {
    let seconds = to.duration_since(from).as_secs();
    if let Some(step) = STEPS.into_iter().find(|step| seconds / step <= most) {
        return even(from, to, step);
    }
    let fits = |months: &i64| seconds / (months * 30 * DAY) <= most;
    months(from, to, MONTHS.into_iter().find(fits).unwrap_or(120))
}

fn even(from: Timestamp, to: Timestamp, step: i64) -> Vec<TimeTick> {
    let origin = if step == 7 * DAY { FIRST_MONDAY } else { 0 };
    let first = (from.as_second() - origin).div_euclid(step) * step + origin;
    (0..)
        .map_while(|nth| Timestamp::from_second(first + nth * step).ok())
        .skip_while(|at| *at < from)
        .take_while(|at| *at <= to)
        .map(|at| {
            let is_midnight = at.as_second().rem_euclid(DAY) == 0;
            let format = match step {
                _ if is_midnight => "%b %-d",
                ..MINUTE => "%H:%M:%S",
                _ => "%H:%M",
            };
            TimeTick { at, label: at.strftime(format).to_string() }
        })
        .collect()
}

/// The first days of months that are multiples of the step since the beginning of a year.
fn months(from: Timestamp, to: Timestamp, step: i64) -> Vec<TimeTick> {
    let start = from.to_zoned(TimeZone::UTC);
    let years = (step / 12).max(1);
    let year = i64::from(start.year()).div_euclid(years) * years;
    let Some(first) = i16::try_from(year).ok().and_then(|year| Date::new(year, 1, 1).ok()) else {
        return Vec::new();
    };
    let day = |nth: i64| -> Option<Zoned> {
        first.checked_add((nth * step).months()).ok()?.to_zoned(TimeZone::UTC).ok()
    };
    (0..)
        .map_while(day)
        .skip_while(|day| day.timestamp() < from)
        .take_while(|day| day.timestamp() <= to)
        .map(|day| {
            let format = if day.month() == 1 { "%Y" } else { "%b" };
            TimeTick { at: day.timestamp(), label: day.strftime(format).to_string() }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(from: &str, to: &str, most: i64) -> String {
        let ticks = ticks(from.parse().unwrap(), to.parse().unwrap(), most);
        ticks.into_iter().map(|tick| tick.label).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn instants_are_round_in_utc() {
        let hours = labels("2026-11-27T19:20:00Z", "2026-11-28T08:00:00Z", 8);
        assert_eq!(hours, "20:00, 22:00, Nov 28, 02:00, 04:00, 06:00, 08:00");
        assert_eq!(
            labels("2026-11-28T08:00:00Z", "2026-11-28T08:00:03Z", 8),
            "08:00:00, 08:00:01, 08:00:02, 08:00:03"
        );
        assert_eq!(labels("2026-11-21T12:00:00Z", "2026-11-28T12:00:00Z", 4), "Nov 23, Nov 25, Nov 27");
        assert_eq!(
            labels("2026-11-21T12:00:00Z", "2026-11-28T12:00:00Z", 8),
            "Nov 22, Nov 23, Nov 24, Nov 25, Nov 26, Nov 27, Nov 28"
        );
        assert_eq!(
            labels("2025-11-28T12:00:00Z", "2026-11-28T12:00:00Z", 8),
            "2026, Mar, May, Jul, Sep, Nov"
        );
        assert_eq!(labels("2016-11-28T12:00:00Z", "2026-11-28T12:00:00Z", 8), "2018, 2020, 2022, 2024, 2026");
    }

    #[test]
    fn a_stretch_without_any_length_has_at_most_one() {
        assert_eq!(labels("2026-11-28T12:00:00Z", "2026-11-28T12:00:00Z", 8), "12:00:00");
    }
}
