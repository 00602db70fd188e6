//! What a reader should know beside the verdict on one address.

use std::sync::Arc;
use std::time::Duration;

use clock_offset::{
    Conclusion, Evidence, Gentleness, KeepsRejecting, Plan, Shown, Span, UnixInstant, Verdict,
    connections_needed, resembles_time_zone,
};
use http::header::DATE;

use super::Sampling;
use crate::answer::Field;
use crate::outcome::{Cause, Failure, Finding, Note};

impl Sampling<'_> {
    pub(super) fn notes(&self, conclusion: &Conclusion, finding: &Finding, now: UnixInstant) -> Vec<Note> {
        let is_stale = matches!(finding, Finding::Stale(_));
        let mut notes = if is_stale { Vec::new() } else { notes_on(&self.plan, conclusion) };
        let answered = !conclusion.backends.is_empty();
        if self.target.tls && !self.round.check.trust.verifies() {
            notes.push(Note::NotVerified);
        }
        if self.lost > 0 {
            notes.push(Note::KeptConnectionsLost { count: self.lost });
        }
        let Gentleness { connections, limits_rate, pause, rejected, keeps_rejecting, .. } =
            conclusion.gentleness;
        if answered && let Some(KeepsRejecting { asked, rejected }) = keeps_rejecting {
            notes.push(Note::KeepsRejecting { asked, rejected, pause });
        } else if answered && limits_rate {
            notes.push(Note::RateLimited { pause, rejected });
        } else if answered && let Some(connections) = connections {
            notes.push(Note::FewConnections { connections, rejected });
        }
        let check = &self.round.check;
        let has_missed = conclusion.miss_probability > check.miss_probability;
        let had_time = |failure: &Failure| !matches!(failure.cause, Cause::TooLittleTime(_));
        if answered && has_missed && !is_stale && !finding.failure().is_some_and(had_time) {
            let seen = conclusion.backends.len();
            let needed = Some(connections_needed(seen, check.miss_probability));
            notes.push(Note::BackendsMayBeMissing { needed });
        }
        let cache = check.time.date_cache;
        if answered && check.time.field == Field::Header(DATE) && cache > Duration::ZERO {
            notes.push(Note::DateMayBeCached { cache });
        }
        if self.clocks.iter().flatten().any(|clock| clock.status == "unsynchronized") {
            notes.push(Note::ServerUnsynchronized);
        }
        if let Some(certificate) = self.certificate
            && certificate.ends_soon(now)
        {
            notes.push(Note::CertificateEndsSoon { left: certificate.left(now) });
        }
        notes
    }
}

fn several_nameless(plan: &Plan, conclusion: &Conclusion) -> Note {
    let clocks = conclusion.backends.iter().filter(|judged| judged.backend.instance.is_none()).count();
    // What each answer says of the offset from the monotonic clock; a time of day says nothing of its day.
    let said = plan.samples().iter().filter(|sample| sample.instance.is_none()).filter_map(|sample| {
        let Shown::Instant(shown) = sample.reading.shown else { return None };
        let earliest = shown.earliest().as_nanos() - sample.received.as_nanos();
        Some((earliest, shown.latest().as_nanos() - sample.sent.as_nanos()))
    });
    let ends = said.reduce(|(latest_start, first_end), (earliest, latest)| {
        (latest_start.max(earliest), first_end.min(latest))
    });
    let apart =
        ends.map_or(Span::ZERO, |(latest_start, first_end)| Span::from_nanos(latest_start - first_end));
    Note::SeveralNamelessClocks { clocks, apart: apart.max(Span::ZERO) }
}

fn notes_on(plan: &Plan, conclusion: &Conclusion) -> Vec<Note> {
    let mut notes = Vec::new();
    if plan.samples().iter().any(|sample| matches!(sample.reading.shown, Shown::TimeOfDay(_))) {
        notes.push(Note::WholeDaysUnseen);
    }
    if !conclusion.backends_are_counted {
        notes.push(Note::BackendsUncounted);
    }
    if conclusion.one_clock_is_believed {
        notes.push(Note::OneClockAssumed);
    }
    for judged in &conclusion.backends {
        if judged.verdict == Verdict::Desynchronized
            && let Some(zone) = resembles_time_zone(&judged.offset)
        {
            notes.push(Note::ResemblesTimeZone { zone });
        }
        if matches!(judged.backend.evidence, Evidence::ToldApart | Evidence::SeveralCaches) {
            let note = match &judged.backend.instance {
                Some(instance) => Note::ClockStepped { instance: Arc::clone(instance) },
                None => several_nameless(plan, conclusion),
            };
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
    notes
}
