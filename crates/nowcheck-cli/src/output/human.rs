//! The outcome for people: the verdict first, the evidence below it, and what to do when it is not OK.

use std::fmt::Write;

use nowcheck::outcome::{BackendOutcome, Doubt, Note, Outcome, Status, TargetOutcome};
use nowcheck::report::place;
use nowcheck::text::figures;

use crate::setting_names::words;

use super::color::painted;

/// More backends than that of one address are only counted.
const MOST_BACKENDS: usize = 16;

/// A round as a few lines, each with its line feed. Holds color codes; whoever prints strips them where they
/// are not wanted.
#[must_use]
pub(crate) fn lines(outcome: &Outcome) -> String {
    let mut text = String::new();
    for target in &outcome.targets {
        target_lines(&mut text, target, outcome);
    }
    if outcome.has_measured() || outcome.reference.asks_servers() {
        push(&mut text, &format!("    reference: {}", words().reference(&outcome.reference)));
        for note in outcome.reference.notes(&outcome.limits) {
            push(&mut text, &format!("    note: {}", words().reference_note(&note)));
        }
    }
    text
}

/// A round as one line, for a log of many.
#[must_use]
pub(crate) fn line(outcome: &Outcome) -> String {
    let worst = outcome.worst().map(place).unwrap_or_default();
    let at = figures::rfc3339(outcome.checked_at, 0);
    let summary = words().summary(outcome);
    // With several addresses the summary itself says which one it is about, or that it is about all.
    let urls: Vec<&str> = outcome.targets.iter().map(|target| target.url.as_str()).collect();
    let place = match urls[..] {
        [_] => format!("  {worst}"),
        [first, ..] if outcome.status() == Status::Ok && urls.iter().all(|url| *url == first) => {
            format!("  {first}")
        }
        _ => String::new(),
    };
    format!("{at}  {}{place}  {summary}\n", painted(outcome.status(), 8))
}

fn target_lines(text: &mut String, target: &TargetOutcome, outcome: &Outcome) {
    let summary = words().target_summary(target, &outcome.limits);
    push(text, &format!("{}  {}  {summary}", painted(target.status(), 0), place(target)));
    for backend in target.backends().iter().take(MOST_BACKENDS) {
        let (status, _) = outcome.of_backend(target, backend);
        backend_line(text, target, backend, status);
    }
    if target.backends().len() > MOST_BACKENDS {
        push(
            text,
            &format!(
                "    … and {} more; --output json has them all",
                target.backends().len() - MOST_BACKENDS
            ),
        );
    }
    if target.finding.failure().is_some() || !target.backends().is_empty() {
        push(text, &format!("    {}", evidence(target)));
    }
    for note in target.all_notes() {
        // The reference has a line of its own.
        if note != Note::Doubt(Doubt::ReferenceNotVouchedFor) {
            push(text, &format!("    note: {}", words().note(&note)));
        }
    }
    if let Some(step) = words().next_step(target, &outcome.limits) {
        push(text, &format!("    next: {step}"));
    }
}

fn backend_line(text: &mut String, target: &TargetOutcome, backend: &BackendOutcome, status: Status) {
    let address = target.address.map(|address| address.to_string()).unwrap_or_default();
    let instance =
        backend.instance.as_deref().map_or_else(String::new, |instance| format!("  instance {instance}"));
    let mark = if target.backends().len() > 1 { format!("{}  ", painted(status, 8)) } else { String::new() };
    let trip = &backend.round_trip;
    push(
        text,
        &format!(
            "    {mark}{address}{instance}  offset {}  round trip {} (median {})",
            figures::offset(&backend.offset),
            figures::length(trip.min),
            figures::length(trip.median),
        ),
    );
}

/// How much was asked, and how long each phase of the first request took.
fn evidence(target: &TargetOutcome) -> String {
    let mut text =
        format!("{}, {}", counted(target.requests, "request"), counted(target.connections, "connection"));
    if let Some(missed) = target.miss_probability {
        // Writing to a string cannot fail.
        let _ = write!(text, "; chance that a backend was missed: at most {}", figures::percent(missed));
    }
    let discarded = &target.discarded;
    for (count, why) in [
        (discarded.suspended, "this machine was suspended"),
        (discarded.clock_step, "this machine's clock was stepped"),
        (discarded.scheduling, "this machine was too busy"),
    ] {
        if count > 0 {
            let _ = write!(text, "; {} discarded, because {why}", counted(count, "answer"));
        }
    }
    if let Some(certificate) = target.certificate {
        let day = figures::rfc3339(certificate.expires_at, 0);
        let _ = write!(
            text,
            "; certificate valid until {day} ({})",
            figures::length(certificate.left.positive_part())
        );
    }
    let took: Vec<String> =
        target.phases.named().map(|(name, took)| format!("{name} {}", figures::length(took))).collect();
    if !took.is_empty() {
        let _ = write!(text, "; {}", took.join(", "));
    }
    text
}

fn counted(count: u32, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn push(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}
