//! What earlier rounds tell about where to look. It aims, and proves nothing.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clock_offset::steady::rounds_to_meet;
use clock_offset::{BoundedTime, Drift, Interval, Memory, SteadyProof, Verdict, is_coarse_step};

use super::FullRoundReason;
use crate::clock::Clock;
use crate::outcome::{BackendOutcome, Finding, Outcome, Undetermined};
use crate::reference::RoundReference;

/// An instance is silent for longer than chance explains when a balancer that spreads connections evenly would be that
/// unlikely to leave it out for so long.
const SILENCE: f64 = 1e-4;

/// What is remembered of a check.
#[derive(Debug, Clone, Default)]
pub struct SteadyMemory {
    places: BTreeMap<(String, SocketAddr), Place>,
}

/// What is remembered of an address.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    /// Connections so far.
    rounds: u64,
    /// Of each clock, by the name that it gives itself; and which connection it answered last.
    clocks: BTreeMap<Option<Arc<str>>, (Memory, u64)>,
}

impl SteadyMemory {
    /// Learns from a full round. What it did not prove right is forgotten, and so a full round follows. One clock that reads
    /// coarsely may be open only because the time was too short to wait for its edges, which an aimed request needs less of.
    pub fn learn(&mut self, outcome: &Outcome, reference: &RoundReference, clock: Clock) {
        let mut before = std::mem::take(&mut self.places);
        for target in &outcome.targets {
            let Some(address) = target.address else { continue };
            let backends = match &target.finding {
                Finding::InSync(backends)
                | Finding::NotWithinWarning(backends)
                | Finding::Unvouched(backends) => backends.as_slice(),
                Finding::Undetermined(Undetermined::Open(backends))
                    if is_one_coarse_clock(backends.as_slice()) =>
                {
                    backends.as_slice()
                }
                _ => continue,
            };
            let key = (target.url.clone(), address);
            let known = before.remove(&key).unwrap_or_default();
            self.places.insert(key, Place::of(backends, &known, reference, clock));
        }
    }

    /// What is remembered of an address.
    pub(super) fn place(&self, url: &str, address: SocketAddr) -> Option<&Place> {
        self.places.get(&(url.to_owned(), address))
    }

    pub(super) fn remember(&mut self, url: &str, address: SocketAddr, place: Option<Place>) {
        if let Some(place) = place {
            self.places.insert((url.to_owned(), address), place);
        }
    }

    /// How long a steady round may take, if it and a full round together may take `longest`.
    ///
    /// It is over early if nothing comes, so that a full round has time to find out why. Readings that are coarse are asked for
    /// when the clock passes to the next one. That is waited for, as long as a full round still fits or, in short
    /// periods, as long as there is time at all.
    pub(super) fn time(&self, timeout: Duration, longest: Duration) -> Duration {
        let aims = || self.places.values().filter_map(Place::aim);
        let slowest = aims().map(|aim| aim.round_trip).max().unwrap_or_default();
        let least = (slowest * 4).clamp(timeout / 4, timeout / 2);
        let silent = longest.saturating_sub(timeout).clamp(least, timeout / 2);
        let coarse = aims().filter(|aim| is_coarse_step(aim.step, aim.round_trip)).map(|aim| aim.step).max();
        let Some(step) = coarse.filter(|step| *step * 3 / 4 <= timeout) else { return silent };
        let (one_edge, two_edges) = (step * 5 / 4 + timeout / 8, step * 9 / 4 + timeout / 8);
        let beside_a_full_one = longest.saturating_sub(timeout / 2);
        two_edges.min(beside_a_full_one).max(one_edge).max(silent).min(timeout)
    }

    /// How many steady rounds it takes to meet each clock that is known, but for that probability: so long may a single
    /// faulty one of them go unseen.
    #[must_use]
    pub fn rounds_to_meet_all(&self, miss_probability: f64) -> u32 {
        let most = self.places.values().map(|place| place.clocks.len()).max().unwrap_or(1);
        rounds_to_meet(most, miss_probability)
    }
}

fn is_one_coarse_clock(backends: &[BackendOutcome]) -> bool {
    matches!(backends, [one] if is_coarse_step(one.step, one.round_trip.min))
}

impl Place {
    fn of(backends: &[BackendOutcome], known: &Self, reference: &RoundReference, clock: Clock) -> Self {
        let now = reference.reference.at(clock.now());
        let clocks = backends.iter().map(|backend| {
            let shows = Interval::new(
                now.shows.earliest() + backend.offset.earliest(),
                now.shows.latest() + backend.offset.latest(),
            );
            // What aimed requests told may be sharper than what a short full round had time for.
            let before = known.of_clock(backend.instance.as_ref());
            let before = before.map(|memory| memory.bounds.carried_to(now.at, Drift::DISCIPLINED).shows);
            let shows = before.and_then(|before| before.intersection(&shows)).unwrap_or(shows);
            let memory = Memory {
                bounds: BoundedTime { at: now.at, shows },
                step: backend.step,
                round_trip: backend.round_trip.min,
                tick: backend.tick,
                reading: None,
                is_within_warning: backend.verdict != Verdict::NotWithinWarning,
            };
            (backend.instance.clone(), (memory, 0))
        });
        Self { rounds: 0, clocks: clocks.collect() }
    }

    /// What aims a request before it is known who answers: what is true of all clocks.
    pub(super) fn aim(&self) -> Option<Memory> {
        let all = self.clocks.values().map(|(memory, _)| memory.clone());
        all.reduce(|one, other| {
            let at = one.bounds.at.max(other.bounds.at);
            let carried = |memory: &Memory| memory.bounds.carried_to(at, Drift::DISCIPLINED).shows;
            Memory {
                bounds: BoundedTime { at, shows: carried(&one).hull(&carried(&other)) },
                step: one.step.max(other.step),
                round_trip: one.round_trip.min(other.round_trip),
                tick: one.tick.max(other.tick),
                reading: None,
                is_within_warning: one.is_within_warning && other.is_within_warning,
            }
        })
    }

    /// What is remembered of the clock of that name.
    pub(super) fn of_clock(&self, instance: Option<&Arc<str>>) -> Option<&Memory> {
        self.clocks.get(&instance.cloned()).map(|(memory, _)| memory)
    }

    /// The place with other knowledge of one of its clocks.
    pub(super) fn knowing(&self, instance: Option<&Arc<str>>, memory: Memory) -> Self {
        let mut after = self.clone();
        if let Some((known, _)) = after.clocks.get_mut(&instance.cloned()) {
            *known = memory;
        }
        after
    }

    /// The place after a round that proved one of its clocks right.
    pub(super) fn after(&self, proof: &SteadyProof) -> Result<Self, FullRoundReason> {
        let mut after = self.clone();
        after.rounds += 1;
        after.clocks.insert(proof.instance.clone(), (proof.memory.clone(), after.rounds));
        let patience = u64::from(rounds_to_meet(after.clocks.len(), SILENCE));
        let is_silent = |(_, met): &(Memory, u64)| after.rounds - met > patience;
        if after.clocks.values().any(is_silent) {
            return Err(FullRoundReason::SilentInstance);
        }
        Ok(after)
    }
}
