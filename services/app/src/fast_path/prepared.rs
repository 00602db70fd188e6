//! The responses of the current second, as they go over the wire.

use hyper::StatusCode;

use crate::clock::status::ClockStatus;
use crate::fast_path::head::Target;
use crate::http::response_head;
use crate::routes::now_document;
use crate::routes::second_cache::SecondCache;
use crate::routes::{ALIVE, READY};

/// Made once a second for each thread.
#[derive(Debug)]
pub(crate) struct PreparedResponses {
    seconds: u64,
    clock: ClockStatus,
    now: PreparedResponse,
    /// The positions of the digits of the fraction in `now`.
    fractions: [usize; 2],
    alive: PreparedResponse,
    ready: PreparedResponse,
}

/// A head and its body.
#[derive(Debug)]
struct PreparedResponse {
    bytes: Vec<u8>,
    body_bytes: usize,
}

impl PreparedResponse {
    fn new(second: &SecondCache, body: &[u8]) -> Self {
        let mut bytes = response_head::bytes(StatusCode::OK, &second.headers, body.len());
        bytes.extend_from_slice(body);
        Self { bytes, body_bytes: body.len() }
    }
}

impl PreparedResponses {
    /// `seconds` since 1970.
    pub(crate) fn new(seconds: u64, clock: ClockStatus, instance: &str) -> Self {
        let second = SecondCache::new(seconds, clock, instance);
        let (document, fractions) = second.document.template();
        let now = PreparedResponse::new(&second, document);
        let head_bytes = now.bytes.len() - now.body_bytes;
        Self {
            seconds,
            clock,
            now,
            fractions: fractions.map(|position| head_bytes + position),
            alive: PreparedResponse::new(&second, ALIVE),
            ready: PreparedResponse::new(&second, READY),
        }
    }

    pub(crate) fn are_for(&self, seconds: u64, clock: ClockStatus) -> bool {
        self.seconds == seconds && self.clock == clock
    }

    /// Appends the response to a request for that target, `nanos` nanoseconds into the second, and returns the length of
    /// its body.
    pub(crate) fn write(&mut self, target: Target, nanos: u32, output: &mut Vec<u8>) -> usize {
        let response = match target {
            Target::Health => &self.alive,
            Target::Readiness => &self.ready,
            Target::Now => {
                now_document::write_fractions(&mut self.now.bytes, self.fractions, nanos);
                &self.now
            }
        };
        output.extend_from_slice(&response.bytes);
        response.body_bytes
    }
}
