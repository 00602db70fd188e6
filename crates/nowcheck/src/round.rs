//! One round: performs the plan on every address of every target, and judges what came.

mod sampling;

use std::net::SocketAddr;
use std::sync::Arc;

use clock_offset::{BoundedTime, JudgedBackend, Limits, MonotonicInstant, Verdict};
use tokio::task::JoinSet;
use url::Host;

use crate::clock::{Clock, WallReading};
use crate::outcome::{Note, Outcome, Phases, Reason, Status, TargetOutcome};
use crate::probe::failure::{Failure, Kind, Phase};
use crate::probe::resolve::{Addresses, resolve};
use crate::settings::Settings;
use crate::target::Target;

/// A missed backend is left unlooked for when it is less likely than this.
const MISS_PROBABILITY: f64 = 0.01;

/// Redirects that are followed, one after the other.
const MOST_REDIRECTS: u32 = 5;

/// What all probes of a round share.
#[derive(Debug, Clone)]
struct Round {
    settings: Arc<Settings>,
    clock: Clock,
    reference: BoundedTime,
    /// A DNS that is silent must leave time for the addresses that it did tell.
    resolve_until: MonotonicInstant,
    deadline: MonotonicInstant,
    last_start: MonotonicInstant,
}

/// Holds a round. It ends by itself within the timeout, whatever the other side does.
pub async fn hold(settings: Arc<Settings>, clock: Clock) -> Outcome {
    let begin = clock.now();
    let wall = clock.read_wall();
    let round = Round {
        clock,
        reference: wall.reference(settings.timeout),
        resolve_until: begin + settings.timeout / 3,
        deadline: begin + settings.timeout,
        // Every request has a quarter of the round to be answered, so silence until its end means something.
        last_start: begin + settings.timeout * 3 / 4,
        settings: Arc::clone(&settings),
    };
    let targets = settings.targets.iter().cloned().map(|target| {
        let round = round.clone();
        async move { round.check(target, 0).await }
    });
    let mut targets: Vec<TargetOutcome> = in_parallel(targets).await.into_iter().flatten().collect();
    doubt_the_reference(&mut targets, &wall, &clock.read_wall(), &settings.limits);
    Outcome {
        checked_at: wall.shown.shows.earliest() - (wall.shown.at - begin),
        duration: clock.now().since(begin),
        limits: settings.limits,
        reference: wall.synchronisation,
        targets,
    }
}

/// Runs futures side by side, and gives their results in the order in which the futures came.
async fn in_parallel<T: Send + 'static>(
    futures: impl Iterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let mut tasks = JoinSet::new();
    for (index, future) in futures.enumerate() {
        tasks.spawn(async move { (index, future.await) });
    }
    let mut results = tasks.join_all().await;
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

impl Round {
    /// Checks every address of a target, and where they redirect to if that is wanted.
    async fn check(&self, target: Target, redirects: u32) -> Vec<TargetOutcome> {
        let begin = self.clock.now();
        let addresses = match resolve(&target.host, &self.clock, self.resolve_until).await {
            Ok(addresses) => addresses,
            Err(failure) => return vec![unresolved(&target, failure)],
        };
        let is_a_name = matches!(target.host, Host::Domain(_));
        let resolve_took = is_a_name.then(|| self.clock.now().since(begin));
        let probes =
            addresses.all.iter().map(|&ip| {
                let (round, target) = (self.clone(), target.clone());
                async move {
                    sampling::sample(&round, &target, SocketAddr::new(ip, target.port), resolve_took).await
                }
            });
        let mut outcomes = without_skipped(in_parallel(probes).await, &addresses);
        if let (Some(why), Some(first)) = (&addresses.unknown, outcomes.first_mut()) {
            first.notes.push(Note::AddressesUnknown { why: why.clone() });
        }
        if !self.settings.follow {
            return outcomes;
        }
        let mut followed = Vec::new();
        let mut seen = Vec::new();
        for outcome in outcomes {
            match destination(&outcome, &target, redirects) {
                Some(next) if seen.contains(&next) => {}
                Some(next) => {
                    seen.push(next.clone());
                    let from = outcome.url;
                    // A boxed future, because it may come back here.
                    let mut further = Box::pin(self.check(next, redirects + 1)).await;
                    for outcome in &mut further {
                        // Of a chain of redirects its begin is what the reader knows.
                        outcome.notes.retain(|note| !matches!(note, Note::RedirectedFrom { .. }));
                        outcome.notes.push(Note::RedirectedFrom { url: from.clone() });
                    }
                    followed.extend(further);
                }
                None => followed.push(outcome),
            }
        }
        followed
    }
}

/// A name that gave no address is judged as one target without one.
fn unresolved(target: &Target, failure: Failure) -> TargetOutcome {
    let (status, reason) = status_of_failure(&failure);
    TargetOutcome {
        url: target.to_string(),
        address: None,
        status,
        reason,
        failure: Some(failure),
        phases: Phases::default(),
        connections: 0,
        requests: 0,
        miss_probability: None,
        backends: Vec::new(),
        stale: None,
        notes: Vec::new(),
    }
}

fn status_of_failure(failure: &Failure) -> (Status, Reason) {
    match (failure.phase, &failure.kind) {
        // A DNS server that is silent says nothing about the service.
        (_, Kind::Local | Kind::NoRoute) | (Phase::Resolve, Kind::Timeout) => {
            (Status::Unknown, Reason::CheckerFault)
        }
        _ => (Status::Critical, Reason::Down),
    }
}

fn status_of_backends(backends: &[JudgedBackend]) -> (Status, Reason) {
    let Some(worst) = backends.iter().map(|judged| judged.verdict).reduce(Verdict::worse) else {
        // The round's time was over before the first request could be begun.
        return (Status::Unknown, Reason::Undetermined);
    };
    status_of_verdict(worst)
}

/// The status and the reason that a verdict stands for.
#[must_use]
pub fn status_of_verdict(verdict: Verdict) -> (Status, Reason) {
    match verdict {
        Verdict::InSync => (Status::Ok, Reason::InSync),
        Verdict::NotWithinWarning => (Status::Warning, Reason::Desynchronised),
        Verdict::Undetermined => (Status::Unknown, Reason::Undetermined),
        Verdict::Desynchronised => (Status::Critical, Reason::Desynchronised),
    }
}

/// Leaves out addresses that say nothing about the service: the other way to this same machine when a loopback
/// name is checked, and those of a family that this machine has no route for. They are named in a note.
fn without_skipped(outcomes: Vec<TargetOutcome>, addresses: &Addresses) -> Vec<TargetOutcome> {
    let says_nothing = |outcome: &TargetOutcome| {
        outcome.failure.as_ref().is_some_and(|failure| match failure.kind {
            Kind::NoRoute => true,
            Kind::Refused => addresses.are_one_machine,
            _ => false,
        })
    };
    if outcomes.iter().all(says_nothing) {
        return outcomes;
    }
    let (skipped, mut kept): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(says_nothing);
    for outcome in skipped {
        if let (Some(address), Some(failure), Some(first)) =
            (outcome.address, outcome.failure, kept.first_mut())
        {
            first.notes.push(Note::AddressSkipped { address, why: failure.message });
        }
    }
    kept
}

/// Where a redirected target is to be looked for instead.
fn destination(outcome: &TargetOutcome, target: &Target, redirects: u32) -> Option<Target> {
    if redirects >= MOST_REDIRECTS {
        return None;
    }
    match &outcome.failure.as_ref()?.kind {
        Kind::Redirect { location: Some(location), .. } => target.redirected_to(location),
        _ => None,
    }
}

/// What was compared with this machine's clock is worth no more than that clock.
fn doubt_the_reference(
    targets: &mut [TargetOutcome],
    begin: &WallReading,
    end: &WallReading,
    limits: &Limits,
) {
    let stepped = begin.step_until(end);
    for target in targets.iter_mut().filter(|target| !target.backends.is_empty()) {
        if begin.synchronisation.max_error().is_none() {
            target.notes.push(Note::ReferenceNotVouchedFor);
        }
        if let Some(step) = stepped {
            target.notes.push(Note::WallClockStepped { step });
            if matches!(target.reason, Reason::InSync | Reason::Desynchronised | Reason::Undetermined) {
                (target.status, target.reason) = (Status::Unknown, Reason::CheckerFault);
                for backend in &mut target.backends {
                    backend.verdict = Verdict::Undetermined;
                }
            }
        }
        if let Some(max_error) = begin.synchronisation.max_error()
            && max_error > limits.max_offset
            && target.reason == Reason::Undetermined
        {
            target.reason = Reason::CheckerFault;
            target.notes.push(Note::ReferenceTooWide { max_error });
        }
    }
}

#[cfg(test)]
#[path = "round_tests.rs"]
mod tests;
