//! Figures: exact decimals for programs, readable ones for people.

use std::time::Duration;

use clock_offset::{Interval, Offset, UnixInstant};
use jiff::Timestamp;

const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// Nanoseconds as seconds with nine decimals, without an exponent: `-0.000012345`.
#[must_use]
pub fn decimal_seconds(nanos: i128) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let magnitude = nanos.unsigned_abs();
    format!("{sign}{}.{:09}", magnitude / NANOS_PER_SECOND, magnitude % NANOS_PER_SECOND)
}

/// A duration as seconds with nine decimals.
#[must_use]
pub fn decimal_duration(duration: Duration) -> String {
    format!("{}.{:09}", duration.as_secs(), duration.subsec_nanos())
}

/// A duration for people, three significant digits: `85.0 µs`, `12.3 ms`, `1.50 s`, `2 h 5 min`.
#[must_use]
pub fn length(duration: Duration) -> String {
    length_to(duration, 0)
}

/// The most decimals that a figure gets beyond those of three significant digits: down to the nanosecond.
const MOST_MORE: usize = 9;

/// The same with so many decimals more, as far as there are any.
fn length_to(duration: Duration, more: usize) -> String {
    let nanos = duration.as_nanos();
    if nanos == 0 {
        return "0 s".to_owned();
    }
    if duration >= Duration::from_mins(2) {
        return if more == 0 { long_length(duration) } else { limit_to(duration, more) };
    }
    let (unit, per_unit) = unit_of(nanos);
    #[expect(clippy::cast_precision_loss, reason = "at most twelve digits are shown")]
    let value = nanos as f64 / per_unit as f64;
    let decimals = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    let decimals = (decimals + more).min(per_unit.ilog10() as usize);
    format!("{value:.decimals$} {unit}")
}

/// A long duration in seconds, with so many decimals.
fn limit_to(duration: Duration, decimals: usize) -> String {
    let whole = duration.as_secs();
    let fraction = format!("{:09}", duration.subsec_nanos());
    format!("{whole}.{} s", &fraction[..decimals.min(9)])
}

/// Both ends of an interval, each with its sign, with as many digits as tell them from each other and their lengths from
/// the limit: `["+999.9 ms", "+1.00003 s"]` for a limit of 1 s.
#[must_use]
pub fn ends(offset: &Interval<Offset>, limit: Option<Duration>) -> [String; 2] {
    let (earliest, latest) = (offset.earliest(), offset.latest());
    let differ = |more: &usize| earliest == latest || signed_to(earliest, *more) != signed_to(latest, *more);
    let apart = (0..MOST_MORE).find(differ).unwrap_or(MOST_MORE);
    [earliest, latest].map(|end| {
        let from_limit = |more: &usize| {
            limit.is_none_or(|limit| end.magnitude() == limit || !rounds_to(end, limit, *more))
        };
        signed_to(end, (apart..MOST_MORE).find(from_limit).unwrap_or(MOST_MORE))
    })
}

/// Whether a length is shown as the limit, perhaps in another unit: `1000 ms`.
fn rounds_to(end: Offset, limit: Duration, more: usize) -> bool {
    let text = length_to(end.magnitude(), more);
    let (figure, unit) = text.split_once(' ').unwrap_or_default();
    let per_unit = match unit {
        "ns" => 1e-9,
        "µs" => 1e-6,
        "ms" => 1e-3,
        _ => 1.0,
    };
    figure.parse::<f64>().is_ok_and(|figure| (figure * per_unit - limit.as_secs_f64()).abs() < 1e-12)
}

/// A length, with as many digits as tell it from the limit.
#[must_use]
pub fn length_beside(length: Duration, limit: Duration) -> String {
    let nanos = i128::try_from(length.as_nanos()).unwrap_or(i128::MAX);
    let [text, _] = ends(&Interval::point(Offset::from_nanos(nanos)), Some(limit));
    text[1..].to_owned()
}

/// Two units, rounded to the smaller one.
fn long_length(duration: Duration) -> String {
    let half_of_the_smaller_unit = match duration.as_secs() {
        0..=3_599 => Duration::from_millis(500),
        3_600..=86_399 => Duration::from_secs(30),
        _ => Duration::from_mins(30),
    };
    let seconds = duration.saturating_add(half_of_the_smaller_unit).as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes} min {} s", seconds % 60),
        (0, _) => format!("{hours} h {minutes} min"),
        (..1_000, _) => format!("{days} d {hours} h"),
        _ => format!("{days} d"),
    }
}

fn unit_of(nanos: u128) -> (&'static str, u128) {
    match nanos {
        0..=999 => ("ns", 1),
        1_000..=999_999 => ("µs", 1_000),
        1_000_000..=999_999_999 => ("ms", 1_000_000),
        _ => ("s", NANOS_PER_SECOND),
    }
}

/// A bound on a chance, rounded up to two significant digits: `0.79 %`, `0.00012 %`.
#[must_use]
pub fn percent(chance: f64) -> String {
    let percent = chance * 100.0;
    if percent <= 0.0 {
        return "0 %".to_owned();
    }
    // The place of its second digit; a chance below 10⁻²⁰ is as good as none.
    let digits = (1.0 - percent.log10().floor()).clamp(0.0, 20.0);
    let scale = 10_f64.powf(digits);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 20")]
    let digits = digits as usize;
    // What is a few units in the last place of a float above a round figure is that figure.
    let up = ((percent * scale) * (1.0 - 4.0 * f64::EPSILON)).ceil() / scale;
    format!("{up:.digits$} %")
}

/// A limit as it was typed, more or less: `1 s`, `250 ms`, `1.5 s`, `1 h 30 min`.
#[must_use]
pub fn limit(duration: Duration) -> String {
    let is_whole_minutes = duration.subsec_nanos() == 0 && duration.as_secs().is_multiple_of(60);
    if duration >= Duration::from_mins(2) && is_whole_minutes {
        return long_length(duration);
    }
    let (unit, per_unit) = unit_of(duration.as_nanos());
    let (whole, rest) = (duration.as_nanos() / per_unit, duration.as_nanos() % per_unit);
    if rest == 0 {
        return format!("{whole} {unit}");
    }
    let width = per_unit.ilog10() as usize;
    let fraction = format!("{rest:0width$}");
    format!("{whole}.{} {unit}", fraction.trim_end_matches('0'))
}

/// An interval as estimate and bound, the estimate with as many decimals as the bound is worth:
/// `-3.0001 s ± 90 µs`. The bound is rounded up, and covers the rounding of the estimate.
#[must_use]
pub fn estimate(offset: &Interval<Offset>) -> String {
    let (middle, bound) = (offset.midpoint(), offset.half_width().as_nanos().max(1));
    // The place of the bound's second digit: 85 µs → 1 µs.
    let place = 10_u128.pow(bound.ilog10().saturating_sub(1));
    let size = middle.as_nanos().unsigned_abs();
    let rounded = (size + place / 2) / place * place;
    let sign = if middle.as_nanos() < 0 && rounded > 0 { '-' } else { '+' };
    let (unit, per_unit) = unit_of(rounded.max(place));
    let decimals = per_unit.ilog10().saturating_sub(place.ilog10()) as usize;
    let figure = scaled(rounded, per_unit, decimals);
    let covering = bound + rounded.abs_diff(size);
    format!("{sign}{figure} {unit} ± {}", bound_length(covering))
}

/// From here on a bound is too wide for its middle to mean anything.
const WIDE: Duration = Duration::from_millis(100);

/// An offset for people: estimate and bound, or both ends when the bound is wide: `between -40.0 ms and +640 ms`.
#[must_use]
pub fn offset(offset: &Interval<Offset>) -> String {
    if offset.half_width() < WIDE {
        return estimate(offset);
    }
    let [earliest, latest] = ends(offset, None);
    format!("between {earliest} and {latest}")
}

/// An unsigned number of nanoseconds in a unit, with that many decimals (exact: `nanos` is a multiple of them).
fn scaled(nanos: u128, per_unit: u128, decimals: usize) -> String {
    let whole = nanos / per_unit;
    if decimals == 0 {
        return whole.to_string();
    }
    let width = per_unit.ilog10() as usize;
    let fraction = format!("{:0width$}", nanos % per_unit);
    format!("{whole}.{}", &fraction[..decimals])
}

/// Two significant digits, rounded up.
fn bound_length(nanos: u128) -> String {
    let place = 10_u128.pow(nanos.ilog10().saturating_sub(1));
    let up = nanos.div_ceil(place) * place;
    let (unit, per_unit) = unit_of(up);
    let decimals = per_unit.ilog10().saturating_sub(place.ilog10()).min(1) as usize;
    let has_fraction = !up.is_multiple_of(per_unit);
    if has_fraction && up >= per_unit {
        format!("{} {unit}", scaled(up, per_unit, decimals))
    } else {
        format!("{} {unit}", up / per_unit)
    }
}

/// One end of an interval, with its sign: `+1.30 s`.
#[must_use]
pub fn signed(offset: Offset) -> String {
    signed_to(offset, 0)
}

fn signed_to(offset: Offset, more: usize) -> String {
    let sign = if offset.as_nanos() < 0 { '-' } else { '+' };
    format!("{sign}{}", length_to(offset.magnitude(), more))
}

/// An instant as RFC 3339 in UTC with that many decimals; out of the calendar's range, as Unix seconds.
#[must_use]
pub fn rfc3339(instant: UnixInstant, decimals: u8) -> String {
    Timestamp::from_nanosecond(instant.as_nanos()).map_or_else(
        |_| decimal_seconds(instant.as_nanos()),
        |timestamp| {
            let printer = jiff::fmt::temporal::DateTimePrinter::new().precision(Some(decimals));
            printer.timestamp_to_string(&timestamp)
        },
    )
}

/// Unix seconds for people: `2026-11-23 20:11:51 UTC`.
#[must_use]
pub fn date_and_time(unix_seconds: u64) -> String {
    i64::try_from(unix_seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok()).map_or_else(
        || format!("Unix time {unix_seconds}"),
        |timestamp| timestamp.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn interval(earliest: i128, latest: i128) -> Interval<Offset> {
        Interval::new(Offset::from_nanos(earliest), Offset::from_nanos(latest))
    }

    #[test]
    fn figures_for_programs_keep_sign_and_nanoseconds_and_have_no_exponent() {
        assert_eq!(decimal_seconds(-12_345), "-0.000012345");
        assert_eq!(decimal_seconds(3_000_000_000), "3.000000000");
        assert_eq!(decimal_duration(Duration::from_nanos(7)), "0.000000007");
    }

    #[test]
    fn an_estimate_has_as_many_decimals_as_its_bound_is_worth() {
        for (earliest, latest, text) in [
            (-64_000, 106_000, "+21 µs ± 85 µs"),
            (-3_000_250_000, -3_000_080_000, "-3.000165 s ± 85 µs"),
            (-900, 300, "-300 ns ± 600 ns"),
            (-30_001, 30_000, "+0 µs ± 31 µs"),
            (-300_000_000, 700_000_000, "+200 ms ± 500 ms"),
            (1_000_000_000, 3_000_000_000, "+2.0 s ± 1 s"),
            (0, 0, "+0 ns ± 1 ns"),
            (3_600_000_000_000, 3_600_001_000_000, "+3600.00050 s ± 500 µs"),
            (-86_400_000_000_000, -86_399_000_000_000, "-86399.50 s ± 500 ms"),
        ] {
            assert_eq!(estimate(&interval(earliest, latest)), text);
        }
    }

    #[test]
    fn lengths_have_three_digits_and_the_unit_that_fits() {
        for (nanos, text) in [
            (0, "0 s"),
            (850, "850 ns"),
            (85_000, "85.0 µs"),
            (1_234_000, "1.23 ms"),
            (2_000_000_000, "2.00 s"),
            (7_500_000_000_000, "2 h 5 min"),
            (130_000_000_000, "2 min 10 s"),
            (7_199_750_000_000, "2 h 0 min"),
            (86_399_700_000_000, "1 d 0 h"),
            (90_000_000_000_000, "1 d 1 h"),
        ] {
            assert_eq!(length(Duration::from_nanos(nanos)), text);
        }
    }

    #[test]
    fn a_chance_is_rounded_up_and_never_to_nothing() {
        for (chance, text) in [
            (0.007_812_5, "0.79 %"),
            (0.000_001_2, "0.00012 %"),
            (0.01, "1.0 %"),
            (0.5, "50 %"),
            (0.0, "0 %"),
        ] {
            assert_eq!(percent(chance), text);
        }
    }

    #[test]
    fn a_limit_is_written_without_superfluous_digits() {
        assert_eq!(limit(Duration::from_secs(1)), "1 s");
        assert_eq!(limit(Duration::from_millis(1_500)), "1.5 s");
        assert_eq!(limit(Duration::from_micros(250)), "250 µs");
        assert_eq!(limit(Duration::from_millis(1_050)), "1.05 s");
    }

    #[test]
    fn as_many_digits_are_shown_as_tell_the_ends_apart_and_from_the_limit() {
        let second = Some(Duration::from_secs(1));
        for (earliest, latest, limit, texts) in [
            (-40_000_000, 640_000_000, second, ["-40.0 ms", "+640 ms"]),
            (999_900_000, 1_000_030_000, second, ["+999.9 ms", "+1.00003 s"]),
            (-3_001_200_000, -2_998_700_000, None, ["-3.001 s", "-2.999 s"]),
            (-1_000_000_000, 999_999_999, second, ["-1.00 s", "+999.999999 ms"]),
            (3_600_000_000_000, 3_600_200_000_000, None, ["+3600.0 s", "+3600.2 s"]),
        ] {
            assert_eq!(ends(&interval(earliest, latest), limit), texts, "{earliest} to {latest}");
        }
        assert_eq!(length_beside(Duration::from_micros(1_000_040), Duration::from_secs(1)), "1.00004 s");
        assert_eq!(length_beside(Duration::from_secs(3), Duration::from_secs(1)), "3.00 s");
    }

    proptest! {
        #[test]
        fn ends_that_differ_are_shown_as_different(
            earliest in -10_i128.pow(12)..10_i128.pow(12),
            width in 1..10_i128.pow(10),
        ) {
            let [one, other] = ends(&interval(earliest, earliest + width), Some(Duration::from_secs(1)));
            prop_assert_ne!(one, other);
        }

        #[test]
        fn what_is_shown_covers_the_interval(
            earliest in -10_i128.pow(13)..10_i128.pow(13),
            width in 0..10_i128.pow(11),
        ) {
            let text = estimate(&interval(earliest, earliest + width));
            let (figure, bound) = text.split_once(" ± ").unwrap();
            let nanos = |text: &str| {
                let (number, unit) = text.split_once(' ').unwrap();
                let per_unit = match unit { "ns" => 1.0, "µs" => 1e3, "ms" => 1e6, _ => 1e9 };
                number.parse::<f64>().unwrap() * per_unit
            };
            let (middle, bound) = (nanos(figure), nanos(bound));
            #[expect(clippy::cast_precision_loss, reason = "compared with a tolerance")]
            let (low, high) = (earliest as f64, (earliest + width) as f64);
            prop_assert!(middle - bound <= low + 1.0 && middle + bound >= high - 1.0, "{text}");
        }

        #[test]
        fn any_duration_can_be_shown(nanos in any::<u64>()) {
            prop_assert!(!length(Duration::from_nanos(nanos)).is_empty());
            prop_assert!(!limit(Duration::from_nanos(nanos)).is_empty());
        }
    }
}
