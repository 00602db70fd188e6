//! One program writes a history at a time: two would close each other's incidents.

use std::fs::{File, TryLockError};
use std::thread;
use std::time::Duration;

use super::error::HistoryError;
use super::place::HistoryPlace;

/// How often the claim of another program is looked at. One that is being replaced needs a moment to end.
const TRIES: u32 = 12;
const PAUSE: Duration = Duration::from_millis(250);

/// The right to write a history. The system takes it back when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct Claim {
    _lock: Option<File>,
}

impl Claim {
    /// Claims a history. Where no lock can be had, as on a disk that is full, it goes on without.
    ///
    /// # Errors
    /// Another program has it.
    pub(super) fn of(place: &HistoryPlace) -> Result<Self, HistoryError> {
        let Some(path) = place.path() else { return Ok(Self { _lock: None }) };
        // A file beside it: the history itself may be moved aside.
        let mut beside = path.as_os_str().to_owned();
        beside.push("-lock");
        let Ok(file) = File::options().append(true).create(true).open(beside) else {
            return Ok(Self { _lock: None });
        };
        for _ in 0..TRIES {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _lock: Some(file) }),
                Err(TryLockError::WouldBlock) => thread::sleep(PAUSE),
                Err(TryLockError::Error(_)) => return Ok(Self { _lock: None }),
            }
        }
        Err(HistoryError::InUse { path: path.to_owned() })
    }
}
