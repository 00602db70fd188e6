//! Responses, and what every one of them says for the safety of browsers.

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::channel::Channel;
use http_body_util::{Either, Full};
use maud::Markup;

use super::assets;

/// A response of the monitor: whole, or as long as there is something to send.
pub(super) type Reply = Response<Either<Full<Bytes>, Channel<Bytes>>>;

/// What is no page loads nothing and runs nothing.
const NOTHING: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// A body of this type.
pub(super) fn ok(content_type: &'static str, body: impl Into<Bytes>) -> Reply {
    with_status(StatusCode::OK, Some(content_type), body)
}

/// A page.
pub(super) fn page(status: StatusCode, page: Markup) -> Reply {
    let mut reply = with_status(status, Some("text/html; charset=utf-8"), page.into_string());
    reply.headers_mut().insert(CONTENT_SECURITY_POLICY, assets::POLICY.clone());
    reply
}

/// JSON.
pub(super) fn json(value: &impl serde::Serialize) -> Reply {
    match serde_json::to_vec(value) {
        Ok(body) => ok("application/json", body),
        Err(error) => {
            problem(StatusCode::INTERNAL_SERVER_ERROR, &format!("this cannot be written as JSON: {error}"))
        }
    }
}

/// Server-sent events, as they come. Proxies such as nginx would otherwise keep them back until there are many.
pub(super) fn events(body: Channel<Bytes>) -> Reply {
    let mut reply = with_body(StatusCode::OK, Some("text/event-stream"), Either::Right(body));
    reply.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    reply
}

/// A problem (RFC 9457).
pub(super) fn problem(status: StatusCode, detail: &str) -> Reply {
    let title = status.canonical_reason().unwrap_or_default();
    let body = serde_json::json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail });
    with_status(status, Some("application/problem+json"), body.to_string())
}

/// Another method is allowed here.
pub(super) fn method_not_allowed(allowed: &'static str) -> Reply {
    let mut reply = problem(StatusCode::METHOD_NOT_ALLOWED, &format!("use {allowed}"));
    reply.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    reply
}

/// A body of this type, if it has one.
pub(super) fn with_status(
    status: StatusCode,
    content_type: Option<&'static str>,
    body: impl Into<Bytes>,
) -> Reply {
    with_body(status, content_type, Either::Left(Full::new(body.into())))
}

fn with_body(
    status: StatusCode,
    content_type: Option<&'static str>,
    body: Either<Full<Bytes>, Channel<Bytes>>,
) -> Reply {
    let mut reply = Response::new(body);
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    if let Some(content_type) = content_type {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_SECURITY_POLICY, NOTHING);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_asked_not_to_keep_events_back() {
        assert_eq!(events(Channel::new(1).1).headers()["x-accel-buffering"], "no");
        assert!(!ok("text/plain", "").headers().contains_key("x-accel-buffering"));
    }
}
