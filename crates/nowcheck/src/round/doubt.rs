//! What takes a verdict back: a round that was disturbed, a reference that is not good enough, backends that were
//! never met.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use clock_offset::{CERTAINTY, Offset, Verdict};

use crate::clock::Clock;
use crate::outcome::{
    Discarded, Note, Reason, ReferenceOutcome, SourceStanding, Standing, Status, TargetOutcome,
};
use crate::probe::failure::{Failure, Kind};
use crate::reference::Anchor;
use crate::settings::Settings;

/// What happened to this machine in the middle of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disturbance {
    /// It was suspended: the monotonic clock stood still, and connections may have died of it.
    Suspended,
    /// Its clock was stepped, and is the reference or a part of it.
    ClockStep { step: Offset },
}

/// The time since boot, suspended or not, is read beside the monotonic clock and not together with it; below this
/// the two have not moved apart.
const READING_NOISE: Duration = Duration::from_millis(50);

impl Disturbance {
    /// What happened since the time asleep was `suspended` and the reference was read.
    pub(super) fn since(suspended: Duration, anchor: &Anchor, clock: Clock) -> Option<Self> {
        if clock.suspended() > suspended + READING_NOISE {
            return Some(Self::Suspended);
        }
        anchor.step_until(&clock.read_wall()).map(|step| Self::ClockStep { step })
    }

    /// Takes the verdicts back that rest on what it destroyed.
    pub(super) fn take_back(self, mut targets: Vec<TargetOutcome>) -> Vec<TargetOutcome> {
        for target in &mut targets {
            let (note, is_void) = match self {
                // Whatever failed may have failed of the suspension.
                Self::Suspended => (Note::Suspended, true),
                Self::ClockStep { step } => {
                    (Note::WallClockStepped { step }, is_judged_by_the_reference(target))
                }
            };
            if is_void {
                take_verdict_back(target, Reason::CheckerFault);
            }
            if is_void || !target.backends.is_empty() {
                target.notes.push(note);
            }
        }
        targets
    }
}

/// The answers that were discarded because a round was held again, for each address.
#[derive(Debug, Default)]
pub(super) struct Tally(Vec<(String, Option<SocketAddr>, Discarded)>);

impl Tally {
    /// Counts what is discarded now.
    pub(super) fn count(&mut self, disturbance: Disturbance, targets: &[TargetOutcome]) {
        for target in targets {
            let samples = target.backends.iter().map(|backend| backend.samples).sum::<usize>();
            let samples = u32::try_from(samples).unwrap_or(u32::MAX);
            let mut discarded = target.discarded;
            match disturbance {
                Disturbance::Suspended => discarded.suspended += samples,
                Disturbance::ClockStep { .. } => discarded.clock_step += samples,
            }
            self.0.push((target.url.clone(), target.address, discarded));
        }
    }

    /// Adds what was counted to the targets that the last round found.
    pub(super) fn tell(self, targets: &mut [TargetOutcome]) {
        for (url, address, discarded) in self.0 {
            let same = |target: &&mut TargetOutcome| target.url == url && target.address == address;
            if let Some(target) = targets.iter_mut().find(same) {
                target.discarded.suspended += discarded.suspended;
                target.discarded.clock_step += discarded.clock_step;
                target.discarded.scheduling += discarded.scheduling;
            }
        }
    }
}

/// Fewer backends than are known to be there.
pub(super) fn miss_backends(targets: &mut [TargetOutcome], settings: &Settings) {
    let Some(expected) = settings.expected_backends else { return };
    let urls: BTreeSet<String> = targets.iter().map(|target| target.url.clone()).collect();
    for url in urls {
        let of_url = || targets.iter().filter(|target| target.url == url);
        let backends = || of_url().flat_map(|target| &target.backends);
        let named: BTreeSet<&str> = backends().filter_map(|backend| backend.instance.as_deref()).collect();
        let are_nameless = backends().any(|backend| backend.instance.is_none());
        // A URL that is down, or answered with something old, has a worse fault than that.
        let has_answered = of_url().any(|target| !target.backends.is_empty());
        let met = named.len();
        if met >= expected || !has_answered {
            continue;
        }
        // Answers without a name could be of any backend; a round that ended too early has not looked enough; and an
        // address that this machine could not ask may be where the rest of them are.
        let doubt = settings.miss_probability * CERTAINTY;
        let were_looked_for = of_url().all(|target| {
            let is_complete = !target
                .notes
                .iter()
                .any(|note| matches!(note, Note::AddressSkipped { .. } | Note::AddressesUnknown { .. }));
            let was_asked = match &target.failure {
                Some(failure) => !matches!(failure.kind, Kind::Local | Kind::NoRoute),
                None => target.miss_probability.is_some_and(|missed| missed <= doubt),
            };
            is_complete && was_asked
        });
        let is_proven = !are_nameless && were_looked_for;
        let note = Note::BackendsMissing { met, expected, are_nameless };
        for target in targets.iter_mut().filter(|target| target.url == url) {
            if target.failure.is_none() && target.stale.is_none() {
                let (status, reason) = if is_proven {
                    (Status::Critical, Reason::BackendsMissing)
                } else {
                    (Status::Unknown, Reason::Undetermined)
                };
                // A clock that is proven to be wrong stays the reason.
                if status > target.status {
                    (target.status, target.reason) = (status, reason);
                }
                target.notes.push(note.clone());
            }
        }
    }
}

/// Whether the status of a target says something about its clock, so that it is worth no more than the reference.
fn is_judged_by_the_reference(target: &TargetOutcome) -> bool {
    matches!(target.reason, Reason::InSync | Reason::Desynchronised | Reason::Undetermined)
        && !target.backends.is_empty()
}

fn take_verdict_back(target: &mut TargetOutcome, reason: Reason) {
    (target.status, target.reason) = (Status::Unknown, reason);
    for backend in &mut target.backends {
        backend.verdict = Verdict::Undetermined;
    }
}

/// What was compared with a reference is worth no more than that reference.
pub(super) fn doubt_the_reference(targets: &mut [TargetOutcome], anchor: &Anchor, settings: &Settings) {
    let reference = &anchor.outcome;
    let limits = &settings.limits;
    let answered = reference.sources.iter().filter(|source| has_claim(source.standing)).count();
    let asked = reference.sources.len();
    let are_few = asked > 1 && answered * 2 <= asked;
    let too_few = settings.strict && answered * 2 <= asked;
    let wrong = reference.local_offset.filter(|offset| {
        reference.lists_system() && limits.verdict(offset) == Verdict::Desynchronized
            || system_is_a_falseticker(reference)
    });
    let is_agreed = reference.standing == Standing::Agreed;
    let asks_servers = reference.asks_servers();
    for target in targets.iter_mut() {
        // A certificate was judged by this machine's clock after all, and that is the one that is not trusted.
        let is_out_of_time =
            |failure: &Failure| matches!(failure.kind, Kind::Certificate { is_out_of_time: true });
        if asks_servers && !is_agreed && target.failure.as_ref().is_some_and(is_out_of_time) {
            (target.status, target.reason) = (Status::Unknown, Reason::CheckerFault);
            target.notes.push(Note::NoReference);
        }
    }
    for target in targets.iter_mut().filter(|target| !target.backends.is_empty()) {
        let doubt = match reference.standing {
            Standing::Disagreement => Some((Reason::ReferencesDisagree, Note::ReferencesDisagree)),
            Standing::Unreachable => Some((Reason::CheckerFault, Note::NoReference)),
            Standing::OnlyUnvouched if settings.strict => {
                Some((Reason::CheckerFault, Note::ReferenceNotVouchedFor))
            }
            Standing::OnlyUnvouched => {
                target.notes.push(Note::ReferenceNotVouchedFor);
                None
            }
            Standing::Agreed => None,
        };
        if are_few && doubt.is_none() && !too_few {
            target.notes.push(Note::FewReferences { answered, asked });
        }
        let doubt = doubt.or_else(|| too_few.then_some((Reason::CheckerFault, Note::TooFewReferences)));
        if let Some((reason, note)) = doubt {
            if is_judged_by_the_reference(target) {
                take_verdict_back(target, reason);
                // An offset from a clock that is no reference resembles nothing.
                target.notes.retain(|note| !matches!(note, Note::ResemblesTimeZone { .. }));
            }
            target.notes.push(note);
        } else if let Some(offset) = wrong {
            target.notes.push(Note::LocalClockWrong { offset });
            // The others tell the time, so that a fault of the target is proven all the same.
            if target.status < Status::Unknown {
                (target.status, target.reason) = (Status::Unknown, Reason::CheckerFault);
            }
        }
        if let Some(max_error) = reference.max_error
            && max_error > limits.max_offset
            && target.reason == Reason::Undetermined
        {
            target.reason = Reason::CheckerFault;
            target.notes.push(Note::ReferenceTooWide { max_error, is_of_servers: asks_servers });
        }
    }
}

fn has_claim(standing: SourceStanding) -> bool {
    use SourceStanding::{Duplicate, Falseticker, NotVouchedFor, Silent, Truechimer, Undecided, Unusable};
    match standing {
        Truechimer | Falseticker | Undecided => true,
        Silent | Unusable | NotVouchedFor | Duplicate => false,
    }
}

fn system_is_a_falseticker(reference: &ReferenceOutcome) -> bool {
    reference
        .sources
        .iter()
        .any(|source| source.is_system() && source.standing == SourceStanding::Falseticker)
}

#[cfg(test)]
#[path = "doubt_tests.rs"]
mod tests;
