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
use std::task::{Context, Poll, Waker};

use hyper::body::Incoming;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncWrite as _, ReadBuf};
use tokio::net::TcpStream;

use crate::routes::{Body, Handler};

/// Sweeps until an unfinished request head ends its connection, or an answered connection gives its buffers back.
const HEAD_LIMIT: u16 = 10;

/// Sweeps until a connection without requests, or one that does not take its answer, is closed. Load balancers give up
/// theirs after 60 seconds, and must be the first to, or they send a request into a connection that is being closed.
const IDLE_LIMIT: u16 = 75;

/// Sweeps that a client has to notice the end of a connection.
const LINGER_LIMIT: u16 = 2;

/// The longest request head in bytes; a longer one is answered 431.
const LONGEST_HEAD: usize = 16 * 1024;

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

/// What a connection shares with the sweep of its thread.
#[derive(Debug)]
pub(crate) struct Link {
    phase: Cell<Phase>,
    /// Sweeps since the phase began.
    age: Cell<u16>,
    order: Cell<Option<Order>>,
    waker: RefCell<Option<Waker>>,
}

impl Link {
    pub(crate) fn new() -> Self {
        Self {
            phase: Cell::new(Phase::New),
            age: Cell::new(0),
            order: Cell::new(None),
            waker: RefCell::new(None),
        }
    }

    /// To be called once a second; says whether the connection will give its buffers back. `closing` says that no more
    /// requests are wanted.
    pub(crate) fn sweep(&self, closing: bool) -> bool {
        let age = self.age.get().saturating_add(1);
        self.age.set(age);
        let order = match self.phase.get() {
            // One that has just come may have its request on the way.
            Phase::New if closing && age > 1 => Order::Close,
            Phase::Idle if closing => Order::Close,
            Phase::New | Phase::Writing | Phase::Idle if age >= IDLE_LIMIT => Order::Close,
            Phase::Idle if age == HEAD_LIMIT => Order::Rest,
            Phase::Reading if age >= HEAD_LIMIT => Order::Close,
            Phase::Lingering if age >= LINGER_LIMIT => Order::Close,
            _ => return false,
        };
        self.order.set(Some(order));
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
        order == Order::Rest
    }

    fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        self.age.set(0);
    }

    /// The order of the sweep, which wakes the task of `cx` from now on.
    fn order(&self, cx: &Context<'_>) -> Option<Order> {
        if self.waker.borrow().is_none() {
            self.waker.replace(Some(cx.waker().clone()));
        }
        self.order.take()
    }
}

/// Serves a connection to its end.
pub(crate) async fn serve(stream: TcpStream, handler: Rc<Handler>, link: Rc<Link>) {
    let mut io = Io { stream: TokioIo::new(stream), link: Rc::clone(&link) };
    // Here it has neither buffers nor a parser: this is where connections without work spend their time.
    while wait_for_bytes(&io, &link).await {
        let service = Service { handler: Rc::clone(&handler), link: Rc::clone(&link) };
        let mut http = Box::new(protocol().serve_connection(io, service));
        let rests = poll_fn(|cx| match link.order(cx) {
            Some(Order::Close) => Poll::Ready(false),
            Some(Order::Rest) => Poll::Ready(true),
            // Errors are the client's: a broken head has been answered, a broken connection cannot be.
            None => Pin::new(&mut *http).poll(cx).map(|_| false),
        })
        .await;
        if !rests {
            return;
        }
        let parts = http.into_parts();
        if !parts.read_buf.is_empty() {
            // The head of a second request was begun along with the first one, and not finished in time.
            return;
        }
        io = parts.io;
    }
}

/// Waits until there is something to read, if only the client's end; false when the connection is to end instead.
async fn wait_for_bytes(io: &Io, link: &Link) -> bool {
    poll_fn(|cx| match link.order(cx) {
        Some(Order::Close) => Poll::Ready(false),
        // Only looking tells: the runtime takes a new socket for readable until a read has shown that it is not.
        Some(Order::Rest) | None => {
            io.stream.inner().poll_peek(cx, &mut ReadBuf::new(&mut [0])).map(|peeked| peeked.is_ok())
        }
    })
    .await
}

fn protocol() -> http1::Builder {
    let mut protocol = http1::Builder::new();
    protocol
        // Its own is cached, and would stay wrong for a while when the clock is set.
        .auto_date_header(false)
        .half_close(false)
        .max_header_size(LONGEST_HEAD)
        .max_buf_size(LONGEST_HEAD);
    // `pipeline_flush` stays off: it holds an answer back while the head of the next request is unfinished or broken.
    protocol
}

/// What hyper calls for each request.
struct Service {
    handler: Rc<Handler>,
    link: Rc<Link>,
}

impl hyper::service::Service<Request<Incoming>> for Service {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.link.enter(Phase::Idle);
        ready(Ok(self.handler.answer(&request)))
    }
}

/// The bytes of a connection. Keeps [`Link::phase`] up to date on their way.
struct Io {
    stream: TokioIo<TcpStream>,
    link: Rc<Link>,
}

impl Read for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_read(cx, buf);
        if poll.is_ready() && matches!(self.link.phase.get(), Phase::New | Phase::Idle) {
            self.link.enter(Phase::Reading);
        }
        poll
    }
}

impl Write for Io {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
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
