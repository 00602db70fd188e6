//! Moves a damaged file aside. Nothing of it is overwritten.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

/// The files of one database: itself, its write-ahead log, and the index of that.
const SUFFIXES: [&str; 3] = ["", "-wal", "-shm"];

/// Renames a damaged file to `PATH.corrupt-TIME`, with what belongs to it. The time is that of its last change.
///
/// # Errors
/// The folder cannot be written.
pub(super) fn move_aside(path: &Path) -> io::Result<PathBuf> {
    let changed = fs::metadata(path)?.modified().ok();
    let changed = changed.and_then(|time| Timestamp::try_from(time).ok()).unwrap_or_default();
    let name = with_suffix(path, &format!(".corrupt-{}", changed.strftime("%Y%m%dT%H%M%SZ")));
    let mut numbered =
        std::iter::once(name.clone()).chain((2..).map(|nth| with_suffix(&name, &format!("-{nth}"))));
    let aside = numbered.find(|name| !name.exists()).unwrap_or(name);
    for suffix in SUFFIXES {
        match fs::rename(with_suffix(path, suffix), with_suffix(&aside, suffix)) {
            Err(error) if suffix.is_empty() || error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(aside)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
