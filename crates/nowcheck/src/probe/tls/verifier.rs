//! Which certificates are accepted: those of the library (webpki), and two more that curl accepts.
//!
//! 1. One that stands byte for byte in the file of authorities, if its name and validity match. webpki rejects it when it is
//!    marked as an authority's, as `openssl req -x509` marks it, or when its issuer is not known. Whoever put it there trusts it.
//! 2. One that has its name as the common name alone, without any subjectAltName (RFC 6125 section 6.4.4).

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, OtherError, SignatureScheme};

use super::x509;
use crate::outcome::CertificateFault;

/// See the module.
#[derive(Debug)]
pub(super) struct CertificateVerifier {
    /// Verifies chains of certificates.
    pub(super) chains: Arc<WebPkiServerVerifier>,
    /// What stands in the file of authorities.
    pub(super) given: Arc<[CertificateDer<'static>]>,
}

impl ServerCertVerifier for CertificateVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified =
            self.chains.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        let Err(rustls::Error::InvalidCertificate(error)) = verified else { return verified };
        match error {
            CertificateError::NotValidForNameContext { .. } | CertificateError::NotValidForName => {
                named(end_entity, server_name, error)
            }
            CertificateError::UnknownIssuer
            | CertificateError::BadSignature
            | CertificateError::Other(_)
            | CertificateError::UnsupportedSignatureAlgorithmContext { .. }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. }
                if self.given.iter().any(|given| given == end_entity) =>
            {
                verify_given(end_entity, server_name, now)
            }
            CertificateError::UnknownIssuer => Err(because(x509::untrusted(end_entity, intermediates))),
            CertificateError::Other(ref other) if other.to_string().contains("CaUsedAsEndEntity") => {
                Err(because(x509::authority(end_entity)))
            }
            other => Err(other.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let verified = self.chains.verify_tls12_signature(message, certificate, signature);
        verified.map_err(|error| with_its_key(error, certificate))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let verified = self.chains.verify_tls13_signature(message, certificate, signature);
        verified.map_err(|error| with_its_key(error, certificate))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
}

/// A certificate that is trusted by itself: only its name and its validity are left to look at.
fn verify_given(
    end_entity: &CertificateDer<'_>,
    server_name: &ServerName<'_>,
    now: UnixTime,
) -> Result<ServerCertVerified, rustls::Error> {
    let (not_before, not_after) = x509::validity(end_entity).ok_or(CertificateError::BadEncoding)?;
    if now < not_before {
        return Err(CertificateError::NotValidYetContext { time: now, not_before }.into());
    }
    if now > not_after {
        return Err(CertificateError::ExpiredContext { time: now, not_after }.into());
    }
    match verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name) {
        Ok(()) => Ok(ServerCertVerified::assertion()),
        Err(rustls::Error::InvalidCertificate(error)) => named(end_entity, server_name, error),
        Err(other) => Err(other),
    }
}

/// What is wrong with a name, if it is not the common name of a certificate without others.
fn named(
    end_entity: &CertificateDer<'_>,
    server_name: &ServerName<'_>,
    error: CertificateError,
) -> Result<ServerCertVerified, rustls::Error> {
    let host = server_name.to_str();
    if x509::is_named_by_common_name_alone(end_entity, &host) {
        return Ok(ServerCertVerified::assertion());
    }
    if matches!(server_name, ServerName::IpAddress(_)) && x509::has_address_as_dns_name(end_entity, &host) {
        return Err(because(CertificateFault::AddressAsName { host: host.into_owned() }));
    }
    Err(error.into())
}

/// A signature that cannot be verified is one of a key that is too short, if it is that.
fn with_its_key(error: rustls::Error, certificate: &CertificateDer<'_>) -> rustls::Error {
    match x509::short_rsa_key(certificate) {
        Some(bits) => because(CertificateFault::ShortKey { bits }),
        None => error,
    }
}

fn because(fault: CertificateFault) -> rustls::Error {
    CertificateError::Other(OtherError(Arc::new(fault))).into()
}
