//! Connections on which the fast path and hyper take turns: clients cannot tell which of them answered.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::Value;

use crate::harness::{Client, Service, nowd};

/// Requests for the fast path, and for hyper: the method, the target and the status.
const REQUESTS: [(&str, &str, &str, u64); 9] = [
    ("GET", "/now", "", 200),
    ("HEAD", "/now", "", 200),
    ("GET", "/now", "X-Request-Id: r-1\r\n", 200),
    ("GET", "/healthz", "", 200),
    ("GET", "/now?tz=UTC", "", 200),
    ("GET", "/now", "Connection: keep-alive\r\n", 200),
    ("GET", "/readyz", "", 200),
    ("GET", "/nothing", "", 404),
    ("POST", "/now", "Content-Length: 0\r\n", 405),
];

fn text((method, target, lines, _): (&str, &str, &str, u64)) -> String {
    format!("{method} {target} HTTP/1.1\r\nHost: test\r\n{lines}\r\n")
}

/// Reads the answers to [`REQUESTS`], and checks that they are alike.
fn assert_all_are_answered(client: &mut Client) {
    for (method, target, _, status) in REQUESTS {
        let answer = client.answer_to(method);
        assert_eq!(u64::from(answer.status()), status, "{method} {target}");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert!(
            answer.has("date") && answer.has("content-length") && !answer.has("connection"),
            "{answer:?}"
        );
    }
}

#[test]
fn requests_of_both_kinds_share_a_connection_and_its_access_log() {
    let mut command = nowd();
    command.args(["--listen=127.0.0.1:0", "--threads=1", "--access-log"]).stdout(Stdio::piped());
    let mut service = Service::of(&mut command);
    let mut lines = BufReader::new(service.stdout()).lines();
    let mut client = service.connect();
    // One by one; all at once; and in pieces that end in the middle of heads.
    for request in REQUESTS {
        client.send(text(request));
    }
    assert_all_are_answered(&mut client);
    let all: String = REQUESTS.into_iter().map(text).collect();
    client.send(&all);
    assert_all_are_answered(&mut client);
    for piece in all.as_bytes().chunks(25) {
        client.send(piece);
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    assert_all_are_answered(&mut client);
    for _ in 0..3 {
        for (method, target, more, status) in REQUESTS {
            let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
            assert_eq!(
                (&line["method"], &line["target"], &line["status"]),
                (&method.into(), &target.into(), &status.into())
            );
            assert_eq!(line.get("request_id").is_some(), more.starts_with("X-Request-Id"), "{line}");
            assert!(line["duration"].as_f64().unwrap() < 10.0, "{line}");
            assert_eq!(line["bytes"] == 0, method == "HEAD", "{line}");
        }
    }
}

#[test]
fn requests_by_the_thousand_are_answered_although_the_client_reads_late() {
    const COUNT: usize = 20_000;
    let service = Service::start();
    let mut client = service.connect();
    let mut sender = client.another_end();
    let sending = std::thread::spawn(move || {
        for _ in 0..COUNT / 100 {
            sender.send("GET /now HTTP/1.1\r\nHost: test\r\n\r\n".repeat(100));
        }
    });
    // By then neither side's buffers take any more.
    std::thread::sleep(std::time::Duration::from_secs(1));
    let mut last = String::new();
    for _ in 0..COUNT {
        let answer = client.answer();
        assert_eq!(answer.status(), 200);
        let time = answer.json()["datetime"].as_str().unwrap().to_owned();
        assert!(time >= last, "{time} after {last}");
        last = time;
    }
    sending.join().unwrap();
}
