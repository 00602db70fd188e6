//! From a request to its response.
//!
//! The request is first parsed into an [`Operation`]. Then the clock is read, once, and the response is written. All
//! fields of a response, its `Date` too, are of that one instant, which is as late as possible.

pub(crate) mod now_document;
pub(crate) mod options;
pub(crate) mod rejection;
pub(crate) mod second_cache;

use std::cell::{RefCell, RefMut};
use std::io::Cursor;
use std::rc::Rc;
use std::sync::Arc;

use http_body_util::Full;
use hyper::header::{ACCESS_CONTROL_EXPOSE_HEADERS, CONNECTION, CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Request, Response, StatusCode, Version};
use jiff::tz::TimeZone;

use crate::clock::text;
use crate::clock::{self, UnixTime};
use crate::http::host::{self, HostCache};
use crate::http::problem::Problem;
use crate::http::response_head;
use crate::http::time_zone;
use crate::metrics::{CountedEvent, Counters, Route};
use crate::page::PageRequest;
use crate::page::static_files::{self, Representation};
use crate::readiness::ServiceState;
use crate::routes::now_document::Document;
use crate::routes::options::Options;
use crate::routes::rejection::ProblemForm;
use crate::routes::second_cache::{SecondCache, header_value};

const CLOSE: HeaderValue = HeaderValue::from_static("close");
/// Otherwise a script of another site could read neither.
const DATE_AND_HTTPSTIME: HeaderValue = HeaderValue::from_static("Date, X-HTTPSTIME");
const HTTPSTIME: HeaderName = HeaderName::from_static("x-httpstime");

/// The body of `/healthz`.
pub(crate) const ALIVE: &[u8; 19] = b"{\"status\":\"alive\"}\n";
/// The body of `/readyz`, if the process is ready.
pub(crate) const READY: &[u8; 19] = b"{\"status\":\"ready\"}\n";

/// A body in one piece, which hyper copies behind the head. It never leaves its thread, so its reference count need
/// not be atomic.
pub(crate) type Body = Full<Cursor<Rc<[u8]>>>;

/// Answers the requests of one thread.
#[derive(Debug)]
pub(crate) struct Handler {
    service_state: Arc<ServiceState>,
    counters: Arc<Counters>,
    second: RefCell<SecondCache>,
    host_cache: HostCache,
}

impl Handler {
    pub(crate) fn new(service_state: Arc<ServiceState>, counters: Arc<Counters>) -> Self {
        let second = RefCell::new(SecondCache::new(0, service_state.clock.load(), &service_state.instance));
        Self { service_state, counters, second, host_cache: HostCache::default() }
    }

    /// Answers a request. `has_body` says that it has content, which is not read; `is_reserved`, that its connection is
    /// over the limit.
    pub(crate) fn answer<B>(
        &self,
        request: &Request<B>,
        has_body: bool,
        is_reserved: bool,
    ) -> Response<Body> {
        let route = route(request.uri().path());
        let mut operation = operation(route, request, has_body, &self.host_cache);
        if is_reserved && !matches!(operation, Ok(Operation::Health | Operation::Readiness)) {
            self.counters.count_event(CountedEvent::TurnedAway);
            operation = Err(Problem::Full);
        }
        if has_body {
            self.counters.count_event(CountedEvent::BodyRefused);
        }
        // From here on there is only the response to write.
        let time = clock::now();
        let mut second = self.current_second(time.seconds);
        let mut response = match operation {
            Ok(operation) => self.write(operation, time, &mut second, request.headers()),
            Err(problem) => problem_response(&problem, ProblemForm::preferred(request.headers()), &second),
        };
        // After a body that is not read, the start of the next request is unknown.
        if has_body || is_reserved || self.service_state.is_draining() {
            response.headers_mut().insert(CONNECTION, CLOSE);
        }
        self.counters.count_response(route, response.status());
        response
    }

    /// The whole response to a head that could not be parsed, and the length of its body.
    #[cold]
    pub(crate) fn reject_head(&self, problem: &Problem, head: &[u8]) -> (Vec<u8>, usize) {
        let second = self.current_second(clock::now().seconds);
        let form = ProblemForm::preferred_in_head(head);
        let mut response = problem_response(problem, form, &second);
        let (status, body) = (response.status(), form.body(problem));
        response.headers_mut().insert(CONNECTION, CLOSE);
        let mut bytes = response_head::bytes(status, response.headers(), body.len());
        bytes.extend_from_slice(body.as_bytes());
        self.counters.count_event(match status {
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE | StatusCode::URI_TOO_LONG => {
                CountedEvent::HeadTooLarge
            }
            StatusCode::HTTP_VERSION_NOT_SUPPORTED => CountedEvent::VersionRefused,
            _ => CountedEvent::HeadMalformed,
        });
        self.counters.count_response(Route::Other, status);
        (bytes, body.len())
    }

    fn write(
        &self,
        operation: Operation,
        time: UnixTime,
        second: &mut SecondCache,
        headers: &HeaderMap,
    ) -> Response<Body> {
        match operation {
            Operation::Now(None) => {
                let document = second.document.at(time.nanos);
                second.response(document)
            }
            Operation::Now(Some(zone)) => {
                let mut document =
                    Document::new(time.seconds, Some(&zone), second.clock, &self.service_state.instance);
                second.response(document.at(time.nanos))
            }
            Operation::WellKnownTime => {
                let mut response = second.response([]);
                *response.status_mut() = StatusCode::NO_CONTENT;
                response.headers_mut().remove(CONTENT_TYPE);
                response.headers_mut().insert(HTTPSTIME, header_value(text::unix_time(time)));
                response.headers_mut().insert(ACCESS_CONTROL_EXPOSE_HEADERS, DATE_AND_HTTPSTIME);
                response
            }
            Operation::Options(options) => {
                let mut response = second.response([]);
                options.set_headers(&mut response);
                response
            }
            Operation::Page(page) => {
                let mut response =
                    second.response(page.page(time.seconds, second.clock, &self.service_state.instance));
                page.set_headers(&mut response);
                response
            }
            Operation::File(file) => {
                let mut response = second.response(file.body());
                file.set_headers(&mut response);
                response
            }
            Operation::Health => second.response(*ALIVE),
            Operation::Readiness => match self.service_state.readiness() {
                Ok(()) => second.response(*READY),
                Err(reason) => problem_response(&reason.into(), ProblemForm::preferred(headers), second),
            },
        }
    }

    /// What is the same for the whole current second.
    fn current_second(&self, seconds: u64) -> RefMut<'_, SecondCache> {
        let clock = self.service_state.clock.load();
        let mut second = self.second.borrow_mut();
        if second.seconds != seconds || second.clock != clock {
            *second = SecondCache::new(seconds, clock, &self.service_state.instance);
        }
        second
    }
}

#[cold]
fn problem_response(problem: &Problem, form: ProblemForm, second: &SecondCache) -> Response<Body> {
    let mut response = second.response(form.body(problem).into_bytes());
    form.set_headers(problem, &mut response);
    response
}

/// A valid request.
#[derive(Debug)]
enum Operation {
    Now(Option<TimeZone>),
    WellKnownTime,
    // Boxed, because most requests are for `/now`, which would carry their size around.
    Options(Box<Options>),
    Page(Box<PageRequest>),
    File(Box<Representation>),
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

fn operation<B>(
    route: Route,
    request: &Request<B>,
    has_body: bool,
    hosts: &HostCache,
) -> Result<Operation, Problem> {
    let headers = request.headers();
    let host = headers.get(HOST);
    // Without any repeated header there is no second host, and that check is cheaper.
    let is_repeated = headers.len() != headers.keys_len() && headers.get_all(HOST).iter().nth(1).is_some();
    if is_repeated || (host.is_none() && request.version() == Version::HTTP_11) {
        return Err(Problem::Host);
    }
    if host.is_some_and(|host| !hosts.is_valid(host.as_bytes())) {
        return Err(Problem::HostSyntax);
    }
    // A host in the target wins over the header (RFC 9112, section 3.2.2).
    let authority = request.uri().authority().map(hyper::http::uri::Authority::as_str);
    if authority.is_some_and(|authority| !host::is_valid(authority.as_bytes())) {
        return Err(Problem::HostSyntax);
    }
    if route == Route::Other {
        return operation_elsewhere(request, has_body);
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return operation_of_other_method(request, has_body);
    }
    if has_body {
        return Err(Problem::Body);
    }
    Ok(match route {
        Route::Now => Operation::Now(match request.uri().query() {
            None => None,
            Some(query) => time_zone::in_query(query)?,
        }),
        Route::WellKnownTime => Operation::WellKnownTime,
        Route::Page => {
            let host = authority.or(host.and_then(|host| host.to_str().ok())).unwrap_or_default();
            let zone = request.uri().query().map_or(Ok(None), time_zone::in_query);
            Operation::Page(Box::new(PageRequest::new(headers, host, zone)))
        }
        Route::Asset => match Representation::asset(request.uri().path(), headers) {
            Some(file) => Operation::File(Box::new(file)),
            None => return Err(Problem::NotFound { path: request.uri().path().into() }),
        },
        Route::OpenApi => Operation::File(Box::new(Representation::description(headers))),
        Route::Health => Operation::Health,
        Route::Readiness | Route::Other => Operation::Readiness,
    })
}

/// A request to a path without a route.
#[cold]
fn operation_elsewhere<B>(request: &Request<B>, has_body: bool) -> Result<Operation, Problem> {
    // A tunnel, whose target has no path.
    if request.method() == Method::CONNECT {
        return Err(method_not_allowed(request.method()));
    }
    match (request.uri().path(), Options::of(request)) {
        // A script may learn that there is nothing, as it may read every other answer.
        ("*", Some(_)) | (_, Some(Options::Preflight { .. })) => operation_of_other_method(request, has_body),
        ("*" | "", _) => Err(Problem::Target),
        (other, _) => Err(Problem::NotFound { path: other.into() }),
    }
}

/// A request with a method that is neither GET nor HEAD.
#[cold]
fn operation_of_other_method<B>(request: &Request<B>, has_body: bool) -> Result<Operation, Problem> {
    match Options::of(request) {
        None => Err(method_not_allowed(request.method())),
        Some(_) if has_body => Err(Problem::Body),
        Some(options) => Ok(Operation::Options(Box::new(options))),
    }
}

/// For a method that no route has, also one that does not exist. RFC 9110 (section 9.1) suggests 501 for that; but
/// clients must not be able to trigger the alarms of load balancers on server errors.
#[cold]
fn method_not_allowed(method: &Method) -> Problem {
    Problem::MethodNotAllowed { method: method.to_string() }
}
