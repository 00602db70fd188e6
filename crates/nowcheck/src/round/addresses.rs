//! The addresses of one target: resolved, sampled side by side, and left out where they say nothing about the service.

use super::RoundContext;
use super::sampling::sample;
use crate::outcome::{Discarded, Failure, FailureKind, Finding, Note, Phases, TargetOutcome};
use crate::parallel::in_parallel;
use crate::probe::resolve::Addresses;
use crate::target::Target;

impl RoundContext {
    /// Checks every address of a target.
    pub(super) async fn every_address(&self, target: &Target) -> Vec<TargetOutcome> {
        let resolution = &self.check.resolution;
        let resolved = resolution.addresses(target.endpoint(), self.clock, self.resolve_until).await;
        let addresses = match resolved {
            Ok(addresses) => addresses,
            Err(failure) => return vec![unresolved(target, failure)],
        };
        let took = addresses.took;
        let probes = addresses.all.iter().map(|&address| {
            let (context, target) = (self.clone(), target.clone());
            async move { sample(&context, &target, address, took).await }
        });
        let mut outcomes = without_skipped(in_parallel(probes).await, &addresses);
        if let (Some(cause), Some(first)) = (addresses.unknown, outcomes.first_mut()) {
            first.notes.push(Note::AddressesUnknown(cause));
        }
        outcomes
    }
}

/// A name that gave no address is judged as one target without one.
fn unresolved(target: &Target, failure: Failure) -> TargetOutcome {
    TargetOutcome {
        url: target.to_string(),
        address: None,
        finding: Finding::of_failure(failure, Vec::new()),
        phases: Phases::default(),
        certificate: None,
        connections: 0,
        requests: 0,
        discarded: Discarded::default(),
        miss_probability: None,
        notes: Vec::new(),
    }
}

/// Leaves out addresses that say nothing about the service: the other way to this same machine when a loopback
/// name is checked, and those of a family that this machine has no route for. They are named in a note.
fn without_skipped(outcomes: Vec<TargetOutcome>, addresses: &Addresses) -> Vec<TargetOutcome> {
    let says_nothing = |outcome: &TargetOutcome| {
        outcome.finding.failure().is_some_and(|failure| match failure.kind() {
            FailureKind::NoRoute => true,
            FailureKind::Refused => addresses.are_one_machine,
            _ => false,
        })
    };
    if outcomes.iter().all(says_nothing) {
        return outcomes;
    }
    let (skipped, mut kept): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(says_nothing);
    for outcome in skipped {
        if let (Some(address), Some(failure), Some(first)) =
            (outcome.address, outcome.finding.failure(), kept.first_mut())
        {
            first.notes.push(Note::AddressSkipped { address, cause: failure.cause.clone() });
        }
    }
    kept
}

#[cfg(test)]
mod tests;
