//! A file for `node_exporter`. It is replaced as a whole, so that nobody reads half of one.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::metrics::{Family, prometheus};

/// All may read it: `node_exporter` runs as another user.
const MODE: u32 = 0o644;

/// Writes the metrics, and waits for the disk.
///
/// # Errors
/// As the system says. The file is then what it was before.
pub(super) fn write(path: &Path, families: Vec<Family>) -> io::Result<()> {
    let beside = beside(path);
    let written = replace(path, &beside, prometheus(families).as_bytes());
    if written.is_err() {
        // What is left of it is of no use; the first error is the one that matters.
        let _ = fs::remove_file(&beside);
    }
    written
}

fn replace(path: &Path, beside: &Path, bytes: &[u8]) -> io::Result<()> {
    match fs::remove_file(beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // A new one, so that no link of somebody else is followed.
    let mut file = OpenOptions::new().write(true).create_new(true).open(beside)?;
    file.write_all(bytes)?;
    // Whatever the umask takes away.
    file.set_permissions(Permissions::from_mode(MODE))?;
    file.sync_all()?;
    fs::rename(beside, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// The file that is written first, in the same folder. Its name does not end in `.prom`, so `node_exporter` ignores it.
fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".tmp");
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_replaced_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nowcheck.prom");
        // A folder is never replaced by a file.
        fs::create_dir(&path).unwrap();
        assert!(write(&path, Vec::new()).is_err());
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(left, [path]);
    }
}
