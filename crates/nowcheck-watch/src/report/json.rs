//! The report as one JSON object. Its schema is `contract/nowcheck-report.schema.json`.

use std::time::Duration;

use jiff::Timestamp;
use nowcheck::text::figures::{decimal_duration, decimal_seconds};
use serde::Serialize;
use serde_json::{Number, Value, json};

use super::clock::{Clock, Drift, Expected};
use super::words;
use super::{CheckReport, Report};
use crate::availability::FourTimes;
use crate::history::{PastIncident, RoundCounts, Summary};
use crate::incident::{OffsetBounds, Scope};
use crate::plot::HIGH_QUANTILE;
use crate::status::CheckStatus;
use crate::timestamps::elapsed;

/// The version of the schema: a new one when a program that reads the old one could go wrong.
const SCHEMA_VERSION: u32 = 1;

/// Bounds in seconds.
#[derive(Debug, Serialize)]
pub(crate) struct Bounds {
    lower: Number,
    upper: Number,
}

/// Everything, with all digits, on one line.
#[must_use]
pub fn json(report: &Report) -> String {
    let document = json!({
        "schema_version": SCHEMA_VERSION,
        "generated_at": report.range.now,
        "from": report.range.from,
        "to": report.range.to,
        "checks": report.checks.iter().map(check).collect::<Vec<_>>(),
        "incidents": report.incidents.iter().map(|past| incident(past, report.range.now)).collect::<Vec<_>>(),
    });
    document.to_string() + "\n"
}

fn check(check: &CheckReport) -> Value {
    let watched = check.watched.as_ref();
    let points = check.points.iter().filter(|point| !point.summary.times.total().is_zero());
    json!({
        "name": check.name,
        "url": watched.map(|watched| &watched.url),
        "every_seconds": watched.map(|watched| seconds(watched.every)),
        "max_offset_seconds": check.limit().map(seconds),
        "period": stretch(check.period.from, check.period.to, &check.period.summary),
        "availability": check.period.summary.times.availability().map(|(least, greatest)| {
            json!({ "least": least, "greatest": greatest })
        }),
        "certificate_expires_at": check.certificate_expiry,
        "clocks": check.clocks.iter().map(clock).collect::<Vec<_>>(),
        "points": points.map(|point| stretch(point.from, point.to, &point.summary)).collect::<Vec<_>>(),
    })
}

/// What a stretch of time came to.
pub(crate) fn stretch(from: Timestamp, to: Timestamp, summary: &Summary) -> Value {
    let quantile = |share: f64| summary.round_trips.quantile(share).map(seconds);
    json!({
        "from": from,
        "to": to,
        "times_seconds": times(&summary.times),
        "rounds": rounds(&summary.rounds),
        "offset": summary.offset.map(bounds),
        "round_trip": quantile(0.5).map(|median| json!({ "median": median, "p95": quantile(HIGH_QUANTILE) })),
    })
}

fn times(times: &FourTimes) -> Value {
    json!({
        "ok": seconds(times.ok),
        "wrong": seconds(times.wrong),
        "down": seconds(times.down),
        "unknown": seconds(times.unknown),
    })
}

fn rounds(counts: &RoundCounts) -> Value {
    let count = |status: CheckStatus| (status.name().to_owned(), Value::from(counts.of(status)));
    CheckStatus::ALL.into_iter().map(count).collect()
}

fn clock(clock: &Clock) -> Value {
    json!({
        "instance": clock.instance,
        "first": clock.first,
        "last": clock.last,
        "rounds": clock.rounds,
        "offset": bounds(clock.offset),
        "drift": clock.drift.as_ref().map(drift),
    })
}

fn drift(drift: &Drift) -> Value {
    let exceeds = drift.expected.map(|expected| match expected {
        Expected::Never => json!({ "earliest": null, "latest": null }),
        Expected::NotBefore(earliest) => json!({ "earliest": earliest, "latest": null }),
        Expected::Within(earliest, latest) => json!({ "earliest": earliest, "latest": latest }),
    });
    json!({
        "since": drift.since,
        "until": drift.until,
        "ratio": { "lower": drift.rate.lower, "upper": drift.rate.upper },
        "limit_exceeded": exceeds,
    })
}

/// An incident, as it is at this instant.
pub(crate) fn incident(incident: &PastIncident, now: Timestamp) -> Value {
    let (check, part) = match &incident.scope {
        Scope::Check(name) => (Some(name.clone()), None),
        Scope::Monitor(part) => (None, Some(part.to_string())),
    };
    let changes: Vec<Value> = incident
        .changes
        .iter()
        .map(|change| {
            let (what, reason, summary) =
                (words::change(change.kind), &change.reason, &change.evidence.summary);
            json!({ "at": change.at, "what": what, "reason": reason, "summary": summary })
        })
        .collect();
    json!({
        "id": incident.id,
        "check": check,
        "monitor": part,
        "state": words::state(incident),
        "summary": words::summary(incident),
        "since": incident.since,
        "until": incident.until,
        "duration_seconds": seconds(elapsed(incident.since, incident.until.unwrap_or(now))),
        "changes": changes,
    })
}

/// Bounds on an offset, in seconds with all digits.
pub(crate) fn bounds(offset: OffsetBounds) -> Bounds {
    Bounds { lower: number(&decimal_seconds(offset.lower)), upper: number(&decimal_seconds(offset.upper)) }
}

/// Seconds with all digits.
pub(crate) fn seconds(length: Duration) -> Number {
    number(&decimal_duration(length))
}

fn number(decimal: &str) -> Number {
    // A decimal number without an exponent is always a number of JSON.
    decimal.parse().unwrap_or_else(|_| Number::from(0))
}
