//! The body of an answer: read as far as a time can need, without its content codings.

use http::HeaderMap;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

use crate::probe::content_coding::{CodingFault, decode};

/// The most that is read of an answer; a time needs a thousandth of it.
const MOST_OF_A_BODY: usize = 64 * 1024;

/// An exchange that ended too early.
#[derive(Debug)]
pub struct BrokenOff {
    /// The library's reason.
    pub error: hyper::Error,
    /// Bytes of the body that came, and those that were announced, if that is known.
    pub bytes: Option<(u64, u64)>,
}

impl From<hyper::Error> for BrokenOff {
    fn from(error: hyper::Error) -> Self {
        Self { error, bytes: None }
    }
}

/// The body without its content codings, whether it goes on, and why it is still encoded.
pub(super) fn decoded(
    headers: &HeaderMap,
    body: Vec<u8>,
    is_cut: bool,
) -> (Vec<u8>, bool, Option<CodingFault>) {
    // Of an encoded body that was not read to its end nothing can be said but that it is large.
    if is_cut {
        return (body, true, None);
    }
    match decode(headers, &body, MOST_OF_A_BODY) {
        Ok(decoded) => (decoded.body, decoded.is_cut, None),
        Err(fault) => (body, false, Some(fault)),
    }
}

/// Reads as much of a body as a time can need; says whether it went on.
pub(super) async fn read_body(incoming: &mut Incoming) -> Result<(Vec<u8>, bool), BrokenOff> {
    let announced = incoming.size_hint().exact();
    let mut body = Vec::new();
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|error| BrokenOff {
            error,
            bytes: announced.map(|announced| (body.len() as u64, announced)),
        })?;
        if let Ok(data) = frame.into_data() {
            let room = MOST_OF_A_BODY - body.len();
            body.extend_from_slice(&data[..data.len().min(room)]);
            if data.len() > room {
                return Ok((body, true));
            }
        }
    }
    Ok((body, false))
}
