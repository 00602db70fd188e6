//! What a user adds to each request: headers, and credentials. They may be secrets, so nothing here prints a value.

use std::fmt;

use base64ct::{Base64, Encoding};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::text::Secrets;

/// Headers that are sent to the servers that the user named, and to no others.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RequestHeaders(HeaderMap);

/// Why a header cannot be sent. The value is never part of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// There is no colon, or nothing before it.
    #[error("write NAME: VALUE")]
    NoColon,
    /// What stands before the colon cannot be a name.
    #[error("what stands before the colon is not the name of a header")]
    Name,
    /// The value has a control character in it.
    #[error("the value of `{0}` has a line break or another control character in it")]
    Value(HeaderName),
    /// `Host` is not a host with or without a port.
    #[error("the value of `host` is not a host name")]
    Host,
    /// The header is about the connection or about a body.
    #[error("`{0}` cannot be set: nowcheck sends no body and keeps the connection itself")]
    Framing(HeaderName),
    /// It may be sent only once.
    #[error("`{0}` is given twice")]
    Twice(HeaderName),
}

/// Why a text is not `user:password`. The text is never part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// There is nothing.
    #[error("is empty; write user:password on one line")]
    Empty,
    /// There is no colon.
    #[error("has no colon; write user:password on one line")]
    NoColon,
    /// There is more than one line.
    #[error("has more than one line; write user:password on one line")]
    SeveralLines,
    /// RFC 7617 section 2 forbids it.
    #[error("has a control character in it")]
    ControlCharacter,
}

/// What frames a message or belongs to one connection (RFC 9110 sections 7.6.1 and 10.1.1, RFC 9112 section 6).
const FRAMING: [HeaderName; 7] = [
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::TE,
    header::TRAILER,
    header::UPGRADE,
    header::EXPECT,
    header::CONNECTION,
];

/// Headers of which two make a request invalid or ambiguous.
const ONCE: [HeaderName; 3] = [header::HOST, header::AUTHORIZATION, header::USER_AGENT];

impl RequestHeaders {
    /// Adds a header that is written as `NAME: VALUE`.
    ///
    /// # Errors
    /// Says what is wrong, without the value.
    pub fn add(&mut self, text: &str) -> Result<(), HeaderError> {
        let (name, value) = text.split_once(':').ok_or(HeaderError::NoColon)?;
        if name.trim().is_empty() {
            return Err(HeaderError::NoColon);
        }
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| HeaderError::Name)?;
        let value = value.trim_matches([' ', '\t']);
        if FRAMING.contains(&name) {
            return Err(HeaderError::Framing(name));
        }
        if name == header::HOST && value.parse::<http::uri::Authority>().is_err() {
            return Err(HeaderError::Host);
        }
        if ONCE.contains(&name) && self.0.contains_key(&name) {
            return Err(HeaderError::Twice(name));
        }
        let Ok(mut value) = HeaderValue::from_bytes(value.as_bytes()) else {
            return Err(HeaderError::Value(name));
        };
        value.set_sensitive(true);
        self.0.append(name, value);
        Ok(())
    }

    /// Adds credentials (RFC 7617), given as `user:password`.
    ///
    /// # Errors
    /// When there is an `Authorization` already.
    pub fn authenticate(&mut self, credentials: HeaderValue) -> Result<(), HeaderError> {
        match self.0.try_insert(header::AUTHORIZATION, credentials) {
            Ok(None) => Ok(()),
            _ => Err(HeaderError::Twice(header::AUTHORIZATION)),
        }
    }

    /// Puts them into a request; they go before what stands there.
    pub fn put_into(&self, request: &mut HeaderMap) {
        for name in self.0.keys() {
            let mut values = self.0.get_all(name).iter().cloned();
            // In its place: Host has to stay the first one (RFC 9110 section 7.2).
            if let Some(first) = values.next() {
                request.insert(name, first);
            }
            for further in values {
                request.append(name, further);
            }
        }
    }

    /// Whether there is an `Authorization`.
    #[must_use]
    pub fn has_credentials(&self) -> bool {
        self.0.contains_key(header::AUTHORIZATION)
    }

    /// Adds their values to what is kept secret. `Host` is none: it stands in the URL too.
    pub fn tell_secrets(&self, secrets: &mut Secrets) {
        for (_, value) in self.0.iter().filter(|(name, _)| *name != header::HOST) {
            secrets.add_header(value.as_bytes());
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Names only.
impl fmt::Debug for RequestHeaders {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

/// The value of `Authorization` for credentials in a file: one line, `user:password`.
///
/// # Errors
/// Says what is wrong, without the text.
pub fn basic_from_line(text: &str) -> Result<HeaderValue, CredentialsError> {
    let line = text.strip_prefix('\u{feff}').unwrap_or(text);
    let line = line.strip_suffix('\n').unwrap_or(line);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.trim().is_empty() {
        return Err(CredentialsError::Empty);
    }
    if line.contains(['\n', '\r']) {
        return Err(CredentialsError::SeveralLines);
    }
    if line.contains(char::is_control) {
        return Err(CredentialsError::ControlCharacter);
    }
    if !line.contains(':') {
        return Err(CredentialsError::NoColon);
    }
    Ok(basic(line.as_bytes()))
}

/// The value of `Authorization` for `user:password` (RFC 7617 section 2).
#[must_use]
pub fn basic(user_and_password: &[u8]) -> HeaderValue {
    let text = format!("Basic {}", Base64::encode_string(user_and_password));
    // Base64 is visible ASCII, so this is always a header value.
    let mut value = HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("Basic"));
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests;
