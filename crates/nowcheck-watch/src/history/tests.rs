mod rollups;
mod trouble;
mod versions;

use std::time::Duration;

use jiff::Timestamp;

use super::*;
use crate::incident::{Change, ChangeKind, Evidence, MonitorPart, OffsetBounds, Scope, Subject, TroubleKind};
use crate::status::CheckStatus;

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_521_600 + second).unwrap()
}

fn range(from: i64, to: i64, now: i64) -> Range {
    Range { from: second(from), to: second(to), now: second(now) }
}

/// Everything is written within this time, also on a busy machine.
const SOON: Duration = Duration::from_secs(20);

fn settings(place: HistoryPlace) -> HistorySettings {
    let days = |days: u64| Duration::from_hours(24 * days);
    let retention = Retention { rounds: days(7), minutes: days(30), hours: days(730) };
    HistorySettings { place, retention, limits: QueueLimits::default() }
}

fn round(check: &str, start: Timestamp, status: CheckStatus) -> RoundRecord {
    RoundRecord {
        check: check.to_owned(),
        start,
        duration: Duration::from_micros(2_345),
        status,
        reason: "because".to_owned(),
        offset: Some(OffsetBounds { lower: -1_000, upper: 3_000 }),
        round_trip: Some(Duration::from_micros(734)),
        cause: None,
        backends: Vec::new(),
        certificate_expiry: None,
        stands_for: Duration::from_secs(45),
    }
}

fn message(id: &str, tries: u32) -> OutboxMessage {
    OutboxMessage {
        id: id.to_owned(),
        receiver: "night".to_owned(),
        body: "{}".to_owned(),
        first_try: second(0),
        next_try: second(60),
        tries,
    }
}

#[test]
fn a_file_without_tables_is_no_history_yet() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nowcheck.db");
    std::fs::write(&path, "").unwrap();
    let error = HistoryReader::open(&HistoryPlace::file(&path)).unwrap_err();
    assert!(matches!(error, HistoryError::NoFile { .. }), "{error}");
}

#[test]
fn another_program_reads_what_is_written_while_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let place = HistoryPlace::file(&folder.path().join("nowcheck.db"));
    let (history, _) = History::start(settings(place.clone())).unwrap();
    let rounds = [round("shop", second(0), CheckStatus::Ok), round("shop", second(30), CheckStatus::Down)];
    history.record(rounds[0].clone(), None);
    history.record(rounds[1].clone(), Some("{\"evidence\": 1}".to_owned()));
    history.record(round("blog", second(31), CheckStatus::Ok), None);
    assert!(history.flush(SOON));
    let reader = HistoryReader::open(&place).unwrap();
    assert_eq!(reader.checks().unwrap(), ["blog", "shop"]);
    assert_eq!(reader.rounds("shop", range(0, 100, 100), 10).unwrap(), rounds);
    assert_eq!(reader.outcome("shop", second(30)).unwrap().as_deref(), Some("{\"evidence\": 1}"));
    assert_eq!(reader.outcome("shop", second(0)).unwrap(), None);
}

#[test]
fn a_restart_finds_the_state_and_what_is_not_delivered() {
    let folder = tempfile::tempdir().unwrap();
    let place = HistoryPlace::file(&folder.path().join("nowcheck.db"));
    let (history, restored) = History::start(settings(place.clone())).unwrap();
    assert_eq!(restored, Restored::default());
    let state = |json: &str| vec![("incidents".to_owned(), json.to_owned())];
    let messages = vec![message("a", 0), message("b", 0)];
    history.commit(Step { state: state("1"), messages, ..Step::default() });
    let messages = vec![message("b", 3)];
    history.commit(Step { state: state("2"), messages, done: vec!["a".to_owned()], ..Step::default() });
    assert!(history.close(SOON));
    let (_, restored) = History::start(settings(place)).unwrap();
    assert_eq!(restored.state, state("2").into_iter().collect());
    assert_eq!(restored.outbox, [message("b", 3)]);
}

/// An incident that began at that second.
fn opened(scope: Scope, at: i64) -> Change {
    let id = serde_json::from_value(format!("{at}").into()).unwrap();
    Change {
        incident: id,
        kind: ChangeKind::Opened,
        subject: match &scope {
            Scope::Check(check) => Subject::Check(check.clone()),
            Scope::Monitor(part) => Subject::Monitor(part.clone()),
        },
        scope,
        status: Some(TroubleKind::Down),
        reason: "down".to_owned(),
        since: second(at),
        at: second(at),
        evidence: Evidence::default(),
    }
}

#[test]
fn the_incidents_of_a_check_are_found_among_many_others_with_those_of_the_monitor() {
    let (history, _) = History::start(settings(HistoryPlace::memory())).unwrap();
    let hostile = "sh\"op%";
    let of = |check: &str| Scope::Check(check.to_owned());
    let mut changes = vec![opened(of(hostile), 1), opened(Scope::Monitor(MonitorPart::Network), 2)];
    changes.extend((3..40).map(|at| opened(of("other"), at)));
    history.commit(Step { changes, ..Step::default() });
    assert!(history.flush(SOON));
    let found = history.reader().unwrap().incidents_about(hostile, range(0, 100, 100), 5).unwrap();
    let names: Vec<&str> = found.iter().map(|incident| incident.id.as_str()).collect();
    assert_eq!(names, ["2", "1"], "the latest first");
}

#[test]
fn a_file_that_is_no_database_is_moved_aside_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nowcheck.db");
    std::fs::write(&path, "what somebody wrote").unwrap();
    let (history, _) = History::start(settings(HistoryPlace::file(&path))).unwrap();
    history.record(round("shop", second(0), CheckStatus::Ok), None);
    assert!(history.flush(SOON));
    let notices = history.take_notices();
    let aside = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let aside = aside.filter(|path| path.display().to_string().contains(".corrupt-")).collect::<Vec<_>>();
    assert_eq!(std::fs::read_to_string(&aside[0]).unwrap(), "what somebody wrote");
    assert!(notices[0].contains(&aside[0].display().to_string()), "{notices:?}");
    assert_eq!(history.health(), Health::default());
    assert_eq!(history.reader().unwrap().checks().unwrap(), ["shop"]);
}
