//! A port that speaks another protocol than the one that was spoken there: which one it is.
//!
//! `http://` to a port for TLS and `https://` to one for plain HTTP are the usual mistakes. Few servers say so, and most
//! close the connection or wait for more.

use std::net::SocketAddr;

use clock_offset::MonotonicInstant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout_at;

use crate::clock::Clock;

/// A TLS server is told from others by the first bytes that it sends: the type of the record (alert or handshake, RFC 8446
/// section 5.1) and the upper half of a version that is 3 in every TLS.
#[must_use]
pub fn is_tls(first_bytes: &[u8]) -> bool {
    matches!(first_bytes, [0x15 | 0x16, 3, ..])
}

/// What servers write, with 400, to somebody who speaks plain HTTP to their port for TLS, in lower case.
const TO_PLAIN_HTTP: [&str; 4] = [
    // nginx.
    "plain http request was sent to https port",
    // Go: net/http, Caddy, Traefik.
    "client sent an http request to an https server",
    // Apache.
    "speaking plain http to an ssl-enabled server port",
    // Tomcat.
    "combination of host and port requires tls",
];

/// Whether an answer says that its port is for TLS.
#[must_use]
pub fn wants_tls(body: &[u8]) -> bool {
    let words = String::from_utf8_lossy(body).to_ascii_lowercase();
    TO_PLAIN_HTTP.iter().any(|sentence| words.contains(sentence))
}

/// Whether a port speaks TLS: a greeting is answered by one or by an alert.
pub async fn speaks_tls(address: SocketAddr, clock: Clock, deadline: MonotonicInstant) -> bool {
    is_tls(&first_bytes(address, &client_hello(), clock, deadline).await)
}

/// Whether a port speaks plain HTTP. One that is for TLS may say so in plain HTTP, by 400.
pub async fn speaks_plain_http(address: SocketAddr, clock: Clock, deadline: MonotonicInstant) -> bool {
    let first = first_bytes(address, b"HEAD / HTTP/1.0\r\n\r\n", clock, deadline).await;
    first.len() >= 12 && first.starts_with(b"HTTP/1.") && &first[9..12] != b"400"
}

/// The first bytes with which a port answers these; none if it does not.
async fn first_bytes(
    address: SocketAddr,
    question: &[u8],
    clock: Clock,
    deadline: MonotonicInstant,
) -> Vec<u8> {
    let ask = async {
        let mut tcp = TcpStream::connect(address).await.ok()?;
        tcp.write_all(question).await.ok()?;
        let mut first = vec![0; 64];
        let mut filled = 0;
        while filled < 12 {
            match tcp.read(&mut first[filled..]).await {
                Ok(0) | Err(_) => break,
                Ok(more) => filled += more,
            }
        }
        first.truncate(filled);
        Some(first)
    };
    timeout_at(clock.deadline(deadline), ask).await.ok().flatten().unwrap_or_default()
}

/// The least that is a greeting of TLS 1.2 (RFC 5246 section 7.4.1.2). Nothing is kept secret by it, so its random bytes
/// are none.
fn client_hello() -> Vec<u8> {
    // The record and its length, the handshake and its length, the version.
    let mut hello = vec![0x16, 3, 1, 0, 53, 1, 0, 0, 49, 3, 3];
    hello.extend([0x5A; 32]);
    // No session, five cipher suites, no compression.
    hello.extend([0, 0, 10, 0xC0, 0x2F, 0xC0, 0x30, 0xC0, 0x2B, 0x00, 0x9C, 0x00, 0x2F, 1, 0]);
    hello
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tls_server_is_told_by_its_first_bytes() {
        // A fatal alert, and a ServerHello.
        assert!(is_tls(&[0x15, 3, 1, 0, 2, 2, 70]));
        assert!(is_tls(&[0x16, 3, 3, 0, 80]));
        for other in [&b"HTTP/1.1 200 OK"[..], b"SSH-2.0-OpenSSH", b"\x15", b""] {
            assert!(!is_tls(other), "{other:?}");
        }
    }

    #[test]
    fn the_sentences_of_servers_are_known() {
        for body in [
            &b"<center>The plain HTTP request was sent to HTTPS port</center>"[..],
            b"Client sent an HTTP request to an HTTPS server.\n",
            b"Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />",
            b"Bad Request\nThis combination of host and port requires TLS.\n",
        ] {
            assert!(wants_tls(body));
        }
        assert!(!wants_tls(b"400 Bad Request"));
    }

    #[test]
    fn a_greeting_has_the_lengths_that_it_says() {
        let hello = client_hello();
        assert_eq!(usize::from(hello[4]), hello.len() - 5);
        assert_eq!(usize::from(hello[8]), hello.len() - 9);
    }
}
