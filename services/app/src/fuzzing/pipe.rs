//! A connection in memory.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use hyper::rt::{Read, ReadBufCursor, Write};

/// All that a client sends, in pieces of `size` bytes, and what it receives. It never blocks.
#[derive(Debug)]
pub struct Pipe<'a> {
    /// What was not read yet.
    pub input: &'a [u8],
    /// At least 1.
    pub size: usize,
    /// What was written.
    pub output: &'a mut Vec<u8>,
}

/// Runs what serves a pipe with `bytes` of input to its end.
///
/// # Panics
///
/// It waits for something else than the pipe.
pub fn run_to_end(served: impl Future<Output = ()>, bytes: usize) {
    let mut served = pin!(served);
    let mut cx = Context::from_waker(Waker::noop());
    let mut polls = 0;
    while served.as_mut().poll(&mut cx).is_pending() {
        polls += 1;
        // The pipe is always ready: hyper pauses only to let others run.
        assert!(polls < 10_000 + bytes, "it waits for something that never comes");
    }
}

impl Read for Pipe<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let (piece, rest) = self.input.split_at(self.input.len().min(self.size).min(buf.remaining()));
        buf.put_slice(piece);
        self.input = rest;
        Poll::Ready(Ok(()))
    }
}

impl Write for Pipe<'_> {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.output.extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
