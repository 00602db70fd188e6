//! Files of certificates and keys, as people have them.

use std::path::Path;

use rustls::pki_types::pem::{Error, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::CaFileError;
use crate::input_file;

/// Reads a file; a byte order mark is skipped.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, CaFileError> {
    let bytes = input_file::read(path, input_file::MOST_OF_CERTIFICATES);
    let bytes = bytes.map_err(|error| CaFileError::Unreadable(error.to_string()))?;
    let marked = bytes.strip_prefix(b"\xef\xbb\xbf").map(<[u8]>::to_vec);
    Ok(marked.unwrap_or(bytes))
}

/// The certificates in a file: PEM, or one in DER.
pub(super) fn certificates(bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, CaFileError> {
    // A SEQUENCE, which a certificate is and no text begins with.
    if bytes.starts_with(&[0x30, 0x82]) {
        return Ok(vec![CertificateDer::from(bytes.to_vec())]);
    }
    let found: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(bytes)
        .collect::<Result<_, _>>()
        .map_err(|error| unreadable(&error))?;
    match found {
        found if !found.is_empty() => Ok(found),
        _ if holds(bytes, "-----BEGIN TRUSTED CERTIFICATE-----") => Err(CaFileError::Unreadable(
            "it is in OpenSSL's own form (BEGIN TRUSTED CERTIFICATE); `openssl x509 -in FILE` writes the usual one"
                .to_owned(),
        )),
        _ => Err(CaFileError::Empty),
    }
}

/// The private key in a file.
pub(super) fn key(bytes: &[u8]) -> Result<PrivateKeyDer<'static>, KeyFault> {
    if holds(bytes, "-----BEGIN ENCRYPTED PRIVATE KEY-----") || holds(bytes, "Proc-Type: 4,ENCRYPTED") {
        return Err(KeyFault::Encrypted);
    }
    // The library's error could quote the file.
    PrivateKeyDer::from_pem_slice(bytes).map_err(|_| KeyFault::NoKey)
}

/// Why a file has no key that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyFault {
    Encrypted,
    NoKey,
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn unreadable(error: &Error) -> CaFileError {
    CaFileError::Unreadable(match error {
        Error::MissingSectionEnd { .. } => "a certificate in it is cut short: it has no END line".to_owned(),
        Error::IllegalSectionStart { .. } => "a line that begins a certificate is not right".to_owned(),
        Error::Base64Decode(_) => "a certificate in it is not Base64".to_owned(),
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_no_certificate_is_named() {
        for (bytes, words) in [
            (&b""[..], "holds no certificate"),
            (b"-----BEGIN CERTIFICATE-----\nAAAA\n", "has no END line"),
            (b"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n", "not Base64"),
            (
                b"-----BEGIN TRUSTED CERTIFICATE-----\nAAAA\n-----END TRUSTED CERTIFICATE-----\n",
                "OpenSSL's own form",
            ),
            (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "holds no certificate"),
        ] {
            let error = certificates(bytes).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn a_key_that_is_encrypted_is_told_from_none() {
        // PKCS #8 (RFC 5958), and what OpenSSL wrote before 1.0.
        let pkcs8 = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        let old = b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
        assert_eq!(key(pkcs8).unwrap_err(), KeyFault::Encrypted);
        assert_eq!(key(old).unwrap_err(), KeyFault::Encrypted);
        assert_eq!(key(b"s3cret").unwrap_err(), KeyFault::NoKey);
    }
}
