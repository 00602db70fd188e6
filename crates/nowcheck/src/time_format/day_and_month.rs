//! Dates that begin with the day or the month: the patterns by which they can be read.

/// The patterns of `strptime` that read such a date, the likelier first; none for any other text.
///
/// Dots and hyphens stand behind the day (CLDR: de, ru, nl). A slash stands behind either, unless a number is no month.
pub(super) fn patterns(text: &str) -> Option<Vec<String>> {
    let separator = text.chars().find(|character| !character.is_ascii_digit())?;
    if !matches!(separator, '/' | '.' | '-') {
        return None;
    }
    let mut parts = text.splitn(3, separator);
    let (first, second) = (short_number(parts.next()?)?, short_number(parts.next()?)?);
    let rest = parts.next()?;
    let digits = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
    let (year, time) = rest.split_at(digits);
    let year = match year.len() {
        4 => "%Y",
        2 => "%y",
        _ => return None,
    };
    let time = time_of_day(time)?;
    let day_first = || format!("%d{separator}%m{separator}{year}{time}");
    let month_first = || format!("%m{separator}%d{separator}{year}{time}");
    Some(match (separator, first, second) {
        (_, 13..=31, 1..=12) | ('.' | '-', 1..=31, 1..=12) => vec![day_first()],
        (_, 1..=12, 13..=31) => vec![month_first()],
        ('/', 1..=12, 1..=12) => vec![month_first(), day_first()],
        _ => return None,
    })
}

fn short_number(part: &str) -> Option<u8> {
    matches!(part.len(), 1 | 2).then(|| part.parse().ok()).flatten()
}

/// The pattern of what follows a date: nothing, or a time of day with what stands before and behind it.
fn time_of_day(text: &str) -> Option<String> {
    let start = text.find(|character: char| character.is_ascii_digit());
    let Some(start) = start else { return text.trim().is_empty().then(String::new) };
    let (before, clock) = text.split_at(start);
    let end =
        clock.find(|character: char| !matches!(character, '0'..='9' | ':' | '.')).unwrap_or(clock.len());
    let (clock, after) = clock.split_at(end);
    let (clock, fraction) = clock.split_once('.').map_or((clock, ""), |(clock, _)| (clock, "%.f"));
    let word = after.trim_start();
    let has_half =
        word.get(..2).is_some_and(|half| matches!(half.to_ascii_uppercase().as_str(), "AM" | "PM"));
    let (half, after) = match (has_half, after.starts_with(' ')) {
        (true, true) => (" %p", &word[2..]),
        (true, false) => ("%p", &word[2..]),
        (false, _) => ("", after),
    };
    let hour = if half.is_empty() { "%H" } else { "%I" };
    let clock = match clock.split(':').count() {
        2 => format!("{hour}:%M"),
        3 => format!("{hour}:%M:%S{fraction}"),
        _ => return None,
    };
    let offset = match after.trim() {
        "" => "",
        sign if sign.starts_with(['+', '-']) && sign.contains(':') => " %:z",
        sign if sign.starts_with(['+', '-']) => " %z",
        _ => return None,
    };
    let offset = if after.starts_with(' ') { offset } else { offset.trim_start() };
    Some(format!("{before}{clock}{half}{offset}"))
}

#[cfg(test)]
mod tests {
    use clock_offset::UnixInstant;

    use super::*;
    use crate::time_format::{Form, Notation};

    /// 2026-11-28T14:30:00Z.
    const NOW: UnixInstant = UnixInstant::from_nanos(1_795_876_200_000_000_000);

    #[test]
    fn a_date_is_read_by_the_pattern_that_is_suggested_for_it() {
        for (text, expected) in [
            ("28.11.2026 14:30:00", "%d.%m.%Y %H:%M:%S"),
            ("28.11.2026", "%d.%m.%Y"),
            ("3.11.2026, 14:30:00", "%d.%m.%Y, %H:%M:%S"),
            ("28.11.26 14:30", "%d.%m.%y %H:%M"),
            ("28.11.2026 14:30:00.123", "%d.%m.%Y %H:%M:%S%.f"),
            ("28.11.2026 14:30:00 +01:00", "%d.%m.%Y %H:%M:%S %:z"),
            ("28.11.2026 14:30:00+0100", "%d.%m.%Y %H:%M:%S%z"),
            ("28-11-2026 14:30:00", "%d-%m-%Y %H:%M:%S"),
            ("28/11/2026 14:30:00", "%d/%m/%Y %H:%M:%S"),
            ("11/28/2026 02:30:00 PM", "%m/%d/%Y %I:%M:%S %p"),
            ("11/28/2026, 2:30:00 PM", "%m/%d/%Y, %I:%M:%S %p"),
        ] {
            let patterns = patterns(text).unwrap_or_default();
            assert_eq!(patterns, [expected], "{text}");
            let notation =
                Notation { form: Form::Pattern(expected.parse().unwrap()), zone: "UTC".parse().ok() };
            assert!(notation.read(text, false, NOW).is_ok(), "{text}: {:?}", notation.read(text, false, NOW));
        }
    }

    #[test]
    fn where_either_number_may_be_the_month_both_patterns_are_suggested() {
        let expected = ["%m/%d/%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S"];
        assert_eq!(patterns("03/04/2026 14:30:00").unwrap_or_default(), expected);
    }

    #[test]
    fn other_texts_are_no_such_dates() {
        for text in [
            "",
            "1795464711.123",
            "1.2",
            "10.0.0.1",
            "2026-11-28",
            "99.99.2026",
            "1.2.3",
            "20:11:51",
            "é.é.é",
        ] {
            assert_eq!(patterns(text), None, "{text}");
        }
    }
}
