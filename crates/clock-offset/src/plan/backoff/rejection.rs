//! What became of connections that were asked side by side, and in which way a service turned some of them away.

use core::ops::Range;
use core::time::Duration;

use crate::time::MonotonicInstant;

/// What became of the connections that were asked side by side, apart from the times in their answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The connections. At least one.
    pub connections: Range<u32>,
    /// When the first of them was opened or asked.
    pub began: MonotonicInstant,
    /// When the last of them was through.
    pub ended: MonotonicInstant,
    /// Whether other addresses of the service were asked at the same time: then not even one connection is alone.
    pub beside_others: bool,
    /// How those ended that the service turned away.
    pub rejections: Vec<Rejection>,
    /// How many answers came that could be used.
    pub answers: u32,
    /// The shortest time that an answer took. `None` when there was none, or none that can be relied on.
    pub fastest: Option<Duration>,
    /// The longest one, and not less than `fastest`.
    pub slowest: Option<Duration>,
}

/// A connection or a request that the service turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rejection {
    /// In which way.
    pub kind: RejectionKind,
    /// After what time the service wants to be asked again (`Retry-After`, RFC 9110 section 10.2.3).
    pub retry_after: Option<Duration>,
}

/// In which way a service turned something away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejectionKind {
    /// The connection was refused, reset or closed.
    Connection,
    /// The service says that it cannot answer now (503).
    Unavailable,
    /// Another failure that load can cause, as a gateway has when the server behind it takes no more connections (502), or
    /// an answer that was cut short. For a service that is asked alone it is an excuse for as long as a limit may last.
    Overload,
    /// The service says that it is asked too often (429). It is at work, then.
    TooManyRequests,
    /// No answer came while others were being answered. Asked alone, a service has until the end of the round.
    KeptWaiting,
    /// This machine lacked what a connection needs: a descriptor, a port, memory. The service was not asked.
    LocalShortage,
}

/// The first pause after a failure. A small device needs some milliseconds to get ready for the next connection, so it
/// stays between connections once some were turned away.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(25);

/// The first pause when the service says that it is asked too often.
const FIRST_PAUSE_WHEN_TOO_OFTEN: Duration = Duration::from_millis(250);

impl Rejection {
    /// Whether a broken backend may be the cause.
    pub(super) fn is_suspicious(self) -> bool {
        !matches!(self.kind, RejectionKind::TooManyRequests | RejectionKind::LocalShortage)
    }

    /// How long to wait after it when the service names no time.
    pub(super) fn first_pause(self) -> Duration {
        match self.kind {
            RejectionKind::TooManyRequests => FIRST_PAUSE_WHEN_TOO_OFTEN,
            _ => FIRST_PAUSE,
        }
    }
}
