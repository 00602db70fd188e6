//! Dates with the name of the month: HTTP dates, e-mail, `date`, `ctime`, JavaScript's `Date`.

use clock_offset::UnixInstant;

use super::civil::{Cursor, day_of_date, year_of_two_digits};
use super::place::Place;
use super::written::Written;
use super::{DAY, Nanos, Unreadable};

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// The zones that RFC 5322 section 4.3 gives an offset, in hours. Elsewhere `CST` may be that of China.
const OF_MAIL: [(&str, i128); 8] =
    [("EDT", -4), ("EST", -5), ("CDT", -5), ("CST", -6), ("MDT", -6), ("MST", -7), ("PDT", -7), ("PST", -8)];

const WHAT: &str = "an HTTP date (RFC 9110 section 5.6.7)";

/// Whether a text has the name of a month or begins with that of a day.
pub(super) fn looks_so(text: &str) -> bool {
    let mut words = text.split(|c: char| !c.is_ascii_alphabetic());
    words.next().is_some_and(|first| index_in(&DAYS, first).is_some())
        || text.split(|c: char| !c.is_ascii_alphabetic()).any(|word| index_in(&MONTHS, word).is_some())
}

/// Whether a word is a day of the week.
pub(super) fn is_day(word: &str) -> bool {
    index_in(&DAYS, word).is_some()
}

/// Whether a word is the name of a month.
pub(super) fn is_month(word: &str) -> bool {
    index_in(&MONTHS, word).is_some()
}

/// Names of UTC of more than one word, as Windows and Java print them.
const UTC_IN_WORDS: [&str; 2] = ["Coordinated Universal Time", "Greenwich Mean Time"];

/// Reads `Mon, 23 Nov 2026 20:11:51 +0000`, `Monday, 23-Nov-26 20:11:51 GMT`, `Mon Nov 23 20:11:51 UTC 2026`,
/// `Mon Nov 23 2026 20:11:51 GMT+0000 (Coordinated Universal Time)`, and what is like them.
///
/// The day of the week says nothing new and is not checked. Without a zone the time is in UTC, as RFC 9110 has it for the
/// form of `asctime`, unless `has_zone` says that the zone is known. That goes for 24 hours behind a day of the week: other
/// forms are written for people, where they are. Without a year the time is in the one that brings it nearest to now.
pub(super) fn date_with_words(text: &str, has_zone: bool, now: UnixInstant) -> Result<Written, Unreadable> {
    let mut parts = Parts::default();
    let spelled = UTC_IN_WORDS.iter().fold(text.to_owned(), |text, name| {
        if text.contains('(') { text } else { text.replace(name, "UTC") }
    });
    let (before_comment, comment) =
        spelled.split_once('(').map_or((&*spelled, ""), |(before, _)| (before, "("));
    for word in before_comment.split([' ', ',', '\t', '\u{a0}', '\u{202f}']).filter(|word| !word.is_empty()) {
        parts.take(word, text)?;
    }
    let fail = |why: &str| Unreadable::new(format!("{text:?} is not {WHAT}: {why}"));
    if !comment.is_empty() && !text.ends_with(')') {
        return Err(fail("`)` is missing"));
    }
    let (Some(month), Some(day), Some(time)) = (parts.month, parts.day, &parts.time) else {
        return Err(fail("a part of the date or the time is missing"));
    };
    let date = match parts.year {
        Some(year) if parts.year_is_short => day_of_date(year_of_two_digits(year, now), month, day),
        Some(year) => day_of_date(year, month, day),
        None => nearest_day_of_year(month, day, now),
    };
    let date = date.ok_or_else(|| fail("there is no such date"))?;
    // What follows the time of day belongs to it, whatever stands between: `PM`, the zone.
    let tail = format!("{time} {}", parts.tail);
    let mut cursor = Cursor::new(&tail, WHAT);
    let (nanos, is_leap_second) = cursor.clock_time()?;
    let mut place = Place::read(&mut cursor)?;
    cursor.end()?;
    if parts.is_of_mail
        && let Some(name) = &place.abbreviation
        && let Some((_, hours)) = OF_MAIL.iter().find(|(zone, _)| *zone == name.as_str())
    {
        place.offset = Some(hours * 60 * super::MINUTE);
    }
    if place.is_nowhere() && !has_zone && parts.has_day_of_week && !tail.to_ascii_lowercase().contains('m') {
        place = Place::utc();
    }
    Ok(Written { date: Some(date), nanos: Nanos { ..nanos }, is_leap_second, place })
}

/// The parts of a date, in the order in which they come.
#[derive(Debug, Default)]
struct Parts {
    month: Option<i128>,
    day: Option<i128>,
    year: Option<i128>,
    year_is_short: bool,
    time: Option<String>,
    has_day_of_week: bool,
    /// The day goes before the month, as in e-mail.
    is_of_mail: bool,
    /// What says the half of the day, or the zone.
    tail: String,
}

impl Parts {
    fn take(&mut self, word: &str, text: &str) -> Result<(), Unreadable> {
        let letters = word.trim_end_matches('.');
        if let Some(month) = index_in(&MONTHS, letters)
            && self.month.is_none()
        {
            self.month = Some(month + 1);
        } else if is_day(letters) {
            // It follows from the date.
            self.has_day_of_week = true;
        } else if word.eq_ignore_ascii_case("at") {
        } else if let Some((date, time)) = of_a_log(word) {
            self.take(time, text)?;
            for part in date.split('/') {
                self.take(part, text)?;
            }
        } else if let Some(day) = without_ordinal(word) {
            self.take_number(day, text)?;
        } else if (word.contains(':') || has_dots_in_time(word))
            && word.starts_with(|c: char| c.is_ascii_digit())
        {
            if self.time.replace(word.to_owned()).is_some() {
                return Err(Unreadable::new(format!("{text:?} is not {WHAT}: it has two times")));
            }
        } else if word.starts_with(|c: char| c.is_ascii_digit()) && word.contains(['-', '/']) {
            for part in word.split(['-', '/']) {
                self.take(part, text)?;
            }
        } else if word.bytes().all(|byte| byte.is_ascii_digit()) {
            self.take_number(word, text)?;
        } else {
            self.tail.push_str(word);
            self.tail.push(' ');
        }
        Ok(())
    }

    fn take_number(&mut self, digits: &str, text: &str) -> Result<(), Unreadable> {
        let fail = || Unreadable::new(format!("{text:?} is not {WHAT}: {digits} is no part of a date"));
        let number: i128 = digits.parse().map_err(|_| fail())?;
        match digits.len() {
            1 | 2 if self.day.is_none() => {
                (self.day, self.is_of_mail) = (Some(number), self.month.is_none());
            }
            2 if self.year.is_none() => (self.year, self.year_is_short) = (Some(number), true),
            4 if self.year.is_none() => self.year = Some(number),
            _ => return Err(fail()),
        }
        Ok(())
    }
}

/// `23/Nov/2026:20:11:51`, the common log format of web servers: its date and its time.
fn of_a_log(word: &str) -> Option<(&str, &str)> {
    let year = word.rfind('/')? + 1;
    match word[year..].split_once(':') {
        Some((digits, time)) if digits.len() == 4 => Some((&word[..year + 4], time)),
        _ => None,
    }
}

/// The number in `23rd`.
fn without_ordinal(word: &str) -> Option<&str> {
    let digits = ["st", "nd", "rd", "th"].iter().find_map(|end| word.strip_suffix(end))?;
    ((1..=2).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(digits)
}

/// `08.11.51.123456`, as Oracle writes a time of day.
fn has_dots_in_time(word: &str) -> bool {
    let parts: Vec<&str> = word.split('.').collect();
    let are_digits = word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    are_digits && parts.len() >= 3 && parts[..3].iter().all(|part| (1..=2).contains(&part.len()))
}

/// A day without its year, as Go's `Stamp` and syslog have it.
fn nearest_day_of_year(month: i128, day: i128, now: UnixInstant) -> Option<i128> {
    let today = now.as_nanos().div_euclid(DAY);
    let this_year = 1970 + today * 400 / 146_097;
    let dates = (this_year - 1..=this_year + 1).filter_map(|year| day_of_date(year, month, day));
    dates.min_by_key(|date| (date - today).abs())
}

/// Which of these names a word is, written out or as its first three letters (`Sept` too).
fn index_in(names: &[&str], word: &str) -> Option<i128> {
    let word = word.to_ascii_lowercase();
    let is_it =
        |name: &&str| word.len() >= 3 && name.starts_with(&word) && (word.len() <= 4 || **name == word);
    names.iter().position(is_it).and_then(|index| i128::try_from(index).ok())
}
