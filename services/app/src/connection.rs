//! One connection: its bytes, its states, and how long it may stay in each.
//!
//! hyper does the protocol. Time limits are ours: once a second [`Link::sweep`] ages every connection of a thread and
//! tells those that overstay what to do. So no request sets a timer or reads a clock for them, and a connection without
//! work gives its buffers back.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::{Ready, poll_fn, ready};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncWrite as _, ReadBuf};
use tokio::net::TcpStream;

use crate::access_log::Journal;
use crate::clock::Monotonic;
use crate::metrics::{Counters, Event};
use crate::problem::Problem;
use crate::routes::{Body, Handler};
use crate::seats::Seat;
use crate::settings::Limits;

/// Sweeps until an answered connection gives its buffers back.
const REST_AFTER: u16 = 10;

/// Sweeps that a connection in the reserve has for its one request.
const EXTRA_LIMIT: u16 = 2;

/// Sweeps that a client has to notice the end of a connection.
const LINGER_LIMIT: u16 = 2;

/// What hyper reserves room for unless it is told otherwise, which costs it an allocation for each request.
const USUAL_HEADERS: usize = 100;

/// What every connection of HTTP/2 begins with.
const HTTP_2: &[u8] = b"PRI * HTTP/2.0";

/// What all connections of one thread share.
pub(crate) struct Shared {
    pub(crate) handler: Handler,
    pub(crate) counters: Arc<Counters>,
    pub(crate) limits: Limits,
    protocol: http1::Builder,
}

impl Shared {
    pub(crate) fn new(handler: Handler, counters: Arc<Counters>, limits: Limits) -> Self {
        let mut protocol = http1::Builder::new();
        protocol
            // Its own is cached, and would stay wrong for a while when the clock is set.
            .auto_date_header(false)
            .half_close(false)
            .max_header_size(limits.head_bytes)
            .max_buf_size(limits.head_bytes);
        if limits.headers != USUAL_HEADERS {
            protocol.max_headers(limits.headers);
        }
        // `pipeline_flush` stays off: it holds an answer back while the head of the next request is unfinished or broken.
        Self { handler, counters, limits, protocol }
    }
}

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Its first request.
    New,
    /// The rest of a request.
    Reading,
    /// The client, to take the answer.
    Writing,
    /// The next request.
    Idle,
    /// The client, to close its side too.
    Lingering,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// Give the buffers back until the next byte comes.
    Rest,
    /// End now.
    Close,
}

/// What the sweep of a connection came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Swept {
    Lives,
    /// Its buffers will be given back.
    Rests,
    /// It will end, and this was why.
    Ends(Option<Event>),
}

/// What a connection shares with the sweep of its thread.
#[derive(Debug)]
pub(crate) struct Link {
    phase: Cell<Phase>,
    /// Sweeps since the phase began.
    age: Cell<u16>,
    order: Cell<Option<Order>>,
    /// It will be closed at the next sweep, if nothing comes.
    is_warned: Cell<bool>,
    waker: RefCell<Option<Waker>>,
    /// Answers that the kernel does not have yet.
    unsent: Cell<u32>,
    /// When bytes came last; with them came the end of the head that is being answered.
    received: Cell<Monotonic>,
    journal: Option<Box<Journal>>,
    seat: Seat,
}

impl Link {
    pub(crate) fn new(seat: Seat, journal: Option<Box<Journal>>) -> Self {
        Self {
            phase: Cell::new(Phase::New),
            age: Cell::new(0),
            order: Cell::new(None),
            is_warned: Cell::new(false),
            waker: RefCell::new(None),
            unsent: Cell::new(0),
            received: Cell::new(Monotonic::now()),
            journal,
            seat,
        }
    }

    /// To be called once a second. `closing` says that no more requests are wanted.
    pub(crate) fn sweep(&self, closing: bool, limits: &Limits) -> Swept {
        let age = self.age.get().saturating_add(1);
        self.age.set(age);
        let phase = self.phase.get();
        let (head_limit, idle_limit) = if self.seat.is_extra {
            (EXTRA_LIMIT, EXTRA_LIMIT)
        } else {
            (limits.head_seconds, limits.idle_seconds)
        };
        // A second is left to whatever lies in the kernel already: it was sent while the connection was open.
        if closing && phase == Phase::Idle && !self.is_warned.replace(true) {
            return Swept::Lives;
        }
        let swept = match phase {
            // One that has just come may have its request on the way.
            Phase::New if closing && age > 1 => Swept::Ends(None),
            Phase::Idle if closing => Swept::Ends(None),
            Phase::New | Phase::Idle if age >= idle_limit => Swept::Ends(Some(Event::IdleTimeout)),
            Phase::Writing if age >= idle_limit => Swept::Ends(Some(Event::WriteTimeout)),
            Phase::Idle if age == REST_AFTER => Swept::Rests,
            Phase::Reading if age >= head_limit => Swept::Ends(Some(Event::HeadTimeout)),
            Phase::Lingering if age >= LINGER_LIMIT => Swept::Ends(None),
            _ => return Swept::Lives,
        };
        self.order.set(Some(if swept == Swept::Rests { Order::Rest } else { Order::Close }));
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
        swept
    }

    /// The kernel has all answers that there were.
    fn sent(&self, counters: &Counters) {
        let answers = self.unsent.replace(0);
        if answers > 0 {
            let nanos = self.received.get().elapsed_nanos();
            counters.latency.count(nanos, answers);
            if let Some(journal) = &self.journal {
                journal.sent(Duration::from_nanos(nanos));
            }
        }
    }

    fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        self.age.set(0);
        self.is_warned.set(false);
    }

    /// The order of the sweep, which wakes the task of `cx` from now on.
    fn order(&self, cx: &Context<'_>) -> Option<Order> {
        if self.waker.borrow().is_none() {
            self.waker.replace(Some(cx.waker().clone()));
        }
        self.order.take()
    }
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
    let mut io = Io {
        stream: TokioIo::new(stream),
        shared: Rc::clone(&shared),
        link: Rc::clone(&link),
        refusal: None,
    };
    // Here it has neither buffers nor a parser: this is where connections without work spend their time.
    while wait_for_bytes(&io, &link).await {
        let service = Service { shared: Rc::clone(&shared), link: Rc::clone(&link) };
        let mut http = Box::new(shared.protocol.serve_connection(io, service));
        let end = poll_fn(|cx| match link.order(cx) {
            Some(Order::Close) => {
                // What lies in the kernel was sent while the connection was open, and is still answered.
                let was_waiting = matches!(link.phase.get(), Phase::New | Phase::Idle);
                let before = link.received.get();
                match Pin::new(&mut *http).poll(cx) {
                    Poll::Ready(over) => Poll::Ready(End::Over(over)),
                    Poll::Pending if was_waiting && link.received.get() != before => Poll::Pending,
                    Poll::Pending => Poll::Ready(End::Overstays),
                }
            }
            Some(Order::Rest) => Poll::Ready(End::Rests),
            None => Pin::new(&mut *http).poll(cx).map(End::Over),
        })
        .await;
        match end {
            End::Rests => {}
            // Errors are the client's: a broken head has been answered, a broken connection cannot be.
            End::Over(Err(error)) if error.is_parse() => {
                let parts = http.into_parts();
                if parts.read_buf.starts_with(HTTP_2) {
                    // The one head that is not answered by hyper.
                    Box::pin(refuse(parts.io, &link, Problem::Version)).await;
                }
                return;
            }
            End::Over(_) | End::Overstays => return,
        }
        let parts = http.into_parts();
        if !parts.read_buf.is_empty() {
            // The head of a second request was begun along with the first one, and not finished in time.
            return;
        }
        io = parts.io;
    }
}

/// Answers what hyper does not, and ends the connection.
async fn refuse(mut io: Io, link: &Link, problem: Problem) {
    let mut is_sent = false;
    poll_fn(|cx| {
        if link.order(cx).is_some() {
            return Poll::Ready(());
        }
        if !is_sent {
            if std::task::ready!(io.poll_refuse(cx, &problem)).is_err() {
                return Poll::Ready(());
            }
            is_sent = true;
        }
        Pin::new(&mut io).poll_shutdown(cx).map(|_| ())
    })
    .await;
}

/// Waits until there is something to read, if only the client's end; false when the connection is to end instead.
async fn wait_for_bytes(io: &Io, link: &Link) -> bool {
    poll_fn(|cx| {
        let order = link.order(cx);
        // Only looking tells: the runtime takes a new socket for readable until a read has shown that it is not.
        let peeked = io.stream.inner().poll_peek(cx, &mut ReadBuf::new(&mut [0]));
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
        let link = &self.link;
        link.enter(Phase::Idle);
        link.unsent.set(link.unsent.get() + 1);
        let response = self.shared.handler.answer(&request, link.seat.is_extra);
        if let Some(journal) = &link.journal {
            journal.begin(&request, &response);
        }
        ready(Ok(response))
    }
}

/// The bytes of a connection. Keeps [`Link::phase`] up to date on their way.
struct Io {
    stream: TokioIo<TcpStream>,
    shared: Rc<Shared>,
    link: Rc<Link>,
    refusal: Option<Box<Refusal>>,
}

/// An answer of ours on its way, to a head that hyper could not read.
struct Refusal {
    bytes: Vec<u8>,
    sent: usize,
}

impl Io {
    /// Sends the answer to a head that cannot be read.
    #[cold]
    fn poll_refuse(&mut self, cx: &mut Context<'_>, problem: &Problem) -> Poll<io::Result<()>> {
        let Self { stream, shared, link, refusal } = self;
        let refusal = refusal.get_or_insert_with(|| {
            let (bytes, body) = shared.handler.refuse(problem);
            link.unsent.set(1);
            if let Some(journal) = &link.journal {
                journal.begin_refusal(problem.status().as_u16(), body as u64);
            }
            Box::new(Refusal { bytes, sent: 0 })
        });
        while refusal.sent < refusal.bytes.len() {
            let rest = &refusal.bytes[refusal.sent..];
            match std::task::ready!(Pin::new(&mut *stream).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => refusal.sent += written,
            }
        }
        link.sent(&shared.counters);
        Poll::Ready(Ok(()))
    }

    /// What is to be said instead of these bytes, if they are hyper's own answer to a head that it cannot read. That has
    /// no body and no `Date`. It is known by that nobody was asked for it.
    #[cold]
    fn refused(bytes: &[u8]) -> Option<Problem> {
        let status = bytes.strip_prefix(b"HTTP/1.1 ")?;
        match status.get(..3)? {
            b"400" => Some(Problem::Malformed),
            b"414" => Some(Problem::TargetTooLong),
            b"431" => Some(Problem::HeadTooLarge),
            _ => None,
        }
    }
}

impl Read for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_read(cx, buf);
        if poll.is_ready() {
            self.link.received.set(Monotonic::now());
            if matches!(self.link.phase.get(), Phase::New | Phase::Idle) {
                self.link.enter(Phase::Reading);
            }
        }
        poll
    }
}

impl Write for Io {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let is_asked_for = self.link.unsent.get() > 0 && self.refusal.is_none();
        if !is_asked_for && let Some(problem) = Self::refused(buf) {
            return self.poll_refuse(cx, &problem).map_ok(|()| buf.len());
        }
        // Only a socket that is full has to be waited for, and that costs more than to try.
        let poll = match self.stream.inner().try_write(buf) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Pin::new(&mut self.stream).poll_write(cx, buf)
            }
            written => Poll::Ready(written),
        };
        match (&poll, self.link.phase.get()) {
            (Poll::Pending, Phase::Idle) => self.link.enter(Phase::Writing),
            (Poll::Ready(_), Phase::Writing) => self.link.enter(Phase::Idle),
            _ => {}
        }
        if matches!(poll, Poll::Ready(Ok(written)) if written == buf.len()) {
            self.link.sent(&self.shared.counters);
        }
        poll
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Ends our side, then reads the client's to its end. Closing with unread bytes would reset the connection, and the
    /// client could lose the answer (RFC 9112, section 9.6).
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.link.phase.get() != Phase::Lingering {
            self.link.enter(Phase::Lingering);
            std::task::ready!(Pin::new(self.stream.inner_mut()).poll_shutdown(cx))?;
        }
        let mut discarded = [0; 4096];
        loop {
            std::task::ready!(self.stream.inner().poll_read_ready(cx))?;
            match self.stream.inner().try_read(&mut discarded) {
                Ok(0) => return Poll::Ready(Ok(())),
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Poll::Ready(Err(error)),
                Ok(_) | Err(_) => {}
            }
        }
    }
}
