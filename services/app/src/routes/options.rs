//! Answers to `OPTIONS`: what is possible, and to a browser's preflight, what a script of another site may do (Fetch
//! Standard, section 3.3).
//!
//! Scripts of any site may read every answer, because none depends on who asks. A request to a private address is
//! another matter: a site that makes a browser ask the network behind it has to be let in there, and nowd lets none in
//! (`Access-Control-Request-Private-Network` gets no answer).

use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ALLOW, CONTENT_TYPE, HeaderName,
    HeaderValue, ORIGIN, VARY,
};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};

use crate::http::content_coding;

/// The methods of every route.
pub(crate) const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");

/// A day; browsers cut it down to what they allow.
const ONE_DAY: HeaderValue = HeaderValue::from_static("86400");
const ON_PREFLIGHT: HeaderValue =
    HeaderValue::from_static("Origin, Access-Control-Request-Method, Access-Control-Request-Headers");

/// Headers that are not allowed, though nowd ignores them: with credentials a script could try passwords on a proxy in
/// front of it.
const CREDENTIALS: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

/// A valid request with `OPTIONS`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Options {
    Plain,
    Preflight {
        /// The headers that the script may send, as a list; `None` if it asks for none.
        allowed_headers: Option<HeaderValue>,
    },
}

impl Options {
    /// What an `OPTIONS` request asks; `None` if the method is another one.
    #[cold]
    pub(crate) fn of<B>(request: &Request<B>) -> Option<Self> {
        let headers = request.headers();
        if request.method() != Method::OPTIONS {
            return None;
        }
        if !headers.contains_key(ORIGIN) || !headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
            return Some(Self::Plain);
        }
        Some(Self::Preflight { allowed_headers: allowed_headers(headers) })
    }

    /// Sets the status and the headers of the answer.
    #[cold]
    pub(crate) fn set_headers<B>(self, response: &mut Response<B>) {
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        headers.remove(CONTENT_TYPE);
        headers.insert(ALLOW, METHODS);
        headers.insert(VARY, ON_PREFLIGHT);
        if let Self::Preflight { allowed_headers } = self {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
            headers.insert(ACCESS_CONTROL_MAX_AGE, ONE_DAY);
            if let Some(allowed) = allowed_headers {
                headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed);
            }
        }
    }
}

/// The headers that are asked for, but for [`CREDENTIALS`] and what is no name of a header.
///
/// They are named one by one: to some browsers `*` is a name like any other.
fn allowed_headers(headers: &HeaderMap) -> Option<HeaderValue> {
    let names: Vec<String> = content_coding::list(headers, &ACCESS_CONTROL_REQUEST_HEADERS)
        .filter_map(|name| HeaderName::try_from(name).ok())
        .filter(|name| !CREDENTIALS.contains(&name.as_str()))
        .map(|name| name.as_str().to_owned())
        .collect();
    HeaderValue::try_from(names.join(", ")).ok().filter(|list| !list.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(method: &str, headers: &[(&str, &str)]) -> Option<Options> {
        let mut request = Request::builder().method(method);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Options::of(&request.body(()).unwrap())
    }

    const ORIGIN: (&str, &str) = ("origin", "https://a.example");
    const METHOD: (&str, &str) = ("access-control-request-method", "GET");

    #[test]
    fn only_a_request_with_both_headers_is_a_preflight() {
        assert_eq!(options("OPTIONS", &[]), Some(Options::Plain));
        assert_eq!(options("OPTIONS", &[ORIGIN]), Some(Options::Plain));
        assert_eq!(options("OPTIONS", &[METHOD]), Some(Options::Plain));
        assert_eq!(options("OPTIONS", &[ORIGIN, METHOD]), Some(Options::Preflight { allowed_headers: None }));
        assert_eq!(options("GET", &[ORIGIN, METHOD]), None);
        assert_eq!(options("options", &[ORIGIN, METHOD]), None);
    }

    #[test]
    fn every_header_is_allowed_but_for_credentials_and_what_is_none() {
        for (asked, allowed) in [
            ("traceparent", Some("traceparent")),
            ("Traceparent,tracestate , X-Request-Id", Some("traceparent, tracestate, x-request-id")),
            ("authorization", None),
            ("Authorization, traceparent, Cookie", Some("traceparent")),
            ("a b, c:d, \"e\", f", Some("f")),
            ("*", Some("*")),
            (" , ,", None),
            ("", None),
        ] {
            let asked = ("access-control-request-headers", asked);
            let expected = allowed.map(HeaderValue::from_static);
            assert_eq!(
                options("OPTIONS", &[ORIGIN, METHOD, asked]),
                Some(Options::Preflight { allowed_headers: expected }),
                "{asked:?}"
            );
        }
    }
}
