//! One JSON object a round, on one line. Its schema is `contract/nowcheck.schema.json`.

use std::time::Duration;

use clock_offset::{Interval, Limits, Offset};
use serde::Serialize;
use serde_json::value::RawValue;

use super::Words;
use crate::clock::Synchronization;
use crate::outcome::{
    AnswerProblem, BackendOutcome, CertificateOutcome, Failure, Leap, Outcome, Phases, Reason,
    ReferenceOutcome, SYSTEM, SourceOutcome, SourceStanding, Standing, Status, TargetOutcome,
};
use crate::target::shown_location;
use crate::text::figures;
use crate::text::printable;

/// The version of the schema: a new one when a program that reads the old one could go wrong.
const SCHEMA_VERSION: u32 = 1;

/// A number that is written with all of its digits and without an exponent.
type Number = Box<RawValue>;

#[derive(Serialize)]
struct Document<'a> {
    schema_version: u32,
    checked_at: String,
    duration: Number,
    status: &'a str,
    reason: &'a str,
    summary: String,
    limits: LimitsView,
    reference: ReferenceView<'a>,
    targets: Vec<TargetView<'a>>,
}

#[derive(Serialize)]
struct LimitsView {
    max_offset: Number,
    warn_offset: Option<Number>,
}

#[derive(Serialize)]
struct ReferenceView<'a> {
    source: &'static str,
    status: &'static str,
    max_error: Option<Number>,
    local_offset: Option<OffsetView>,
    sources: Vec<SourceView<'a>>,
    notes: Vec<NoteView>,
}

#[derive(Serialize)]
struct NoteView {
    code: &'static str,
    message: String,
}

#[derive(Serialize)]
struct SourceView<'a> {
    name: &'a str,
    address: Option<String>,
    status: &'static str,
    offset: Option<OffsetView>,
    stratum: Option<u8>,
    leap: Option<&'static str>,
    root_delay: Option<Number>,
    root_dispersion: Option<Number>,
    round_trip: Option<Number>,
    smears: Option<bool>,
    message: Option<String>,
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
    certificate: Option<CertificateView>,
    connections: u32,
    requests: u32,
    discarded: DiscardedView,
    miss_probability: Option<f64>,
    backends: Vec<BackendView<'a>>,
    notes: Vec<NoteView>,
}

#[derive(Serialize)]
struct FailureView<'a> {
    phase: &'a str,
    kind: &'a str,
    message: String,
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
struct CertificateView {
    expires_at: String,
    days_left: Number,
}

#[derive(Serialize)]
struct DiscardedView {
    suspended: u32,
    clock_step: u32,
    scheduling: u32,
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
pub fn line(outcome: &Outcome, words: Words<'_>) -> serde_json::Result<String> {
    let limits = &outcome.limits;
    serde_json::to_string(&Document {
        schema_version: SCHEMA_VERSION,
        checked_at: figures::rfc3339(outcome.checked_at, 9),
        duration: number(outcome.duration)?,
        status: outcome.status().name(),
        reason: outcome.reason().name(),
        summary: words.summary(outcome),
        limits: LimitsView {
            max_offset: number(limits.max_offset)?,
            warn_offset: limits.warn_offset.map(number).transpose()?,
        },
        reference: reference(&outcome.reference, &outcome.limits, words)?,
        targets: outcome
            .targets
            .iter()
            .map(|target| view(target, outcome, words))
            .collect::<Result<_, _>>()?,
    })
}

fn number(duration: Duration) -> serde_json::Result<Number> {
    RawValue::from_string(figures::decimal_duration(duration))
}

fn offset(offset: Offset) -> serde_json::Result<Number> {
    RawValue::from_string(figures::decimal_seconds(offset.as_nanos()))
}

fn interval(interval: &Interval<Offset>) -> serde_json::Result<OffsetView> {
    Ok(OffsetView {
        estimate: offset(interval.midpoint())?,
        earliest: offset(interval.earliest())?,
        latest: offset(interval.latest())?,
    })
}

fn reference<'a>(
    reference: &'a ReferenceOutcome,
    limits: &Limits,
    words: Words<'_>,
) -> serde_json::Result<ReferenceView<'a>> {
    Ok(ReferenceView {
        source: match (reference.lists_system(), reference.asks_servers()) {
            (_, false) => SYSTEM,
            (false, true) => "ntp",
            (true, true) => "system+ntp",
        },
        status: match (reference.standing, reference.system) {
            (Standing::Agreed, _) => "synchronized",
            (Standing::Trusted, _) => "trusted",
            (Standing::Disagreement, _) => "disagreement",
            (Standing::Unreachable, _) => "unreachable",
            (Standing::OnlyUnvouched, Synchronization::Unknown) => "unknown",
            (Standing::OnlyUnvouched, _) => "unsynchronized",
        },
        max_error: reference.max_error.map(number).transpose()?,
        local_offset: reference.local_offset.as_ref().map(interval).transpose()?,
        sources: reference.sources.iter().map(|one| source(one, words)).collect::<Result<_, _>>()?,
        notes: reference
            .notes(limits)
            .iter()
            .map(|note| NoteView { code: note.code(), message: words.reference_note(note) })
            .collect(),
    })
}

fn source<'a>(source: &'a SourceOutcome, words: Words<'_>) -> serde_json::Result<SourceView<'a>> {
    let facts = source.facts.as_ref();
    Ok(SourceView {
        name: &source.name,
        address: source.address.map(|address| address.to_string()),
        status: match &source.standing {
            SourceStanding::Truechimer => "truechimer",
            SourceStanding::Trusted => "trusted",
            SourceStanding::Falseticker => "falseticker",
            SourceStanding::Undecided => "undecided",
            SourceStanding::Silent => "silent",
            SourceStanding::Unusable(_) => "unusable",
            SourceStanding::Duplicate { .. } => "duplicate",
            SourceStanding::NotVouchedFor => "not_vouched_for",
        },
        offset: source.offset.as_ref().map(interval).transpose()?,
        stratum: facts.map(|facts| facts.stratum),
        leap: facts.map(|facts| match facts.leap {
            Leap::None => "none",
            Leap::InsertSecond => "insert",
            Leap::DeleteSecond => "delete",
        }),
        root_delay: facts.map(|facts| number(facts.root_delay)).transpose()?,
        root_dispersion: facts.map(|facts| number(facts.root_dispersion)).transpose()?,
        round_trip: facts.map(|facts| number(facts.round_trip)).transpose()?,
        smears: facts.map(|facts| facts.smears),
        message: words.why_not_used(&source.standing),
    })
}

fn certificate_view(certificate: CertificateOutcome) -> serde_json::Result<CertificateView> {
    const NANOS_PER_MILLIONTH_OF_A_DAY: i128 = 86_400_000;
    let left = certificate.left.as_nanos().div_euclid(NANOS_PER_MILLIONTH_OF_A_DAY);
    let sign = if left < 0 { "-" } else { "" };
    let (whole, rest) = (left.unsigned_abs() / 1_000_000, left.unsigned_abs() % 1_000_000);
    Ok(CertificateView {
        expires_at: figures::rfc3339(certificate.expires_at, 0),
        days_left: RawValue::from_string(format!("{sign}{whole}.{rest:06}"))?,
    })
}

fn view<'a>(
    target: &'a TargetOutcome,
    outcome: &Outcome,
    words: Words<'_>,
) -> serde_json::Result<TargetView<'a>> {
    Ok(TargetView {
        url: &target.url,
        address: target.address.map(|address| address.to_string()),
        status: target.status().name(),
        reason: target.reason().name(),
        summary: words.target_summary(target, &outcome.limits),
        failure: target.finding.failure().map(|failed| failure(failed, words)).transpose()?,
        phases: phases(&target.phases)?,
        certificate: target.certificate.map(certificate_view).transpose()?,
        connections: target.connections,
        requests: target.requests,
        discarded: DiscardedView {
            suspended: target.discarded.suspended,
            clock_step: target.discarded.clock_step,
            scheduling: target.discarded.scheduling,
        },
        miss_probability: target.miss_probability,
        backends: target
            .backends()
            .iter()
            .map(|one| backend(one, outcome.of_backend(target, one)))
            .collect::<Result<_, _>>()?,
        notes: target
            .all_notes()
            .map(|note| NoteView { code: note.code(), message: words.note(&note) })
            .collect(),
    })
}

fn phases(phases: &Phases) -> serde_json::Result<PhasesView> {
    Ok(PhasesView {
        resolve: phases.resolve.map(number).transpose()?,
        connect: phases.connect.map(number).transpose()?,
        tls: phases.tls.map(number).transpose()?,
        wait: phases.wait.map(number).transpose()?,
        transfer: phases.transfer.map(number).transpose()?,
    })
}

fn failure<'a>(failure: &'a Failure, words: Words<'_>) -> serde_json::Result<FailureView<'a>> {
    let answer = failure.answer();
    let (location, body_start) = match answer.map(|fault| &fault.problem) {
        Some(AnswerProblem::Redirect { location, .. }) => (location.as_deref(), None),
        Some(AnswerProblem::NotATime { body_start, .. } | AnswerProblem::TooLarge { body_start, .. }) => {
            (None, Some(body_start.as_str()))
        }
        Some(AnswerProblem::Status(_) | AnswerProblem::WantsTls) | None => (None, None),
    };
    Ok(FailureView {
        phase: failure.phase.name(),
        kind: failure.kind().name(),
        message: words.cause(&failure.cause),
        elapsed: number(failure.elapsed)?,
        http_status: answer.map(|fault| fault.status.as_u16()),
        location: location.map(|to| printable(shown_location(to).as_bytes(), 2_000)),
        body_start,
    })
}

fn backend(
    backend: &BackendOutcome,
    (status, reason): (Status, Reason),
) -> serde_json::Result<BackendView<'_>> {
    Ok(BackendView {
        instance: backend.instance.as_deref(),
        status: status.name(),
        reason: reason.name(),
        offset: interval(&backend.offset)?,
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
