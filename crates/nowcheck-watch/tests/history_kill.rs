//! The writer is killed at random instants. The file opens each time, and at most what waited in the queue is lost.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use nowcheck_watch::history::{
    History, HistoryPlace, HistorySettings, QueueLimits, Range, Restored, Retention, RoundRecord, Step,
};
use nowcheck_watch::status::CheckStatus;

/// Set for the process that is killed: the file that it writes.
const FILE: &str = "NOWCHECK_TEST_HISTORY";
const KILLS: u32 = 200;
const SOON: Duration = Duration::from_secs(20);

fn start(path: &Path) -> (History, Restored) {
    let long = Duration::from_hours(24 * 3_650);
    let retention = Retention { rounds: long, minutes: long, hours: long };
    let place = HistoryPlace::file(path);
    History::start(HistorySettings { place, retention, limits: QueueLimits::default() })
        .expect("the history opens after each kill")
}

/// A round a minute, so that hours are packed all the time.
fn begin(nth: u64) -> Timestamp {
    Timestamp::UNIX_EPOCH + Duration::from_hours(498_756) + Duration::from_mins(nth)
}

fn round(nth: u64) -> RoundRecord {
    RoundRecord {
        check: "shop".to_owned(),
        start: begin(nth),
        duration: Duration::from_millis(2),
        status: CheckStatus::Ok,
        reason: "in_sync".to_owned(),
        offset: None,
        round_trip: Some(Duration::from_micros(734)),
        cause: None,
        backends: Vec::new(),
        certificate_expiry: None,
        stands_for: Duration::from_mins(1),
    }
}

fn written(restored: &Restored) -> u64 {
    restored.state.get("written").map_or(0, |json| json.parse().expect("the number of rounds"))
}

/// The number of all rounds, which is that of the minute of the next one.
fn rounds_left(history: &History) -> u64 {
    let range = Range { from: begin(0), to: Timestamp::MAX, now: Timestamp::MAX };
    let reader = history.reader().expect("it can be read");
    reader.rounds("shop", range, usize::MAX).expect("it can be read").len() as u64
}

/// Not a test of its own: the process that is killed. It says on a line of its own what must not be lost any more.
#[test]
fn writer() {
    let Some(path) = std::env::var_os(FILE) else { return };
    let (history, _) = start(Path::new(&path));
    for nth in rounds_left(&history).. {
        history.record(round(nth), None);
        let state = vec![("written".to_owned(), (nth + 1).to_string())];
        history.commit(Step { state, ..Step::default() });
        if nth % 7 == 0 {
            assert!(history.flush(SOON));
            println!("\nwritten {}", nth + 1);
        }
    }
}

/// Lets the writer write for some time, kills it, and returns what it said was written.
fn killed_after(path: &Path, lines: u32, pause: Duration) -> u64 {
    let mut writer = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "writer", "--nocapture"])
        .env(FILE, path)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the writer starts");
    let mut said = BufReader::new(writer.stdout.take().expect("its output")).lines();
    let mut numbers = said
        .by_ref()
        .map_while(Result::ok)
        .filter_map(|line| line.strip_prefix("written ").and_then(|number| number.parse::<u64>().ok()));
    for _ in 0..lines {
        numbers.next();
    }
    std::thread::sleep(pause);
    writer.kill().expect("it runs until it is killed");
    // What it said between the pause and its end.
    let last = numbers.last().unwrap_or_default();
    writer.wait().expect("it ends");
    last
}

#[test]
fn a_kill_at_any_instant_loses_at_most_what_waited_to_be_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("nowcheck.db");
    let mut random = u64::from(std::process::id());
    for _ in 0..KILLS {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let lines = u32::try_from((random >> 33) % 4).expect("a small number");
        let said = killed_after(&path, lines, Duration::from_micros((random >> 40) % 15_000));
        let (history, restored) = start(&path);
        let written = written(&restored);
        assert!(written >= said, "{said} rounds were written, {written} are left");
        // The round is handed over before the state that counts it, so one more may be there.
        let left = rounds_left(&history);
        assert!((written..=written + 1).contains(&left), "{left} rounds, and a state after {written}");
        let now = begin(left);
        let range = Range { from: begin(0), to: now, now };
        let reader = history.reader().expect("it can be read");
        if let Some(period) = reader.period("shop", range).expect("it can be read") {
            assert_eq!(period.summary.times.ok, Duration::from_mins(left));
            assert_eq!(period.summary.rounds.total(), left);
        }
        assert_eq!(history.take_notices(), Vec::<String>::new());
        assert!(history.close(SOON));
    }
}
