//! Chunks as curl reads them, rewritten as the HTTP library reads them (RFC 9112 section 7.1).
//!
//! | as it comes | as it is handed on |
//! |---|---|
//! | lines that end with a line feed alone | with a carriage return and a line feed |
//! | anything behind the length of a chunk | nothing |
//!
//! What curl refuses passes as it is from there on, so that the library refuses it too.

/// A line of that many bytes is no length of a chunk, and no trailer.
const LONGEST_LINE: usize = 8_192;

/// A length of more digits is no body's.
const MOST_DIGITS: usize = 16;

/// A body in chunks that is rewritten as it comes.
#[derive(Debug)]
pub(super) struct ChunkRepair {
    state: State,
    /// The line that comes in, as far as it is there.
    line: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// The line with the length of a chunk.
    Length,
    /// So many bytes of a chunk are to come.
    Data(u64),
    /// The end of the line behind a chunk.
    AfterData,
    /// Trailers, to the empty line.
    Trailers,
    /// What comes is no concern of chunks any more.
    Over,
}

impl ChunkRepair {
    pub(super) fn new() -> Self {
        Self { state: State::Length, line: Vec::new() }
    }

    /// Rewrites the next bytes.
    pub(super) fn rewritten(&mut self, mut bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len() + 16);
        while !bytes.is_empty() {
            bytes = match self.state {
                State::Data(left) => {
                    let count = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    out.extend_from_slice(&bytes[..count]);
                    let left = left - count as u64;
                    self.state = if left == 0 { State::AfterData } else { State::Data(left) };
                    &bytes[count..]
                }
                State::Over => {
                    out.extend_from_slice(bytes);
                    return out;
                }
                State::Length | State::AfterData | State::Trailers => self.take_line(bytes, &mut out),
            };
        }
        out
    }

    /// What is left of a line where the stream has ended.
    pub(super) fn end(&mut self) -> Vec<u8> {
        self.state = State::Over;
        std::mem::take(&mut self.line)
    }

    /// Takes bytes to the end of the line, and gives those behind it.
    fn take_line<'a>(&mut self, bytes: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        let end = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |end| end + 1);
        self.line.extend_from_slice(&bytes[..end]);
        if self.line.ends_with(b"\n") {
            let line = std::mem::take(&mut self.line);
            self.state = self.after_line(&line, out);
        } else if self.line.len() > LONGEST_LINE {
            out.append(&mut self.line);
            self.state = State::Over;
        }
        &bytes[end..]
    }

    /// Hands on a line, and says what comes behind it.
    fn after_line(&self, line: &[u8], out: &mut Vec<u8>) -> State {
        let content = line.trim_ascii_end();
        let written = match self.state {
            State::Length => {
                let digits = content.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
                let digits = std::str::from_utf8(&content[..digits]).unwrap_or_default();
                (digits.len() <= MOST_DIGITS).then(|| u64::from_str_radix(digits, 16).ok()).flatten().map(
                    |length| {
                        (digits.as_bytes(), if length == 0 { State::Trailers } else { State::Data(length) })
                    },
                )
            }
            State::AfterData if content.is_empty() => Some((content, State::Length)),
            State::Trailers if content.is_empty() => Some((content, State::Over)),
            State::Trailers => Some((content, State::Trailers)),
            State::AfterData | State::Data(_) | State::Over => None,
        };
        let Some((written, next)) = written else {
            out.extend_from_slice(line);
            return State::Over;
        };
        out.extend_from_slice(written);
        out.extend_from_slice(b"\r\n");
        next
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// However the bytes are cut.
    fn rewritten(bytes: &[u8], size: usize) -> Vec<u8> {
        let mut repair = ChunkRepair::new();
        let mut out: Vec<u8> = bytes.chunks(size).flat_map(|piece| repair.rewritten(piece)).collect();
        out.extend(repair.end());
        out
    }

    #[test]
    fn chunks_that_curl_reads_are_written_as_the_standard_has_them() {
        let standard = b"7\r\n{\"a\":1}\r\n0\r\n\r\n";
        for chunks in [
            &b"7\r\n{\"a\":1}\r\n0\r\n\r\n"[..],
            b"7\n{\"a\":1}\n0\n\n",
            b"7\n{\"a\":1}\r\n0\n\r\n",
            b"7;name=value\n{\"a\":1}\n0\n\n",
            b"7 junk\r\n{\"a\":1}\r\n0\r\n\r\n",
        ] {
            for size in 1..chunks.len() {
                let written = rewritten(chunks, size);
                assert_eq!(written, standard, "{:?} in {size}", String::from_utf8_lossy(chunks));
            }
        }
        assert_eq!(rewritten(b"1\n\n\n0\nX: 1\n\nHTTP", 3), b"1\r\n\n\r\n0\r\nX: 1\r\n\r\nHTTP");
    }

    #[test]
    fn what_curl_refuses_passes_as_it_is() {
        for chunks in
            [&b" 7\r\n{\"a\":1}\r\n0\r\n\r\n"[..], b"\r\n7\r\n", b"x", b"{\"a\":1}", b"2\r\nabc\r\n0\r\n\r\n"]
        {
            assert_eq!(rewritten(chunks, 4), chunks, "{:?}", String::from_utf8_lossy(chunks));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_repair_panic_or_depend_on_where_they_are_cut(
            text in "([0-9a-f]{1,3}|\r|\n|;|x|0\r\n\r\n){0,30}",
            size in 1_usize..9,
        ) {
            prop_assert_eq!(rewritten(text.as_bytes(), size), rewritten(text.as_bytes(), usize::MAX));
        }
    }
}
