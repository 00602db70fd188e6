//! Content codings (RFC 9110 section 8.4.1) and transfer codings (RFC 9112 section 7): undone when an answer comes
//! compressed although nobody asked for it.

mod gzip;

use std::io::Read;

use brotli_decompressor::Decompressor;
use flate2::{Decompress, FlushDecompress, Status};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, TRANSFER_ENCODING};

use crate::text::printable;

/// More codings than that on top of each other are an attack, and not an answer.
const MOST_CODINGS: usize = 4;

/// Why a body could not be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodingFault {
    /// A coding that is not known here.
    #[error(
        "its body is encoded as {coding}, although no encoding was asked for; gzip, deflate and br can be decoded"
    )]
    Unknown {
        /// Its name, made printable.
        coding: String,
    },
    /// The body is not what the header says.
    #[error("the header Content-Encoding says {coding}, but the body is not that, or is cut short")]
    Broken {
        /// Its name.
        coding: &'static str,
    },
    /// There are too many of them.
    #[error("its body is encoded {0} times over")]
    TooMany(usize),
}

/// A body as it was before it was encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// Its first bytes, as many as are wanted.
    pub body: Vec<u8>,
    /// Whether it went on.
    pub is_cut: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Gzip,
    Deflate,
    Brotli,
}

impl Coding {
    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
        }
    }
}

/// Undoes the codings that the headers name, the last one first; transfer codings are outside of content codings. No step makes more than `most` bytes.
///
/// Nobody asked for a coding, and a label is easily wrong: a server that compresses only what is large, a proxy that has
/// decoded the body. So a body that is plain text is taken as it is, as curl takes it. Transfer codings are part of how a
/// body is framed, and curl refuses those that do not fit.
///
/// # Errors
/// When a coding is not known, or the body is not what the headers say.
pub fn decode(headers: &HeaderMap, body: &[u8], most: usize) -> Result<Decoded, CodingFault> {
    undo_all(headers, body, most).or_else(|fault| {
        let is_label_alone = !has_transfer_codings(headers);
        if is_label_alone && is_plain(body) {
            Ok(Decoded { body: body.to_vec(), is_cut: false })
        } else {
            Err(fault)
        }
    })
}

fn undo_all(headers: &HeaderMap, body: &[u8], most: usize) -> Result<Decoded, CodingFault> {
    let codings = codings(headers)?;
    let mut decoded = Decoded { body: body.to_vec(), is_cut: false };
    // There is nothing to decode in the answer to HEAD, or in a 304.
    if decoded.body.is_empty() {
        return Ok(decoded);
    }
    for coding in codings.into_iter().rev() {
        let step = undo(coding, &decoded.body, most);
        let step = step.ok_or(CodingFault::Broken { coding: coding.name() })?;
        if step.is_cut {
            return Ok(step);
        }
        decoded = step;
    }
    Ok(decoded)
}

fn has_transfer_codings(headers: &HeaderMap) -> bool {
    let tokens = headers
        .get_all(TRANSFER_ENCODING)
        .iter()
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
    tokens.map(<[u8]>::trim_ascii).any(|token| {
        !token.eq_ignore_ascii_case(b"chunked")
            && !token.eq_ignore_ascii_case(b"identity")
            && !token.is_empty()
    })
}

/// Whether a body is text: it has no control characters, and hardly a byte that is no UTF-8. Compressed bytes have both.
fn is_plain(body: &[u8]) -> bool {
    let end = body.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let is_text = |byte: &u8| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~' | 0x80..);
    let no_utf_8: usize = body.utf8_chunks().map(|chunk| chunk.invalid().len()).sum();
    end > 0 && body[..end].iter().all(is_text) && no_utf_8 <= end / 8
}

fn codings(headers: &HeaderMap) -> Result<Vec<Coding>, CodingFault> {
    let mut codings = Vec::new();
    for name in [CONTENT_ENCODING, TRANSFER_ENCODING] {
        let values =
            headers.get_all(&name).iter().flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
        for token in values {
            match token.trim_ascii().to_ascii_lowercase().as_slice() {
                // The HTTP library has put chunks together.
                b"chunked" if name == TRANSFER_ENCODING => {}
                // `none` and `utf-8` are no codings, but servers send them, and clients pass over them.
                b"" | b"identity" | b"none" | b"utf-8" => {}
                b"gzip" | b"x-gzip" => codings.push(Coding::Gzip),
                b"deflate" => codings.push(Coding::Deflate),
                b"br" => codings.push(Coding::Brotli),
                other => return Err(CodingFault::Unknown { coding: printable(other, 40) }),
            }
        }
    }
    if codings.len() > MOST_CODINGS { Err(CodingFault::TooMany(codings.len())) } else { Ok(codings) }
}

fn undo(coding: Coding, body: &[u8], most: usize) -> Option<Decoded> {
    match coding {
        Coding::Gzip => gzip::decoded(body, most),
        // RFC 9110 means zlib's format; some servers send the bare stream, and every browser reads both.
        Coding::Deflate => inflate(true, body, most).or_else(|| inflate(false, body, most)),
        Coding::Brotli => read_all(Decompressor::new(body, 4_096), most),
    }
}

/// Reads one byte more than is wanted, to see whether there are more.
fn read_all(decoder: impl Read, most: usize) -> Option<Decoded> {
    let mut body = Vec::new();
    decoder.take(most as u64 + 1).read_to_end(&mut body).ok()?;
    Some(cut(body, most))
}

/// By hand, because the library's reader takes a stream that is cut short for its end.
fn inflate(has_zlib_header: bool, body: &[u8], most: usize) -> Option<Decoded> {
    let mut decoded = Vec::with_capacity(most + 1);
    let status =
        Decompress::new(has_zlib_header).decompress_vec(body, &mut decoded, FlushDecompress::Finish).ok()?;
    (status == Status::StreamEnd || decoded.len() > most).then(|| cut(decoded, most))
}

fn cut(mut body: Vec<u8>, most: usize) -> Decoded {
    let is_cut = body.len() > most;
    body.truncate(most);
    Decoded { body, is_cut }
}

#[cfg(test)]
mod tests;
