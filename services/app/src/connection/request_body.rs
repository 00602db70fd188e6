//! Whether a request has content, where only reading shows it.
//!
//! Some gateways send a `GET` with `Transfer-Encoding: chunked` and no content. Its head looks like that of a request
//! with a body; the first chunk, of length zero, says that there is none (RFC 9112, section 7.1).

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::{Method, Request, Response};

use crate::routes::Body;

/// What a head says about the content of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeclaredContent {
    None,
    Some,
    /// It is chunked, and may be empty.
    Undeclared,
}

/// Reads the head alone.
pub(crate) fn declared<B: hyper::body::Body>(request: &Request<B>) -> DeclaredContent {
    if request.body().is_end_stream() {
        DeclaredContent::None
    } else if request.body().size_hint().exact().is_none() && has_route_method(request.method()) {
        DeclaredContent::Undeclared
    } else {
        DeclaredContent::Some
    }
}

/// Requests with any other method are rejected without a look at their content.
fn has_route_method(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS].contains(method)
}

/// Reads until the first byte of content, or the end. Chunk extensions and trailers are no content. A body that is
/// malformed or incomplete counts as content: where the next request starts is unknown either way.
#[cold]
pub(crate) async fn has_content(body: &mut Incoming) -> bool {
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) if frame.data_ref().is_none_or(hyper::body::Bytes::is_empty) => {}
            Ok(_) | Err(_) => return true,
        }
    }
    false
}

/// A response that is there at once, as nearly all are, or after the content was looked at.
pub(crate) enum ResponseFuture {
    Ready(Option<Response<Body>>),
    AfterBody(Pin<Box<dyn Future<Output = Response<Body>>>>),
}

impl Future for ResponseFuture {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Self::Ready(response) => {
                response.take().map_or(Poll::Pending, |response| Poll::Ready(Ok(response)))
            }
            Self::AfterBody(future) => future.as_mut().poll(cx).map(Ok),
        }
    }
}
