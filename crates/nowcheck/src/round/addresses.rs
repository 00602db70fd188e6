//! The addresses of one target: resolved, sampled side by side, and left out where they say nothing about the service.

use std::net::SocketAddr;
use std::time::Duration;

use super::RoundContext;
use super::names::Name;
use super::sampling::{Place, sample};
use crate::outcome::{Cause, ExchangeFault, Failure, FailureKind, Finding, Note, TargetOutcome, TlsFault};
use crate::parallel::in_parallel;
use crate::probe::other_protocol::{speaks_plain_http, speaks_tls};
use crate::probe::resolve::Addresses;
use crate::target::Target;

impl RoundContext {
    /// Checks every address of a target.
    pub(super) async fn every_address(&self, mut name: Name) -> Vec<TargetOutcome> {
        let resolved = name.addresses().await;
        let target = &name.target;
        let addresses = match resolved {
            Ok(addresses) => addresses,
            Err(failure) => return vec![unresolved(target, failure)],
        };
        let outcomes = self.sampled(target, &addresses).await;
        let mut outcomes = without_skipped(outcomes, &addresses);
        if let (Some(cause), Some(first)) = (addresses.unknown, outcomes.first_mut()) {
            first.notes.push(Note::AddressesUnknown(cause));
        }
        outcomes
    }

    /// Samples the addresses side by side, as far as the connections to them together are not too many.
    async fn sampled(&self, target: &Target, addresses: &Addresses) -> Vec<TargetOutcome> {
        let most = self.check.max_connections.get();
        let side_by_side = addresses.all.len().min(usize::try_from(most).unwrap_or(usize::MAX)).max(1);
        let share = (most / u32::try_from(side_by_side).unwrap_or(u32::MAX)).max(1);
        let resolve_took = addresses.took;
        let place = |&address: &SocketAddr| Place { address, resolve_took, share };
        let mut outcomes = Vec::new();
        for together in addresses.all.chunks(side_by_side) {
            let probes = together.iter().map(place).map(|place| {
                let (context, target) = (self.with_doubt_of_its_own(), target.clone());
                async move {
                    let outcome = sample(&context, &target, place).await;
                    context.with_its_protocol(outcome, &target).await
                }
            });
            outcomes.extend(in_parallel(probes).await);
        }
        outcomes
    }
}

/// The least time that a port has to show which protocol it speaks.
const PATIENCE_FOR_A_PROTOCOL: Duration = Duration::from_millis(500);

impl RoundContext {
    /// Of an address that closed each connection without an answer: whether it speaks the other protocol.
    async fn with_its_protocol(&self, mut outcome: TargetOutcome, target: &Target) -> TargetOutcome {
        let asked = self.connections_of_doubt();
        outcome.connections += asked;
        outcome.requests += asked;
        let (Finding::Down(interrupted), Some(address)) = (&mut outcome.finding, outcome.address) else {
            return outcome;
        };
        if !interrupted.backends.is_empty() {
            return outcome;
        }
        let patience = PATIENCE_FOR_A_PROTOCOL.max(outcome.phases.connect.unwrap_or_default() * 4);
        let until = self.deadline.min(self.clock.now() + patience.min(self.check.timeout / 5));
        match &mut interrupted.failure.cause {
            Cause::Exchange(fault @ ExchangeFault::Closed { answer_began: false, .. }) if !target.tls => {
                outcome.connections += 1;
                outcome.requests += 1;
                if speaks_tls(address, self.clock, until).await {
                    *fault = ExchangeFault::SpeaksTls;
                }
            }
            Cause::Tls(fault @ TlsFault::Closed { .. }) => {
                outcome.connections += 1;
                outcome.requests += 1;
                if speaks_plain_http(address, self.clock, until).await {
                    *fault = TlsFault::SpeaksHttp;
                }
            }
            _ => {}
        }
        outcome
    }
}

/// A name that gave no address is judged as one target without one.
fn unresolved(target: &Target, failure: Failure) -> TargetOutcome {
    TargetOutcome::new(target.to_string(), None, Finding::of_failure(failure, Vec::new()))
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
