//! The access log (`--access-log`): a line of JSON on standard output for each request.
//!
//! Everything that a client sent is logged as a JSON string of plain ASCII. So it cannot end a line, add a field or
//! control a terminal.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use hyper::body::Body;
use hyper::{Method, Request, Response, StatusCode};

use crate::clock::text;
use crate::clock::{self, UnixTime};
use crate::logging::background_writer::LineSender;
use crate::logging::header_values::HeaderValues;
use crate::logging::trace_context;

/// The longest value of a header or target in the line, in bytes. The rest is cut off.
const MAX_VALUE_BYTES: usize = 1_024;

/// Headers that are logged unchanged: the name of the field, and that of the header.
const HEADERS: [(&str, &str); 8] = [
    ("forwarded_for", "x-forwarded-for"),
    ("forwarded_proto", "x-forwarded-proto"),
    ("forwarded_host", "x-forwarded-host"),
    ("forwarded_port", "x-forwarded-port"),
    ("user_agent", "user-agent"),
    ("request_id", "x-request-id"),
    ("amzn_trace_id", "x-amzn-trace-id"),
    ("tracestate", "tracestate"),
];

/// What a line says of a request and its response, besides headers.
pub(crate) struct LoggedExchange<'a> {
    pub(crate) method: &'a str,
    pub(crate) target: &'a str,
    pub(crate) status: StatusCode,
    /// The length of the body that is sent.
    pub(crate) body: u64,
}

/// The access log of one connection.
#[derive(Debug)]
pub(crate) struct AccessLog {
    client: SocketAddr,
    sender: Rc<LineSender>,
    /// Lines of responses that are not sent yet; their duration is missing.
    pending: RefCell<Vec<String>>,
}

impl AccessLog {
    pub(crate) fn new(client: SocketAddr, sender: Rc<LineSender>) -> Self {
        Self { client, sender, pending: RefCell::default() }
    }

    /// Starts the line of a request that has its response.
    #[cold]
    pub(crate) fn record<A, B: Body>(&self, request: &Request<A>, response: &Response<B>) {
        let body = response.body().size_hint().exact().filter(|_| request.method() != Method::HEAD);
        let exchange = LoggedExchange {
            method: request.method().as_str(),
            target: &request.uri().to_string(),
            status: response.status(),
            body: body.unwrap_or(0),
        };
        self.record_exchange(&exchange, request.headers());
    }

    /// Starts the line of a request with these headers that has its response.
    #[cold]
    pub(crate) fn record_exchange(
        &self,
        exchange: &LoggedExchange<'_>,
        headers: &(impl HeaderValues + ?Sized),
    ) {
        let mut line = start_line(clock::now(), self.client);
        push_text(&mut line, "method", exchange.method.as_bytes());
        push_text(&mut line, "target", exchange.target.as_bytes());
        push_answer(&mut line, exchange.status.as_u16(), exchange.body);
        push_headers(&mut line, headers);
        self.pending.borrow_mut().push(line);
    }

    /// Starts the line of a head that could not be parsed, of which nothing more is known.
    #[cold]
    pub(crate) fn record_rejected(&self, status: StatusCode, problem: &str, body: u64) {
        let mut line = start_line(clock::now(), self.client);
        push_answer(&mut line, status.as_u16(), body);
        push_text(&mut line, "problem", problem.as_bytes());
        self.pending.borrow_mut().push(line);
    }

    /// Writes the lines of all pending responses: the kernel has taken them, `took` after their requests arrived.
    #[cold]
    pub(crate) fn complete(&self, took: Duration) {
        self.end(&format!(",\"duration\":{:.6}}}\n", took.as_secs_f64()));
    }

    fn end(&self, end: &str) {
        for mut line in self.pending.borrow_mut().drain(..) {
            line.push_str(end);
            self.sender.write_line(line.as_bytes());
        }
    }
}

impl Drop for AccessLog {
    /// Responses that the client did not read are logged too.
    fn drop(&mut self) {
        self.end(",\"duration\":null}\n");
    }
}

fn start_line(time: UnixTime, client: SocketAddr) -> String {
    let mut line = String::with_capacity(512);
    // Writing to a String cannot fail.
    let _ = write!(
        line,
        r#"{{"time":"{}","level":"INFO","message":"request","client":"{client}""#,
        text::rfc3339_millis(time)
    );
    line
}

fn push_answer(line: &mut String, status: u16, body: u64) {
    let _ = write!(line, r#","status":{status},"bytes":{body}"#);
}

fn push_headers(line: &mut String, headers: &(impl HeaderValues + ?Sized)) {
    for (field, name) in HEADERS {
        let mut values = headers.values(name);
        if let Some(first) = values.next() {
            // Several lines of one header are equivalent to one with commas (RFC 9110, section 5.3).
            let mut all = first.to_vec();
            for next in values {
                all.extend_from_slice(b", ");
                all.extend_from_slice(next);
            }
            push_text(line, field, &all);
        }
    }
    if let Some(trace_context::TraceIds { trace, parent }) = trace_context::of(headers) {
        push_text(line, "trace_id", trace);
        push_text(line, "parent_id", parent);
    }
}

/// Appends `,"name":"value"` in plain ASCII. `name` needs no escaping.
fn push_text(line: &mut String, name: &str, value: &[u8]) {
    let _ = write!(line, r#","{name}":""#);
    let start = line.len();
    // A character takes at least one byte, so no more of them are needed.
    for character in String::from_utf8_lossy(&value[..value.len().min(MAX_VALUE_BYTES + 4)]).chars() {
        if line.len() - start >= MAX_VALUE_BYTES {
            line.push_str("\\u2026");
            break;
        }
        match character {
            '"' | '\\' => line.extend(['\\', character]),
            ' '..='~' => line.push(character),
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    let _ = write!(line, "\\u{unit:04x}");
                }
            }
        }
    }
    line.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_client_sends_becomes_one_string_of_plain_ascii() {
        for text in [
            "",
            "plain",
            "a\"b\\c",
            "\",\"status\":200}\n{\"",
            "\u{0}\r\n\u{1b}[2J\u{7f}",
            "é\u{9b}\u{202e}🕰",
        ] {
            let mut line = "{\"a\":0".to_owned();
            push_text(&mut line, "b", text.as_bytes());
            line.push('}');
            assert!(line.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{line:?}");
            let read: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert_eq!(read["b"], text);
        }
        let mut line = "{\"a\":0".to_owned();
        push_text(&mut line, "b", &[0xff; 5_000]);
        line.push('}');
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        // An invalid byte takes six bytes in the line, and so does the mark of a cut.
        assert_eq!(read["b"].as_str().unwrap().chars().count(), MAX_VALUE_BYTES.div_ceil(6) + 1);
        for (length, is_cut) in [(MAX_VALUE_BYTES, false), (MAX_VALUE_BYTES + 1, true)] {
            let mut line = String::new();
            push_text(&mut line, "b", &vec![b'x'; length]);
            assert_eq!(line.ends_with("x\\u2026\""), is_cut, "{length}");
        }
    }
}
