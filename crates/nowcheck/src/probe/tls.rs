//! The TLS side of a connection: what is trusted, and a failed handshake in words.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use clock_offset::{BoundedTime, Drift, Span};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::clock::Clock;
use crate::probe::server_time::printable;
use crate::report::figures::date_and_time;

/// How TLS is spoken: with the authorities that this machine trusts, and those of `ca_file`. Where the machine
/// has no trust store of its own (a container from scratch), Mozilla's list, which is built in, takes its place.
///
/// # Errors
/// When the file cannot be read, or holds no certificate.
pub fn client_config(
    ca_file: Option<&Path>,
    time: &Arc<CertificateTime>,
) -> anyhow::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    // One unreadable certificate in the machine's store must not make the others useless.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    if let Some(path) = ca_file {
        let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect)
            .with_context(|| format!("--ca-file {}: cannot be read as PEM certificates", path.display()))?;
        if certificates.is_empty() {
            bail!("--ca-file {}: holds no certificate in PEM form", path.display());
        }
        for certificate in certificates {
            roots
                .add(certificate)
                .with_context(|| format!("--ca-file {}: a certificate in it is broken", path.display()))?;
        }
    }
    let time: Arc<dyn TimeProvider> = Arc::<CertificateTime>::clone(time);
    let config = ClientConfig::builder_with_details(provider(), time)
        .with_safe_default_protocol_versions()
        .context("TLS cannot be set up")?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(speaking_http1(config)))
}

/// TLS to anybody, for one purpose only: after a handshake failed because of a validity date, to ask the
/// server for its `Date`, which tells whose clock is the likelier culprit. Nothing else is said over it.
///
/// # Errors
/// When the library refuses its own defaults.
pub fn config_that_trusts_anybody() -> anyhow::Result<Arc<ClientConfig>> {
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .context("TLS cannot be set up")?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(TrustsAnybody(provider())))
        .with_no_client_auth();
    Ok(Arc::new(speaking_http1(config)))
}

/// The time by which certificates are judged: that of the round's reference. A certificate must not look expired
/// because this machine's clock is wrong, when time servers have told a better one.
#[derive(Debug, Default)]
pub struct CertificateTime(Mutex<Option<(Clock, BoundedTime)>>);

impl CertificateTime {
    /// From now on certificates are judged by this reference; without one, by this machine's clock.
    pub fn set(&self, clock: Clock, reference: Option<BoundedTime>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = reference.map(|bounds| (clock, bounds));
    }
}

impl TimeProvider for CertificateTime {
    fn current_time(&self) -> Option<UnixTime> {
        let Some((clock, reference)) = *self.0.lock().unwrap_or_else(PoisonError::into_inner) else {
            return DefaultTimeProvider.current_time();
        };
        let shows = reference.carried_to(clock.now(), Drift::from_ppm(0)).shows;
        let now = shows.earliest() + Span::from(shows.width() / 2);
        let seconds = u64::try_from(now.as_nanos() / 1_000_000_000).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn speaking_http1(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

/// The end of a certificate's validity that the local clock is beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValidityBreach {
    /// It ended before the local time. Unix seconds.
    Expired {
        /// The certificate's end of validity.
        not_after: u64,
    },
    /// It begins after the local time. Unix seconds.
    NotYetValid {
        /// The certificate's begin of validity.
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

/// What is wrong with a certificate, in words, and the validity breach if it is one.
#[must_use]
pub fn explain(host: &str, error: &CertificateError) -> (String, Option<ValidityBreach>) {
    match error {
        CertificateError::ExpiredContext { time, not_after } => (
            format!(
                "the certificate expired on {} (the time of this check: {})",
                date_and_time(not_after.as_secs()),
                date_and_time(time.as_secs())
            ),
            Some(ValidityBreach::Expired { not_after: not_after.as_secs() }),
        ),
        CertificateError::NotValidYetContext { time, not_before } => (
            format!(
                "the certificate is not valid before {} (the time of this check: {})",
                date_and_time(not_before.as_secs()),
                date_and_time(time.as_secs())
            ),
            Some(ValidityBreach::NotYetValid { not_before: not_before.as_secs() }),
        ),
        CertificateError::NotValidForNameContext { presented, .. } => {
            // The names come from the other side: they must not be able to write to a terminal.
            let names: Vec<String> =
                presented.iter().take(5).map(|name| printable(bare_name(name).as_bytes(), 80)).collect();
            let names = if names.is_empty() { "no name at all".to_owned() } else { names.join(", ") };
            (format!("the certificate is for another name: it is for {names}, not for {host}"), None)
        }
        CertificateError::NotValidForName => {
            (format!("the certificate is for another name, not for {host}"), None)
        }
        CertificateError::UnknownIssuer | CertificateError::BadSignature => (
            "the certificate is not signed by an authority that this machine trusts: self-signed, or from a \
             private authority (then name its certificate with --ca-file)"
                .to_owned(),
            None,
        ),
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => (
            "the certificate is self-signed and marked as an authority's, which no server's may be: make it anew with \
             -addext basicConstraints=critical,CA:FALSE, and name it with --ca-file"
                .to_owned(),
            None,
        ),
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => (
            "the certificate is signed by another kind of key than that of the authority of this name which this \
             machine trusts: was the authority renewed? (then name its certificate with --ca-file)"
                .to_owned(),
            None,
        ),
        other => (format!("the certificate is not accepted: {}", printable(other.to_string().as_bytes(), 200)), None),
    }
}

/// The library names what stands in a certificate as `DnsName("time.example")`.
fn bare_name(name: &str) -> &str {
    name.split_once('"').and_then(|(_, rest)| rest.split_once('"')).map_or(name, |(bare, _)| bare)
}

/// A verifier that looks at no certificate; see [`config_that_trusts_anybody`].
#[derive(Debug)]
struct TrustsAnybody(Arc<CryptoProvider>);

impl ServerCertVerifier for TrustsAnybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
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

    #[test]
    fn a_name_from_a_certificate_cannot_write_to_the_terminal() {
        let error = CertificateError::NotValidForNameContext {
            expected: ServerName::try_from("time.example").unwrap().to_owned(),
            presented: vec!["\u{1b}[2Jevil".to_owned()],
        };
        let (words, breach) = explain("time.example", &error);
        assert!(!words.contains('\u{1b}') && words.contains("time.example"), "{words}");
        assert_eq!(breach, None);
    }
}
