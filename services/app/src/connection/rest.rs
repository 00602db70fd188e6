//! A connection at rest has neither buffers nor a parser of its own. Plain requests are answered here, by the fast path.
//! Any other bytes end the rest, and hyper reads them.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::mem;
use std::task::{Context, Poll, ready};

use hyper::body::{Buf as _, Bytes};
use tokio::io::ReadBuf;

use crate::connection::io::ConnectionIo;
use crate::connection::state::{ConnectionState, Directive};
use crate::fast_path::FastPath;

/// Requests that are answered with one write. After that many, it is the turn of other connections.
const MAX_BATCH: usize = 16;

/// The fast path of a thread, and the buffers that all its connections at rest share.
pub(crate) struct RestContext {
    pub(crate) fast_path: FastPath,
    buffers: RefCell<Buffers>,
}

struct Buffers {
    input: Box<[u8]>,
    output: Vec<u8>,
}

impl RestContext {
    pub(crate) fn new(fast_path: FastPath) -> Self {
        let input = vec![0; fast_path.max_head_bytes()].into();
        Self { fast_path, buffers: RefCell::new(Buffers { input, output: Vec::new() }) }
    }
}

/// Rests until there is something for hyper to read. Returns false when the connection is to be closed.
pub(super) async fn rest(io: &mut ConnectionIo, context: &RestContext, state: &ConnectionState) -> bool {
    // Over the limit, a connection gets one response, which ends it.
    if state.is_reserved() {
        return wait_for_bytes(io, state).await;
    }
    let mut rest = Rest { io, context, state, unsent: Vec::new(), needs_hyper: false };
    // There are no buffers to release here; only the order to close matters.
    poll_fn(|cx| match state.take_directive(cx) {
        Some(Directive::Close) => {
            // Bytes in the kernel were sent while the connection was open. They still get their response.
            let before = state.waiting_since();
            match rest.poll(cx) {
                Poll::Pending if !before.is_some_and(|before| state.has_received_since(before)) => {
                    Poll::Ready(false)
                }
                poll => poll,
            }
        }
        _ => rest.poll(cx),
    })
    .await
}

struct Rest<'a> {
    io: &'a mut ConnectionIo,
    context: &'a RestContext,
    state: &'a ConnectionState,
    /// What the kernel has not taken yet of responses; nearly always empty.
    unsent: Vec<u8>,
    /// Whether hyper has to read next, once all responses are sent.
    needs_hyper: bool,
}

impl Rest<'_> {
    /// As [`rest`] returns.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let mut answered = 0;
        loop {
            if ready!(self.poll_send_unsent(cx)).is_err() {
                return Poll::Ready(false);
            }
            if self.needs_hyper {
                return Poll::Ready(true);
            }
            if answered >= MAX_BATCH {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            match ready!(self.poll_batch(cx)) {
                Ok(Some(batch)) => answered += batch,
                Ok(None) | Err(_) => return Poll::Ready(false),
            }
        }
    }

    /// Answers plain requests that have arrived, and returns how many. `None` is the end of the stream.
    fn poll_batch(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<usize>>> {
        let mut buffers = self.context.buffers.borrow_mut();
        let Buffers { input, output } = &mut *buffers;
        output.clear();
        let answered = if self.io.has_unread() {
            let mut unread = self.io.take_unread();
            let (answered, length) = self.answer(&unread, output);
            unread.advance(length);
            self.io.put_back(unread);
            answered
        } else {
            let count = ready!(self.io.poll_receive(cx, input))?;
            if count == 0 {
                return Poll::Ready(Ok(None));
            }
            let (answered, length) = self.answer(&input[..count], output);
            if length < count {
                self.io.put_back(Bytes::copy_from_slice(&input[length..count]));
            }
            answered
        };
        self.needs_hyper = answered < MAX_BATCH && self.io.has_unread();
        if !output.is_empty() {
            self.send(cx, output)?;
        }
        Poll::Ready(Ok(Some(answered)))
    }

    /// Answers the plain requests that `bytes` begin with, at most a batch. Returns how many, and the length of their
    /// heads together.
    fn answer(&self, bytes: &[u8], output: &mut Vec<u8>) -> (usize, usize) {
        let (mut answered, mut length) = (0, 0);
        while answered < MAX_BATCH
            && let Some(head) =
                self.context.fast_path.answer(&bytes[length..], output, self.state.access_log())
        {
            self.state.note_answered();
            answered += 1;
            length += head;
        }
        (answered, length)
    }

    /// Sends what the kernel takes at once, and keeps the rest.
    fn send(&mut self, cx: &mut Context<'_>, output: &[u8]) -> io::Result<()> {
        let sent = match self.io.poll_write_some(cx, output) {
            Poll::Ready(sent) => sent?,
            Poll::Pending => 0,
        };
        if sent < output.len() {
            self.unsent = output[sent..].to_vec();
        }
        Ok(())
    }

    fn poll_send_unsent(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unsent.is_empty() {
            let sent = ready!(self.io.poll_write_some(cx, &self.unsent))?;
            if sent == self.unsent.len() {
                // The allocation, too.
                mem::take(&mut self.unsent);
            } else {
                self.unsent.drain(..sent);
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Waits until there is something to read, or the client closes. Returns false when the connection is to be closed.
async fn wait_for_bytes(io: &ConnectionIo, state: &ConnectionState) -> bool {
    if io.has_unread() {
        return true;
    }
    poll_fn(|cx| {
        let order = state.take_directive(cx);
        // Readiness is not enough: tokio reports a new socket as readable until a read has shown that it is not.
        let peeked = io.stream().poll_peek(cx, &mut ReadBuf::new(&mut [0]));
        match (order, peeked) {
            // Bytes in the kernel were sent while the connection was open. They still get their response.
            (Some(Directive::Close), Poll::Ready(Ok(1..))) => Poll::Ready(true),
            (Some(Directive::Close), _) => Poll::Ready(false),
            (_, peeked) => peeked.map(|peeked| peeked.is_ok()),
        }
    })
    .await
}
