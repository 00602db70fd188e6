//! Why a message was not delivered, and what to do. No sentence holds a secret, nor the host of a URL that is one.

use std::time::Duration;

use nowcheck::text::figures::limit;

use super::outbox::Setback;
use crate::config::UnusableSetting;
use crate::http_client::{HttpFault, quoted};

/// Why a message was not delivered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// What was asked by HTTP.
    #[error(transparent)]
    Http(#[from] HttpFault),
    /// The SMTP server, or the way to it.
    #[error(transparent)]
    Smtp(#[from] SmtpFault),
    /// The program.
    #[error(transparent)]
    Program(#[from] ProgramFault),
    /// A setting.
    #[error(transparent)]
    Setting(#[from] UnusableSetting),
    /// What was stored is no message.
    #[error("the stored message is damaged and cannot be sent")]
    Damaged,
    /// The alert was removed from the configuration.
    #[error("the configuration has no alert of this name any more, so its message is dropped")]
    NoReceiver,
    /// It is a day old.
    #[error("it could not be delivered for a day, so it is dropped; look at the receiver's earlier errors")]
    TooOld,
}

/// Why an e-mail was not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SmtpFault {
    /// A mailbox that cannot be read.
    #[error("{0} is no valid e-mail address; correct it in the configuration")]
    Address(&'static str),
    /// The server rejected something for good.
    #[error("the SMTP server rejected the message: {0}; check from, to, user and password")]
    Rejected(String),
    /// It accepted the message, but not for all recipients.
    #[error("the SMTP server did not accept the message for {0}; the others have it; check to")]
    LeftOut(String),
    /// It was too slow.
    #[error(
        "the SMTP server did not answer within {}; find out whether it is overloaded, or set a longer timeout",
        limit(*.0)
    )]
    Silent(Duration),
    /// The server says that it cannot now.
    #[error("the SMTP server is not ready: {0}")]
    Busy(String),
    /// The login failed.
    #[error("the SMTP server rejected the login: {0}; check user and password")]
    Login(String),
    /// It has no STARTTLS, so nothing was sent.
    #[error(
        "the SMTP server offers no STARTTLS, so nothing was sent; set tls = \"tls\" if the port speaks TLS \
         from the first byte (465), or tls = \"none\" if the network is trusted"
    )]
    NoStartTls,
    /// It speaks no TLS from the first byte.
    #[error(
        "the SMTP server speaks no TLS from the first byte, so nothing was sent; set tls = \"starttls\", or the port \
         that does (465)"
    )]
    NoTlsFromTheFirstByte,
    /// It has no way to log in that this program knows.
    #[error(
        "the SMTP server offers no login with PLAIN or LOGIN; leave out user, or use its submission port"
    )]
    NoLogin,
    /// The connection.
    #[error("no connection to the SMTP server: {0}; check server, and whether this machine may reach it")]
    Connection(String),
    /// TLS.
    #[error("TLS with the SMTP server failed: {0}; check tls, server and ca_file")]
    Tls(String),
}

/// Why a program did not deliver a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProgramFault {
    /// It is not there.
    #[error("there is no program {0}; correct command")]
    Missing(String),
    /// It may not be run.
    #[error("the program {0} may not be run; make it executable for the user of this service")]
    Forbidden(String),
    /// It could not be started.
    #[error("the program {0} could not be started: {1}")]
    NotStarted(String, String),
    /// It ran for too long.
    #[error(
        "the program ran for more than {} and was killed; make it faster, or set a longer timeout",
        limit(*.0)
    )]
    TooSlow(Duration),
    /// It failed.
    #[error("the program {ending}{}; run it by hand with the message on standard input", quoted(output.as_deref()))]
    Failed {
        /// How it ended: `exited with 1`.
        ending: String,
        /// The end of what it printed.
        output: Option<String>,
    },
}

impl Fault {
    /// When to try again.
    #[must_use]
    pub fn setback(&self) -> Setback {
        let is_rejected = match self {
            Self::Damaged | Self::Setting(_) => true,
            Self::Http(fault) => fault.is_rejection(),
            Self::Smtp(fault) => {
                matches!(fault, SmtpFault::Address(_) | SmtpFault::Rejected(_) | SmtpFault::Login(_))
            }
            _ => false,
        };
        let retry_after = match self {
            Self::Http(fault) => fault.retry_after(),
            _ => None,
        };
        Setback { is_rejected, retry_after }
    }
}
