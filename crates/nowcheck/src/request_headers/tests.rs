use super::*;

fn headers(texts: &[&str]) -> Result<RequestHeaders, HeaderError> {
    let mut headers = RequestHeaders::default();
    for text in texts {
        headers.add(text)?;
    }
    Ok(headers)
}

fn sent(headers: &RequestHeaders) -> Vec<String> {
    let mut request = HeaderMap::new();
    request.insert(header::HOST, HeaderValue::from_static("time.example"));
    request.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    headers.put_into(&mut request);
    let lines =
        request.iter().map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())));
    let mut lines: Vec<String> = lines.collect();
    lines.sort();
    lines
}

#[test]
fn headers_are_added_and_go_before_our_own() {
    for (given, expected) in [
        (&[][..], &["accept: */*", "host: time.example"][..]),
        (&["X-Api-Key: a:b"], &["accept: */*", "host: time.example", "x-api-key: a:b"]),
        (&["Host: other.example:81"], &["accept: */*", "host: other.example:81"]),
        (&["ACCEPT:text/plain"], &["accept: text/plain", "host: time.example"]),
        (
            &["Cookie: a=1", "Cookie: b=2"],
            &["accept: */*", "cookie: a=1", "cookie: b=2", "host: time.example"],
        ),
        (&["X-Empty:"], &["accept: */*", "host: time.example", "x-empty: "]),
        (&["X-Name: café"], &["accept: */*", "host: time.example", "x-name: café"]),
    ] {
        assert_eq!(sent(&headers(given).unwrap()), expected, "{given:?}");
    }
}

#[test]
fn what_cannot_be_sent_is_rejected_without_its_value() {
    for (given, error) in [
        (&["s3cret"][..], HeaderError::NoColon),
        (&[": s3cret"], HeaderError::NoColon),
        (&["X Name: s3cret"], HeaderError::Name),
        (&["X-Name : s3cret"], HeaderError::Name),
        (&["X-Name: s3cret\r\nX-Other: 1"], HeaderError::Value("x-name".parse().unwrap())),
        (&["X-Name: s3cret\0"], HeaderError::Value("x-name".parse().unwrap())),
        (&["Host: s3cret/path"], HeaderError::Host),
        (&["Host:"], HeaderError::Host),
        (&["Content-Length: 5"], HeaderError::Framing(header::CONTENT_LENGTH)),
        (&["transfer-encoding: chunked"], HeaderError::Framing(header::TRANSFER_ENCODING)),
        (&["Authorization: s3cret", "authorization: b"], HeaderError::Twice(header::AUTHORIZATION)),
    ] {
        let found = headers(given).unwrap_err();
        assert_eq!(found, error, "{given:?}");
        assert!(!found.to_string().contains("s3cret"), "{found}");
    }
}

#[test]
fn credentials_are_one_line_and_are_encoded_as_the_rfc_says() {
    // RFC 7617 section 2 and section 2.1.
    for (line, value) in [
        ("Aladdin:open sesame", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        ("test:123\u{a3}\n", "Basic dGVzdDoxMjPCow=="),
        ("Aladdin:open sesame\r\n", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        ("\u{feff}Aladdin:open sesame", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
    ] {
        let header = basic_from_line(line).unwrap();
        assert_eq!(header, value);
        assert!(header.is_sensitive());
    }
    for (line, error) in [
        ("", CredentialsError::Empty),
        ("\n", CredentialsError::Empty),
        ("s3cret", CredentialsError::NoColon),
        ("a:s3cret\nb:c\n", CredentialsError::SeveralLines),
        ("a:s3cret\t", CredentialsError::ControlCharacter),
    ] {
        assert_eq!(basic_from_line(line), Err(error));
        assert!(!error.to_string().contains("s3cret"));
    }
}

#[test]
fn nothing_shows_a_value() {
    let mut all = headers(&["X-Api-Key: s3cret"]).unwrap();
    all.authenticate(basic(b"me:s3cret")).unwrap();
    assert!(all.authenticate(basic(b"me:other")).is_err());
    let shown = format!("{all:?} {:?}", basic(b"me:s3cret"));
    assert!(shown.contains("x-api-key") && !shown.contains("s3cret") && !shown.contains("bWU6"), "{shown}");
}
