//! The characters that the output may have.

use std::borrow::Cow;
use std::env;
use std::fmt::Write;

/// The characters that the output may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Charset {
    /// All of them, as UTF-8.
    Unicode,
    /// Letters, digits and marks up to code 126: what every terminal, pager and monitoring system shows.
    Ascii,
}

impl Charset {
    /// What the locale says (locale(7)): the first of these variables that is not empty decides. Without any, it is the
    /// locale `C`, which is not UTF-8.
    #[must_use]
    pub(crate) fn of_locale() -> Self {
        let variables = ["LC_ALL", "LC_CTYPE", "LANG"];
        let locale = variables.iter().filter_map(env::var_os).find(|value| !value.is_empty());
        Self::of(&locale.unwrap_or_default().to_string_lossy())
    }

    /// Of a locale such as `en_US.UTF-8@euro`.
    fn of(locale: &str) -> Self {
        let codeset = locale.split('@').next().and_then(|name| name.split_once('.'));
        let codeset = codeset.map_or("", |(_, codeset)| codeset).replace('-', "");
        if codeset.eq_ignore_ascii_case("utf8") { Self::Unicode } else { Self::Ascii }
    }

    /// A text in these characters. What has no equivalent is written as an escape, such as `\u{e9}`.
    #[must_use]
    pub(crate) fn encoded(self, text: &str) -> Cow<'_, str> {
        if self == Self::Unicode || text.is_ascii() {
            return Cow::Borrowed(text);
        }
        let mut encoded = String::with_capacity(text.len() + 16);
        for character in text.chars() {
            match equivalent(character) {
                Some(equivalent) => encoded.push_str(equivalent),
                None if character.is_ascii() => encoded.push(character),
                None => encoded.extend(character.escape_unicode()),
            }
        }
        Cow::Owned(encoded)
    }

    /// A JSON document in these characters; it means the same.
    #[must_use]
    pub(crate) fn encoded_json(self, document: &str) -> Cow<'_, str> {
        if self == Self::Unicode || document.is_ascii() {
            return Cow::Borrowed(document);
        }
        let mut encoded = String::with_capacity(document.len() + 16);
        for character in document.chars() {
            if character.is_ascii() {
                encoded.push(character);
                continue;
            }
            // Other characters stand only in strings, where escapes are in UTF-16 (RFC 8259 section 7).
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _ = write!(encoded, "\\u{unit:04x}");
            }
        }
        Cow::Owned(encoded)
    }
}

/// What is read as the same character.
fn equivalent(character: char) -> Option<&'static str> {
    Some(match character {
        '±' => "+/-",
        // The sign and the letter.
        '\u{b5}' | '\u{3bc}' => "u",
        '…' => "...",
        '\u{2010}'..='\u{2015}' | '\u{2212}' => "-",
        '‘' | '’' => "'",
        '“' | '”' | '«' | '»' => "\"",
        '×' => "x",
        '÷' => "/",
        '≤' => "<=",
        '≥' => ">=",
        '→' => "->",
        '·' | '•' => "*",
        // Spaces of all widths.
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' => " ",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_is_utf_8_when_its_codeset_is() {
        for locale in ["en_US.UTF-8", "C.UTF-8", "C.utf8", "de_DE.utf-8@euro"] {
            assert_eq!(Charset::of(locale), Charset::Unicode, "{locale}");
        }
        for locale in ["", "C", "POSIX", "en_US", "de_DE@euro", "de_DE.ISO-8859-1", "utf8", "ja_JP.eucJP"] {
            assert_eq!(Charset::of(locale), Charset::Ascii, "{locale}");
        }
    }

    #[test]
    fn ascii_says_the_same_in_other_characters() {
        let text = "+21 µs ± 85 μs – “a” … é 時";
        assert_eq!(Charset::Unicode.encoded(text), text);
        assert_eq!(Charset::Ascii.encoded(text), "+21 us +/- 85 us - \"a\" ... \\u{e9} \\u{6642}");
    }

    #[test]
    fn json_in_ascii_is_the_same_document() {
        assert_eq!(Charset::Ascii.encoded_json(r#"{"a":"± 𝕏"}"#), r#"{"a":"\u00b1 \ud835\udd4f"}"#);
    }
}
