//! What can go wrong with one request: in which phase, and why.
//!
//! The errors state facts. What a user can set to change them is known to the report, which is told how the settings
//! are called.

mod answer_fault;
mod connection_fault;
mod exchange_fault;
mod name_fault;
mod tls_fault;

use std::net::SocketAddr;
use std::time::Duration;

use super::Elsewhere;
use crate::text::figures::length;

pub use answer_fault::{AnswerFault, AnswerProblem};
pub use connection_fault::ConnectionFault;
pub use exchange_fault::ExchangeFault;
pub use name_fault::NameFault;
pub(crate) use name_fault::is_literal;
pub use tls_fault::TlsFault;

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
    /// As reports and the contract call it.
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

/// What kind of failure: one of a few, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The DNS says that there is no such name or address.
    NoSuchName,
    /// The DNS answers that it failed (SERVFAIL and the like), or cannot be reached.
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
    Certificate,
    /// What came is not HTTP, or not TLS.
    Protocol,
    /// An HTTP status other than success.
    Status,
    /// A redirect that is not followed.
    Redirect,
    /// The answer holds no time that could be read.
    NotATime,
    /// More than a time can need.
    TooLarge,
    /// What the server speaks, and this program does not.
    Unsupported,
    /// The server wants to know who asks, by a certificate.
    ClientCertificate,
    /// This machine has no route to the address, as one without IPv6 has none to an IPv6 address.
    NoRoute,
    /// Another fault on the checker's side: no DNS server, no free port, a firewall of its own.
    Local,
}

impl FailureKind {
    /// As the contract calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NoSuchName => "no_such_name",
            Self::DnsFailure => "dns_failure",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Closed => "closed",
            Self::Certificate => "certificate",
            Self::Protocol => "protocol",
            Self::Status => "status",
            Self::Redirect => "redirect",
            Self::NotATime => "not_a_time",
            Self::TooLarge => "too_large",
            Self::Unsupported => "unsupported",
            Self::ClientCertificate => "client_certificate",
            Self::NoRoute => "no_route",
            Self::Local => "local",
        }
    }
}

/// A request that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub struct Failure {
    /// In which phase.
    pub phase: Phase,
    /// What went wrong.
    pub cause: Cause,
    /// From the start of the phase to the failure.
    pub elapsed: Duration,
}

impl Failure {
    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        self.cause.kind()
    }

    /// Where or how the answer holds a time, if only what the user said about that does not fit.
    #[must_use]
    pub fn elsewhere(&self) -> Option<&Elsewhere> {
        match &self.answer()?.problem {
            AnswerProblem::NotATime { elsewhere, .. } => elsewhere.as_deref(),
            _ => None,
        }
    }

    /// Whether an answer holds times that contradict each other.
    #[must_use]
    pub fn is_contradiction(&self) -> bool {
        let problem = self.answer().map(|fault| &fault.problem);
        matches!(problem, Some(AnswerProblem::NotATime { why, .. }) if why.is_contradiction())
    }

    /// The answer that could not be used, if one came.
    #[must_use]
    pub fn answer(&self) -> Option<&AnswerFault> {
        match &self.cause {
            Cause::Answer(fault) => Some(fault),
            _ => None,
        }
    }
}

/// Why a request failed. As text it begins in lower case and ends without a full stop, to stand in a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// A name gave no address.
    #[error("{}", fault.sentence(name))]
    Name {
        /// As it stands in the URL or the reference.
        name: String,
        /// What the resolver says of it.
        fault: NameFault,
    },
    /// No connection could be opened.
    #[error("{}", fault.sentence(*address))]
    Connection {
        /// To which address.
        address: SocketAddr,
        /// What the system says of it.
        fault: ConnectionFault,
    },
    /// No TLS session could be opened.
    #[error(transparent)]
    Tls(TlsFault),
    /// No whole answer came.
    #[error(transparent)]
    Exchange(ExchangeFault),
    /// A whole answer came that cannot be used.
    #[error(transparent)]
    Answer(Box<AnswerFault>),
    /// This program was not allowed to run until long after its time was over.
    #[error(
        "this program could not run until {} after the timeout (a pause, or extreme load)",
        length(*late)
    )]
    Paused {
        /// How long after.
        late: Duration,
    },
    /// Nothing came, but there was too little time to call that silence.
    #[error("{0} within the time that was left")]
    TooLittleTime(Box<Cause>),
}

impl Cause {
    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::Name { fault, .. } => fault.kind(),
            Self::Connection { fault, .. } => fault.kind(),
            Self::Tls(fault) => fault.kind(),
            Self::Exchange(fault) => fault.kind(),
            Self::Answer(fault) => fault.problem.kind(),
            Self::Paused { .. } | Self::TooLittleTime(_) => FailureKind::Local,
        }
    }

    /// Whether a certificate is out of its validity by the clock that judged it.
    #[must_use]
    pub fn is_certificate_out_of_time(&self) -> bool {
        matches!(self, Self::Tls(TlsFault::Certificate { fault, .. }) if fault.breach().is_some())
    }
}
