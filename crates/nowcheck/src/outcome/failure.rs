//! What can go wrong with one request, in which phase, in words that an engineer can act on.

use std::time::Duration;

/// The phases of a request, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// From the name to its addresses.
    Resolve,
    /// Opening the TCP connection.
    Connect,
    /// The TLS handshake.
    Tls,
    /// From the request to the first byte of the answer.
    Wait,
    /// From the first byte to the last.
    Transfer,
    /// An answer came whole, and is not what was asked for.
    Content,
}

impl Phase {
    /// Its name in reports and in the contract.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Wait => "wait",
            Self::Transfer => "transfer",
            Self::Content => "content",
        }
    }
}

/// What kind of failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// The DNS says that there is no such name or address.
    NoSuchName,
    /// The DNS answers that it failed (SERVFAIL and the like).
    DnsFailure,
    /// Nothing listens there.
    Refused,
    /// The network says that the host cannot be reached.
    Unreachable,
    /// No answer within the time that was given.
    Timeout,
    /// The other side closed or reset the connection.
    Closed,
    /// The certificate does not prove that this is the host that was asked for.
    Certificate {
        /// Because it is not valid at this time, by the clock that judges it.
        is_out_of_time: bool,
    },
    /// What came is not HTTP, or not TLS.
    Protocol,
    /// An HTTP status other than success.
    Status {
        /// The status.
        status: u16,
    },
    /// A redirect that is not followed.
    Redirect {
        /// The status.
        status: u16,
        /// Where it points, when it says so.
        location: Option<String>,
    },
    /// The answer holds no time that could be read.
    NotATime {
        /// The status.
        status: u16,
        /// The begin of what came, made printable.
        body_start: String,
    },
    /// More than a time can need.
    TooLarge {
        /// The status.
        status: u16,
        /// The begin of what came, made printable.
        body_start: String,
    },
    /// This machine has no route to the address, as one without IPv6 has none to an IPv6 address.
    NoRoute,
    /// Another fault on the checker's side: no DNS server, no free port, a firewall of its own.
    Local,
}

impl Kind {
    /// Its name in the contract.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::NoSuchName => "no_such_name",
            Self::DnsFailure => "dns_failure",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Closed => "closed",
            Self::Certificate { .. } => "certificate",
            Self::Protocol => "protocol",
            Self::Status { .. } => "status",
            Self::Redirect { .. } => "redirect",
            Self::NotATime { .. } => "not_a_time",
            Self::TooLarge { .. } => "too_large",
            Self::NoRoute => "no_route",
            Self::Local => "local",
        }
    }
}

/// A request that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// In which phase.
    pub phase: Phase,
    /// What kind.
    pub kind: Kind,
    /// In words; begins in lower case and ends without a full stop, to stand in a sentence.
    pub message: String,
    /// From the begin of the phase to the failure.
    pub elapsed: Duration,
}
