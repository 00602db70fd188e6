//! A connection that could not be opened.

use std::net::SocketAddr;

use super::FailureKind;

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
    pub(super) fn kind(&self) -> FailureKind {
        match self {
            Self::Refused => FailureKind::Refused,
            Self::NoRoute(_) | Self::NoZone => FailureKind::NoRoute,
            Self::Unreachable(_) => FailureKind::Unreachable,
            Self::Silent => FailureKind::Timeout,
            Self::Reset(_) => FailureKind::Closed,
            Self::Forbidden(_) | Self::Failed(_) | Self::Setup(_) => FailureKind::Local,
        }
    }

    pub(super) fn sentence(&self, address: SocketAddr) -> String {
        match self {
            Self::Refused => format!("nothing listens on {address} (connection refused)"),
            Self::NoRoute(error) => format!("this machine has no route to {address} ({error})"),
            Self::NoZone => format!("{address} is a link-local address, and its interface is missing"),
            Self::Unreachable(error) => format!("the network cannot reach {address} ({error})"),
            Self::Silent => format!("{address} does not answer a connection attempt"),
            Self::Reset(error) => format!("{address} closed the connection at once ({error})"),
            Self::Forbidden(error) => format!("this machine forbids a connection to {address} ({error})"),
            Self::Failed(error) => format!("this machine cannot open a connection to {address} ({error})"),
            Self::Setup(error) => format!("the HTTP connection could not be set up: {error}"),
        }
    }
}
