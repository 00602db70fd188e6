use std::cell::Cell;
use std::convert::Infallible;

use nowcheck::clock::Clock;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use super::*;
use crate::alerts::testing::{alert, notice};
use crate::alerts::{NoticeEvent, Transport};
use crate::config::Receiver;

fn settings() -> Email {
    let lines = "type = \"email\"\nserver = \"127.0.0.1:1\"\nfrom = \"Ops <nowcheck@shop.example>\"\n\
                 to = [\"on-call@shop.example\", \"Böse <b@shop.example>\"]\n";
    match alert("night", lines, &[]).receiver {
        Receiver::Email(email) => email,
        other => panic!("{other:?}"),
    }
}

fn written(notice: &Notice) -> String {
    String::from_utf8(text::message(&settings(), notice).unwrap().formatted()).unwrap()
}

#[test]
fn all_messages_of_an_incident_are_one_conversation() {
    let (opened, closed) = (written(&notice(NoticeEvent::Opened)), written(&notice(NoticeEvent::Closed)));
    for text in [&opened, &closed] {
        assert!(text.contains("References: <incident-1795878000-1@shop.example>\r\n"), "{text}");
        assert!(text.contains("Message-ID: <1795878000-1-night-2@shop.example>\r\n"), "{text}");
    }
    assert!(opened.contains("Subject: shop: wrong: the clock is"), "{opened}");
    assert!(closed.contains("Subject: shop: resolved: "), "{closed}");
}

#[test]
fn the_same_message_is_the_same_on_each_try() {
    assert_eq!(written(&notice(NoticeEvent::Opened)), written(&notice(NoticeEvent::Opened)));
}

#[test]
fn what_a_service_wrote_adds_no_header() {
    let mut notice = notice(NoticeEvent::Opened);
    notice.summary = "a\r\nBcc: eve@evil.example\r\n\r\nbody".to_owned();
    notice.id = "1>\r\nBcc: eve@evil.example-1".to_owned();
    let text = written(&notice);
    let (head, _) = text.split_once("\r\n\r\n").unwrap();
    assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
    assert!(head.contains("Message-ID: <1_3e_0d_0aBcc_3a_20eve_40evil_2eexample-1@shop.example>"), "{head}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_failure_that_may_pass() {
    let fault = send(&settings(), &notice(NoticeEvent::Test), Duration::from_secs(10), Deferred::Wait)
        .await
        .unwrap_err();
    assert!(matches!(fault, Fault::Smtp(SmtpFault::Connection(_))), "{fault:?}");
    assert!(!fault.setback().is_rejected);
}

/// A server that takes one message and answers nothing to what comes next.
async fn take_a_message_and_fall_silent(listener: TcpListener) -> Infallible {
    let (stream, _) = listener.accept().await.unwrap();
    let mut stream = BufReader::new(stream);
    let mut answer = "220 ready\r\n";
    let mut is_data = false;
    loop {
        stream.get_mut().write_all(answer.as_bytes()).await.unwrap();
        let mut line = String::new();
        while stream.read_line(&mut line).await.unwrap() > 0 && is_data && line != ".\r\n" {
            line.clear();
        }
        is_data = line.starts_with("DATA");
        answer = match line.as_str() {
            "QUIT\r\n" => break,
            _ if is_data => "354 go on\r\n",
            _ => "250 ok\r\n",
        };
    }
    std::future::pending().await
}

#[tokio::test]
async fn a_message_that_was_accepted_is_delivered_however_the_connection_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = listener.local_addr().unwrap();
    let lines = format!(
        "type = \"email\"\nserver = \"{server}\"\ntls = \"none\"\nfrom = \"a@shop.example\"\n\
         to = [\"b@shop.example\"]\ntimeout = \"2s\"\n"
    );
    let transport = Transport::new(&alert("night", &lines, &[]), Clock::start());
    let body = notice(NoticeEvent::Opened).to_json();
    tokio::select! {
        never = take_a_message_and_fall_silent(listener) => match never {},
        sent = transport.send(&body, Deferred::Wait) => assert_eq!(sent, Ok(None)),
    }
}

/// Takes all recipients but `later`, and counts the messages that it is sent.
async fn defer_one(listener: TcpListener, messages: &Cell<usize>) -> Infallible {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        stream.get_mut().write_all(b"220 ready\r\n").await.unwrap();
        let (mut line, mut is_data) = (String::new(), false);
        while stream.read_line(&mut line).await.unwrap_or(0) > 0 && line != "QUIT\r\n" {
            let answer = match line.as_str() {
                ".\r\n" => {
                    messages.set(messages.get() + 1);
                    is_data = false;
                    "250 ok\r\n"
                }
                _ if is_data => "",
                "DATA\r\n" => {
                    is_data = true;
                    "354 go on\r\n"
                }
                _ if line.starts_with("RCPT TO:<later@") => "451 4.7.1 greylisted\r\n",
                _ => "250 ok\r\n",
            };
            stream.get_mut().write_all(answer.as_bytes()).await.unwrap();
            line.clear();
        }
    }
}

#[tokio::test]
async fn all_wait_for_a_recipient_that_is_deferred_and_not_for_ever() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = listener.local_addr().unwrap();
    let lines = format!(
        "type = \"email\"\nserver = \"{server}\"\ntls = \"none\"\nfrom = \"a@shop.example\"\n\
         to = [\"b@shop.example\", \"later@shop.example\"]\ntimeout = \"2s\"\n"
    );
    let transport = Transport::new(&alert("night", &lines, &[]), Clock::start());
    let body = notice(NoticeEvent::Opened).to_json();
    let messages = Cell::new(0);
    let sending = async {
        let waited = transport.send(&body, Deferred::Wait).await;
        assert!(
            matches!(&waited, Err(Fault::Smtp(SmtpFault::Busy(said))) if said.contains("greylisted")),
            "{waited:?}"
        );
        assert_eq!(messages.get(), 0, "nobody got it, and nobody gets it twice");
        let left_out = transport.send(&body, Deferred::AreLeftOut).await.unwrap();
        assert!(left_out.unwrap().to_string().contains("later@shop.example"));
        assert_eq!(messages.get(), 1);
    };
    tokio::select! {
        never = defer_one(listener, &messages) => match never {},
        () = sending => {}
    }
}
