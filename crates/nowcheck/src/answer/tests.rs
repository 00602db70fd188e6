use clock_offset::Shown;
use http::HeaderValue;
use serde::Deserialize;

use super::*;

fn source(field: Field) -> TimeSelector {
    TimeSelector { field, format: Format::Auto, date_cache: Duration::from_secs(1) }
}

fn read_body(body: &str, field: Field) -> Result<ServerTime, NotATime> {
    read(&HeaderMap::new(), body.as_bytes(), &source(field))
}

fn bounds(reading: &Reading) -> (bool, i128, i128) {
    match reading.shown {
        Shown::Instant(shown) => (false, shown.earliest().as_nanos(), shown.latest().as_nanos()),
        Shown::TimeOfDay(shown) => (true, shown.earliest().as_nanos(), shown.latest().as_nanos()),
    }
}

#[derive(Deserialize)]
struct Golden {
    name: String,
    given: Given,
    body: String,
}

#[derive(Deserialize)]
struct Given {
    unix_nanos: String,
    status: String,
    max_error_micros: Option<u32>,
    instance: String,
}

#[test]
fn every_golden_body_of_the_contract_is_read_to_the_nanosecond() {
    let goldens: Vec<Golden> =
        serde_json::from_str(include_str!("../../../../contract/golden/now.json")).unwrap();
    assert!(!goldens.is_empty());
    for golden in goldens {
        let time =
            read_body(&golden.body, Field::Auto).unwrap_or_else(|error| panic!("{}: {error}", golden.name));
        let truth: i128 = golden.given.unix_nanos.parse().unwrap();
        let (_, earliest, latest) = bounds(&time.reading);
        assert!(earliest <= truth && truth <= latest, "{}", golden.name);
        assert_eq!(time.instance.as_deref(), Some(golden.given.instance.as_str()), "{}", golden.name);
        let clock = time.clock.unwrap();
        assert_eq!(clock.status, golden.given.status, "{}", golden.name);
        let bound = golden.given.max_error_micros.map(|micros| f64::from(micros) / 1e6);
        assert_eq!(clock.max_error, bound, "{}", golden.name);
    }
}

#[derive(Deserialize)]
struct Foreign {
    name: String,
    body: String,
    field: Option<String>,
    reads: Reads,
}

#[derive(Deserialize)]
struct Reads {
    time_of_day: bool,
    earliest: String,
    latest: String,
}

#[test]
fn every_foreign_body_of_the_contract_is_read() {
    let cases: Vec<Foreign> =
        serde_json::from_str(include_str!("../../../../contract/golden/foreign.json")).unwrap();
    assert!(!cases.is_empty());
    for case in cases {
        let field = case.field.map_or(Field::Auto, |field| field.parse().unwrap());
        let time = read_body(&case.body, field).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let expected = (
            case.reads.time_of_day,
            case.reads.earliest.parse().unwrap(),
            case.reads.latest.parse().unwrap(),
        );
        assert_eq!(bounds(&time.reading), expected, "{}", case.name);
    }
}

#[test]
fn a_date_header_may_be_as_old_as_the_server_may_cache_it() {
    let mut headers = HeaderMap::new();
    headers.insert(header::DATE, HeaderValue::from_static("Mon, 23 Nov 2026 20:11:51 GMT"));
    let time = read(&headers, b"", &source(Field::Header(header::DATE))).unwrap();
    assert_eq!(time.reading.width(), Duration::from_secs(2));
    assert_eq!(time.reading.step, Duration::from_secs(1));
    let mut headers = HeaderMap::new();
    headers.insert("x-time", HeaderValue::from_static("1795464711"));
    let time = read(&headers, b"", &source(Field::Header(HeaderName::from_static("x-time")))).unwrap();
    assert_eq!(time.reading.width(), Duration::from_secs(1));
}

#[test]
fn a_document_that_contradicts_itself_is_no_time() {
    let body = r#"{"current_time":"20:11:52","datetime":"2026-11-23T20:11:51.5Z"}"#;
    assert!(read_body(body, Field::Auto).unwrap_err().to_string().contains("contradicts itself"));
}

#[test]
fn what_holds_no_time_is_rejected_with_the_reason() {
    for (body, words) in [
        ("", "the body is empty"),
        ("<html></html>", "it looks like HTML"),
        ("{", "not JSON"),
        (r#"{"time":1}"#, "it has time"),
        ("[]", "it is an array"),
        (r#"{"current_time":null}"#, "`current_time` is null"),
        (r#"{"current_time":"25:61:00"}"#, "its hour is 25"),
        (r#"{"datetime":"2026-11-23T20:11:51"}"#, "no time zone"),
    ] {
        let error = read_body(body, Field::Auto).unwrap_err().to_string();
        assert!(error.contains(words), "{body}: {error}");
    }
}

#[test]
fn fields_are_told_apart_by_their_spelling() {
    let parse = str::parse::<Field>;
    assert_eq!(parse("body"), Ok(Field::Body));
    assert_eq!(parse("a.b"), Ok(Field::Member("a.b".to_owned())));
    assert_eq!(parse("/a/b"), Ok(Field::Pointer("/a/b".to_owned())));
    assert_eq!(parse("header:Date"), Ok(Field::Header(http::header::DATE)));
    assert_eq!(parse(""), Err(FieldError::Empty));
    let name = "no spaces".to_owned();
    assert_eq!(parse("header:no spaces"), Err(FieldError::HeaderName { name }));
}
