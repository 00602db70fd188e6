//! Why a request was not taken, and what to do. No sentence holds the host of the URL, which may be a secret.

use std::time::Duration;

use http::StatusCode;
use nowcheck::text::figures::limit;

use crate::config::UnusableSetting;

/// Why a request was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpFault {
    /// The name of the host has no address.
    #[error("the host of its URL cannot be resolved ({0}); check the URL and this machine's DNS")]
    Name(&'static str),
    /// No connection could be opened.
    #[error("no connection to its URL: {0}; does the receiver run there, and may this machine reach it?")]
    Connection(String),
    /// The certificate was not accepted.
    #[error("its certificate was not accepted: {0}")]
    Certificate(&'static str),
    /// TLS failed otherwise.
    #[error("TLS failed: {0}; is this a port for HTTPS?")]
    Tls(String),
    /// It was too slow.
    #[error(
        "it did not answer within {}; find out whether it is overloaded, or set a longer timeout",
        limit(*.0)
    )]
    Silent(Duration),
    /// The answer broke off, or is no HTTP.
    #[error("it sent no valid HTTP response ({0}); is this the right port and scheme?")]
    NoAnswer(&'static str),
    /// It points elsewhere.
    #[error(
        "it answered {0} and points to another URL, which is not followed; put the final URL into the configuration"
    )]
    Redirect(StatusCode),
    /// It answered with an error.
    #[error("it answered {status}{}; {}", quoted(excerpt.as_deref()), after_status(*status))]
    Status {
        /// The status.
        status: StatusCode,
        /// The beginning of the answer, if it may be shown.
        excerpt: Option<String>,
        /// The least pause that it asks for.
        retry_after: Option<Duration>,
    },
    /// A setting.
    #[error(transparent)]
    Setting(#[from] UnusableSetting),
}

impl HttpFault {
    /// Whether the same request would meet the same answer.
    #[must_use]
    pub fn is_rejection(&self) -> bool {
        match self {
            Self::Redirect(_) | Self::Setting(_) => true,
            Self::Status { status, .. } => {
                status.is_client_error()
                    && !matches!(*status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
            }
            _ => false,
        }
    }

    /// The least pause that the receiver asks for.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// What the other side said, after a colon.
pub(crate) fn quoted(excerpt: Option<&str>) -> String {
    excerpt.map(|excerpt| format!(": \"{excerpt}\"")).unwrap_or_default()
}

fn after_status(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 | 403 => "is the URL, or the secret in it, still valid?",
        404 | 405 | 410 => "does this URL still exist, and is it meant for such requests?",
        408 | 429 => "it asks for fewer messages; they are sent later",
        400..=499 => "does this type of alert fit the receiver?",
        _ => "look at the receiver's log",
    }
}
