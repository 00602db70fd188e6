//! Text to an interval of clock readings: RFC 3339, Unix times, times of day, HTTP dates, and their cousins.
//!
//! An interval is as wide as what was said, and never narrower than what may have been meant:
//!
//! * Whole seconds, minutes and hours are taken as truncated, as `strftime`, RFC 3339 printers and HTTP dates do it.
//! * Zeros at the end of a fraction prove no resolution: `12.000` may come from a clock of whole seconds, so
//!   it is read like `12`. A clock that really counts milliseconds shows another digit in the next answer.
//! * Fractions of a second are rounded by some printers and truncated by others, so half a digit is allowed
//!   for below. A 64-bit float of today's Unix time is off by up to 0.12 µs; a JSON number with a fraction
//!   gets 0.25 µs more on both sides.
//! * The leap second `23:59:60` has no number of its own in Unix time (POSIX.1 4.16): clocks show it as the
//!   second before or after. Both are in its interval.

mod civil;
mod day_and_month;
mod embedded;
mod notation;
mod numbers;
mod pattern;
mod place;
mod units;
mod words;
mod wrapping;
mod written;

use std::time::Duration;

use clock_offset::{Interval, Reading, Shown, TimeOfDay, UnixInstant};
use notation::Context;

use crate::text::printable;

pub use embedded::{Embedded, embedded, is_now};
pub use notation::{Form, Notation, UnknownZone, Zone};
pub use pattern::{Pattern, PatternError};

/// How a time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Told from its look; Unix seconds, milliseconds, microseconds and nanoseconds from their size.
    Auto,
    /// `2026-11-23T20:11:51.123Z`, and other dates in digits (ISO 8601).
    Rfc3339,
    /// Seconds since 1970, with or without a fraction.
    UnixSeconds,
    /// Milliseconds since 1970.
    UnixMillis,
    /// Microseconds since 1970.
    UnixMicros,
    /// Nanoseconds since 1970.
    UnixNanos,
    /// `20:11:51`, a time of day; in UTC, if nothing else is said.
    TimeOfDay,
    /// `Mon, 23 Nov 2026 20:11:51 GMT` (RFC 9110 section 5.6.7), and other dates with the name of the month.
    HttpDate,
}

/// Why a text is not a time. As text it stands behind "not a time: ".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Unreadable {
    /// What is wrong with the text.
    pub why: String,
    /// The format that was given; none when the text was to tell it.
    pub given: Option<Format>,
    /// The format that would read it.
    pub likelier: Option<Format>,
    /// What the user has to say before it can be read.
    pub lacks: Option<Lack>,
}

/// What a text leaves open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lack {
    /// Its zone.
    Zone,
    /// The order of its parts: the patterns by which it can be read, the likelier first.
    Pattern(Vec<String>),
    /// A unit that is read: this one is known by its name alone.
    Unit,
    /// Another number: this one is no time.
    AnotherNumber,
    /// Agreement: its parts contradict each other.
    Agreement,
}

impl Unreadable {
    fn new(why: String) -> Self {
        Self { why, given: None, likelier: None, lacks: None }
    }

    /// A time whose zone is open, although a name stands beside it: one that is not known, or that of another zone than the
    /// time is in.
    #[must_use]
    pub fn without_zone(text: &str, unknown: Option<&str>) -> Self {
        let why = match unknown {
            Some(name) => format!(
                "{text} does not state its zone, and `{}` beside it is not a known zone",
                printable(name.as_bytes(), 40)
            ),
            None => format!(
                "{text} does not state its zone: it is near now in UTC, but not in the zone that is named beside it"
            ),
        };
        Self { lacks: Some(Lack::Zone), ..Self::new(why) }
    }
}

const SECOND: i128 = 1_000_000_000;
const MINUTE: i128 = 60 * SECOND;
const HOUR: i128 = 60 * MINUTE;
const DAY: i128 = 86_400 * SECOND;
/// Half a unit in the last place of today's Unix seconds as a 64-bit float is 0.12 µs; twice that.
const FLOAT_ERROR: i128 = 250;

/// What a clock on the wall shows where a text is written: its time of day, whatever its zone.
#[must_use]
pub fn on_the_wall(text: &str) -> Option<Reading> {
    let text = wrapping::taken_off(text.trim());
    let written = match guess(text).ok()? {
        Format::Rfc3339 => civil::date_and_time(text),
        Format::TimeOfDay => civil::time_of_day(text),
        _ => return None,
    };
    Some(written.ok()?.nanos.into_time_of_day())
}

/// A reading further than that from now is in the wrong unit, if in another one it is nearer than that.
const NEAR_NOW: i128 = DAY;

/// Whether a reading is near now. A time of day is near it on some day.
#[must_use]
pub fn is_near(reading: &Reading, now: UnixInstant) -> bool {
    match reading.shown {
        Shown::Instant(shown) => (shown.earliest() - now).magnitude().as_nanos() <= NEAR_NOW.unsigned_abs(),
        Shown::TimeOfDay(_) => true,
    }
}

/// Whether a reading is that near to now, on some day if it is a time of day.
#[must_use]
pub fn is_within(reading: &Reading, now: UnixInstant, distance: Duration) -> bool {
    let shown = reading.nearest_to(now);
    let (before, after) = ((now - shown.latest()).positive_part(), (shown.earliest() - now).positive_part());
    before.max(after) <= distance
}

/// The unit that was more likely meant, when a number was read in one that puts it nowhere near now.
#[must_use]
pub fn likelier_unit(reading: &Reading, format: Format, now: UnixInstant) -> Option<Format> {
    let Shown::Instant(shown) = reading.shown else { return None };
    let (unit, shown) = (format.unit()?, shown.earliest().as_nanos());
    let is_near = |nanos: i128| (nanos - now.as_nanos()).abs() <= NEAR_NOW;
    if is_near(shown) {
        return None;
    }
    let is_likelier = |other: &&Format| other.unit().is_some_and(|other| is_near(shown / unit * other));
    Format::ALL.iter().find(is_likelier).copied()
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 8] = [
        Self::Auto,
        Self::Rfc3339,
        Self::UnixSeconds,
        Self::UnixMillis,
        Self::UnixMicros,
        Self::UnixNanos,
        Self::TimeOfDay,
        Self::HttpDate,
    ];

    /// The name by which flags and files know it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Rfc3339 => "rfc3339",
            Self::UnixSeconds => "unix-s",
            Self::UnixMillis => "unix-ms",
            Self::UnixMicros => "unix-us",
            Self::UnixNanos => "unix-ns",
            Self::TimeOfDay => "hms",
            Self::HttpDate => "http-date",
        }
    }

    /// What a whole number counts, in nanoseconds.
    fn unit(self) -> Option<i128> {
        match self {
            Self::UnixSeconds => Some(SECOND),
            Self::UnixMillis => Some(SECOND / 1_000),
            Self::UnixMicros => Some(SECOND / 1_000_000),
            Self::UnixNanos => Some(1),
            Self::Auto | Self::Rfc3339 | Self::TimeOfDay | Self::HttpDate => None,
        }
    }
}

fn read_as(text: &str, format: Format, context: &Context<'_>) -> Result<Reading, Unreadable> {
    if format.unit().is_some() {
        return number(text, format, context);
    }
    let Context { zone, now, .. } = *context;
    match format {
        Format::Rfc3339 => civil::date_and_time(text)?.into_reading(text, zone, now),
        Format::TimeOfDay => civil::time_of_day(text)?.into_reading(text, zone, now),
        Format::HttpDate => words::date_with_words(text, zone.is_some(), now)?.into_reading(text, zone, now),
        _ => read_as(text, guess(text)?, context),
    }
}

fn guess(text: &str) -> Result<Format, Unreadable> {
    let bytes = text.as_bytes();
    if bytes.is_empty() {
        return Err(Unreadable::new("it is empty".to_owned()));
    }
    let (unwrapped, said) = numbers::unwrapped(text);
    if let Some(format) = said {
        return Ok(format);
    }
    if words::looks_so(text) {
        return Ok(Format::HttpDate);
    }
    if civil::looks_extended(text) || civil::looks_basic(text) {
        return Ok(Format::Rfc3339);
    }
    // ISO 8601 lets a T stand before a time of day.
    if matches!(bytes, [b'T' | b't', b'0'..=b'2', ..]) {
        return Ok(Format::TimeOfDay);
    }
    if bytes[0].is_ascii_digit() && (bytes.get(2) == Some(&b':') || bytes.get(1) == Some(&b':')) {
        return Ok(Format::TimeOfDay);
    }
    if let Some(patterns) = day_and_month::patterns(text) {
        let why = format!("{text:?} does not say which of its first numbers is the month");
        return Err(Unreadable { lacks: Some(Lack::Pattern(patterns)), ..Unreadable::new(why) });
    }
    // Seconds reach 10^11 in the year 5138; milliseconds were that small until 1973; and so on upwards.
    let size = Decimal::parse(&unwrapped)?.scaled(1).map_or(u128::MAX, i128::unsigned_abs);
    Ok(match size {
        ..=99_999_999_999 => Format::UnixSeconds,
        100_000_000_000..=99_999_999_999_999 => Format::UnixMillis,
        100_000_000_000_000..=99_999_999_999_999_999 => Format::UnixMicros,
        _ => Format::UnixNanos,
    })
}

/// An interval of nanoseconds, with the step between one reading and the next.
#[derive(Debug, Clone, Copy)]
struct Nanos {
    earliest: i128,
    latest: i128,
    step: i128,
}

impl Nanos {
    /// A reading that is truncated or rounded to multiples of `step` (at least one nanosecond).
    fn of(value: i128, step: i128) -> Self {
        // Whole seconds and minutes are truncated; of other steps nobody knows.
        let below = if matches!(step, SECOND | MINUTE | HOUR | DAY) { 0 } else { step / 2 };
        Self { earliest: value - below, latest: value + step, step }
    }

    fn widened_by(self, margin: i128) -> Self {
        Self { earliest: self.earliest - margin, latest: self.latest + margin, ..self }
    }

    fn into_instant(self) -> Reading {
        let (earliest, latest) =
            (UnixInstant::from_nanos(self.earliest), UnixInstant::from_nanos(self.latest));
        Reading {
            shown: Shown::Instant(Interval::new(earliest, latest)),
            step: duration(self.step),
            may_lag: Duration::ZERO,
        }
    }

    fn into_time_of_day(self) -> Reading {
        // The day on which it begins is not said.
        let days = self.earliest.div_euclid(DAY) * DAY;
        let Self { earliest, latest, .. } = self;
        let (earliest, latest) =
            (TimeOfDay::from_nanos(earliest - days), TimeOfDay::from_nanos(latest - days));
        Reading {
            shown: Shown::TimeOfDay(Interval::new(earliest, latest)),
            step: duration(self.step),
            may_lag: Duration::ZERO,
        }
    }
}

fn duration(nanos: i128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// A decimal number, exactly as it was written: `mantissa` · 10^−`scale`.
struct Decimal {
    mantissa: i128,
    scale: i32,
}

impl Decimal {
    /// More digits than that are no time.
    const MAX_DIGITS: usize = 30;
    /// A nanosecond as a fraction of a second has nine.
    const MOST_DECIMALS: i32 = 18;

    fn parse(text: &str) -> Result<Self, Unreadable> {
        let fail = || Unreadable::new(format!("{text:?} is not a time in a known format"));
        let (number, exponent) = match text.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, exponent.parse::<i32>().map_err(|_| fail())?),
            None => (text, 0),
        };
        let (negative, number) = match number.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, number),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = format!("{whole}{fraction}");
        let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !all_digits || digits.len() > Self::MAX_DIGITS || exponent.abs() > 30 {
            return Err(fail());
        }
        let mut mantissa: i128 = digits.parse().map_err(|_| fail())?;
        let mut scale = i32::try_from(fraction.len()).map_err(|_| fail())? - exponent;
        // Digits far below a nanosecond say nothing, and would only make products overflow.
        while scale > Self::MOST_DECIMALS {
            mantissa /= 10;
            scale -= 1;
        }
        Ok(Self { mantissa: if negative { -mantissa } else { mantissa }, scale })
    }

    /// This number times `unit`, rounded down; nothing when it is beyond all that is counted here.
    fn scaled(&self, unit: i128) -> Option<i128> {
        let power = 10_i128.checked_pow(self.scale.unsigned_abs())?;
        let product = self.mantissa.checked_mul(unit)?;
        if self.scale >= 0 { Some(product.div_euclid(power)) } else { product.checked_mul(power) }
    }

    /// What one unit in the last place is worth, when the whole is counted in `unit`; at least 1.
    fn step(&self, unit: i128) -> Option<i128> {
        let power = 10_i128.checked_pow(self.scale.unsigned_abs())?;
        if self.scale >= 0 { Some((unit / power).max(1)) } else { unit.checked_mul(power) }
    }
}

/// Beyond this a clock does not count; and sums of such values stay far inside of i128.
const FARTHEST: i128 = 1_000_000 * 366 * DAY;

/// A number in one of the units of [`Format`], unless it is likelier in a unit that is not read.
fn number(text: &str, format: Format, context: &Context<'_>) -> Result<Reading, Unreadable> {
    let (text, _) = numbers::unwrapped(text);
    let decimal = Decimal::parse(&text)?;
    let read = unix(&text, format.unit().unwrap_or(SECOND), context.is_json_number);
    let may_be_another = match &read {
        Ok(reading) => {
            !is_near(reading, context.now) && likelier_unit(reading, format, context.now).is_none()
        }
        Err(_) => true,
    };
    match may_be_another.then(|| units::likeliest(&text, &decimal, context.now)).flatten() {
        Some(units::Likeliest { name, kind }) => {
            let why = format!("{text} is not in a known unit; it looks like {name}");
            let lacks = match kind {
                units::Kind::Unit => Lack::Unit,
                units::Kind::Digits(pattern) => Lack::Pattern(vec![pattern.to_owned()]),
                units::Kind::NoTime => Lack::AnotherNumber,
            };
            Err(Unreadable { lacks: Some(lacks), ..Unreadable::new(why) })
        }
        None => read,
    }
}

fn unix(text: &str, unit: i128, is_json_number: bool) -> Result<Reading, Unreadable> {
    let mut number = Decimal::parse(text)?;
    while number.mantissa % 10 == 0
        && number.mantissa != 0
        && number.step(unit).is_some_and(|step| step < SECOND)
    {
        number.mantissa /= 10;
        number.scale -= 1;
    }
    let too_far = || Unreadable::new(format!("{text} is more than a million years away"));
    let in_reach = |nanos: &i128| nanos.unsigned_abs() <= FARTHEST.unsigned_abs();
    let value = number.scaled(unit).filter(in_reach).ok_or_else(too_far)?;
    let step = number.step(unit).filter(in_reach).ok_or_else(too_far)?;
    // Who prints an exponent rounds, also to whole seconds (C++, `%e`).
    let below = if text.contains(['e', 'E']) { step / 2 } else { 0 };
    let nanos = Nanos::of(value, step);
    let nanos = Nanos { earliest: nanos.earliest.min(value - below), ..nanos };
    let through_a_float = is_json_number && text.contains(['.', 'e', 'E']);
    Ok(if through_a_float { nanos.widened_by(FLOAT_ERROR) } else { nanos }.into_instant())
}

#[cfg(test)]
mod tests;
