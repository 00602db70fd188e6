//! Files of every version that was ever written. For a new version, add one line and one file.

use std::path::Path;

use rusqlite::Connection;

use super::*;
use crate::incident::{Change, Incidents, Observation, Place, Round, Trouble, TroubleKind};
use crate::status::CheckStatus;

/// What each version wrote of the same course ([`live`]), as `.dump` of sqlite3 prints it.
const FIXTURES: [&str; 1] = [include_str!("fixtures/version-1.sql")];

/// The course: three hours of rounds, the last of them down, an incident, the state, and a message.
fn live(path: &Path) {
    let (history, _) = History::start(settings(HistoryPlace::file(path))).unwrap();
    for nth in 0..37 {
        let status = if nth < 30 { CheckStatus::Ok } else { CheckStatus::Down };
        history.record(round("shop", second(300 * nth), status), None);
    }
    history.record(round("shop", second(11_100), CheckStatus::Down), Some("{\"evidence\": 1}".to_owned()));
    let state = vec![("incidents".to_owned(), "1".to_owned())];
    history.commit(Step { state, changes: changes(), messages: vec![message("a", 1)], done: Vec::new() });
    assert!(history.close(SOON));
}

/// An incident that opens and ends.
fn changes() -> Vec<Change> {
    let mut incidents = Incidents::default();
    let address = Place::Address("192.0.2.1:80".to_owned());
    let down = Trouble::new(TroubleKind::Down, "down");
    let mut observe = |observation: &Observation, at: i64| {
        let stands_for = Duration::from_secs(45);
        let round = Round {
            check: "shop",
            observation,
            summary: "in words".to_owned(),
            stands_for,
            took: Duration::ZERO,
        };
        incidents.observe(&round, second(at))
    };
    let mut changes = observe(&Observation::of_trouble([(address.clone(), down)]), 9_000);
    changes.extend(observe(&Observation::of_proof([address]), 11_400));
    changes
}

/// Everything of the course is there.
fn check(path: &Path) {
    let (history, restored) = History::start(settings(HistoryPlace::file(path))).unwrap();
    assert_eq!(restored.state.get("incidents").map(String::as_str), Some("1"));
    assert_eq!(restored.outbox, [message("a", 1)]);
    let reader = history.reader().unwrap();
    let all = range(0, 11_400, 11_400);
    assert_eq!(reader.rounds("shop", all, 100).unwrap().len(), 38);
    assert_eq!(reader.outcome("shop", second(11_100)).unwrap().as_deref(), Some("{\"evidence\": 1}"));
    let times = reader.period("shop", all).unwrap().unwrap().summary.times;
    let seconds = Duration::from_secs;
    assert_eq!((times.ok, times.down, times.total()), (seconds(30 * 45), seconds(8 * 45), seconds(11_400)));
    let incidents = reader.incidents(all, 10).unwrap();
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0].changes, changes());
    assert_eq!((incidents[0].since, incidents[0].until), (second(9_000), Some(second(11_400))));
    assert_eq!(reader.incident(&incidents[0].id).unwrap().as_ref(), Some(&incidents[0]));
    assert_eq!(reader.incidents(range(12_000, 13_000, 13_000), 10).unwrap(), []);
}

#[test]
fn a_file_of_every_version_is_read_and_becomes_one_of_today() {
    assert_eq!(FIXTURES.len(), schema::MIGRATIONS.len(), "a version has no file");
    for (version, fixture) in (1_i64..).zip(FIXTURES) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nowcheck.db");
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch(fixture).unwrap();
        connection.pragma_update(None, "application_id", schema::APPLICATION_ID).unwrap();
        connection.pragma_update(None, "user_version", version).unwrap();
        drop(connection);
        check(&path);
        let connection = Connection::open(&path).unwrap();
        let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        assert_eq!(version, schema::newest());
    }
}

#[test]
fn what_is_written_today_is_what_the_test_of_versions_expects() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nowcheck.db");
    live(&path);
    check(&path);
}
