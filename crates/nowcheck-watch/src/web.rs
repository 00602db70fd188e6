//! What the monitor serves: pages, the API, metrics. It reads the board, and nothing here measures but `/probe`.
//!
//! It does not run on the thread that holds rounds, so that whoever reads a page of 5,000 checks delays none.

mod accept;
mod api;
mod assets;
pub(crate) mod auth;
mod badge;
mod conditional;
mod connections;
mod events;
mod hosts;
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

use auth::Guard;
use connections::Connections;
pub(crate) use events::Streams;
use stalled::UnlessStalled;

use crate::board::Board;
use crate::metrics::MetricSource;
use crate::prober::Prober;
use crate::results::Results;

/// Connections that are open at the same time, at most: twice as many as rounds on request, so that these leave room for pages.
const MOST_CONNECTIONS: usize = 2 * crate::prober::MOST_SIDE_BY_SIDE;

/// The same of the status page. The rest of the program needs files, too.
const MOST_OF_THE_STATUS_PAGE: usize = 512;

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

/// How many connections may be open at the same time, for a limit on open files: rounds need most of them.
pub(crate) fn most_connections(open_files: u64) -> usize {
    share(open_files / 4, MOST_CONNECTIONS)
}

/// The same of the status page.
pub(crate) fn most_connections_of_the_status_page(open_files: u64) -> usize {
    share(open_files / 8, MOST_OF_THE_STATUS_PAGE)
}

fn share(open_files: u64, most: usize) -> usize {
    usize::try_from(open_files).unwrap_or(most).clamp(8, most)
}

/// Serves over this socket until the program ends.
pub(crate) async fn serve(listener: TcpListener, served: Arc<Served>, most_connections: usize) {
    // Only a socket that is no socket fails here.
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    accept(&listener, &served, &Connections::new(most_connections)).await;
}

async fn accept(listener: &tokio::net::TcpListener, served: &Arc<Served>, connections: &Arc<Connections>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // There is too little of something, such as open files; some are closed soon.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let connection = Arc::new(connections.admit());
        let (asking, served) = (Arc::clone(&connection), Arc::clone(served));
        let task = tokio::spawn(async move {
            let service = service_fn(move |mut request| {
                asking.asks();
                let (asking, served) = (Arc::clone(&asking), Arc::clone(&served));
                async move {
                    let reply = routes::answer(&mut request, &served, &asking).await;
                    unread::discard(request.body_mut()).await;
                    Ok::<_, std::convert::Infallible>(reply)
                }
            });
            let serving = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .max_buf_size(LARGEST_HEAD)
                .serve_connection(TokioIo::new(UnlessStalled::new(stream, READ_TIMEOUT)), service);
            // A client that breaks off is no concern of the monitor.
            let _ = serving.await;
        });
        connection.is_served_by(task.abort_handle());
        drop(connection);
        // What has come is served before more is let in: otherwise a crowd could push a client out that asks at once.
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_most_of_the_open_files_to_rounds() {
        for (open_files, dashboard, status_page) in
            [(1, 8, 8), (256, 64, 32), (1_024, 256, 128), (1 << 20, 1_024, 512), (u64::MAX, 1_024, 512)]
        {
            assert_eq!(most_connections(open_files), dashboard, "{open_files}");
            assert_eq!(most_connections_of_the_status_page(open_files), status_page, "{open_files}");
        }
    }
}
