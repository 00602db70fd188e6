//! A request that brought no whole answer.

use super::FailureKind;

/// Why no whole answer came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeFault {
    /// What came is not HTTP.
    #[error("the answer is not HTTP ({error}); it begins with: {start}")]
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
    #[error("the connection ended after {received} of the {announced} bytes that Content-Length announces")]
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
    #[error("this machine stopped the connection ({error})")]
    Local {
        /// The system's words.
        error: String,
    },
}

impl ExchangeFault {
    pub(super) fn kind(&self) -> FailureKind {
        match self {
            Self::NotHttp { .. } | Self::SpeaksTls => FailureKind::Protocol,
            Self::Closed { .. } | Self::TooShort { .. } => FailureKind::Closed,
            Self::Silent | Self::Unfinished => FailureKind::Timeout,
            Self::Local { .. } => FailureKind::Local,
        }
    }
}
