//! How what is always the same is sent: the assets of the page, and the description of the service.

use std::io::Read as _;

use crate::harness::Service;

/// The paths of the assets as the page has them.
fn assets(service: &Service) -> Vec<String> {
    let page = service.get("/").body;
    let paths: Vec<String> =
        page.split('"').filter(|part| part.starts_with("/assets/")).map(str::to_owned).collect();
    assert_eq!(paths.len(), 3, "{page}");
    paths
}

/// The paths of all files.
fn files(service: &Service) -> Vec<String> {
    [assets(service), vec!["/openapi.json".to_owned()]].concat()
}

#[test]
fn the_description_is_the_contract_and_may_be_kept_for_a_while() {
    let service = Service::start();
    let answer = service.get("/openapi.json");
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "public, max-age=3600");
    assert_eq!(answer.body, include_str!("../../../../contract/openapi.json"));
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
fn files_are_sent_in_the_coding_that_is_smallest_and_taken() {
    let service = Service::start();
    for path in files(&service) {
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
            let head = service.head(&path, &lines);
            let bytes = service.body(&path, &lines);
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
fn a_file_that_the_client_has_is_not_sent_again() {
    let service = Service::start();
    for path in files(&service) {
        let gzip = "Accept-Encoding: gzip\r\n";
        let plain_tag = service.head(&path, "").header("etag").to_owned();
        let gzip_tag = service.head(&path, gzip).header("etag").to_owned();
        assert_ne!(plain_tag, gzip_tag, "other bytes under a strong tag");

        for known in [gzip_tag.clone(), format!("W/{gzip_tag}"), format!("\"x\", {gzip_tag}"), "*".to_owned()]
        {
            let mut client = service.connect();
            client.send(format!(
                "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{gzip}If-None-Match: \
                 {known}\r\n\r\n"
            ));
            let answer = client.answer_to("HEAD");
            assert_eq!(answer.status(), 304, "{known}");
            assert_eq!(answer.header("etag"), gzip_tag);
            assert_eq!(answer.header("cache-control"), service.head(&path, "").header("cache-control"));
            assert_eq!(answer.header("vary"), "Accept-Encoding");
            assert!(!answer.has("content-type") && !answer.has("content-encoding"), "{answer:#?}");
            assert_eq!(client.rest(), "", "a 304 has no body");
        }
        for other in [plain_tag.as_str(), "\"x\"", "x"] {
            let answer = service.head(&path, &format!("{gzip}If-None-Match: {other}\r\n"));
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
