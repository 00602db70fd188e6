//! What the fuzz targets do: each gives any bytes to a parser, and says what must hold whatever they are.
//!
//! `nowd_*` is the service, the rest the check. A target here is a plain function, so that `tests/seeds.rs` can call it
//! without a fuzzer.

#![allow(dead_code, reason = "only parts of nowd's files are of interest here")]

mod check;
mod pure;
mod service;

pub use check::{age, certificate, overrides, schedule, server_time, sntp_packet, target, time_text};
pub use pure::{plan, vote};
pub use service::{
    nowd_clock_bound, nowd_coding, nowd_host, nowd_query, nowd_request, nowd_request_line, nowd_scrape,
    nowd_trace, nowd_zone,
};

// nowd's files, under the names by which they know each other; `output`, which owns a thread, is replaced.
#[path = "../../services/app/src/access_log.rs"]
mod access_log;
#[path = "../../services/app/src/clock.rs"]
mod clock;
#[path = "../../services/app/src/clock_bound.rs"]
mod clock_bound;
#[path = "../../services/app/src/clock_status.rs"]
mod clock_status;
#[path = "../../services/app/src/coding.rs"]
mod coding;
#[path = "../../services/app/src/counter.rs"]
mod counter;
#[path = "../../services/app/src/files.rs"]
mod files;
#[path = "../../services/app/src/gzip.rs"]
mod gzip;
#[path = "../../services/app/src/host.rs"]
mod host;
#[path = "../../services/app/src/latency.rs"]
mod latency;
#[path = "../../services/app/src/metrics.rs"]
mod metrics;
#[path = "../../services/app/src/now.rs"]
mod now;
mod output;
#[path = "../../services/app/src/page.rs"]
mod page;
#[path = "../../services/app/src/problem.rs"]
mod problem;
#[path = "../../services/app/src/query.rs"]
mod query;
#[path = "../../services/app/src/request_line.rs"]
mod request_line;
#[path = "../../services/app/src/routes.rs"]
mod routes;
#[path = "../../services/app/src/scrape.rs"]
mod scrape;
#[path = "../../services/app/src/seats.rs"]
mod seats;
#[path = "../../services/app/src/state.rs"]
mod state;
#[path = "../../services/app/src/system.rs"]
mod system;
#[path = "../../services/app/src/trace_context.rs"]
mod trace_context;
#[path = "../../services/app/src/trust.rs"]
mod trust;

// A file of nowcheck that is for its neighbor alone.
#[path = "../../crates/nowcheck/src/probe/sntp/packet.rs"]
mod packet;

/// A message is one line, short, and moves nothing on a terminal, whatever is quoted in it.
fn assert_is_printable(message: &str, longest: usize) {
    assert!(!message.chars().any(char::is_control), "{message:?}");
    assert!(message.len() <= longest, "{} bytes: {message:?}", message.len());
}
