//! How the page and its assets are sent. What the page does is tested in a browser (`tests/test_page_in_chromium.py`).

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::harness::{Answer, PATIENCE, Service};

/// The head of the answer to a request with these header lines. A body in another coding than plain is no text.
fn head(service: &Service, target: &str, lines: &str) -> Answer {
    let mut client = service.connect();
    client.send(format!("HEAD {target} HTTP/1.1\r\nHost: test\r\n{lines}\r\n"));
    client.answer_to("HEAD")
}

/// The body of an answer, as the bytes that they are.
fn body(service: &Service, target: &str, lines: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(service.address()).expect("the service accepts connections");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time limit can be set");
    write!(stream, "GET {target} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{lines}\r\n")
        .expect("the service takes the request");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("the service closes the connection in good order");
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("an end of the head");
    answer.split_off(end + 4)
}

/// The paths of the assets as the page has them.
fn assets(service: &Service) -> Vec<String> {
    let page = service.get("/").body;
    let paths: Vec<String> =
        page.split('"').filter(|part| part.starts_with("/assets/")).map(str::to_owned).collect();
    assert_eq!(paths.len(), 3, "{page}");
    paths
}

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
    let balanced = head(&service, "/", "X-Forwarded-Proto: https\r\n");
    assert_eq!(balanced.header("cross-origin-opener-policy"), "same-origin");
    assert_eq!(balanced.header("cross-origin-embedder-policy"), "require-corp");
}

#[test]
fn the_page_has_a_time_in_it_and_is_never_stored_in_any_coding() {
    let service = Service::start();
    for lines in ["", "Accept-Encoding: gzip, deflate, br\r\n", "If-None-Match: *\r\n"] {
        let page = head(&service, "/", lines);
        assert_eq!(page.status(), 200, "{lines}");
        assert_eq!(page.header("cache-control"), "no-store", "{lines}");
        assert_eq!(page.header("vary"), "Accept-Encoding", "{lines}");
        assert!(!page.has("etag"), "{lines}");
    }
}

#[test]
fn the_page_is_compressed_for_those_who_take_it_and_is_the_same() {
    let service = Service::start();
    let plain = head(&service, "/", "");
    let packed = head(&service, "/", "Accept-Encoding: gzip\r\n");
    assert!(!plain.has("content-encoding"));
    assert_eq!(packed.header("content-encoding"), "gzip");
    let length = |answer: &Answer| answer.header("content-length").parse::<usize>().unwrap();
    assert!(length(&packed) * 3 < length(&plain) * 2, "{} of {}", length(&packed), length(&plain));

    let bytes = body(&service, "/", "Accept-Encoding: gzip\r\n");
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

#[test]
fn assets_may_be_kept_for_ever_because_their_names_change_with_them() {
    let service = Service::start();
    for path in assets(&service) {
        let answer = service.get(&path);
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable", "{path}");
        assert_eq!(answer.header("vary"), "Accept-Encoding", "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        let expected = match path.rsplit('.').next() {
            Some("css") => "text/css; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            _ => "image/svg+xml",
        };
        assert_eq!(answer.header("content-type"), expected);
    }
}

#[test]
fn assets_are_sent_in_the_coding_that_is_smallest_and_taken() {
    let service = Service::start();
    for path in assets(&service) {
        let plain = service.get(&path).body.into_bytes();
        for (accepted, coding) in [
            ("gzip, deflate, br", "br"),
            ("br;q=0, gzip", "gzip"),
            ("gzip, deflate", "gzip"),
            ("*", "br"),
            ("identity", ""),
            ("gzip;q=0", ""),
        ] {
            let lines = format!("Accept-Encoding: {accepted}\r\n");
            let head = head(&service, &path, &lines);
            let bytes = body(&service, &path, &lines);
            assert_eq!(head.header("content-length"), bytes.len().to_string(), "{path} {accepted}");
            let mut unpacked = Vec::new();
            if coding.is_empty() {
                assert!(!head.has("content-encoding"), "{path} {accepted}");
                unpacked = bytes;
            } else {
                assert_eq!(head.header("content-encoding"), coding, "{path} {accepted}");
                let read = if coding == "br" {
                    brotli::Decompressor::new(&*bytes, 4096).read_to_end(&mut unpacked)
                } else {
                    flate2::read::GzDecoder::new(&*bytes).read_to_end(&mut unpacked)
                };
                read.unwrap();
            }
            assert!(unpacked == plain, "{path} {accepted}");
        }
    }
}

#[test]
fn an_asset_that_the_client_has_is_not_sent_again() {
    let service = Service::start();
    for path in assets(&service) {
        let gzip = "Accept-Encoding: gzip\r\n";
        let plain_tag = head(&service, &path, "").header("etag").to_owned();
        let gzip_tag = head(&service, &path, gzip).header("etag").to_owned();
        assert_ne!(plain_tag, gzip_tag, "other bytes under a strong tag");

        for known in [gzip_tag.clone(), format!("W/{gzip_tag}"), format!("\"x\", {gzip_tag}"), "*".to_owned()]
        {
            let mut client = service.connect();
            client.send(format!(
                "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{gzip}If-None-Match: {known}\r\n\r\n"
            ));
            let answer = client.answer_to("HEAD");
            assert_eq!(answer.status(), 304, "{known}");
            assert_eq!(answer.header("etag"), gzip_tag);
            assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable");
            assert_eq!(answer.header("vary"), "Accept-Encoding");
            assert!(!answer.has("content-type") && !answer.has("content-encoding"), "{answer:#?}");
            assert_eq!(client.rest(), "", "a 304 has no body");
        }
        for other in [plain_tag.as_str(), "\"x\"", "x"] {
            let answer = head(&service, &path, &format!("{gzip}If-None-Match: {other}\r\n"));
            assert_eq!(answer.status(), 200, "{other}");
        }
    }
}

#[test]
fn the_asset_of_another_version_is_what_there_is_and_must_not_be_kept() {
    let service = Service::start();
    for path in assets(&service) {
        let (stem, ending) = (&path[..path.find('-').unwrap()], path.rsplit('.').next().unwrap());
        let other = service.get(&format!("{stem}-0123456789ab.{ending}"));
        assert_eq!(other.status(), 200);
        assert_eq!(other.header("cache-control"), "no-store");
        assert_eq!(other.body, service.get(&path).body);
    }
    for nothing in
        ["/assets/", "/assets/page.css", "/assets/x-0123456789ab.css", "/assets/page-0123456789AB.js"]
    {
        service.get(nothing).problem(404, "not-found");
    }
    let asset = &assets(&service)[0];
    service.ask("POST", asset).problem(405, "method-not-allowed");
}
