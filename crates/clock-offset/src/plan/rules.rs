//! By which rules a round is held.

use core::num::NonZeroUsize;
use core::time::Duration;

use crate::time::{Drift, MonotonicInstant};
use crate::verdict::Limits;

/// The parameters of a round.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// How far the server's clock may be off.
    pub limits: Limits,
    /// How fast the server's and the checker's clock may run apart.
    pub drift: Drift,
    /// Requests on each connection, while the server keeps it open. At least 1.
    pub requests_per_connection: u32,
    /// The chance of having missed a backend that is accepted. Between 0 and 1, exclusive.
    pub miss_probability: f64,
    /// How many backends are known to be behind the address, if that is known. They are looked for until
    /// meeting all of them but one would have been unlikely.
    pub expected_backends: Option<NonZeroUsize>,
    /// The most requests that one round may make to one address.
    pub max_requests: u32,
    /// The most connections that are asked side by side. At least 1. [`MAX_CONNECTIONS`] is a good choice.
    pub max_connections: u32,
    /// No request starts after this instant, so that each one has enough time to be answered.
    pub last_start: MonotonicInstant,
}

/// How many connections a round asks side by side, unless the rules or the service say less. One backend needs eight at
/// a miss probability of 1 %, so opening them takes two round trips and not eight.
pub const MAX_CONNECTIONS: u32 = 8;

/// The factor by which [`Rules::miss_probability`] shrinks before expected backends are reported as missing.
pub const CERTAINTY: f64 = 0.000_1;

/// A new connection whose answer takes longer is asked once: time is better spent on others, which may lead to other
/// backends.
pub const SLOW: Duration = Duration::from_millis(300);
