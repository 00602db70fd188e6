//! `/api/v1/incidents`: what happened, as it was stored.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde_json::json;

use super::past;
use super::times::range;
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
    let found = match past::read(served, move |reader| reader.incidents(range, MOST)).await {
        Ok(found) => found,
        Err(reply) => return *reply,
    };
    let is_wanted = |scope: &Scope| match (query.get("check"), scope) {
        (None, _) => true,
        (Some(wanted), Scope::Check(check)) => wanted == check,
        (Some(_), Scope::Monitor(_)) => false,
    };
    let wanted = found.iter().filter(|incident| is_wanted(&incident.scope));
    let incidents: Vec<_> = wanted.map(|incident| report::incident(incident, now)).collect();
    let document = json!({ "from": range.from, "to": range.to, "incidents": incidents });
    unless_known(headers, &incidents, || respond::json(&document))
}

/// One incident.
pub(super) async fn one(served: &Served, headers: &HeaderMap, id: String, now: Timestamp) -> Reply {
    match past::read(served, move |reader| reader.incident(&id)).await {
        Ok(Some(found)) => {
            let document = report::incident(&found, now);
            unless_known(headers, &document, || respond::json(&document))
        }
        Ok(None) => {
            problem(StatusCode::NOT_FOUND, "there is no incident of that name; /api/v1/incidents lists them")
        }
        Err(reply) => *reply,
    }
}
