//! The only file that reads the operating system's clocks.
//!
//! Everything else is handed a [`UnixTime`] or a [`ClockStatus`], so that it can be tested with any time.

pub(crate) mod clock_bound;
pub(crate) mod status;
pub(crate) mod text;

use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::clock::clock_bound::SegmentError;
use crate::clock::status::ClockStatus;
use crate::unsafe_calls;

/// The last second that four digits can write: 9999-12-31T23:59:59Z.
const LAST_SECOND: u64 = 253_402_300_799;

/// A point in time: seconds since 1970-01-01T00:00:00Z without leap seconds, and the nanoseconds into that second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnixTime {
    /// Whole seconds, at most [`LAST_SECOND`].
    pub(crate) seconds: u64,
    /// Nanoseconds, below 1 000 000 000.
    pub(crate) nanos: u32,
}

/// Reads the system's clock.
///
/// A clock before 1970 or after 9999 reads as the nearest time between: Linux refuses to set such a time, and it
/// would be a wrong clock either way.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
pub(crate) fn now() -> UnixTime {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    if since_epoch.as_secs() > LAST_SECOND {
        return UnixTime { seconds: LAST_SECOND, nanos: 999_999_999 };
    }
    UnixTime { seconds: since_epoch.as_secs(), nanos: since_epoch.subsec_nanos() }
}

/// An instant of the clock that nobody can set, for durations: nanoseconds since the machine started, or so.
///
/// The standard library's `Instant` is the same; but it checks what cannot happen, and here every request pays for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Monotonic(u64);

impl Monotonic {
    pub(crate) fn now() -> Self {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        // It begins at zero, and 64 bits of nanoseconds are five hundred years.
        Self(now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned())
    }

    /// Nanoseconds since then.
    pub(crate) fn elapsed_nanos(self) -> u64 {
        Self::now().0.saturating_sub(self.0)
    }

    fn since_zero(self) -> Duration {
        Duration::from_nanos(self.0)
    }
}

/// What the kernel says.
fn of_kernel() -> ClockStatus {
    match unsafe_calls::kernel_clock() {
        None => ClockStatus::Unknown,
        Some(clock) if !clock.is_synchronized => ClockStatus::Unsynchronized,
        Some(clock) => u32::try_from(clock.max_error_micros)
            .map_or(ClockStatus::Unknown, |max_error_micros| ClockStatus::Synchronized { max_error_micros }),
    }
}

/// Where a [`ClockStatus`] comes from.
#[derive(Debug)]
pub(crate) struct ClockStatusSource {
    clock_bound: Option<PathBuf>,
    /// Why ClockBound was of no use the last time.
    error: Option<ClockBoundError>,
    is_first: bool,
}

/// Why the kernel is asked although there is a path to ClockBound.
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
        /// What is wrong with the segment of ClockBound.
        why: String,
    },
}

impl ClockStatusSource {
    /// The kernel, or what ClockBound shares at that path, as long as it shares something.
    pub(crate) fn new(clock_bound: Option<PathBuf>) -> Self {
        Self { clock_bound, error: None, is_first: true }
    }

    /// To be called once a second. Says whom it believes when that is new.
    pub(crate) fn read(&mut self) -> (ClockStatus, Option<BoundSource>) {
        let Some(path) = &self.clock_bound else { return (of_kernel(), None) };
        let is_first = std::mem::replace(&mut self.is_first, false);
        match of_clock_bound(path) {
            Ok(status) => {
                let is_new = self.error.take().is_some() || is_first;
                (status, is_new.then_some(BoundSource::ClockBound))
            }
            Err(error) => {
                let why = error.to_string();
                let is_new = self.error.replace(error).is_none();
                (of_kernel(), is_new.then_some(BoundSource::Kernel { why }))
            }
        }
    }
}

/// What ClockBound says of the clock now.
fn of_clock_bound(path: &Path) -> Result<ClockStatus, ClockBoundError> {
    // A daemon writes some times a second, and takes well below a microsecond for it.
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
        // Not to wait, should it be something that is waited for, such as a pipe.
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
        assert_eq!(std::mem::discriminant(&status), std::mem::discriminant(&of_kernel()));
        let Some(BoundSource::Kernel { why }) = bound_source else { panic!("{bound_source:?}") };
        assert!(why.starts_with("cannot be read: No such file"), "{why}");
        assert_eq!(source.read().1, None);
        assert_eq!(ClockStatusSource::new(None).read().1, None);
    }

    #[test]
    fn the_kernel_answers_without_privilege() {
        assert_ne!(of_kernel(), ClockStatus::Unknown);
    }
}
