//! What the value of a flag may be.

use std::time::Duration;

use clap::ValueEnum;
use clap::builder::PossibleValue;
use jiff::SignedDuration;
use nowcheck::check::LONGEST;
use nowcheck::time_format::Format;

/// The value of `--format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FormatArgument(pub(crate) Format);

impl Default for FormatArgument {
    fn default() -> Self {
        Self(Format::Auto)
    }
}

impl ValueEnum for FormatArgument {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [FormatArgument; Format::ALL.len()] = {
            let mut all = [FormatArgument(Format::Auto); Format::ALL.len()];
            let mut index = 0;
            while index < all.len() {
                all[index] = FormatArgument(Format::ALL[index]);
                index += 1;
            }
            all
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let help = match self.0 {
            Format::Auto => {
                "Told from its look; Unix seconds, milliseconds, microseconds and nanoseconds from their size"
            }
            Format::Rfc3339 => "`2026-11-23T20:11:51.123Z`, with the zone's offset",
            Format::UnixSeconds => "Seconds since 1970, with or without a fraction",
            Format::UnixMillis => "Milliseconds since 1970",
            Format::UnixMicros => "Microseconds since 1970",
            Format::UnixNanos => "Nanoseconds since 1970",
            Format::TimeOfDay => "`20:11:51`, a time of day in UTC",
            Format::HttpDate => "`Mon, 23 Nov 2026 20:11:51 GMT` (RFC 9110 section 5.6.7)",
        };
        Some(PossibleValue::new(self.0.name()).help(help))
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

/// `500ms`, `1.5s`, `2m`; more than zero.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    match duration_or_zero(text)? {
        Duration::ZERO => Err("must be more than zero".to_owned()),
        duration => Ok(duration),
    }
}

/// A bare number is refused: whoever means milliseconds would get a limit that never fires.
pub(super) fn duration_or_zero(text: &str) -> Result<Duration, String> {
    let advice = "write a number with its unit, such as 500ms, 1s or 2m";
    if text.trim_start().starts_with('-') {
        return Err(format!("must not be negative; {advice}"));
    }
    let signed: SignedDuration = text.parse().map_err(|_| advice.to_owned())?;
    let duration = Duration::try_from(signed).map_err(|_| format!("must not be negative; {advice}"))?;
    if duration > LONGEST { Err("is more than a year".to_owned()) } else { Ok(duration) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_their_unit() {
        for (text, millis) in
            [("1s", 1_000), ("500ms", 500), ("1.5s", 1_500), ("2m", 120_000), ("1m 30s", 90_000)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        assert!(duration("-1").unwrap_err().contains("negative"));
        assert!(duration("-1s").unwrap_err().contains("negative"));
        assert!(duration("soon").unwrap_err().contains("500ms"));
        assert!(duration("0s").unwrap_err().contains("more than zero"));
        assert!(duration("500").unwrap_err().contains("number with its unit"));
        assert_eq!(duration_or_zero("0s"), Ok(Duration::ZERO));
        for text in ["NaN", "inf", "1e300", "9999y", ""] {
            assert!(duration(text).is_err(), "{text}");
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
