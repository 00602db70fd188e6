//! Files of certificate authorities, each read once for a whole configuration.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use nowcheck::probe::tls::{CaFileError, Trust};

/// What was read so far. Thousands of checks share a store of hundreds of authorities, which takes milliseconds and 100 KB.
#[derive(Debug, Default)]
pub(super) struct Trusts(RefCell<HashMap<PathBuf, Result<Trust, CaFileError>>>);

impl Trusts {
    /// The authorities of this machine, and the ones in a file.
    ///
    /// # Errors
    /// As [`Trust::with_ca_file`] has them.
    pub(super) fn with_ca_file(&self, path: &Path) -> Result<Trust, CaFileError> {
        let mut known = self.0.borrow_mut();
        known.entry(path.to_owned()).or_insert_with(|| Trust::with_ca_file(path)).clone()
    }
}

/// A file of authorities to trust besides those of this machine, as it was when the configuration was read.
#[derive(Debug, Clone)]
pub struct CaFile {
    pub(crate) path: PathBuf,
    pub(crate) trust: Trust,
}

impl PartialEq for CaFile {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path && self.trust.given() == other.trust.given()
    }
}

impl Eq for CaFile {}
