//! A history for tests.

use std::time::Duration;

use super::{History, HistoryPlace, HistorySettings, QueueLimits, Restored, Retention};

/// An empty one in memory.
pub(crate) fn in_memory() -> (History, Restored) {
    let hour = Duration::from_hours(1);
    let settings = HistorySettings {
        place: HistoryPlace::memory(),
        retention: Retention { rounds: hour, minutes: hour, hours: hour },
        limits: QueueLimits::default(),
    };
    History::start(settings).expect("memory has room for a history")
}
