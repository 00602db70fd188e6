//! What the value of a flag may be.

use std::ffi::OsStr;
use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use jiff::SignedDuration;
use nowcheck::check::LONGEST;
use nowcheck::time_format::{Form, Format};

/// The value of `--format`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FormatArgument(pub(crate) Form);

/// Reads the value of `--format`: the name of a format, or a pattern.
#[derive(Debug, Clone, Copy)]
pub(super) struct FormatParser;

impl FormatParser {
    fn names() -> impl Iterator<Item = PossibleValue> {
        Format::ALL.into_iter().map(|format| PossibleValue::new(format.name()).help(help(format)))
    }
}

impl TypedValueParser for FormatParser {
    type Value = FormatArgument;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<FormatArgument, clap::Error> {
        if value.to_str().is_some_and(|text| text.contains('%')) {
            let pattern = |text: &str| text.parse().map(Form::Pattern).map(FormatArgument);
            return pattern.parse_ref(command, argument, value);
        }
        let name = PossibleValuesParser::new(Self::names()).parse_ref(command, argument, value)?;
        let format = Format::ALL.into_iter().find(|format| format.name() == name).unwrap_or(Format::Auto);
        Ok(FormatArgument(Form::Known(format)))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(Self::names()))
    }
}

fn help(format: Format) -> &'static str {
    match format {
        Format::Auto => {
            "Recognized by its look; Unix seconds, milliseconds, microseconds and nanoseconds by their size"
        }
        Format::Rfc3339 => "`2026-11-23T20:11:51.123Z`, and other dates in digits (ISO 8601)",
        Format::UnixSeconds => "Seconds since 1970, with or without a fraction",
        Format::UnixMillis => "Milliseconds since 1970",
        Format::UnixMicros => "Microseconds since 1970",
        Format::UnixNanos => "Nanoseconds since 1970",
        Format::TimeOfDay => "`20:11:51`, a time of day; in UTC unless a zone is given",
        Format::HttpDate => "`Mon, 23 Nov 2026 20:11:51 GMT`, and other dates with the name of a month",
    }
}

/// `1%` or `0.01`: more than 0 and at most a half.
pub(super) fn probability(text: &str) -> Result<f64, String> {
    let (number, scale) = text.strip_suffix('%').map_or((text, 1.0), |percent| (percent, 100.0));
    let value = number.trim().parse::<f64>().map(|value| value / scale);
    match value {
        // Below that a round would open thousands of connections.
        Ok(value) if (0.000_001..=0.5).contains(&value) => Ok(value),
        _ => Err("write a probability from 0.0001% to 50%, such as 1% or 0.01".to_owned()),
    }
}

/// `0.5`, `500ms`, `1.5s`, `2m`; more than zero.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    match duration_or_zero(text)? {
        Duration::ZERO => Err("must be more than zero".to_owned()),
        duration => Ok(duration),
    }
}

/// A number without a unit is seconds, as with monitoring plugins.
pub(super) fn duration_or_zero(text: &str) -> Result<Duration, String> {
    let advice = "write a number of seconds, or one with its unit, such as 0.5, 500ms or 2m";
    if text.trim_start().starts_with('-') {
        return Err(format!("must not be negative; {advice}"));
    }
    let with_unit = if is_number(text.trim()) { seconds(text.trim()) } else { text.to_owned() };
    let signed: SignedDuration = with_unit.parse().map_err(|_| advice.to_owned())?;
    let duration = Duration::try_from(signed).map_err(|_| format!("must not be negative; {advice}"))?;
    if duration > LONGEST { Err("is more than a year".to_owned()) } else { Ok(duration) }
}

fn is_number(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit() || first == '.' || first == '+')
        && text.parse::<f64>().is_ok_and(f64::is_finite)
        && !text.contains(['e', 'E'])
}

/// `.5` and `5.` have a digit on both sides then.
fn seconds(number: &str) -> String {
    let number = number.trim_start_matches('+');
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let [whole, fraction] = [whole, fraction].map(|digits| if digits.is_empty() { "0" } else { digits });
    format!("{whole}.{fraction}s")
}

/// The greatest offset that is allowed, or a range of the Monitoring Plugins Development Guidelines that means the same:
/// `0:0.5`, `-0.5:0.5`.
pub(super) fn greatest_offset(text: &str) -> Result<Duration, String> {
    let Some((start, end)) = text.trim().strip_prefix('@').unwrap_or(text.trim()).split_once(':') else {
        return if text.trim_start().starts_with('@') { Err(RANGES.to_owned()) } else { duration(text) };
    };
    if text.contains('@') || end.is_empty() || end.starts_with('-') {
        return Err(RANGES.to_owned());
    }
    let greatest = duration(end)?;
    let is_both_ways = match start.strip_prefix('-') {
        Some(start) => duration_or_zero(start)? == greatest,
        None => start.is_empty() || start != "~" && duration_or_zero(start)?.is_zero(),
    };
    if is_both_ways { Ok(greatest) } else { Err(RANGES.to_owned()) }
}

const RANGES: &str = "write the greatest offset that is allowed, such as 0.5 or 500ms; it limits the offset in both \
                      directions. The only plugin ranges that are allowed mean the same: 0:0.5 and -0.5:0.5";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_their_unit_or_in_seconds() {
        for (text, millis) in [
            ("1s", 1_000),
            ("500ms", 500),
            ("1.5s", 1_500),
            ("2m", 120_000),
            ("1m 30s", 90_000),
            ("1", 1_000),
            ("0.5", 500),
            (".5", 500),
            ("5.", 5_000),
            ("+2", 2_000),
            (" 08 ", 8_000),
            ("500", 500_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        assert!(duration("-1").unwrap_err().contains("negative"));
        assert!(duration("-1s").unwrap_err().contains("negative"));
        assert!(duration("soon").unwrap_err().contains("500ms"));
        assert!(duration("0s").unwrap_err().contains("more than zero"));
        assert!(duration("0").unwrap_err().contains("more than zero"));
        assert_eq!(duration_or_zero("0s"), Ok(Duration::ZERO));
        assert_eq!(duration_or_zero("0"), Ok(Duration::ZERO));
        for text in
            ["NaN", "inf", "1e300", "1e1", "9999y", "99999999999", "", ".", "+", "1:2", "1.2.3", "0x10"]
        {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn of_ranges_only_those_are_read_that_mean_a_greatest_offset() {
        for text in ["0.5", "500ms", ":0.5", "0:0.5", "0:500ms", "-0.5:0.5", "-500ms:0.5"] {
            assert_eq!(greatest_offset(text), Ok(Duration::from_millis(500)), "{text}");
        }
        for text in ["@0.5", "@0:0.5", "@-1:1", "0.2:0.5", "-1:0.5", "~:0.5", "0.5:", "10:20", "-2:-1", ":"] {
            assert!(greatest_offset(text).unwrap_err().contains("greatest offset"), "{text}");
        }
        for text in ["", "-1", "a:b", "0", "0:0"] {
            assert!(greatest_offset(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_probability_is_a_fraction_or_a_percentage() {
        assert_eq!(probability("1%"), probability("0.01"));
        assert_eq!(probability("0.1 %"), Ok(0.001));
        for text in ["0", "0%", "60%", "1", "-1%", "NaN", "inf", "", "%", "one"] {
            assert!(probability(text).unwrap_err().contains("1%"), "{text}");
        }
    }
}
