//! The private listener (`--admin-listen`): `/metrics` for Prometheus, and nothing else.
//!
//! It runs on the main thread, beside the housekeeping, so that scrapes take no time from the workers. It speaks just
//! enough HTTP by itself: a second kind of connection served by hyper would keep the compiler from inlining hyper
//! into the first, and cost each public request 5 % more instructions.

use std::collections::VecDeque;
use std::io;
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use crate::metrics::scrape;

/// The most connections at a time. A further one closes the oldest, so that silent clients cannot lock Prometheus
/// out.
const CONNECTIONS: usize = 64;

/// From accepting a connection to its end.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// The longest head of a request, in bytes.
const LONGEST_HEAD: usize = 8_192;

/// Serves for ever; `metrics` is called at each request for them.
pub(crate) async fn serve(
    listener: std::net::TcpListener,
    metrics: impl Fn() -> String + Send + Sync + 'static,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let metrics = Arc::new(metrics);
    let mut tasks: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // For example too many open files. The public listeners log it.
            sleep(Duration::from_secs(1)).await;
            continue;
        };
        tasks.retain(|task| !task.is_finished());
        if tasks.len() >= CONNECTIONS
            && let Some(oldest) = tasks.pop_front()
        {
            oldest.abort();
        }
        let metrics = Arc::clone(&metrics);
        let task = tokio::spawn(async move {
            // A slow client gets no response, and a broken connection needs no handling.
            let _ = timeout(TIME_LIMIT, serve_one(&stream, &*metrics)).await;
        });
        tasks.push_back(task.abort_handle());
    }
}

/// Reads one request, sends one response, and closes.
async fn serve_one(stream: &TcpStream, metrics: impl Fn() -> String) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") && head.len() < LONGEST_HEAD {
        if read(stream, &mut head).await? == 0 {
            return Ok(());
        }
    }
    let answer = scrape::answer(&head, metrics);
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
    // Closing with unread bytes would reset the connection, and the client could lose the response.
    while read(stream, &mut Vec::new()).await? > 0 {}
    Ok(())
}

/// Appends the bytes that have arrived and returns their number; zero at the end of the stream.
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
