//! The private listener (`--admin-listen`): `/metrics` for Prometheus, and nothing else.
//!
//! It lives on the main thread, beside the pulse, so that reading metrics takes nothing from those that serve. It speaks
//! just enough HTTP by itself: a second kind of connection that hyper serves would keep the compiler from merging hyper
//! into the first, and cost each request of the public 5 % more instructions.

use std::io;
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::instruments::{Instruments, Snapshot};
use crate::prometheus::MEDIA_TYPE;

/// Connections at a time; more of them wait.
const CONNECTIONS: usize = 8;

/// From accepting a connection to its end, which comes after one answer.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// The longest head of a request, in bytes.
const LONGEST_HEAD: usize = 8_192;

/// Serves for ever.
pub(crate) async fn serve(listener: std::net::TcpListener, instruments: Instruments) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let (places, instruments) = (Arc::new(Semaphore::new(CONNECTIONS)), Arc::new(instruments));
    loop {
        // Nobody closes the semaphore, so this is no error.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return Ok(()) };
        let Ok((stream, _)) = listener.accept().await else {
            // Such as too many open files: the public listeners log it.
            sleep(Duration::from_secs(1)).await;
            continue;
        };
        let instruments = Arc::clone(&instruments);
        tokio::spawn(async move {
            // Who is slow is not answered, and a connection that breaks is its client's business.
            let _ = timeout(TIME_LIMIT, serve_one(&stream, &instruments)).await;
            drop(place);
        });
    }
}

/// One request, one answer, and the end of the connection.
async fn serve_one(stream: &TcpStream, instruments: &Instruments) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") && head.len() < LONGEST_HEAD {
        if read(stream, &mut head).await? == 0 {
            return Ok(());
        }
    }
    let answer = answer(&head, || instruments.read());
    let mut rest = answer.as_bytes();
    while !rest.is_empty() {
        stream.writable().await?;
        match stream.try_write(rest) {
            Ok(written) => rest = &rest[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    SockRef::from(stream).shutdown(Shutdown::Write)?;
    // To close with unread bytes would reset the connection, and the client could lose the answer.
    while read(stream, &mut Vec::new()).await? > 0 {}
    Ok(())
}

/// Appends what has come, and says how much that was; nothing at the end.
async fn read(stream: &TcpStream, head: &mut Vec<u8>) -> io::Result<usize> {
    let mut bytes = [0; 2_048];
    loop {
        stream.readable().await?;
        match stream.try_read(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
            Ok(count) => {
                head.extend_from_slice(&bytes[..count]);
                return Ok(count);
            }
        }
    }
}

/// The answer to a request with this head, as it goes over the wire.
fn answer(head: &[u8], snapshot: impl FnOnce() -> Snapshot) -> String {
    const TEXT: &str = "text/plain; charset=utf-8";
    let line = head.split(|&byte| byte == b'\r').next().and_then(|line| std::str::from_utf8(line).ok());
    let parts: Vec<&str> = line.unwrap_or_default().split(' ').collect();
    let (status, media_type, body) = match parts[..] {
        [method, target, version] if version.starts_with("HTTP/1.") => {
            match (method, target.split('?').next()) {
                ("GET" | "HEAD", Some("/metrics")) => ("200 OK", MEDIA_TYPE, snapshot().text()),
                (_, Some("/metrics")) => ("405 Method Not Allowed", TEXT, "use GET\n".to_owned()),
                _ => {
                    let advice =
                        "nothing but /metrics is at --admin-listen; everything else is at --listen\n";
                    ("404 Not Found", TEXT, advice.to_owned())
                }
            }
        }
        _ => ("400 Bad Request", TEXT, "this is HTTP/1.1: ask for GET /metrics\n".to_owned()),
    };
    let allow = if status.starts_with("405") { "allow: GET, HEAD\r\n" } else { "" };
    let length = body.len();
    let body = if parts[0] == "HEAD" { "" } else { &body };
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: {media_type}\r\ncontent-length: {length}\r\ncache-control: no-store\r\n\
         {allow}connection: close\r\n\r\n{body}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Status;
    use crate::metrics::Totals;

    fn answer_to(head: &str) -> String {
        let snapshot = || Snapshot {
            totals: Totals::of(&[]),
            clock: Status::Unknown,
            is_ready: true,
            connections: 0,
            max_connections: 1,
            dropped_lines: 0,
            instance: "3f9c2a7d".to_owned(),
        };
        answer(head.as_bytes(), snapshot)
    }

    #[test]
    fn metrics_are_all_that_there_is() {
        for (line, status) in [
            ("GET /metrics HTTP/1.1", "200 OK"),
            ("GET /metrics?name=x HTTP/1.0", "200 OK"),
            ("HEAD /metrics HTTP/1.1", "200 OK"),
            ("POST /metrics HTTP/1.1", "405 Method Not Allowed"),
            ("GET /now HTTP/1.1", "404 Not Found"),
            ("GET /metrics", "400 Bad Request"),
            ("GET  /metrics HTTP/1.1", "400 Bad Request"),
            ("PRI * HTTP/2.0", "400 Bad Request"),
            ("", "400 Bad Request"),
        ] {
            let answer = answer_to(&format!("{line}\r\nHost: a\r\n\r\n"));
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{line}: {answer}");
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.ends_with("connection: close"), "{head}");
            let is_whole = head.contains(&format!("content-length: {}\r\n", body.len()));
            assert_eq!(is_whole, !line.starts_with("HEAD"), "{head}");
        }
    }
}
