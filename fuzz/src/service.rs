//! nowd: the query, the time zone, the host, whole requests, and the status of the clock.

use std::time::Duration;

use clock_offset::{Shown, UnixInstant};
use http::header::ACCEPT_ENCODING;
use http::{HeaderMap, HeaderValue};
use nowcheck::answer::{self, Field, TimeSelector};
use nowcheck::time_format::Format;
use nowd::fuzzing::{self, Rejection};

/// The query of a URL.
pub fn nowd_query(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    match fuzzing::time_zone_name(text) {
        Ok(None) => {}
        Ok(Some(name)) => {
            assert!(!name.is_empty());
            if let Err(rejection) = fuzzing::time_zone(&name) {
                assert_is_a_problem(&rejection);
            }
        }
        Err(rejection) => assert_is_a_problem(&rejection),
    }
    if !text.is_empty() {
        // Percent-encoding survives a round trip.
        let encoded: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let query = format!("a=b&tz={encoded}");
        assert_eq!(fuzzing::time_zone_name(&query).ok().flatten().as_deref(), Some(text));
    }
}

fn assert_is_a_problem(Rejection { status, body }: &Rejection) {
    let said: serde_json::Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(said["status"], *status);
    // Input is truncated and escaped; in JSON each character takes a few bytes.
    crate::assert_is_printable(body.trim_end(), 2_000);
    crate::assert_is_printable(said["detail"].as_str().expect("a text"), 1_000);
}

/// From 1973, when the last zone gave up an offset with seconds in it, which RFC 3339 cannot express.
const FIRST: u64 = 100_000_000;
/// A few days before the year 10000.
const LAST: u64 = 253_402_000_000;

/// A time zone at any time: nowcheck reads nowd's document as that very time.
pub fn nowd_zone(data: &[u8]) {
    let Some((time, name)) = data.split_first_chunk::<12>() else { return };
    let Ok(name) = str::from_utf8(name) else { return };
    let Ok(zone) = fuzzing::time_zone(name) else { return };
    let [a, b, c, d, e, f, g, h, nanos @ ..] = *time;
    let seconds = FIRST + u64::from_be_bytes([a, b, c, d, e, f, g, h]) % (LAST - FIRST);
    let nanos = u32::from_be_bytes(nanos) % 1_000_000_000;
    let document = fuzzing::now_document(seconds, nanos, &zone);
    let source =
        TimeSelector { field: Field::Auto, notation: Format::Auto.into(), date_cache: Duration::ZERO };
    let truth = UnixInstant::from_nanos(i128::from(seconds) * 1_000_000_000 + i128::from(nanos));
    let read = answer::read(&HeaderMap::new(), &document, &source, truth, Duration::ZERO).expect("a time");
    let Shown::Instant(shown) = read.reading.shown else { panic!("{read:?}") };
    assert!(shown.contains(truth), "{shown:?} {truth:?} {}", String::from_utf8_lossy(&document));
}

/// All that a client may send over one connection, through hyper with nowd's settings, with the access log. The first
/// byte is the size of the pieces in which it arrives.
pub fn nowd_request(data: &[u8]) {
    let Some((&size, input)) = data.split_first() else { return };
    let mut output = Vec::new();
    let pipe = fuzzing::Pipe { input, size: usize::from(size).max(1), output: &mut output };
    let (connection, log) = fuzzing::serve(pipe);
    fuzzing::run_to_end(connection, input.len());
    assert_is_a_log(&log.read());
    if let Some(rest) = output.strip_prefix(b"HTTP/1.1 ").or_else(|| output.strip_prefix(b"HTTP/1.0 ")) {
        let status = &rest[..rest.len().min(3)];
        let known = [b"200", b"204", b"304", b"400", b"404", b"405", b"413", b"414", b"431"];
        assert!(known.iter().any(|known| &known[..] == status), "{}", String::from_utf8_lossy(&output));
    } else {
        assert!(output.is_empty(), "{}", String::from_utf8_lossy(&output));
    }
}

/// What the fast path accepts of the bytes from a client, beside what hyper makes of them. The first byte is
/// `--max-headers`.
pub fn nowd_fast_path(data: &[u8]) {
    let Some((&headers, bytes)) = data.split_first() else { return };
    if let Err(difference) = fuzzing::compare_with_hyper(bytes, usize::from(headers).max(1)) {
        panic!("{difference}");
    }
}

/// The access log is one line of JSON for each request.
fn assert_is_a_log(log: &[u8]) {
    assert!(log.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\n')), "{}", String::from_utf8_lossy(log));
    for line in log.split_inclusive(|&byte| byte == b'\n') {
        assert_eq!(line.last(), Some(&b'\n'));
        let said: serde_json::Value = serde_json::from_slice(line).expect("JSON");
        assert!(
            said["status"].is_u64() && said["method"].is_string() && said["target"].is_string(),
            "{said}"
        );
    }
}

/// The `Host` header.
pub fn nowd_host(data: &[u8]) {
    if fuzzing::is_valid_host(data) {
        // Nothing that ends the authority of a URL, or starts one with a user in it.
        let is_harmless = |byte: &u8| byte.is_ascii_graphic() && !b"/?#@\\\"<>^`{|}".contains(byte);
        assert!(data.iter().all(is_harmless), "{}", String::from_utf8_lossy(data));
        assert!(fuzzing::is_valid_host(&data.to_ascii_uppercase()));
    }
}

/// ClockBound's segment, after eight bytes of the current time.
pub fn nowd_clock_bound(data: &[u8]) {
    let Some((now, segment)) = data.split_first_chunk() else { return };
    let now = Duration::from_nanos(u64::from_le_bytes(*now));
    let bound = |second: &[u8], now: Duration| fuzzing::clock_bound_error(segment, second, now, None);
    if let Some(first) = bound(segment, now) {
        // The bound expires, and never becomes smaller.
        assert!(bound(segment, now + Duration::from_secs(1)).is_none_or(|later| later >= first));
    }
    // By the processor's counter, which may have any value, at any time.
    for time in [now, Duration::from_secs(1_795_464_711), Duration::MAX] {
        let ticks = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let _ = fuzzing::clock_bound_error(segment, segment, now, Some((ticks, time)));
    }
    // A segment that is being written proves nothing.
    if let Some((last, rest)) = segment.split_last() {
        let torn = [rest, &[last ^ 1]].concat();
        assert_eq!(bound(&torn, now), None);
    }
}

/// An answer of the task metadata endpoint of Amazon ECS.
pub fn nowd_ecs_metadata(data: &[u8]) {
    let time = Duration::from_secs(1_631_033_870);
    for seconds in [0, 1, 3_600] {
        let Some((first, later)) = fuzzing::ecs_metadata_error(data, time, Duration::from_secs(seconds))
        else {
            return;
        };
        // The bound expires, and never becomes smaller.
        assert!(later.is_none_or(|later| later >= first));
    }
    assert_eq!(
        fuzzing::ecs_metadata_error(data, time, Duration::from_secs(3_601)).and_then(|(_, later)| later),
        None
    );
}

/// The `Accept-Encoding` header.
pub fn nowd_coding(data: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(data) else { return };
    let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, value)]);
    for name in ["gzip", "br"] {
        let accepts = fuzzing::accepts_coding(&headers, name);
        let text = String::from_utf8_lossy(data).to_lowercase();
        // No coding is used that was not asked for, nor one that was refused.
        assert!(!accepts || text.contains(name) || text.contains('*'), "{name} {text}");
        let refusal = [format!("{name};q=0,").as_bytes(), data].concat();
        if let Ok(value) = HeaderValue::from_bytes(&refusal) {
            assert!(
                !fuzzing::accepts_coding(&HeaderMap::from_iter([(ACCEPT_ENCODING, value)]), name),
                "{name} {text}"
            );
        }
    }
}

/// The `traceparent` header.
pub fn nowd_trace(data: &[u8]) {
    let Some((trace, parent)) = fuzzing::trace_ids(data) else { return };
    // Hexadecimal digits, and not all zeros.
    for (id, length) in [(trace, 32), (parent, 16)] {
        assert_eq!(id.len(), length);
        assert!(id.iter().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte)));
        assert!(id.iter().any(|&byte| byte != b'0'));
    }
    assert!(data.starts_with(&[&data[..2], b"-", trace, b"-", parent, b"-"].concat()));
}

/// A request line that hyper does not parse.
pub fn nowd_request_line(data: &[u8]) {
    if !fuzzing::is_other_http_version(data) {
        return;
    }
    // The version is at the end of the first line, and is not a supported one.
    let start = data.iter().position(|byte| !b"\r\n".contains(byte)).expect("a line");
    let end =
        data[start..].iter().position(|byte| b"\r\n".contains(byte)).map_or(data.len(), |end| start + end);
    let line = &data[start..end];
    assert!(fuzzing::is_other_http_version(line));
    let (before, version) = line.split_at(line.len() - 8);
    assert!(version.starts_with(b"HTTP/") && before.ends_with(b" "));
    for known in [b"HTTP/1.0", b"HTTP/1.1"] {
        assert_ne!(version, known);
        assert!(!fuzzing::is_other_http_version(&[before, known].concat()));
    }
}

/// A request at the private listener.
pub fn nowd_scrape(data: &[u8]) {
    const SECRET: &str = "what only /metrics tells";
    let answer = fuzzing::scrape(data, || SECRET.to_owned());
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(
        ["200", "400", "404", "405"]
            .map(|status| format!("HTTP/1.1 {status} "))
            .iter()
            .any(|s| head.starts_with(s))
    );
    assert!(!body.contains(SECRET) || data.starts_with(b"GET /metrics"), "{}", String::from_utf8_lossy(data));
    assert!(!body.is_empty() || data.starts_with(b"HEAD"), "{}", String::from_utf8_lossy(data));
    for line in head.split("\r\n") {
        crate::assert_is_printable(line, 200);
    }
}
