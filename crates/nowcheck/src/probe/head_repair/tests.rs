use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::*;

fn head_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&repaired(bytes).unwrap().bytes).into_owned()
}

#[test]
fn status_lines_are_written_as_the_standard_has_them() {
    for (line, written) in [
        ("HTTP/1.1 200 OK", "HTTP/1.1 200 OK"),
        ("http/1.1 200 OK", "HTTP/1.1 200 OK"),
        ("HTTP/1.0   404  Not Found", "HTTP/1.0 404 Not Found"),
        ("HTTP/1.1 200", "HTTP/1.1 200 "),
        ("HTTP/1.1 200\tOK", "HTTP/1.1 200 OK"),
        ("HTTP/1.1 200OK", "HTTP/1.1 200 OK"),
        ("HTTP/1.1 200 O\u{1}K\r", "HTTP/1.1 200 O K"),
        ("HTTP/2 200", "HTTP/1.1 200 "),
        ("HTTP/2.0 200 OK", "HTTP/1.1 200 OK"),
        // What curl refuses stays what it is.
        ("HTTP/1.1\t200 OK", "HTTP/1.1\t200 OK"),
        ("HTTP/1.2 200 OK", "HTTP/1.2 200 OK"),
        ("HTTP/1.1 2000 OK", "HTTP/1.1 2000 OK"),
        ("HTTP/1.1 2x0 OK", "HTTP/1.1 2x0 OK"),
        ("HTTP/1.1", "HTTP/1.1"),
        ("HTTP/", "HTTP/"),
        ("HTTP/1.1 200 O\0K", "HTTP/1.1 200 O\0K"),
    ] {
        assert_eq!(head_of(format!("{line}\r\n\r\n").as_bytes()), format!("{written}\r\n\r\n"), "{line:?}");
    }
}

#[test]
fn lines_have_one_end_and_nothing_in_them_that_looks_like_it() {
    let head = b"\r\n\nHTTP/1.1 200 OK\nA: b\rc\r\r\n  folded\r\n\r\r\nbody\r\n\n";
    assert_eq!(head_of(head), "HTTP/1.1 200 OK\r\nA: b c\r\n  folded\r\n\r\nbody\r\n\n");
}

#[test]
fn interim_answers_are_no_end_and_what_is_not_whole_waits() {
    let early = b"http/1.1 103 Early Hints\nLink: </a>\n\nhttp/1.1 200 OK\n\n{}";
    assert_eq!(head_of(early), "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n\r\n{}");
    for end in 0..early.len() - 3 {
        assert!(repaired(&early[..end]).is_none(), "{end}");
    }
    let switched = b"HTTP/1.1 101 Switching\r\n\r\nHTTP";
    assert_eq!(repaired(switched).unwrap().bytes, switched);
}

#[test]
fn a_length_is_the_number_that_curl_takes() {
    for (line, written) in [
        ("Content-Length: 38", "Content-Length: 38"),
        ("Content-Length: +38", "Content-Length: 38"),
        ("content-length:38;x", "Content-Length: 38"),
        ("Content-Length : 38 38", "Content-Length: 38"),
        // What curl refuses, and what the library compares.
        ("Content-Length: ++38", "Content-Length: ++38"),
        ("Content-Length: -1", "Content-Length: -1"),
        ("Content-Length:", "Content-Length:"),
        ("Content-Length: 38, 39", "Content-Length: 38, 39"),
    ] {
        let head = format!("HTTP/1.1 200 OK\r\n{line}\r\n\r\n");
        assert_eq!(head_of(head.as_bytes()), format!("HTTP/1.1 200 OK\r\n{written}\r\n\r\n"), "{line}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_repair_panic(text in "(HTTP/|http/|1\\.[01]|2| |\r|\n|:|200|103|Transfer-Encoding: chunked|\\PC|\0){0,30}") {
        let _ = repaired(text.as_bytes());
        let _ = may_be_http(text.as_bytes());
    }
}

#[test]
fn chunks_of_http_1_0_end_with_their_connection() {
    let head = b"HTTP/1.0 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n";
    assert_eq!(head_of(head), "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nConnection: close\r\n\r\n");
}

async fn read(parts: &[&[u8]], most: usize) -> Vec<u8> {
    let (mut there, here) = duplex(64);
    let parts: Vec<Vec<u8>> = parts.iter().map(|part| part.to_vec()).collect();
    tokio::spawn(async move {
        for part in parts {
            there.write_all(&part).await.unwrap();
        }
    });
    let mut repair = HeadRepair::new(here, most);
    let mut all = Vec::new();
    repair.read_to_end(&mut all).await.unwrap();
    all
}

#[tokio::test]
async fn a_head_may_come_in_any_pieces() {
    let whole: &[u8] = b"http/1.1 200 OK\nA: b\n\nHTTP/9 is no head here\n\n";
    let written = b"HTTP/1.1 200 OK\r\nA: b\r\n\r\nHTTP/9 is no head here\n\n";
    for cut in 0..whole.len() {
        let (one, other) = whole.split_at(cut);
        assert_eq!(read(&[one, other], 1_000).await, written, "{cut}");
    }
}

#[tokio::test]
async fn what_is_no_head_or_too_long_or_not_whole_passes_as_it_is() {
    for (bytes, most) in [
        (&b"\x15\x03\x01\0\x02\x02\x46"[..], 1_000),
        (b"SSH-2.0-x\r\n", 1_000),
        (b"http/1.1 200 OK\nA: bbbbbbbbbbbbbb\n", 20),
        (b"http/1.1 200 OK\nA: b", 1_000),
        (b"", 1_000),
    ] {
        assert_eq!(read(&[bytes], most).await, bytes);
    }
}

#[tokio::test]
async fn behind_each_request_a_head_is_expected_again() {
    let (mut there, here) = duplex(1_000);
    let mut repair = HeadRepair::new(here, 1_000);
    for _ in 0..2 {
        repair.write_all(b"GET").await.unwrap();
        there.write_all(b"http/1.1 204 No\n\n").await.unwrap();
        let mut head = [0; 19];
        repair.read_exact(&mut head).await.unwrap();
        assert_eq!(&head, b"HTTP/1.1 204 No\r\n\r\n");
    }
}
