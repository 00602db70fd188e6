//! Times as text, in UTC.

use jiff::Timestamp;
use jiff::fmt::rfc2822;

use crate::clock::UnixTime;

/// As in a `Date` header (RFC 9110, section 5.6.7).
pub(crate) fn http_date(seconds: u64) -> String {
    // The year has at most four digits (see `UnixTime`), which is all that this printer requires.
    rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&timestamp(seconds)).unwrap_or_default()
}

/// Seconds since 1970 with nine decimals.
pub(crate) fn unix_time(time: UnixTime) -> String {
    format!("{}.{:09}", time.seconds, time.nanos)
}

/// RFC 3339, in UTC, to the second.
pub(crate) fn rfc3339(seconds: u64) -> String {
    timestamp(seconds).to_string()
}

/// RFC 3339, in UTC, to the millisecond.
pub(crate) fn rfc3339_millis(time: UnixTime) -> String {
    let seconds = rfc3339(time.seconds);
    format!("{}.{:03}Z", seconds.trim_end_matches('Z'), time.nanos / 1_000_000)
}

/// `seconds` since 1970, as [`UnixTime`] has them.
pub(crate) fn timestamp(seconds: u64) -> Timestamp {
    i64::try_from(seconds).ok().and_then(|s| Timestamp::from_second(s).ok()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_header_is_of_the_form_that_http_prefers() {
        assert_eq!(http_date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(http_date(1_795_464_711), "Mon, 23 Nov 2026 20:11:51 GMT");
    }
}
