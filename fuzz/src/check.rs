//! nowcheck: what servers send it, and what people type.

use std::time::Duration;

use clock_offset::{
    BoundedTime, Drift, Interval, Limits, MonotonicInstant, Plan, Reading, ReferenceClock, Rules, Sample,
    Span, UnixInstant, exchange_bounds,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use nowcheck::answer::age;
use nowcheck::answer::{self, Field, TimeSelector};
use nowcheck::probe::address_overrides::{AddressOverride, AddressOverrides};
use nowcheck::probe::head_repair;
use nowcheck::probe::sntp::packet::Header;
use nowcheck::reference::source::ReferenceSource;
use nowcheck::schedule::Schedule;
use nowcheck::target::Target;
use nowcheck::text::printable;
use nowcheck::time_format::{self, Form, Format, Notation, Pattern};
use rustls_pki_types::CertificateDer;

const FORMATS: [Format; Format::ALL.len()] = Format::ALL;

/// When answers come.
fn now() -> UnixInstant {
    UnixInstant::from_nanos(1_795_464_711_000_000_000)
}

/// A text that may be a time. The first byte says in which format, whether its zone is given, and whether it was a
/// number in JSON.
pub fn time_text(data: &[u8]) {
    let Some((&first, text)) = data.split_first() else { return };
    let Ok(text) = str::from_utf8(text) else { return };
    // As long as an answer is let through to there.
    let text: String = text.chars().take(80).collect();
    let zone = (first & 64 != 0).then(|| "Europe/Madrid".parse().expect("a zone"));
    let notation = Notation { zone, ..FORMATS[usize::from(first) % FORMATS.len()].into() };
    match notation.read(&text, first >= 128, now()) {
        Ok(reading) => assert_is_sound(&reading),
        Err(error) => crate::assert_is_printable(&error.to_string(), 1_000),
    }
    let _ = time_format::on_the_wall(&text);
}

/// A line with a pattern, and a text that may be a time by it.
pub fn time_pattern(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let (pattern, text) = text.split_once('\n').unwrap_or((text, ""));
    let Ok(pattern) = pattern.parse() else { return };
    let text: String = text.chars().take(80).collect();
    for zone in [None, Some("Europe/Madrid".parse().expect("a zone"))] {
        let notation = Notation { form: Form::Pattern(Pattern::clone(&pattern)), zone };
        if let Ok(reading) = notation.read(&text, false, now()) {
            assert_is_sound(&reading);
        }
    }
}

/// Whatever was read, a round can reckon with it.
fn assert_is_sound(reading: &Reading) {
    assert!(reading.width() >= reading.may_lag);
    let reference = ReferenceClock {
        bounds: BoundedTime {
            at: MonotonicInstant::ORIGIN,
            shows: Interval::new(
                UnixInstant::from_nanos(1_795_464_711_000_000_000),
                UnixInstant::from_nanos(1_795_464_712_000_000_000),
            ),
        },
        drift: Drift::DISCIPLINED,
    };
    let rules = Rules {
        limits: Limits { max_offset: Duration::from_secs(1), warn_offset: None },
        drift: Drift::DISCIPLINED,
        requests_per_connection: 2,
        miss_probability: 0.01,
        expected_backends: None,
        max_requests: 64,
        max_connections: 8,
        last_start: MonotonicInstant::after_origin(Duration::from_secs(8)),
    };
    let mut plan = Plan::new(rules, reference);
    for connection in 0..2 {
        let sent = MonotonicInstant::after_origin(Duration::from_millis(10 * u64::from(connection)));
        let received = sent + Duration::from_millis(3);
        plan.record(Sample { sent, received, reading: *reading, instance: None, connection }, true);
        let _ = plan.next(received);
    }
    assert!(!plan.conclusion().backends.is_empty());
}

/// An answer: a line for the header, then the body. The first byte says where the time is looked for.
pub fn server_time(data: &[u8]) {
    let Some((&first, rest)) = data.split_first() else { return };
    let (line, body) = match rest.iter().position(|&byte| byte == b'\n') {
        Some(at) => (&rest[..at], &rest[at + 1..]),
        None => (&b""[..], rest),
    };
    let said = String::from_utf8_lossy(line).into_owned();
    let field = match first % 6 {
        0 => Field::Auto,
        1 => Field::Body,
        2 => Field::Member(said),
        3 => Field::Pointer(said),
        4 => Field::Header(http::header::DATE),
        _ => Field::Header(HeaderName::from_static("x-time")),
    };
    let mut headers = HeaderMap::new();
    if let (Field::Header(name), Ok(value)) = (&field, HeaderValue::from_bytes(line)) {
        headers.insert(name, value);
    }
    let source = TimeSelector {
        field,
        notation: FORMATS[usize::from(first / 6) % FORMATS.len()].into(),
        date_cache: Duration::from_secs(1),
    };
    match answer::read(&headers, body, &source, now(), Duration::ZERO) {
        Ok(time) => {
            assert_is_sound(&time.reading);
            if let Some(name) = time.instance {
                crate::assert_is_printable(&name, 1_000);
            }
            if let Some(clock) = time.clock {
                crate::assert_is_printable(&clock.status, 1_000);
                assert!(clock.max_error.is_none_or(|error| error.is_finite() && error >= 0.0));
            }
        }
        // The name of the field is what the user typed; what the server sent is escaped.
        Err(error) if !matches!(source.field, Field::Member(_) | Field::Pointer(_)) => {
            crate::assert_is_printable(&error.to_string(), 2_000);
        }
        Err(_) => {}
    }
    crate::assert_is_printable(&printable(body, 64), 1_000);
}

/// The beginning of an answer. What is handed on is a head that the HTTP library reads, and then the body as it came.
pub fn head_repair(data: &[u8]) {
    let Some(repaired) = head_repair::repaired(data) else { return };
    // However the bytes are cut on their way, the head is the same, and what follows it is a body.
    let head = (0..=data.len()).find_map(|end| head_repair::repaired(&data[..end]).map(|head| (end, head)));
    let (end, head) = head.expect("the whole has a head");
    let head = head.bytes;
    if repaired.leaves_the_body() {
        assert_eq!(repaired.bytes, [&head[..], &data[end..]].concat());
    } else {
        assert!(repaired.bytes.starts_with(&head), "chunks change nothing of the head");
    }
    assert!(head.ends_with(b"\r\n\r\n"));
    for line in head.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        assert!(!line.contains(&b'\r'), "{:?}", String::from_utf8_lossy(line));
    }
    // A second look changes no more than the spaces before the reason.
    let again = head_repair::repaired(&head).expect("it is a head").bytes;
    assert!(again.len() <= head.len());
    assert_eq!(head_repair::repaired(&again).expect("it still is").bytes, again);
}

/// The value of an `Age` header.
pub fn age(data: &[u8]) {
    let read = age::read(data);
    // Whatever stands behind the first comma does not matter, nor does the space around a number.
    let first = data.split(|&byte| byte == b',').next().expect("there is a first part");
    assert_eq!(read, age::read(&[b" ", first, b"\t, 7"].concat()));
    match read {
        Some(seconds) if seconds < u64::MAX => assert_eq!(age::read(seconds.to_string().as_bytes()), read),
        // At least as many digits as the greatest number has.
        Some(_) => assert!(first.trim_ascii().len() >= 20),
        None => assert!(first.is_empty() || !first.iter().all(u8::is_ascii_digit)),
    }
}

/// A URL as it is typed, a line feed, and where an answer redirects to.
pub fn target(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let (text, location) = text.split_once('\n').unwrap_or((text, "/now"));
    match Target::parse(text, "/now") {
        Ok(target) => {
            assert_can_be_asked(&target);
            let again = Target::parse(&target.to_string(), "/").expect("what it is printed as is itself");
            assert_eq!((&again.host, again.port, again.tls), (&target.host, target.port, target.tls));
            assert_eq!(again.path_and_query, target.path_and_query);
            assert_can_be_asked(&target.root());
            if let Some(next) = target.redirected_to(location) {
                assert_can_be_asked(&next);
            }
        }
        Err(error) => crate::assert_is_printable(&error.to_string(), 4_000),
    }
}

/// Nothing in it could begin a line of its own in a request.
fn assert_can_be_asked(target: &Target) {
    for part in [&target.authority, &target.request_target().to_string()] {
        assert!(!part.is_empty());
        assert!(!part.bytes().any(|byte| byte.is_ascii_control() || byte == b' '), "{part:?}");
    }
    assert!(target.request_target().to_string().starts_with('/'));
}

/// `--resolve` and `--reference`.
pub fn overrides(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Ok(read) = text.parse::<AddressOverride>() {
        let read: AddressOverrides = [read].into_iter().collect();
        let host = text.split_once(':').expect("HOST:ADDR").0;
        let host = url::Host::parse(host).expect("a name");
        assert_eq!(read.of(&host).count(), 1);
    }
    if let Ok(source) = text.parse::<ReferenceSource>() {
        assert_eq!(source.to_string().parse(), Ok(source), "what it is printed as is itself");
    }
}

/// A packet of a time server, after 16 bytes that say when it was asked and when it answered.
pub fn sntp_packet(data: &[u8]) {
    let Some((times, packet)) = data.split_first_chunk::<16>() else { return };
    let Some(header) = Header::of(packet) else { return };
    let nonce = *packet[24..].first_chunk().expect("the header is complete");
    let _ = (header.leap_indicator(), header.stratum(), header.reference_id(), header.lacks_a_stamp());
    let _ = header.answers(nonce);
    let time = |at: usize| u64::from_be_bytes(*times[at..].first_chunk().expect("eight bytes"));
    let sent = MonotonicInstant::after_origin(Duration::from_nanos(time(0)));
    let received = MonotonicInstant::after_origin(Duration::from_nanos(time(8)));
    let stamps = header.stamps();
    if let Some(bounds) = exchange_bounds(sent, received, &stamps, Drift::DISCIPLINED) {
        assert!(sent <= received);
        assert_eq!(bounds.at, received);
        // A stamp may miss what the clock showed by the precision.
        let shows = bounds.shows.widened_by(Span::from(stamps.precision));
        assert!(shows.contains(stamps.transmit), "{stamps:?} {bounds:?}");
        let later = bounds.carried_to(received + Duration::from_secs(86_400), Drift::DISCIPLINED);
        assert!(later.shows.width() >= bounds.shows.width());
    }
}

/// The certificate that a server shows.
pub fn certificate(data: &[u8]) {
    if let Some(read) = nowcheck::probe::certificate_validity::read(&CertificateDer::from(data)) {
        let now = UnixInstant::from_nanos(0);
        assert_eq!(now + read.left(now), read.expires_at);
    }
}

/// When a round begins: three numbers.
pub fn schedule(data: &[u8]) {
    let Some(numbers) = data.first_chunk::<24>() else { return };
    let number = |at: usize| u64::from_be_bytes(*numbers[at..].first_chunk().expect("eight bytes"));
    // A hundred years; the clock begins with the program.
    let time = |at| Duration::from_nanos(number(at) % 3_155_760_000_000_000_000);
    let (first, period, now) = (time(0), time(8), time(16));
    let origin = MonotonicInstant::ORIGIN;
    let next = Schedule::new(origin + first, period).next_after(origin + now);
    assert!(next > origin + now);
    let period = period.as_nanos().max(1);
    assert_eq!(next.since(origin + first).as_nanos() % period, 0, "not at a multiple of the period");
    // No round falls out that has not begun yet.
    let last = (origin + first).max(origin + now);
    assert!(next.since(last).as_nanos() <= period);
}
