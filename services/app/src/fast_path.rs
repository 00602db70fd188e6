//! Answers the requests that nearly all clients send, before hyper is involved.
//!
//! hyper and its generic requests and responses are 60 % of what a request costs in user space, and more with each header.
//! Most requests need none of it: their head arrives whole, asks for a path that always gets the same bytes but for the
//! time, and says nothing about bodies or the connection. [`FastPath::answer`] recognizes these with hyper's own parser
//! and responds from bytes that are prepared once a second. It leaves everything else to hyper, untouched.
//!
//! The bytes are those that hyper would send: `tests.rs` and the fuzz target `nowd_fast_path` compare them.

pub(crate) mod head;
pub(crate) mod prepared;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::mem::MaybeUninit;
use std::sync::Arc;

use hyper::{HeaderMap, Method, Request, StatusCode, Version};

use crate::clock;
use crate::fast_path::head::{Head, Target};
use crate::fast_path::prepared::PreparedResponses;
use crate::http::host::HostCache;
use crate::logging::access_log::{AccessLog, LoggedExchange};
use crate::metrics::Counters;
use crate::readiness::ServiceState;
use crate::settings::ClientLimits;

/// More headers are left to hyper. A balancer sends about 15.
const MAX_HEADERS: usize = 64;

/// Longer heads are left to hyper.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// The fast path of one thread.
#[derive(Debug)]
pub(crate) struct FastPath {
    service_state: Arc<ServiceState>,
    counters: Arc<Counters>,
    host_cache: HostCache,
    max_headers: usize,
    max_head_bytes: usize,
    prepared: RefCell<PreparedResponses>,
}

impl FastPath {
    pub(crate) fn new(
        service_state: Arc<ServiceState>,
        counters: Arc<Counters>,
        limits: &ClientLimits,
    ) -> Self {
        let prepared = PreparedResponses::new(0, service_state.clock.load(), &service_state.instance);
        Self {
            service_state,
            counters,
            host_cache: HostCache::default(),
            max_headers: limits.headers.min(MAX_HEADERS),
            max_head_bytes: limits.head_bytes.min(MAX_HEAD_BYTES),
            prepared: RefCell::new(prepared),
        }
    }

    /// The longest head that [`Self::answer`] accepts, in bytes.
    pub(crate) fn max_head_bytes(&self) -> usize {
        self.max_head_bytes
    }

    /// Answers the request that `bytes` begin with: appends the response to `output`, counts and logs it, and returns
    /// the length of the head. `None` means that hyper has to read these bytes; then nothing has happened.
    pub(crate) fn answer(
        &self,
        bytes: &[u8],
        output: &mut Vec<u8>,
        access_log: Option<&AccessLog>,
    ) -> Option<usize> {
        let mut headers = [const { MaybeUninit::uninit() }; MAX_HEADERS];
        let head = head::parse(bytes, &mut headers[..self.max_headers])?;
        if head.length > self.max_head_bytes || !self.accepts(head.target, head.host) {
            return None;
        }
        // From here on there is only the response to write.
        let time = clock::now();
        let clock = self.service_state.clock.load();
        let mut prepared = self.prepared.borrow_mut();
        if !prepared.are_for(time.seconds, clock) {
            *prepared = PreparedResponses::new(time.seconds, clock, &self.service_state.instance);
        }
        let body_bytes = prepared.write(head.target, time.nanos, output);
        self.counters.count_response(head.target.route(), StatusCode::OK);
        if let Some(access_log) = access_log {
            record(access_log, &head, body_bytes);
        }
        Some(head.length)
    }

    /// Whether [`Self::answer`] would accept this request, which hyper has parsed, if it arrived in one piece.
    ///
    /// A connection whose requests are not accepted stays with hyper, which is costly to set up.
    pub(crate) fn would_answer<B>(&self, request: &Request<B>) -> bool {
        let (uri, headers) = (request.uri(), request.headers());
        if request.method() != Method::GET
            || request.version() != Version::HTTP_11
            || uri.authority().is_some()
            || uri.query().is_some()
            || headers.len() > self.max_headers
        {
            return false;
        }
        let Some(target) = Target::ALL.into_iter().find(|target| target.path() == uri.path()) else {
            return false;
        };
        head::host(headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())))
            .is_some_and(|host| head_bytes(headers) <= self.max_head_bytes && self.accepts(target, host))
    }

    /// Whether the response to a plain head is one of the prepared ones.
    fn accepts(&self, target: Target, host: &[u8]) -> bool {
        // While draining, each response ends its connection.
        !self.service_state.is_draining()
            && (target != Target::Readiness || self.service_state.readiness().is_ok())
            && self.host_cache.is_valid(host)
    }
}

/// The bytes of these headers in a head, without optional white space.
fn head_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + b": \r\n".len()).sum()
}

#[cold]
fn record(access_log: &AccessLog, head: &Head<'_, '_>, body: usize) {
    let exchange = LoggedExchange {
        method: "GET",
        target: head.target.path(),
        status: StatusCode::OK,
        body: body as u64,
    };
    access_log.record_exchange(&exchange, head.headers);
}
