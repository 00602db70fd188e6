//! What a server proved its name with, or why it did not.

use std::fmt;

use clock_offset::{Span, UnixInstant};

use crate::text::figures::date_and_time;

/// A certificate that was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CertificateOutcome {
    /// The end of its validity.
    pub expires_at: UnixInstant,
    /// How far away that is by the reference; negative afterwards.
    pub left: Span,
}

/// Why a certificate is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateFault {
    /// It is out of its validity.
    #[error("the certificate {breach} (the time of this check: {})", date_and_time(*time))]
    OutOfTime {
        /// On which side.
        breach: ValidityBreach,
        /// By which time, in Unix seconds.
        time: u64,
    },
    /// It is for another name.
    #[error("the certificate is for another name{}", other_names(presented.as_deref(), host))]
    OtherName {
        /// The host that was asked for.
        host: String,
        /// The names in it, made printable, if they are known.
        presented: Option<Vec<String>>,
    },
    /// It is not signed by an authority that is trusted.
    #[error(
        "the certificate is not signed by an authority that this machine trusts: self-signed, or from a \
         private authority"
    )]
    UnknownAuthority,
    /// It is signed by its own key.
    #[error("the certificate is self-signed, and not one that this machine trusts")]
    SelfSigned,
    /// Its issuer is neither trusted nor among what the server sends.
    #[error(
        "the certificate is signed by {issuer}, whose certificate the server does not send and this machine \
         does not trust: an intermediate certificate is missing in the server's configuration, or it is a \
         private authority"
    )]
    MissingIntermediate {
        /// Its name, made printable.
        issuer: String,
    },
    /// The host is an address, and stands in it as a DNS name.
    #[error(
        "the certificate has the address {host} as a DNS name, where no client looks for it: create it again \
         with subjectAltName=IP:{host}"
    )]
    AddressAsName {
        /// The address.
        host: String,
    },
    /// Its RSA key is too short.
    #[error(
        "nowcheck cannot verify the certificate: its RSA key has {bits} bits, and at least 2048 are required"
    )]
    ShortKey {
        /// How many bits it has.
        bits: usize,
    },
    /// It is unlike anything that the TLS library can verify.
    #[error("nowcheck cannot verify the certificate: the TLS library does not know {error}")]
    CannotVerify {
        /// What that is, made printable.
        error: String,
    },
    /// It is marked as an authority's, and used as a server's.
    #[error(
        "nowcheck cannot verify the certificate: it is marked as an authority's but used by a server; create it \
         again with basicConstraints=critical,CA:FALSE"
    )]
    IsAuthority,
    /// It is signed by another kind of key than the trusted authority of that name has.
    #[error(
        "this machine trusts an authority of this name, but another kind of key signed the certificate: was the \
         authority renewed?"
    )]
    OtherAuthorityKey,
    /// The TLS library has another reason.
    #[error("the certificate is not accepted: {error}")]
    Other {
        /// Its words, made printable.
        error: String,
    },
}

impl CertificateFault {
    /// On which side it is out of its validity, if it is.
    #[must_use]
    pub fn breach(&self) -> Option<ValidityBreach> {
        match self {
            Self::OutOfTime { breach, .. } => Some(*breach),
            _ => None,
        }
    }
}

impl CertificateFault {
    /// Whether another client might accept it, because it is this one's library that cannot verify it.
    #[must_use]
    pub fn is_about_this_client(&self) -> bool {
        matches!(self, Self::ShortKey { .. } | Self::CannotVerify { .. } | Self::IsAuthority)
    }
}

fn other_names(presented: Option<&[String]>, host: &str) -> String {
    match presented {
        None => format!(", not for {host}"),
        Some([]) => format!(": it is for no name at all, not for {host}"),
        Some(names) => format!(": it is for {}, not for {host}", names.join(", ")),
    }
}

/// The end of a certificate's validity that the clock is beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValidityBreach {
    /// It ended earlier.
    Expired {
        /// The certificate's end of validity, in Unix seconds.
        not_after: u64,
    },
    /// It begins later.
    NotYetValid {
        /// The certificate's start of validity, in Unix seconds.
        not_before: u64,
    },
}

impl ValidityBreach {
    /// Whether a clock that shows `unix_seconds` would have found the certificate valid at this end.
    #[must_use]
    pub fn is_healed_by(self, unix_seconds: u64) -> bool {
        match self {
            Self::Expired { not_after } => unix_seconds <= not_after,
            Self::NotYetValid { not_before } => unix_seconds >= not_before,
        }
    }
}

impl fmt::Display for ValidityBreach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired { not_after } => write!(f, "expired on {}", date_and_time(*not_after)),
            Self::NotYetValid { not_before } => {
                write!(f, "is not valid before {}", date_and_time(*not_before))
            }
        }
    }
}

/// The clock by which a certificate was judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateClock {
    /// This machine's.
    ThisMachine,
    /// That of time servers.
    TimeServers,
}

impl fmt::Display for CertificateClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ThisMachine => "this machine's clock",
            Self::TimeServers => "the time servers' clock",
        })
    }
}

/// Why the judging clock is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Believed {
    /// It is synchronized.
    Synchronized,
    /// The user says that it is right.
    Trusted,
}

impl fmt::Display for Believed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Synchronized => "synchronized",
            Self::Trusted => "trusted by the user",
        })
    }
}

/// What is wrong more likely when a certificate is out of its validity: the certificate, or a clock. Times are in Unix
/// seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClockSuspect {
    /// Both clocks agree, so it is the certificate.
    #[error("both clocks agree on the date, so the certificate itself is the culprit: renew it")]
    Certificate,
    /// The judging clock is believed, and by the server's the certificate is valid.
    #[error(
        "the server's clock says {}, but {by} is {believed}: the certificate and the server's clock are \
         the likelier culprits",
        date_and_time(*server)
    )]
    CertificateAndServer {
        /// The judging clock.
        by: CertificateClock,
        /// Why it is believed.
        believed: Believed,
        /// What the server's clock says.
        server: u64,
    },
    /// Nothing vouches for the judging clock, and by the server's the certificate is valid.
    #[error(
        "{by} is the likelier culprit: its kernel reports no synchronization, and by the server's clock ({}) \
         the certificate is valid",
        date_and_time(*server)
    )]
    JudgingClock {
        /// The judging clock.
        by: CertificateClock,
        /// What the server's clock says.
        server: u64,
    },
    /// The certificate is not valid by either clock.
    #[error(
        "the certificate is not valid by the server's own clock either ({}): it is the likelier culprit, \
         though the two clocks disagree",
        date_and_time(*server)
    )]
    CertificateByBoth {
        /// What the server's clock says.
        server: u64,
    },
    /// The server's clock is not known, but the judging one is believed.
    #[error("{by} is {believed}: the certificate is the likelier culprit")]
    CertificateUnasked {
        /// The judging clock.
        by: CertificateClock,
        /// Why it is believed.
        believed: Believed,
    },
    /// Nothing is known of either clock.
    #[error(
        "{by} ({}) is not synchronized, and the server's could not be asked: check both",
        date_and_time(*local)
    )]
    Unknown {
        /// The judging clock.
        by: CertificateClock,
        /// What it says.
        local: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_inside_the_validity_heals_a_breach_and_one_outside_does_not() {
        assert!(ValidityBreach::Expired { not_after: 100 }.is_healed_by(100));
        assert!(!ValidityBreach::Expired { not_after: 100 }.is_healed_by(101));
        assert!(ValidityBreach::NotYetValid { not_before: 100 }.is_healed_by(100));
        assert!(!ValidityBreach::NotYetValid { not_before: 100 }.is_healed_by(99));
    }
}
