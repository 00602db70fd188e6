//! The certificate that this program shows to a server that asks for one.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, InconsistentKeys, SignatureScheme};

use super::pem::{self, KeyFault};
use super::{CaFileError, provider};

/// A certificate and its key.
#[derive(Debug, Clone)]
pub struct ClientIdentity(Arc<CertifiedKey>);

/// Why files are no certificate with its key. Nothing of a key is part of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The file of the certificate cannot be used.
    #[error(transparent)]
    Certificate(CaFileError),
    /// The file of the key cannot be read.
    #[error("cannot be read: {0}")]
    UnreadableKey(String),
    /// The key needs a passphrase.
    #[error(
        "the key is encrypted, and nowcheck asks for no passphrase: `openssl pkey` writes it without one"
    )]
    EncryptedKey,
    /// There is no key in the file.
    #[error("holds no private key in PEM form")]
    NoKey,
    /// The key is of a kind that is not known.
    #[error("the key is of a kind that cannot be used")]
    UnknownKey,
    /// The key is that of another certificate.
    #[error("the key is not that of the certificate")]
    OtherKey,
}

impl IdentityError {
    /// Whether it is about the certificate, and not about the key.
    #[must_use]
    pub fn is_about_certificate(&self) -> bool {
        matches!(self, Self::Certificate(_))
    }
}

impl ClientIdentity {
    /// Reads a chain of certificates and the key of the first one, both PEM.
    ///
    /// # Errors
    /// When a file cannot be used, or the two do not belong together.
    pub fn from_files(certificate: &Path, key: &Path) -> Result<Self, IdentityError> {
        let read = pem::read(certificate).and_then(|bytes| pem::certificates(&bytes));
        let chain = read.map_err(IdentityError::Certificate)?;
        let bytes = pem::read(key).map_err(|error| match error {
            CaFileError::Unreadable(error) => IdentityError::UnreadableKey(error),
            _ => IdentityError::NoKey,
        })?;
        let key = pem::key(&bytes).map_err(|fault| match fault {
            KeyFault::Encrypted => IdentityError::EncryptedKey,
            KeyFault::NoKey => IdentityError::NoKey,
        })?;
        match CertifiedKey::from_der(chain, key, &provider()) {
            Ok(certified) => Ok(Self(Arc::new(certified))),
            Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
                Err(IdentityError::OtherKey)
            }
            Err(rustls::Error::InvalidCertificate(error)) => {
                Err(IdentityError::Certificate(CaFileError::Broken(error.to_string())))
            }
            Err(_) => Err(IdentityError::UnknownKey),
        }
    }
}

/// What became of the client's certificate on one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClientAuthentication {
    /// The server asked for one.
    pub was_asked: bool,
    /// One was there to be shown.
    pub has_identity: bool,
}

/// Shows the identity to who asks, and notes that somebody did.
#[derive(Debug)]
pub(super) struct Identification {
    pub(super) identity: Option<ClientIdentity>,
    was_asked: AtomicBool,
}

impl ResolvesClientCert for Identification {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.was_asked.store(true, Ordering::Relaxed);
        self.identity.as_ref().map(|identity| Arc::clone(&identity.0))
    }

    // Otherwise nobody would be asked.
    fn has_certs(&self) -> bool {
        true
    }
}

/// The client's side of one connection, of which it can be told afterwards whether the server wanted to know who asks.
#[derive(Debug, Clone)]
pub struct ConnectionConfig {
    /// How TLS is spoken.
    pub tls: Arc<ClientConfig>,
    identification: Arc<Identification>,
    doubt: Arc<AtomicBool>,
}

impl ConnectionConfig {
    /// A connection that shows this identity, if the server asks.
    #[must_use]
    pub fn new(shared: &ClientConfig, identity: Option<ClientIdentity>) -> Self {
        let identification = Arc::new(Identification { identity, was_asked: AtomicBool::new(false) });
        let mut config = shared.clone();
        config.client_auth_cert_resolver = Arc::<Identification>::clone(&identification);
        Self { tls: Arc::new(config), identification, doubt: Arc::default() }
    }

    /// This one, which shares with others whether somebody has looked yet if the port speaks TLS at all.
    #[must_use]
    pub fn sharing_doubt(self, doubt: &Arc<AtomicBool>) -> Self {
        Self { doubt: Arc::clone(doubt), ..self }
    }

    /// Whether nobody has asked this before, of those that share it.
    #[must_use]
    pub fn is_first_in_doubt(&self) -> bool {
        !self.doubt.swap(true, Ordering::Relaxed)
    }

    /// What became of the client's certificate so far.
    #[must_use]
    pub fn authentication(&self) -> ClientAuthentication {
        ClientAuthentication {
            was_asked: self.identification.was_asked.load(Ordering::Relaxed),
            has_identity: self.identification.identity.is_some(),
        }
    }
}
