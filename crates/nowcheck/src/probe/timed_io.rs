//! A stream that notes when its bytes went and came.
//!
//! The instants are those of the stream's own writes and reads, so time that the HTTP library spends before
//! and after them does not count as travel. Over TLS they are taken inside of it, around the plain text.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use clock_offset::MonotonicInstant;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::clock::Clock;

/// The instants of one exchange.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Instants {
    /// Before the first byte of the request was written.
    pub sent: Option<MonotonicInstant>,
    /// After the first bytes of the answer were read.
    pub first_byte: Option<MonotonicInstant>,
    /// After the latest bytes of the answer were read.
    pub last_byte: Option<MonotonicInstant>,
}

/// The instants of the exchange that is going on, shared between the stream and the probe.
#[derive(Debug, Clone, Default)]
pub struct ExchangeInstants(Arc<Mutex<Instants>>, Arc<Mutex<Vec<u8>>>);

/// The most of an answer's first bytes that is kept.
const FIRST_BYTES: usize = 80;

impl ExchangeInstants {
    /// Forgets the last exchange; the next write begins a new one.
    pub fn begin(&self) {
        self.update(|instants| *instants = Instants::default());
        self.1.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The first bytes of the answer, which tell what it is if it is not HTTP.
    #[must_use]
    pub fn first_bytes(&self) -> Vec<u8> {
        self.1.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The instants so far.
    #[must_use]
    pub fn so_far(&self) -> Instants {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, bytes: &[u8]) {
        let mut first = self.1.lock().unwrap_or_else(PoisonError::into_inner);
        let room = FIRST_BYTES - first.len();
        first.extend(&bytes[..bytes.len().min(room)]);
    }

    fn update(&self, change: impl FnOnce(&mut Instants)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// A stream whose writes and reads are noted in an [`ExchangeInstants`].
///
/// Nothing is read before the first write. A server may answer as soon as it has accepted the connection; the HTTP
/// library would refuse that, and curl does not. Its clock was then read before the request was sent, but after the
/// connection was begun, so that is what the answer is bounded by.
///
/// Believed, and not proven: that a server whose answer is not there before the request is sent reads its clock after it.
/// One that answers whatever comes may have its answer on the way at that moment, and nothing tells it from an answer to
/// the request. Its clock was read after the connection was begun: bounds are
/// wrong by less than the time from there to the request.
#[derive(Debug)]
pub struct TimedIo<S> {
    stream: S,
    clock: Clock,
    exchange: ExchangeInstants,
    opening: MonotonicInstant,
    start: Start,
}

/// How the first exchange of a connection begins.
#[derive(Debug)]
enum Start {
    /// Nothing was written yet; who waits for an answer.
    Before(Option<Waker>),
    /// This was there before the request was, and is not handed on yet.
    Early(Vec<u8>),
    /// It is over.
    Over,
}

impl<S> TimedIo<S> {
    /// Wraps a stream, whose opening began at that instant.
    pub fn new(stream: S, clock: Clock, exchange: ExchangeInstants, opening: MonotonicInstant) -> Self {
        Self { stream, clock, exchange, opening, start: Start::Before(None) }
    }

    fn note_read(&self, bytes: &[u8]) {
        if !bytes.is_empty() {
            let now = self.clock.now();
            self.exchange.update(|instants| {
                instants.first_byte.get_or_insert(now);
                instants.last_byte = Some(now);
            });
            self.exchange.keep(bytes);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for TimedIo<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        match &mut this.start {
            Start::Before(waker) => {
                *waker = Some(context.waker().clone());
                return Poll::Pending;
            }
            Start::Early(bytes) => {
                let rest = bytes.split_off(bytes.len().min(buffer.remaining()));
                buffer.put_slice(bytes);
                this.start = if rest.is_empty() { Start::Over } else { Start::Early(rest) };
                return Poll::Ready(Ok(()));
            }
            Start::Over => {}
        }
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut this.stream).poll_read(context, buffer);
        this.note_read(&buffer.filled()[before..]);
        outcome
    }
}

impl<S: AsyncRead + Unpin> TimedIo<S> {
    /// Before the first write: takes what came before it.
    fn take_early(&mut self, context: &mut Context<'_>) {
        let Start::Before(waker) = &mut self.start else { return };
        let waker = waker.take();
        let mut space = [0; 8_192];
        let mut early = ReadBuf::new(&mut space);
        // An error comes again when the answer is read.
        let _ = Pin::new(&mut self.stream).poll_read(context, &mut early);
        self.start = Start::Over;
        if !early.filled().is_empty() {
            self.start = Start::Early(early.filled().to_vec());
            self.exchange.update(|instants| instants.sent = Some(self.opening));
            self.note_read(early.filled());
        }
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TimedIo<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.take_early(context);
        let now = self.clock.now();
        self.exchange.update(|instants| {
            instants.sent.get_or_insert(now);
        });
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests;
