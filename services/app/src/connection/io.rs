//! The bytes of a connection, between hyper and the kernel. Keeps the [`ConnectionState`] up to date.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::body::Bytes;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::net::TcpStream;

use crate::connection::state::ConnectionState;
use crate::metrics::Counters;

pub(crate) struct ConnectionIo {
    stream: TokioIo<TcpStream>,
    counters: Arc<Counters>,
    state: Rc<ConnectionState>,
    /// Bytes that were read from the kernel and put back.
    unread: Bytes,
    /// Why hyper rejected a head.
    head_error: Option<HeadError>,
}

/// Why hyper could not parse a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeadError {
    Malformed,
    TargetTooLong,
    HeadTooLarge,
}

impl ConnectionIo {
    pub(crate) fn new(stream: TcpStream, counters: Arc<Counters>, state: Rc<ConnectionState>) -> Self {
        Self { stream: TokioIo::new(stream), counters, state, unread: Bytes::new(), head_error: None }
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        self.stream.inner()
    }

    /// The next reads return these bytes first, and then those that were put back before.
    pub(crate) fn put_back(&mut self, bytes: Bytes) {
        if self.unread.is_empty() {
            self.unread = bytes;
        } else if !bytes.is_empty() {
            self.unread = [bytes, std::mem::take(&mut self.unread)].concat().into();
        }
        self.release_if_empty();
    }

    /// Even an empty part of a buffer keeps the whole buffer allocated.
    fn release_if_empty(&mut self) {
        if self.unread.is_empty() {
            self.unread = Bytes::new();
        }
    }

    pub(crate) fn has_unread(&self) -> bool {
        !self.unread.is_empty()
    }

    /// What was put back.
    pub(crate) fn take_unread(&mut self) -> Bytes {
        std::mem::take(&mut self.unread)
    }

    /// Reads from the kernel, bypassing hyper, and returns how many bytes it was; 0 at the end of the stream.
    pub(crate) fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        ready!(Pin::new(self.stream.inner_mut()).poll_read(cx, &mut buffer))?;
        let count = buffer.filled().len();
        if count > 0 {
            self.state.note_received();
        }
        Poll::Ready(Ok(count))
    }

    /// Sends a part of `bytes`, and returns how many it was.
    pub(crate) fn poll_write_some(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        // Try first: waiting for a socket to be writable costs more, and it nearly always is.
        let poll = match self.stream.inner().try_write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Pin::new(&mut self.stream).poll_write(cx, bytes)
            }
            written => Poll::Ready(written),
        };
        self.state.note_write(poll.is_pending());
        if matches!(poll, Poll::Ready(Ok(written)) if written == bytes.len()) {
            self.state.note_sent(&self.counters);
        }
        poll
    }

    /// Why hyper rejected the head, once. hyper's own response was not sent.
    pub(crate) fn take_head_error(&mut self) -> Option<HeadError> {
        self.head_error.take()
    }

    /// Sends all of `rest`, bypassing hyper.
    pub(crate) fn poll_send(&mut self, cx: &mut Context<'_>, rest: &mut &[u8]) -> Poll<io::Result<()>> {
        while !rest.is_empty() {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => *rest = &rest[written..],
            }
        }
        self.state.note_sent(&self.counters);
        Poll::Ready(Ok(()))
    }

    /// Shuts down our side, then reads until the client closes its own. Closing with unread bytes would reset the
    /// connection, and the client could lose the response (RFC 9112, section 9.6).
    pub(crate) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.state.start_lingering() {
            ready!(Pin::new(self.stream.inner_mut()).poll_shutdown(cx))?;
        }
        let mut discarded = [0; 4096];
        loop {
            ready!(self.stream.inner().poll_read_ready(cx))?;
            match self.stream.inner().try_read(&mut discarded) {
                Ok(0) => return Poll::Ready(Ok(())),
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Poll::Ready(Err(error)),
                Ok(_) | Err(_) => {}
            }
        }
    }

    /// The error, if these bytes are hyper's own response to a head that it cannot parse. Call only when no response
    /// of ours is pending; hyper's has no body and no `Date`.
    #[cold]
    fn head_error_in(bytes: &[u8]) -> Option<HeadError> {
        let status = bytes.strip_prefix(b"HTTP/1.1 ")?;
        match status.get(..3)? {
            b"400" => Some(HeadError::Malformed),
            b"414" => Some(HeadError::TargetTooLong),
            b"431" => Some(HeadError::HeadTooLarge),
            _ => None,
        }
    }

    #[cold]
    fn read_unread(&mut self, mut buf: ReadBufCursor<'_>) {
        let count = self.unread.len().min(buf.remaining());
        buf.put_slice(&self.unread.split_to(count));
        self.release_if_empty();
        self.state.note_reading();
    }
}

impl Read for ConnectionIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if self.has_unread() {
            self.read_unread(buf);
            return Poll::Ready(Ok(()));
        }
        let poll = Pin::new(&mut self.stream).poll_read(cx, buf);
        if poll.is_ready() {
            self.state.note_received();
        }
        poll
    }
}

impl Write for ConnectionIo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if !self.state.has_unsent()
            && let Some(head_error) = Self::head_error_in(buf)
        {
            self.head_error = Some(head_error);
            return Poll::Ready(Ok(buf.len()));
        }
        self.poll_write_some(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A rejected head gets its response first; `connection.rs` ends the connection afterwards.
        if self.head_error.is_some() { Poll::Ready(Ok(())) } else { self.poll_end(cx) }
    }
}
