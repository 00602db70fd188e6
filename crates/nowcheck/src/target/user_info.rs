//! A user name and password in a URL (RFC 3986 section 3.2.1): used as credentials, and never shown.

use http::HeaderValue;
use percent_encoding::percent_decode_str;
use url::Url;

use crate::request_headers::basic;

/// Takes the user name and password out of a URL; as the value of `Authorization`, if there are any.
#[must_use]
pub(super) fn take(url: &mut Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let mut credentials: Vec<u8> = percent_decode_str(url.username()).collect();
    credentials.push(b':');
    credentials.extend(percent_decode_str(url.password().unwrap_or_default()));
    // An HTTP URL has a host, and so may have these; therefore they can be taken away.
    let (_, _) = (url.set_username(""), url.set_password(None));
    Some(basic(&credentials))
}

/// A URL as it was written, also one that cannot be parsed, with `***` for what stands before the `@` of its host.
#[must_use]
pub fn masked(url: &str) -> String {
    // Parsers pass over tabs and line ends wherever they stand.
    let text: String = url.chars().filter(|character| !matches!(character, '\t' | '\r' | '\n')).collect();
    let scheme = text.find([':', '/', '\\', '?', '#', '@']).filter(|&end| text[end..].starts_with(':'));
    let after_scheme = scheme.map_or(0, |end| end + 1);
    let begin = text.len() - text[after_scheme..].trim_start_matches(['/', '\\']).len();
    let has_authority = begin - after_scheme >= 2 || scheme.is_some();
    if !has_authority {
        return text;
    }
    // Without slashes a colon may also be the one between a user's name and password.
    let begin = if scheme.is_some() && begin == after_scheme { 0 } else { begin };
    let end = text[begin..].find(['/', '\\', '?', '#']).map_or(text.len(), |length| begin + length);
    let authority = &text[begin..end];
    let at = match authority.rfind('@') {
        Some(at) => Some(at),
        // A password with a slash in it that was not escaped: what stands there is no port.
        None if !is_port_a_number(authority) => text[begin..].rfind('@'),
        None => None,
    };
    match at {
        Some(at) => format!("{}***{}", &text[..begin], &text[begin + at..]),
        None => text,
    }
}

fn is_port_a_number(authority: &str) -> bool {
    let after_host = authority.rsplit_once(']').map_or(authority, |(_, rest)| rest);
    after_host.rsplit_once(':').is_none_or(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_hidden_wherever_it_stands() {
        for (url, shown) in [
            ("http://me:secret@time.example/now", "http://***@time.example/now"),
            ("HTTPS://me:secret@time.example:81", "HTTPS://***@time.example:81"),
            ("//me:secret@time.example/", "//***@time.example/"),
            ("http://secret@time.example", "http://***@time.example"),
            // WHATWG URL: an @ in a password, backslashes, and one slash or none.
            ("http://me:sec@ret@time.example", "http://***@time.example"),
            ("http:\\\\me:secret@time.example", "http:\\\\***@time.example"),
            ("http:/me:secret@time.example", "http:/***@time.example"),
            ("http:me:secret@time.example", "***@time.example"),
            ("ht\ttp://me:sec\nret@time.example", "http://***@time.example"),
            // No URLs, but somebody's password.
            ("http://me:sec/ret@time.example", "http://***@time.example"),
            ("http://me:sec?ret@time.example", "http://***@time.example"),
            ("me:secret@time.example", "***@time.example"),
            // No passwords.
            ("http://time.example/@me", "http://time.example/@me"),
            ("http://time.example:81/?mail=a@b", "http://time.example:81/?mail=a@b"),
            ("http://[::1]:81/?mail=a@b", "http://[::1]:81/?mail=a@b"),
            ("http://[::1]/?mail=a@b", "http://[::1]/?mail=a@b"),
            ("/@me", "/@me"),
            ("?mail=a@b", "?mail=a@b"),
            ("v2/@me", "v2/@me"),
            ("", ""),
        ] {
            assert_eq!(masked(url), shown, "{url:?}");
        }
    }

    #[test]
    fn it_becomes_basic_credentials() {
        for (url, credentials, rest) in [
            ("http://Aladdin:open%20sesame@a/", Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), "http://a/"),
            ("http://me@a/", Some("Basic bWU6"), "http://a/"),
            ("http://:x@a/", Some("Basic Ong="), "http://a/"),
            ("http://@a/", None, "http://a/"),
            ("http://a/", None, "http://a/"),
        ] {
            let mut url: Url = url.parse().unwrap();
            let taken = take(&mut url);
            assert_eq!(taken.as_ref().map(|value| value.to_str().unwrap()), credentials);
            assert_eq!(url.as_str(), rest);
        }
    }
}
