//! The fast path beside hyper.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::fast_path::FastPath;
use crate::fuzzing::pipe::{Pipe, run_to_end};
use crate::fuzzing::{LIMITS, Service};
use crate::metrics::Totals;
use crate::settings::ClientLimits;

/// What answering requests leaves behind, without the times in it.
#[derive(Debug, Default, PartialEq)]
struct Traces {
    output: Vec<u8>,
    log: String,
    counts: String,
    /// For each request, whether it is plain.
    plain: Vec<bool>,
}

/// Gives `bytes` to the fast path and to hyper, with `--max-headers` set to `headers`. Returns how many requests the
/// fast path accepted.
///
/// # Errors
///
/// They answered, logged or counted something differently, or disagree about which requests are plain.
pub fn compare_with_hyper(bytes: &[u8], headers: usize) -> Result<usize, String> {
    let limits = ClientLimits { headers, ..LIMITS };
    let (fast, length) = by_fast_path(bytes, &limits);
    let accepted = fast.plain.len();
    let same = by_hyper(&bytes[..length], &limits);
    if fast != same {
        return Err(format!("fast path: {fast:?}\nhyper: {same:?}"));
    }
    // With what the fast path did not accept behind it.
    let all = by_hyper(bytes, &limits);
    if !all.output.starts_with(&fast.output) || !all.plain.starts_with(&fast.plain) {
        return Err(format!("fast path: {fast:?}\nhyper, with what follows: {all:?}"));
    }
    let rest = &bytes[length..];
    // hyper skips empty lines before a request, and fragments of targets.
    let is_usual = ["/now", "/healthz", "/readyz"]
        .iter()
        .any(|target| rest.starts_with(format!("GET {target} HTTP/1.1\r\n").as_bytes()));
    if is_usual && all.plain.get(accepted) == Some(&true) {
        return Err(format!("not accepted, but plain: {}", rest.escape_ascii()));
    }
    Ok(accepted)
}

/// The length of what was accepted, too.
fn by_fast_path(bytes: &[u8], limits: &ClientLimits) -> (Traces, usize) {
    let service = Service::new();
    let fast_path = FastPath::new(Arc::clone(&service.state), Arc::clone(&service.counters), limits);
    let (mut output, mut length, mut plain) = (Vec::new(), 0, Vec::new());
    while let Some(head) = fast_path.answer(&bytes[length..], &mut output, Some(&service.access_log)) {
        service.access_log.complete(Duration::from_micros(1));
        length += head;
        plain.push(true);
    }
    (service.traces(&output, plain), length)
}

fn by_hyper(bytes: &[u8], limits: &ClientLimits) -> Traces {
    let service = Service::new();
    let fast_path = FastPath::new(Arc::clone(&service.state), Arc::clone(&service.counters), limits);
    let (mut output, plain) = (Vec::new(), Rc::new(RefCell::new(Vec::new())));
    let observed = Rc::clone(&plain);
    let pipe = Pipe { input: bytes, size: bytes.len().max(1), output: &mut output };
    let served = service.serve(pipe, limits, move |request| {
        observed.borrow_mut().push(fast_path.would_answer(request));
    });
    run_to_end(served, bytes.len());
    service.traces(&output, plain.take())
}

impl Service {
    fn traces(&self, output: &[u8], plain: Vec<bool>) -> Traces {
        let lines = self.lines.read();
        Traces {
            output: without_times(output),
            log: String::from_utf8_lossy(&lines).lines().map(without_start_time).collect(),
            counts: Totals::of(&[Arc::clone(&self.counters)]).to_string(),
            plain,
        }
    }
}

/// A log line without the time at its start.
fn without_start_time(line: &str) -> &str {
    line.split_once(r#"","level""#).map_or(line, |(_, rest)| rest)
}

/// Responses without the values of `Date`, and with other digits in the document of `/now`.
fn without_times(output: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(output.len());
    for line in output.split_inclusive(|&byte| byte == b'\n') {
        if line.starts_with(b"date: ") {
            kept.extend_from_slice(b"date\r\n");
        } else if line.starts_with(br#"{"current_time":"#) {
            kept.extend(line.iter().map(|byte| if byte.is_ascii_digit() { b'0' } else { *byte }));
        } else {
            kept.extend_from_slice(line);
        }
    }
    kept
}
