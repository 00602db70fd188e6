//! Content codings (RFC 9110, section 12.5.3).

use hyper::HeaderMap;
use hyper::header::{ACCEPT_ENCODING, HeaderName, HeaderValue};

/// Values of `Content-Encoding`.
pub(crate) const BROTLI: HeaderValue = HeaderValue::from_static("br");
pub(crate) const GZIP: HeaderValue = HeaderValue::from_static("gzip");

/// The members of a list-valued header.
pub(crate) fn list<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> + use<'a> {
    let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

/// Whether the client accepts that content coding.
pub(crate) fn accepts(headers: &HeaderMap, coding: &str) -> bool {
    let mut takes_any = false;
    for member in list(headers, &ACCEPT_ENCODING) {
        let mut parts = member.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        // `q=0` and `q=0.000` mean “not acceptable”.
        let is_refused = parts.any(|part| {
            let weight = part.strip_prefix("q=").or_else(|| part.strip_prefix("Q="));
            weight.is_some_and(|weight| weight.bytes().all(|b| matches!(b, b'0' | b'.')))
        });
        if name.eq_ignore_ascii_case(coding) {
            return !is_refused;
        }
        if name == "*" {
            takes_any = !is_refused;
        }
    }
    takes_any
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coding_is_taken_when_it_is_named_and_not_refused() {
        for (line, expected) in [
            ("gzip", true),
            ("deflate, GZIP;q=0.5, br", true),
            ("br;q=1.0, *;q=0.1", true),
            ("", false),
            ("identity", false),
            ("gzip;q=0", false),
            ("*, gzip; q=0.000", false),
            ("*;q=0", false),
            ("gzipped", false),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(line))]);
            assert_eq!(accepts(&headers, "gzip"), expected, "{line}");
        }
        assert!(!accepts(&HeaderMap::new(), "gzip"));
    }
}
