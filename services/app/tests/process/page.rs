//! How the page is sent. What the page does is tested in a browser (`tests/test_page_in_chromium.py`).

use std::io::Read as _;

use crate::harness::{Answer, Service};

#[test]
fn the_page_may_run_its_own_script_and_nothing_else() {
    let service = Service::start();
    let page = service.get("/");
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    // Over plain HTTP browsers complain about these and do not heed them.
    assert!(!page.has("cross-origin-opener-policy"));
    let balanced = service.head("/", "X-Forwarded-Proto: https\r\n");
    assert_eq!(balanced.header("cross-origin-opener-policy"), "same-origin");
    assert_eq!(balanced.header("cross-origin-embedder-policy"), "require-corp");
}

#[test]
fn the_page_has_a_time_in_it_and_is_never_stored_in_any_coding() {
    let service = Service::start();
    for lines in ["", "Accept-Encoding: gzip, deflate, br\r\n", "If-None-Match: *\r\n"] {
        let page = service.head("/", lines);
        assert_eq!(page.status(), 200, "{lines}");
        assert_eq!(page.header("cache-control"), "no-store", "{lines}");
        assert_eq!(page.header("vary"), "Accept-Encoding", "{lines}");
        assert!(!page.has("etag"), "{lines}");
    }
}

#[test]
fn the_page_is_compressed_for_those_who_take_it_and_is_the_same() {
    let service = Service::start();
    let plain = service.head("/", "");
    let packed = service.head("/", "Accept-Encoding: gzip\r\n");
    assert!(!plain.has("content-encoding"));
    assert_eq!(packed.header("content-encoding"), "gzip");
    let length = |answer: &Answer| answer.header("content-length").parse::<usize>().unwrap();
    assert!(length(&packed) * 3 < length(&plain) * 2, "{} of {}", length(&packed), length(&plain));

    let bytes = service.body("/", "Accept-Encoding: gzip\r\n");
    assert_eq!(bytes.len(), length(&packed));
    let mut page = String::new();
    flate2::read::GzDecoder::new(&*bytes).read_to_string(&mut page).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"), "{page}");
}

#[test]
fn the_page_shows_the_zone_it_is_asked_for_or_says_that_there_is_none() {
    let service = Service::start();
    let page = service.get("/?tz=asia%2Fkathmandu");
    assert_eq!(page.status(), 200);
    assert!(
        page.body.contains("UTC+5:45") && page.body.contains("value=\"Asia/Kathmandu\""),
        "{}",
        page.body
    );
    for (target, words) in [
        ("/?tz=Mars/Base", "No time zone is called “Mars/Base”"),
        ("/?tz=%3Cscript%3E", "“&lt;script&gt;”"),
        ("/?tz=%", "percent-encode it as UTF-8"),
        ("/?tz=UTC&tz=UTC", "one zone at a time."),
    ] {
        let page = service.get(target);
        assert_eq!(page.status(), 400, "{target}");
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8", "{target}");
        assert_eq!(page.header("cache-control"), "no-store", "{target}");
        assert!(page.body.contains(words) && page.body.contains("value=\"UTC\""), "{}", page.body);
    }
    // A form that was sent without a name.
    assert_eq!(service.get("/?tz=").status(), 200);
}
