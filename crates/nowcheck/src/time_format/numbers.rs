//! What programs put around a number of seconds or milliseconds.

use std::borrow::Cow;

use super::Format;

/// The number in `/Date(1795464711123)/`, `0.12300000 1795464711` or `1795464711,123`, and the format that it
/// is in if its wrapping says so. The text itself when there is nothing around it.
pub(super) fn unwrapped(text: &str) -> (Cow<'_, str>, Option<Format>) {
    if let Some(millis) = in_date(text) {
        return (millis.into(), Some(Format::UnixMillis));
    }
    if let Some(seconds) = microtime(text) {
        return (seconds.into(), Some(Format::UnixSeconds));
    }
    match text.split_once(',') {
        // A decimal comma; several of them separate thousands.
        Some((whole, fraction))
            if !fraction.is_empty()
                && fraction.bytes().all(|byte| byte.is_ascii_digit())
                && !whole.contains('.') =>
        {
            (format!("{whole}.{fraction}").into(), None)
        }
        _ => (text.into(), None),
    }
}

/// Milliseconds since 1970 as .NET's `JavaScriptSerializer` and `DataContractJsonSerializer` write them. The
/// offset behind them is that of the place and does not move the instant (Microsoft, “Stand-Alone JSON
/// Serialization”).
fn in_date(text: &str) -> Option<&str> {
    let text = text.strip_prefix("new ").unwrap_or(text);
    let text = text.trim_start_matches(['/', '\\']);
    let inside = text.strip_prefix("Date(")?.trim_end_matches(['/', '\\']).strip_suffix(')')?;
    let offset = inside.rfind(['+', '-']).filter(|at| *at > 0);
    let (millis, offset) = inside.split_at(offset.unwrap_or(inside.len()));
    let is_offset =
        offset.is_empty() || (offset.len() == 5 && offset[1..].bytes().all(|b| b.is_ascii_digit()));
    is_offset.then_some(millis)
}

/// A fraction and the seconds, as PHP's `microtime()` writes them.
fn microtime(text: &str) -> Option<String> {
    let (fraction, seconds) = text.split_once(' ')?;
    let digits = fraction.strip_prefix("0.")?;
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (all_digits(digits) && all_digits(seconds)).then(|| format!("{seconds}.{digits}"))
}
