//! The header `Age`: how old a cache says that its answer is.

/// The seconds in an `Age` header: the first of a list, and of a number beyond all numbers a very great one (RFC
/// 9111 sections 5.1 and 1.2.2). What is no number says nothing.
#[must_use]
pub fn read(value: &[u8]) -> Option<u64> {
    let first = value.split(|&byte| byte == b',').next()?.trim_ascii();
    let is_number = !first.is_empty() && first.iter().all(u8::is_ascii_digit);
    is_number
        .then(|| std::str::from_utf8(first).ok()?.parse().ok())
        .map(|seconds| seconds.unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_read_as_the_standard_says() {
        assert_eq!(read(b"30"), Some(30));
        assert_eq!(read(b" 30, 31"), Some(30));
        assert_eq!(read(b"0"), Some(0));
        assert_eq!(read(b"00000000000000000000000007"), Some(7));
        assert_eq!(read(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(read(b"99999999999999999999"), Some(u64::MAX));
    }

    #[test]
    fn what_is_no_number_says_nothing() {
        for value in
            [&b""[..], b" ", b",", b", 30", b"soon", b"-1", b"+1", b"1.5", b"30 s", b"3\xff", b"\xb2"]
        {
            assert_eq!(read(value), None, "{value:?}");
        }
    }
}
