//! How it comes to an end.

use std::time::Duration;

use crate::harness::{Client, Service, nowd};

const NOW: &str = "GET /now HTTP/1.1\r\nHost: test\r\n\r\n";

#[test]
fn sigterm_drains_first_serving_on_while_it_turns_clients_away() {
    let mut service = Service::with(&["--drain-delay=2s"]);
    let mut before = service.connect();
    before.send(NOW);
    let answer = before.answer();
    assert!(!answer.has("connection"), "{answer:#?}");
    let mut idle = service.connect();
    idle.send(NOW);
    idle.answer();
    let mut in_flight = service.connect();
    in_flight.send("GET /now HTTP/1.1\r\nHo");

    service.signal("TERM");
    service.line_with("draining");
    let answer = service.get("/readyz");
    answer.problem(503, "draining");
    assert_eq!(answer.header("connection"), "close");
    // Both a new and an old connection are served, and asked to end.
    for mut client in [service.connect(), before] {
        client.send(NOW);
        let answer = client.answer();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.header("connection"), "close");
        assert_eq!(client.rest(), "");
    }
    assert_eq!(service.get("/healthz").status(), 200);

    service.line_with("closing");
    assert_eq!(idle.rest(), "");
    in_flight.send("st: test\r\n\r\n");
    let answer = in_flight.answer();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.header("connection"), "close");
    assert_eq!(in_flight.rest(), "");
    drop(in_flight);

    let (status, log) = service.end();
    assert_eq!(status.code(), Some(0), "{log:#?}");
    let last = log.last().unwrap();
    assert!(last.contains("stopped after 7 requests: /now 2xx=5, /healthz 2xx=1, /readyz 5xx=1"), "{last}");
}

fn assert_each_is_answered_and_closed(clients: Vec<Client>) {
    for mut client in clients {
        assert_eq!(client.answer().status(), 200);
        assert_eq!(client.rest(), "");
    }
}

#[test]
fn connections_in_the_queue_are_served_before_the_listeners_close() {
    let mut service = Service::of(nowd().args(["--listen=127.0.0.1:0", "--threads=1", "--drain-delay=0s"]));
    // Stopped, it cannot accept: the kernel does, on its behalf. So many that it takes several turns to accept them, and
    // the first request to close comes in between.
    service.signal("STOP");
    let mut clients: Vec<Client> = (0..700).map(|_| service.connect()).collect();
    for client in &mut clients {
        client.send(NOW);
    }
    service.signal("TERM");
    service.signal("CONT");
    assert_each_is_answered_and_closed(clients);
    service.line_with("closing");
    let (status, _) = service.end();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn requests_that_lie_in_the_kernel_on_kept_connections_are_answered_before_those_close() {
    // Without a delay, and with one whose end is met while it is stopped.
    for (delay, pause) in [("0s", None), ("1s", Some(Duration::from_millis(1_500)))] {
        let mut service = Service::with(&[&format!("--drain-delay={delay}")]);
        let mut clients: Vec<Client> = (0..200).map(|_| service.connect()).collect();
        for client in &mut clients {
            client.send(NOW);
            assert_eq!(client.answer().status(), 200);
        }
        if pause.is_some() {
            service.signal("TERM");
            service.line_with("draining");
        }
        service.signal("STOP");
        for client in &mut clients {
            client.send(NOW);
        }
        if let Some(pause) = pause {
            // How long the process stands still, which is what is tested.
            std::thread::sleep(pause);
        } else {
            service.signal("TERM");
        }
        service.signal("CONT");
        assert_each_is_answered_and_closed(clients);
        let (status, _) = service.end();
        assert_eq!(status.code(), Some(0));
    }
}

#[test]
fn sigint_ends_it_at_once() {
    let service = Service::with(&["--drain-delay=1h"]);
    let mut open = service.connect();
    open.send(NOW);
    open.answer();
    service.signal("INT");
    assert_eq!(open.rest(), "");
    let (status, log) = service.end();
    assert_eq!(status.code(), Some(0));
    assert!(log.iter().any(|line| line.contains("stopping at once")), "{log:#?}");
}

#[test]
fn a_second_signal_ends_the_drain() {
    for second in ["TERM", "INT"] {
        let mut service = Service::with(&["--drain-delay=1h"]);
        service.signal("TERM");
        service.line_with("draining");
        service.signal(second);
        let (status, log) = service.end();
        assert_eq!(status.code(), Some(0));
        assert!(log.iter().any(|line| line.contains("signaled again")), "{log:#?}");
    }
}

#[test]
fn each_change_of_state_is_one_line_of_json_when_asked_for() {
    let mut service = Service::with(&["--drain-delay=0s", "--log=text"]);
    service.signal("TERM");
    service.line_with("stopped");
    drop(service);

    // The start line is read differently here: its addresses are a list for programs.
    let mut process = nowd()
        .args(["--listen=127.0.0.1:0,127.0.0.1:0", "--threads=1", "--log=json"])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(process.stderr.as_mut().unwrap()), &mut line)
        .unwrap();
    process.kill().unwrap();
    process.wait().unwrap();
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["level"], "INFO");
    let listen = line["listen"].as_array().unwrap();
    assert_eq!(listen.len(), 2);
    for url in listen {
        let url = url.as_str().unwrap();
        assert!(url.starts_with("http://127.0.0.1:"), "{url}");
        assert!(line["message"].as_str().unwrap().contains(url), "{line}");
    }
}
