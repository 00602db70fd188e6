//! What is answered when all is well.

use std::process::Command;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::harness::{Answer, Client, Service, nowd};

/// Seconds since 1970 of the system's clock.
#[expect(clippy::disallowed_methods, reason = "the service is compared with the clock that it reads")]
fn system_seconds() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock after 1970").as_secs()
}

fn date(answer: &Answer) -> u64 {
    let date = httpdate::parse_http_date(answer.header("date")).expect("a date");
    date.duration_since(SystemTime::UNIX_EPOCH).expect("a date after 1970").as_secs()
}

/// `unix_time` as it stands in the body; a float would lose its end.
fn unix_time(answer: &Answer) -> (u64, String) {
    let (_, rest) = answer.body.split_once(r#""unix_time":"#).expect("unix_time");
    let number = rest.split(',').next().unwrap_or_default();
    let (seconds, fraction) = number.split_once('.').expect("a fraction");
    (seconds.parse().expect("whole seconds"), fraction.to_owned())
}

#[test]
fn now_answers_with_every_field_and_all_of_one_instant() {
    let service = Service::start();
    let before = system_seconds();
    let answer = service.get("/now");
    let after = system_seconds();

    assert_eq!(answer.status_line, "HTTP/1.1 200 OK");
    assert!(answer.body.ends_with("}\n"), "{:?}", answer.body);
    let body = answer.json();
    let (seconds, fraction) = unix_time(&answer);
    assert!((before..=after).contains(&seconds));
    assert_eq!(date(&answer), seconds);
    assert_eq!(fraction.len(), 9);
    let datetime = body["datetime"].as_str().unwrap();
    assert!(datetime.ends_with(&format!(".{fraction}Z")), "{datetime} {fraction}");
    assert_eq!(&datetime[11..19], body["current_time"].as_str().unwrap());
    let spoken = httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
    assert!(spoken.contains(body["current_time"].as_str().unwrap()), "{spoken}");
    assert_eq!(body["timezone"], "UTC");
    assert_eq!(body.get("utc_offset"), None);
    assert_eq!(body["instance"].as_str().unwrap().len(), 8);
    match body["clock"]["status"].as_str().unwrap() {
        "synchronized" => assert!(body["clock"]["max_error"].is_number()),
        _ => assert_eq!(body["clock"]["max_error"], Value::Null),
    }
}

#[test]
fn every_time_may_be_read_by_any_site_and_is_stored_by_no_one() {
    let service = Service::start();
    for target in ["/now", "/now?tz=Asia/Tokyo", "/.well-known/time", "/", "/healthz", "/readyz"] {
        let answer = service.get(target);
        assert_eq!(answer.header("cache-control"), "no-store", "{target}");
        assert_eq!(answer.header("access-control-allow-origin"), "*", "{target}");
        assert_eq!(answer.header("timing-allow-origin"), "*", "{target}");
        assert!(date(&answer) > 1_700_000_000, "{target}");
    }
}

#[test]
fn a_script_of_any_site_may_send_harmless_headers() {
    let service = Service::start();
    for target in
        ["/now", "/now?tz=Asia/Tokyo", "/.well-known/time", "/", "/healthz", "/openapi.json", "/nope", "*"]
    {
        let mut client = service.connect();
        client.send(format!(
            "OPTIONS {target} HTTP/1.1\r\nHost: test\r\nOrigin: https://a.example\r\nAccess-Control-Request-Method: \
             GET\r\nAccess-Control-Request-Headers: traceparent,authorization\r\n\
             Access-Control-Request-Private-Network: true\r\n\r\n"
        ));
        let answer = client.answer();
        assert_eq!(answer.status_line, "HTTP/1.1 204 No Content", "{target}");
        for (name, value) in [
            ("access-control-allow-origin", "*"),
            ("access-control-allow-methods", "GET, HEAD, OPTIONS"),
            ("access-control-allow-headers", "traceparent"),
            ("access-control-max-age", "86400"),
            ("vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"),
        ] {
            assert_eq!(answer.header(name), value, "{target}");
        }
        // What is on a private network is for that network to open.
        for absent in
            ["access-control-allow-credentials", "access-control-allow-private-network", "content-type"]
        {
            assert!(!answer.has(absent), "{answer:#?}");
        }
        client.send("GET /now HTTP/1.1\r\nHost: test\r\n\r\n");
        assert_eq!(client.answer().status(), 200);
    }
}

#[test]
fn options_names_the_methods_of_every_route() {
    let service = Service::start();
    for target in
        ["/now", "/now?tz=nowhere", "/.well-known/time", "/", "/openapi.json", "/healthz", "/readyz", "*"]
    {
        let answer = service.ask("OPTIONS", target);
        assert_eq!(answer.status(), 204, "{target}");
        assert_eq!(answer.header("allow"), "GET, HEAD, OPTIONS", "{target}");
        assert!(!answer.has("access-control-allow-methods") && !answer.has("content-length"), "{answer:#?}");
    }
    service.ask("OPTIONS", "/nope").problem(404, "not-found");
}

#[test]
fn head_answers_with_the_headers_of_get_and_no_body() {
    let service = Service::start();
    for target in ["/now", "/now?tz=Asia/Tokyo", "/", "/healthz", "/readyz", "/openapi.json", "/nothing"] {
        let get = service.get(target);
        let mut client = service.connect();
        client.send(format!("HEAD {target} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"));
        let head = client.answer_to("HEAD");
        assert_eq!(client.rest(), "", "{target}");
        assert_eq!(head.status_line, get.status_line, "{target}");
        for name in ["content-length", "content-type", "cache-control"] {
            assert_eq!(head.header(name), get.header(name), "{target}");
        }
    }
}

#[test]
fn times_go_forward_and_the_instance_stays_while_one_process_serves() {
    let service = Service::start();
    let mut client = service.connect();
    let mut last = None;
    for _ in 0..100 {
        client.send("GET /now HTTP/1.1\r\nHost: test\r\n\r\n");
        let answer = client.answer();
        let this = Some((unix_time(&answer), answer.json()["instance"].clone()));
        assert!(last.is_none_or(|last: Option<((u64, String), Value)>| {
            let (last, this) = (last.unwrap(), this.clone().unwrap());
            last.0 <= this.0 && last.1 == this.1
        }));
        last = Some(this);
    }
    let other = Service::start().get("/now").json();
    assert_ne!(other["instance"], service.get("/now").json()["instance"]);
}

#[test]
fn a_zone_is_found_in_any_case_and_spelling_of_the_query() {
    let service = Service::start();
    for (target, name) in [
        ("/now?tz=Europe/Madrid", "Europe/Madrid"),
        ("/now?tz=europe%2fMADRID", "Europe/Madrid"),
        ("/now?%74%7A=America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
        ("/now?cache=1&tz=Etc/GMT%2B5&x", "Etc/GMT+5"),
        ("/now?tz=utc", "UTC"),
        ("http://elsewhere/now?tz=Asia/Tokyo", "Asia/Tokyo"),
    ] {
        let answer = service.get(target);
        assert_eq!(answer.status(), 200, "{target}");
        assert_eq!(answer.json()["timezone"], name);
    }
    assert_eq!(service.get("/now?unknown=%20parameter").json()["timezone"], "UTC");
    assert_eq!(service.get("/now?").json()["timezone"], "UTC");
}

#[test]
fn the_offset_agrees_with_the_local_time_in_north_and_south_and_at_half_hours() {
    let service = Service::start();
    for (zone, possible) in [
        ("Europe/Madrid", &[3600, 7200][..]),
        ("Pacific/Auckland", &[43200, 46800]),
        ("Australia/Lord_Howe", &[37800, 39600]),
        ("America/St_Johns", &[-12600, -9000]),
        ("Asia/Kathmandu", &[20700]),
        ("UTC", &[0]),
    ] {
        let answer = service.get(&format!("/now?tz={zone}"));
        let body = answer.json();
        let offset = body["utc_offset"].as_i64().unwrap();
        assert!(possible.contains(&offset), "{zone} {offset}");
        let (seconds, fraction) = unix_time(&answer);
        assert_eq!(date(&answer), seconds);
        let day = (i64::try_from(seconds).unwrap() + offset).rem_euclid(86400);
        let local = format!("{:02}:{:02}:{:02}", day / 3600, day / 60 % 60, day % 60);
        assert_eq!(body["current_time"], local, "{zone}");
        let sign = if offset < 0 { '-' } else { '+' };
        let written = match offset.abs() {
            0 => "Z".to_owned(),
            ahead => format!("{sign}{:02}:{:02}", ahead / 3600, ahead / 60 % 60),
        };
        assert!(
            body["datetime"].as_str().unwrap().ends_with(&format!("T{local}.{fraction}{written}")),
            "{body}"
        );
    }
}

#[test]
fn well_known_time_has_the_time_in_a_header_and_no_body() {
    let service = Service::start();
    for method in ["GET", "HEAD"] {
        let mut client = service.connect();
        client
            .send(format!("{method} /.well-known/time HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"));
        let answer = client.answer_to(method);
        assert_eq!(client.rest(), "");
        assert_eq!(answer.status_line, "HTTP/1.1 204 No Content");
        let (seconds, fraction) = answer.header("x-httpstime").split_once('.').unwrap();
        assert_eq!(date(&answer), seconds.parse::<u64>().unwrap());
        assert_eq!(answer.header("access-control-expose-headers"), "Date, X-HTTPSTIME");
        assert!(fraction.len() == 9 && fraction.bytes().all(|b| b.is_ascii_digit()), "{fraction}");
        assert!(!answer.has("content-type") && !answer.has("content-length"), "{answer:#?}");
    }
}

#[test]
fn the_page_shows_the_time_of_its_date_header() {
    let service = Service::start();
    let answer = service.get("/");
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    assert!(answer.header("content-security-policy").starts_with("default-src 'none'"));
    assert!(answer.body.contains("curl http://test/now"), "{}", answer.body);
    let time = answer.header("date").split(' ').nth(4).unwrap();
    assert!(answer.body.contains(time), "{time} is not in {}", answer.body);
}

#[test]
fn the_description_of_now_is_the_schema_of_the_contract_and_has_every_route() {
    let openapi: Value = serde_json::from_str(include_str!("../../../../contract/openapi.json")).unwrap();
    let schema: Value = serde_json::from_str(include_str!("../../../../contract/now.schema.json")).unwrap();
    assert_eq!(openapi["components"]["schemas"]["Now"], schema);
    assert_eq!(openapi["info"]["version"], env!("CARGO_PKG_VERSION"));

    let service = Service::start();
    for (path, operations) in openapi["paths"].as_object().unwrap() {
        let answer = service.get(path);
        let described = &operations["get"]["responses"][answer.status().to_string()];
        assert!(described.is_object(), "{path} answers {}", answer.status_line);
        for (name, _) in described["headers"].as_object().unwrap() {
            let is_required = openapi["components"]["headers"][name]["required"] == true;
            assert!(!is_required || answer.has(&name.to_ascii_lowercase()), "{path} has no {name}");
        }
    }
}

#[test]
fn health_and_readiness_are_answered_while_all_is_well() {
    let service = Service::start();
    assert_eq!(service.get("/healthz").json(), json!({"status": "alive"}));
    assert_eq!(service.get("/readyz").json(), json!({"status": "ready"}));
}

#[test]
fn http_1_0_is_answered_and_closed_unless_the_client_keeps_it_alive() {
    let service = Service::start();
    let mut client = service.connect();
    client.send("GET /now HTTP/1.0\r\n\r\n");
    let answer = client.answer();
    assert_eq!(answer.status_line, "HTTP/1.0 200 OK");
    assert_eq!(client.rest(), "");

    let mut client = service.connect();
    for _ in 0..3 {
        client.send("GET /now HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        let answer = client.answer();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.header("connection"), "keep-alive");
    }
}

#[test]
fn requests_that_are_sent_together_are_answered_in_their_order() {
    let service = Service::start();
    let mut client = service.connect();
    client.send(
        "GET /now HTTP/1.1\r\nHost: test\r\n\r\n\
         HEAD /now HTTP/1.1\r\nHost: test\r\n\r\n\
         GET /nothing HTTP/1.1\r\nHost: test\r\n\r\n\
         GET /healthz HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n",
    );
    assert_eq!(client.answer().json()["timezone"], "UTC");
    assert_eq!(client.answer_to("HEAD").status(), 200);
    assert_eq!(client.answer().status(), 404);
    assert_eq!(client.answer().json()["status"], "alive");
    assert_eq!(client.rest(), "");
}

#[test]
fn two_threads_share_one_port_and_both_serve() {
    let service = Service::start();
    let clients: Vec<Client> = (0..64).map(|_| service.connect()).collect();
    for mut client in clients {
        client.send("GET /now HTTP/1.1\r\nHost: test\r\n\r\n");
        assert_eq!(client.answer().status(), 200);
    }
}

#[test]
fn ipv6_is_served_beside_ipv4_on_the_same_port() {
    let ipv6 = Service::of(nowd().args(["--listen=[::]:0", "--threads=1"]));
    let port = ipv6.address().port();
    let ipv4 = Service::of(nowd().args([&format!("--listen=0.0.0.0:{port}"), "--threads=1"]));
    let instance_at = |host: &str| {
        let mut client = Client::to(format!("{host}:{port}").parse().unwrap());
        client.send("GET /now HTTP/1.1\r\nHost: test\r\n\r\n");
        client.answer().json()["instance"].clone()
    };
    assert_eq!(instance_at("127.0.0.1"), ipv4.get("/now").json()["instance"]);
    assert_ne!(instance_at("127.0.0.1"), instance_at("[::1]"));
}

#[test]
fn a_clock_that_is_ahead_shows_in_every_field() {
    // The wrapper would stand between this test and the process, so it is only asked where its library is.
    let library = match Command::new("faketime").args(["-f", "+0s", "printenv", "LD_PRELOAD"]).output() {
        Ok(output) => String::from_utf8(output.stdout).unwrap().trim().to_owned(),
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "faketime is needed and cannot be run: {error}");
            eprintln!("SKIPPED a_clock_that_is_ahead_shows_in_every_field: install faketime ({error})");
            return;
        }
    };
    let mut ahead = nowd();
    ahead.env("LD_PRELOAD", library).env("FAKETIME", "+1000s").args(["--listen=127.0.0.1:0", "--threads=1"]);
    let service = Service::of(&mut ahead);
    let before = system_seconds();
    let answer = service.get("/now");
    let after = system_seconds();
    let (seconds, _) = unix_time(&answer);
    assert!((before + 1000..=after + 1000).contains(&seconds), "{seconds} is not 1000 s after {before}");
    assert_eq!(date(&answer), seconds);
}
