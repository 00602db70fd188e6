use super::*;

fn secrets() -> Secrets {
    let mut secrets = Secrets::default();
    secrets.add(b"s3cr/t & \"word\"");
    secrets.add_header(b"Basic YWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    secrets.add_header(b"Bearer tok-en_1234567890");
    secrets.add_header(b"session=abcdefgh; theme=dark");
    secrets
}

#[test]
fn a_secret_is_masked_however_it_is_escaped() {
    for (text, masked) in [
        (r#"key s3cr/t & "word"!"#, "key ***!"),
        (r#"key S3CR/T & "WORD"!"#, "key ***!"),
        ("/?k=s3cr%2Ft%20%26%20%22word%22&x", "/?k=***&x"),
        ("/?k=s3cr%2ft+%26+%22word%22&x", "/?k=***&x"),
        ("/?k=%73%33cr%2ft+%26+%22word%22&x", "/?k=***&x"),
        ("/?u=s3cr%252Ft%2520%2526%2520%2522word%2522&x", "/?u=***&x"),
        (r#"{"k": "s3cr\/t & \"word\""}"#, r#"{"k": "***"}"#),
        (r#"{"k": "s3cr/t \u0026 \u0022word\u0022"}"#, r#"{"k": "***"}"#),
        ("<b>s3cr/t &amp; &quot;word&#34;</b>", "<b>***</b>"),
        ("aladdin, open sesame", "***, ***"),
        ("Basic YWxhZGRpbjpvcGVuIHNlc2FtZQ== it was", "*** it was"),
        ("YWxhZGRpbjpvcGVuIHNlc2FtZQ it was", "*** it was"),
        ("Bearer tok-en_1234567890!", "***!"),
        ("tok-en_1234567890!", "***!"),
        ("dG9rLWVuXzEyMzQ1Njc4OTA=", "***="),
        ("of abcdefgh", "of ***"),
    ] {
        assert_eq!(secrets().masked(text), masked, "{text}");
    }
}

#[test]
fn the_begin_of_a_secret_is_masked_where_a_quotation_ends() {
    for (text, masked) in [
        ("it begins with: s3cr/…", "it begins with: ***…"),
        ("it has aa, s3cr…, b", "it has aa, ***…, b"),
        ("it has s3cr", "it has ***"),
        ("it has tok-en_12, b", "it has ***, b"),
    ] {
        assert_eq!(secrets().masked(text), masked, "{text}");
    }
}

#[test]
fn credentials_of_any_url_are_masked_wherever_it_stands() {
    for (text, masked) in [
        ("http://me:other@time.example/", "http://***@time.example/"),
        ("/login?next=http://me:other@h/", "/login?next=http://***@h/"),
        ("/login?next=http%3A%2F%2Fme%3Aother%40h%2F", "/login?next=http%3A%2F%2F***%40h%2F"),
        ("http://h/?a=http%253A%252F%252Fme%253Aother%2540h", "http://h/?a=http%253A%252F%252F***%2540h"),
        ("http://time.example/me:other@h/", "http://time.example/***@h/"),
        ("http:/me:other@h/", "http:/***@h/"),
        ("http:me:other@h/", "***@h/"),
        ("see http://token@h/ and http://me:other@h", "see http://***@h/ and http://***@h"),
        (r#"{"url": "http:\/\/token@h"}"#, r#"{"url": "http:\/\/***@h"}"#),
        ("http://***@h/", "http://***@h/"),
    ] {
        assert_eq!(Secrets::default().masked(text), masked, "{text}");
    }
}

#[test]
fn what_is_no_secret_stays() {
    for text in [
        "write to me@time.example",
        "2026-11-23T20:11:51@UTC",
        "it answered 503 Service Unavailable: the clock is not synchronized",
        "http://time.example/@me?mail=a@b",
        "é…",
        "",
    ] {
        assert_eq!(secrets().masked(text), text);
    }
    let mut short = Secrets::default();
    short.add(b"a");
    assert_eq!(short.masked("a clock"), "a clock");
}

#[test]
fn nothing_shows_a_secret() {
    assert!(!format!("{:?}", secrets()).contains("sesame"));
}
