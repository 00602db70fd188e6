//! `/api/v1/checks`: the board as JSON.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::board::{BackendState, CheckState, Unlisted};
use crate::drift::DriftBounds;
use crate::figures::seconds;
use crate::incident::OffsetBounds;
use crate::web::Served;

/// All checks.
#[derive(Debug, Serialize)]
pub(super) struct AllChecks {
    monitor: String,
    at: Timestamp,
    checks: Vec<Check>,
}

impl AllChecks {
    /// What differs when something has changed: all but the instant.
    pub(super) fn content(&self) -> &[Check] {
        &self.checks
    }
}

/// One check.
#[derive(Debug, Serialize)]
pub(super) struct Check {
    name: String,
    url: String,
    labels: BTreeMap<String, String>,
    every_seconds: f64,
    max_offset_seconds: f64,
    public: bool,
    status: &'static str,
    reason: String,
    since: Timestamp,
    summary: Option<String>,
    advice: Option<String>,
    offset: Option<Bounds>,
    round_trip_seconds: Option<f64>,
    round: Option<Round>,
    next_round: Option<Timestamp>,
    backends: Vec<Backend>,
    backends_note: Option<String>,
    drift: Option<Ratios>,
    faulty_backend_found_within_seconds: Option<f64>,
    incident: Option<String>,
    certificate_expires_at: Option<Timestamp>,
    rounds: BTreeMap<String, u64>,
    missed: BTreeMap<&'static str, u64>,
}

/// The latest round.
#[derive(Debug, Serialize)]
struct Round {
    at: Timestamp,
    duration_seconds: f64,
    lateness_seconds: f64,
    requests: u32,
    full_because: Option<&'static str>,
}

/// A clock behind a check.
#[derive(Debug, Serialize)]
struct Backend {
    instance: Option<String>,
    address: String,
    status: &'static str,
    offset: Bounds,
    last_heard: Timestamp,
}

/// Bounds on an offset, in seconds.
#[derive(Debug, Serialize)]
struct Bounds {
    lower: f64,
    upper: f64,
}

/// Bounds on a drift, as ratios.
#[derive(Debug, Serialize)]
struct Ratios {
    lower: f64,
    upper: f64,
}

impl From<DriftBounds> for Ratios {
    fn from(bounds: DriftBounds) -> Self {
        Self { lower: bounds.lower, upper: bounds.upper }
    }
}

impl From<OffsetBounds> for Bounds {
    fn from(bounds: OffsetBounds) -> Self {
        Self { lower: seconds(bounds.lower), upper: seconds(bounds.upper) }
    }
}

impl From<&BackendState> for Backend {
    fn from(backend: &BackendState) -> Self {
        Self {
            instance: backend.instance.clone(),
            address: backend.address.clone(),
            status: backend.status.name(),
            offset: backend.offset.into(),
            last_heard: backend.last_heard,
        }
    }
}

/// Everything about all checks.
pub(super) fn checks(served: &Served, now: Timestamp) -> AllChecks {
    let checks = served.board.checks();
    let all = checks.iter().map(|state| of(state, incident(served, state), now));
    AllChecks { monitor: served.monitor.clone(), at: now, checks: all.collect() }
}

/// Everything about one check.
pub(super) fn check(served: &Served, name: &str, now: Timestamp) -> Option<Check> {
    served.board.check(name).map(|state| of(&state, incident(served, &state), now))
}

fn incident(served: &Served, state: &CheckState) -> Option<String> {
    served.results.incident_of(&state.identity.name)
}

fn of(state: &CheckState, incident: Option<String>, now: Timestamp) -> Check {
    let identity = &state.identity;
    let latest = state.latest.as_ref();
    let mut rounds = BTreeMap::new();
    for ((status, _), count) in &state.counters.rounds {
        *rounds.entry(status.name().to_owned()).or_default() += count;
    }
    Check {
        name: identity.name.clone(),
        url: identity.url.clone(),
        labels: identity.labels.clone(),
        every_seconds: identity.every.as_secs_f64(),
        max_offset_seconds: identity.max_offset.as_secs_f64(),
        public: identity.is_public,
        status: state.status_at(now).name(),
        reason: state.reason_at(now).to_owned(),
        since: state.since_at(now),
        summary: latest.map(|latest| latest.summary.clone()),
        advice: latest.and_then(|latest| latest.advice.clone()),
        offset: state.offset_at(now).map(Bounds::from),
        round_trip_seconds: latest.and_then(|latest| latest.round_trip).map(|took| took.as_secs_f64()),
        round: latest.map(|latest| Round {
            at: latest.at,
            duration_seconds: latest.duration.as_secs_f64(),
            lateness_seconds: latest.lateness.as_secs_f64(),
            requests: latest.requests,
            full_because: latest.full_because,
        }),
        next_round: state.next_round,
        backends: state.backends.iter().map(Backend::from).collect(),
        backends_note: state.unlisted.map(Unlisted::sentence),
        drift: state.drift.map(Ratios::from),
        faulty_backend_found_within_seconds: state.found_within.map(|within| within.as_secs_f64()),
        incident,
        certificate_expires_at: latest.and_then(|latest| latest.certificate_expires_at),
        rounds,
        missed: state.counters.missed.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::testing::ok_until;

    #[test]
    fn a_check_is_unknown_since_its_result_stands_no_more_and_has_no_offset() {
        let end = Timestamp::from_second(60).unwrap();
        let (state, last) = (ok_until(end), Timestamp::from_second(59).unwrap());
        let check = of(&state, None, last);
        assert_eq!((check.status, check.since, check.offset.is_some()), ("ok", Timestamp::UNIX_EPOCH, true));
        let check = of(&state, None, end);
        assert_eq!((check.status, check.since, check.offset.is_some()), ("unknown", end, false));
        assert_eq!(check.summary.unwrap(), "in sync", "the latest round is told all the same");
    }
}
