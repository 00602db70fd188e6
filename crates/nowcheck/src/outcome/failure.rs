//! What can go wrong with one request: in which phase, and why.
//!
//! The errors state facts. What a user can set to change them is known to the report, which is told how the settings
//! are called.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use http::StatusCode;

use super::certificate::{CertificateFault, ClockSuspect};
use super::not_a_time::NotATime;
use crate::target::masked;
use crate::text::figures::length;
use crate::text::printable;

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
        "the program was not let run until {} after its time was over (a pause, or far too much load)",
        length(*late)
    )]
    Paused {
        /// How long after.
        late: Duration,
    },
    /// Nothing came, but there was too little time to call that silence.
    #[error("{0}, but there was too little time left to tell")]
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

/// Why a name gave no address. The texts are the resolver's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameFault {
    /// The DNS says that there is no such name (NXDOMAIN).
    NotFound,
    /// The name exists, but has no address.
    NoAddress,
    /// The name servers answer with a failure (SERVFAIL and the like) or cannot be reached: the system tells neither
    /// from the other.
    ServerFailure(String),
    /// The DNS did not answer; for this record, if one was asked for.
    Silent(Option<&'static str>),
    /// This machine cannot ask: no free descriptor, no memory.
    Local(String),
    /// It is an address with a zone, and this machine has no such interface.
    UnknownZone {
        /// As it was typed.
        zone: String,
    },
    /// It has addresses, but none of the only IP version that is to be checked.
    OtherVersion {
        /// The version that is to be checked.
        wanted: &'static str,
        /// Its addresses.
        has: Vec<IpAddr>,
    },
}

impl NameFault {
    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::NotFound | Self::NoAddress => FailureKind::NoSuchName,
            Self::ServerFailure(_) => FailureKind::DnsFailure,
            Self::Silent(_) => FailureKind::Timeout,
            Self::Local(_) | Self::UnknownZone { .. } | Self::OtherVersion { .. } => FailureKind::Local,
        }
    }

    fn sentence(&self, name: &str) -> String {
        match self {
            Self::NotFound => format!("this machine's resolver finds no name {name}"),
            Self::NoAddress => format!("this machine's resolver finds no address of {name}"),
            Self::ServerFailure(error) => format!(
                "this machine could not resolve {name} ({error}): its name servers answer with a failure, or \
                 cannot be reached"
            ),
            Self::Silent(None) => format!("the DNS gave no usable answer for {name}"),
            Self::Silent(Some(record)) => format!("the DNS gave no answer for {name} ({record})"),
            Self::Local(error) => format!("this machine cannot resolve {name} ({error})"),
            Self::UnknownZone { zone } => format!(
                "{name}%{zone} cannot be used: this machine has no interface `{zone}`, or the address is not \
                 a link-local one"
            ),
            Self::OtherVersion { wanted, has } => {
                let has: Vec<String> = has.iter().map(ToString::to_string).collect();
                format!(
                    "{name} has no {wanted} address, and only those are checked; it has {}",
                    has.join(", ")
                )
            }
        }
    }
}

/// Why no connection could be opened. The texts are the system's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectionFault {
    /// Nothing listens there.
    Refused,
    /// This machine has no route to the address.
    NoRoute(String),
    /// It is a link-local address, and nothing says on which interface.
    NoZone,
    /// The network says that the host cannot be reached.
    Unreachable(String),
    /// Nothing answers.
    Silent,
    /// The other side ended the connection at once.
    Reset(String),
    /// This machine forbids the connection.
    Forbidden(String),
    /// This machine cannot open it for another reason.
    Failed(String),
    /// The HTTP library could not set it up.
    Setup(String),
}

impl ConnectionFault {
    fn kind(&self) -> FailureKind {
        match self {
            Self::Refused => FailureKind::Refused,
            Self::NoRoute(_) | Self::NoZone => FailureKind::NoRoute,
            Self::Unreachable(_) => FailureKind::Unreachable,
            Self::Silent => FailureKind::Timeout,
            Self::Reset(_) => FailureKind::Closed,
            Self::Forbidden(_) | Self::Failed(_) | Self::Setup(_) => FailureKind::Local,
        }
    }

    fn sentence(&self, address: SocketAddr) -> String {
        match self {
            Self::Refused => format!("nothing listens on {address} (connection refused)"),
            Self::NoRoute(error) => format!("this machine has no route to {address} ({error})"),
            Self::NoZone => format!("{address} is a link-local address, and no interface is given for it"),
            Self::Unreachable(error) => format!("the network cannot reach {address} ({error})"),
            Self::Silent => format!("{address} does not answer a connection attempt"),
            Self::Reset(error) => format!("{address} ended the connection at once ({error})"),
            Self::Forbidden(error) => format!("this machine forbids a connection to {address} ({error})"),
            Self::Failed(error) => format!("this machine cannot open a connection to {address} ({error})"),
            Self::Setup(error) => format!("the HTTP connection could not be set up: {error}"),
        }
    }
}

/// Why no TLS session could be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsFault {
    /// The certificate is not accepted.
    #[error("{fault}{}", suspect.as_ref().map(|suspect| format!("; {suspect}")).unwrap_or_default())]
    Certificate {
        /// What is wrong with it.
        fault: CertificateFault,
        /// If it is out of its validity: what is wrong more likely, the certificate or a clock.
        suspect: Option<ClockSuspect>,
    },
    /// The host cannot be the name in a certificate.
    #[error("`{host}` cannot be the name in a certificate")]
    InvalidName {
        /// As it stands in the URL.
        host: String,
    },
    /// What came is not TLS.
    #[error("what came is not TLS; if the server speaks plain HTTP, write http://")]
    NotTls,
    /// The port speaks plain HTTP.
    #[error("this port speaks plain HTTP, and not TLS: write http://")]
    SpeaksHttp,
    /// Server and client have nothing in common.
    #[error(
        "nowcheck cannot speak what this server offers (TLS 1.3, or TLS 1.2 with ECDHE and AES-GCM or \
         ChaCha20, is needed; {offer})"
    )]
    CannotSpeak {
        /// What is known of its offer.
        offer: String,
    },
    /// The server wants a client certificate, and there is none.
    #[error("the server wants a client certificate ({alert})")]
    WantsCertificate {
        /// What it says.
        alert: String,
    },
    /// The server does not accept the client certificate that it got.
    #[error("the server does not accept the client certificate ({alert})")]
    RefusesCertificate {
        /// What it says.
        alert: String,
    },
    /// The server has no certificate for the name that it was asked for.
    #[error("the server knows no {host} (unrecognized_name): its certificates are for other names")]
    UnknownName {
        /// As it stands in the URL.
        host: String,
    },
    /// The handshake failed.
    #[error("the TLS handshake failed: {error}")]
    Failed {
        /// The library's words.
        error: String,
    },
    /// The server ended the connection.
    #[error("the server ended the connection in the TLS handshake ({error})")]
    Closed {
        /// The system's words.
        error: String,
    },
    /// The server did not answer.
    #[error("the TLS handshake is not answered")]
    Silent,
    /// This machine refused to send or to receive.
    #[error("this machine refuses to go on with the TLS handshake ({error})")]
    Local {
        /// The system's words.
        error: String,
    },
}

impl TlsFault {
    /// The server wants another client certificate than it got.
    pub(crate) fn wants_certificate(has_identity: bool, alert: String) -> Self {
        if has_identity { Self::RefusesCertificate { alert } } else { Self::WantsCertificate { alert } }
    }

    fn kind(&self) -> FailureKind {
        match self {
            Self::Certificate { fault, .. } if fault.is_about_this_client() => FailureKind::Unsupported,
            Self::CannotSpeak { .. } => FailureKind::Unsupported,
            Self::WantsCertificate { .. } | Self::RefusesCertificate { .. } => FailureKind::ClientCertificate,
            Self::Certificate { .. } | Self::UnknownName { .. } => FailureKind::Certificate,
            Self::InvalidName { .. } | Self::NotTls | Self::SpeaksHttp | Self::Failed { .. } => {
                FailureKind::Protocol
            }
            Self::Closed { .. } => FailureKind::Closed,
            Self::Silent => FailureKind::Timeout,
            Self::Local { .. } => FailureKind::Local,
        }
    }
}

/// Why no whole answer came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeFault {
    /// What came is not HTTP.
    #[error("what came is not HTTP ({error}); it begins with: {start}")]
    NotHttp {
        /// The library's words.
        error: String,
        /// The start of it, made printable.
        start: String,
    },
    /// What came is TLS.
    #[error("this port speaks TLS, and not plain HTTP: write https://")]
    SpeaksTls,
    /// The server ended the connection.
    #[error(
        "the server {} the connection {}",
        if *was_reset { "reset" } else { "closed" },
        if *answer_began { "in the middle of its answer" } else { "without an answer" }
    )]
    Closed {
        /// By a reset, and not in good order.
        was_reset: bool,
        /// In the middle of its answer, and not before it.
        answer_began: bool,
    },
    /// The connection ended before the body was as long as its head says.
    #[error(
        "the connection ended after {received} of the {announced} bytes that the header Content-Length \
         announces"
    )]
    TooShort {
        /// Bytes that came.
        received: u64,
        /// Bytes that were announced.
        announced: u64,
    },
    /// No byte of an answer came.
    #[error("connected, but no answer came")]
    Silent,
    /// The answer did not end.
    #[error("the answer began, but did not end")]
    Unfinished,
    /// This machine refused to send or to receive: its firewall, a sandbox, or no memory.
    #[error("this machine refuses to go on with the connection ({error})")]
    Local {
        /// The system's words.
        error: String,
    },
}

impl ExchangeFault {
    fn kind(&self) -> FailureKind {
        match self {
            Self::NotHttp { .. } | Self::SpeaksTls => FailureKind::Protocol,
            Self::Closed { .. } | Self::TooShort { .. } => FailureKind::Closed,
            Self::Silent | Self::Unfinished => FailureKind::Timeout,
            Self::Local { .. } => FailureKind::Local,
        }
    }
}

/// A whole answer that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", problem.sentence(*status))]
pub struct AnswerFault {
    /// The HTTP status of the answer.
    pub status: StatusCode,
    /// Why it cannot be used.
    pub problem: AnswerProblem,
}

/// Why a whole answer cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnswerProblem {
    /// It is an error, which may say more of itself (RFC 9457; made printable).
    Status(Option<String>),
    /// It says in plain HTTP that its port is for TLS.
    WantsTls,
    /// It is a redirect that is not followed.
    Redirect {
        /// Where it points, as the server wrote it.
        location: Option<String>,
        /// If redirects are followed: how many at the most.
        limit: Option<u32>,
        /// Whether it leads back to a URL on the way to it.
        is_loop: bool,
    },
    /// It holds no time.
    NotATime {
        /// What is missing or wrong.
        why: NotATime,
        /// The start of its body, made printable.
        body_start: String,
        /// Whether the time was looked for in the body.
        is_about_body: bool,
    },
    /// It is larger than any time.
    TooLarge {
        /// The start of its body, made printable.
        body_start: String,
    },
}

impl AnswerProblem {
    fn kind(&self) -> FailureKind {
        match self {
            Self::Status(_) => FailureKind::Status,
            Self::WantsTls => FailureKind::Protocol,
            Self::Redirect { .. } => FailureKind::Redirect,
            Self::NotATime { .. } => FailureKind::NotATime,
            Self::TooLarge { .. } => FailureKind::TooLarge,
        }
    }

    fn sentence(&self, status: StatusCode) -> String {
        match self {
            Self::Status(None) => format!("it answered {status}"),
            Self::Status(Some(detail)) => format!("it answered {status}: {detail}"),
            Self::WantsTls => {
                format!("it answered {status}: this port speaks TLS, and not plain HTTP: write https://")
            }
            Self::Redirect { location, is_loop, .. } => {
                let back = if *is_loop { ", which leads in a circle" } else { "" };
                format!("it answered {status}, a redirect{}{back}", destination(location.as_deref()))
            }
            Self::NotATime { why, .. } => format!("the answer is not a time: {why}"),
            Self::TooLarge { body_start } => {
                format!("the answer is larger than 64 KiB, so it is not a time; it begins with: {body_start}")
            }
        }
    }
}

/// Where a redirect points, to stand behind the word.
fn destination(location: Option<&str>) -> String {
    location.map_or_else(
        || " without a target".to_owned(),
        |to| format!(" to {}", printable(masked(to).as_bytes(), 300)),
    )
}
