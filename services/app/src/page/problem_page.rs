//! An error as a page, for people who meet it in a browser.

use hyper::header::HeaderValue;

use crate::http::problem::Problem;
use crate::page::html::{escaped, sentence};

/// The whole page; its style is in it, so that it needs nothing else from a service that is in trouble.
const TEMPLATE: &str = include_str!("web/problem.html");

/// Allows the style in the template, by its SHA-256, and nothing else. When the style is changed, the browser test says
/// which hash belongs here.
pub(crate) const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'sha256-kQVda1G9pIPjtes8w4+AsjdX1ZmN+PymE9en8/QXhHM='; form-action 'none'; \
     base-uri 'none'; frame-ancestors 'none'",
);

/// The page about a problem.
#[cold]
pub(crate) fn page(problem: &Problem) -> String {
    let detail = escaped(&sentence(&problem.to_string()));
    // What the client sent comes last, so that nothing is replaced in it.
    TEMPLATE
        .replace("@STATUS@", problem.status().as_str())
        .replace("@TITLE@", problem.title())
        .replace("@VERSION@", env!("CARGO_PKG_VERSION"))
        .replace("@DETAIL@", &detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_says_what_is_wrong_and_leads_back() {
        let page = page(&Problem::NotFound { path: "/nope".into() });
        for text in [
            "<title>404 Not found · nowd</title>",
            "<h1>Not found</h1>",
            "<p>Nothing is at “/nope”: ask for /now, or see /openapi.json for all paths.</p>",
            "<a href=\"/\">The current time</a>",
        ] {
            assert!(page.contains(text), "no {text} in {page}");
        }
    }

    #[test]
    fn what_a_client_sent_cannot_write_html_or_fill_in_placeholders() {
        let page = page(&Problem::ZoneUnknown { name: "<script>&@STATUS@@DETAIL@".into() });
        assert!(page.contains("“&lt;script&gt;&amp;@STATUS@@DETAIL@”"), "{page}");
        assert!(!page.contains("<script"), "{page}");
    }

    #[test]
    fn it_needs_nothing_from_elsewhere() {
        for forbidden in ["src=", "<link", "style=", "url(", "http:", "https:", "@import", "<script"] {
            assert!(!TEMPLATE.contains(forbidden), "{forbidden}");
        }
    }
}
