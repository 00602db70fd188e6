use std::io::Read as _;

use super::*;
use crate::http::time_zone;
use crate::page::static_files;

const NOON: u64 = 1_795_464_711;
const WELL: ClockStatus = ClockStatus::Synchronized { max_error_micros: 312 };

fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
}

fn visit(host: &str, zone: Option<&str>) -> PageRequest {
    let zone = zone.map(|name| time_zone::by_name(name).ok_or(Problem::ZoneUnknown { name: name.into() }));
    PageRequest::new(&HeaderMap::new(), host, zone.transpose())
}

fn page(host: &str, zone: Option<&str>) -> String {
    String::from_utf8(visit(host, zone).page(NOON, WELL, "3f9c2a7d")).unwrap()
}

#[test]
fn the_page_shows_the_time_and_the_command_for_the_name_it_was_called_by() {
    let page = page("time.example:8080", None);
    for text in [
        r#"datetime="2026-11-23T20:11:51Z""#,
        ">20:11:51<",
        "Monday, 23 November 2026",
        "curl http://time.example:8080/now<",
        "± 0.312 ms",
        "3f9c2a7d",
    ] {
        assert!(page.contains(text), "no {text} in {page}");
    }
    assert!(!page.contains('@'), "a place was left empty: {page}");
}

#[test]
fn the_page_shows_the_time_in_a_zone_and_asks_for_it_in_the_command() {
    let page = page("test", Some("america/st_johns"));
    for text in [
        r#"datetime="2026-11-23T20:11:51Z""#,
        ">16:41:51<",
        "UTC−3:30",
        r#"value="America/St_Johns""#,
        r#"curl "http://test/now?tz=America/St_Johns""#,
    ] {
        assert!(page.contains(text), "no {text} in {page}");
    }
}

#[test]
fn a_zone_that_there_is_not_is_said_on_the_page_and_cannot_write_html() {
    let visit = visit("test", Some("<script>&"));
    let page = String::from_utf8(visit.page(NOON, ClockStatus::Unknown, "3f9c2a7d")).unwrap();
    assert!(page.contains("No time zone is called “&lt;script&gt;&amp;”"), "{page}");
    assert!(page.contains(">20:11:51<") && page.contains(">UTC<"), "{page}");
    let mut response = Response::new(());
    visit.set_headers(&mut response);
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(PageRequest::new(&HeaderMap::new(), "test", Err(Problem::ZoneEmpty)).rejection, None);
}

#[test]
fn a_name_that_is_not_plain_does_not_reach_the_page() {
    for host in ["", "<script>", "a b", "x\"y", "$(reboot)", "a;b", "@TIME@", "é"] {
        assert!(page(host, None).contains("curl http://localhost:8080/now<"), "{host}");
    }
}

#[test]
fn the_compressed_page_is_the_plain_one() {
    let mut visit = visit("test", Some("Europe/Madrid"));
    let plain = visit.page(NOON, WELL, "3f9c2a7d");
    visit.takes_gzip = true;
    let deflated = visit.page(NOON, WELL, "3f9c2a7d");
    let mut unpacked = Vec::new();
    // It checks the length and the checksum.
    flate2::read::GzDecoder::new(&*deflated).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, plain);
    assert!(deflated.len() * 3 < plain.len() * 2, "{} of {}", deflated.len(), plain.len());
}

#[test]
fn every_asset_is_in_the_page_by_its_name() {
    let page = page("test", None);
    for (path, _) in static_files::assets() {
        assert!(page.contains(&format!("\"{path}\"")), "no {path} in {page}");
    }
}

#[test]
fn nothing_is_loaded_from_elsewhere_and_nothing_stands_in_the_page_that_its_policy_forbids() {
    let page = page("test", None);
    for forbidden in ["=\"http", "=\"//", "<style", "style=", "onclick", "url(", "javascript:"] {
        assert!(!page.contains(forbidden), "{forbidden} in {page}");
    }
    assert_eq!(
        page.matches("<script").count(),
        page.matches("<script type=\"module\" src=\"/assets/").count()
    );
    for (path, text) in static_files::assets() {
        let text = text.replace("http://www.w3.org/2000/svg", "");
        for elsewhere in ["http:", "https:", "@import", "url(", "eval(", "innerHTML"] {
            assert!(!text.contains(elsewhere), "{elsewhere} in {path}");
        }
    }
}

#[test]
fn only_a_name_that_is_this_machine_for_certain_is_isolated_without_https() {
    for host in ["localhost", "localhost:8080", "127.0.0.1:1", "[::1]", "[::1]:8080"] {
        assert!(visit(host, None).is_isolated, "{host}");
    }
    for host in ["", "time.example", "localhost.example", "127.0.0.1.example", "[::1].example", "[::2]"] {
        assert!(!visit(host, None).is_isolated, "{host}");
    }
    for (scheme, origin) in [
        ("https", "https://time.example"),
        ("HTTPS", "https://time.example"),
        ("https, http", "https://time.example"),
        ("http, https", "http://time.example"),
        ("", "http://time.example"),
    ] {
        let headers = headers(&[(FORWARDED_PROTO, scheme)]);
        let visit = PageRequest::new(&headers, "time.example", Ok(None));
        assert_eq!(visit.origin, origin);
        assert_eq!(visit.is_isolated, origin.starts_with("https"));
    }
}
