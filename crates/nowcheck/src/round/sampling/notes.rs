//! What a reader should know beside the verdict on one address.

use std::sync::Arc;
use std::time::Duration;

use clock_offset::{
    Conclusion, Evidence, Gentleness, Plan, Shown, UnixInstant, Verdict, resembles_time_zone,
};
use http::header::DATE;

use super::Sampling;
use crate::answer::Field;
use crate::outcome::{Finding, Note};

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
        let Gentleness { connections, limits_rate, pause, rejected, .. } = conclusion.gentleness;
        if answered && limits_rate {
            notes.push(Note::RateLimited { pause, rejected });
        } else if answered && let Some(connections) = connections {
            notes.push(Note::FewConnections { connections, rejected });
        }
        let check = &self.round.check;
        let has_missed = conclusion.miss_probability > check.miss_probability;
        if answered && has_missed && !is_stale && finding.failure().is_none() {
            notes.push(Note::BackendsMayBeMissing);
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
        if judged.backend.evidence == Evidence::ToldApart {
            let note = match &judged.backend.instance {
                Some(instance) => Note::ClockStepped { instance: Arc::clone(instance) },
                None => Note::SeveralNamelessClocks,
            };
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
    notes
}
