//! What a report of a year costs: `cargo run --release -p nowcheck-watch --example report_cost`.
//!
//! Writes a year of a check with a round every half a minute, and prints how long each form of the report takes, and its
//! size. `-- FOLDER DAYS` keeps pages and history in a folder, and writes as many days.

#![expect(clippy::print_stdout, reason = "it is what this program is for")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use nowcheck_watch::history::{
    BackendOffset, History, HistoryPlace, HistorySettings, QueueLimits, Range, Retention, RoundRecord,
};
use nowcheck_watch::incident::OffsetBounds;
use nowcheck_watch::report::{self, Report};
use nowcheck_watch::status::CheckStatus;

const PERIOD: u64 = 30;
const ORIGIN: u64 = 1_764_000_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let temporary = tempfile::tempdir()?;
    let folder = std::env::args_os().nth(1).map_or(temporary.path().to_owned(), PathBuf::from);
    let days = |days: u64| Duration::from_hours(24 * days);
    let retention = Retention { rounds: days(7), minutes: days(30), hours: days(730) };
    let place = HistoryPlace::file(&folder.join("year.db"));
    let (history, _) = History::start(HistorySettings { place, retention, limits: QueueLimits::default() })?;
    let written = std::env::args().nth(2).map_or(Ok(365), |days| days.parse())?;
    let rounds = written * 86_400 / PERIOD;
    for nth in 0..rounds {
        if let Some(round) = round(nth) {
            history.record(round, None);
        }
        if nth % 1_000 == 0 {
            assert!(history.flush(Duration::from_hours(1)), "the history is not written");
        }
    }
    assert!(history.flush(Duration::from_hours(1)), "the history is not written");
    let now = Timestamp::UNIX_EPOCH + Duration::from_secs(ORIGIN + written * 86_400);
    for length in [1, 7, 90, 365] {
        #[expect(clippy::disallowed_methods, reason = "an example that measures")]
        let begin = Instant::now();
        let report = Report::read(&history.reader()?, Some("shop"), Range::last(days(length), now))?;
        let read = begin.elapsed();
        let page = report::html(&report);
        println!(
            "{length} days: {} bytes in {:?}, of which reading took {read:?}",
            page.len(),
            begin.elapsed()
        );
        std::fs::write(folder.join(format!("{length}.html")), page)?;
    }
    Ok(())
}

/// A clock that gains a little, is set now and then, and is sometimes not heard of.
fn round(nth: u64) -> Option<RoundRecord> {
    let second = nth * PERIOD;
    let noise = nth.wrapping_mul(6_364_136_223_846_793_005) >> 40;
    let (week, minute_of_day) = (second / 604_800, second / 60 % 1_440);
    if week % 9 == 3 && minute_of_day < 90 {
        return None;
    }
    let status = match (week % 11, minute_of_day) {
        (5, 700..720) => CheckStatus::Down,
        (7, 300..390) => CheckStatus::Wrong,
        _ => CheckStatus::Ok,
    };
    let round_trip = 400 + noise % 200 + if noise.is_multiple_of(50) { noise % 9_000 } else { 0 };
    let gained = i128::from(second % 604_800) * 4 + if status == CheckStatus::Wrong { 1_500_000 } else { 0 };
    let lower = 1_000 * (gained - i128::from(noise % 300));
    let offset = OffsetBounds { lower, upper: lower + 1_000 * i128::from(round_trip) };
    let is_down = status == CheckStatus::Down;
    Some(RoundRecord {
        check: "shop".to_owned(),
        start: Timestamp::UNIX_EPOCH + Duration::from_secs(ORIGIN + second),
        duration: Duration::from_micros(round_trip + 300),
        status,
        reason: "in_sync".to_owned(),
        offset: (!is_down).then_some(offset),
        round_trip: (!is_down).then_some(Duration::from_micros(round_trip)),
        cause: None,
        backends: if is_down {
            vec![]
        } else {
            vec![BackendOffset { instance: "3f9c2a7d".to_owned(), offset }]
        },
        certificate_expiry: Some(Timestamp::UNIX_EPOCH + Duration::from_secs(2 * ORIGIN)),
        stands_for: Duration::from_secs(PERIOD * 3 / 2),
    })
}
