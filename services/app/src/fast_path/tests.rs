//! The fast path gives the bytes that hyper gives, for every head that it accepts.

use proptest::prelude::*;

use crate::fuzzing::compare_with_hyper;

/// Request lines: most of them of plain requests, and some that only look like it.
fn request_line() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => Just("GET /now HTTP/1.1".to_owned()),
        2 => prop_oneof![Just("GET /healthz HTTP/1.1"), Just("GET /readyz HTTP/1.1")].prop_map(str::to_owned),
        1 => prop_oneof![
            Just("HEAD /now HTTP/1.1"),
            Just("GET /now HTTP/1.0"),
            Just("GET /now HTTP/2.0"),
            Just("GET /now?tz=UTC HTTP/1.1"),
            Just("GET /now? HTTP/1.1"),
            Just("GET /now#now HTTP/1.1"),
            Just("GET http://time.example/now HTTP/1.1"),
            Just("GET  /now HTTP/1.1"),
            Just("GET /now  HTTP/1.1"),
            Just("get /now HTTP/1.1"),
            Just("GET / HTTP/1.1"),
            Just("POST /now HTTP/1.1"),
        ]
        .prop_map(str::to_owned),
    ]
}

/// Names that the fast path has to know, names that resemble them, and those that are logged.
fn name() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "connection",
        "content-length",
        "transfer-encoding",
        "upgrade",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "hosts",
        "x-host",
        "accept",
        "accept-encoding",
        "range",
        "if-none-match",
        "origin",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-forwarded-host",
        "x-forwarded-port",
        "user-agent",
        "x-request-id",
        "x-amzn-trace-id",
        "tracestate",
        "traceparent",
    ]);
    (prop_oneof![4 => known.prop_map(str::to_owned), 1 => "[!#-'*+.^_`|~0-9a-zA-Z-]{1,20}"], any::<bool>())
        .prop_map(|(name, is_upper)| if is_upper { name.to_uppercase() } else { name })
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "",
            "0",
            "1",
            "close",
            "keep-alive",
            "chunked",
            "100-continue",
            "h2c",
            "time.example:80",
            "[::1]:80",
            "not a host",
            "text/html",
            "gzip",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ])
        .prop_map(str::to_owned),
        "[ -~\t\u{80}-\u{2fff}]{0,40}",
    ]
}

/// A header that says nothing which the fast path has to know.
fn harmless() -> impl Strategy<Value = String> {
    ("[xX]-[a-zA-Z0-9-]{1,12}", "[ \t]{0,2}", "[!-~][ -~]{0,30}").prop_map(|(n, s, v)| format!("{n}:{s}{v}"))
}

fn head() -> impl Strategy<Value = String> {
    let any_header =
        (name(), "[ \t]{0,2}", value()).prop_map(|(name, space, value)| format!("{name}:{space}{value}"));
    let special = prop::sample::select(vec![
        "Connection: close",
        "connection: keep-alive",
        "Content-Length: 0",
        "content-length:5",
        "Transfer-Encoding: chunked",
        "Expect: 100-continue",
        "Upgrade: h2c",
        "host: time.example",
        "Host: ",
    ]);
    let header = prop_oneof![18 => harmless(), 2 => any_header, 1 => special.prop_map(str::to_owned)];
    let host = prop_oneof![9 => Just("Host: time.example"), 1 => Just("X-Host: none")];
    let end = prop_oneof![19 => Just("\r\n"), 1 => Just("\n")];
    (request_line(), host, prop::collection::vec(header, 0..8), end).prop_map(|(line, host, headers, end)| {
        let mut lines = vec![line, host.to_owned()];
        lines.extend(headers);
        lines.into_iter().map(|line| line + end).collect::<String>() + end
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_it_accepts_has_the_bytes_the_log_and_the_counts_of_hyper(
        heads in prop::collection::vec(head(), 1..5),
        rest in prop::collection::vec(any::<u8>(), 0..8),
        cut in any::<prop::sample::Index>(),
        max_headers in prop::sample::select(vec![1, 3, 64, 100, 1_000]),
    ) {
        let mut bytes = heads.concat().into_bytes();
        bytes.extend(rest);
        prop_assert!(compare_with_hyper(&bytes, max_headers).map_err(TestCaseError::fail)? <= heads.len());
        let piece = &bytes[..cut.index(bytes.len())];
        compare_with_hyper(piece, max_headers).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn every_head_without_anything_special_is_accepted(
        target in prop::sample::select(vec!["/now", "/healthz", "/readyz"]),
        headers in prop::collection::vec(harmless(), 0..60),
        place in any::<prop::sample::Index>(),
    ) {
        let mut headers = headers;
        headers.insert(place.index(headers.len() + 1), "hOST: time.example:8080".to_owned());
        let head = format!("GET {target} HTTP/1.1\r\n{}\r\n\r\n", headers.join("\r\n"));
        prop_assert_eq!(compare_with_hyper(head.repeat(3).as_bytes(), 100), Ok(3));
        // One header more than the limit.
        prop_assert_eq!(compare_with_hyper(head.as_bytes(), headers.len() - 1), Ok(0));
    }
}

#[test]
fn a_head_that_says_more_than_it_may_is_left_to_hyper() {
    for lines in [
        "",
        "Host: a\r\nHost: a\r\n",
        "Host: a b\r\n",
        "Host: a\r\nContent-Length: 0\r\n",
        "Host: a\r\nTransfer-Encoding: chunked\r\n",
        "Host: a\r\nConnection: close\r\n",
        "Host: a\r\nconnection: keep-alive\r\n",
        "Host: a\r\nUpgrade: h2c\r\n",
        "Host: a\r\nExpect: 100-continue\r\n",
        "Host: a\r\n folded\r\n",
        "Host: a\r\nX : b\r\n",
        "Host: a\r\nX: \0\r\n",
        &format!("Host: a\r\nX: {}\r\n", "x".repeat(16_384)),
        &format!("Host: a\r\n{}", "X: y\r\n".repeat(64)),
    ] {
        let head = format!("GET /now HTTP/1.1\r\n{lines}\r\n");
        assert_eq!(compare_with_hyper(head.as_bytes(), 100), Ok(0), "{lines}");
    }
}
