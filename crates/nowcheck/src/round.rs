//! One round: performs the plan on every address of every target, and judges what came.

mod burst;
mod doubt;
mod pause;
mod sampling;

use std::net::SocketAddr;
use std::sync::Arc;

use clock_offset::{MonotonicInstant, ReferenceClock};
use rustls::ClientConfig;
use url::Host;

use crate::check::Check;
use crate::clock::Clock;
use crate::outcome::{
    AnswerFault, CertificateClock, Discarded, Failure, Finding, Kind, Note, Outcome, Phases, Standing,
    TargetOutcome,
};
use crate::parallel::in_parallel;
use crate::probe::clock_suspect::JudgingClock;
use crate::probe::resolve::{Addresses, resolve};
use crate::probe::tls::CertificateTime;
use crate::reference::{References, RoundReference};
use crate::target::Target;

use doubt::{DiscardedAnswers, Disturbance};

/// Redirects that are followed, one after the other.
const MOST_REDIRECTS: u32 = 5;

/// What all probes of a round share.
#[derive(Debug, Clone)]
struct Round {
    check: Arc<Check>,
    /// How TLS is spoken in this round.
    tls: Arc<ClientConfig>,
    clock: Clock,
    reference: ReferenceClock,
    /// By which clock certificates are judged.
    judging_clock: JudgingClock,
    /// A DNS that is silent must leave time for the addresses that it did tell.
    resolve_until: MonotonicInstant,
    deadline: MonotonicInstant,
    last_start: MonotonicInstant,
}

/// Holds a round. It ends by itself within the timeout, whatever the other side does.
///
/// When this machine is suspended in the middle of it, or its clock is stepped although that is the reference, what was
/// measured before is worth nothing after: it is discarded, and the round is held again if there is time. What time
/// servers refuse is remembered by the `references`.
pub async fn hold(check: &Arc<Check>, references: &mut References, clock: Clock) -> Outcome {
    let begin = clock.now();
    let mut discarded = DiscardedAnswers::default();
    let (reference, mut targets) = loop {
        let suspended = clock.suspended();
        let (reference, mut targets) = hold_once(check, references, clock, begin).await;
        let Some(disturbance) = Disturbance::since(suspended, &reference, clock) else {
            break (reference, targets);
        };
        if clock.now() >= begin + check.timeout / 2 {
            disturbance.take_back(&mut targets);
            break (reference, targets);
        }
        discarded.count(disturbance, &targets);
    };
    discarded.add_to(&mut targets);
    doubt::miss_backends(&mut targets, check);
    doubt::doubt_the_reference(&mut targets, &reference, check);
    let wall = &reference.wall.shown;
    Outcome {
        checked_at: wall.shows.earliest() - (wall.at - begin),
        duration: clock.now().since(begin),
        limits: check.limits,
        reference: reference.outcome,
        targets,
    }
}

/// Asks the references, then every address of every target.
async fn hold_once(
    check: &Arc<Check>,
    references: &mut References,
    clock: Clock,
    begin: MonotonicInstant,
) -> (RoundReference, Vec<TargetOutcome>) {
    // Every request has a quarter of the round to be answered, so silence until its end means something.
    let last_start = begin + check.timeout * 3 / 4;
    // Silence of a reference must leave most of the round to the targets.
    let until = last_start.min(clock.now() + check.timeout / 5);
    let reference = references.query(check.limits.max_offset, clock, until).await;
    let has_servers = reference.outcome.local_offset.is_some();
    let certificate_time = if has_servers {
        CertificateTime::Reference { bounds: reference.reference.bounds, clock }
    } else {
        CertificateTime::ThisMachine
    };
    let round = Round {
        clock,
        reference: reference.reference,
        judging_clock: JudgingClock {
            bounds: reference.reference.bounds,
            is_vouched_for: reference.outcome.standing == Standing::Agreed,
            whose: if has_servers { CertificateClock::TimeServers } else { CertificateClock::ThisMachine },
        },
        resolve_until: last_start.min(clock.now() + check.timeout / 3),
        deadline: begin + check.timeout,
        last_start,
        tls: check.trust.client_config(certificate_time),
        check: Arc::clone(check),
    };
    let targets = check.targets.iter().cloned().map(|target| {
        let round = round.clone();
        async move { round.check(target, 0).await }
    });
    (reference, in_parallel(targets).await.into_iter().flatten().collect())
}

impl Round {
    /// Checks every address of a target, and where they redirect to if that is wanted.
    async fn check(&self, target: Target, redirects: u32) -> Vec<TargetOutcome> {
        let begin = self.clock.now();
        let given = self.check.addresses.of(&target.host);
        let is_given = given.is_some();
        let addresses = match given {
            Some(addresses) => Ok(addresses),
            None => resolve(&target.host, &self.clock, self.resolve_until).await,
        };
        let addresses = match addresses {
            Ok(addresses) => addresses,
            Err(failure) => return vec![unresolved(&target, failure)],
        };
        let is_a_name = matches!(target.host, Host::Domain(_)) && !is_given;
        let resolve_took = is_a_name.then(|| self.clock.now().since(begin));
        let probes =
            addresses.all.iter().map(|&ip| {
                let (round, target) = (self.clone(), target.clone());
                async move {
                    sampling::sample(&round, &target, SocketAddr::new(ip, target.port), resolve_took).await
                }
            });
        let mut outcomes = without_skipped(in_parallel(probes).await, &addresses);
        if let (Some(fault), Some(first)) = (&addresses.unknown, outcomes.first_mut()) {
            first.notes.push(Note::AddressesUnknown { fault: fault.clone() });
        }
        if !self.check.follow {
            return outcomes;
        }
        let mut followed: Vec<TargetOutcome> = Vec::new();
        // With where the first outcome of each stands.
        let mut seen: Vec<(Target, usize)> = Vec::new();
        for outcome in outcomes {
            let Some(next) = destination(&outcome, &target, redirects) else {
                followed.push(outcome);
                continue;
            };
            let known = seen.iter().find(|(destination, _)| *destination == next);
            let place = known.map_or(followed.len(), |&(_, place)| place);
            if known.is_none() {
                // A boxed future, because it may come back here.
                let mut further = Box::pin(self.check(next.clone(), redirects + 1)).await;
                for one in &mut further {
                    // Of a chain of redirects its begin is what the reader knows.
                    one.notes.retain(|note| !matches!(note, Note::RedirectedFrom { .. }));
                    one.notes.push(Note::RedirectedFrom { url: outcome.url.clone() });
                }
                seen.push((next, place));
                followed.extend(further);
            }
            if let Some(first) = followed.get_mut(place) {
                first.notes.extend(notes_on_the_way(outcome));
            }
        }
        followed
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
            (outcome.address, outcome.finding.failure(), kept.first_mut())
        {
            first.notes.push(Note::AddressSkipped { address, cause: failure.cause.clone() });
        }
    }
    kept
}

/// Where a redirected target is to be looked for instead.
fn destination(outcome: &TargetOutcome, target: &Target, redirects: u32) -> Option<Target> {
    if redirects >= MOST_REDIRECTS {
        return None;
    }
    match outcome.finding.failure()?.answer()? {
        AnswerFault::Redirect { location: Some(location), .. } => target.redirected_to(location),
        _ => None,
    }
}

/// What a reader should know of an address that redirected: the rest of its notes is about a time, and it told none.
fn notes_on_the_way(redirected: TargetOutcome) -> impl Iterator<Item = Note> {
    let TargetOutcome { url, notes, .. } = redirected;
    notes.into_iter().filter_map(move |note| match note {
        Note::AddressSkipped { .. }
        | Note::AddressesUnknown { .. }
        | Note::CertificateEndsSoon { .. }
        | Note::KeptConnectionsLost { .. } => Some(Note::OnTheWay { url: url.clone(), note: Box::new(note) }),
        _ => None,
    })
}

#[cfg(test)]
mod tests;
