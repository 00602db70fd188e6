use clock_offset::Shown;
use http::HeaderValue;
use serde::Deserialize;

use super::*;

/// 2026-11-23T20:11:51Z.
const NOW: UnixInstant = UnixInstant::from_nanos(1_795_464_711_000_000_000);

/// An answer that came at once.
const QUICK: Duration = Duration::ZERO;

fn source(field: Field) -> TimeSelector {
    TimeSelector { field, notation: Format::Auto.into(), date_cache: Duration::from_secs(1) }
}

fn read_body(body: &str, field: Field) -> Result<ServerTime, NotATime> {
    read(&HeaderMap::new(), body.as_bytes(), &source(field), NOW, QUICK)
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
    let time = read(&headers, b"", &source(Field::Header(header::DATE)), NOW, QUICK).unwrap();
    assert_eq!(time.reading.width(), Duration::from_secs(2));
    assert_eq!(time.reading.step, Duration::from_secs(1));
    let mut headers = HeaderMap::new();
    headers.insert("x-time", HeaderValue::from_static("1795464711"));
    let time =
        read(&headers, b"", &source(Field::Header(HeaderName::from_static("x-time"))), NOW, QUICK).unwrap();
    assert_eq!(time.reading.width(), Duration::from_secs(1));
}

#[test]
fn a_document_that_contradicts_itself_is_no_time() {
    let body = r#"{"current_time":"20:11:52","datetime":"2026-11-23T20:11:51.5Z"}"#;
    assert!(read_body(body, Field::Auto).unwrap_err().to_string().contains("contradicts itself"));
}

#[test]
fn two_readings_of_one_right_clock_are_no_contradiction() {
    for (current_time, datetime) in [
        ("20:11:51", "2026-11-23T20:11:52.000010Z"),
        ("20:11:51", "2026-11-23T20:11:51.5Z"),
        ("20:11:51.999998", "2026-11-23T20:11:52.000010Z"),
        ("20:11:52", "2026-11-23T20:11:51.999Z"),
        ("23:59:59", "2026-11-24T00:00:00.000010Z"),
        ("00:00:00", "2026-11-23T23:59:59.999999Z"),
        ("21:11:51", "2026-11-23T21:11:52.000010+01:00"),
        // In UTC, beside a `datetime` in its zone.
        ("20:11:51", "2026-11-23T21:11:51.5+01:00"),
        ("23:59:59", "2026-11-24T00:00:00.000010+01:00"),
        ("08:11:51 PM", "2026-11-23T20:11:51.5Z"),
        ("20:11", "2026-11-23T20:11:51.5Z"),
        // Coinbase's heartbeats: both are timestamps.
        ("2026-11-23T20:11:51Z", "2026-11-23T20:11:51Z"),
        ("2026-11-23T20:11:51.999998Z", "2026-11-23T20:11:52.000010Z"),
        ("2026-11-23T21:11:51+01:00", "2026-11-23T20:11:51.5Z"),
        ("Mon, 23 Nov 2026 20:11:51 GMT", "2026-11-23T20:11:51.5Z"),
        ("2026-11-23T20:11:51", "2026-11-23T20:11:51.5Z"),
        ("evening", "2026-11-23T20:11:51.5Z"),
    ] {
        let body = format!(r#"{{"current_time":"{current_time}","datetime":"{datetime}"}}"#);
        let time = read_body(&body, Field::Auto);
        assert!(time.is_ok(), "{body}: {time:?}");
    }
    for (current_time, datetime) in [
        ("20:11:53", "2026-11-23T20:11:51.5Z"),
        ("20:11:50", "2026-11-23T20:11:51.5Z"),
        ("20:12", "2026-11-23T20:11:51.5Z"),
        ("2026-11-23T20:11:53Z", "2026-11-23T20:11:51.5Z"),
        ("2026-11-24T20:11:51Z", "2026-11-23T20:11:51.5Z"),
    ] {
        let body = format!(r#"{{"current_time":"{current_time}","datetime":"{datetime}"}}"#);
        let error = read_body(&body, Field::Auto).unwrap_err().to_string();
        assert!(error.contains("contradicts itself") && error.contains(current_time), "{body}: {error}");
    }
}

#[test]
fn two_readings_of_a_slow_answer_may_be_its_round_trip_apart_and_both_are_in_the_interval() {
    let body = r#"{"current_time":"2026-11-23T20:11:51.201Z","datetime":"2026-11-23T20:11:51.506Z"}"#;
    let after = |millis| {
        read(&HeaderMap::new(), body.as_bytes(), &source(Field::Auto), NOW, Duration::from_millis(millis))
    };
    assert!(
        after(290).unwrap_err().to_string().contains("contradicts itself"),
        "further apart than the answer took"
    );
    let (_, earliest, latest) = bounds(&after(310).unwrap().reading);
    let both = [1_795_464_711_201_000_000, 1_795_464_711_506_000_000];
    assert!(both.iter().all(|said| earliest <= *said && *said <= latest), "{earliest} to {latest}");
    assert!(latest - earliest < 320_000_000, "{earliest} to {latest}");
}

#[test]
fn a_local_time_beside_the_name_of_its_zone_is_no_contradiction() {
    let document = |current: &str, zone: &str| {
        format!(r#"{{"current_time":"{current}","timezone":"{zone}","datetime":"2026-11-23T20:11:51.5Z"}}"#)
    };
    for (current, zone) in [
        ("21:11:51", "Europe/Madrid"),
        ("09:11:51 PM", "Europe/Madrid"),
        ("2026-11-23T21:11:51", "Europe/Madrid"),
        ("2026-11-24 01:41:51", "Asia/Kolkata"),
        ("01:41:51", "Asia/Kolkata"),
        // In UTC, whatever zone is named.
        ("20:11:51", "Europe/Madrid"),
        ("2026-11-23T20:11:51", "Europe/Madrid"),
    ] {
        let time = read_body(&document(current, zone), Field::Auto);
        assert_eq!(
            bounds(&time.unwrap().reading),
            (false, 1_795_464_711_450_000_000, 1_795_464_711_600_000_000)
        );
    }
    for (current, zone) in
        [("22:11:51", "Europe/Madrid"), ("21:11:51", "Atlantis"), ("21:11:53", "Europe/Madrid")]
    {
        let error = read_body(&document(current, zone), Field::Auto).unwrap_err();
        assert!(matches!(error, NotATime::Contradiction { .. }), "{current} {zone}: {error}");
    }
}

#[test]
fn a_byte_order_mark_is_skipped_and_utf_16_is_named() {
    let marked = "\u{feff}{\"now\":1795464711}";
    assert!(read_body(marked, Field::Member("now".to_owned())).is_ok());
    assert!(read_body("\u{feff}1795464711", Field::Body).is_ok());
    for mark in [&[0xFF, 0xFE][..], &[]] {
        let utf_16: Vec<u8> = mark
            .iter()
            .copied()
            .chain("{\"now\":1795464711}".encode_utf16().flat_map(u16::to_le_bytes))
            .collect();
        let error = read(&HeaderMap::new(), &utf_16, &source(Field::Auto), NOW, QUICK).unwrap_err();
        assert_eq!(error, NotATime::BodyIsUtf16);
    }
}

#[test]
fn bytes_that_are_no_utf_8_and_null_bytes_behind_a_document_do_not_hide_its_time() {
    let second = (false, 1_795_464_711_000_000_000, 1_795_464_712_000_000_000);
    for (body, field) in [
        (&b"{\"place\":\"Z\xfcrich\",\"now\":1795464711}"[..], "now"),
        (b"{\"now\":\"2026-11-23T20:11:51Z\"}\0", "now"),
        (b"{\"now\":1795464711}\n\0\0\0", "now"),
        (b"1795464711\0", "body"),
        // A space of Latin-1 in a time.
        (b"{\"now\":\"23\xa0Nov\xa02026 20:11:51 UTC\"}", "now"),
        (b")]}',\n{\"now\":1795464711}", "now"),
        (b"callback({\"now\":1795464711});", "now"),
    ] {
        let time = read(&HeaderMap::new(), body, &source(field.parse().unwrap()), NOW, QUICK);
        let time = time.unwrap_or_else(|error| panic!("{}: {error}", String::from_utf8_lossy(body)));
        assert_eq!(bounds(&time.reading), second, "{}", String::from_utf8_lossy(body));
    }
    let binary = read(&HeaderMap::new(), b"\x89PNG\r\n\x1a\n", &source(Field::Auto), NOW, QUICK);
    assert_eq!(binary.unwrap_err(), NotATime::BodyIsNotText);
}

#[test]
fn a_body_that_is_one_json_value_is_read_as_the_body_and_as_the_whole_document() {
    let second = (false, 1_795_464_711_000_000_000, 1_795_464_712_000_000_000);
    for body in
        ["\"2026-11-23T20:11:51Z\"\n", "1795464711", "\"1795464711\"", "\"\\/Date(1795464711000)\\/\""]
    {
        for field in [Field::Body, Field::Pointer(String::new())] {
            let time = read_body(body, field).unwrap_or_else(|error| panic!("{body}: {error}"));
            assert_eq!(bounds(&time.reading), second, "{body}");
        }
    }
    let error = read_body("{}", Field::Pointer(String::new())).unwrap_err().to_string();
    assert!(error.contains("the JSON answer` is an object"), "{error}");
}

#[test]
fn a_member_that_occurs_twice_with_different_values_is_named() {
    // RFC 8259 section 4; serde-rs/json#762.
    let member = |path: &str| Field::Member(path.to_owned());
    let pointer = |path: &str| Field::Pointer(path.to_owned());
    for (body, field) in [
        (r#"{"now":1795464711,"now":1795464712}"#, member("now")),
        (r#"{"a":[{"now":1795464711,"now":"1795464711"}]}"#, member("a.0.now")),
        (r#"{"a/b":{"now":1},"a/b":{"now":2}}"#, pointer("/a~1b/now")),
        (r#"{"datetime":"2026-11-23T20:11:51Z","datetime":"2026-11-23T20:11:52Z"}"#, Field::Auto),
    ] {
        let error = read_body(body, field).unwrap_err();
        assert!(matches!(error, NotATime::Twice { .. }), "{body}: {error}");
    }
    for (body, field) in [
        (r#"{"now":1795464711,"now": 1795464711}"#, member("now")),
        (r#"{"now":1795464711,"id":1,"id":2}"#, member("now")),
    ] {
        assert!(read_body(body, field).is_ok(), "{body}");
    }
}

#[test]
fn a_header_that_occurs_twice_is_named_unless_its_values_agree() {
    let dates = |values: [&'static str; 2]| {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::DATE, HeaderValue::from_static(value));
        }
        read(&headers, b"", &source(Field::Header(header::DATE)), NOW, QUICK)
    };
    let [now, next, later] =
        ["Mon, 23 Nov 2026 20:11:51 GMT", "Mon, 23 Nov 2026 20:11:52 GMT", "Mon, 23 Nov 2026 20:11:55 GMT"];
    assert_eq!(dates([now, now]).unwrap().reading.width(), Duration::from_secs(2));
    // A proxy that adds its own, after the edge of a second: both are in the interval.
    assert_eq!(dates([now, next]).unwrap().reading.width(), Duration::from_secs(3));
    assert!(dates([now, later]).unwrap_err().to_string().contains("the header `date` occurs twice"));
}

#[test]
fn a_local_date_in_an_array_is_read_in_its_zone() {
    // Jackson, WRITE_DATES_AS_TIMESTAMPS with LocalDateTime.
    let field = || Field::Member("now".to_owned());
    let notation = Notation { zone: Some("Europe/Madrid".parse().unwrap()), ..Format::Auto.into() };
    let selector = TimeSelector { notation, ..source(field()) };
    for (body, width) in [
        (r#"{"now":[2026,11,23,21,11,51]}"#, Duration::from_secs(1)),
        (r#"{"now":[2026,11,23,21,11]}"#, Duration::from_mins(1)),
        (r#"{"now":[2026,11,23,21,11,51,123000000]}"#, Duration::from_micros(1_500)),
    ] {
        let time = read(&HeaderMap::new(), body.as_bytes(), &selector, NOW, QUICK);
        assert_eq!(time.unwrap_or_else(|error| panic!("{body}: {error}")).reading.width(), width, "{body}");
        assert!(read_body(body, field()).unwrap_err().to_string().contains("no time zone"), "{body}");
    }
    assert!(read_body(r#"{"now":[1,2]}"#, field()).unwrap_err().to_string().contains("an array"));
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
    assert_eq!(parse(""), Ok(Field::Pointer(String::new())));
    assert_eq!(parse("/"), Ok(Field::Pointer("/".to_owned())));
    let name = "no spaces".to_owned();
    assert_eq!(parse("header:no spaces"), Err(FieldError::HeaderName { name }));
}
