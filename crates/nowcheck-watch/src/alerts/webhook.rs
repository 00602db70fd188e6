//! The webhook: the JSON object by POST, with a signature.

use std::fmt::Write as _;

use http::HeaderValue;
use ring::hmac;

use crate::config::Secret;
use crate::http_client::Message;

/// The header of the signature.
pub(super) const SIGNATURE: &str = "x-nowcheck-signature";

/// The request. `unix_seconds` is when it is sent, so that a receiver can reject what is sent again by somebody else.
pub(super) fn request(body: &str, secret: Option<&Secret>, unix_seconds: i64) -> Message {
    let mut message = Message::json(body.to_owned());
    if let Some(secret) = secret
        && let Ok(value) = HeaderValue::from_str(&signature(body, secret, unix_seconds))
    {
        message.headers.insert(SIGNATURE, value);
    }
    message
}

/// `t=UNIX_SECONDS,sha256=HEX`: an HMAC (RFC 2104) over `UNIX_SECONDS.BODY`.
fn signature(body: &str, secret: &Secret, unix_seconds: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    let tag = hmac::sign(&key, format!("{unix_seconds}.{body}").as_bytes());
    let mut text = format!("t={unix_seconds},sha256=");
    for byte in tag.as_ref() {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with `printf %s '1795521600.{}' | openssl dgst -sha256 -hmac key`.
    #[test]
    fn the_signature_is_what_openssl_computes() {
        let hex = "2e55a4f595ce61f671090b9be8be26a4d1f0217e3b905361fb18d673d3a7877c";
        let expected = format!("t=1795521600,sha256={hex}");
        assert_eq!(signature("{}", &Secret::new("key"), 1_795_521_600), expected);
        let signed = request("{}", Some(&Secret::new("key")), 1_795_521_600);
        assert_eq!(signed.headers[SIGNATURE], expected);
        assert!(!request("{}", None, 0).headers.contains_key(SIGNATURE));
    }
}
