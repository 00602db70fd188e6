//! One connection, from its first byte to its end. The fast path answers plain requests, hyper all
//! others; an idle connection releases its buffers.

pub(crate) mod io;
pub(crate) mod limit;
pub(crate) mod request_body;
pub(crate) mod reserved;
pub(crate) mod rest;
pub(crate) mod state;
pub(crate) mod sweep;

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::{Request, Response};
use tokio::net::TcpStream;

use crate::connection::io::{ConnectionIo, HeadError};
use crate::connection::request_body::{DeclaredContent, ResponseFuture};
use crate::connection::rest::RestContext;
use crate::connection::state::{ConnectionState, Directive};
use crate::fast_path::FastPath;
use crate::http::problem::Problem;
use crate::http::version;
use crate::metrics::Counters;
use crate::routes::{Body, Handler};
use crate::settings::ClientLimits;

/// hyper's default. Any other value costs an allocation for each request.
const HYPER_MAX_HEADERS: usize = 100;

/// What all connections of a thread share.
pub(crate) struct ConnectionContext {
    pub(crate) handler: Handler,
    pub(crate) counters: Arc<Counters>,
    pub(crate) limits: ClientLimits,
    rest: RestContext,
    protocol: http1::Builder,
}

impl ConnectionContext {
    pub(crate) fn new(
        handler: Handler,
        fast_path: FastPath,
        counters: Arc<Counters>,
        limits: ClientLimits,
    ) -> Self {
        let protocol = protocol(&limits);
        Self { handler, counters, limits, rest: RestContext::new(fast_path), protocol }
    }
}

/// hyper, set up for a connection from any client.
pub(crate) fn protocol(limits: &ClientLimits) -> http1::Builder {
    let mut protocol = http1::Builder::new();
    protocol
        // hyper's own `Date` is cached, and would be wrong for a while after the clock is set.
        .auto_date_header(false)
        // A client may close its sending side and wait for the response, as `nc -N` does.
        .half_close(true)
        .max_header_size(limits.head_bytes)
        .max_buf_size(limits.head_bytes);
    if limits.headers != HYPER_MAX_HEADERS {
        protocol.max_headers(limits.headers);
    }
    // `pipeline_flush` stays off: it delays a response while the head of the next request is incomplete or malformed.
    protocol
}

/// Why hyper stopped serving a connection.
enum End {
    Finished(Result<(), hyper::Error>),
    /// To release its buffers until more bytes arrive.
    ReleasesBuffers,
    /// A time limit was exceeded.
    TimedOut,
}

/// Serves a connection to its end.
pub(crate) async fn serve(stream: TcpStream, context: Rc<ConnectionContext>, state: Rc<ConnectionState>) {
    let mut io = ConnectionIo::new(stream, Arc::clone(&context.counters), Rc::clone(&state));
    while rest::rest(&mut io, &context.rest, &state).await {
        let service = Service { context: Rc::clone(&context), state: Rc::clone(&state) };
        let mut http = Box::new(context.protocol.serve_connection(io, service));
        let end = poll_fn(|cx| match state.take_directive(cx) {
            Some(Directive::Close) => {
                // Bytes in the kernel were sent while the connection was open. They still get their response.
                let before = state.waiting_since();
                match Pin::new(&mut *http).poll(cx) {
                    Poll::Ready(result) => Poll::Ready(End::Finished(result)),
                    Poll::Pending if before.is_some_and(|before| state.has_received_since(before)) => {
                        Poll::Pending
                    }
                    Poll::Pending => Poll::Ready(End::TimedOut),
                }
            }
            Some(Directive::ReleaseBuffers) => Poll::Ready(End::ReleasesBuffers),
            None => match Pin::new(&mut *http).poll(cx) {
                Poll::Pending if state.prefers_rest() => Poll::Ready(End::ReleasesBuffers),
                poll => poll.map(End::Finished),
            },
        })
        .await;
        match end {
            End::ReleasesBuffers => {
                let parts = http.into_parts();
                io = parts.io;
                // The head of a second request may have arrived along with the first one.
                io.put_back(parts.read_buf);
            }
            // Errors are the client's. A malformed head gets a response; a broken connection cannot.
            End::Finished(Err(error)) if error.is_parse() => {
                let parts = http.into_parts();
                Box::pin(reject(parts.io, &parts.read_buf, &context, &state)).await;
                return;
            }
            End::Finished(_) | End::TimedOut => return,
        }
    }
}

/// The first byte of every TLS connection (RFC 8446, section 5.1).
const TLS_HANDSHAKE: u8 = 0x16;

/// Responds to a head that hyper cannot parse, and ends the connection.
async fn reject(mut io: ConnectionIo, head: &[u8], context: &ConnectionContext, state: &ConnectionState) {
    let limits = &context.limits;
    let problem = match io.take_head_error() {
        Some(HeadError::TargetTooLong) => Problem::TargetTooLong,
        Some(HeadError::HeadTooLarge) => {
            Problem::HeadTooLarge { bytes: limits.head_bytes, headers: limits.headers }
        }
        // hyper does not respond at all to the preface of HTTP/2.
        Some(HeadError::Malformed) | None if version::is_of_another_version(head) => Problem::Version,
        Some(HeadError::Malformed) if head.first() == Some(&TLS_HANDSHAKE) => Problem::Tls,
        Some(HeadError::Malformed) => Problem::Malformed,
        None => return,
    };
    let (bytes, body) = context.handler.reject_head(&problem, head);
    state.note_answered();
    if let Some(access_log) = state.access_log() {
        access_log.record_rejected(problem.status(), problem.name(), body as u64);
    }
    let mut rest = &*bytes;
    poll_fn(|cx| {
        // There are no buffers to release here; only the order to close matters.
        if state.take_directive(cx) == Some(Directive::Close) {
            return Poll::Ready(());
        }
        match std::task::ready!(io.poll_send(cx, &mut rest)) {
            Ok(()) => Pin::new(&mut io).poll_end(cx).map(|_| ()),
            Err(_) => Poll::Ready(()),
        }
    })
    .await;
}

/// Called by hyper for each request.
struct Service {
    context: Rc<ConnectionContext>,
    state: Rc<ConnectionState>,
}

impl Service {
    fn answer(&self, request: &Request<Incoming>, has_content: bool) -> Response<Body> {
        let is_plain = self.state.has_read_once() && self.context.rest.fast_path.would_answer(request);
        self.state.note_answered();
        self.state.set_prefers_rest(is_plain);
        let response = self.context.handler.answer(request, has_content, self.state.is_reserved());
        if let Some(access_log) = self.state.access_log() {
            access_log.record(request, &response);
        }
        response
    }

    /// Looks at the content first. `--head-timeout` is the limit for it, too.
    #[cold]
    fn answer_after_body(&self, mut request: Request<Incoming>) -> ResponseFuture {
        self.state.start_awaiting_body();
        let service = Self { context: Rc::clone(&self.context), state: Rc::clone(&self.state) };
        ResponseFuture::AfterBody(Box::pin(async move {
            let has_content = request_body::has_content(request.body_mut()).await;
            service.answer(&request, has_content)
        }))
    }
}

impl hyper::service::Service<Request<Incoming>> for Service {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        match request_body::declared(&request) {
            DeclaredContent::Undeclared => self.answer_after_body(request),
            declared => ResponseFuture::Ready(Some(self.answer(&request, declared == DeclaredContent::Some))),
        }
    }
}
