//! From a request to its answer.
//!
//! First [`Asked`] is read from the request, then the clock is read, once, and then the answer is written: so every
//! figure in an answer, its `Date` too, is of one instant, as late as can be.

pub(crate) mod now_document;

use std::cell::{RefCell, RefMut};
use std::io::Cursor;
use std::rc::Rc;
use std::sync::Arc;

use http_body_util::Full;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, DATE, HOST, HeaderName,
    HeaderValue, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{HeaderMap, Method, Request, Response, StatusCode, Version};
use jiff::tz::TimeZone;

use crate::clock::status::Status;
use crate::clock::text;
use crate::clock::{self, UnixTime};
use crate::http::host::{self, KnownHost};
use crate::http::problem::Problem;
use crate::http::time_zone;
use crate::metrics::{Counters, Event, Route};
use crate::page::Visit;
use crate::page::static_files::{self, NO_SNIFFING, Wanted};
use crate::readiness::State;
use crate::routes::now_document::Document;

const CLOSE: HeaderValue = HeaderValue::from_static("close");
const FIVE_SECONDS: HeaderValue = HeaderValue::from_static("5");
const GET_HEAD: HeaderValue = HeaderValue::from_static("GET, HEAD");
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");
const TIMING_ALLOW_ORIGIN: HeaderName = HeaderName::from_static("timing-allow-origin");
const HTTPSTIME: HeaderName = HeaderName::from_static("x-httpstime");

/// What is sent, in one piece: hyper copies it behind the head. It never leaves its thread, so its counter need not be
/// atomic.
pub(crate) type Body = Full<Cursor<Rc<[u8]>>>;

/// Answers the requests of one thread.
#[derive(Debug)]
pub(crate) struct Handler {
    state: Arc<State>,
    counters: Arc<Counters>,
    second: RefCell<Second>,
    known_host: KnownHost,
}

impl Handler {
    pub(crate) fn new(state: Arc<State>, counters: Arc<Counters>) -> Self {
        let second = RefCell::new(Second::new(0, state.clock.load(), &state.instance));
        Self { state, counters, second, known_host: KnownHost::default() }
    }

    /// The answer to a request; its body is not read. `is_extra` says that its connection is one too many.
    pub(crate) fn answer<B: hyper::body::Body>(
        &self,
        request: &Request<B>,
        is_extra: bool,
    ) -> Response<Body> {
        let route = route(request.uri().path());
        let has_body = !request.body().is_end_stream();
        let mut asked = asked(route, request, has_body, &self.known_host);
        if is_extra && !matches!(asked, Ok(Asked::Health | Asked::Readiness)) {
            self.counters.note(Event::TurnedAway);
            asked = Err(Problem::Full);
        }
        if has_body {
            self.counters.note(Event::BodyRefused);
        }
        // Nothing but writing the answer comes after this.
        let time = clock::now();
        let mut second = self.second(time.seconds);
        let mut response = match asked {
            Ok(asked) => self.write(asked, time, &mut second),
            Err(problem) => refusal(&problem, &second),
        };
        // After a body that is not read nobody can say where the next request begins.
        if has_body || is_extra || self.state.is_draining() {
            response.headers_mut().insert(CONNECTION, CLOSE);
        }
        self.counters.count(route, response.status());
        response
    }

    /// The answer to a head that could not be read, as it goes over the wire, and the length of its body.
    #[cold]
    pub(crate) fn refuse(&self, problem: &Problem) -> (Vec<u8>, usize) {
        let second = self.second(clock::now().seconds);
        let response = refusal(problem, &second);
        let (status, body) = (response.status(), problem.body());
        let mut bytes = format!("HTTP/1.1 {status}\r\n").into_bytes();
        for (name, value) in response.headers() {
            bytes.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        bytes.extend(format!("connection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len()).bytes());
        self.counters.note(match status {
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE | StatusCode::URI_TOO_LONG => Event::HeadTooLarge,
            StatusCode::HTTP_VERSION_NOT_SUPPORTED => Event::VersionRefused,
            _ => Event::HeadMalformed,
        });
        self.counters.count(Route::Other, status);
        (bytes, body.len())
    }

    fn write(&self, asked: Asked, time: UnixTime, second: &mut Second) -> Response<Body> {
        match asked {
            Asked::Now(None) => {
                let document = second.document.at(time.nanos);
                second.answer(document)
            }
            Asked::Now(Some(zone)) => {
                let mut document =
                    Document::new(time.seconds, Some(&zone), second.clock, &self.state.instance);
                second.answer(document.at(time.nanos))
            }
            Asked::WellKnownTime => {
                let mut response = second.answer([]);
                *response.status_mut() = StatusCode::NO_CONTENT;
                response.headers_mut().remove(CONTENT_TYPE);
                response.headers_mut().insert(HTTPSTIME, value(text::unix_time(time)));
                response
            }
            Asked::Options => {
                let mut response = second.answer([]);
                *response.status_mut() = StatusCode::NO_CONTENT;
                response.headers_mut().remove(CONTENT_TYPE);
                response.headers_mut().insert(ALLOW, GET_HEAD);
                response
            }
            Asked::Page(visit) => {
                let mut response =
                    second.answer(visit.page(time.seconds, second.clock, &self.state.instance));
                visit.describe(&mut response);
                response
            }
            Asked::File(wanted) => {
                let mut response = second.answer(wanted.body());
                wanted.describe(&mut response);
                response
            }
            Asked::Health => second.answer(*b"{\"status\":\"alive\"}\n"),
            Asked::Readiness => match self.state.readiness() {
                Ok(()) => second.answer(*b"{\"status\":\"ready\"}\n"),
                Err(reason) => refusal(&reason.into(), second),
            },
        }
    }

    /// What is the same for the whole of this second.
    fn second(&self, seconds: u64) -> RefMut<'_, Second> {
        let clock = self.state.clock.load();
        let mut second = self.second.borrow_mut();
        if second.seconds != seconds || second.clock != clock {
            *second = Second::new(seconds, clock, &self.state.instance);
        }
        second
    }
}

/// What answers of one second have in common.
#[derive(Debug)]
struct Second {
    seconds: u64,
    clock: Status,
    /// Of an answer in JSON. To copy them costs half of what it takes to insert them one by one.
    headers: HeaderMap,
    document: Document,
}

impl Second {
    fn new(seconds: u64, clock: Status, instance: &str) -> Self {
        let headers = HeaderMap::from_iter([
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
            (TIMING_ALLOW_ORIGIN, HeaderValue::from_static("*")),
            (DATE, value(text::http_date(seconds))),
        ]);
        Self { seconds, clock, headers, document: Document::new(seconds, None, clock, instance) }
    }

    /// 200, in JSON. Whatever is different about an answer is changed afterwards.
    fn answer(&self, body: impl Into<Rc<[u8]>>) -> Response<Body> {
        let mut response = Response::new(Full::new(Cursor::new(body.into())));
        *response.headers_mut() = self.headers.clone();
        response
    }
}

#[cold]
fn refusal(problem: &Problem, second: &Second) -> Response<Body> {
    let mut response = second.answer(problem.body().into_bytes());
    *response.status_mut() = problem.status();
    response.headers_mut().insert(CONTENT_TYPE, PROBLEM);
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, NO_SNIFFING);
    match problem {
        Problem::MethodNotAllowed { .. } => {
            response.headers_mut().insert(ALLOW, GET_HEAD);
        }
        Problem::Full => {
            response.headers_mut().insert(RETRY_AFTER, FIVE_SECONDS);
        }
        _ => {}
    }
    response
}

/// A header's value of text that is ours, and so has nothing in it that a header could not.
fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

/// A request that can be answered.
#[derive(Debug)]
enum Asked {
    Now(Option<TimeZone>),
    WellKnownTime,
    /// What is possible with the server as a whole.
    Options,
    // In boxes, because most requests are for `/now`, which would carry their size around.
    Page(Box<Visit>),
    File(Box<Wanted>),
    Health,
    Readiness,
}

fn route(path: &str) -> Route {
    match path {
        "/now" => Route::Now,
        "/.well-known/time" => Route::WellKnownTime,
        "/" => Route::Page,
        "/openapi.json" => Route::OpenApi,
        "/healthz" => Route::Health,
        "/readyz" => Route::Readiness,
        other if static_files::has_asset(other) => Route::Asset,
        _ => Route::Other,
    }
}

fn asked<B>(route: Route, request: &Request<B>, has_body: bool, known: &KnownHost) -> Result<Asked, Problem> {
    let headers = request.headers();
    let host = headers.get(HOST);
    // Where no header is repeated the host is not; to look for it a second time takes longer.
    let is_repeated = headers.len() != headers.keys_len() && headers.get_all(HOST).iter().nth(1).is_some();
    if is_repeated || (host.is_none() && request.version() == Version::HTTP_11) {
        return Err(Problem::Host);
    }
    if host.is_some_and(|host| !known.is_valid(host.as_bytes())) {
        return Err(Problem::HostSyntax);
    }
    // A target that names a host wins over the header (RFC 9112, section 3.2.2).
    let authority = request.uri().authority().map(hyper::http::uri::Authority::as_str);
    if authority.is_some_and(|authority| !host::is_valid(authority.as_bytes())) {
        return Err(Problem::HostSyntax);
    }
    if route == Route::Other {
        return elsewhere(request.method(), request.uri().path());
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return Err(refused_method(request.method()));
    }
    if has_body {
        return Err(Problem::Body);
    }
    Ok(match route {
        Route::Now => Asked::Now(match request.uri().query() {
            None => None,
            Some(query) => time_zone::in_query(query)?,
        }),
        Route::WellKnownTime => Asked::WellKnownTime,
        Route::Page => {
            let host = authority.or(host.and_then(|host| host.to_str().ok())).unwrap_or_default();
            let zone = request.uri().query().map_or(Ok(None), time_zone::in_query);
            Asked::Page(Box::new(Visit::new(headers, host, zone)))
        }
        Route::Asset => match Wanted::asset(request.uri().path(), headers) {
            Some(wanted) => Asked::File(Box::new(wanted)),
            None => return Err(Problem::NotFound { path: request.uri().path().into() }),
        },
        Route::OpenApi => Asked::File(Box::new(Wanted::description(headers))),
        Route::Health => Asked::Health,
        Route::Readiness | Route::Other => Asked::Readiness,
    })
}

/// What is asked of no route of ours.
#[cold]
fn elsewhere(method: &Method, path: &str) -> Result<Asked, Problem> {
    match path {
        "*" if method == Method::OPTIONS => Ok(Asked::Options),
        // A tunnel; its target has no path.
        _ if method == Method::CONNECT => Err(refused_method(method)),
        "*" | "" => Err(Problem::Target),
        other => Err(Problem::NotFound { path: other.into() }),
    }
}

/// Of a method that is neither GET nor HEAD. Of one that nobody knows too, for which 501 would be usual (RFC 9110, section
/// 9.1): no stranger is to ring the alarm that balancers give on errors of the server.
#[cold]
fn refused_method(method: &Method) -> Problem {
    Problem::MethodNotAllowed { method: method.to_string() }
}
