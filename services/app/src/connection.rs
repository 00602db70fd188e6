//! One connection, from its first byte to its end. hyper does the protocol; a connection without work gives its buffers
//! back.

pub(crate) mod io;
pub(crate) mod limit;
pub(crate) mod reserved;
pub(crate) mod state;

use std::convert::Infallible;
use std::future::{Ready, poll_fn, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::{Request, Response};
use tokio::io::ReadBuf;
use tokio::net::TcpStream;

use crate::connection::io::{Refusal, Wire};
use crate::connection::state::{Link, Order};
use crate::http::problem::Problem;
use crate::http::version;
use crate::metrics::Counters;
use crate::routes::{Body, Handler};
use crate::settings::Limits;

/// What hyper reserves room for unless it is told otherwise, which costs it an allocation for each request.
const USUAL_HEADERS: usize = 100;

/// What all connections of one thread share.
pub(crate) struct Shared {
    pub(crate) handler: Handler,
    pub(crate) counters: Arc<Counters>,
    pub(crate) limits: Limits,
    protocol: http1::Builder,
}

impl Shared {
    pub(crate) fn new(handler: Handler, counters: Arc<Counters>, limits: Limits) -> Self {
        let protocol = protocol(&limits);
        Self { handler, counters, limits, protocol }
    }
}

/// hyper, set up for a connection from any client.
pub(crate) fn protocol(limits: &Limits) -> http1::Builder {
    let mut protocol = http1::Builder::new();
    protocol
        // Its own is cached, and would stay wrong for a while when the clock is set.
        .auto_date_header(false)
        // Who has said all there is to say may end his side and wait for the answer, as `nc -N` does.
        .half_close(true)
        .max_header_size(limits.head_bytes)
        .max_buf_size(limits.head_bytes);
    if limits.headers != USUAL_HEADERS {
        protocol.max_headers(limits.headers);
    }
    // `pipeline_flush` stays off: it holds an answer back while the head of the next request is unfinished or broken.
    protocol
}

/// How an exchange with hyper ended.
enum End {
    Over(Result<(), hyper::Error>),
    /// It gives its buffers back.
    Rests,
    /// It stayed for too long.
    Overstays,
}

/// Serves a connection to its end.
pub(crate) async fn serve(stream: TcpStream, shared: Rc<Shared>, link: Rc<Link>) {
    let mut wire = Wire::new(stream, Arc::clone(&shared.counters), Rc::clone(&link));
    // Here it has neither buffers nor a parser: this is where connections without work spend their time.
    while wait_for_bytes(&wire, &link).await {
        let service = Service { shared: Rc::clone(&shared), link: Rc::clone(&link) };
        let mut http = Box::new(shared.protocol.serve_connection(wire, service));
        let end = poll_fn(|cx| match link.order(cx) {
            Some(Order::Close) => {
                // What lies in the kernel was sent while the connection was open, and is still answered.
                let before = link.waiting_since();
                match Pin::new(&mut *http).poll(cx) {
                    Poll::Ready(over) => Poll::Ready(End::Over(over)),
                    Poll::Pending if before.is_some_and(|before| link.has_received_since(before)) => {
                        Poll::Pending
                    }
                    Poll::Pending => Poll::Ready(End::Overstays),
                }
            }
            Some(Order::Rest) => Poll::Ready(End::Rests),
            None => Pin::new(&mut *http).poll(cx).map(End::Over),
        })
        .await;
        match end {
            End::Rests => {
                let parts = http.into_parts();
                wire = parts.io;
                // The head of a second request may have been begun along with the first one.
                wire.read_again(parts.read_buf);
            }
            // Errors are the client's: a head that is none is answered, a broken connection cannot be.
            End::Over(Err(error)) if error.is_parse() => {
                let parts = http.into_parts();
                Box::pin(refuse(parts.io, &parts.read_buf, &shared, &link)).await;
                return;
            }
            End::Over(_) | End::Overstays => return,
        }
    }
}

/// What every connection of TLS begins with (RFC 8446, section 5.1).
const TLS_HANDSHAKE: u8 = 0x16;

/// Answers a head that hyper cannot read, and ends the connection.
async fn refuse(mut wire: Wire, head: &[u8], shared: &Shared, link: &Link) {
    let limits = &shared.limits;
    let problem = match wire.take_refusal() {
        Some(Refusal::TargetTooLong) => Problem::TargetTooLong,
        Some(Refusal::HeadTooLarge) => {
            Problem::HeadTooLarge { bytes: limits.head_bytes, headers: limits.headers }
        }
        // What every connection of HTTP/2 begins with is not answered by hyper at all.
        Some(Refusal::Malformed) | None if version::is_of_another_version(head) => Problem::Version,
        Some(Refusal::Malformed) if head.first() == Some(&TLS_HANDSHAKE) => Problem::Tls,
        Some(Refusal::Malformed) => Problem::Malformed,
        None => return,
    };
    let (bytes, body) = shared.handler.refuse(&problem);
    link.answers();
    if let Some(journal) = link.journal() {
        journal.begin_refusal(problem.status(), problem.name(), body as u64);
    }
    let mut rest = &*bytes;
    poll_fn(|cx| {
        // There are no buffers to give back here, only an end to be put to it.
        if link.order(cx) == Some(Order::Close) {
            return Poll::Ready(());
        }
        match std::task::ready!(wire.poll_send(cx, &mut rest)) {
            Ok(()) => Pin::new(&mut wire).poll_end(cx).map(|_| ()),
            Err(_) => Poll::Ready(()),
        }
    })
    .await;
}

/// Waits until there is something to read, if only the client's end; false when the connection is to end instead.
async fn wait_for_bytes(wire: &Wire, link: &Link) -> bool {
    if wire.has_read_ahead() {
        return true;
    }
    poll_fn(|cx| {
        let order = link.order(cx);
        // Only looking tells: the runtime takes a new socket for readable until a read has shown that it is not.
        let peeked = wire.stream().poll_peek(cx, &mut ReadBuf::new(&mut [0]));
        match (order, peeked) {
            // What lies in the kernel was sent while the connection was open, and is still answered.
            (Some(Order::Close), Poll::Ready(Ok(1..))) => Poll::Ready(true),
            (Some(Order::Close), _) => Poll::Ready(false),
            (_, peeked) => peeked.map(|peeked| peeked.is_ok()),
        }
    })
    .await
}

/// What hyper calls for each request.
struct Service {
    shared: Rc<Shared>,
    link: Rc<Link>,
}

impl hyper::service::Service<Request<Incoming>> for Service {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.link.answers();
        let response = self.shared.handler.answer(&request, self.link.is_extra());
        if let Some(journal) = self.link.journal() {
            journal.begin(&request, &response);
        }
        ready(Ok(response))
    }
}
