//! Parsers for the values of flags, and their error messages.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use jiff::fmt::friendly::SpanParser;

/// An address to listen on. A port without one, such as `8080`, `:8080` or `*:8080`, means all IPv4 addresses.
pub(crate) fn address(text: &str) -> Result<SocketAddr, &'static str> {
    let text = text.trim();
    let port = text.strip_prefix("*:").or_else(|| text.strip_prefix(':')).unwrap_or(text);
    // Without the sign that numbers may have elsewhere.
    if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) {
        return port
            .parse()
            .map(|port| (Ipv4Addr::UNSPECIFIED, port).into())
            .map_err(|_| "ports go from 1 to 65535, such as 8080 or 0.0.0.0:8080");
    }
    text.parse()
        .map_err(|_| "write a port, or an IP address and a port, such as 8080, 0.0.0.0:8080 or [::]:8080")
}

/// A number without a unit is seconds, as in nowcheck and in many other programs.
pub(crate) fn duration(text: &str) -> Result<Duration, &'static str> {
    const WRONG: &str = "write seconds, or a number with its unit, such as 50ms, 5s or 1m 30s";
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        let seconds = text.parse().map_err(|_| WRONG)?;
        return Duration::try_from_secs_f64(seconds).map_err(|_| WRONG);
    }
    SpanParser::new().parse_unsigned_duration(text).map_err(|_| WRONG)
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
        .ok_or("write whole seconds, from 1s to 1h, such as 75s or 75")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_without_a_unit_is_seconds() {
        for (text, millis) in [
            ("5", 5_000),
            ("0.5", 500),
            (".5", 500),
            ("0", 0),
            (" 30 ", 30_000),
            ("50ms", 50),
            ("1m 30s", 90_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", ".", "1.2.3", "-5", "+5", "5 apples", "1e3", "99999999999999999999999"] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert_eq!(seconds("75"), Ok(75));
        assert!(seconds("0.5").is_err() && seconds("0").is_err());
    }

    #[test]
    fn a_port_alone_is_one_of_all_addresses() {
        for (text, expected) in [
            ("8080", "0.0.0.0:8080"),
            (":8080", "0.0.0.0:8080"),
            ("*:8080", "0.0.0.0:8080"),
            (" :80 ", "0.0.0.0:80"),
            ("0", "0.0.0.0:0"),
            (":065535", "0.0.0.0:65535"),
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("[::]:8080", "[::]:8080"),
            ("[::1%1]:8080", "[::1%1]:8080"),
        ] {
            assert_eq!(address(text), Ok(expected.parse().unwrap()), "{text}");
        }
        for text in ["65536", ":99999", "99999999999999999999"] {
            assert!(address(text).unwrap_err().contains("from 1 to 65535"), "{text}");
        }
        for text in
            ["", ":", "*", "*:", "+80", "-1", ":+80", "::8080", "localhost:80", "127.0.0.1", "[::1]", "80:80"]
        {
            assert!(address(text).unwrap_err().contains("such as 8080, 0.0.0.0:8080"), "{text}");
        }
    }
}
