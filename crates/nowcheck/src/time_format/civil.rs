//! Dates and times of day in digits: RFC 3339, ISO 8601 in its extended and its basic form, and their cousins.

use clock_offset::UnixInstant;

use super::place::Place;
use super::written::Written;
use super::{DAY, MINUTE, Nanos, SECOND, Unreadable};

/// Reads text from the left.
pub(super) struct Cursor<'a> {
    text: &'a str,
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Cursor<'a> {
    /// `text` is what is to be read; `what` is what it should be, for messages.
    pub(super) fn new(text: &'a str, what: &'static str) -> Self {
        Self { text, rest: text.as_bytes(), what }
    }

    pub(super) fn fail(&self, why: &str) -> Unreadable {
        Unreadable::new(format!("{:?} is not {}: {why}", self.text, self.what))
    }

    /// What is left to read.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn skip(&mut self, count: usize) {
        self.rest = &self.rest[count.min(self.rest.len())..];
    }

    pub(super) fn skip_spaces(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }

    /// How many digits come next.
    pub(super) fn run_of_digits(&self) -> usize {
        self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
    }

    pub(super) fn digits(&mut self, count: usize, name: &str) -> Result<i128, Unreadable> {
        let (digits, rest) = self
            .rest
            .split_at_checked(count)
            .filter(|(digits, _)| digits.iter().all(u8::is_ascii_digit))
            .ok_or_else(|| self.fail(&format!("{count} digits of the {name} are missing")))?;
        self.rest = rest;
        Ok(number(digits))
    }

    pub(super) fn one_of(&mut self, allowed: &[u8]) -> Result<u8, Unreadable> {
        match self.rest.split_first() {
            Some((byte, rest)) if allowed.contains(byte) => {
                self.rest = rest;
                Ok(*byte)
            }
            _ => Err(self.fail(&format!("`{}` is missing", allowed[0] as char))),
        }
    }

    pub(super) fn up_to(&self, value: i128, most: i128, name: &str) -> Result<i128, Unreadable> {
        if value > most { Err(self.fail(&format!("its {name} is {value}"))) } else { Ok(value) }
    }

    /// `:`, or the dot that DB2 and Oracle write between hours, minutes and seconds.
    fn separator(&self) -> u8 {
        let dots = [Some(&b'.'), Some(&b'.')];
        if [self.rest.first(), self.rest.get(3)] == dots { b'.' } else { b':' }
    }

    /// `HH:MM:SS`, `HH:MM` or `HHMMSS`, with an optional fraction and an optional AM or PM: the reading in
    /// nanoseconds since midnight, and whether it is a leap second's.
    ///
    /// Without seconds the resolution is a minute. Java leaves out seconds that are zero
    /// (`OffsetDateTime.toString`), which is in that interval too.
    pub(super) fn clock_time(&mut self) -> Result<(Nanos, bool), Unreadable> {
        let hour_digits = if matches!(self.rest.get(1), Some(b':' | b'.')) { 1 } else { 2 };
        let hour = self.digits(hour_digits, "hour")?;
        self.up_to(hour, 23, "hour")?;
        let is_basic = self.rest.first().is_some_and(u8::is_ascii_digit);
        let separator = self.separator();
        if !is_basic {
            self.one_of(&[separator])?;
        }
        let minute = self.digits(2, "minute")?;
        self.up_to(minute, 59, "minute")?;
        let has_seconds = match self.rest.first() {
            Some(byte) if !is_basic && *byte == separator => {
                self.skip(1);
                true
            }
            Some(digit) if is_basic => digit.is_ascii_digit(),
            _ => false,
        };
        if !has_seconds {
            let from = (self.half_of_day(hour)? * 60 + minute) * MINUTE;
            return Ok((Nanos { earliest: from, latest: from + MINUTE, step: MINUTE }, false));
        }
        let second = self.digits(2, "second")?;
        self.up_to(second, 60, "second")?;
        let (fraction, step) = self.fraction()?;
        let before = (self.half_of_day(hour)? * 60 + minute) * MINUTE;
        if second == 60 {
            // The second before, the second after: whatever the fraction, its clock may show either.
            let from = before + 59 * SECOND;
            return Ok((Nanos { earliest: from, latest: from + 2 * SECOND, step: SECOND }, true));
        }
        Ok((Nanos::of(before + second * SECOND + fraction, step), false))
    }

    /// `AM`, `p.m.`: the hour of 24 that an hour of 12 means. The hour itself when neither follows.
    fn half_of_day(&mut self, hour: i128) -> Result<i128, Unreadable> {
        // U+202F stands between time and PM in what newer versions of ICU print.
        let rest = self.rest.strip_prefix("\u{202f}".as_bytes()).unwrap_or(self.rest).trim_ascii_start();
        let Some((first @ (b'A' | b'a' | b'P' | b'p'), after)) = rest.split_first() else { return Ok(hour) };
        let after = after.strip_prefix(b".").unwrap_or(after);
        // `p. m.` in Spanish, with a space of some kind.
        let after = after.strip_prefix("\u{a0}".as_bytes()).unwrap_or(after).trim_ascii_start();
        let Some((b'M' | b'm', after)) = after.split_first() else { return Ok(hour) };
        let after = after.strip_prefix(b".").unwrap_or(after);
        if after.first().is_some_and(u8::is_ascii_alphanumeric) {
            return Ok(hour);
        }
        if !(1..=12).contains(&hour) {
            return Err(self.fail(&format!("its hour is {hour} of 12")));
        }
        self.rest = after;
        Ok(hour % 12 + if first.eq_ignore_ascii_case(&b'p') { 12 } else { 0 })
    }

    /// `.123`, or `:123` as SQL Server has it: its value and step in nanoseconds; zeros at its end prove no resolution.
    pub(super) fn fraction(&mut self) -> Result<(i128, i128), Unreadable> {
        let Some((b'.' | b',' | b':', rest)) = self.rest.split_first() else {
            return Ok((0, SECOND));
        };
        let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if length == 0 {
            return Err(self.fail("digits of the fraction are missing"));
        }
        let (digits, rest) = rest.split_at(length);
        self.rest = rest;
        Ok(of_fraction(digits))
    }

    pub(super) fn end(&self) -> Result<(), Unreadable> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.fail("something follows it")) }
    }

    /// `2026-11-23`, `2026/11/23`, `2026.11.23`, `2026:11:23` (EXIF), `2026-W48-1`, `2026-327`, `20261123`, `2026W481` or
    /// `2026327`: days from the epoch.
    fn date(&mut self) -> Result<i128, Unreadable> {
        let no_such_date = |cursor: &Self| cursor.fail("there is no such date");
        let year = self.digits(4, "year")?;
        let separator = match self.rest.first() {
            Some(byte @ (b'/' | b'.' | b':')) => *byte,
            Some(b'W' | b'w') => b'-',
            Some(digit) if digit.is_ascii_digit() => b'0',
            _ => self.one_of(b"-")?,
        };
        if matches!(separator, b'/' | b'.' | b':') {
            self.skip(1);
        }
        if separator == b'-' && self.rest.first().is_some_and(|byte| byte.eq_ignore_ascii_case(&b'W')) {
            self.skip(1);
            let week = self.digits(2, "week")?;
            if self.rest.first() == Some(&b'-') {
                self.skip(1);
            }
            let day = self.digits(1, "day of the week")?;
            return day_of_week_date(year, week, day).ok_or_else(|| no_such_date(self));
        }
        if matches!(separator, b'-' | b'0') && self.run_of_digits() == 3 {
            let day = self.digits(3, "day of the year")?;
            let length = days_from_epoch(year + 1, 1, 1) - days_from_epoch(year, 1, 1);
            let is_date = (1..=length).contains(&day);
            return if is_date { Ok(days_from_epoch(year, 1, day)) } else { Err(no_such_date(self)) };
        }
        let month = self.digits(2, "month")?;
        if separator != b'0' {
            self.one_of(&[separator])?;
        }
        let day = self.digits(2, "day")?;
        day_of_date(year, month, day).ok_or_else(|| no_such_date(self))
    }
}

/// A time of day, which may say its zone.
pub(super) fn time_of_day(text: &str) -> Result<Written, Unreadable> {
    let mut cursor = Cursor::new(text, "a time of day (HH:MM:SS)");
    if matches!(cursor.rest().first(), Some(b'T' | b't')) {
        cursor.skip(1);
    }
    let (nanos, is_leap_second) = cursor.clock_time()?;
    let place = Place::read(&mut cursor)?;
    cursor.end()?;
    if is_leap_second && place.is_nowhere() && nanos.latest != DAY + SECOND {
        return Err(cursor.fail("a leap second can only be 23:59:60 UTC"));
    }
    Ok(Written { date: None, nanos, is_leap_second, place })
}

/// A date in digits with a time of day, and where that is.
pub(super) fn date_and_time(text: &str) -> Result<Written, Unreadable> {
    let mut cursor = Cursor::new(text, "an RFC 3339 time");
    // `20261123201151.0Z` (ASN.1, X.680 section 46): the date and the time without anything between them.
    let is_run = cursor.run_of_digits() >= 12;
    let date = cursor.date()?;
    let after_seconds = cursor.run_of_digits().saturating_sub(6);
    if !is_run {
        cursor.one_of(b"Tt _-")?;
        cursor.skip_spaces();
    }
    let (mut nanos, is_leap_second) = cursor.clock_time()?;
    if is_run && after_seconds > 0 && !is_leap_second {
        // `20261123201151123`: what follows the seconds is their fraction.
        let (digits, _) = cursor.rest().split_at(cursor.run_of_digits());
        let (fraction, step) = of_fraction(digits);
        cursor.skip(digits.len());
        nanos = Nanos::of(nanos.earliest + fraction, step);
    }
    let place = Place::read(&mut cursor)?;
    cursor.end()?;
    Ok(Written { date: Some(date), nanos, is_leap_second, place })
}

/// Whether a text begins with a year and the separator of a date.
pub(super) fn looks_extended(text: &str) -> bool {
    let bytes = text.as_bytes();
    let starts_with_year = bytes.len() > 4 && bytes[..4].iter().all(u8::is_ascii_digit);
    let separator = bytes.get(4);
    // A dot may be that of a decimal number, and a colon one of many things: a second one has to follow.
    starts_with_year
        && match separator {
            Some(b'-' | b'/') => true,
            Some(b'.' | b':') => bytes.get(7) == separator,
            _ => false,
        }
}

/// Whether a text begins with a date without separators, and a time of day after it: `20261123T201151Z`, and
/// the 14 digits (17 with milliseconds) of `20261123201151`, which as a number of milliseconds since 1970
/// would be in the 27th century.
pub(super) fn looks_basic(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    match (digits, bytes.get(digits)) {
        (8, Some(b'T' | b't' | b' ' | b'_')) | (7, Some(b'T' | b't')) => true,
        (4, Some(b'W' | b'w')) => bytes.get(8).is_some_and(|byte| byte.eq_ignore_ascii_case(&b'T')),
        (14 | 17, _) => (19..=21).contains(&number(&bytes[..2])) && date_and_time(&text[..digits]).is_ok(),
        _ => false,
    }
}

/// Digits as a number.
fn number(digits: &[u8]) -> i128 {
    digits.iter().fold(0, |value, digit| value * 10 + i128::from(digit - b'0'))
}

/// The digits of a fraction of a second: their value and step in nanoseconds.
fn of_fraction(digits: &[u8]) -> (i128, i128) {
    let (mut value, mut step) = (0, SECOND);
    let mut place = SECOND;
    for digit in digits {
        place /= 10;
        value += i128::from(digit - b'0') * place;
        if *digit != b'0' {
            step = place.max(1);
        }
    }
    (value, step)
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, if there is such a date.
pub(super) fn day_of_date(year: i128, month: i128, day: i128) -> Option<i128> {
    ((1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day))
        .then(|| days_from_epoch(year, month, day))
}

/// The same for a date by its week (ISO 8601): week 1 is the one with January 4 in it.
fn day_of_week_date(year: i128, week: i128, day: i128) -> Option<i128> {
    let monday_of_week_1 = |year| {
        let fourth = days_from_epoch(year, 1, 4);
        // 1970-01-01 was a Thursday.
        fourth - (fourth + 3).rem_euclid(7)
    };
    let (first, next) = (monday_of_week_1(year), monday_of_week_1(year + 1));
    let date = first + (week - 1) * 7 + day - 1;
    ((1..=7).contains(&day) && (first..next).contains(&date)).then_some(date)
}

/// The year with these last two digits that is less than 50 years from now (RFC 9110 section 5.6.7).
pub(super) fn year_of_two_digits(digits: i128, now: UnixInstant) -> i128 {
    let this_year = 1970 + now.as_nanos().div_euclid(DAY * 146_097 / 400);
    let ahead = (digits - this_year).rem_euclid(100);
    this_year + if ahead > 50 { ahead - 100 } else { ahead }
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
