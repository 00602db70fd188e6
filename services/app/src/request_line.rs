//! The version of HTTP in a request line that hyper does not take: it knows 1.0 and 1.1 alone.

/// A version that is later than those.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Later {
    /// Such as HTTP/1.2, which is to be read as if it were HTTP/1.1 (RFC 9110, section 2.5): the same bytes with that
    /// version.
    Minor(Vec<u8>),
    /// Such as HTTP/2.0, or none that there ever was.
    Major,
}

/// The version of a request whose head begins with these bytes, if that is what is wrong with it.
#[cold]
pub(crate) fn later_version(head: &[u8]) -> Option<Later> {
    // Empty lines before a request are ignored (RFC 9112, section 2.2).
    let start = head.iter().position(|byte| !matches!(byte, b'\r' | b'\n'))?;
    let line = head[start..].split(|byte| matches!(byte, b'\r' | b'\n')).next()?;
    let (target, version) = line.split_at_checked(line.len().checked_sub(b" HTTP/1.1".len())?)?;
    match version {
        [b' ', b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'2'..=b'9'] => {
            let mut understood = head.to_vec();
            understood[start + target.len() + version.len() - 1] = b'1';
            Some(Later::Minor(understood))
        }
        [b' ', b'H', b'T', b'T', b'P', b'/', major, b'.', b'0'..=b'9']
            if major.is_ascii_digit() && *major != b'1' =>
        {
            Some(Later::Major)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_minor_version_becomes_the_one_that_is_understood_and_nothing_else_changes() {
        for (head, understood) in [
            ("GET /now HTTP/1.2\r\nHost: a\r\n\r\n", "GET /now HTTP/1.1\r\nHost: a\r\n\r\n"),
            ("\r\n\r\nGET /now HTTP/1.9", "\r\n\r\nGET /now HTTP/1.1"),
            ("GET /HTTP/1.2 HTTP/1.3\nHost: HTTP/1.2\n", "GET /HTTP/1.2 HTTP/1.1\nHost: HTTP/1.2\n"),
        ] {
            assert_eq!(later_version(head.as_bytes()), Some(Later::Minor(understood.into())), "{head}");
        }
    }

    #[test]
    fn another_major_version_is_told_from_what_is_no_version() {
        for head in ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET / HTTP/0.9\r\n", "GET / HTTP/3.0"] {
            assert_eq!(later_version(head.as_bytes()), Some(Later::Major), "{head}");
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
        ] {
            assert_eq!(later_version(head.as_bytes()), None, "{head}");
        }
    }
}
