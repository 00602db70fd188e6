//! Why the history cannot be opened, read or written.

use std::path::PathBuf;

use rusqlite::ErrorCode;

/// What is wrong with the history.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The folder of the file is not there.
    #[error("cannot store the history in {}: the folder {} does not exist; create it, or set another path", .path.display(), folder(.path))]
    NoFolder {
        /// The file.
        path: PathBuf,
    },
    /// The file is not there, and was only to be read.
    #[error("there is no history at {}", .path.display())]
    NoFile {
        /// The file.
        path: PathBuf,
    },
    /// A newer version of the program wrote the file.
    #[error("the history {} has version {found}, and this program knows versions up to {known}; update the program, or set another path", .path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version of its schema.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// The file is a database of another program.
    #[error("{} is a database of another program; set another path", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file is no database, or it is damaged.
    #[error("the history {} is damaged: {detail}", .path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// Another process holds a lock on the file.
    #[error("the history {} is locked by another process", .path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// Another monitor writes it.
    #[error("the history {} is in use by another nowcheck; stop that one, or set another path", .path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// There is no room.
    #[error("the disk of the history {} is full", .path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// The file or its folder cannot be written.
    #[error("the history {} cannot be written; the file and its folder must be writable for this user", .path.display())]
    NotWritable {
        /// The file.
        path: PathBuf,
    },
    /// The file was removed or replaced while it was open.
    #[error("the history {} was removed or replaced", .path.display())]
    Replaced {
        /// The file.
        path: PathBuf,
    },
    /// Anything else that the database or the system says.
    #[error("the history {}: {detail}", .path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// What it says.
        detail: String,
    },
}

fn folder(path: &std::path::Path) -> String {
    path.parent().unwrap_or(path).display().to_string()
}

impl HistoryError {
    /// Sorts what the database says.
    pub(super) fn of(path: &std::path::Path, error: &rusqlite::Error) -> Self {
        let path = path.to_owned();
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Corrupt { path, detail: error.to_string() }
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked { path },
            Some(ErrorCode::DiskFull) => Self::Full { path },
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
                Self::NotWritable { path }
            }
            _ => Self::Other { path, detail: error.to_string() },
        }
    }

    /// Whether the program should not start: no retry helps, and the file is somebody's.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::NoFolder { .. } | Self::Newer { .. } | Self::Foreign { .. } | Self::InUse { .. })
    }
}
