//! What takes a verdict back: a round that was disturbed, a reference that is not good enough, backends that were
//! never met.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use clock_offset::{CERTAINTY, Interval, Offset, Verdict};

use crate::check::Check;
use crate::clock::Clock;
use crate::outcome::{
    Discarded, Doubt, FailureKind, Finding, MissingBackends, Note, ReferenceOutcome, SourceStanding,
    Standing, Status, TargetOutcome, Undetermined,
};
use crate::reference::RoundReference;

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
    /// What happened since the references were queried.
    pub(super) fn since(reference: &RoundReference, clock: Clock) -> Option<Self> {
        if clock.suspended() > reference.suspended + READING_NOISE {
            return Some(Self::Suspended);
        }
        reference.step_until(&clock.read_wall()).map(|step| Self::ClockStep { step })
    }

    /// Takes the verdicts back that rest on what it destroyed.
    pub(super) fn take_back(self, targets: &mut [TargetOutcome]) {
        for target in targets {
            match self {
                // Whatever failed may have failed of the suspension.
                Self::Suspended => put_in_doubt(target, Doubt::Suspended),
                Self::ClockStep { step } if target.finding.rests_on_the_reference() => {
                    put_in_doubt(target, Doubt::WallClockStepped { step });
                }
                Self::ClockStep { step } if !target.backends().is_empty() => {
                    target.notes.push(Note::Doubt(Doubt::WallClockStepped { step }));
                }
                Self::ClockStep { .. } => {}
            }
        }
    }
}

/// The answers that were discarded because a round was held again, for each address.
#[derive(Debug, Default)]
pub(super) struct DiscardedAnswers(Vec<(String, Option<SocketAddr>, Discarded)>);

impl DiscardedAnswers {
    /// Counts what is discarded now.
    pub(super) fn count(&mut self, disturbance: Disturbance, targets: &[TargetOutcome]) {
        for target in targets {
            let samples = target.backends().iter().map(|backend| backend.samples).sum::<usize>();
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
    pub(super) fn add_to(self, targets: &mut [TargetOutcome]) {
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

/// Puts a finding in doubt.
fn put_in_doubt(target: &mut TargetOutcome, doubt: Doubt) {
    let found = std::mem::replace(&mut target.finding, Finding::Undetermined(Undetermined::NothingAsked));
    target.finding = found.doubted(doubt);
}

/// Fewer backends than are known to be there.
pub(super) fn miss_backends(targets: &mut [TargetOutcome], check: &Check) {
    let Some(expected) = check.expected_backends.map(NonZeroUsize::get) else { return };
    let urls: BTreeSet<String> = targets.iter().map(|target| target.url.clone()).collect();
    for url in urls {
        let of_url: Vec<&TargetOutcome> = targets.iter().filter(|target| target.url == url).collect();
        let backends = || of_url.iter().flat_map(|target| target.backends());
        let named: BTreeSet<&str> = backends().filter_map(|backend| backend.instance.as_deref()).collect();
        // A URL that is down, or answered with something old, has a worse fault than that.
        if named.len() >= expected || backends().next().is_none() {
            continue;
        }
        let missing = MissingBackends {
            met: named.len(),
            expected,
            are_nameless: backends().any(|backend| backend.instance.is_none()),
        };
        let is_proven = !missing.are_nameless && were_looked_for(&of_url, check.miss_probability);
        for target in targets.iter_mut().filter(|target| target.url == url) {
            target.miss(missing, is_proven);
        }
    }
}

/// Whether all backends of a URL were looked for so long that chance does not explain why some were not met.
fn were_looked_for(of_url: &[&TargetOutcome], miss_probability: f64) -> bool {
    let doubt = miss_probability * CERTAINTY;
    of_url.iter().all(|target| {
        // An address that this machine could not ask may be where the rest of them are.
        let is_incomplete =
            |note: &Note| matches!(note, Note::AddressSkipped { .. } | Note::AddressesUnknown(_));
        let was_asked = match target.finding.failure() {
            Some(failure) => !matches!(failure.kind(), FailureKind::Local | FailureKind::NoRoute),
            None => target.miss_probability.is_some_and(|missed| missed <= doubt),
        };
        was_asked && !target.notes.iter().any(is_incomplete)
    })
}

impl TargetOutcome {
    /// Makes missing backends the finding, unless a worse one is proven: that a clock is wrong.
    fn miss(&mut self, missing: MissingBackends, is_proven: bool) {
        if self.finding.failure().is_some() || matches!(self.finding, Finding::Stale(_)) {
            return;
        }
        let found = std::mem::replace(&mut self.finding, Finding::Undetermined(Undetermined::NothingAsked));
        self.finding = match found {
            Finding::InSync(backends) | Finding::NotWithinWarning(backends) if !is_proven => {
                Finding::Undetermined(Undetermined::Uncounted { missing, backends })
            }
            Finding::InSync(backends)
            | Finding::NotWithinWarning(backends)
            | Finding::Undetermined(Undetermined::Open(backends))
                if is_proven =>
            {
                Finding::BackendsMissing { missing, backends }
            }
            found => {
                self.notes.push(Note::BackendsMissing(missing));
                found
            }
        };
    }
}

/// What was compared with a reference is worth no more than that reference.
pub(super) fn doubt_the_reference(targets: &mut [TargetOutcome], against: &RoundReference, check: &Check) {
    let reference = &against.outcome;
    let reservations = Reservations::about(reference, check);
    for target in targets {
        // A certificate was judged by this machine's clock after all, and that is the one that is not trusted.
        let is_out_of_time =
            target.finding.failure().is_some_and(|failure| failure.cause.is_certificate_out_of_time());
        if is_out_of_time && reference.asks_servers() && reference.standing != Standing::Agreed {
            put_in_doubt(target, Doubt::NoReference);
        } else if !target.backends().is_empty() {
            reservations.apply_to(target);
        }
    }
}

/// What is wrong with a reference.
struct Reservations {
    /// It may not be judged by.
    void: Option<Doubt>,
    /// It may be judged by, but a reader should know.
    notes: Vec<Note>,
    /// This machine's clock is one of the references, and wrong by the others.
    local: Option<Interval<Offset>>,
    /// It is too vague to prove anything.
    wide: Option<Doubt>,
}

impl Reservations {
    fn about(reference: &ReferenceOutcome, check: &Check) -> Self {
        let answered = reference.sources.iter().filter(|source| has_claim(&source.standing)).count();
        let asked = reference.sources.len();
        let are_few = answered * 2 <= asked;
        let void = match reference.standing {
            Standing::Disagreement => Some(Doubt::ReferencesDisagree),
            Standing::Unreachable => Some(Doubt::NoReference),
            Standing::OnlyUnvouched if check.strict => Some(Doubt::ReferenceNotVouchedFor),
            Standing::OnlyUnvouched | Standing::Agreed => {
                (are_few && check.strict).then_some(Doubt::TooFewReferences)
            }
        };
        let mut notes = Vec::new();
        if reference.standing == Standing::OnlyUnvouched && void.is_none() {
            notes.push(Note::Doubt(Doubt::ReferenceNotVouchedFor));
        }
        if are_few && asked > 1 && void.is_none() {
            notes.push(Note::FewReferences { answered, asked });
        }
        let is_beyond = |offset: &Interval<Offset>| check.limits.verdict(offset) == Verdict::Desynchronized;
        let is_wrong = |offset: &Interval<Offset>| {
            reference.lists_system() && is_beyond(offset) || system_is_a_falseticker(reference)
        };
        let wide = reference.max_error.filter(|max_error| *max_error > check.limits.max_offset);
        Self {
            void,
            notes,
            local: reference.local_offset.filter(is_wrong),
            wide: wide.map(|max_error| Doubt::ReferenceTooWide {
                max_error,
                is_of_servers: reference.asks_servers(),
            }),
        }
    }

    fn apply_to(&self, target: &mut TargetOutcome) {
        target.notes.extend(self.notes.iter().cloned());
        if let Some(doubt) = self.void {
            if target.finding.rests_on_the_reference() {
                // An offset from a clock that is no reference resembles nothing.
                target.notes.retain(|note| !matches!(note, Note::ResemblesTimeZone { .. }));
                put_in_doubt(target, doubt);
            } else {
                target.notes.push(Note::Doubt(doubt));
            }
        } else if let Some(offset) = self.local {
            let doubt = Doubt::LocalClockWrong { offset };
            // The others tell the time, so that a fault of the target is proven all the same.
            if target.status() < Status::Unknown {
                put_in_doubt(target, doubt);
            } else {
                target.notes.push(Note::Doubt(doubt));
            }
        }
        if let Some(doubt) = self.wide
            && matches!(target.finding, Finding::Undetermined(_))
        {
            put_in_doubt(target, doubt);
        }
    }
}

fn has_claim(standing: &SourceStanding) -> bool {
    use SourceStanding::{Duplicate, Falseticker, NotVouchedFor, Silent, Truechimer, Undecided, Unusable};
    match standing {
        Truechimer | Falseticker | Undecided => true,
        Silent | Unusable(_) | NotVouchedFor | Duplicate { .. } => false,
    }
}

fn system_is_a_falseticker(reference: &ReferenceOutcome) -> bool {
    reference
        .sources
        .iter()
        .any(|source| source.is_system() && source.standing == SourceStanding::Falseticker)
}

#[cfg(test)]
mod tests;
