//! The files of ClockBound: where they are, and reading them.

use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::clock::clock_bound::{self, ClockReadings, CounterReading, MAX_SEGMENT_BYTES, SegmentError};
use crate::clock::status::ClockStatus;
use crate::clock::{self, Monotonic};

/// The directory of the daemon's files, by default.
pub(crate) const DEFAULT_DIRECTORY: &str = "/var/run/clockbound";

/// The names of the daemon's files, the newer layout first. A daemon of version 3 writes both.
const NAMES: [&str; 2] = ["shm1", "shm0"];

/// Why a file gives no status.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClockBoundError {
    #[error("cannot be read: {0}")]
    Unreadable(io::Error),
    #[error(transparent)]
    Segment(#[from] SegmentError),
}

/// The status as ClockBound reports it, and the file that it is from.
///
/// `path` is a file or a directory of the daemon. Where the two files of [`NAMES`] are meant, the newer layout wins.
///
/// # Errors
///
/// None of the files gives a status. The error is that of the first file that is there.
pub(crate) fn status(path: &Path) -> Result<(ClockStatus, PathBuf), ClockBoundError> {
    let mut error = None;
    for file in candidates(path) {
        match status_in(&file) {
            Ok(status) => return Ok((status, file)),
            Err(other) if error.as_ref().is_none_or(is_missing) => error = Some(other),
            Err(_) => {}
        }
    }
    Err(error.unwrap_or_else(|| ClockBoundError::Unreadable(io::ErrorKind::NotFound.into())))
}

fn is_missing(error: &ClockBoundError) -> bool {
    matches!(error, ClockBoundError::Unreadable(error) if error.kind() == io::ErrorKind::NotFound)
}

/// Looked up each time: the daemon may be installed, or updated, while nowd runs.
fn candidates(path: &Path) -> Vec<PathBuf> {
    let has_name = path.file_name().is_some_and(|name| NAMES.iter().any(|other| name == *other));
    if has_name {
        NAMES.map(|name| path.with_file_name(name)).into()
    } else if path.is_dir() {
        NAMES.map(|name| path.join(name)).into()
    } else {
        vec![path.to_owned()]
    }
}

fn status_in(file: &Path) -> Result<ClockStatus, ClockBoundError> {
    // A daemon writes a few times a second, and takes well below a microsecond for it.
    const TRIES: usize = 3;
    for _ in 1..TRIES {
        match read(file) {
            Err(ClockBoundError::Segment(SegmentError::Torn)) => {}
            other => return other,
        }
    }
    read(file)
}

fn read(file: &Path) -> Result<ClockStatus, ClockBoundError> {
    let read = || {
        let mut bytes = Vec::with_capacity(MAX_SEGMENT_BYTES);
        // Never block, in case the path is a pipe.
        let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(file)?;
        file.take(MAX_SEGMENT_BYTES as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let (first, second) =
        (read().map_err(ClockBoundError::Unreadable)?, read().map_err(ClockBoundError::Unreadable)?);
    Ok(clock_bound::status(&first, &second, &readings())?)
}

fn readings() -> ClockReadings {
    let (before, ticks, after) = clock::now_with_counter();
    let counter =
        ticks.map(|ticks| CounterReading { before: before.since_epoch(), ticks, after: after.since_epoch() });
    ClockReadings { monotonic: Monotonic::now().since_zero(), counter }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newer_layout_is_looked_for_first_wherever_both_may_be() {
        let both = ["/nowhere/shm1", "/nowhere/shm0"].map(PathBuf::from);
        assert_eq!(candidates(Path::new("/nowhere/shm0")), both);
        assert_eq!(candidates(Path::new("/nowhere/shm1")), both);
        assert_eq!(candidates(Path::new("/nowhere/clock")), [PathBuf::from("/nowhere/clock")]);
        assert_eq!(candidates(Path::new("/proc")), ["/proc/shm1", "/proc/shm0"].map(PathBuf::from));
    }
}
