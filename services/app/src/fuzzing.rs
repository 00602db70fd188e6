//! What the fuzz targets call: the parser of each kind of outside input, in plain types.
//!
//! Not an API: only `fuzz/` of this repository uses it, and it changes together with the targets.

mod fast_path;
mod pipe;

use std::convert::Infallible;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::rt::{Read, Write};
use hyper::service::service_fn;
use hyper::{HeaderMap, Request};
use jiff::tz::TimeZone;

use crate::clock::UnixTime;
use crate::clock::clock_bound::{self, ClockReadings, CounterReading};
use crate::clock::ecs_metadata::ClockDrift;
use crate::clock::status::ClockStatus;
use crate::connection;
use crate::connection::request_body::{self, DeclaredContent};
use crate::http::content_coding;
use crate::http::host;
use crate::http::problem::Problem;
use crate::http::time_zone;
use crate::http::version;
use crate::logging::access_log::AccessLog;
use crate::logging::background_writer::LineSender;
use crate::logging::trace_context;
use crate::logging::trace_context::TraceIds;
use crate::metrics::Counters;
use crate::metrics::scrape;
use crate::readiness::ServiceState;
use crate::routes::Handler;
use crate::routes::now_document;
use crate::settings::ClientLimits;

pub use fast_path::compare_with_hyper;
pub use pipe::{Pipe, run_to_end};

/// The response to a request that is rejected.
#[derive(Debug)]
pub struct Rejection {
    /// The HTTP status code.
    pub status: u16,
    /// The problem details (RFC 9457), with a line feed at the end.
    pub body: String,
}

impl From<Problem> for Rejection {
    fn from(problem: Problem) -> Self {
        Self { status: problem.status().as_u16(), body: problem.body() }
    }
}

/// The name of the time zone in the query of a URL, decoded.
///
/// # Errors
///
/// The query is malformed, or names a zone twice or not at all in `tz`.
pub fn time_zone_name(query: &str) -> Result<Option<String>, Rejection> {
    time_zone::name_in_query(query).map_err(Rejection::from)
}

/// The time zone of that IANA name.
///
/// # Errors
///
/// The database in the program has no such zone.
pub fn time_zone(name: &str) -> Result<TimeZone, Rejection> {
    time_zone::by_name(name).ok_or_else(|| Problem::ZoneUnknown { name: name.into() }.into())
}

/// The body of `GET /now?tz=…` at a time: `seconds` since 1970-01-01T00:00:00Z and `nanos` into that second.
#[must_use]
pub fn now_document(seconds: u64, nanos: u32, zone: &TimeZone) -> Vec<u8> {
    now_document::Document::new(seconds, Some(zone), ClockStatus::Unsynchronized, "01234567")
        .at(nanos)
        .to_vec()
}

/// Whether this is the value of a `Host` header (RFC 9110, section 7.2).
#[must_use]
pub fn is_valid_host(value: &[u8]) -> bool {
    host::is_valid(value)
}

/// Whether the `Accept-Encoding` in these headers allows the content coding (RFC 9110, section 12.5.3).
#[must_use]
pub fn accepts_coding(headers: &HeaderMap, coding: &str) -> bool {
    content_coding::accepts(headers, coding)
}

/// The trace id and the parent id of a `traceparent` header (W3C Trace Context), if it is valid.
#[must_use]
pub fn trace_ids(traceparent: &[u8]) -> Option<(&[u8], &[u8])> {
    trace_context::ids(traceparent).map(|TraceIds { trace, parent }| (trace, parent))
}

/// Whether a request head is of a version of HTTP that is neither 1.0 nor 1.1.
#[must_use]
pub fn is_other_http_version(head: &[u8]) -> bool {
    version::is_of_another_version(head)
}

/// The whole response of the private listener to a request with this head.
pub fn scrape(head: &[u8], metrics: impl FnOnce() -> String) -> String {
    scrape::answer(head, metrics)
}

/// The bound on the clock's error in microseconds, if two reads of ClockBound's segment prove one at `monotonic` of
/// `CLOCK_MONOTONIC`. `counter` is the processor's, at that time since 1970.
#[must_use]
pub fn clock_bound_error(
    first: &[u8],
    second: &[u8],
    monotonic: Duration,
    counter: Option<(u64, Duration)>,
) -> Option<u32> {
    let counter = counter.map(|(ticks, time)| CounterReading { before: time, ticks, after: time });
    match clock_bound::status(first, second, &ClockReadings { monotonic, counter }) {
        Ok(ClockStatus::Synchronized { max_error_micros }) => Some(max_error_micros),
        _ => None,
    }
}

/// The bound on the clock's error in microseconds, if the answer of the ECS task metadata endpoint states one: when it
/// comes, at that time since 1970, and so long after that.
#[must_use]
pub fn ecs_metadata_error(answer: &[u8], time: Duration, later: Duration) -> Option<(u32, Option<u32>)> {
    let now = UnixTime { seconds: time.as_secs(), nanos: time.subsec_nanos() };
    let drift = ClockDrift::in_answer(answer, now).ok()?;
    let micros = |status| match status {
        ClockStatus::Synchronized { max_error_micros } => Some(max_error_micros),
        ClockStatus::Unsynchronized | ClockStatus::Unknown => None,
    };
    Some((micros(drift.status_after(Duration::ZERO))?, micros(drift.status_after(later))))
}

/// The access log of the connection served by [`serve`].
#[derive(Debug)]
pub struct AccessLogLines(Arc<Mutex<Vec<u8>>>);

impl AccessLogLines {
    /// All lines that were written so far.
    #[must_use]
    pub fn read(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The limits that the targets serve with: the defaults.
const LIMITS: ClientLimits =
    ClientLimits { connections: 10, head_bytes: 16_384, headers: 100, head_seconds: 10, idle_seconds: 75 };

/// Serves one connection to its end, with the settings of hyper that the program has and the default limits.
pub fn serve<I: Read + Write + Unpin>(io: I) -> (impl Future<Output = ()>, AccessLogLines) {
    let service = Service::new();
    (service.serve(io, &LIMITS, |_| {}), service.lines)
}

/// What answers requests, and what it writes and counts.
struct Service {
    state: Arc<ServiceState>,
    counters: Arc<Counters>,
    access_log: Rc<AccessLog>,
    lines: AccessLogLines,
}

impl Service {
    fn new() -> Self {
        let state = Arc::new(ServiceState::new("01234567".to_owned(), ClockStatus::Unsynchronized, None));
        let (sender, lines) = LineSender::without_writer();
        let access_log = Rc::new(AccessLog::new(([127, 0, 0, 1], 1).into(), Rc::new(sender)));
        Self { state, counters: Arc::default(), access_log, lines: AccessLogLines(lines) }
    }

    /// Serves one connection by hyper, which shows each request to `observe` first.
    fn serve<I: Read + Write + Unpin, O: Fn(&Request<Incoming>)>(
        &self,
        io: I,
        limits: &ClientLimits,
        observe: O,
    ) -> impl Future<Output = ()> + use<I, O> {
        let handler = Handler::new(Arc::clone(&self.state), Arc::clone(&self.counters));
        let shared = Rc::new((handler, Rc::clone(&self.access_log)));
        let service = service_fn(move |mut request: Request<Incoming>| {
            observe(&request);
            let shared = Rc::clone(&shared);
            async move {
                let (handler, access_log) = &*shared;
                let has_content = match request_body::declared(&request) {
                    DeclaredContent::Undeclared => request_body::has_content(request.body_mut()).await,
                    declared => declared == DeclaredContent::Some,
                };
                let answer = handler.answer(&request, has_content, false);
                access_log.record(&request, &answer);
                access_log.complete(Duration::from_micros(1));
                Ok::<_, Infallible>(answer)
            }
        });
        let connection = connection::protocol(limits).serve_connection(io, service);
        async move {
            // Errors are the client's.
            let _ = connection.await;
        }
    }
}
