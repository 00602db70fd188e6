//! Heads of answers as curl and browsers read them, rewritten as the HTTP library reads them.
//!
//! | as it comes | as it is handed on |
//! |---|---|
//! | `http/1.1 200 OK`, `HTTP/1.1  200 OK`, `HTTP/1.1 200OK`, `HTTP/2 200` | `HTTP/1.1 200 OK` |
//! | a reason with control characters | without them |
//! | a carriage return in a line, or several at its end | a space, or none |
//! | chunks in HTTP/1.0 | HTTP/1.1 with `Connection: close` |
//! | `Content-Length: +38`, `Content-Length: 38;x` | `Content-Length: 38` |
//!
//! Bodies pass as they are, unless they come in chunks (`chunk_repair.rs`), and so does what does not begin like HTTP. A null
//! byte stays, so that the library refuses it as curl does. Instants are noted underneath, so none of this changes a
//! measurement.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::chunk_repair::ChunkRepair;

const PREFIX: &[u8] = b"http/";

/// A stream whose answers have heads that the HTTP library reads.
#[derive(Debug)]
pub(super) struct HeadRepair<S> {
    stream: S,
    state: State,
    most: usize,
}

#[derive(Debug)]
enum State {
    /// A head comes in; so much of it is there.
    Head(Vec<u8>),
    /// These bytes are handed on, from that one on, and then what follows them.
    Handing(Vec<u8>, usize, Following),
    /// What comes is a body.
    Body(Following),
}

/// What follows a head.
#[derive(Debug)]
enum Following {
    /// It passes as it is.
    AsItIs,
    /// Chunks, which are rewritten.
    Chunks(ChunkRepair),
}

impl<S> HeadRepair<S> {
    /// Wraps a stream. A head of more than `most` bytes passes as it is.
    pub(super) fn new(stream: S, most: usize) -> Self {
        Self { stream, state: State::Head(Vec::new()), most }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for HeadRepair<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            match &mut this.state {
                State::Body(Following::AsItIs) => {
                    return Pin::new(&mut this.stream).poll_read(context, buffer);
                }
                State::Body(Following::Chunks(chunks)) => {
                    let piece = ready!(next_piece(&mut this.stream, context))?;
                    let bytes = if piece.is_empty() { chunks.end() } else { chunks.rewritten(&piece) };
                    let State::Body(following) = std::mem::replace(&mut this.state, State::Head(Vec::new()))
                    else {
                        continue;
                    };
                    // The end of the stream.
                    if piece.is_empty() && bytes.is_empty() {
                        this.state = State::Body(Following::AsItIs);
                        return Poll::Ready(Ok(()));
                    }
                    this.state = State::Handing(bytes, 0, following);
                }
                State::Handing(bytes, from, following) => {
                    let count = buffer.remaining().min(bytes.len() - *from);
                    buffer.put_slice(&bytes[*from..*from + count]);
                    *from += count;
                    if *from == bytes.len() {
                        let following = std::mem::replace(following, Following::AsItIs);
                        this.state = State::Body(following);
                    }
                    // None, where a line is not there to its end: that would look like the end of the stream.
                    if count > 0 {
                        return Poll::Ready(Ok(()));
                    }
                }
                State::Head(head) => {
                    let piece = ready!(next_piece(&mut this.stream, context))?;
                    head.extend_from_slice(&piece);
                    let is_over = piece.is_empty() || head.len() > this.most || !may_be_http(head);
                    let handed = if is_over {
                        Some(Repaired { bytes: std::mem::take(head), following: Following::AsItIs })
                    } else {
                        repaired(head)
                    };
                    match handed {
                        // The end of the stream.
                        Some(Repaired { bytes, .. }) if bytes.is_empty() => {
                            this.state = State::Body(Following::AsItIs);
                            return Poll::Ready(Ok(()));
                        }
                        Some(Repaired { bytes, following }) => {
                            this.state = State::Handing(bytes, 0, following);
                        }
                        None => {}
                    }
                }
            }
        }
    }
}

/// What comes next; nothing at the end of the stream.
fn next_piece<S: AsyncRead + Unpin>(stream: &mut S, context: &mut Context<'_>) -> Poll<io::Result<Vec<u8>>> {
    let mut space = [0; 8_192];
    let mut piece = ReadBuf::new(&mut space);
    ready!(Pin::new(stream).poll_read(context, &mut piece))?;
    Poll::Ready(Ok(piece.filled().to_vec()))
}

impl<S: AsyncWrite + Unpin> AsyncWrite for HeadRepair<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        // A request: the next thing that comes is a head.
        if matches!(self.state, State::Body(_)) {
            self.state = State::Head(Vec::new());
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Whether these bytes begin like HTTP, as far as they go. Blank lines may stand before it (RFC 9112 section 2.2).
fn may_be_http(bytes: &[u8]) -> bool {
    let begin = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(bytes.len());
    let begin = &bytes[begin..];
    let length = begin.len().min(PREFIX.len());
    begin[..length].eq_ignore_ascii_case(&PREFIX[..length])
}

/// The beginning of an answer, rewritten.
#[derive(Debug)]
pub struct Repaired {
    /// A head, or several of which all but the last are interim (1xx), and what came of the body.
    pub bytes: Vec<u8>,
    following: Following,
}

impl Repaired {
    /// Whether the body stays as it comes.
    #[must_use]
    pub fn leaves_the_body(&self) -> bool {
        matches!(self.following, Following::AsItIs)
    }
}

/// Rewrites a head, once it is there to its end.
#[must_use]
pub fn repaired(bytes: &[u8]) -> Option<Repaired> {
    let mut out = Vec::with_capacity(bytes.len() + 32);
    let mut rest = bytes;
    loop {
        let (head, after) = one_head(rest)?;
        let is_interim = matches!(head.status, Some([b'1', second, third]) if [second, third] != *b"01");
        let is_chunked = head.lines.iter().any(|line| is_chunked(line));
        out.extend(head.written());
        if !is_interim {
            if !is_chunked {
                out.extend_from_slice(after);
                return Some(Repaired { bytes: out, following: Following::AsItIs });
            }
            let mut chunks = ChunkRepair::new();
            out.extend(chunks.rewritten(after));
            return Some(Repaired { bytes: out, following: Following::Chunks(chunks) });
        }
        rest = after;
    }
}

/// The lines of a head, without their ends.
struct Head {
    version: [u8; 3],
    status: Option<[u8; 3]>,
    lines: Vec<Vec<u8>>,
}

/// Reads lines to the first blank one behind the status line. None when it is not there yet.
fn one_head(bytes: &[u8]) -> Option<(Head, &[u8])> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    let mut rest = bytes;
    loop {
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let line = without_returns(&rest[..end]);
        rest = &rest[end + 1..];
        match (line.is_empty(), lines.is_empty()) {
            (true, true) => {}
            (true, false) => break,
            (false, _) => lines.push(line),
        }
    }
    let (version, status, line) = status_line(&lines[0]);
    lines[0] = line;
    Some((Head { version, status, lines }, rest))
}

fn without_returns(line: &[u8]) -> Vec<u8> {
    let kept = line.iter().rposition(|byte| *byte != b'\r').map_or(0, |last| last + 1);
    line[..kept].iter().map(|byte| if *byte == b'\r' { b' ' } else { *byte }).collect()
}

/// The version, the status, and the line as RFC 9112 section 4 has it; the line as it is when it is none.
fn status_line(line: &[u8]) -> ([u8; 3], Option<[u8; 3]>, Vec<u8>) {
    let as_it_is = || (*b"1.1", None, line.to_vec());
    let after = &line[PREFIX.len().min(line.len())..];
    let (version, after) = match after {
        [b'1', b'.', minor @ (b'0' | b'1'), after @ ..] => ([b'1', b'.', *minor], after),
        // What speaks HTTP/1.1 may call itself by a later name.
        [b'2', b'.', b'0', after @ ..] | [b'2', after @ ..] => (*b"1.1", after),
        _ => return as_it_is(),
    };
    let spaces = after.iter().take_while(|byte| **byte == b' ').count();
    let [first, second, third, reason @ ..] = &after[spaces..] else { return as_it_is() };
    let status = [*first, *second, *third];
    let is_status = spaces > 0
        && status.iter().all(u8::is_ascii_digit)
        && !reason.first().is_some_and(u8::is_ascii_digit);
    if !is_status {
        return as_it_is();
    }
    let mut written = [b"HTTP/", &version[..], b" ", &status, b" "].concat();
    let is_control = |byte: &u8| byte.is_ascii_control() && *byte != 0;
    written.extend(reason.trim_ascii_start().iter().map(|byte| if is_control(byte) { b' ' } else { *byte }));
    (version, Some(status), written)
}

impl Head {
    fn written(mut self) -> Vec<u8> {
        // curl reads chunks of HTTP/1.0 too, over a connection that ends with them.
        if self.version == *b"1.0" && self.lines.iter().any(|line| is_chunked(line)) {
            self.lines[0][5..8].copy_from_slice(b"1.1");
            self.lines.push(b"Connection: close".to_vec());
        }
        let mut written: Vec<u8> = Vec::new();
        for line in &self.lines {
            match content_length(line) {
                Some(digits) => written.extend([b"Content-Length: ", digits].concat()),
                None => written.extend_from_slice(line),
            }
            written.extend_from_slice(b"\r\n");
        }
        written.extend_from_slice(b"\r\n");
        written
    }
}

/// The digits in a line `Content-Length: +38` or `Content-Length: 38;x`, of which curl takes the number. Several lengths that
/// stand there are the library's to compare.
fn content_length(line: &[u8]) -> Option<&[u8]> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    if !line[..colon].trim_ascii().eq_ignore_ascii_case(b"content-length") || line.contains(&b',') {
        return None;
    }
    let value = line[colon + 1..].trim_ascii();
    let value = value.strip_prefix(b"+").unwrap_or(value);
    let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (digits > 0).then(|| &value[..digits])
}

fn is_chunked(line: &[u8]) -> bool {
    let line = String::from_utf8_lossy(line).to_ascii_lowercase();
    line.split_once(':').is_some_and(|(name, value)| {
        name.trim() == "transfer-encoding" && value.split(',').any(|coding| coding.trim() == "chunked")
    })
}

#[cfg(test)]
mod tests;
