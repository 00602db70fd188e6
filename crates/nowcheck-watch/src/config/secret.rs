//! Secrets, and where they come from.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::Path;

use nowcheck::input_file;
use nowcheck::probe::tls::Trust;
use nowcheck::text::Secrets;

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for where it is used.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(hidden)")
    }
}

/// All secrets of a configuration, for those who must neither have nor tell them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownSecrets {
    variables: BTreeSet<String>,
    texts: Secrets,
}

impl KnownSecrets {
    /// A shorter part of a secret file, of a URL or of a header is no secret by itself.
    const LEAST: usize = 8;

    /// Adds what was read, and the variable that it was read from.
    pub(crate) fn add(&mut self, variable: Option<&str>, secret: &Secret) {
        self.variables.extend(variable.map(str::to_owned));
        for line in secret.expose().lines() {
            // The begin of a URL is that of many others.
            if !line.contains("://") {
                self.texts.add(line.as_bytes());
            }
            let separators = ['/', '?', '&', '=', '@', ':', ' ', ',', ';', '"'];
            for part in line.split(separators).filter(|part| part.len() >= Self::LEAST) {
                self.texts.add(part.as_bytes());
            }
        }
    }

    /// The environment variables that hold one.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(String::as_str)
    }

    /// The text without any of them.
    pub(crate) fn masked(&self, text: &str) -> String {
        self.texts.masked(text)
    }
}

/// What a configuration needs besides its text: secrets, and whom this machine trusts.
pub trait SecretSource {
    /// The first `most` bytes of a file.
    ///
    /// # Errors
    /// As the system says.
    fn file(&self, path: &Path, most: u64) -> io::Result<Vec<u8>>;

    /// An environment variable; none if it is not set or is not UTF-8.
    fn variable(&self, name: &str) -> Option<String>;

    /// The certificate authorities that checks trust without a `ca_file`. They are read once for a configuration.
    fn authorities(&self) -> Trust {
        Trust::of_this_machine()
    }
}

/// The files and the environment of this process.
#[derive(Debug, Clone, Copy)]
pub struct System;

impl SecretSource for System {
    fn file(&self, path: &Path, most: u64) -> io::Result<Vec<u8>> {
        input_file::read(path, most)
    }

    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}
