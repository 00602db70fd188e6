//! Writes so many rounds into a new history, each in a transaction of its own, so that their instructions can be counted:
//! `write_history FOLDER ROUNDS` (`benches/instruction_guard.py`).

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use nowcheck_watch::history::{
    BackendOffset, History, HistoryPlace, HistorySettings, QueueLimits, Retention, RoundRecord,
};
use nowcheck_watch::incident::OffsetBounds;
use nowcheck_watch::status::CheckStatus;

const PERIOD: Duration = Duration::from_secs(30);
const DAY: Duration = Duration::from_hours(24);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, folder, rounds] = &arguments[..] else { return Err("write_history FOLDER ROUNDS".into()) };
    let (history, _) = History::start(HistorySettings {
        place: HistoryPlace::file(&Path::new(folder).join("history.db")),
        retention: Retention { rounds: 7 * DAY, minutes: 30 * DAY, hours: 730 * DAY },
        limits: QueueLimits::default(),
    })?;
    let mut start: Timestamp = "2026-11-29T12:00:00Z".parse()?;
    for _ in 0..rounds.parse::<u32>()? {
        history.record(round(start), None);
        if !history.flush(Duration::from_mins(1)) {
            return Err("the history is not written".into());
        }
        start += PERIOD;
    }
    Ok(())
}

fn round(start: Timestamp) -> RoundRecord {
    let offset = OffsetBounds { lower: -1_234_567, upper: 1_345_678 };
    RoundRecord {
        check: "shop".to_owned(),
        start,
        duration: Duration::from_micros(734),
        status: CheckStatus::Ok,
        reason: "in_sync".to_owned(),
        offset: Some(offset),
        round_trip: Some(Duration::from_micros(234)),
        cause: None,
        backends: vec![BackendOffset { instance: "acea5f0d".to_owned(), offset }],
        certificate_expiry: None,
        stands_for: PERIOD + Duration::from_secs(15),
    }
}
