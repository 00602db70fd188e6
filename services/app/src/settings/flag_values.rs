//! Parsers for the values of flags, and their error messages.

use std::net::SocketAddr;
use std::time::Duration;

use jiff::fmt::friendly::SpanParser;

pub(crate) fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.trim().parse().map_err(|_| "write an IP address and a port, such as 0.0.0.0:8080 or [::]:8080")
}

pub(crate) fn duration(text: &str) -> Result<Duration, &'static str> {
    SpanParser::new()
        .parse_unsigned_duration(text)
        .map_err(|_| "write a number with its unit, such as 50ms, 5s or 1m 30s")
}

/// A valid value of a dimension in `CloudWatch`, which silently discards metrics with any other.
pub(crate) fn dimension(text: &str) -> Result<String, &'static str> {
    let is_good = !text.trim().is_empty()
        && text.len() <= 1_024
        && !text.starts_with(':')
        && text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if is_good { Ok(text.to_owned()) } else { Err("write a name of printable ASCII, such as staging") }
}

/// Connections are swept once a second, so their limits are whole seconds.
pub(crate) fn seconds(text: &str) -> Result<u16, &'static str> {
    duration(text)
        .ok()
        .filter(|duration| duration.subsec_nanos() == 0)
        .and_then(|duration| u16::try_from(duration.as_secs()).ok())
        .filter(|seconds| (1..=3_600).contains(seconds))
        .ok_or("write whole seconds, from 1s to 1h, such as 75s")
}
