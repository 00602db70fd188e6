//! What the user keeps secret, taken out of what the other side wrote: servers echo requests.

mod credentials;
mod spelling;

use std::fmt;

use base64ct::{Base64, Base64Unpadded, Encoding};

/// What stands in place of a secret.
const MASK: &str = "***";

/// Shorter texts are no secrets by themselves: with every `a` masked, the text would tell the password.
const SHORTEST: usize = 4;

/// That much of the begin of a secret is masked wherever it stands. What the other side wrote is quoted in part.
const MOST_OF_A_BEGIN_SHOWN: usize = 8;

/// That much of the begin of a secret is masked where a quotation was cut.
const SHORTEST_AT_A_CUT: usize = 3;

/// What the user keeps secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(Vec<Vec<u8>>);

impl Secrets {
    /// Keeps this secret, and what it becomes in Base64.
    pub fn add(&mut self, secret: &[u8]) {
        let secret = secret.trim_ascii();
        if secret.len() < SHORTEST {
            return;
        }
        for form in [secret.to_vec(), Base64Unpadded::encode_string(secret).into_bytes()] {
            if !self.0.contains(&form) {
                self.0.push(form);
            }
        }
    }

    /// Keeps the value of a header: all of it, what stands behind its first word (`Bearer`), its longer parts, and the
    /// user's name and password of Basic credentials (RFC 7617).
    pub fn add_header(&mut self, value: &[u8]) {
        self.add(value);
        let separators = |byte: &u8| matches!(byte, b' ' | b'\t' | b',' | b';' | b'=' | b'"');
        for part in value.split(separators).filter(|part| part.len() >= MOST_OF_A_BEGIN_SHOWN) {
            self.add(part);
        }
        let Some(space) = value.iter().position(|byte| *byte == b' ') else { return };
        let (scheme, token) = (&value[..space], value[space..].trim_ascii());
        self.add(token);
        if scheme.eq_ignore_ascii_case(b"basic")
            && let Ok(token) = std::str::from_utf8(token)
            && let Ok(credentials) = Base64::decode_vec(token)
        {
            self.add(&credentials);
            for part in credentials.splitn(2, |byte| *byte == b':') {
                self.add(part);
            }
        }
    }

    /// The text with `***` for each secret in it, however it is escaped, and for the credentials of any URL in it.
    #[must_use]
    pub fn masked(&self, text: &str) -> String {
        let text = credentials::masked(text);
        let bytes = text.as_bytes();
        let mut masked = Vec::with_capacity(bytes.len());
        let mut at = 0;
        while at < bytes.len() {
            match self.length_at(&bytes[at..]) {
                0 => {
                    masked.push(bytes[at]);
                    at += 1;
                }
                length => {
                    masked.extend_from_slice(MASK.as_bytes());
                    at += length;
                }
            }
        }
        // A secret begins and ends where characters do, unless it is no text itself.
        String::from_utf8_lossy(&masked).into_owned()
    }

    /// How much of the text's begin is a secret or the begin of one.
    fn length_at(&self, text: &[u8]) -> usize {
        self.0.iter().map(|secret| length_of(secret, text)).max().unwrap_or(0)
    }
}

/// How much of the text's begin is this secret, or the begin of it.
fn length_of(secret: &[u8], text: &[u8]) -> usize {
    let mut length = 0;
    for (nth, byte) in secret.iter().enumerate() {
        let Some(more) = spelling::length_of(*byte, &text[length..]) else {
            let is_cut = text[length..].is_empty() || text[length..].starts_with("…".as_bytes());
            let shortest = if is_cut { SHORTEST_AT_A_CUT } else { MOST_OF_A_BEGIN_SHOWN };
            return if nth >= shortest { length } else { 0 };
        };
        length += more;
    }
    length
}

/// Nothing of them.
impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Secrets({MASK})")
    }
}

#[cfg(test)]
mod tests;
