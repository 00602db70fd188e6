//! What the other side wrote, made safe to print.

use std::fmt::Write;

/// The first `limit` bytes, safe for a terminal and a log: control characters and bytes that are no text are
/// written as escapes.
#[must_use]
pub fn printable(bytes: &[u8], limit: usize) -> String {
    let start = &bytes[..bytes.len().min(limit)];
    let mut text = String::new();
    for chunk in start.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() || turns_direction(character) {
                text.extend(character.escape_default());
            } else {
                text.push(character);
            }
        }
        for byte in chunk.invalid() {
            // Writing to a string cannot fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    if bytes.len() > limit {
        text.push('…');
    }
    text
}

/// Whether it is a mark that turns the direction of writing, or a separator of lines: it would rearrange a terminal's
/// line.
fn turns_direction(character: char) -> bool {
    matches!(
        character,
        '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_other_side_wrote_cannot_write_to_the_terminal() {
        assert_eq!(printable(b"\x1b[31mred\n\xff", 80), "\\u{1b}[31mred\\n\\xff");
        assert_eq!(printable("a\u{202e}b".as_bytes(), 80), "a\\u{202e}b");
        assert_eq!(printable(&[b'x'; 100], 80).chars().count(), 81);
        // A character that is cut in the middle is shown by its bytes.
        assert_eq!(printable("é".as_bytes(), 1), "\\xc3…");
    }
}
