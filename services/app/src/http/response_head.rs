//! The head of a response that is sent without hyper, in hyper's form.

use hyper::{HeaderMap, StatusCode};

/// From the status line to the empty line. `body_bytes` is the length of the body that follows.
pub(crate) fn bytes(status: StatusCode, headers: &HeaderMap, body_bytes: usize) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status}\r\n").into_bytes();
    for (name, value) in headers {
        head.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    head.extend(format!("content-length: {body_bytes}\r\n\r\n").bytes());
    head
}
