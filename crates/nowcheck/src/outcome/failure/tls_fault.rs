//! A TLS session that could not be opened.

use super::FailureKind;
use crate::outcome::certificate::{CertificateFault, ClockSuspect};

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
    #[error("the answer is not TLS; if the server speaks plain HTTP, write http://")]
    NotTls,
    /// The port speaks plain HTTP.
    #[error("this port speaks plain HTTP, and not TLS: write http://")]
    SpeaksHttp,
    /// Server and client have nothing in common.
    #[error(
        "nowcheck cannot speak what this server offers (TLS 1.3, or TLS 1.2 with ECDHE and AES-GCM or \
         ChaCha20, and one of the groups X25519, P-256 and P-384 are needed; {offer})"
    )]
    CannotSpeak {
        /// What is known of its offer.
        offer: String,
    },
    /// The server wants a client certificate, and there is none.
    #[error("the server requires a client certificate ({alert})")]
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
    #[error(
        "the server does not know the name {host} (unrecognized_name): its certificates are for other names"
    )]
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
    #[error("the server closed the connection during the TLS handshake ({error})")]
    Closed {
        /// The system's words.
        error: String,
    },
    /// The server did not answer.
    #[error("the server does not answer the TLS handshake")]
    Silent,
    /// This machine refused to send or to receive.
    #[error("this machine stopped the TLS handshake ({error})")]
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

    pub(super) fn kind(&self) -> FailureKind {
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
