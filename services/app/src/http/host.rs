//! The syntax of a `Host` header (RFC 9110, section 7.2; RFC 3986, section 3.2.2).

use std::cell::RefCell;

/// The last valid `Host`. Nearly all requests send the same one, and comparing is faster than parsing.
#[derive(Debug, Default)]
pub(crate) struct HostCache(RefCell<Vec<u8>>);

impl HostCache {
    pub(crate) fn is_valid(&self, host: &[u8]) -> bool {
        *self.0.borrow() == host || self.learn(host)
    }

    #[cold]
    fn learn(&self, host: &[u8]) -> bool {
        let is_valid = is_valid(host);
        if is_valid {
            let mut known = self.0.borrow_mut();
            known.clear();
            known.extend_from_slice(host);
        }
        is_valid
    }
}

/// Whether this is `uri-host [ ":" port ]`. An empty value is valid: it belongs to a target without a host.
pub(crate) fn is_valid(host: &[u8]) -> bool {
    // The usual value takes one look at each byte.
    match host.iter().position(|&byte| !PLAIN[usize::from(byte)]) {
        None => true,
        Some(colon) if host[colon] == b':' => host[colon + 1..].iter().all(u8::is_ascii_digit),
        Some(_) => is_unusual(host),
    }
}

/// [`is_valid`] for values that are more than a plain name and a port.
#[cold]
fn is_unusual(host: &[u8]) -> bool {
    let digits = host.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let name = match host[..host.len() - digits].split_last() {
        Some((b':', name)) => name,
        _ => host,
    };
    match name {
        [b'[', address @ .., b']'] => {
            std::str::from_utf8(address).is_ok_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok())
        }
        name => is_registered_name(name),
    }
}

/// Bytes that are allowed anywhere in a name.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0_u8;
    while byte.is_ascii() {
        plain[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        byte += 1;
    }
    plain
};

fn is_registered_name(name: &[u8]) -> bool {
    let mut rest = name.iter();
    while let Some(&byte) = rest.next() {
        let is_good = match byte {
            b'%' => (0..2).all(|_| rest.next().is_some_and(u8::is_ascii_hexdigit)),
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' => true,
            other => PLAIN[usize::from(other)],
        };
        if !is_good {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_is_known_makes_no_other_one_valid() {
        let known = HostCache::default();
        for _ in 0..2 {
            for (host, is_good) in
                [("a", true), ("a b", false), ("b:1", true), ("", true), ("b:", true), ("@", false)]
            {
                assert_eq!(known.is_valid(host.as_bytes()), is_good, "{host}");
            }
        }
    }

    #[test]
    fn what_the_grammar_allows_is_valid_and_nothing_else() {
        for good in [
            "",
            "time.example",
            "time.example:80",
            "127.0.0.1:8080",
            "[::1]",
            "[::1]:8080",
            "a:",
            "x_y~z-1",
            "a%20b",
            "a,b",
            "localhost",
        ] {
            assert!(is_valid(good.as_bytes()), "{good:?}");
        }
        for bad in [
            "a b",
            "a/b",
            "user@host",
            "a:b",
            "a:80:80",
            "::1",
            "[::1",
            "[::1]x",
            "[time]",
            "a%2",
            "a%zz",
            "a\tb",
            "a\u{0}",
            "é",
            "a?b",
            "a#b",
            "a\"b",
            "<a>",
            "http://a",
        ] {
            assert!(!is_valid(bad.as_bytes()), "{bad:?}");
        }
    }
}
