//! The page at `/`, for people. It needs no script and nothing from elsewhere.

use crate::now;

const TEMPLATE: &str = include_str!("page/index.html");

/// Lets the page use its own style sheet and nothing else.
pub(crate) const SECURITY_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page for a time, as `seconds` since 1970, and for the name by which the client calls this service.
pub(crate) fn page(seconds: u64, host: &str) -> String {
    let datetime = now::rfc3339(seconds);
    let (date, time) = datetime.trim_end_matches('Z').split_once('T').unwrap_or_default();
    TEMPLATE
        .replace("@DATETIME@", &datetime)
        .replace("@DATE@", date)
        .replace("@TIME@", time)
        .replace("@HOST@", if is_plain(host) { host } else { "localhost:8080" })
}

/// Whether a Host header can stand in HTML, and in a shell command, as it is.
fn is_plain(host: &str) -> bool {
    !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_the_time_and_the_command_for_the_name_it_was_called_by() {
        let page = page(1_795_464_711, "time.example:8080");
        assert!(page.contains(r#"<time datetime="2026-11-23T20:11:51Z">20:11:51</time>"#), "{page}");
        assert!(page.contains("curl http://time.example:8080/now"), "{page}");
        for place in ["@DATETIME@", "@DATE@", "@TIME@", "@HOST@"] {
            assert!(TEMPLATE.contains(place) && !page.contains(place), "{place} in {page}");
        }
    }

    #[test]
    fn a_name_that_is_not_plain_does_not_reach_the_page() {
        for host in ["", "<script>", "a b", "x\"y", "$(reboot)", "a;b", "@TIME@", "é"] {
            let page = page(0, host);
            assert!(page.contains("curl http://localhost:8080/now"), "{host}");
        }
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere() {
        for elsewhere in ["src=", "<link", "<script", "@import", "url("] {
            assert!(!TEMPLATE.contains(elsewhere), "{elsewhere}");
        }
    }
}
