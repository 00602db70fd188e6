//! What is refused, and how it is said.

use crate::harness::{Service, nowd};

#[test]
fn an_unknown_path_is_answered_404_and_names_what_there_is() {
    let service = Service::start();
    for target in
        ["/nothing", "/now/", "/NOW", "//now", "/%6eow", "http://elsewhere/nothing", "/nothing?tz=%"]
    {
        let detail = service.get(target).problem(404, "not-found");
        assert!(detail.contains("/now") && detail.contains("/openapi.json"), "{detail}");
    }
}

#[test]
fn another_method_is_answered_405_and_told_which_are_possible() {
    let service = Service::start();
    for target in ["/now", "/.well-known/time", "/", "/openapi.json", "/healthz", "/readyz"] {
        for method in ["POST", "PUT", "DELETE", "options", "PATCH", "TRACE", "get", "FROBNICATE"] {
            let answer = service.ask(method, target);
            assert_eq!(answer.header("allow"), "GET, HEAD, OPTIONS");
            let detail = answer.problem(405, "method-not-allowed");
            assert!(detail.contains(method), "{detail}");
        }
    }
}

#[test]
fn a_browser_gets_every_problem_as_a_page_and_a_program_as_json() {
    const BROWSER: &str = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n";
    let service = Service::with(&["--max-clock-error=0s"]);
    for (method, target, lines, status, words) in [
        ("GET", "/nope", "", 404, "Nothing is at “/nope”"),
        ("HEAD", "/nope", "", 404, ""),
        ("GET", "/%3Cscript%3E", "", 404, "“/%3Cscript%3E”"),
        ("GET", "/assets/x.css", "", 404, "“/assets/x.css”"),
        ("POST", "/now", "", 405, "“POST” is not allowed here"),
        ("GET", "/now?tz=%3Cscript%3E", "", 400, "“&lt;script&gt;”"),
        ("GET", "/now?tz=", "", 400, "tz is empty"),
        ("GET", "/now", "Content-Length: 3\r\n", 413, "without one"),
        ("GET", "/now", "Host: b\r\n", 400, "exactly one Host header"),
        ("GET", "*", "", 400, "form of request target"),
        ("GET", "/now", "Bad header\r\n", 400, "the head of the request is malformed"),
        ("GET", "/readyz", "", 503, "the clock of this host"),
        ("OPTIONS", "/nope", "", 404, "“/nope”"),
    ] {
        let ask = |accept: &str| {
            let mut client = service.connect();
            client.send(format!("{method} {target} HTTP/1.1\r\nHost: test\r\n{lines}{accept}\r\n"));
            client.answer_to(method)
        };
        let page = ask(BROWSER);
        assert_eq!(page.status(), status, "{page:#?}");
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8", "{target}");
        assert_eq!(page.header("vary"), "Accept");
        assert_eq!(page.header("cache-control"), "no-store");
        assert_eq!(page.header("x-content-type-options"), "nosniff");
        let policy = page.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"),
            "{policy}"
        );
        if method != "HEAD" {
            let body = page.body.to_lowercase();
            assert!(body.starts_with("<!doctype html>") && body.contains("href=\"/\""), "{body}");
            assert!(
                body.contains(&words.to_lowercase()) && !body.contains("<script"),
                "{words} is not in {body}"
            );
        }
        for accept in ["", "Accept: */*\r\n", "Accept: application/json, text/html;q=0.9\r\n"] {
            let problem = ask(accept);
            assert_eq!(problem.status(), status);
            assert_eq!(problem.header("content-type"), "application/problem+json");
            assert_eq!(problem.header("vary"), "Accept", "{target}");
            assert!(!problem.has("content-security-policy"));
        }
    }
}

#[test]
fn an_unknown_zone_is_named_and_told_where_names_come_from() {
    let service = Service::start();
    let detail = service.get("/now?tz=Mars/Olympus%20Mons").problem(400, "unknown-time-zone");
    assert_eq!(
        detail,
        "no time zone is called “Mars/Olympus Mons”: names come from the IANA time zone database, such as \
         Europe/Madrid or UTC"
    );
    for (target, shown) in [
        ("/now?tz=%22%5C%0A%00", r#"“\"\\\n\0”"#),
        ("/now?tz=%3Cscript%3E", "“<script>”"),
        ("/now?tz=..%2F..%2Fetc%2Fpasswd", "“../../etc/passwd”"),
    ] {
        let detail = service.get(target).problem(400, "unknown-time-zone");
        assert!(detail.contains(shown), "{detail}");
    }
    let huge = service.get(&format!("/now?tz={}", "x".repeat(8000))).problem(400, "unknown-time-zone");
    assert!(huge.contains("xxx…”") && huge.len() < 300, "{huge}");
    // What the zone library calls the lack of a zone.
    service.get("/now?tz=Etc/Unknown").problem(400, "unknown-time-zone");
    assert_eq!(service.get("/now?tz=Etc/GMT+5").json()["utc_offset"], -5 * 3_600);
}

#[test]
fn a_malformed_query_is_answered_400_with_what_to_do() {
    let service = Service::start();
    for (target, advice) in [
        ("/now?tz=", "tz is empty"),
        ("/now?tz", "tz is empty"),
        ("/now?tz=UTC&tz=Asia/Tokyo", "one zone at a time"),
        ("/now?TZ=Europe/Madrid", "there is no parameter “TZ”: write tz"),
        ("/now?tz=%", "percent-encode it as UTF-8"),
        ("/now?tz=%4", "percent-encode it as UTF-8"),
        ("/now?tz=%GG", "percent-encode it as UTF-8"),
        ("/now?tz=%FF%FE", "percent-encode it as UTF-8"),
        ("/now?other=%C3%28", "percent-encode it as UTF-8"),
    ] {
        let detail = service.get(target).problem(400, "malformed-query");
        assert!(detail.contains(advice), "{target}: {detail}");
    }
}

#[test]
fn a_request_of_http_1_1_needs_exactly_one_host() {
    let service = Service::start();
    for headers in ["", "Host: a\r\nHost: b\r\n"] {
        let mut client = service.connect();
        client.send(format!("GET /now HTTP/1.1\r\n{headers}\r\n"));
        client.answer().problem(400, "host");
    }
}

#[test]
fn a_body_is_not_waited_for_and_does_not_cost_the_client_its_answer() {
    let service = Service::start();
    let mut client = service.connect();
    // Far more than is sent; whoever waits for it waits in vain.
    client.send("POST /now HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000000\r\n\r\n");
    client.send(vec![b'x'; 100_000]);
    client.answer().problem(405, "method-not-allowed");

    // A body that has come as well is not taken for a request.
    for framing in [
        "Content-Length: 29\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Expect: 100-continue\r\nContent-Length: 29\r\n",
    ] {
        let mut client = service.connect();
        client.send(format!(
            "GET /now HTTP/1.1\r\nHost: test\r\n{framing}\r\nGET /healthz HTTP/1.1\r\nHost: x"
        ));
        let answer = client.answer();
        let detail = answer.problem(413, "body");
        assert!(detail.contains("without one"), "{detail}");
        assert_eq!(answer.header("connection"), "close");
        assert_eq!(client.rest(), "", "{framing}");
    }
    let mut client = service.connect();
    client.send("GET /now HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(client.answer().status(), 200);
}

#[test]
fn an_empty_chunked_body_is_no_body_and_the_connection_goes_on() {
    let service = Service::start();
    let long_extension = format!("0;name={}\r\n\r\n", "x".repeat(4_000));
    let trailers = "0\r\nX-A: 1\r\nX-B: 2\r\n\r\n";
    for target in
        ["/now", "/now?tz=Asia/Tokyo", "/readyz", "/healthz", "/", "/openapi.json", "/.well-known/time"]
    {
        let mut client = service.connect();
        for (method, body) in [
            ("GET", "0\r\n\r\n"),
            ("HEAD", "0\r\n\r\n"),
            ("OPTIONS", "0\r\n\r\n"),
            ("GET", "000;name=\"value\"\r\n\r\n"),
            ("GET", &long_extension),
            ("GET", trailers),
        ] {
            client.send(format!(
                "{method} {target} HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
            ));
            // Mostly after the head was read.
            client.send(body);
            let answer = client.answer_to(method);
            assert!([200, 204].contains(&answer.status()), "{method} {target} {body:?}: {answer:#?}");
            assert!(!answer.has("connection"), "{answer:#?}");
        }
        client.send(format!("GET {target} HTTP/1.1\r\nHost: test\r\n\r\n"));
        assert!([200, 204].contains(&client.answer().status()));
    }
    let mut client = service.connect();
    let chunked = "GET /now HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    client.send(chunked.repeat(20));
    for _ in 0..20 {
        assert_eq!(client.answer().status(), 200);
    }
}

#[test]
fn a_chunked_body_that_is_not_empty_or_not_well_formed_is_refused() {
    let service = Service::start();
    let huge = format!("0;name={}\r\n\r\n", "x".repeat(40_000));
    for body in ["1\r\nx\r\n0\r\n\r\n", "5\r\nhello", "nonsense\r\n", "-0\r\n\r\n", &huge] {
        let mut client = service.connect();
        client.send(format!("GET /now HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n{body}"));
        let answer = client.answer();
        answer.problem(413, "body");
        assert_eq!(answer.header("connection"), "close");
    }
    // It ends before the body does.
    let mut client = service.connect();
    client.send("GET /now HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
    client.end();
    assert_ne!(client.rest().split(' ').nth(1), Some("200"));
}

#[test]
fn what_is_no_http_is_answered_400_with_the_reason_and_closed() {
    let service = Service::start();
    for nonsense in [
        "\u{16}\u{3}\u{1}nonsense\r\n\r\n",
        "GET /now\r\n\r\n",
        "GET /now HTTP/1.1\r\nHost test\r\n\r\n",
        "GET /now HTTP/1.1\r\nHost: te\0st\r\n\r\n",
        "GET /now HTTP/1.1\r\nHost : test\r\n\r\n",
        "GET /now HTTP/1.1\r\nHost: test\r\nX: a\r\n b\r\n\r\n",
        "GET /now HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "GET /now HTTP/1.1\r\nHost: test\r\nContent-Length: -1\r\n\r\n",
        "GET /now HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: gzip\r\n\r\n",
    ] {
        let mut client = service.connect();
        client.send(nonsense);
        let answer = client.answer();
        let detail = answer.problem(400, "malformed-request");
        assert!(detail.contains("RFC 9112") || detail.contains("TLS"), "{nonsense:?}: {detail}");
        assert_eq!(answer.header("connection"), "close");
        assert_eq!(client.rest(), "", "{nonsense:?}");
    }
}

#[test]
fn a_broken_head_after_a_good_one_does_not_cost_the_client_its_answer() {
    let service = Service::start();
    let mut client = service.connect();
    client.send("GET /now HTTP/1.1\r\nHost: test\r\n\r\nnonsense\r\n\r\n");
    assert_eq!(client.answer().status(), 200);
    assert_eq!(client.answer().status(), 400);
    assert_eq!(client.rest(), "");
}

#[test]
fn another_version_of_http_is_answered_505_and_closed() {
    let service = Service::start();
    for head in [
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0",
        "GET /now HTTP/2.0\r\nHost: test\r\n\r\n",
        "GET /now HTTP/3.0\r\n",
        // There is none, and to read it as HTTP/1.1 would be one more way to disagree with a proxy.
        "GET /now HTTP/1.2\r\nHost: test\r\n\r\n",
    ] {
        let mut client = service.connect();
        client.send(head);
        let answer = client.answer();
        answer.problem(505, "version");
        assert_eq!(answer.header("connection"), "close", "{head}");
        assert_eq!(client.rest(), "", "{head}");
    }
}

#[test]
fn what_is_wrong_with_a_head_is_told_as_far_as_it_is_known() {
    let service = Service::start();
    for (head, status, words) in [
        ("\u{16}\u{3}\u{1}\0\u{5}hello\r\n\r\n", 400, "this begins like TLS"),
        ("GET /?tz=<script> HTTP/1.1\r\nHost: test\r\n\r\n", 400, "percent-encode what a URL cannot have"),
        (
            &format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(20_000)),
            431,
            "more than 16384 bytes (--max-head-bytes)",
        ),
    ] {
        let mut client = service.connect();
        client.send(head);
        let answer = client.answer();
        assert_eq!(answer.status(), status);
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(words), "{detail}");
    }
}

#[test]
fn a_host_that_is_none_is_refused_and_one_in_the_target_wins() {
    let service = Service::start();
    for host in ["a b", "a/b", "user@a", "a:b", "[::1", "\"a\""] {
        let mut client = service.connect();
        client.send(format!("GET /now HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        client.answer().problem(400, "host");
    }
    for target in ["http://user@elsewhere/now", "http://user:password@elsewhere/now"] {
        service.get(target).problem(400, "host");
    }
    let page = service.get("http://elsewhere:81/").body;
    assert!(page.contains("elsewhere:81") && !page.contains("http://test/"), "{page}");
}

#[test]
fn a_target_that_is_no_path_is_answered_as_its_form_asks() {
    let service = Service::start();
    let answer = service.ask("OPTIONS", "*");
    assert_eq!(answer.status(), 204);
    assert_eq!(answer.header("allow"), "GET, HEAD, OPTIONS");
    assert!(!answer.has("access-control-allow-methods"), "{answer:#?}");
    service.ask("GET", "*").problem(400, "malformed-request");
    service.ask("GET", "elsewhere:80").problem(400, "malformed-request");
    let tunnel = service.ask("CONNECT", "elsewhere:80");
    assert_eq!(tunnel.header("allow"), "GET, HEAD, OPTIONS");
    tunnel.problem(405, "method-not-allowed");
}

#[test]
fn a_client_that_ends_its_side_after_its_request_is_answered() {
    let service = Service::start();
    // Whether the end comes before the answer is for chance to decide.
    for _ in 0..500 {
        let mut client = service.connect();
        client.send("GET /now HTTP/1.1\r\nHost: test\r\n\r\n");
        client.end();
        assert_eq!(client.answer().status(), 200);
        assert_eq!(client.rest(), "");
    }
}

#[test]
fn a_clock_that_the_kernel_does_not_vouch_for_makes_it_not_ready() {
    // No kernel vouches for an error of zero.
    let service = Service::of(nowd().args(["--listen=127.0.0.1:0", "--threads=1", "--max-clock-error=0s"]));
    let detail = service.get("/readyz").problem(503, "clock-not-trusted");
    assert!(
        detail.starts_with("the clock of this host ") && detail.contains("--max-clock-error allows 0ns"),
        "{detail}"
    );
    assert_eq!(service.get("/healthz").status(), 200);
    assert_eq!(service.get("/now").status(), 200);
}
