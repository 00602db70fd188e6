//! What a round costs in the history: `cargo run --release -p nowcheck-watch --example history_cost`.
//!
//! Writes a week of 20 checks every 30 seconds, and ten years of one, and prints a table of processor time and bytes.

#![expect(clippy::print_stdout, reason = "it is what this program is for")]

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use nowcheck_watch::history::{
    BackendOffset, History, HistoryPlace, HistorySettings, QueueLimits, Range, Retention, RoundRecord,
};
use nowcheck_watch::incident::OffsetBounds;
use nowcheck_watch::status::CheckStatus;

const DAY: u64 = 24 * 60 * 60;
const LONG: Duration = Duration::from_hours(1);

/// What is written: so many checks, for so long, with a round every so many seconds.
#[derive(Debug, Clone, Copy)]
struct Load {
    checks: u64,
    seconds: u64,
    period: u64,
    /// How many rounds are written at once.
    at_once: u64,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    println!("| history | µs CPU each | bytes each | MB in all | ms to read a check's plot |");
    println!("|---|---:|---:|---:|---:|");

    let week = Load { checks: 20, seconds: 7 * DAY, period: 30, at_once: 200 };
    let history = start(&folder.path().join("week.db"), Duration::from_hours(24 * 7))?;
    let took = time(|| write(&history, week));
    report("a week of 20 checks: a round", &history, week, week.checks * week.seconds / week.period, took)?;

    // Everything but days is removed after a day. A round every quarter of an hour fills the sketch of a day well enough.
    let years = Load { checks: 1, seconds: 3_650 * DAY, period: 900, at_once: 48 };
    let history = start(&folder.path().join("years.db"), Duration::from_hours(24))?;
    let took = time(|| write(&history, years));
    report("ten years of a check: a day", &history, years, years.checks * years.seconds / DAY, took)
}

fn start(path: &Path, kept: Duration) -> Result<History, Box<dyn std::error::Error>> {
    let retention = Retention { rounds: kept, minutes: kept, hours: kept };
    let place = HistoryPlace::file(path);
    Ok(History::start(HistorySettings { place, retention, limits: QueueLimits::default() })?.0)
}

fn write(history: &History, load: Load) {
    let mut random = 1_u64;
    let mut below = |limit: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % limit
    };
    for nth in 0..load.seconds / load.period * load.checks {
        let milliseconds = nth * load.period * 1_000 / load.checks + below(3);
        let check = format!("check {}", nth % load.checks);
        history.record(round(check, milliseconds, load.period, &mut below), None);
        if nth % load.at_once == 0 {
            assert!(history.flush(LONG), "the history is not written");
        }
    }
    assert!(history.flush(LONG), "the history is not written");
}

const ORIGIN: u64 = 1_795_521_600_000;

fn round(check: String, milliseconds: u64, period: u64, below: &mut impl FnMut(u64) -> u64) -> RoundRecord {
    // Mostly near half a millisecond, now and then far away.
    let round_trip = 400 + below(200) + if below(50) == 0 { below(20_000) } else { 0 };
    let lower = -1_000 * i128::from(below(3_000));
    let offset = OffsetBounds { lower, upper: lower + 1_000 * i128::from(round_trip) };
    RoundRecord {
        check,
        start: Timestamp::UNIX_EPOCH + Duration::from_millis(ORIGIN + milliseconds),
        duration: Duration::from_micros(round_trip + 300),
        status: CheckStatus::Ok,
        reason: "in_sync".to_owned(),
        offset: Some(offset),
        round_trip: Some(Duration::from_micros(round_trip)),
        cause: None,
        backends: vec![BackendOffset { instance: format!("3f9c2a7{}", below(3)), offset }],
        certificate_expiry: Some(Timestamp::UNIX_EPOCH + Duration::from_millis(2 * ORIGIN)),
        stands_for: Duration::from_secs(period * 3 / 2),
    }
}

/// A row of the table.
fn report(
    what: &str,
    history: &History,
    load: Load,
    number: u64,
    took: Duration,
) -> Result<(), Box<dyn std::error::Error>> {
    let bytes = history.place().path().map(std::fs::metadata).transpose()?.map_or(0, |file| file.len());
    let micros = took.as_micros() / u128::from(number);
    let read = read(history, load)?.as_millis();
    let (whole, tenths) = (bytes / 1_000_000, bytes / 100_000 % 10);
    println!("| {what} | {micros} | {} | {whole}.{tenths} | {read} |", bytes / number);
    Ok(())
}

/// The time of the processor that the whole time of a check takes to be read, as the dashboard asks for it.
fn read(history: &History, load: Load) -> Result<Duration, Box<dyn std::error::Error>> {
    let now = Timestamp::UNIX_EPOCH + Duration::from_millis(ORIGIN) + Duration::from_secs(load.seconds);
    let reader = history.reader()?;
    let range = Range::last(Duration::from_secs(load.seconds), now);
    let mut points = Ok(Vec::new());
    let took = time(|| points = reader.series("check 0", range, 500));
    let points = points?.len();
    assert!(points > 100, "a plot of {points} points is not the whole time");
    Ok(took)
}

/// The time of the processor that something takes, with that of the thread that writes.
fn time(work: impl FnOnce()) -> Duration {
    let before = processor_time();
    work();
    processor_time().saturating_sub(before)
}

/// The time of the processor that this process took: user and system, in ticks of ten milliseconds.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let fields = after_name.split_whitespace().skip(11).take(2);
    Duration::from_millis(10 * fields.filter_map(|field| field.parse::<u64>().ok()).sum::<u64>())
}
