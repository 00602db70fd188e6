//! Where the history is: in a file or in memory.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::{Connection, OpenFlags};

/// Where the history is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryPlace(Where);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Where {
    File(PathBuf),
    /// All connections of this process that use the number share one database.
    Memory {
        number: u64,
        shown: PathBuf,
    },
}

impl HistoryPlace {
    /// A file, which is made if there is none.
    #[must_use]
    pub fn file(path: &Path) -> Self {
        Self(Where::File(path.to_owned()))
    }

    /// Memory of this process.
    #[must_use]
    pub fn memory() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self(Where::Memory { number, shown: PathBuf::from("in memory") })
    }

    /// The file; none in memory.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &self.0 {
            Where::File(path) => Some(path),
            Where::Memory { .. } => None,
        }
    }

    /// What messages call it.
    pub(super) fn shown(&self) -> &Path {
        match &self.0 {
            Where::File(path) => path,
            Where::Memory { shown, .. } => shown,
        }
    }

    /// Connects, without reading anything yet.
    pub(super) fn connect(&self, access: OpenFlags) -> rusqlite::Result<Connection> {
        match &self.0 {
            Where::File(path) => Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX),
            Where::Memory { number, .. } => {
                let access = OpenFlags::SQLITE_OPEN_READ_WRITE
                    | OpenFlags::SQLITE_OPEN_CREATE
                    | OpenFlags::SQLITE_OPEN_URI
                    | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                Connection::open_with_flags(format!("file:/nowcheck-{number}?vfs=memdb"), access)
            }
        }
    }

    /// Connects to a file that nobody writes.
    pub(super) fn connect_unchanging(path: &Path) -> rusqlite::Result<Connection> {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let escaped = path.display().to_string().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
        let access =
            OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Connection::open_with_flags(format!("file:{escaped}?immutable=1"), access)
    }
}
