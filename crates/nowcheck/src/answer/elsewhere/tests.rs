use super::*;

/// 2026-11-23T20:11:51Z.
const NOW: UnixInstant = UnixInstant::from_nanos(1_795_464_711_000_000_000);

fn found(body: &str, field: &str, notation: Notation) -> Option<Elsewhere> {
    let field = if field.is_empty() { Field::Auto } else { field.parse().unwrap() };
    let source = TimeSelector { field, notation, date_cache: Duration::ZERO };
    find(&HeaderMap::new(), body.as_bytes(), &source, NOW, false)
}

fn at(place: TimePlace, writing: Writing) -> Elsewhere {
    Elsewhere { place, writing, leaves_format_out: false }
}

fn field(name: &str) -> Elsewhere {
    at(TimePlace::Field(name.to_owned()), Writing::AsItLooks)
}

fn in_place(writing: Writing) -> Elsewhere {
    at(TimePlace::WhereItShould, writing)
}

fn likely(zone: &str) -> Zoning {
    Zoning::Likely(zone.to_owned())
}

#[test]
fn a_time_in_another_field_is_found_by_its_path() {
    for (body, path) in [
        (r#"{"unixtime": 1795464711, "day": 7}"#, "unixtime"),
        (r#"{"uptime": 12345, "data": {"times": [{"now": "2026-11-23T20:11:51Z"}]}}"#, "data.times.0.now"),
        ("1795464711", "body"),
        ("2026-11-23T20:11:51Z", "body"),
        (r#"{"clock": "20:11:51", "uptime": "03:14:15"}"#, "clock"),
        (r#"{"at": {"seconds": 1795464711, "nanos": 5}}"#, "at"),
        // The nearest to now of several.
        (r#"{"backup": "2026-11-23T17:00:00Z", "now": "2026-11-23T20:11:51Z"}"#, "now"),
    ] {
        assert_eq!(found(body, "time", Format::Auto.into()), Some(field(path)), "{body}");
        assert_eq!(found(body, "", Format::Auto.into()), Some(field(path)), "{body}");
    }
}

#[test]
fn a_time_that_lacks_something_is_found_with_what_it_lacks() {
    let without = |zoning| in_place(Writing::WithoutZone(zoning));
    for (body, expected) in [
        (r#"{"datetime": "2026-11-23T20:11:51"}"#, without(likely("UTC"))),
        (r#"{"datetime": "2026-11-23T22:11:51"}"#, without(Zoning::Open)),
        (r#"{"datetime": "2026-11-23 21:11:51 CET"}"#, without(likely("CET"))),
        (r#"{"current_time": "2026-11-23 21:11:51 XYZ"}"#, without(Zoning::Open)),
        (
            r#"{"datetime": "23.11.2026 20:11:51"}"#,
            in_place(Writing::ByPattern(vec!["%d.%m.%Y %H:%M:%S".to_owned()], Some(Zoning::Open))),
        ),
        (
            r#"{"datetime": "at 2026-11-23T20:11:51+00:00"}"#,
            in_place(Writing::ByPattern(vec!["at %Y-%m-%dT%H:%M:%S%:z".to_owned()], None)),
        ),
        (
            "Now: 2026-11-23 20:11:51",
            at(
                TimePlace::Field("body".to_owned()),
                Writing::ByPattern(vec!["Now: %Y-%m-%d %H:%M:%S".to_owned()], Some(likely("UTC"))),
            ),
        ),
        (
            r#"{"now": "2026-11-23T22:11:51"}"#,
            at(TimePlace::Field("now".to_owned()), Writing::WithoutZone(Zoning::Open)),
        ),
    ] {
        assert_eq!(found(body, "", Format::Auto.into()), Some(expected), "{body}");
    }
    for body in [r#"{"datetime": 134399383110000000}"#, r#"{"now": 134399383110000000}"#] {
        let writing = found(body, "", Format::Auto.into()).unwrap().writing;
        assert!(matches!(&writing, Writing::Unread(why) if why.contains("FILETIME")), "{body}: {writing:?}");
    }
}

#[test]
fn the_default_fields_are_found_without_a_setting() {
    let body = r#"{"datetime": "2026-11-23T20:11:51Z"}"#;
    let without_field = at(TimePlace::WithoutField, Writing::AsItLooks);
    assert_eq!(found(body, "time", Format::Auto.into()), Some(without_field));
    for field in ["", "datetime"] {
        let without_format = Elsewhere { leaves_format_out: true, ..in_place(Writing::AsItLooks) };
        assert_eq!(found(body, field, Format::UnixSeconds.into()), Some(without_format));
    }
}

#[test]
fn utf_16_that_holds_a_time_is_named() {
    let body: Vec<u8> = r#"{"now": 1795464711}"#.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let source =
        TimeSelector { field: Field::Auto, notation: Format::Auto.into(), date_cache: Duration::ZERO };
    let found = find(&HeaderMap::new(), &body, &source, NOW, false);
    assert_eq!(found, Some(in_place(Writing::Unread("it is UTF-16".to_owned()))));
}

#[test]
fn a_header_of_the_service_is_found_and_the_date_only_beside_what_says_that_all_is_well() {
    let find_beside = |name: &'static str, body: &str| {
        let headers = [(name.parse().unwrap(), "Mon, 23 Nov 2026 20:11:51 GMT".parse().unwrap())];
        let source =
            TimeSelector { field: Field::Auto, notation: Format::Auto.into(), date_cache: Duration::ZERO };
        find(&headers.into_iter().collect(), body.as_bytes(), &source, NOW, false)
    };
    for body in ["OK\n", "hello", "pong"] {
        assert_eq!(find_beside("date", body), Some(field("header:date")), "{body}");
    }
    for body in ["", "{}", "<html>", r#"{"error": "down"}"#, "Internal error", "nothing here"] {
        assert_eq!(find_beside("date", body), None, "{body}");
    }
    assert_eq!(find_beside("x-time", "{}"), Some(field("header:x-time")));
    assert_eq!(find_beside("x-time", "<html>"), None);
    assert_eq!(find_beside("last-modified", "{}"), None);
}

#[test]
fn what_holds_no_time_near_now_is_no_evidence() {
    for body in [
        "<html>",
        "<!DOCTYPE html><p>Generated 2026-11-23T20:11:51Z</p>",
        "{}",
        r#"{"error": "down", "code": 500}"#,
        r#"{"started": "2026-11-01T00:00:00Z"}"#,
        r#"{"uptime": 12345}"#,
        // Days since 1970, but likelier a port.
        r#"{"port": 20780}"#,
        "",
        "half past ten",
    ] {
        for field in ["time", ""] {
            assert_eq!(found(body, field, Format::Auto.into()), None, "{body}");
        }
    }
}
