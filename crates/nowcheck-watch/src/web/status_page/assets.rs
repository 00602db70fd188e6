//! The style and the script of the status page, and the policy that allows them and nothing else.

use std::sync::LazyLock;

use http::HeaderValue;

use crate::web::assets::{PAGES, hash};

/// The script: it keeps the page up to date. The page is complete without it.
pub(super) const SCRIPT: &str = include_str!("script.js");

/// The style of the dashboard, and what only this page has.
pub(super) static STYLE: LazyLock<String> = LazyLock::new(|| [PAGES, include_str!("style.css")].concat());

/// The page loads nothing from anywhere. It runs the one script and has the one style, both by their hashes.
pub(super) static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let (script, style) = (hash(SCRIPT), hash(&STYLE));
    let policy = format!(
        "default-src 'none'; script-src {script}; style-src {style}; img-src data:; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'"
    );
    // Hashes are of ASCII.
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});
