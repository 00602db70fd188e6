//! What clients may not do for long, or in bulk.

use std::collections::VecDeque;
use std::io::{ErrorKind, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::harness::{Answer, Client, Service, nowd, output};

const NOW: &str = "GET /now HTTP/1.1\r\nHost: test\r\n\r\n";

fn ask(client: &mut Client, path: &str) -> Answer {
    client.send(format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n"));
    client.answer()
}

#[test]
fn a_head_of_more_than_16_kib_is_answered_431_and_closed() {
    let service = Service::start();
    let mut client = service.connect();
    client.send(format!("GET /now HTTP/1.1\r\nHost: test\r\nX: {}\r\n\r\n", "x".repeat(15_000)));
    assert_eq!(client.answer().status(), 200);
    let mut client = service.connect();
    client.send(format!("GET /now HTTP/1.1\r\nHost: test\r\nX: {}\r\n\r\n", "x".repeat(200_000)));
    let answer = client.answer();
    answer.problem(431, "head-too-large");
    assert_eq!(answer.header("connection"), "close");
    assert_eq!(client.rest(), "");
}

#[test]
fn the_size_of_a_head_and_the_number_of_headers_can_be_set() {
    let service = Service::with(&["--max-head-bytes=65536", "--max-headers=200"]);
    let mut client = service.connect();
    client.send(format!("GET /now HTTP/1.1\r\nHost: test\r\nX: {}\r\n\r\n", "x".repeat(60_000)));
    assert_eq!(client.answer().status(), 200);
    for (service, headers, status) in [
        (&service, 199, 200),
        (&service, 200, 431),
        (&Service::start(), 99, 200),
        (&Service::start(), 100, 431),
    ] {
        let mut client = service.connect();
        client.send(format!("GET /now HTTP/1.1\r\nHost: test\r\n{}\r\n", "X: x\r\n".repeat(headers)));
        assert_eq!(client.answer().status(), status, "{headers}");
    }
}

#[test]
fn no_time_limit_is_over_before_its_time() {
    let service = Service::with(&["--head-timeout=1s", "--idle-timeout=1h"]);
    std::thread::scope(|scope| {
        for number in 0..20 {
            let address = service.address();
            scope.spawn(move || {
                // At all phases of the second in which nowd looks at its connections.
                std::thread::sleep(Duration::from_millis(number * 50));
                let mut client = Client::to(address);
                client.send("GET /now HTTP/1.1\r\nHo");
                // Almost all of the time that a head has.
                std::thread::sleep(Duration::from_millis(800));
                client.send("st: test\r\n\r\n");
                assert_eq!(client.answer().status(), 200);
            });
        }
    });
}

#[test]
fn a_head_that_is_never_finished_ends_its_connection_and_an_idle_one_lives_on() {
    let service = Service::with(&["--head-timeout=2s"]);
    let mut unfinished = service.connect();
    unfinished.send("GET /now HTTP/1.1\r\nHost: te");
    let mut second_unfinished = service.connect();
    second_unfinished.send("GET /now HTTP/1.1\r\nHost: test\r\n\r\nGET /now HTTP/1.1\r\nHo");
    assert_eq!(second_unfinished.answer().status(), 200);
    let mut idle = service.connect();
    assert_eq!(ask(&mut idle, "/now").status(), 200);
    let mut unused = service.connect();

    assert_eq!(unfinished.rest(), "");
    assert_eq!(second_unfinished.rest(), "");
    for client in [&mut idle, &mut unused] {
        assert_eq!(ask(client, "/now").status(), 200);
    }
}

#[test]
fn a_chunked_body_has_as_long_to_come_as_a_head() {
    const HEAD: &str = "GET /now HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n";
    let service = Service::with(&["--head-timeout=6s"]);
    let (mut late, mut never) = (service.connect(), service.connect());
    // An idle connection would have given its buffers back by then.
    for _ in 0..2 {
        late.send(HEAD);
        std::thread::sleep(Duration::from_millis(3_500));
        late.send("0\r\n\r\n");
        assert_eq!(late.answer().status(), 200);
    }
    assert_eq!(ask(&mut late, "/now").status(), 200);
    never.send(HEAD);
    assert_eq!(never.rest(), "");
}

#[test]
fn an_idle_connection_serves_on_after_it_gave_its_buffers_back() {
    let service = Service::start();
    let mut idle = service.connect();
    assert_eq!(ask(&mut idle, "/now").status(), 200);
    // They are given back after two seconds.
    std::thread::sleep(Duration::from_millis(4_500));
    assert_eq!(ask(&mut idle, "/now").status(), 200);
}

#[test]
fn a_connection_without_requests_is_closed_when_its_time_is_over() {
    let mut service = Service::with(&["--idle-timeout=2s"]);
    let warning = service.line_with("WARN");
    assert!(warning.contains("--idle-timeout 2 s is not longer than the 60 s"), "{warning}");
    let (mut used, mut unused) = (service.connect(), service.connect());
    assert_eq!(ask(&mut used, "/now").status(), 200);
    assert_eq!(used.rest(), "");
    assert_eq!(unused.rest(), "");
}

/// A client that nowd let in, for as long as it keeps its connection.
fn occupy(service: &Service) -> Client {
    let mut client = service.connect();
    assert_eq!(ask(&mut client, "/now").status(), 200);
    client
}

#[test]
fn one_connection_too_many_is_answered_503_and_the_health_of_the_process_is_still_told() {
    let mut service = Service::with(&["--max-connections=2"]);
    let occupied = [occupy(&service), occupy(&service)];
    for target in ["/now", "/", "/nothing"] {
        let mut client = service.connect();
        let answer = ask(&mut client, target);
        let detail = answer.problem(503, "full");
        assert!(detail.contains("--max-connections"), "{detail}");
        assert_eq!(answer.header("retry-after"), "5");
        assert_eq!(answer.header("connection"), "close");
        assert_eq!(client.rest(), "");
    }
    for target in ["/healthz", "/readyz"] {
        let mut client = service.connect();
        let answer = ask(&mut client, target);
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.header("connection"), "close");
        assert_eq!(client.rest(), "");
    }
    service.line_with("all 2 connections of --max-connections are taken");

    drop(occupied);
    service.line_with("further ones are served");
    occupy(&service);
}

/// Ends what others do when the test that wants it is over, however that goes.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Connects over and over, says `word`, and stays for as long as it is let: about `rate` times a second.
fn crowd(address: SocketAddr, word: &[u8], rate: u64, is_over: &AtomicBool) -> usize {
    let mut here = VecDeque::new();
    let mut count = 0;
    while !is_over.load(Ordering::Relaxed) {
        if let Ok(mut stream) = TcpStream::connect(address) {
            // It may have been ended by then, which is what they come for.
            let _ = stream.write_all(word);
            here.push_back(stream);
            count += 1;
        }
        // Far more than the reserve has places, so that those that were ended are there again at once.
        if here.len() > 800 {
            here.pop_front();
        }
        std::thread::sleep(Duration::from_micros(1_000_000 / rate));
    }
    count
}

#[test]
fn no_crowd_keeps_a_health_check_from_being_heard_whatever_it_says_and_however_often_it_comes_back() {
    for word in [b"".as_slice(), b"G", NOW.as_bytes()] {
        let service = Service::with(&["--max-connections=1"]);
        let _occupied = occupy(&service);
        let (address, is_over) = (service.address(), AtomicBool::new(false));
        std::thread::scope(|scope| {
            let over = Over(&is_over);
            let crowd = scope.spawn(|| crowd(address, word, 1_000, &is_over));
            // So that the crowd fills every place before the health checks come; its size is checked at the end.
            std::thread::sleep(Duration::from_millis(500));
            for _ in 0..30 {
                let mut client = service.connect();
                // As from a balancer that is 30 ms away.
                std::thread::sleep(Duration::from_millis(30));
                assert_eq!(ask(&mut client, "/healthz").status(), 200, "{word:?}");
            }
            drop(over);
            let count = crowd.join().unwrap();
            assert!(count > 300, "{count} connections are no crowd");
        });
    }
}

#[test]
fn who_never_asks_anything_gives_his_seat_back_early_when_seats_are_rare() {
    let service = Service::with(&["--max-connections=10", "--head-timeout=2s", "--idle-timeout=1h"]);
    let mut asked = occupy(&service);
    let _silent: Vec<Client> = (0..9).map(|_| service.connect()).collect();
    for status in [503, 200] {
        let is_there = (0..200).any(|_| {
            std::thread::sleep(Duration::from_millis(50));
            service.get("/now").status() == status
        });
        assert!(is_there, "{status}");
    }
    assert_eq!(ask(&mut asked, "/now").status(), 200);

    let easy = Service::with(&["--max-connections=100", "--head-timeout=1s", "--idle-timeout=1h"]);
    let mut unused = easy.connect();
    // Longer than rare seats would be lent for: that nothing happens cannot be waited for.
    std::thread::sleep(Duration::from_millis(3_500));
    assert_eq!(ask(&mut unused, "/now").status(), 200);
}

#[test]
fn requests_that_nobody_takes_the_answers_of_take_no_memory() {
    let service = Service::start();
    let before = service.resident_bytes();
    let mut stream = TcpStream::connect(service.address()).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    let many = NOW.repeat(1_000);
    let mut sent = 0_usize;
    // Until the kernel takes no more on either side.
    let error = loop {
        match stream.write(many.as_bytes()) {
            Ok(written) => sent += written,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    assert!(sent > 100_000, "{sent}");
    let grown = service.resident_bytes().saturating_sub(before);
    assert!(grown < 2_000_000, "{grown} bytes for {sent} bytes of requests");
    // Nobody else notices.
    assert_eq!(service.get("/now").status(), 200);
}

#[test]
fn more_connections_than_files_are_no_promise() {
    let mut command = std::process::Command::new("sh");
    command.args([
        "-c",
        "ulimit -n 300; exec \"$0\" --listen=127.0.0.1:0 --threads=1",
        nowd().get_program().to_str().unwrap(),
    ]);
    let mut service = Service::of(&mut command);
    let warning = service.line_with("WARN");
    assert!(warning.contains("the limit on open files is 300, which allows 225 connections"), "{warning}");
    let occupied: Vec<Client> = (0..225).map(|_| occupy(&service)).collect();
    assert_eq!(service.get("/now").status(), 503);
    assert_eq!(service.get("/healthz").status(), 200);
    drop(occupied);
}

#[test]
fn too_few_files_to_serve_at_all_are_told_at_the_start() {
    let mut command = std::process::Command::new("sh");
    let script = "ulimit -n 40; exec \"$0\" --listen=127.0.0.1:0 --threads=1";
    let refused = output(command.args(["-c", script, nowd().get_program().to_str().unwrap()]));
    assert_eq!(refused.status.code(), Some(1));
    let text = String::from_utf8(refused.stderr).unwrap();
    assert!(text.starts_with("nowd: the limit on open files is 40, and nowd needs "), "{text}");
    assert!(text.ends_with("raise it (ulimit -n)\n") && text.lines().count() == 1, "{text}");
}

#[test]
fn a_soft_limit_on_files_is_raised_and_no_reason_to_warn() {
    let script = "ulimit -S -n 100; exec \"$0\" --listen=127.0.0.1:0 --threads=1 --max-connections=500 \
                  --drain-delay=0s";
    let mut command = std::process::Command::new("sh");
    command.args(["-c", script, nowd().get_program().to_str().unwrap()]);
    let service = Service::of(&mut command);
    let occupied: Vec<Client> = (0..200).map(|_| occupy(&service)).collect();
    drop(occupied);
    service.signal("TERM");
    let (_, log) = service.end();
    assert!(log.iter().all(|line| !line.contains("WARN")), "{log:#?}");
}

#[test]
fn limits_that_make_no_sense_are_refused() {
    for flag in [
        "--max-connections=0",
        "--max-head-bytes=1",
        "--max-headers=0",
        "--head-timeout=0s",
        "--idle-timeout=1ms",
    ] {
        let refused = output(nowd().arg(flag));
        assert_eq!(refused.status.code(), Some(2), "{flag}");
    }
}
