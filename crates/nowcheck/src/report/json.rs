//! One JSON object a round, on one line. Its schema is `contract/nowcheck.schema.json`.

use std::time::Duration;

use clock_offset::Offset;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::clock::Synchronisation;
use crate::outcome::{BackendOutcome, Outcome, TargetOutcome};
use crate::probe::failure::{Failure, Kind};
use crate::probe::server_time::printable;
use crate::report::{figures, words};
use crate::round::status_of_verdict;

/// A number that is written with all of its digits and without an exponent.
type Number = Box<RawValue>;

#[derive(Serialize)]
struct Round<'a> {
    checked_at: String,
    duration: Number,
    status: &'a str,
    reason: &'a str,
    summary: String,
    limits: LimitsView,
    reference: ReferenceView,
    targets: Vec<TargetView<'a>>,
}

#[derive(Serialize)]
struct LimitsView {
    max_offset: Number,
    warn_offset: Option<Number>,
}

#[derive(Serialize)]
struct ReferenceView {
    source: &'static str,
    status: &'static str,
    max_error: Option<Number>,
}

#[derive(Serialize)]
struct TargetView<'a> {
    url: &'a str,
    address: Option<String>,
    status: &'a str,
    reason: &'a str,
    summary: String,
    failure: Option<FailureView<'a>>,
    phases: PhasesView,
    connections: u32,
    requests: u32,
    miss_probability: Option<f64>,
    backends: Vec<BackendView<'a>>,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct FailureView<'a> {
    phase: &'a str,
    kind: &'a str,
    message: &'a str,
    elapsed: Number,
    http_status: Option<u16>,
    location: Option<String>,
    body_start: Option<&'a str>,
}

#[derive(Serialize)]
struct PhasesView {
    resolve: Option<Number>,
    connect: Option<Number>,
    tls: Option<Number>,
    wait: Option<Number>,
    transfer: Option<Number>,
}

#[derive(Serialize)]
struct BackendView<'a> {
    instance: Option<&'a str>,
    status: &'a str,
    reason: &'a str,
    offset: OffsetView,
    samples: usize,
    round_trip: RoundTripView,
    clock: Option<ClockView<'a>>,
}

#[derive(Serialize)]
struct OffsetView {
    estimate: Number,
    earliest: Number,
    latest: Number,
}

#[derive(Serialize)]
struct RoundTripView {
    min: Number,
    median: Number,
    max: Number,
}

#[derive(Serialize)]
struct ClockView<'a> {
    status: &'a str,
    max_error: Option<f64>,
}

/// The outcome as one line, without its line feed.
///
/// # Errors
/// When a figure is not a JSON number, which would be a mistake in this crate.
pub fn line(outcome: &Outcome) -> serde_json::Result<String> {
    let limits = &outcome.limits;
    serde_json::to_string(&Round {
        checked_at: figures::rfc3339(outcome.checked_at, 9),
        duration: number(outcome.duration)?,
        status: outcome.status().name(),
        reason: outcome.reason().name(),
        summary: words::summary(outcome),
        limits: LimitsView {
            max_offset: number(limits.max_offset)?,
            warn_offset: limits.warn_offset.map(number).transpose()?,
        },
        reference: reference(&outcome.reference)?,
        targets: outcome.targets.iter().map(|target| view(target, outcome)).collect::<Result<_, _>>()?,
    })
}

fn number(duration: Duration) -> serde_json::Result<Number> {
    RawValue::from_string(figures::decimal_duration(duration))
}

fn offset(offset: Offset) -> serde_json::Result<Number> {
    RawValue::from_string(figures::decimal_seconds(offset.as_nanos()))
}

fn reference(synchronisation: &Synchronisation) -> serde_json::Result<ReferenceView> {
    let status = match synchronisation {
        Synchronisation::Synchronized { .. } => "synchronized",
        Synchronisation::Unsynchronized => "unsynchronized",
        Synchronisation::Unknown => "unknown",
    };
    let max_error = synchronisation.max_error().map(number).transpose()?;
    Ok(ReferenceView { source: "system", status, max_error })
}

fn view<'a>(target: &'a TargetOutcome, outcome: &Outcome) -> serde_json::Result<TargetView<'a>> {
    let phases = &target.phases;
    Ok(TargetView {
        url: &target.url,
        address: target.address.map(|address| address.to_string()),
        status: target.status.name(),
        reason: target.reason.name(),
        summary: words::target_summary(target, &outcome.limits),
        failure: target.failure.as_ref().map(failure).transpose()?,
        phases: PhasesView {
            resolve: phases.resolve.map(number).transpose()?,
            connect: phases.connect.map(number).transpose()?,
            tls: phases.tls.map(number).transpose()?,
            wait: phases.wait.map(number).transpose()?,
            transfer: phases.transfer.map(number).transpose()?,
        },
        connections: target.connections,
        requests: target.requests,
        miss_probability: target.miss_probability,
        backends: target.backends.iter().map(backend).collect::<Result<_, _>>()?,
        notes: target.notes.iter().map(words::note).collect(),
    })
}

fn failure(failure: &Failure) -> serde_json::Result<FailureView<'_>> {
    let (http_status, location, body_start) = match &failure.kind {
        Kind::Status { status } => (Some(*status), None, None),
        Kind::Redirect { status, location } => (Some(*status), location.as_deref(), None),
        Kind::NotATime { status, body_start } | Kind::TooLarge { status, body_start } => {
            (Some(*status), None, Some(body_start.as_str()))
        }
        _ => (None, None, None),
    };
    Ok(FailureView {
        phase: failure.phase.name(),
        kind: failure.kind.name(),
        message: &failure.message,
        elapsed: number(failure.elapsed)?,
        http_status,
        location: location.map(|to| printable(to.as_bytes(), 2_000)),
        body_start,
    })
}

fn backend(backend: &BackendOutcome) -> serde_json::Result<BackendView<'_>> {
    let (status, reason) = status_of_verdict(backend.verdict);
    Ok(BackendView {
        instance: backend.instance.as_deref(),
        status: status.name(),
        reason: reason.name(),
        offset: OffsetView {
            estimate: offset(backend.offset.midpoint())?,
            earliest: offset(backend.offset.earliest())?,
            latest: offset(backend.offset.latest())?,
        },
        samples: backend.samples,
        round_trip: RoundTripView {
            min: number(backend.round_trip.min)?,
            median: number(backend.round_trip.median)?,
            max: number(backend.round_trip.max)?,
        },
        clock: backend
            .clock
            .as_ref()
            .map(|clock| ClockView { status: &clock.status, max_error: clock.max_error }),
    })
}
