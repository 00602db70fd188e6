//! What operators see: metrics, the access log, the start line, readiness.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{ChildStdout, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::harness::{Answer, Client, Service, nowd, output};

/// A service with metrics at the address that is given back.
fn with_admin(flags: &[&str]) -> (Service, SocketAddr) {
    let mut service = Service::with(&[&["--admin-listen=127.0.0.1:0"], flags].concat());
    let line = service.line_with("metrics are at http://");
    let (_, url) = line.split_once("http://").expect("a URL");
    (service, url.trim_end_matches("/metrics").parse().expect("an address"))
}

fn get(address: SocketAddr, path: &str) -> Answer {
    let mut client = Client::to(address);
    client.send(format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n"));
    client.answer()
}

/// The value of a metric with its labels.
fn metric(address: SocketAddr, name: &str) -> f64 {
    let text = get(address, "/metrics").body;
    let line = text.lines().find(|line| line.starts_with(&format!("{name} ")));
    let line = line.unwrap_or_else(|| panic!("no {name} in {text}"));
    line.rsplit(' ').next().and_then(|value| value.parse().ok()).expect("a number")
}

/// Waits until a metric has that value: an answer is counted a moment after the client may have it.
fn until_it_is(address: SocketAddr, name: &str, value: f64) {
    for _ in 0..100 {
        if (metric(address, name) - value).abs() < f64::EPSILON {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{name} is {} and not {value}", metric(address, name));
}

#[test]
fn metrics_are_read_on_the_private_listener_and_never_on_the_public_one() {
    let (service, admin) = with_admin(&[]);
    for _ in 0..3 {
        assert_eq!(service.get("/now").status(), 200);
    }
    service.get("/metrics").problem(404, "not-found");
    let answer = get(admin, "/metrics");
    assert_eq!(answer.status(), 200);
    assert!(answer.header("content-type").starts_with("application/openmetrics-text; version=1.0.0"));
    assert!(answer.body.ends_with("# EOF\n"), "{}", answer.body);
    for (name, value) in [
        ("nowd_http_requests_total{route=\"/now\",class=\"2xx\"}", 3.0),
        ("nowd_http_requests_total{route=\"other\",class=\"4xx\"}", 1.0),
        ("nowd_http_request_duration_seconds_count", 4.0),
        ("nowd_connections_accepted_total", 4.0),
        ("nowd_connections_limit", 10_000.0),
        ("nowd_ready", 1.0),
        ("nowd_lines_dropped_total", 0.0),
    ] {
        until_it_is(admin, name, value);
    }
    let seconds = metric(admin, "nowd_http_request_duration_seconds_sum");
    assert!(seconds > 0.0 && seconds < 4.0, "{seconds}");
    assert_eq!(get(admin, "/now").status(), 404);
}

#[test]
fn whatever_a_limit_ends_is_counted() {
    let (service, admin) = with_admin(&["--max-connections=3", "--head-timeout=3s", "--idle-timeout=5s"]);
    let mut unfinished = service.connect();
    unfinished.send("GET /now HTTP/1.1\r\nHo");
    let (mut idle, mut used) = (service.connect(), service.connect());
    used.send("GET /now HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(used.answer().status(), 200);
    // A thread that is busy accepts later.
    until_it_is(admin, "nowd_connections_accepted_total", 3.0);
    assert_eq!(service.get("/now").status(), 503);
    for client in [&mut unfinished, &mut idle, &mut used] {
        assert_eq!(client.rest(), "");
    }
    for (head, status) in [
        ("nonsense\r\n\r\n", 400),
        ("GET /now HTTP/2.0\r\n\r\n", 505),
        (&format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(20_000)), 431),
        ("POST /now HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\n\r\nx", 405),
    ] {
        let mut client = service.connect();
        client.send(head);
        assert_eq!(client.answer().status(), status, "{head}");
    }
    for (name, value) in [
        ("nowd_connections_refused_total{how=\"answered\"}", 1.0),
        ("nowd_connections_timed_out_total{limit=\"head\"}", 1.0),
        ("nowd_connections_timed_out_total{limit=\"idle\"}", 2.0),
        ("nowd_heads_refused_total{why=\"malformed\"}", 1.0),
        ("nowd_heads_refused_total{why=\"too_large\"}", 1.0),
        ("nowd_heads_refused_total{why=\"version\"}", 1.0),
        ("nowd_bodies_refused_total", 1.0),
        ("nowd_http_requests_total{route=\"other\",class=\"4xx\"}", 2.0),
        ("nowd_http_requests_total{route=\"other\",class=\"5xx\"}", 1.0),
        // The one that was one too many, and not the one that speaks another HTTP.
        ("nowd_server_errors_total", 1.0),
    ] {
        until_it_is(admin, name, value);
    }
}

#[test]
fn half_a_head_that_came_along_with_a_whole_one_has_its_time_and_is_counted() {
    let (service, admin) = with_admin(&["--head-timeout=5s"]);
    let mut patient = service.connect();
    // More than is read at once, so that it is read again in several pieces.
    let long = "y".repeat(12_000);
    patient.send(format!("GET /now HTTP/1.1\r\nHost: test\r\n\r\nGET /nothing HTTP/1.1\r\nX: {long}\r\nHo"));
    assert_eq!(patient.answer().status(), 200);
    let mut silent = service.connect();
    silent.send("GET /now HTTP/1.1\r\nHost: test\r\n\r\nGET /now HTTP/1.1\r\nHo");
    assert_eq!(silent.answer().status(), 200);
    // After this, connections without work give their buffers back; what is in these is not lost.
    std::thread::sleep(Duration::from_millis(4_500));
    patient.send("st: test\r\n\r\n");
    assert_eq!(patient.answer().status(), 404);
    assert_eq!(silent.rest(), "");
    until_it_is(admin, "nowd_connections_timed_out_total{limit=\"head\"}", 1.0);
}

#[test]
fn the_private_listener_is_not_held_by_clients_that_say_nothing() {
    let (_service, admin) = with_admin(&[]);
    let _silent: Vec<Client> = (0..200).map(|_| Client::to(admin)).collect();
    assert_eq!(get(admin, "/metrics").status(), 200);
}

#[test]
fn a_private_address_that_is_in_use_is_refused_in_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let refused =
        output(nowd().args(["--listen=127.0.0.1:0", &format!("--admin-listen={address}"), "--threads=1"]));
    assert_eq!(refused.status.code(), Some(1));
    let text = String::from_utf8(refused.stderr).unwrap();
    assert!(text.ends_with("choose another with --admin-listen\n") && text.lines().count() == 1, "{text}");
}

/// A service whose standard output the test reads.
fn with_access_log() -> (Service, BufReader<ChildStdout>) {
    let mut command = nowd();
    command.args(["--listen=127.0.0.1:0", "--threads=1", "--access-log"]).stdout(Stdio::piped());
    let mut service = Service::of(&mut command);
    let lines = BufReader::new(service.stdout());
    (service, lines)
}

fn line(lines: &mut BufReader<ChildStdout>) -> Value {
    let mut line = String::new();
    lines.read_line(&mut line).expect("a line");
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in {line:?}"))
}

#[test]
fn the_access_log_has_a_line_for_each_request_with_where_it_came_from() {
    let (service, mut lines) = with_access_log();
    let mut client = service.connect();
    client.send(
        "GET /now?tz=UTC HTTP/1.1\r\nHost: test\r\nX-Forwarded-For: 203.0.113.7, \
         10.0.0.1\r\nX-Forwarded-For: 10.0.0.2\r\nX-Forwarded-Proto: https\r\nUser-Agent: a \
         \"browser\"\r\nX-Request-Id: r-1\r\nX-Amzn-Trace-Id: Root=1-2-3\r\ntraceparent: \
         00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\r\n",
    );
    let answer = client.answer();
    let first = line(&mut lines);
    for (name, value) in [
        ("message", "request"),
        ("method", "GET"),
        ("target", "/now?tz=UTC"),
        ("forwarded_for", "203.0.113.7, 10.0.0.1, 10.0.0.2"),
        ("forwarded_proto", "https"),
        ("user_agent", "a \"browser\""),
        ("request_id", "r-1"),
        ("amzn_trace_id", "Root=1-2-3"),
        ("trace_id", "4bf92f3577b34da6a3ce929d0e0e4736"),
        ("parent_id", "00f067aa0ba902b7"),
    ] {
        assert_eq!(first[name], value, "{first}");
    }
    assert_eq!((&first["status"], &first["bytes"]), (&200.into(), &answer.body.len().into()));
    assert!(first["client"].as_str().unwrap().starts_with("127.0.0.1:"), "{first}");
    assert!(first["duration"].as_f64().unwrap() < 10.0, "{first}");
    assert_eq!(first["time"].as_str().unwrap().len(), "2026-11-23T04:01:01.056Z".len());

    client.send("HEAD /nothing HTTP/1.1\r\nHost: test\r\n\r\nnonsense\r\n\r\n");
    client.answer_to("HEAD");
    let second = line(&mut lines);
    assert_eq!((&second["status"], &second["bytes"]), (&404.into(), &0.into()));
    assert!(second.get("user_agent").is_none() && second.get("trace_id").is_none(), "{second}");

    let mut broken = service.connect();
    broken.send("nonsense\r\n\r\n");
    assert_eq!(broken.answer().status(), 400);
    let third = line(&mut lines);
    assert_eq!((&third["status"], &third["problem"]), (&400.into(), &"malformed-request".into()));
    assert!(third["client"].is_string() && third.get("target").is_none(), "{third}");
}

#[test]
fn no_request_can_forge_a_line_of_the_log() {
    let (mut service, mut lines) = with_access_log();
    let mut client = service.connect();
    client.send(
        b"GET /now?a=%0a{status:200} HTTP/1.1\r\nHost: test\r\nUser-Agent: \
                  x\",\"status\":200}\xff\xc2\x9b31m\t\r\nX-Forwarded-For: \
                  \\\",\"client\":\"forged\r\n\r\n",
    );
    client.answer();
    service.signal("TERM");
    service.line_with("draining");
    service.signal("TERM");
    let mut text = String::new();
    lines.read_to_string(&mut text).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.trim_end().bytes().all(|byte| matches!(byte, b' '..=b'~')), "{text:?}");
    let line: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line["forwarded_for"], "\\\",\"client\":\"forged");
    assert_ne!(line["client"], "forged");
    let (_, log) = service.end();
    assert!(log.iter().all(|line| !line.contains("forged")), "{log:#?}");
}

#[test]
fn a_reader_of_the_access_log_that_stands_still_holds_nobody_up_and_what_is_lost_is_counted() {
    let mut command = nowd();
    command
        .args([
            "--listen=127.0.0.1:0",
            "--threads=1",
            "--access-log",
            "--metrics=emf",
            "--admin-listen=127.0.0.1:0",
        ])
        .args(["--drain-delay=0s"])
        .stdout(Stdio::piped());
    let mut service = Service::of(&mut command);
    let line = service.line_with("metrics are at http://");
    let admin: SocketAddr =
        line.split_once("http://").unwrap().1.trim_end_matches("/metrics").parse().unwrap();
    // Open, and never read.
    let mut stdout = service.stdout();
    let padding = "x".repeat(900);
    let mut client = service.connect();
    let (mut dropped, mut rounds) = (0.0, 0);
    for round in 0..200 {
        rounds = round;
        for _ in 0..50 {
            client.send(format!("GET /now?{padding} HTTP/1.1\r\nHost: test\r\n\r\n"));
            assert_eq!(client.answer().status(), 200);
        }
        dropped = metric(admin, "nowd_lines_dropped_total");
        if dropped > 0.0 && round > 2 {
            break;
        }
    }
    assert!(dropped > 0.0);
    let warning = service.line_with("lines of the log, the access log and the metrics were dropped");
    assert!(warning.contains("WARN"), "{warning}");
    // It ends all the same.
    service.signal("TERM");
    let (status, log) = service.end();
    assert_eq!(status.code(), Some(0));
    // Each request has a line, or is counted.
    let last = log.last().unwrap();
    let (_, unread) = last.rsplit_once("lines dropped because of a slow reader: ").unwrap();
    let mut text = String::new();
    stdout.read_to_string(&mut text).unwrap();
    let read = text.matches("\"message\":\"request\"").count();
    let requests = (rounds + 1) * 50;
    // Of the piece that was being written, what the pipe took of it counts as lost too.
    let told = read + unread.parse::<usize>().unwrap();
    assert!((requests..requests + 20).contains(&told), "{requests} requests, {read} lines, {unread} unread");
}

#[test]
fn the_last_line_of_metrics_has_what_happened_after_the_one_before() {
    let mut command = nowd();
    command.args(["--listen=127.0.0.1:0", "--threads=2", "--metrics=emf", "--drain-delay=0s"]);
    let mut service = Service::of(command.stdout(Stdio::piped()));
    let mut lines = BufReader::new(service.stdout());
    // It is written in the first second, and the next one a minute later.
    let first = line(&mut lines);
    for _ in 0..5 {
        assert_eq!(service.get("/now").status(), 200);
    }
    service.signal("TERM");
    let last = line(&mut lines);
    let requests = |line: &Value| line["Requests"].as_u64().unwrap();
    assert_eq!(requests(&first) + requests(&last), 5, "{first} {last}");
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
}

#[test]
fn the_first_line_has_every_setting_and_no_request_makes_another() {
    let mut process = nowd()
        .args([
            "--listen=127.0.0.1:0",
            "--threads=1",
            "--log=json",
            "--max-clock-error=1h",
            "--metrics-environment=x",
        ])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
    let first: Value = serde_json::from_str(&lines.next().unwrap()).unwrap();
    for name in [
        "version",
        "instance",
        "listen",
        "threads",
        "max_connections",
        "max_head_bytes",
        "max_headers",
        "head_timeout",
        "idle_timeout",
        "max_clock_error",
        "drain_delay",
        "log",
        "access_log",
    ] {
        assert!(!first[name].is_null(), "{name} is not in {first}");
    }
    assert_eq!((&first["idle_timeout"], &first["max_clock_error"]), (&75.into(), &3600.0.into()));
    assert_eq!((&first["drain_delay"], &first["log"]), (&5.0.into(), &"json".into()));
    let url = first["listen"][0].as_str().unwrap();
    let address = url.trim_start_matches("http://").parse().unwrap();
    for _ in 0..10 {
        assert_eq!(get(address, "/nothing").status(), 404);
    }
    process.kill().unwrap();
    process.wait().unwrap();
    for line in lines {
        assert!(!line.contains("nothing") && !line.contains("404"), "{line}");
    }
}

/// A file of ClockBound that a test writes, version 2 of its segment.
struct ClockBound(PathBuf);

impl ClockBound {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("nowd-test-{name}-{}", std::process::id())))
    }

    /// Says that the clock is good to so many nanoseconds, for ever.
    fn write(&self, bound: i64) {
        let mut bytes = Vec::new();
        for number in [0x414D_5A4E_u32, 0x4342_0200, 80] {
            bytes.extend(number.to_ne_bytes());
        }
        bytes.extend(2_u16.to_ne_bytes());
        bytes.extend(4_u16.to_ne_bytes());
        for number in [0, 0, i64::MAX, 0, bound, 0] {
            bytes.extend(number.to_ne_bytes());
        }
        bytes.extend(0_u32.to_ne_bytes());
        bytes.extend(1_i32.to_ne_bytes());
        bytes.extend([0; 8]);
        // Never half of it.
        let new = self.0.with_extension("new");
        std::fs::write(&new, bytes)
            .and_then(|()| std::fs::rename(new, &self.0))
            .expect("a file can be written");
    }
}

impl Drop for ClockBound {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn the_bound_is_clock_bounds_while_it_is_there_and_the_kernels_otherwise() {
    let clock_bound = ClockBound::new("source");
    clock_bound.write(42_000);
    let path = format!("--clock-bound={}", clock_bound.0.display());
    let mut service = Service::with(&[&path]);
    service.line_with("the bound on the clock's error is ClockBound's");
    let clock = service.get("/now").json()["clock"].clone();
    assert_eq!((&clock["status"], &clock["max_error"]), (&"synchronized".into(), &0.000_042.into()));

    std::fs::remove_file(&clock_bound.0).unwrap();
    let line = service.line_with("the bound on the clock's error is the kernel's");
    assert!(line.contains("WARN") && line.contains("cannot be read: No such file"), "{line}");
    clock_bound.write(1_000);
    service.line_with("the bound on the clock's error is ClockBound's");
    let said = service.log.iter().filter(|line| line.contains("the bound on the clock's error"));
    assert_eq!(said.count(), 3, "{:#?}", service.log);
}

#[test]
fn readiness_is_lost_with_the_clock_and_comes_back_only_when_it_has_been_good_for_a_while() {
    let clock_bound = ClockBound::new("readiness");
    clock_bound.write(1_000_000);
    let path = format!("--clock-bound={}", clock_bound.0.display());
    let mut service = Service::with(&[&path, "--max-clock-error=10ms"]);
    assert_eq!(service.get("/readyz").status(), 200);

    clock_bound.write(10_001_000);
    let line = service.line_with("the clock is not trusted");
    assert!(line.contains("WARN"), "{line}");
    let detail = service.get("/readyz").problem(503, "clock-not-trusted");
    assert!(detail.contains("may be wrong by 10.001ms"), "{detail}");
    // Still serves, and says how wrong it may be.
    assert_eq!(service.get("/now").json()["clock"]["max_error"], 0.010_001);

    clock_bound.write(7_000_000);
    // In the middle of the 5 s: the clock is looked at once a second, and must not be trusted yet.
    std::thread::sleep(Duration::from_millis(2_500));
    let detail = service.get("/readyz").problem(503, "clock-not-trusted");
    assert!(detail.contains("again, and has to stay within three quarters of it for 5 s"), "{detail}");
    service.line_with("the clock is trusted again, it may be wrong by 7ms");
    assert_eq!(service.get("/readyz").status(), 200);
    // One line for each change.
    let said = service.log.iter().filter(|line| line.contains("the clock "));
    assert_eq!(said.count(), 2, "{:#?}", service.log);
}
