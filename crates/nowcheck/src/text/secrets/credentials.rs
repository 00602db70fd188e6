//! Credentials of URLs in any text: `http://user:password@host`, also where that is escaped inside another URL.

use super::MASK;

/// The text with `***` for what stands before the `@` of a URL's host, whoever's password that is.
#[must_use]
pub(super) fn masked(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((at, length)) = first_at(rest) {
        let begin = rest[..at]
            .rfind(is_outside)
            .map_or(0, |end| end + rest[end..].chars().next().map_or(1, char::len_utf8));
        let begin = begin.max(after_escaped_slash(&rest[..at]));
        let is_hidden = is_secret(&rest[begin..at], &rest[..begin]);
        masked.push_str(&rest[..if is_hidden { begin } else { at }]);
        masked.push_str(if is_hidden { MASK } else { "" });
        masked.push_str(&rest[at..at + length]);
        rest = &rest[at + length..];
    }
    masked.push_str(rest);
    masked
}

/// The next `@`, or `%40`, `%2540` in its place, and how long it is.
fn first_at(text: &str) -> Option<(usize, usize)> {
    let plain = text.find('@').map(|at| (at, 1));
    let escaped = text.match_indices('%').find_map(|(at, _)| {
        let digits = text[at + 1..].trim_start_matches("25");
        digits.starts_with("40").then(|| (at, text.len() - at - digits.len() + 2))
    });
    [plain, escaped].into_iter().flatten().min()
}

/// Whether a character cannot stand in front of an `@` in a URL's host.
fn is_outside(character: char) -> bool {
    matches!(character, '/' | '\\' | '?' | '#' | '&' | '=' | '"' | '\'' | '<' | '>' | '`' | '@')
        || character.is_whitespace()
}

/// Where the last escaped slash ends.
fn after_escaped_slash(text: &str) -> usize {
    let text = text.to_ascii_lowercase();
    ["%2f", "%252f", "%25252f"]
        .iter()
        .filter_map(|slash| Some(text.rfind(slash)? + slash.len()))
        .max()
        .unwrap_or(0)
}

/// Whether a user's name and password are written like this: with a colon between, or behind the slashes of a URL. A
/// date and time before a zone (`12:30@UTC`) is none.
fn is_secret(text: &str, before: &str) -> bool {
    let before = before.to_ascii_lowercase();
    let is_host = before.ends_with("//")
        || before.ends_with("%2f%2f")
        || before.ends_with("%252f%252f")
        || before.ends_with("\\/");
    let lower = text.to_ascii_lowercase();
    let has_password = [":", "%3a", "%253a"].iter().any(|colon| lower.contains(colon));
    let is_time = text.bytes().all(|byte| byte.is_ascii_digit() || b":-T.+Z".contains(&byte));
    !text.is_empty() && text != MASK && (is_host || has_password && !is_time)
}
