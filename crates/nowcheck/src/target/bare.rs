//! URLs as people type them: without a scheme they mean http.

use std::borrow::Cow;

/// The URL that a text without a scheme means; the text itself, if it has one. Nothing, when what stands before the
/// colon is neither a host nor a scheme that can be checked: `mailto:me`, `ftp:x`.
#[must_use]
pub(super) fn with_scheme(text: &str) -> Option<Cow<'_, str>> {
    let text = text.trim();
    if text.contains("://") {
        return Some(Cow::Borrowed(text));
    }
    if let Some(rest) = text.strip_prefix("//") {
        return Some(Cow::Owned(format!("http://{rest}")));
    }
    // An IPv6 address needs brackets in a URL, but by itself it cannot be mistaken.
    if text.parse::<std::net::Ipv6Addr>().is_ok() {
        return Some(Cow::Owned(format!("http://[{text}]")));
    }
    let authority = &text[..text.find(['/', '?', '#']).unwrap_or(text.len())];
    let host_and_port = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let port = match host_and_port.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once(']').map_or("", |(_, rest)| rest.trim_start_matches(':')),
        None => host_and_port.split_once(':').map_or("", |(_, port)| port),
    };
    let is_host = !host_and_port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    // A number would be read as an IPv4 address: it is a value whose flag was forgotten.
    let is_number = host_and_port.bytes().all(|byte| byte.is_ascii_digit());
    (is_host && !is_number).then(|| Cow::Owned(format!("http://{text}")))
}

/// Whether a scheme is followed by one slash only.
#[must_use]
pub(super) fn lacks_slash(text: &str) -> bool {
    let Some((scheme, rest)) = text.trim().split_once(":/") else { return false };
    ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) && !rest.starts_with('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_alone_means_http() {
        for (text, url) in [
            ("time.example", "http://time.example"),
            ("time.example/v1/time?x=a:b", "http://time.example/v1/time?x=a:b"),
            ("localhost:8080", "http://localhost:8080"),
            ("localhost:8080/now", "http://localhost:8080/now"),
            ("time_server?tz=UTC", "http://time_server?tz=UTC"),
            ("192.0.2.1", "http://192.0.2.1"),
            ("[::1]:8080", "http://[::1]:8080"),
            ("[fe80::1%25eth0]:8080", "http://[fe80::1%25eth0]:8080"),
            ("::1", "http://[::1]"),
            ("//time.example/x", "http://time.example/x"),
            ("me:secret@time.example:81/x", "http://me:secret@time.example:81/x"),
            (" time.example ", "http://time.example"),
            // A URL in the query is none of the host's.
            ("https://time.example/?u=http://x", "https://time.example/?u=http://x"),
        ] {
            assert_eq!(with_scheme(text).as_deref(), Some(url), "{text}");
        }
    }

    #[test]
    fn what_names_no_host_stays_wrong() {
        for text in ["", "/now", "?x", "mailto:me", "ftp:time.example", "5", "time.example:http"] {
            assert_eq!(with_scheme(text), None, "{text}");
        }
    }
}
