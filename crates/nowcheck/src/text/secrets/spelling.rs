//! One byte of a secret in all the ways in which servers write it: as it is, or escaped for a URL, JSON or HTML.

/// How many bytes at the text's begin spell this byte, if they do.
#[must_use]
pub(super) fn length_of(byte: u8, text: &[u8]) -> Option<usize> {
    let first = *text.first()?;
    match first {
        b'%' => percent(byte, text),
        b'\\' => backslash(byte, text),
        b'&' => entity(byte, text),
        _ => None,
    }
    .or_else(|| is_same(byte, first).then_some(1))
}

/// Whether one is written for the other: in another case, in a form (`+` for a space), in Base64 for URLs.
fn is_same(byte: u8, written: u8) -> bool {
    byte.eq_ignore_ascii_case(&written)
        || matches!((byte, written), (b' ' | b'-', b'+') | (b'+', b'-') | (b'/', b'_'))
}

/// `%2F`, and `%252F` of a URL inside another one.
fn percent(byte: u8, text: &[u8]) -> Option<usize> {
    let mut at = 1;
    while text[at..].starts_with(b"25")
        && text[at + 2..].first().is_some_and(u8::is_ascii_hexdigit)
        && byte != b'%'
    {
        at += 2;
    }
    is_same(byte, hexadecimal(text.get(at..at + 2)?)?).then_some(at + 2)
}

/// `\/`, `\u002f` of JSON and `\u{2f}`, `\x2f` of [`printable`](super::super::printable), and the same escaped again.
fn backslash(byte: u8, text: &[u8]) -> Option<usize> {
    let at = text.iter().take_while(|one| **one == b'\\').count();
    let rest = &text[at..];
    let escaped = match rest {
        [b'u', b'0', b'0', high, low, ..] | [b'u', b'{', high, low, b'}', ..] => {
            (hexadecimal(&[*high, *low]), 5)
        }
        [b'x', high, low, ..] => (hexadecimal(&[*high, *low]), 3),
        _ => (None, 0),
    };
    if let (Some(value), length) = escaped
        && value == byte
    {
        return Some(at + length);
    }
    match rest {
        [same, ..] if *same == byte && !byte.is_ascii_alphanumeric() => Some(at + 1),
        _ if byte == b'\\' && at > 1 => Some(2),
        _ => None,
    }
}

/// `&amp;`, `&#38;`, `&#x26;`.
fn entity(byte: u8, text: &[u8]) -> Option<usize> {
    let length = text.iter().take(8).position(|one| *one == b';')? + 1;
    let name = std::str::from_utf8(&text[1..length - 1]).ok()?.to_ascii_lowercase();
    let value = match name.as_str() {
        "amp" => Some(b'&'),
        "lt" => Some(b'<'),
        "gt" => Some(b'>'),
        "quot" => Some(b'"'),
        "apos" => Some(b'\''),
        number => match number.strip_prefix("#x") {
            Some(digits) => u8::from_str_radix(digits, 16).ok(),
            None => number.strip_prefix('#').and_then(|digits| digits.parse().ok()),
        },
    };
    (value? == byte).then_some(length)
}

fn hexadecimal(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}
