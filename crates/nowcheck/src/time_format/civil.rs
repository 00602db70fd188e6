//! Times as people write them: `HH:MM:SS`, and RFC 3339 with its date and its zone.

use clock_offset::Reading;

use super::{DAY, Nanos, SECOND, Unreadable};

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
        Unreadable::new(format!("{:?} is not {}: {why}", self.text, self.what))
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

pub(super) fn time_of_day(text: &str) -> Result<Reading, Unreadable> {
    let mut cursor = Cursor::new(text, "a time of day (HH:MM:SS)");
    let (nanos, is_leap_second) = cursor.clock_time()?;
    cursor.end()?;
    if is_leap_second && nanos.latest != DAY + SECOND {
        return Err(cursor.fail("a leap second can only be 23:59:60 UTC"));
    }
    Ok(nanos.into_time_of_day())
}

pub(super) fn rfc3339(text: &str) -> Result<Reading, Unreadable> {
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
