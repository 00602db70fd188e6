//! What programs put around a date: quotes, brackets, a constructor, the day of the week.

use super::words;

/// What stands before a time and behind it.
const AROUND: [(&str, &str); 10] = [
    ("\"", "\""),
    ("'", "'"),
    // Apache's common log format.
    ("[", "]"),
    // Elixir, inspect/1.
    ("~U[", "]"),
    ("~N[", "]"),
    // MongoDB's shell.
    ("ISODate(\"", "\")"),
    ("new Date(\"", "\")"),
    // OData 3.
    ("datetime'", "'"),
    ("datetimeoffset'", "'"),
    // OData 2 in JSON that was escaped twice.
    ("\\\"", "\\\""),
];

/// A time without what stands around it.
pub(super) fn taken_off(text: &str) -> &str {
    let inside = |(before, behind): &(&str, &str)| text.strip_prefix(before)?.strip_suffix(behind);
    let text = AROUND.iter().find_map(inside).unwrap_or(text).trim();
    // Cisco's `show clock`: not set by anybody, or not synchronized.
    let text = text.strip_prefix(['*', '.']).filter(|rest| starts_with_digit(rest)).unwrap_or(text);
    // `date -d` and systemd.timer.
    let text = text.strip_prefix('@').filter(|rest| is_decimal(rest)).unwrap_or(text);
    let text = without_day_of_week(text);
    without_sign(text)
}

/// `Mon 2026-11-23 20:11:51 UTC`, as systemd prints it: the day of the week follows from the date.
fn without_day_of_week(text: &str) -> &str {
    let Some((day, rest)) = text.split_once([' ', ',']) else { return text };
    let rest = rest.trim_start();
    if words::is_day(day) && starts_with_year(rest) { rest } else { text }
}

/// ISO 8601 writes years beyond four digits with a sign, and JavaScript reads `+002026-11-23` too.
fn without_sign(text: &str) -> &str {
    let Some(digits) = text.strip_prefix('+') else { return text };
    [digits.strip_prefix("00"), Some(digits)]
        .into_iter()
        .flatten()
        .find(|rest| starts_with_year(rest))
        .unwrap_or(text)
}

fn starts_with_digit(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit())
}

/// Whether a text begins with a year of four digits and what separates it from the month.
fn starts_with_year(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() > 4 && bytes[..4].iter().all(u8::is_ascii_digit) && matches!(bytes[4], b'-' | b'/')
}

fn is_decimal(text: &str) -> bool {
    starts_with_digit(text)
        && text.len() < 22
        && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}
