//! What tells the text of a configuration from another one.

use ring::digest::{SHA256, digest};

/// SHA-256 of a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut value = Self::default();
        value.0.copy_from_slice(digest(&SHA256, bytes).as_ref());
        value
    }
}
