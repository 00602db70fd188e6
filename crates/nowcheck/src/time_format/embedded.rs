//! A time in the middle of a text: `The time is 2026-11-23T20:11:51Z.`, and the pattern of `strptime` that reads the text.

use std::time::Duration;

use clock_offset::{Reading, Shown, UnixInstant};

use super::words::{is_day, is_month};
use super::{Form, Format, Lack, Notation, Pattern, Zone, is_near};

/// Times are looked for in so many characters.
const FAR_ENOUGH: usize = 4_096;

/// No time in digits or words is longer.
const LONGEST: usize = 48;

/// Nobody copies a pattern that is longer.
const LONGEST_PATTERN: usize = 120;

/// A time in the middle of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Embedded {
    /// The pattern that reads the whole text, if there is one.
    pub pattern: Option<String>,
    /// Whether that says neither offset nor zone, and how far from now the time is in UTC then.
    pub without_zone: Option<Duration>,
}

/// The first time near now in a text that is more than that.
#[must_use]
pub fn embedded(text: &str, now: UnixInstant) -> Option<Embedded> {
    let text = text.trim();
    if let Some(with_colons) = with_colons(text) {
        return embedded(&with_colons, now).map(|found| Embedded { pattern: None, ..found });
    }
    let starts = starts(text);
    let found = starts.into_iter().find_map(|start| {
        ends(text, start)
            .into_iter()
            .rev()
            .find(|end| is_time(&text[start..*end], now))
            .map(|end| (start, end))
    });
    let (start, end) = found?;
    let [before, time, after] = [&text[..start], &text[start..end], &text[end..]];
    let pattern = pattern_of(time)
        .map(|pattern| format!("{}{pattern}{}", literally(before), literally(after)))
        .filter(|pattern| pattern.len() <= LONGEST_PATTERN && !pattern.contains(['\'', '\n', '\r']))
        // A number beside the time is a part of its date, or another one the next time.
        .filter(|_| ![before, after].iter().any(|beside| beside.contains(char::is_numeric)));
    let distance = |zone: Option<Zone>| {
        let pattern: Pattern = pattern.as_deref()?.parse().ok()?;
        let read = Notation { form: Form::Pattern(pattern), zone }.read(text, false, now).ok()?;
        is_near(&read, now).then(|| (read.nearest_to(now).midpoint() - now).magnitude())
    };
    if distance(None).is_some() {
        return Some(Embedded { pattern, without_zone: None });
    }
    let without_zone = distance(Some(Zone::utc()));
    Some(Embedded { pattern: pattern.filter(|_| without_zone.is_some()), without_zone })
}

/// A text in which hours, minutes and seconds have their units in Chinese, Japanese or Korean, with colons instead.
fn with_colons(text: &str) -> Option<String> {
    const HOURS: [char; 3] = ['時', '时', '시'];
    const MINUTES: [char; 2] = ['分', '분'];
    if !(text.contains(HOURS) && text.contains(MINUTES)) {
        return None;
    }
    let text: String = text.chars().take(FAR_ENOUGH).filter(|c| !matches!(c, '秒' | '초')).collect();
    Some(text.replace(HOURS, ":").replace(MINUTES, ":").replace(": ", ":"))
}

/// Where a time may begin: at a word that is not in the middle of one.
fn starts(text: &str) -> Vec<usize> {
    let mut before = ' ';
    let mut starts = Vec::new();
    for (at, character) in text.char_indices().take_while(|(at, _)| *at < FAR_ENOUGH) {
        // Texts in Chinese have no space before a number.
        let is_in_word = before.is_alphanumeric() && (before.is_ascii() || !character.is_ascii_digit());
        let is_inside = is_in_word || matches!(before, '.' | ':' | '-' | '/' | '+');
        let may_begin = character.is_ascii_digit() || begins_with_name(&text[at..]);
        // `S1795464711.123456,VS0`, as a cache says when it began.
        let is_marked = before.is_alphabetic() && is_unix_time(&text[at..]);
        if is_marked || (!is_inside && may_begin) {
            starts.push(at);
        }
        before = character;
    }
    starts
}

/// Whether a text begins with as many digits as the seconds of these decades have.
fn is_unix_time(text: &str) -> bool {
    text.bytes().take_while(u8::is_ascii_digit).count() >= 10
}

/// Whether a text begins with the name of a day or a month.
fn begins_with_name(text: &str) -> bool {
    let word = text.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    is_day(word) || is_month(word)
}

/// Where one that begins there may end: behind each of its words.
fn ends(text: &str, start: usize) -> Vec<usize> {
    let rest = &text[start..];
    let mut ends = Vec::new();
    let mut characters = rest.char_indices().take_while(|(at, _)| *at < LONGEST).peekable();
    while let Some((at, character)) = characters.next() {
        let is_last = characters.peek().is_none_or(|(_, next)| !next.is_alphanumeric());
        if is_last && (character.is_alphanumeric() || matches!(character, ')' | ']')) {
            ends.push(start + at + character.len_utf8());
        }
    }
    ends
}

/// Whether a text is a time near now, in some zone if it does not say its own.
fn is_time(text: &str, now: UnixInstant) -> bool {
    let read = |form: Form, zone| Notation { form, zone }.read(text, false, now);
    let as_it_looks = || Form::Known(Format::Auto);
    match read(as_it_looks(), None) {
        Ok(reading) => is_now(text, &reading, now),
        Err(error) => match error.lacks {
            Some(Lack::Zone) => {
                read(as_it_looks(), Some(Zone::utc())).is_ok_and(|reading| is_now(text, &reading, now))
            }
            Some(Lack::Pattern(patterns)) => patterns.iter().any(|pattern| {
                let Ok(pattern) = pattern.parse() else { return false };
                read(Form::Pattern(pattern), Some(Zone::utc()))
                    .is_ok_and(|reading| is_now(text, &reading, now))
            }),
            _ => false,
        },
    }
}

/// Whether a text that was read is a time near now: an instant, or a time of day in some zone.
#[must_use]
pub fn is_now(text: &str, reading: &Reading, now: UnixInstant) -> bool {
    match reading.shown {
        Shown::Instant(_) => is_near(reading, now),
        Shown::TimeOfDay(_) => is_time_of_day(text, reading, now),
    }
}

/// Whether a time of day is that of now in some zone. Many a duration is written like one.
fn is_time_of_day(text: &str, reading: &Reading, now: UnixInstant) -> bool {
    const QUARTER: i128 = 15 * super::MINUTE;
    const CLOSE: i128 = super::MINUTE;
    let Shown::TimeOfDay(shown) = reading.shown else { return false };
    let behind = (shown.earliest().as_nanos() - now.as_nanos()).rem_euclid(QUARTER);
    text.matches(':').count() >= 2 && behind.min(QUARTER - behind) <= CLOSE
}

/// Text that stands for itself in a pattern.
fn literally(text: &str) -> String {
    text.replace('%', "%%")
}

/// The pattern of a time, from its parts as they come.
fn pattern_of(time: &str) -> Option<String> {
    let parts = parts(time);
    if let [seconds] = parts[..] {
        return (seconds.len() == 10).then(|| "%s".to_owned());
    }
    let mut building = Building::default();
    for (nth, part) in parts.iter().enumerate() {
        let before = nth.checked_sub(1).map_or("", |nth| parts[nth]);
        let after = parts.get(nth + 1).copied().unwrap_or_default();
        if part.bytes().all(|byte| byte.is_ascii_digit()) {
            building.take_number(before, part, after)?;
        } else {
            building.take_word(part);
        }
    }
    let has_half = parts.iter().any(|part| is_half(part));
    Some(if has_half { building.pattern.replace("%H", "%I") } else { building.pattern })
}

fn is_half(word: &str) -> bool {
    matches!(word.to_ascii_uppercase().as_str(), "AM" | "PM")
}

/// A pattern that is being put together.
#[derive(Debug, Default)]
struct Building {
    pattern: String,
    has_year: bool,
    has_month: bool,
    has_day: bool,
    /// How many of hour, minute and second there are.
    clock: u8,
}

impl Building {
    fn take_word(&mut self, word: &str) {
        let is_short = word.len() == 3;
        if is_half(word) {
            self.pattern.push_str("%p");
        } else if is_day(word) {
            self.pattern.push_str(if is_short { "%a" } else { "%A" });
        } else if is_month(word) {
            self.has_month = true;
            self.pattern.push_str(if is_short { "%b" } else { "%B" });
        } else {
            self.pattern.push_str(&literally(word));
        }
    }

    fn take_number(&mut self, before: &str, number: &str, after: &str) -> Option<()> {
        let directive = if self.clock == 3 && before == "." {
            self.pattern.pop();
            "%.f"
        } else if self.clock >= 2 && matches!(before, "+" | "-") {
            self.pattern.pop();
            if after == ":" { "%:z" } else { "%z" }
        } else if self.pattern.ends_with("%:z:") {
            // The minutes of the offset.
            self.pattern.pop();
            return Some(());
        } else if self.clock < 3 && (before == ":" || after == ":") {
            self.of_clock()
        } else {
            self.of_date(before, number)?
        };
        self.pattern.push_str(directive);
        Some(())
    }

    fn of_clock(&mut self) -> &'static str {
        self.clock += 1;
        match self.clock {
            1 => "%H",
            2 => "%M",
            _ => "%S",
        }
    }

    fn of_date(&mut self, before: &str, number: &str) -> Option<&'static str> {
        let is_behind_the_year = self.has_year && matches!(before, "-" | "/" | ".");
        Some(match number.len() {
            4 if !self.has_year => {
                self.has_year = true;
                "%Y"
            }
            1 | 2 if !self.has_month && (is_behind_the_year || self.has_day) => {
                self.has_month = true;
                "%m"
            }
            1 | 2 if !self.has_day => {
                self.has_day = true;
                "%d"
            }
            _ => return None,
        })
    }
}

/// Runs of digits, runs of letters, and every other character alone.
fn parts(text: &str) -> Vec<&str> {
    let kind = |character: char| match character {
        '0'..='9' => 1,
        _ if character.is_alphabetic() => 2,
        _ => 0,
    };
    let mut parts = Vec::new();
    let mut begin = 0;
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let end = at + character.len_utf8();
        let goes_on =
            characters.peek().is_some_and(|(_, next)| kind(character) != 0 && kind(*next) == kind(character));
        if !goes_on {
            parts.push(&text[begin..end]);
            begin = end;
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-23T20:11:51Z.
    const NOW: UnixInstant = UnixInstant::from_nanos(1_795_464_711_000_000_000);

    #[test]
    fn a_time_in_a_text_is_found_with_the_pattern_that_reads_it() {
        for (text, pattern, lacks_zone) in [
            ("The time is 2026-11-23T20:11:51+00:00.", "The time is %Y-%m-%dT%H:%M:%S%:z.", false),
            ("The time is 2026-11-23 21:11:51.123 +0100!", "The time is %Y-%m-%d %H:%M:%S%.f %z!", false),
            ("The time is 2026-11-23T20:11:51Z", "The time is %Y-%m-%dT%H:%M:%SZ", true),
            ("now=2026-11-23 21:11:51", "now=%Y-%m-%d %H:%M:%S", true),
            ("time: Mon, 23 Nov 2026 20:11:51 GMT", "time: %a, %d %b %Y %H:%M:%S GMT", true),
            ("It is November 23, 2026 08:11:51 PM here", "It is %B %d, %Y %I:%M:%S %p here", true),
            ("time=1795464711;", "time=%s;", false),
            ("all % sure: 2026-11-23 20:11:51", "all %% sure: %Y-%m-%d %H:%M:%S", true),
            ("It is 20:11:51 now", "It is %H:%M:%S now", false),
            ("<now>23.11.2026 20:11:51</now>", "<now>%d.%m.%Y %H:%M:%S</now>", true),
        ] {
            let found = embedded(text, NOW).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(found.pattern.as_deref(), Some(pattern), "{text}");
            assert_eq!(found.without_zone.is_some(), lacks_zone, "{text}");
        }
    }

    #[test]
    fn a_time_that_no_pattern_reads_is_found_all_the_same() {
        let long = format!("{} 2026-11-23T20:11:51Z", "word ".repeat(50));
        for text in [&*long, "it's 2026-11-23T20:11:51Z", "one\n2026-11-23T20:11:51Z\nthree"] {
            assert_eq!(embedded(text, NOW), Some(Embedded { pattern: None, without_zone: None }), "{text}");
        }
    }

    #[test]
    fn a_number_beside_a_time_may_be_another_one_next_time_so_no_pattern_has_it() {
        for text in [
            "28 de noviembre de 2026, 20:11:51",
            "request 1 at 2026-11-23T20:11:51Z",
            "2026年11月23日 20:11:51",
            "up 9365.2 s, time 2026-11-23T20:11:51Z",
            "20時11分51秒",
            "2026年11月23日 20時11分51秒",
            "现在20时11分51秒",
            "20시 11분 51초",
            "S1795464711.123456,VS0,VE1",
        ] {
            let found = embedded(text, NOW).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(found.pattern, None, "{text}");
        }
    }

    #[test]
    fn text_without_a_time_near_now_has_none() {
        for text in [
            "",
            "hello",
            "half past ten",
            "version 2026.11",
            "since 2026-11-01T00:00:00Z",
            "took 00:00:12 of 1795464711123456789012",
            "error 42 at 10.0.0.1:8080",
            "May be",
        ] {
            assert_eq!(embedded(text, NOW), None, "{text}");
        }
    }
}
