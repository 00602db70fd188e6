//! One round: performs the plan on every address of every target, and judges what came.

mod burst;
mod doubt;
mod pause;
mod sampling;

use std::net::SocketAddr;
use std::sync::Arc;

use clock_offset::{JudgedBackend, MonotonicInstant, ReferenceClock, Verdict};
use url::Host;

use crate::clock::Clock;
use crate::outcome::{Discarded, Note, Outcome, Phases, Reason, Standing, Status, TargetOutcome};
use crate::parallel::in_parallel;
use crate::probe::culprit::Judge;
use crate::probe::failure::{Failure, Kind, Phase};
use crate::probe::resolve::{Addresses, resolve};
use crate::reference::courtesy::Refusals;
use crate::reference::{Anchor, anchor};
use crate::settings::Settings;
use crate::target::Target;

use doubt::{Disturbance, Tally};

/// Redirects that are followed, one after the other.
const MOST_REDIRECTS: u32 = 5;

/// What all probes of a round share.
#[derive(Debug, Clone)]
struct Round {
    settings: Arc<Settings>,
    clock: Clock,
    reference: ReferenceClock,
    /// By which clock certificates are judged, in words.
    judge: Judge,
    /// A DNS that is silent must leave time for the addresses that it did tell.
    resolve_until: MonotonicInstant,
    deadline: MonotonicInstant,
    last_start: MonotonicInstant,
}

/// Holds a round. It ends by itself within the timeout, whatever the other side does.
///
/// When this machine is suspended in the middle of it, or its clock is stepped although that is the reference, what was
/// measured before is worth nothing after: it is discarded, and the round is held again if there is time. What time
/// servers refuse in it is added to the `refusals` of the rounds before.
pub async fn hold(settings: Arc<Settings>, refusals: &mut Refusals, clock: Clock) -> Outcome {
    let begin = clock.now();
    let mut discarded = Tally::default();
    let (anchor, mut targets) = loop {
        let suspended = clock.suspended();
        let (anchor, targets) = hold_once(&settings, refusals, clock, begin).await;
        let Some(disturbance) = Disturbance::since(suspended, &anchor, clock) else {
            break (anchor, targets);
        };
        if clock.now() >= begin + settings.timeout / 2 {
            break (anchor, disturbance.take_back(targets));
        }
        discarded.count(disturbance, &targets);
    };
    discarded.tell(&mut targets);
    doubt::miss_backends(&mut targets, &settings);
    doubt::doubt_the_reference(&mut targets, &anchor, &settings);
    let wall = &anchor.wall.shown;
    Outcome {
        checked_at: wall.shows.earliest() - (wall.at - begin),
        duration: clock.now().since(begin),
        limits: settings.limits,
        reference: anchor.outcome,
        targets,
    }
}

/// Asks the references, then every address of every target.
async fn hold_once(
    settings: &Arc<Settings>,
    refusals: &mut Refusals,
    clock: Clock,
    begin: MonotonicInstant,
) -> (Anchor, Vec<TargetOutcome>) {
    // Every request has a quarter of the round to be answered, so silence until its end means something.
    let last_start = begin + settings.timeout * 3 / 4;
    // Silence of a reference must leave most of the round to the targets.
    let until = last_start.min(clock.now() + settings.timeout / 5);
    let anchor = anchor(settings, refusals, clock, until).await;
    let has_servers = anchor.outcome.local_offset.is_some();
    settings.certificate_time.set(clock, has_servers.then_some(anchor.reference.bounds));
    let round = Round {
        clock,
        reference: anchor.reference,
        judge: Judge {
            bounds: anchor.reference.bounds,
            is_vouched_for: anchor.outcome.standing == Standing::Agreed,
            is_this_machine: !has_servers,
        },
        resolve_until: last_start.min(clock.now() + settings.timeout / 3),
        deadline: begin + settings.timeout,
        last_start,
        settings: Arc::clone(settings),
    };
    let targets = settings.targets.iter().cloned().map(|target| {
        let round = round.clone();
        async move { round.check(target, 0).await }
    });
    (anchor, in_parallel(targets).await.into_iter().flatten().collect())
}

impl Round {
    /// Checks every address of a target, and where they redirect to if that is wanted.
    async fn check(&self, target: Target, redirects: u32) -> Vec<TargetOutcome> {
        let begin = self.clock.now();
        let given = self.settings.overrides.of(&target.host);
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
        if let (Some(why), Some(first)) = (&addresses.unknown, outcomes.first_mut()) {
            first.notes.push(Note::AddressesUnknown { why: why.clone() });
        }
        if !self.settings.follow {
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
    let (status, reason) = status_of_failure(&failure);
    TargetOutcome {
        url: target.to_string(),
        address: None,
        status,
        reason,
        failure: Some(failure),
        phases: Phases::default(),
        certificate: None,
        connections: 0,
        requests: 0,
        discarded: Discarded::default(),
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
    // Without any, the round's time was over before the first request could be begun.
    worst_verdict(backends).map_or((Status::Unknown, Reason::Undetermined), status_of_verdict)
}

fn worst_verdict(backends: &[JudgedBackend]) -> Option<Verdict> {
    backends.iter().map(|judged| judged.verdict).max()
}

/// The status and the reason that a verdict stands for.
#[must_use]
pub fn status_of_verdict(verdict: Verdict) -> (Status, Reason) {
    match verdict {
        Verdict::InSync => (Status::Ok, Reason::InSync),
        Verdict::NotWithinWarning => (Status::Warning, Reason::Desynchronised),
        Verdict::Undetermined => (Status::Unknown, Reason::Undetermined),
        Verdict::Desynchronized => (Status::Critical, Reason::Desynchronised),
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
#[path = "round_tests.rs"]
mod tests;
