//! What is prepared once a second for each thread.

use std::io::Cursor;
use std::rc::Rc;

use http_body_util::Full;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, DATE, HeaderName, HeaderValue,
};
use hyper::{HeaderMap, Response};

use crate::clock::status::ClockStatus;
use crate::clock::text;
use crate::routes::Body;
use crate::routes::now_document::Document;

const TIMING_ALLOW_ORIGIN: HeaderName = HeaderName::from_static("timing-allow-origin");

/// What responses of one second have in common.
#[derive(Debug)]
pub(crate) struct SecondCache {
    pub(crate) seconds: u64,
    pub(crate) clock: ClockStatus,
    /// The headers of a JSON response. Cloning the map costs half as much as inserting one by one.
    pub(crate) headers: HeaderMap,
    pub(crate) document: Document,
}

impl SecondCache {
    pub(crate) fn new(seconds: u64, clock: ClockStatus, instance: &str) -> Self {
        let headers = HeaderMap::from_iter([
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
            (TIMING_ALLOW_ORIGIN, HeaderValue::from_static("*")),
            (DATE, header_value(text::http_date(seconds))),
        ]);
        Self { seconds, clock, headers, document: Document::new(seconds, None, clock, instance) }
    }

    /// 200, as JSON. Other responses change it afterwards.
    pub(crate) fn response(&self, body: impl Into<Rc<[u8]>>) -> Response<Body> {
        let mut response = Response::new(Full::new(Cursor::new(body.into())));
        *response.headers_mut() = self.headers.clone();
        response
    }
}

/// A header value of our own text, which is always valid.
pub(crate) fn header_value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}
