//! Flags, their twins in the environment, exit codes, and the health check.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::process::{Output, Stdio};

use crate::harness::{Client, Service, nowd, output};

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

#[test]
fn a_port_in_use_is_refused_in_one_line_even_to_a_second_nowd() {
    let service = Service::start();
    let address = service.address();
    let second = output(nowd().arg(format!("--listen={address}")));
    assert_eq!(second.status.code(), Some(1));
    assert_eq!(
        stderr(&second),
        format!(
            "nowd: cannot listen on {address}: the port is in use; stop the program that uses it, or choose \
             another with --listen\n"
        )
    );
}

#[test]
fn an_address_of_another_machine_is_refused_in_one_line() {
    let refused = output(nowd().arg("--listen=192.0.2.1:8080"));
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(
        stderr(&refused),
        "nowd: cannot listen on 192.0.2.1:8080: this machine has no such address; choose one of its \
         own, or 0.0.0.0, with --listen\n"
    );
}

#[test]
fn wrong_usage_ends_with_2_and_says_what_would_be_right() {
    for (flags, advice) in [
        (&["--listen=nonsense"][..], "0.0.0.0:8080"),
        (&["--threads=0"], "1..=1024"),
        (&["--threads=many"], "--threads"),
        (&["--drain-delay=5x"], "50ms, 5s or 1m 30s"),
        (&["--max-clock-error=soon"], "50ms, 5s or 1m 30s"),
        (&["--log=xml"], "text, json"),
        (&["--port", "9000"], "use --listen, such as '--listen :9000'"),
        (&["--port=9000"], "use --listen, such as '--listen :9000'"),
        (&["-p", "9000"], "use --listen, such as '--listen :9000'"),
        (&["--bind=127.0.0.1"], "use --listen, such as '--listen :8080'"),
        (&["healthcheck", "--port", "9000"], "use --listen, such as '--listen :9000'"),
        (&["--metrics-port", "9090"], "use --admin-listen, such as '--admin-listen :9090'"),
        (&["9000"], "write '--listen 9000'"),
        (&["--listen=:90000"], "ports go from 1 to 65535"),
        (&["--unknown"], "--help"),
        (&["unknown"], "--help"),
    ] {
        let refused = output(nowd().args(flags));
        assert_eq!(refused.status.code(), Some(2), "{flags:?}");
        let text = stderr(&refused);
        assert!(text.contains(advice) && text.lines().count() == 1, "{flags:?}: {text}");
    }
}

#[test]
fn a_port_alone_is_served_at_all_addresses() {
    for port in [":0", "0", "*:0"] {
        for service in [
            Service::of(nowd().args(["--threads=1", "--listen", port])),
            Service::of(nowd().arg("--threads=1").env("NOWD_LISTEN", port)),
        ] {
            assert!(service.address().ip().is_unspecified(), "{}", service.address());
            let mut client = Client::to(([127, 0, 0, 1], service.address().port()).into());
            client.send("GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n");
            assert_eq!(client.answer().status(), 200);
            let check =
                output(nowd().args(["healthcheck", "--listen", &service.address().port().to_string()]));
            assert!(check.status.success(), "{}", stdout(&check));
        }
    }
    let mut service = Service::with(&["--admin-listen", ":0"]);
    assert!(service.line_with("metrics are at").contains("http://0.0.0.0:"));
}

#[test]
fn every_flag_has_a_twin_in_the_environment_and_the_flag_wins() {
    for (name, flag) in [
        ("NOWD_LISTEN", "--listen=127.0.0.1:0"),
        ("NOWD_THREADS", "--threads=1"),
        ("NOWD_MAX_CLOCK_ERROR", "--max-clock-error=1s"),
        ("NOWD_DRAIN_DELAY", "--drain-delay=1s"),
        ("NOWD_LOG", "--log=text"),
        ("NOWD_ADMIN_LISTEN", "--admin-listen=127.0.0.1:0"),
        ("NOWD_MAX_CONNECTIONS", "--max-connections=10"),
        ("NOWD_MAX_HEAD_BYTES", "--max-head-bytes=10000"),
        ("NOWD_MAX_HEADERS", "--max-headers=50"),
        ("NOWD_HEAD_TIMEOUT", "--head-timeout=1s"),
        ("NOWD_IDLE_TIMEOUT", "--idle-timeout=80s"),
        ("NOWD_METRICS", "--metrics=emf"),
    ] {
        let refused = output(nowd().env(name, "nonsense"));
        assert_eq!(refused.status.code(), Some(2), "{name}");
        let (long, _) = flag.split_once('=').unwrap();
        assert!(stderr(&refused).contains(long), "{name}: {}", stderr(&refused));
        Service::of(nowd().env("NOWD_LISTEN", "127.0.0.1:0").env(name, "nonsense").arg(flag));
    }
    for (value, is_on) in [("true", true), ("1", true), ("false", false), ("0", false)] {
        let mut process = nowd()
            .env("NOWD_LISTEN", "127.0.0.1:0")
            .env("NOWD_ACCESS_LOG", value)
            .env("NOWD_CLOCK_BOUND", "/nowhere")
            .arg("--log=json")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stderr.take().unwrap()).read_line(&mut line).unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            (&line["access_log"], &line["clock_bound"]),
            (&is_on.into(), &"/nowhere".into()),
            "{value}"
        );
    }
    let service = Service::of(nowd().env("NOWD_LISTEN", "127.0.0.1:0,[::1]:0"));
    assert_eq!(service.addresses.len(), 2);
    for &address in &service.addresses {
        let mut client = Client::to(address);
        client.send("GET /now HTTP/1.1\r\nHost: test\r\n\r\n");
        assert_eq!(client.answer().status(), 200);
    }
}

#[test]
fn help_names_every_flag_with_its_variable_and_version_names_the_version() {
    let help = output(nowd().arg("--help"));
    assert_eq!(help.status.code(), Some(0));
    for text in [
        "--listen <ADDRESS>",
        "[env: NOWD_LISTEN=]",
        "[default: 0.0.0.0:8080]",
        "--threads <N>",
        "[env: NOWD_THREADS=]",
        "--max-clock-error <DURATION>",
        "[env: NOWD_MAX_CLOCK_ERROR=]",
        "--drain-delay <DURATION>",
        "[env: NOWD_DRAIN_DELAY=]",
        "[default: 5s]",
        "--log <FORMAT>",
        "[env: NOWD_LOG=]",
        "--admin-listen <ADDRESS>",
        "--max-connections <N>",
        "[default: 10000]",
        "--max-head-bytes <BYTES>",
        "--max-headers <N>",
        "--head-timeout <DURATION>",
        "--idle-timeout <DURATION>",
        "[default: 75s]",
        "--clock-bound <PATH>",
        "--access-log",
        "[env: NOWD_ACCESS_LOG=]",
        "healthcheck",
        "Examples:",
        "Environment:",
        "SIGTERM",
        "Exit codes",
    ] {
        assert!(stdout(&help).contains(text), "{text} is not in {}", stdout(&help));
    }
    let version = output(nowd().arg("--version"));
    // With the commit, where the sources are a clone.
    assert_eq!(stdout(&version), format!("nowd {}\n", env!("VERSION_WITH_COMMIT")));
    assert!(env!("VERSION_WITH_COMMIT").starts_with(env!("CARGO_PKG_VERSION")));
}

#[test]
fn the_health_check_tells_alive_from_ready_and_both_from_gone() {
    let mut service = Service::of(nowd().args(["--listen=0.0.0.0:0", "--threads=1", "--drain-delay=1h"]));
    let port = service.address().port();
    let listen = format!("0.0.0.0:{port}");
    let check = || output(nowd().args(["healthcheck", "--ready"]).env("NOWD_LISTEN", &listen));
    let lives = || output(nowd().arg("healthcheck").env("NOWD_LISTEN", &listen));

    let ready = check();
    assert_eq!(stdout(&ready), format!("ready: http://127.0.0.1:{port}/readyz answered HTTP/1.1 200 OK\n"));
    assert_eq!(ready.status.code(), Some(0));

    service.signal("TERM");
    service.line_with("draining");
    let draining = check();
    assert_eq!(
        stdout(&draining),
        format!("not ready: http://127.0.0.1:{port}/readyz answered HTTP/1.1 503 Service Unavailable\n")
    );
    assert_eq!(draining.status.code(), Some(1));
    // Whoever ends what is not healthy must not end what drains, nor all there are when a time service fails.
    let alive = lives();
    assert_eq!(stdout(&alive), format!("alive: http://127.0.0.1:{port}/healthz answered HTTP/1.1 200 OK\n"));
    assert_eq!(alive.status.code(), Some(0));

    drop(service);
    let gone = check();
    assert!(
        stdout(&gone).starts_with(&format!("not ready: http://127.0.0.1:{port}/readyz cannot be asked: "))
    );
    assert_eq!(gone.status.code(), Some(1));
    let dead = lives();
    assert!(
        stdout(&dead).starts_with(&format!("not alive: http://127.0.0.1:{port}/healthz cannot be asked: "))
    );
    assert_eq!(dead.status.code(), Some(1));
}

#[test]
fn the_health_check_reads_no_setting_that_it_does_not_need() {
    let service = Service::with(&[]);
    let checked = output(
        nowd()
            .arg("healthcheck")
            .env("NOWD_LISTEN", service.address().to_string())
            .env("NOWD_DRAIN_DELAY", "soon")
            .env("NOWD_MAX_HEADERS", "1"),
    );
    assert_eq!(checked.status.code(), Some(0), "{checked:?}");
}

#[test]
fn a_variable_that_is_empty_is_none_and_one_that_is_wrong_is_named() {
    let mut service = Service::of(
        nowd()
            .args(["--listen=127.0.0.1:0"])
            .env("NOWD_THREADS", "")
            .env("NOWD_ACCESS_LOG", "")
            .env("NOWD_MAX_CLOCK_ERROR", ""),
    );
    service.signal("INT");
    service.line_with("stopped");
    for (name, value) in [("NOWD_THREADS", "many"), ("NOWD_IDLE_TIMEOUT", "soon"), ("NOWD_METRICS", "x")] {
        let refused = output(nowd().env(name, value));
        assert_eq!(refused.status.code(), Some(2));
        let text = String::from_utf8(refused.stderr).unwrap();
        assert!(
            text.ends_with(&format!(
                "; the value is that of the environment variable {name}; see `nowd --help`\n"
            )),
            "{text}"
        );
    }
    let refused = output(nowd().arg("--threads=many").env("NOWD_THREADS", "2"));
    assert!(!String::from_utf8(refused.stderr).unwrap().contains("environment variable"));
}

#[test]
fn the_health_check_does_not_wait_for_ever() {
    // Accepts in the kernel and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let checked = output(nowd().args(["healthcheck", &format!("--listen={address}")]));
    assert_eq!(checked.status.code(), Some(1));
    assert!(stdout(&checked).contains("did not answer within 1s"), "{}", stdout(&checked));

    let answering = std::thread::spawn(move || {
        let (mut stream, _) = silent.accept().unwrap();
        let (mut second, _) = silent.accept().unwrap();
        stream.write_all(b"never mind").unwrap();
        second.write_all(b"HTTP/1.1 500 Not 200 OK\r\n\r\n").unwrap();
    });
    let checked = output(nowd().args(["healthcheck", &format!("--listen={address}")]));
    assert_eq!(checked.status.code(), Some(1), "{}", stdout(&checked));
    answering.join().unwrap();
}

#[test]
fn the_health_check_cannot_guess_a_port() {
    let checked = output(nowd().args(["healthcheck", "--listen=127.0.0.1:0"]));
    assert_eq!(checked.status.code(), Some(1));
    assert!(
        stdout(&checked).contains("the system chooses a port; give --listen the port"),
        "{}",
        stdout(&checked)
    );
}
