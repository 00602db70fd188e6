//! Text to an interval of clock readings: RFC 3339, Unix times, times of day, HTTP dates.
//!
//! An interval is as wide as what was said, and never narrower than what may have been meant:
//!
//! * Whole seconds are taken as truncated, as `strftime`, RFC 3339 printers and HTTP dates do it.
//! * Zeros at the end of a fraction prove no resolution: `12.000` may come from a clock of whole seconds, so
//!   it is read like `12`. A clock that really counts milliseconds shows another digit in the next answer.
//! * Fractions of a second are rounded by some printers and truncated by others, so half a digit is allowed
//!   for below. A 64-bit float of today's Unix time is off by up to 0.12 µs; a JSON number with a fraction
//!   gets 0.25 µs more on both sides.
//! * The leap second `23:59:60` has no number of its own in Unix time (POSIX.1 4.16): clocks show it as the
//!   second before or after. Both are in its interval.

use std::time::Duration;

use clap::ValueEnum;
use clock_offset::{Interval, Reading, Shown, TimeOfDay, UnixInstant};

/// How a time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Told from its look; Unix seconds, milliseconds, microseconds and nanoseconds from their size.
    Auto,
    /// `2026-11-23T20:11:51.123Z`, with the zone's offset.
    Rfc3339,
    /// Seconds since 1970, with or without a fraction.
    #[value(name = "unix-s")]
    UnixSeconds,
    /// Milliseconds since 1970.
    #[value(name = "unix-ms")]
    UnixMillis,
    /// Microseconds since 1970.
    #[value(name = "unix-us")]
    UnixMicros,
    /// Nanoseconds since 1970.
    #[value(name = "unix-ns")]
    UnixNanos,
    /// `20:11:51`, a time of day in UTC.
    #[value(name = "hms")]
    TimeOfDay,
    /// `Mon, 23 Nov 2026 20:11:51 GMT` (RFC 9110 section 5.6.7).
    HttpDate,
}

/// Why a text is not a time; stands after "not a time: ".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(String);

const SECOND: i128 = 1_000_000_000;
const DAY: i128 = 86_400 * SECOND;
/// Half a unit in the last place of today's Unix seconds as a 64-bit float is 0.12 µs; twice that.
const FLOAT_ERROR: i128 = 250;

/// Reads a time. `is_json_number` says that it may have passed through a 64-bit float.
///
/// # Errors
/// Says what is wrong with the text.
pub fn read(text: &str, format: Format, is_json_number: bool) -> Result<Reading, Unreadable> {
    let text = text.trim();
    read_as(text, format, is_json_number).map_err(|error| {
        if format == Format::Auto {
            return error;
        }
        let is_readable = |other: &Format| read_as(text, *other, is_json_number).is_ok();
        let hint = match guess(text).ok().filter(is_readable) {
            Some(other) => format!("; it looks like {}: write that, or leave the flag out", other.name()),
            None => String::new(),
        };
        Unreadable(format!("{error} (--format {}{hint})", format.name()))
    })
}

/// A reading further than that from now is in the wrong unit, if in another one it is nearer than that.
const NEAR_NOW: i128 = DAY;

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
    Format::value_variants().iter().find(is_likelier).copied()
}

impl Format {
    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
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

fn read_as(text: &str, format: Format, is_json_number: bool) -> Result<Reading, Unreadable> {
    if let Some(unit) = format.unit() {
        return unix(text, unit, is_json_number);
    }
    match format {
        Format::Rfc3339 => rfc3339(text),
        Format::TimeOfDay => time_of_day(text),
        Format::HttpDate => http_date(text),
        _ => read_as(text, guess(text)?, is_json_number),
    }
}

/// How an HTTP date begins.
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

fn guess(text: &str) -> Result<Format, Unreadable> {
    let bytes = text.as_bytes();
    if bytes.is_empty() {
        return Err(Unreadable("it is empty".to_owned()));
    }
    if DAYS.iter().any(|day| text.starts_with(day)) {
        return Ok(Format::HttpDate);
    }
    if bytes.get(4) == Some(&b'-') && bytes[..4].iter().all(u8::is_ascii_digit) {
        return Ok(Format::Rfc3339);
    }
    if bytes.get(2) == Some(&b':') {
        return Ok(Format::TimeOfDay);
    }
    // Seconds reach 10^11 in the year 5138; milliseconds were that small until 1973; and so on upwards.
    let size = Decimal::parse(text)?.scaled(1).map_or(u128::MAX, i128::unsigned_abs);
    Ok(match size {
        ..=99_999_999_999 => Format::UnixSeconds,
        100_000_000_000..=99_999_999_999_999 => Format::UnixMillis,
        100_000_000_000_000..=99_999_999_999_999_999 => Format::UnixMicros,
        _ => Format::UnixNanos,
    })
}

/// An interval of nanoseconds, with the step between one reading and the next.
struct Nanos {
    earliest: i128,
    latest: i128,
    step: i128,
}

impl Nanos {
    /// A reading that is truncated or rounded to multiples of `step` (at least one nanosecond).
    fn of(value: i128, step: i128) -> Self {
        // Whole seconds are truncated; of finer and coarser steps nobody knows.
        let below = if step == SECOND { 0 } else { step / 2 };
        Self { earliest: value - below, latest: value + step, step }
    }

    fn widened_by(self, margin: i128) -> Self {
        Self { earliest: self.earliest - margin, latest: self.latest + margin, ..self }
    }

    fn into_instant(self) -> Reading {
        let (earliest, latest) =
            (UnixInstant::from_nanos(self.earliest), UnixInstant::from_nanos(self.latest));
        Reading {
            shown: Shown::Instant(Interval::between(earliest, latest)),
            step: duration(self.step),
            may_lag: Duration::ZERO,
        }
    }

    fn into_time_of_day(self) -> Reading {
        let (earliest, latest) = (TimeOfDay::from_nanos(self.earliest), TimeOfDay::from_nanos(self.latest));
        Reading {
            shown: Shown::TimeOfDay(Interval::between(earliest, latest)),
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
        let fail = || Unreadable(format!("{text:?} is not a time in a known format"));
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

fn unix(text: &str, unit: i128, is_json_number: bool) -> Result<Reading, Unreadable> {
    let mut number = Decimal::parse(text)?;
    while number.mantissa % 10 == 0
        && number.mantissa != 0
        && number.step(unit).is_some_and(|step| step < SECOND)
    {
        number.mantissa /= 10;
        number.scale -= 1;
    }
    let too_far = || Unreadable(format!("{text} is more than a million years away"));
    let in_reach = |nanos: &i128| nanos.unsigned_abs() <= FARTHEST.unsigned_abs();
    let value = number.scaled(unit).filter(in_reach).ok_or_else(too_far)?;
    let step = number.step(unit).filter(in_reach).ok_or_else(too_far)?;
    let nanos = Nanos::of(value, step);
    let through_a_float = is_json_number && text.contains(['.', 'e', 'E']);
    Ok(if through_a_float { nanos.widened_by(FLOAT_ERROR) } else { nanos }.into_instant())
}

/// Reads fixed-width text from the left.
struct Cursor<'a> {
    text: &'a str,
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Cursor<'a> {
    fn new(text: &'a str, what: &'static str) -> Self {
        Self { text, rest: text.as_bytes(), what }
    }

    fn fail(&self, why: &str) -> Unreadable {
        Unreadable(format!("{:?} is not {}: {why}", self.text, self.what))
    }

    fn digits(&mut self, count: usize, name: &str) -> Result<i128, Unreadable> {
        let (digits, rest) = self
            .rest
            .split_at_checked(count)
            .filter(|(digits, _)| digits.iter().all(u8::is_ascii_digit))
            .ok_or_else(|| self.fail(&format!("{count} digits of the {name} are missing")))?;
        self.rest = rest;
        Ok(digits.iter().fold(0, |value, digit| value * 10 + i128::from(digit - b'0')))
    }

    fn one_of(&mut self, allowed: &[u8]) -> Result<u8, Unreadable> {
        match self.rest.split_first() {
            Some((byte, rest)) if allowed.contains(byte) => {
                self.rest = rest;
                Ok(*byte)
            }
            _ => Err(self.fail(&format!("`{}` is missing", allowed[0] as char))),
        }
    }

    fn up_to(&self, value: i128, most: i128, name: &str) -> Result<i128, Unreadable> {
        if value > most { Err(self.fail(&format!("its {name} is {value}"))) } else { Ok(value) }
    }

    /// `HH:MM:SS` with an optional fraction: the reading in nanoseconds since midnight, and whether it is a
    /// leap second's.
    fn clock_time(&mut self) -> Result<(Nanos, bool), Unreadable> {
        let hour = self.digits(2, "hour")?;
        self.up_to(hour, 23, "hour")?;
        self.one_of(b":")?;
        let minute = self.digits(2, "minute")?;
        self.up_to(minute, 59, "minute")?;
        self.one_of(b":")?;
        let second = self.digits(2, "second")?;
        self.up_to(second, 60, "second")?;
        let (fraction, step) = self.fraction()?;
        let before = (hour * 60 + minute) * 60 * SECOND;
        if second == 60 {
            // The second before, the second after: whatever the fraction, its clock may show either.
            let from = before + 59 * SECOND;
            return Ok((Nanos { earliest: from, latest: from + 2 * SECOND, step: SECOND }, true));
        }
        Ok((Nanos::of(before + second * SECOND + fraction, step), false))
    }

    /// `.123`: its value and step in nanoseconds; zeros at its end prove no resolution.
    fn fraction(&mut self) -> Result<(i128, i128), Unreadable> {
        let Some((b'.' | b',', rest)) = self.rest.split_first() else {
            return Ok((0, SECOND));
        };
        let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if length == 0 {
            return Err(self.fail("digits of the fraction are missing"));
        }
        let (digits, rest) = rest.split_at(length);
        self.rest = rest;
        let (mut value, mut step) = (0, SECOND);
        let mut place = SECOND;
        for digit in digits {
            place /= 10;
            value += i128::from(digit - b'0') * place;
            if *digit != b'0' {
                step = place.max(1);
            }
        }
        Ok((value, step))
    }

    fn end(&self) -> Result<(), Unreadable> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.fail("something follows it")) }
    }
}

fn time_of_day(text: &str) -> Result<Reading, Unreadable> {
    let mut cursor = Cursor::new(text, "a time of day (HH:MM:SS)");
    let (nanos, is_leap_second) = cursor.clock_time()?;
    cursor.end()?;
    if is_leap_second && nanos.latest != DAY + SECOND {
        return Err(cursor.fail("a leap second can only be 23:59:60 UTC"));
    }
    Ok(nanos.into_time_of_day())
}

fn rfc3339(text: &str) -> Result<Reading, Unreadable> {
    let mut cursor = Cursor::new(text, "an RFC 3339 time");
    let year = cursor.digits(4, "year")?;
    cursor.one_of(b"-")?;
    let month = cursor.digits(2, "month")?;
    cursor.one_of(b"-")?;
    let day = cursor.digits(2, "day")?;
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return Err(cursor.fail("there is no such date"));
    }
    cursor.one_of(b"Tt ")?;
    let (nanos, is_leap_second) = cursor.clock_time()?;
    let zone = cursor.zone()?;
    cursor.end()?;
    let shift = days_from_epoch(year, month, day) * DAY - zone;
    let nanos = Nanos { earliest: nanos.earliest + shift, latest: nanos.latest + shift, ..nanos };
    if is_leap_second && (nanos.latest - SECOND).rem_euclid(DAY) != 0 {
        return Err(cursor.fail("a leap second can only be 23:59:60 UTC"));
    }
    Ok(nanos.into_instant())
}

impl Cursor<'_> {
    /// `Z` or `±HH:MM`: nanoseconds ahead of UTC.
    fn zone(&mut self) -> Result<i128, Unreadable> {
        if self.rest.is_empty() {
            return Err(self.fail("it has no time zone (`Z` or `+01:00`), so it names no instant"));
        }
        let sign = match self.one_of(b"Zz+-")? {
            b'Z' | b'z' => return Ok(0),
            b'-' => -1,
            _ => 1,
        };
        let hours = self.digits(2, "zone's hours")?;
        self.up_to(hours, 23, "zone's hours")?;
        self.one_of(b":")?;
        let minutes = self.digits(2, "zone's minutes")?;
        self.up_to(minutes, 59, "zone's minutes")?;
        Ok(sign * (hours * 60 + minutes) * 60 * SECOND)
    }
}

fn days_in_month(year: i128, month: i128) -> i128 {
    let is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar. The year is taken to begin in March, so that the
/// leap day is its last; 400 years have 146,097 days.
fn days_from_epoch(year: i128, month: i128, day: i128) -> i128 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn http_date(text: &str) -> Result<Reading, Unreadable> {
    let date = httpdate::parse_http_date(text)
        .map_err(|_| Unreadable(format!("{text:?} is not an HTTP date (RFC 9110 section 5.6.7)")))?;
    let seconds = date
        .duration_since(std::time::UNIX_EPOCH)
        .map_err(|_| Unreadable(format!("{text:?} is before 1970")))?
        .as_secs();
    Ok(Nanos::of(i128::from(seconds) * SECOND, SECOND).into_instant())
}

#[cfg(test)]
#[path = "time_text_tests.rs"]
mod tests;
