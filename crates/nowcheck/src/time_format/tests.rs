use proptest::prelude::*;

use super::*;

/// 2026-11-23T20:11:51Z.
const NOW: i128 = 1_795_464_711 * SECOND;
const MILLI: i128 = 1_000_000;

fn instant(text: &str, format: Format) -> (i128, i128) {
    bounds(&read(text, format, false).unwrap_or_else(|error| panic!("{text}: {error}")))
}

fn bounds(reading: &Reading) -> (i128, i128) {
    match reading.shown {
        Shown::Instant(interval) => (interval.earliest().as_nanos(), interval.latest().as_nanos()),
        Shown::TimeOfDay(interval) => (interval.earliest().as_nanos(), interval.latest().as_nanos()),
    }
}

#[test]
fn the_same_second_is_read_from_every_format() {
    let second = (NOW, NOW + SECOND);
    for text in [
        "2026-11-23T20:11:51Z",
        "2026-11-23t20:11:51z",
        "2026-11-23 20:11:51+00:00",
        "2026-11-23T21:11:51+01:00",
        "2026-11-23T16:41:51-03:30",
        "2026-11-24T10:11:51+14:00",
        "Mon, 23 Nov 2026 20:11:51 GMT",
        "Monday, 23-Nov-26 20:11:51 GMT",
        "Mon Nov 23 20:11:51 2026",
        "1795464711",
        " 1795464711\n",
    ] {
        assert_eq!(instant(text, Format::Auto), second, "{text}");
    }
}

#[test]
fn unix_times_are_told_apart_by_their_size() {
    let at = NOW + 123_456_789;
    assert_eq!(instant("1795464711123", Format::Auto), (NOW + 123 * MILLI - MILLI / 2, NOW + 124 * MILLI));
    assert_eq!(instant("1795464711123456", Format::Auto), (NOW + 123_456_000 - 500, NOW + 123_457_000));
    assert_eq!(instant("1795464711123456789", Format::Auto), (at, at + 1));
    assert_eq!(instant("1795464711.123456789", Format::Auto), (at, at + 1));
    assert_eq!(instant("-1", Format::UnixSeconds), (-SECOND, 0));
}

#[test]
fn zeros_at_the_end_prove_no_resolution() {
    let second = (NOW, NOW + SECOND);
    for (text, format) in [
        ("1795464711.000", Format::UnixSeconds),
        ("1795464711000", Format::UnixMillis),
        ("1795464711000000000", Format::UnixNanos),
        ("2026-11-23T20:11:51.000000Z", Format::Rfc3339),
    ] {
        assert_eq!(instant(text, format), second, "{text}");
    }
    // But zeros before the last second digit are digits of the second.
    assert_eq!(instant("1795464700", Format::UnixSeconds), (NOW - 11 * SECOND, NOW - 10 * SECOND));
}

#[test]
fn a_rounded_fraction_stays_inside_of_its_interval() {
    // 51.9996 rounds to 52.000 and 51.1235 to 51.124 (or to 51.123, when truncated).
    let (earliest, latest) = instant("2026-11-23T20:11:51.124Z", Format::Rfc3339);
    assert!(earliest <= NOW + 123_500_000 && NOW + 124_999_999 <= latest);
}

#[test]
fn a_json_number_with_a_fraction_is_given_the_error_of_a_float() {
    let reading = read("1795464711.123456717", Format::Auto, true).unwrap();
    assert_eq!(bounds(&reading), (NOW + 123_456_717 - 250, NOW + 123_456_718 + 250));
    let whole = read("1795464711123456717", Format::Auto, true).unwrap();
    assert_eq!(bounds(&whole), (NOW + 123_456_717, NOW + 123_456_718));
}

#[test]
fn more_digits_than_a_clock_has_do_no_harm() {
    let (earliest, latest) = instant("1795464711.12345678901234567890", Format::UnixSeconds);
    assert!(earliest <= NOW + 123_456_789 && NOW + 123_456_789 <= latest && latest - earliest <= 2);
    for text in ["-1e30", "-999999999999999999999999999999", "999999999999999999999999999999", "1e30"] {
        for format in [Format::UnixSeconds, Format::UnixNanos, Format::Auto] {
            let far = read(text, format, false);
            assert!(far.is_err_and(|error| error.to_string().contains("million years")), "{text}");
        }
    }
}

#[test]
fn a_number_with_few_digits_may_be_rounded() {
    // As awk prints it: six digits, rounded and not truncated.
    let (earliest, latest) = instant("1.79546e+09", Format::UnixSeconds);
    assert!(earliest <= 1_795_455_001 * SECOND && latest >= 1_795_464_999 * SECOND);
}

#[test]
fn a_time_of_day_has_no_date() {
    let reading = read("20:11:51", Format::Auto, false).unwrap();
    assert!(matches!(reading.shown, Shown::TimeOfDay(_)));
    assert_eq!(bounds(&reading), (72_711 * SECOND, 72_712 * SECOND));
    assert_eq!(reading.step, Duration::from_secs(1));
}

#[test]
fn a_leap_second_is_the_second_before_or_after() {
    let midnight = 1_483_228_800 * SECOND;
    assert_eq!(instant("2016-12-31T23:59:60Z", Format::Rfc3339), (midnight - SECOND, midnight + SECOND));
    assert_eq!(
        instant("2017-01-01T00:59:60.5+01:00", Format::Rfc3339),
        (midnight - SECOND, midnight + SECOND)
    );
    assert!(read("2016-12-31T12:59:60Z", Format::Rfc3339, false).is_err());
    assert!(read("23:59:60", Format::TimeOfDay, false).is_ok());
    assert!(read("00:00:60", Format::TimeOfDay, false).is_err());
}

#[test]
fn what_is_not_a_time_is_refused_with_the_reason() {
    for (text, reason) in [
        ("", "it is empty"),
        ("25:61:00", "its hour is 25"),
        ("23:61:00", "its minute is 61"),
        ("20:11", "`:` is missing"),
        ("20:11:51Z", "something follows it"),
        ("2026-02-29T00:00:00Z", "there is no such date"),
        ("2026-11-23T20:11:51", "it has no time zone"),
        ("2026-11-23T20:11:51.Z", "digits of the fraction are missing"),
        ("2026-11-23", "`T` is missing"),
        ("noon", "is not a time in a known format"),
        ("Monday", "is not an HTTP date"),
        ("12 o'clock", "is not a time in a known format"),
        ("1e400", "is not a time in a known format"),
        ("--5", "is not a time in a known format"),
        ("NaN", "is not a time in a known format"),
    ] {
        let error = read(text, Format::Auto, false).expect_err(text).to_string();
        assert!(error.contains(reason), "{text:?}: {error}");
    }
    for text in ["1e29", "99999999999999999999999999999"] {
        assert!(read(text, Format::UnixSeconds, false).unwrap_err().to_string().contains("million years"));
    }
}

#[test]
fn a_text_in_another_format_than_the_one_that_was_named_is_refused_with_the_one_that_it_looks_like() {
    for (text, given, likelier) in [
        ("1795464711123456", Format::UnixSeconds, Some(Format::UnixMicros)),
        ("2026-11-23T20:11:51Z", Format::TimeOfDay, Some(Format::Rfc3339)),
        ("1795464711", Format::Rfc3339, Some(Format::UnixSeconds)),
        ("20:11:51", Format::UnixMillis, Some(Format::TimeOfDay)),
        ("noon", Format::TimeOfDay, None),
    ] {
        let error = read(text, given, false).unwrap_err();
        assert_eq!((error.given, error.likelier), (Some(given), likelier), "{text}");
    }
}

#[test]
fn a_unit_is_suspected_only_when_another_one_makes_it_now() {
    let units = [Format::UnixSeconds, Format::UnixMillis, Format::UnixMicros, Format::UnixNanos];
    let suspected = |nanos: i128, format: Format| {
        let text = (nanos / format.unit().unwrap()).to_string();
        units.map(|read_as| {
            let reading = read(&text, read_as, false).ok()?;
            likelier_unit(&reading, read_as, UnixInstant::from_nanos(NOW))
        })
    };
    let millis = Some(Format::UnixMillis);
    assert_eq!(suspected(NOW + 3 * SECOND, Format::UnixMillis), [millis, None, millis, millis]);
    // A clock that is wrong by years, or was never set, is a wrong clock and no slip of the pen.
    for wrong in [NOW - 400 * DAY, 5 * SECOND] {
        assert_eq!(suspected(wrong, Format::UnixMillis), [None; 4], "{wrong}");
    }
    let date = read("2026-11-23T20:11:51Z", Format::Rfc3339, false).unwrap();
    assert_eq!(likelier_unit(&date, Format::Rfc3339, UnixInstant::from_nanos(0)), None);
}

proptest! {
    #[test]
    fn any_date_is_read_as_another_implementation_writes_it(
        nanos in -62_000_000_000_i128 * SECOND..253_000_000_000_i128 * SECOND,
    ) {
        let written = jiff::Timestamp::from_nanosecond(nanos).unwrap();
        let text = format!("{written:.9}");
        let (earliest, latest) = instant(&text, Format::Rfc3339);
        prop_assert!(earliest <= nanos && nanos <= latest, "{text}");
        prop_assert!(latest - earliest <= SECOND + SECOND / 2);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,40}") {
        for format in Format::ALL {
            let _ = read(&text, format, true);
        }
    }

    #[test]
    fn no_text_of_digits_and_marks_makes_the_reader_panic(text in "[-+0-9eE.:TZ ]{0,45}") {
        for format in Format::ALL {
            let _ = read(&text, format, true);
        }
    }
}
