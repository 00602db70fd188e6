//! `/api/v1/incidents`: what happened, as it was stored.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::past;
use super::times::range;
use crate::history::{HistoryError, HistoryReader, PastIncident, Range};
use crate::incident::Scope;
use crate::report;
use crate::web::Served;
use crate::web::conditional::unless_known;
use crate::web::query::Query;
use crate::web::respond::{self, Reply, problem};

/// The time that is meant if none is said.
const USUAL: Duration = Duration::from_hours(7 * 24);

/// Incidents in one answer, at most: the latest.
const MOST: usize = 1_000;

/// Incidents that were open at some time of a range, the latest first.
pub(super) async fn all(served: &Served, headers: &HeaderMap, query: &Query, now: Timestamp) -> Reply {
    let range = match range(query, USUAL, now) {
        Ok(range) => range,
        Err(reply) => return *reply,
    };
    let check = query.get("check").map(str::to_owned);
    let found = match past::read(served, move |reader| latest(reader, check.as_deref(), range)).await {
        Ok(found) => found,
        Err(reply) => return *reply,
    };
    let content: Vec<_> = found.iter().map(content).collect();
    unless_known(headers, &content, || {
        let incidents: Vec<_> = found.iter().map(|incident| report::incident(incident, now)).collect();
        respond::json(&json!({ "from": range.from, "to": range.to, "incidents": incidents }))
    })
}

/// What differs when something has happened: not for how long an incident has been open, which each instant changes.
fn content(incident: &PastIncident) -> Value {
    report::incident(incident, incident.since)
}

/// Those of one check, or all.
fn latest(
    reader: &HistoryReader,
    check: Option<&str>,
    range: Range,
) -> Result<Vec<PastIncident>, HistoryError> {
    match check {
        None => reader.incidents(range, MOST),
        Some(check) => {
            let is_its = |scope: &Scope| matches!(scope, Scope::Check(name) if name == check);
            reader.incidents_of(is_its, range, MOST)
        }
    }
}

/// One incident.
pub(super) async fn one(served: &Served, headers: &HeaderMap, id: String, now: Timestamp) -> Reply {
    match past::read(served, move |reader| reader.incident(&id)).await {
        Ok(Some(found)) => {
            unless_known(headers, &content(&found), || respond::json(&report::incident(&found, now)))
        }
        Ok(None) => {
            problem(StatusCode::NOT_FOUND, "there is no incident of that name; /api/v1/incidents lists them")
        }
        Err(reply) => *reply,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Step;
    use crate::history::testing::in_memory;
    use crate::incident::{Change, ChangeKind, Evidence, Subject, TroubleKind};

    fn opened(check: &str, second: i64) -> Change {
        let at = Timestamp::from_second(second).unwrap();
        Change {
            incident: serde_json::from_value(format!("{second}").into()).unwrap(),
            kind: ChangeKind::Opened,
            scope: Scope::Check(check.to_owned()),
            subject: Subject::Check(check.to_owned()),
            status: Some(TroubleKind::Down),
            reason: "down".to_owned(),
            since: at,
            at,
            evidence: Evidence::default(),
        }
    }

    #[test]
    fn the_content_of_an_open_incident_is_the_same_until_something_happens() {
        let (history, _) = in_memory();
        history.commit(Step { changes: vec![opened("shop", 1)], ..Step::default() });
        assert!(history.flush(Duration::from_secs(20)));
        let read = || history.reader().unwrap().incident("1").unwrap().unwrap();
        let before = content(&read());
        assert_eq!(before, content(&read()));
        let grew =
            Change { kind: ChangeKind::Grew, at: Timestamp::from_second(9).unwrap(), ..opened("shop", 1) };
        history.commit(Step { changes: vec![grew], ..Step::default() });
        assert!(history.flush(Duration::from_secs(20)));
        assert_ne!(before, content(&read()));
    }

    #[test]
    fn the_incidents_of_a_check_are_not_lost_among_those_of_others() {
        let (history, _) = in_memory();
        let mut changes = vec![opened("shop", 1)];
        let others = 2..=i64::try_from(MOST).unwrap() + 1;
        changes.extend(others.map(|second| opened("other", second)));
        history.commit(Step { changes, ..Step::default() });
        assert!(history.flush(Duration::from_secs(20)));
        let reader = history.reader().unwrap();
        let now = Timestamp::from_second(5_000).unwrap();
        let range = Range { from: Timestamp::UNIX_EPOCH, to: now, now };
        let found = latest(&reader, Some("shop"), range).unwrap();
        assert_eq!(found.iter().map(|incident| incident.id.as_str()).collect::<Vec<_>>(), ["1"]);
        assert_eq!(latest(&reader, None, range).unwrap().len(), MOST);
        assert!(latest(&reader, Some("none"), range).unwrap().is_empty());
    }
}
