//! HTTP versions that hyper does not parse: it knows 1.0 and 1.1 only.

/// Whether the head that begins with these bytes is of another version of HTTP, such as HTTP/2.0.
///
/// That includes HTTP/1.2, which does not exist. RFC 9110 (section 2.5) would treat it as HTTP/1.1, and allows to
/// reject it.
#[cold]
pub(crate) fn is_of_another_version(head: &[u8]) -> bool {
    // Empty lines before a request are ignored (RFC 9112, section 2.2).
    let Some(start) = head.iter().position(|byte| !matches!(byte, b'\r' | b'\n')) else { return false };
    let line = head[start..].split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    match line {
        [.., b' ', b'H', b'T', b'T', b'P', b'/', major, b'.', minor] => {
            major.is_ascii_digit() && minor.is_ascii_digit() && !matches!((major, minor), (b'1', b'0' | b'1'))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_version_is_told_from_what_is_no_version() {
        for head in [
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "GET / HTTP/0.9\r\n",
            "GET / HTTP/3.0",
            "GET / HTTP/1.2\r\nHost: a\r\n\r\n",
            "\r\n\r\nGET /HTTP/1.1 HTTP/1.9\n",
        ] {
            assert!(is_of_another_version(head.as_bytes()), "{head}");
        }
        for head in [
            "",
            "\r\n",
            "GET /\r\n",
            "GET / HTTP/1.1\r\n",
            "GET / HTTP/1.0\r\n",
            "GET / HTTP/2\r\n",
            "GET / HTTP/1.10\r\n",
            "GET / HTTP/x.1\r\n",
            "GET / http/1.2\r\n",
            "GET /HTTP/1.2\r\n",
            "HTTP/1.2",
            "GET / HTTP/1.1\r\nX: HTTP/2.0\r\n",
        ] {
            assert!(!is_of_another_version(head.as_bytes()), "{head}");
        }
    }
}
