//! The server's certificate: until when it is valid.

use clock_offset::{Span, UnixInstant};
use rustls::pki_types::CertificateDer;
use std::time::Duration;
use x509_cert::Certificate as X509;
use x509_cert::der::Decode;

/// What is told of a certificate. That it is trusted, the handshake has proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Certificate {
    /// The end of its validity (`notAfter`, RFC 5280 section 4.1.2.5).
    pub expires_at: UnixInstant,
}

/// Fewer days than this, and somebody should look whether it is renewed: authorities that renew by themselves do so
/// when a third of 90 days is left.
const SOON: Duration = Duration::from_hours(336);

impl Certificate {
    /// How long it is still valid, seen from `now`; negative afterwards.
    #[must_use]
    pub fn left(&self, now: UnixInstant) -> Span {
        self.expires_at - now
    }

    /// Whether it ends so soon that somebody should look.
    #[must_use]
    pub fn ends_soon(&self, now: UnixInstant) -> bool {
        self.left(now) < Span::from(SOON)
    }
}

/// Reads the certificate that a server showed; nothing when it is one that only the TLS library understands.
#[must_use]
pub fn read(der: &CertificateDer<'_>) -> Option<Certificate> {
    let certificate = X509::from_der(der).ok()?;
    let expires = certificate.tbs_certificate().validity().not_after.to_unix_duration();
    Some(Certificate { expires_at: UnixInstant::from_nanos(0) + Span::from(expires) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_says_nothing() {
        assert_eq!(read(&CertificateDer::from(vec![0x30, 0x03, 1, 2, 3])), None);
        assert_eq!(read(&CertificateDer::from(Vec::new())), None);
    }

    #[test]
    fn two_weeks_before_its_end_a_certificate_ends_soon() {
        let day = |days: i128| UnixInstant::from_nanos(days * 86_400_000_000_000);
        let certificate = Certificate { expires_at: day(100) };
        assert!(!certificate.ends_soon(day(86)));
        assert!(certificate.ends_soon(day(87)));
        assert!(certificate.ends_soon(day(101)));
    }
}
