//! What the plan tells its caller to do.

use crate::time::MonotonicInstant;

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Open new connections side by side, and send requests over each.
    Open(NewConnections),
    /// Send one more request over a connection that is open.
    Ask {
        /// The connection. Connections are counted from 0 in the order in which they were opened.
        connection: u32,
        /// When to send the request; at once, when this instant has passed.
        at: MonotonicInstant,
    },
    /// The round is over for this address.
    Stop(StopReason),
}

/// Connections to open side by side.
///
/// The first request over each is sent at one instant. The others follow one after the other, while the
/// server keeps the connection open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewConnections {
    /// How many connections. At least 1.
    pub count: u32,
    /// How many requests over each. At least 1.
    pub requests: u32,
    /// When the first request is sent; at once, when this instant has passed.
    pub at: MonotonicInstant,
    /// Whether they stay open for further requests. Connections that only explore are closed: a server that
    /// serves one connection at a time could not answer the next one.
    pub keep: bool,
}

/// Why a round is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// There is a verdict on every backend that was met, and it is unlikely that one was missed.
    Decided,
    /// The clock stands still, and further answers would repeat the same reading.
    Standstill,
    /// The answers cannot be readings of clocks, however many are asked for.
    NotAClock,
    /// The last requests did not narrow the interval: the path is too slow for the limit.
    NoProgress,
    /// No answer could decide, because the reference is not known well enough or the answers may lag too
    /// much.
    Undecidable,
    /// [`Rules::max_requests`](super::Rules::max_requests) are spent.
    RequestsSpent,
    /// [`Rules::last_start`](super::Rules::last_start) has passed.
    OutOfTime,
    /// The service failed when it was asked alone, and gentleness did not help.
    Rejected,
    /// The service answered, and then rejected what came until [`Rules::last_start`](super::Rules::last_start), as a limit on the rate of requests
    /// does.
    Limited,
}
