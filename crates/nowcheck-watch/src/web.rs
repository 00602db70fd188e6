//! What the monitor serves: pages, the API, metrics. It reads the board, and nothing here measures but `/probe`.
//!
//! It does not run on the thread that holds rounds, so that whoever reads a page of 5,000 checks delays none.

mod accept;
mod api;
mod assets;
pub(crate) mod auth;
mod badge;
mod conditional;
mod events;
mod metrics;
mod pages;
mod probe;
mod query;
mod respond;
mod routes;
mod stalled;
pub(crate) mod status_page;
mod unread;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use nowcheck::clock::Clock;
use tokio::sync::Semaphore;

use auth::Guard;
pub(crate) use events::Streams;
use stalled::UnlessStalled;

use crate::board::Board;
use crate::metrics::MetricSource;
use crate::prober::Prober;
use crate::results::Results;

/// Connections that are open at the same time, at most: twice as many as rounds on request, so that these leave room for pages.
const MOST_CONNECTIONS: usize = 2 * crate::prober::MOST_SIDE_BY_SIDE;

/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a client may take to read a part of an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// The most that the head of a request may be, in bytes.
const LARGEST_HEAD: usize = 16 * 1024;

/// What is served.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) clock: Clock,
    pub(crate) board: Arc<Board>,
    pub(crate) results: Arc<Results>,
    pub(crate) metrics: MetricSource,
    /// Who may connect.
    pub(crate) guard: Guard,
    /// Who follows what happens.
    pub(crate) streams: Streams,
    /// How this instance calls itself.
    pub(crate) monitor: String,
    /// Holds rounds on request.
    pub(crate) prober: Prober,
}

/// A socket that is listened on.
///
/// # Errors
/// When the address cannot be had.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Serves over this socket until the program ends.
pub(crate) async fn serve(listener: TcpListener, served: Arc<Served>) {
    // Only a socket that is no socket fails here.
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    accept(&listener, &served).await;
}

async fn accept(listener: &tokio::net::TcpListener, served: &Arc<Served>) {
    let free = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        // Further clients wait in the kernel's queue.
        let Ok(place) = Arc::clone(&free).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            // There is too little of something, such as open files; some are closed soon.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let served = Arc::clone(served);
        tokio::spawn(async move {
            let service = service_fn(move |mut request| {
                let served = Arc::clone(&served);
                async move {
                    let reply = routes::answer(&mut request, &served).await;
                    unread::discard(request.body_mut()).await;
                    Ok::<_, std::convert::Infallible>(reply)
                }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .max_buf_size(LARGEST_HEAD)
                .serve_connection(TokioIo::new(UnlessStalled::new(stream, READ_TIMEOUT)), service);
            // A client that breaks off is no concern of the monitor.
            let _ = connection.await;
            drop(place);
        });
    }
}
