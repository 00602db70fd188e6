use proptest::prelude::*;

use super::*;

/// 2026-11-23T20:11:51Z.
const NOW: i128 = 1_795_464_711 * SECOND;
const MILLI: i128 = 1_000_000;

fn read(text: &str, format: Format, is_json_number: bool) -> Result<Reading, Unreadable> {
    Notation::from(format).read(text, is_json_number, UnixInstant::from_nanos(NOW))
}

fn read_in(zone: &str, text: &str) -> Result<Reading, Unreadable> {
    let notation = Notation { zone: Some(zone.parse().unwrap()), ..Format::Auto.into() };
    notation.read(text, false, UnixInstant::from_nanos(NOW))
}

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
        ("20:11:51!", "something follows it"),
        ("13:11:51 PM", "its hour is 13 of 12"),
        ("2026-11-23T20:11:51+01:00[Europe/Atlantis", "`]` is missing"),
        ("2026-11-23T20:11:51Z[!x-key=1]", "must not be passed over"),
        ("2026-11-23T20:11:51[Europe/Atlantis]", "there is no zone `Europe/Atlantis`"),
        ("2026-W54-1T20:11:51Z", "there is no such date"),
        ("2026-366T20:11:51Z", "there is no such date"),
        ("20261323T201151Z", "there is no such date"),
        ("Mon, 31 Nov 2026 20:11:51 GMT", "there is no such date"),
        ("11/23/2026 08:11:51 PM", "which of its first numbers is the month"),
        ("2026-02-29T00:00:00Z", "there is no such date"),
        ("2026-11-23T20:11:51", "has no time zone"),
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
    fn no_text_of_words_makes_the_reader_panic(text in "(Mon|Nov|[0-9]{1,5}|[-+:,.()\\[\\] /TZ]|PM|UTC|CET|Date\\(){0,14}") {
        for format in Format::ALL {
            let _ = read(&text, format, true);
        }
        let _ = read_in("Europe/Madrid", &text);
        let _ = on_the_wall(&text);
    }

    #[test]
    fn no_text_of_digits_and_marks_makes_the_reader_panic(text in "[-+0-9eE.:TZ ]{0,45}") {
        for format in Format::ALL {
            let _ = read(&text, format, true);
        }
    }
}

/// Each form, where it is from, and that it means the second of [`NOW`].
#[test]
fn the_same_second_is_read_as_the_world_writes_it() {
    for (text, _source) in [
        ("2026-11-23T20:11:51+0000", "strftime %z; golang/go#31113"),
        ("2026-11-24T01:41:51+0530", "strftime %z"),
        ("2026-11-23T20:11:51+00", "PostgreSQL, timestamptz; ISO 8601-1 section 4.3.13"),
        ("2026-11-23 20:11:51 +0000", "Ruby, Time#to_s; git log"),
        ("2026-11-23 20:11:51 UTC", "Ruby, Time#utc.to_s"),
        ("2026-11-23 20:11:51 GMT", "MySQL clients"),
        ("2026-11-23T21:11:51 +01:00", "ISO 8601 with a space"),
        ("2026-11-23t20:11:51z", "RFC 3339 section 5.6, the note on case"),
        ("2026-11-23_20:11:51Z", "RFC 3339 section 5.6, another separator"),
        ("2026/11/23 20:11:51Z", "Go, log.LstdFlags with a zone"),
        ("2026-11-23T19:11:51\u{2212}01:00", "ISO 8601-1 section 3.2.1: the minus sign"),
        ("2026-11-23T21:11:51+01:00[Europe/Madrid]", "RFC 9557; Java, ZonedDateTime.toString; js-joda#205"),
        ("2026-11-23T20:11:51Z[Europe/London][u-ca=gregory]", "RFC 9557; Temporal"),
        ("2026-11-23T21:11:51[Europe/Madrid]", "RFC 9557 without an offset"),
        ("2026-11-23T20:11:51Z[!u-ca=iso8601]", "RFC 9557 section 3.2"),
        ("2026-11-23 20:11:51 +0000 UTC", "Go, Time.String"),
        ("2026-11-23 21:11:51 +0100 CET m=+0.000012", "Go, Time.String with the monotonic reading"),
        ("20261123T201151Z", "ISO 8601 basic; x-amz-date"),
        ("20261123T211151+0100", "ISO 8601 basic"),
        ("20261123201151Z", "LDAP, RFC 4517 section 3.3.13"),
        ("20261123201151.0Z", "LDAP, Active Directory currentTime"),
        ("20261123211151+0100", "ASN.1 GeneralizedTime; HL7 DTM"),
        ("2026-W48-1T20:11:51Z", "ISO 8601, week date"),
        ("2026-327T20:11:51Z", "ISO 8601, ordinal date"),
        ("Mon, 23 Nov 2026 20:11:51 +0000", "RFC 5322; Python, email.utils; httpdate#16"),
        ("Mon, 23 Nov 2026 20:11:51 -0000", "Python, email.utils.formatdate()"),
        ("Mon, 23 Nov 2026 20:11:51 UTC", "Go, time.RFC1123 in UTC"),
        ("Mon, 23 Nov 2026 15:11:51 EST", "RFC 5322 section 4.3"),
        ("Mon, 23 Nov 26 20:11:51 +0000", "Kraken, /0/public/Time"),
        ("23 Nov 2026 20:11:51 GMT", "RFC 5322 without a day of the week"),
        ("Fri, 23 Nov 2026 20:11:51 GMT", "a wrong day of the week"),
        ("Monday, 23-Nov-26 20:11:51 UTC", "Go, time.RFC850 in UTC"),
        ("Mon, 23-Nov-2026 20:11:51 GMT", "Netscape's cookies"),
        ("Mon Nov 23 20:11:51 UTC 2026", "date(1); Go, time.UnixDate; Java, Date.toString"),
        ("Mon 23 Nov 2026 08:11:51 PM UTC", "date(1) of coreutils, en_US"),
        ("Mon Nov 23 21:11:51 +0100 2026", "Ruby on Rails; Twitter's created_at; Go, time.RubyDate"),
        ("Mon Nov 23 2026 20:11:51 GMT+0000 (Coordinated Universal Time)", "JavaScript, Date.toString"),
        ("Mon Nov 23 2026 21:11:51 GMT+0100 (CET)", "JavaScript, Date.toString"),
        ("November 23, 2026 at 8:11:51 PM UTC", "JavaScript, toLocaleString"),
        ("/Date(1795464711000)/", "ASP.NET, JavaScriptSerializer"),
        ("/Date(1795464711000+0530)/", "WCF, DataContractJsonSerializer"),
        ("0.00000000 1795464711", "PHP, microtime()"),
        ("1795464711,000", "a decimal comma"),
    ] {
        assert_eq!(instant(text, Format::Auto), (NOW, NOW + SECOND), "{text}");
    }
}

#[test]
fn a_day_of_one_digit_is_a_day() {
    let second = (NOW - 18 * DAY, NOW - 18 * DAY + SECOND);
    for text in
        ["Thu, 5 Nov 2026 20:11:51 GMT", "Thu Nov  5 20:11:51 2026", "Thursday, 5-Nov-26 20:11:51 GMT"]
    {
        assert_eq!(instant(text, Format::Auto), second, "{text}");
    }
}

#[test]
fn a_fraction_has_the_resolution_of_its_last_digit_in_every_form() {
    let millis = (NOW + 123 * MILLI - MILLI / 2, NOW + 124 * MILLI);
    for text in [
        "2026-11-23T20:11:51,123Z",
        "2026-11-23 20:11:51.123 +0000 UTC",
        "2026-11-23T21:11:51.123+01:00[Europe/Madrid]",
        "20261123T201151.123Z",
        "20261123211151.123+0100",
        "20261123201151123Z",
        "/Date(1795464711123)/",
        "0.12300000 1795464711",
        "1795464711,123",
        "Mon, 23 Nov 2026 20:11:51.123 GMT",
    ] {
        assert_eq!(instant(text, Format::Auto), millis, "{text}");
    }
    let nanos = (NOW + 123_456_789, NOW + 123_456_790);
    assert_eq!(instant("2026-11-23 20:11:51.123456789 +0000 UTC m=+0.000012", Format::Auto), nanos);
    assert_eq!(instant("2026-11-23T20:11:51.1234567891Z", Format::Auto), nanos);
}

#[test]
fn a_time_without_seconds_is_known_to_the_minute() {
    let minute = (NOW - 51 * SECOND, NOW + 9 * SECOND);
    // Java, OffsetDateTime.toString; ISO 8601.
    for text in ["2026-11-23T20:11Z", "2026-11-23T21:11+01:00", "20261123T2011Z"] {
        assert_eq!(instant(text, Format::Auto), minute, "{text}");
    }
    let reading = read("20:11", Format::Auto, false).unwrap();
    assert_eq!(bounds(&reading), (72_660 * SECOND, 72_720 * SECOND));
    assert_eq!(reading.step, Duration::from_mins(1));
}

#[test]
fn a_time_of_day_may_say_its_half_of_the_day_and_its_zone() {
    let second = (72_711 * SECOND, 72_712 * SECOND);
    for text in [
        "20:11:51Z",
        "20:11:51 UTC",
        "20:11:51+00:00",
        "21:11:51+0100",
        "08:11:51 PM",
        "8:11:51 pm",
        "8:11:51 p.m.",
        "8:11:51\u{202f}PM",
        "8:11:51 PM GMT",
    ] {
        let reading = read(text, Format::Auto, false).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert!(matches!(reading.shown, Shown::TimeOfDay(_)), "{text}");
        assert_eq!(bounds(&reading), second, "{text}");
    }
    let midnight = read("12:00:01 AM", Format::Auto, false).unwrap();
    assert_eq!(bounds(&midnight), (SECOND, 2 * SECOND));
    let across_midnight = read("00:11:51+01:00", Format::Auto, false).unwrap();
    assert_eq!(bounds(&across_midnight), (83_511 * SECOND, 83_512 * SECOND));
}

#[test]
fn a_time_without_a_zone_is_read_in_the_zone_that_is_given_and_otherwise_asks_for_it() {
    let second = (NOW, NOW + SECOND);
    for text in [
        "2026-11-23T21:11:51",
        "2026-11-23 21:11:51",
        "20261123211151",
        "20261123T211151",
        "2026-11-23 21:11:51 CET",
        "Mon 23 Nov 21:11:51 CET 2026",
    ] {
        assert_eq!(bounds(&read_in("Europe/Madrid", text).unwrap()), second, "{text}");
        let error = read(text, Format::Auto, false).unwrap_err();
        assert_eq!(error.lacks, Some(Lack::Zone), "{text}: {error}");
    }
    // What says its zone is in that zone.
    for text in ["2026-11-23T20:11:51Z", "Mon, 23 Nov 2026 20:11:51 GMT", "1795464711"] {
        assert_eq!(bounds(&read_in("Europe/Madrid", text).unwrap()), second, "{text}");
    }
    assert_eq!(bounds(&read_in("Europe/Madrid", "Mon Nov 23 21:11:51 2026").unwrap()), second);
    let of_day = read_in("Asia/Kathmandu", "01:56:51").unwrap();
    assert_eq!(bounds(&of_day), (72_711 * SECOND, 72_712 * SECOND));
}

#[test]
fn the_hour_that_is_repeated_is_the_one_that_is_nearer_to_now() {
    // In Madrid 2026-10-25 02:30 is twice: 00:30Z in summer time and 01:30Z after it.
    let zone: Zone = "Europe/Madrid".parse().unwrap();
    let notation = Notation { zone: Some(zone), ..Format::Auto.into() };
    let first = 1_792_888_200 * SECOND;
    for (now, meant) in [(first + 60 * SECOND, first), (first + HOUR - 60 * SECOND, first + HOUR)] {
        let reading = notation.read("2026-10-25T02:30:00", false, UnixInstant::from_nanos(now)).unwrap();
        assert_eq!(bounds(&reading), (meant, meant + SECOND));
    }
}

#[test]
fn a_year_of_two_digits_is_within_fifty_years_of_now() {
    // RFC 9110 section 5.6.7.
    for (year, meant) in [("26", "2026"), ("76", "2076"), ("77", "1977"), ("99", "1999"), ("00", "2000")] {
        let [short, long] = [year, meant]
            .map(|year| instant(&format!("Monday, 23-Nov-{year} 20:11:51 GMT"), Format::HttpDate));
        assert_eq!(short, long, "{year}");
    }
}

#[test]
fn a_number_in_a_unit_that_is_not_read_is_named_with_the_likeliest() {
    for (text, unit) in [
        ("134399383110000000", "FILETIME"),
        ("639310615110000000", ".NET ticks"),
        ("5250996633537387904", "ToBinary"),
        ("13439938311000000", "Chrome"),
        ("4004453511", "NTP"),
        ("17198996868097376256", "NTP timestamp of 64 bits"),
        ("3878309511", "Mac OS"),
        ("817157511.5", "Cocoa"),
        ("817157511000000000", "Core Data"),
        ("1479499929", "GPS"),
        ("848779911000000", "PostgreSQL"),
        ("17954647110000000", "100 ns since 1970"),
        ("29924411", "minutes since 1970"),
        ("46349.841562", "Excel"),
        ("61367.841562", "Modified Julian Date"),
        ("2461368.341563", "a Julian Date"),
        ("740309.841562", "MATLAB"),
        ("202611232011", "YYYYMMDDHHMM"),
        ("261123201151", "YYMMDDHHMMSS"),
        ("23112026201151", "DDMMYYYYHHMMSS"),
        ("201151", "HHMMSS"),
        // In another zone, and before ten o'clock without the leading zero.
        ("51150", "HHMMSS"),
        // In the first hour of a day.
        ("1151", "HHMMSS"),
        ("4152", "HHMMSS"),
        ("1151123", "HHMMSSmmm"),
        ("201151123", "HHMMSSmmm"),
        ("2124959130178289664", "Twitter"),
        ("1574517860720443392", "Discord"),
        ("117667575308156928", "Mastodon"),
    ] {
        for format in [Format::Auto, Format::UnixSeconds] {
            let error = read(text, format, true).expect_err(text).to_string();
            assert!(error.contains("not in a known unit") && error.contains(unit), "{text}: {error}");
        }
    }
    // A clock that was never set counts from 1970 or from its start, and is a wrong clock.
    for text in ["0", "5", "51", "1155", "4527", "12345", "86400", "315360000"] {
        assert!(read(text, Format::Auto, true).is_ok(), "{text}");
    }
}

#[test]
fn any_other_form_is_read_by_its_pattern() {
    let second = (NOW, NOW + SECOND);
    for (pattern, text, expected) in [
        ("%d.%m.%Y %H:%M:%S %z", "23.11.2026 21:11:51 +0100", second),
        ("%m/%d/%Y %I:%M:%S %p", "11/23/2026 09:11:51 PM", second),
        ("%d/%b/%Y:%H:%M:%S %z", "23/Nov/2026:20:11:51 +0000", second),
        ("%Y-%m-%d %H:%M:%S%.f", "2026-11-23 21:11:51.123", (NOW + 122_500_000, NOW + 124 * MILLI)),
        ("%Y-%m-%d %H:%M", "2026-11-23 21:11", (NOW - 51 * SECOND, NOW + 9 * SECOND)),
        ("%b %d %H:%M:%S", "Nov 23 21:11:51", second),
        ("epoch=%s", "epoch=1795464711", second),
        ("%H%M%S", "211151", (72_711 * SECOND, 72_712 * SECOND)),
        ("%Y%m%d%H%M%S", "20261123211151", second),
    ] {
        let pattern: Pattern = pattern.parse().unwrap();
        let zone = Some("Europe/Madrid".parse().unwrap());
        let notation = Notation { form: Form::Pattern(pattern), zone };
        let reading = notation.read(text, false, UnixInstant::from_nanos(NOW));
        assert_eq!(bounds(&reading.unwrap_or_else(|error| panic!("{text}: {error}"))), expected, "{text}");
        assert!(notation.read("noon", false, UnixInstant::from_nanos(NOW)).is_err());
    }
    for pattern in ["%J", "%", "no directive", ""] {
        assert!(pattern.parse::<Pattern>().is_err(), "{pattern}");
    }
}

/// The whole second 20:11:51Z, or a part of it, as libraries and databases print it.
#[test]
fn the_same_second_is_read_as_libraries_and_databases_print_it() {
    for (text, source) in [
        ("Mon 2026-11-23 20:11:51 UTC", "systemd, timedatectl"),
        ("[23/Nov/2026:20:11:51 +0000]", "Apache and nginx, common log format"),
        ("23/Nov/2026 20:11:51 +0000", "the same with a space"),
        ("~U[2026-11-23 20:11:51.123Z]", "Elixir, inspect/1"),
        ("ISODate(\"2026-11-23T20:11:51.123Z\")", "MongoDB's shell"),
        ("datetimeoffset'2026-11-23T20:11:51Z'", "OData 3"),
        ("\"2026-11-23T20:11:51Z\"", "JSON in JSON"),
        ("*20:11:51.123 UTC Mon Nov 23 2026", "Cisco IOS, show clock"),
        ("@1795464711", "systemd.time"),
        ("+002026-11-23T20:11:51.123Z", "ECMAScript, expanded years"),
        ("2026.11.23 20:11:51 UTC", "Hungarian and East Asian locales"),
        ("2026-11-23T20.11.51Z", "names of files"),
        ("2026327T201151Z", "ISO 8601, ordinal date, basic"),
        ("2026W481T201151Z", "ISO 8601, week date, basic"),
        ("23-NOV-26 08.11.51.123456 PM +00:00", "Oracle, TIMESTAMP WITH TIME ZONE"),
        ("2026-11-23 20:11:51.123456+00", "PostgreSQL"),
        ("Mon Nov 23 20:11:51.123456 2026 UTC", "PostgreSQL, DateStyle Postgres"),
        ("2026-11-23 20:11:51.1234567 +00:00", "SQL Server, datetimeoffset"),
        ("2026-11-23 20:11:51.123456789 +00:00:00", "Rust, time"),
        ("2026-11-23 20:11:51.123456789 UTC", "Rust, chrono"),
        ("2026-11-23 20:11:51 (UTC)", "a comment that is the zone"),
        ("2026-11-23 08:11:51 p. m. UTC", "Spanish locale"),
        ("Monday, November 23, 2026 at 8:11:51 PM Coordinated Universal Time", "Java, FULL"),
        ("Mon Nov 23 20:11:51 Coordinated Universal Time 2026", "Windows, %Z"),
        ("November 23rd, 2026 8:11:51 PM UTC", "moment.js, Do"),
        ("Mon Nov 23 20:11:51 +0000 2026", "Ruby; Twitter"),
        ("23 Nov 26 20:11:51 UTC", "Go, RFC822 with seconds"),
    ] {
        let (earliest, latest) = instant(text, Format::Auto);
        assert!(earliest >= NOW && latest <= NOW + SECOND, "{text} ({source}): {}", earliest - NOW);
    }
    for text in ["T20:11:51Z", "T201151Z", "20:11:51"] {
        assert_eq!(bounds(&read(text, Format::Auto, false).unwrap()).0, NOW.rem_euclid(DAY), "{text}");
    }
}

#[test]
fn what_is_written_for_people_without_its_zone_asks_for_it() {
    for (text, source) in [
        ("Nov 23, 2026, 8:11:51\u{202f}PM", "Java, MEDIUM; JavaScript, toLocaleString"),
        ("Monday, November 23, 2026 8:11:51 PM", "PowerShell, Get-Date; .NET, F"),
        ("23-Nov-2026 20:11:51", "MATLAB, datestr"),
        ("2026-Nov-23 20:11:51.123456", "Boost"),
        ("Nov 23 20:11:51", "syslog; Go, Stamp"),
        ("Nov 23 2026  8:11:51:123PM", "SQL Server, style 109"),
        ("2026-11-23-20.11.51.123456", "DB2"),
        ("2026:11:23 20:11:51", "EXIF"),
    ] {
        let error = read(text, Format::Auto, false).unwrap_err();
        assert_eq!(error.lacks, Some(Lack::Zone), "{text} ({source}): {error}");
        let (earliest, latest) = bounds(&read_in("UTC", text).unwrap());
        assert!(earliest >= NOW && latest <= NOW + SECOND, "{text} ({source}): {}", earliest - NOW);
    }
}

#[test]
fn an_offset_that_is_not_that_of_the_zone_is_named() {
    for text in [
        "2026-11-23T20:11:51+02:00[America/New_York]",
        "2026-11-23T20:11:51+02:00[!America/New_York]",
        "2026-11-23T20:11:51+01:00[+02:00]",
        "2026-11-23T20:11:51+00:00[Europe/Madrid]",
        "2026-11-23 20:11:51 +0200 America/New_York",
        "20:11:51+02:00[America/New_York]",
    ] {
        let error = read(text, Format::Auto, false).unwrap_err().to_string();
        assert!(error.contains("contradicts itself: its offset is +0"), "{text}: {error}");
    }
    for text in [
        // `Z` and `-00:00` say nothing about the place (RFC 9557 section 2).
        "2026-11-23T20:11:51Z[Europe/Madrid]",
        "2026-11-23T20:11:51-00:00[!Europe/Madrid]",
        "2026-11-23T21:11:51+01:00[!Europe/Madrid]",
        "2026-11-23T21:11:51+01:00[+01:00][u-ca=hebrew][_x=1][x-key=2-3]",
        // An elective zone that nobody knows is passed over (RFC 9557 section 3.3).
        "2026-11-23T21:11:51+01:00[Mars/Olympus]",
        "2026-11-23T21:11:51+01:00[GMT+01:00]",
    ] {
        assert_eq!(instant(text, Format::Auto), (NOW, NOW + SECOND), "{text}");
    }
    for (text, words) in [
        ("2026-11-23T21:11:51+01:00[!Mars/Olympus]", "there is no zone `Mars/Olympus`"),
        ("2026-11-23T21:11:51+01:00[!x-key=2]", "must not be passed over"),
        ("2026-11-23T21:11:51+01:00[Europe/Madrid][America/New_York]", "two different zones"),
        ("2026-11-23T21:11:51+01:00[+1x]", "is no offset"),
    ] {
        let error = read(text, Format::Auto, false).unwrap_err().to_string();
        assert!(error.contains(words), "{text}: {error}");
    }
}

#[test]
fn an_exponent_is_rounded_also_to_whole_seconds() {
    // C++'s ostream with ten digits, at 51.6 s past.
    let (earliest, latest) = instant("1.795464712e+09", Format::Auto);
    assert!((earliest..=latest).contains(&(NOW + 600 * MILLI)), "{earliest} {latest}");
}
