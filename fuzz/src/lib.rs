//! What the fuzz targets do: each gives any bytes to a parser, and says what must hold whatever they are.
//!
//! `nowd_*` is the service, `watch_*` the monitor, the rest the check. A target here is a plain function, so that `tests/seeds.rs` can call it
//! without a fuzzer.

mod check;
mod pure;
mod service;
mod watch;

pub use check::{
    age, certificate, head_repair, overrides, schedule, server_time, sntp_packet, target, time_pattern,
    time_text,
};
pub use pure::{drift, plan, vote};
pub use service::{
    nowd_clock_bound, nowd_coding, nowd_ecs_metadata, nowd_fast_path, nowd_host, nowd_query, nowd_request,
    nowd_request_line, nowd_scrape, nowd_trace, nowd_zone,
};
pub use watch::watch_config;

/// A message is one line, short, and moves nothing on a terminal, whatever is quoted in it.
fn assert_is_printable(message: &str, longest: usize) {
    assert!(!message.chars().any(char::is_control), "{message:?}");
    assert!(message.len() <= longest, "{} bytes: {message:?}", message.len());
}
