//! From the outcome of a round to what it proves about places.
//!
//! What cannot be told apart from a fault of the monitor is unknown here, even where a single check says CRITICAL:
//!
//! * A clock that disagrees with a reference which nothing vouches for ([`Finding::ClocksDisagree`]): either may be wrong.
//! * Silence at one address while this machine cannot ask another one of the same service.

use nowcheck::outcome::{
    BackendOutcome, Cause, CheckerFault, ConnectionFault, Doubt, Failure, FailureKind, Finding, NameFault,
    Note, Outcome, Reason, Status, TargetOutcome, Undetermined,
};

use clock_offset::Verdict;

use super::{Observation, Proof, Trouble, TroubleKind, hull};
use crate::incident::{MonitorPart, Place};

impl From<&Outcome> for Observation {
    fn from(outcome: &Outcome) -> Self {
        let mut round = Self { has_answered: outcome.has_measured(), ..Self::default() };
        if outcome.reference.standing.is_good() {
            round.works.insert(MonitorPart::Reference);
        }
        if outcome.targets.iter().any(lacks_addresses) {
            round.met.insert(Place::Name);
        }
        // First of all addresses: a fault at one decides what silence at another one proves.
        for part in outcome.targets.iter().filter_map(|target| fault(&target.finding)) {
            round = round.with_fault(part);
        }
        for target in &outcome.targets {
            round = round.with_target(target);
        }
        let missed = outcome.targets.iter().map(|target| target.miss_probability.unwrap_or(1.0));
        if let Some(missed) = missed.reduce(f64::max) {
            round = round.with_miss_probability(missed);
        }
        if outcome.reference.measures() {
            let backends = outcome.targets.iter().flat_map(TargetOutcome::backends);
            round.offset = backends.fold(None, |all, backend| hull(all, Some(backend.offset.into())));
        }
        round.is_warning = outcome.status() == Status::Warning;
        // The reason of an address that this machine could not ask outranks no proof.
        round.reason = (outcome.status() != Status::Critical).then(|| outcome.reason().name());
        round
    }
}

impl Observation {
    fn with_target(self, target: &TargetOutcome) -> Self {
        let place = place(target);
        let reason = target.reason().name();
        let down = |place| (place, Trouble::new(TroubleKind::Down, reason));
        match &target.finding {
            Finding::InSync(backends) | Finding::NotWithinWarning(backends) => {
                self.with_backends(&place, backends.as_slice()).with_proof(place, Proof::Right)
            }
            Finding::Unvouched(backends) => {
                let up = |round: Self, instance| round.with_proof(instance, Proof::Up);
                instances(backends.as_slice()).fold(self, up).with_proof(place, Proof::Up)
            }
            Finding::Desynchronized(backends) => {
                self.with_backends(&place, backends.as_slice()).with_proof(place, Proof::Up)
            }
            Finding::BackendsMissing { backends, .. } => {
                let (service, trouble) = down(Place::Service);
                self.with_backends(&place, backends.as_slice())
                    .with_proof(place, Proof::Right)
                    .with_trouble(service, trouble)
            }
            Finding::Stale(_) => self.with_trouble(place, Trouble::new(TroubleKind::Wrong, reason)),
            Finding::Down(interrupted) if self.may_be_ours(&interrupted.failure) => {
                self.with_doubt_about(place)
            }
            Finding::Down(interrupted) => {
                let (address, trouble) = down(place.clone());
                self.with_backends(&place, &interrupted.backends).with_trouble(address, trouble)
            }
            Finding::Undetermined(Undetermined::NothingAsked) => self.with_doubt_about(place),
            Finding::Undetermined(_) | Finding::ClocksDisagree(_) | Finding::CheckerFault(_) => {
                let met = instances(target.backends()).collect::<Vec<_>>();
                met.into_iter().fold(self.with_doubt_about(place), Self::with_doubt_about)
            }
        }
    }

    /// What the verdicts on single backends at an address prove.
    fn with_backends(self, address: &Place, backends: &[BackendOutcome]) -> Self {
        backends.iter().fold(self, |round, backend| {
            let named = backend.instance.as_deref().map(|name| Place::Backend(name.to_owned()));
            match (backend.verdict, named) {
                (Verdict::Desynchronized, named) => {
                    let trouble = Trouble {
                        offset: Some(backend.offset.into()),
                        ..Trouble::new(TroubleKind::Wrong, Reason::Desynchronized.name())
                    };
                    round.with_trouble(named.unwrap_or_else(|| address.clone()), trouble)
                }
                (Verdict::InSync | Verdict::NotWithinWarning, Some(named)) => {
                    round.with_proof(named, Proof::Right)
                }
                (Verdict::Undetermined, Some(named)) => round.with_doubt_about(named),
                (_, None) => round,
            }
        })
    }

    /// Whether a failure may have the same cause as a fault of the monitor in the same round: nothing came back.
    fn may_be_ours(&self, failure: &Failure) -> bool {
        use MonitorPart::{Dns, Machine, Network};
        let is_silence = matches!(
            failure.kind(),
            FailureKind::Timeout | FailureKind::Unreachable | FailureKind::NoSuchName
        );
        is_silence && self.faults.iter().any(|part| matches!(part, Network | Dns | Machine))
    }
}

/// Whether one of the lookups failed, so that there may be more addresses than those that were asked.
fn lacks_addresses(target: &TargetOutcome) -> bool {
    target.notes.iter().any(|note| matches!(note, Note::AddressesUnknown(_)))
}

fn place(target: &TargetOutcome) -> Place {
    target.address.map_or(Place::Name, |address| Place::Address(address.to_string()))
}

fn instances(backends: &[BackendOutcome]) -> impl Iterator<Item = Place> {
    backends
        .iter()
        .filter_map(|backend| backend.instance.as_deref())
        .map(|name| Place::Backend(name.to_owned()))
}

/// The part of the monitor that is at fault, if one is.
fn fault(finding: &Finding) -> Option<MonitorPart> {
    match finding {
        Finding::ClocksDisagree(_) => Some(MonitorPart::Reference),
        Finding::CheckerFault(CheckerFault::CannotAsk(interrupted)) => Some(part_of(&interrupted.failure)),
        Finding::CheckerFault(CheckerFault::Doubted { doubt, .. }) => Some(match doubt {
            Doubt::Suspended | Doubt::WallClockStepped { .. } => MonitorPart::Machine,
            Doubt::ReferencesDisagree
            | Doubt::NoReference
            | Doubt::ReferenceNotVouchedFor
            | Doubt::TooFewReferences
            | Doubt::LocalClockWrong { .. }
            | Doubt::ReferenceTooWide { .. } => MonitorPart::Reference,
        }),
        _ => None,
    }
}

fn part_of(failure: &Failure) -> MonitorPart {
    match &failure.cause {
        Cause::Name {
            fault:
                NameFault::OtherVersion { .. } | NameFault::UnknownZone { .. } | NameFault::NotPermitted { .. },
            ..
        }
        | Cause::Connection { fault: ConnectionFault::NoZone, .. } => return MonitorPart::Setup,
        _ => {}
    }
    match failure.kind() {
        FailureKind::NoRoute => MonitorPart::Network,
        FailureKind::DnsFailure | FailureKind::Timeout => MonitorPart::Dns,
        FailureKind::Unsupported | FailureKind::ClientCertificate | FailureKind::NotATime => {
            MonitorPart::Setup
        }
        _ => MonitorPart::Machine,
    }
}

#[cfg(test)]
mod tests;
