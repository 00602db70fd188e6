//! The style and the script of all pages, and the policy that allows them and nothing else.

use std::sync::LazyLock;

use base64ct::{Base64, Encoding};
use http::HeaderValue;
use ring::digest;

use crate::plot;

/// The script. Every page is complete without it.
pub(super) const SCRIPT: &str = include_str!("pages/script.js");

/// The style of pages and plots.
pub(super) static STYLE: LazyLock<String> = LazyLock::new(|| [PAGES, plot::STYLE].concat());

/// The style of pages.
pub(super) const PAGES: &str = include_str!("pages/style.css");

/// Pages load nothing from anywhere. They run the one script and have the one style, both by their hashes (CSP level 3,
/// section 2.3.1), and the script may ask this server.
pub(super) static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let (script, style) = (hash(SCRIPT), hash(&STYLE));
    let policy = format!(
        "default-src 'none'; script-src {script}; style-src {style}; img-src data:; connect-src 'self'; base-uri 'none'; \
         form-action 'self'; frame-ancestors 'none'"
    );
    // Hashes are of ASCII.
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});

/// What a policy calls a script or a style.
pub(super) fn hash(text: &str) -> String {
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    format!("'sha256-{}'", Base64::encode_string(hash.as_ref()))
}
