//! Which source a [`ClockStatus`] is read from: ClockBound, where there is a path to it, or else the kernel.

use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::clock::clock_bound::{self, SegmentError};
use crate::clock::status::ClockStatus;
use crate::clock::{Monotonic, kernel};

/// Reads the [`ClockStatus`], and remembers which source it came from.
#[derive(Debug)]
pub(crate) struct ClockStatusSource {
    clock_bound: Option<PathBuf>,
    /// Why ClockBound could not be used last time.
    error: Option<ClockBoundError>,
    is_first: bool,
}

/// Why the kernel is used although a path to ClockBound is set.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClockBoundError {
    #[error("cannot be read: {0}")]
    Unreadable(io::Error),
    #[error(transparent)]
    Segment(#[from] SegmentError),
}

/// Where the bound on the error comes from, to be logged when it changes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BoundSource {
    ClockBound,
    Kernel {
        /// What is wrong with ClockBound's segment.
        why: String,
    },
}

impl ClockStatusSource {
    /// Reads ClockBound at that path as long as it is usable, and the kernel otherwise.
    pub(crate) fn new(clock_bound: Option<PathBuf>) -> Self {
        Self { clock_bound, error: None, is_first: true }
    }

    /// Call once a second. Returns the source of the bound when that has changed.
    pub(crate) fn read(&mut self) -> (ClockStatus, Option<BoundSource>) {
        let Some(path) = &self.clock_bound else { return (kernel::status(), None) };
        let is_first = std::mem::replace(&mut self.is_first, false);
        match of_clock_bound(path) {
            Ok(status) => {
                let is_new = self.error.take().is_some() || is_first;
                (status, is_new.then_some(BoundSource::ClockBound))
            }
            Err(error) => {
                let why = error.to_string();
                let is_new = self.error.replace(error).is_none();
                (kernel::status(), is_new.then_some(BoundSource::Kernel { why }))
            }
        }
    }
}

/// The current status, as ClockBound reports it.
fn of_clock_bound(path: &Path) -> Result<ClockStatus, ClockBoundError> {
    // A daemon writes a few times a second, and takes well below a microsecond for it.
    const TRIES: usize = 3;
    for _ in 1..TRIES {
        match read_clock_bound(path) {
            Err(ClockBoundError::Segment(SegmentError::Torn)) => {}
            other => return other,
        }
    }
    read_clock_bound(path)
}

fn read_clock_bound(path: &Path) -> Result<ClockStatus, ClockBoundError> {
    let read = || {
        let mut bytes = Vec::with_capacity(clock_bound::MAX_SEGMENT_BYTES);
        // Never block, in case the path is a pipe.
        let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
        file.take(clock_bound::MAX_SEGMENT_BYTES as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let (first, second) =
        (read().map_err(ClockBoundError::Unreadable)?, read().map_err(ClockBoundError::Unreadable)?);
    let now = Monotonic::now().since_zero();
    Ok(clock_bound::status(&first, &second, now)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_it_believes_is_said_once_and_it_is_the_kernel_while_there_is_no_clock_bound() {
        let mut source = ClockStatusSource::new(Some("/nowhere/clockbound/shm0".into()));
        let (status, bound_source) = source.read();
        assert_eq!(std::mem::discriminant(&status), std::mem::discriminant(&kernel::status()));
        let Some(BoundSource::Kernel { why }) = bound_source else { panic!("{bound_source:?}") };
        assert!(why.starts_with("cannot be read: No such file"), "{why}");
        assert_eq!(source.read().1, None);
        assert_eq!(ClockStatusSource::new(None).read().1, None);
    }
}
