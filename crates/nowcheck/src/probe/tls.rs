//! The TLS side of a connection: what is trusted, and what is wrong with a certificate.

pub mod handshake;
pub mod identity;
mod p521;
mod pem;
mod verifier;
mod words;
mod x509;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clock_offset::{BoundedTime, Drift};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme,
};

use crate::clock::Clock;
use crate::outcome::{CertificateFault, ValidityBreach};
use crate::text::printable;

use identity::ClientIdentity;
use verifier::CertificateVerifier;
use words::plain;

/// Who is trusted, and what proves to a server who asks.
#[derive(Debug, Clone)]
pub struct Trust {
    roots: Arc<RootCertStore>,
    /// Certificates that the user trusts by themselves.
    given: Arc<[CertificateDer<'static>]>,
    identity: Option<ClientIdentity>,
    verifies: bool,
}

/// Why a file of certificates cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CaFileError {
    /// It cannot be read, or is no PEM.
    #[error("cannot be read as PEM certificates: {0}")]
    Unreadable(String),
    /// It is PEM without a certificate.
    #[error("holds no certificate in PEM form")]
    Empty,
    /// A certificate in it cannot be that of an authority.
    #[error("a certificate in it is broken: {0}")]
    Broken(String),
}

impl Trust {
    /// The authorities that this machine trusts. Where it has no trust store of its own (a container from scratch),
    /// Mozilla's list, which is built in, takes its place.
    #[must_use]
    pub fn of_this_machine() -> Self {
        Self {
            roots: Arc::new(roots_of_this_machine()),
            given: Arc::default(),
            identity: None,
            verifies: true,
        }
    }

    /// Shows this certificate to servers that the user named, if they ask for one.
    #[must_use]
    pub fn with_identity(self, identity: ClientIdentity) -> Self {
        Self { identity: Some(identity), ..self }
    }

    /// Accepts any certificate, so that whoever is on the way can answer.
    #[must_use]
    pub fn without_verification(self) -> Self {
        Self { verifies: false, ..self }
    }

    /// Whether certificates are verified.
    #[must_use]
    pub fn verifies(&self) -> bool {
        self.verifies
    }

    /// The certificates of the file, if one was read.
    #[must_use]
    pub fn given(&self) -> &[CertificateDer<'static>] {
        &self.given
    }

    /// What is shown to servers that the user named.
    #[must_use]
    pub fn identity(&self) -> Option<&ClientIdentity> {
        self.identity.as_ref()
    }

    /// Those, and the ones in a file: PEM, or one certificate in DER.
    ///
    /// # Errors
    /// When the file cannot be read, or holds no certificate.
    pub fn with_ca_file(path: &Path) -> Result<Self, CaFileError> {
        let given = pem::certificates(&pem::read(path)?)?;
        let mut roots = roots_of_this_machine();
        for certificate in &given {
            roots.add(certificate.clone()).map_err(|error| CaFileError::Broken(plain(&error.to_string())))?;
        }
        Ok(Self { roots: Arc::new(roots), given: given.into(), identity: None, verifies: true })
    }

    /// How TLS is spoken in one round, with certificates judged by `time`.
    ///
    /// # Panics
    /// Never: the provider has cipher suites for the default versions, and there is always an authority.
    #[must_use]
    pub fn client_config(&self, time: CertificateTime) -> Arc<ClientConfig> {
        let config = ClientConfig::builder_with_details(provider(), Arc::new(time))
            .with_safe_default_protocol_versions()
            .expect("the provider has cipher suites for the default versions")
            .dangerous()
            .with_custom_certificate_verifier(self.verifier())
            .with_no_client_auth();
        Arc::new(speaking_http1(config))
    }

    fn verifier(&self) -> Arc<dyn ServerCertVerifier> {
        if !self.verifies {
            return Arc::new(TrustsAnybody(provider()));
        }
        let chains = WebPkiServerVerifier::builder_with_provider(Arc::clone(&self.roots), provider()).build();
        let chains = chains.expect("this machine's authorities, or those that are built in, are there");
        Arc::new(CertificateVerifier { chains, given: Arc::clone(&self.given) })
    }
}

fn roots_of_this_machine() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    // One unreadable certificate in the machine's store must not make the others useless.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

/// TLS to anybody, for one purpose only: after a handshake failed because of a validity date, to ask the
/// server for its `Date`, which tells whose clock is the likelier culprit. Nothing else is said over it.
///
/// # Panics
/// Never: the provider has cipher suites for the default versions.
#[must_use]
pub fn config_that_trusts_anybody() -> Arc<ClientConfig> {
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("the provider has cipher suites for the default versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(TrustsAnybody(provider())))
        .with_no_client_auth();
    Arc::new(speaking_http1(config))
}

/// The time by which the certificates of one round are judged.
#[derive(Debug, Clone, Copy)]
pub enum CertificateTime {
    /// That of this machine's clock.
    ThisMachine,
    /// That of time servers: a certificate must not look expired because this machine's clock is wrong.
    Reference {
        /// What they agreed on.
        bounds: BoundedTime,
        /// The clock on which that is bounded.
        clock: Clock,
    },
}

impl TimeProvider for CertificateTime {
    fn current_time(&self) -> Option<UnixTime> {
        let Self::Reference { bounds, clock } = self else {
            return DefaultTimeProvider.current_time();
        };
        let shows = bounds.carried_to(clock.now(), Drift::from_ppm(0)).shows;
        let now = shows.midpoint();
        let seconds = u64::try_from(now.as_nanos() / 1_000_000_000).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        signature_verification_algorithms: p521::algorithms(),
        ..rustls::crypto::ring::default_provider()
    })
}

fn speaking_http1(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

/// What is wrong with a certificate.
#[must_use]
pub fn certificate_fault(host: &str, error: &CertificateError) -> CertificateFault {
    match error {
        CertificateError::ExpiredContext { time, not_after } => CertificateFault::OutOfTime {
            breach: ValidityBreach::Expired { not_after: not_after.as_secs() },
            time: time.as_secs(),
        },
        CertificateError::NotValidYetContext { time, not_before } => CertificateFault::OutOfTime {
            breach: ValidityBreach::NotYetValid { not_before: not_before.as_secs() },
            time: time.as_secs(),
        },
        CertificateError::NotValidForNameContext { presented, .. } => {
            // The names come from the other side: they must not be able to write to a terminal.
            let names = presented.iter().take(5).map(|name| printable(bare_name(name).as_bytes(), 80));
            CertificateFault::OtherName { host: host.to_owned(), presented: Some(names.collect()) }
        }
        CertificateError::NotValidForName => {
            CertificateFault::OtherName { host: host.to_owned(), presented: None }
        }
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            CertificateFault::UnknownAuthority
        }
        // What our own verifier found.
        CertificateError::Other(OtherError(other)) if other.is::<CertificateFault>() => {
            other.downcast_ref().cloned().unwrap_or(CertificateFault::UnknownAuthority)
        }
        CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            CertificateFault::OtherAuthorityKey
        }
        CertificateError::UnsupportedSignatureAlgorithmContext { .. } => {
            CertificateFault::CannotVerify { error: "the algorithm of its signature".to_owned() }
        }
        CertificateError::Other(other) => {
            let why = plain(&other.to_string());
            CertificateFault::CannotVerify {
                error: format!("how to read it ({})", printable(why.as_bytes(), 200)),
            }
        }
        CertificateError::BadEncoding => CertificateFault::Other { error: "it is damaged".to_owned() },
        CertificateError::Revoked => CertificateFault::Other { error: "it is revoked".to_owned() },
        CertificateError::UnhandledCriticalExtension => CertificateFault::CannotVerify {
            error: "one of its extensions, which is marked as critical".to_owned(),
        },
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            CertificateFault::Other { error: "it is not for servers (extended key usage)".to_owned() }
        }
        other => CertificateFault::Other { error: printable(plain(&other.to_string()).as_bytes(), 200) },
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
        let algorithms = &self.0.signature_verification_algorithms;
        or_by_a_short_key(verify_tls12_signature(message, certificate, signature, algorithms), certificate)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        or_by_a_short_key(verify_tls13_signature(message, certificate, signature, algorithms), certificate)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// The library verifies no signature of a key that is too short. Where no certificate is verified, none proves anything.
fn or_by_a_short_key(
    verified: Result<HandshakeSignatureValid, rustls::Error>,
    certificate: &CertificateDer<'_>,
) -> Result<HandshakeSignatureValid, rustls::Error> {
    verified.or_else(|error| {
        let is_short = x509::short_rsa_key(certificate).is_some();
        if is_short { Ok(HandshakeSignatureValid::assertion()) } else { Err(error) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_from_a_certificate_cannot_write_to_the_terminal() {
        let error = CertificateError::NotValidForNameContext {
            expected: ServerName::try_from("time.example").unwrap().to_owned(),
            presented: vec!["\u{1b}[2Jevil".to_owned()],
        };
        let fault = certificate_fault("time.example", &error);
        let words = fault.to_string();
        assert!(!words.contains('\u{1b}') && words.contains("time.example"), "{words}");
        assert_eq!(fault.breach(), None);
    }
}
