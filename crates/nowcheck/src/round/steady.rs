//! A steady round: what a monitor holds as long as everything is as it was.
//!
//! Over one fresh connection to each address the fewest requests are sent that prove the clock right; see
//! [`clock_offset::steady`]. Connections are fresh, so that a balancer leads to all backends over time. What is not as
//! before is no finding: it is a [`FullRoundReason`], and the caller holds a full round at once.

mod ask;
mod memory;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clock_offset::SteadyDoubt;

use super::concluded;
use super::context::RoundContext;
use super::disturbance::Disturbance;
use crate::check::Check;
use crate::clock::Clock;
use crate::outcome::{Outcome, TargetOutcome};
use crate::parallel::in_parallel;
use crate::reference::RoundReference;
use crate::target::Target;

use ask::Unproven;
use memory::Place;

pub use memory::SteadyMemory;

/// Why a full round is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FullRoundReason {
    /// Nothing is remembered of an address, or the last full round did not prove it right.
    NothingRemembered,
    /// A request failed, or its answer was none.
    Failed,
    /// An instance answered that is not remembered.
    NewInstance,
    /// An instance has not answered for longer than chance explains.
    SilentInstance,
    /// The answers prove too little, or something else than before.
    Clock(SteadyDoubt),
    /// This machine was suspended, or its clock was stepped.
    Disturbed,
}

impl FullRoundReason {
    /// As programs read it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::NothingRemembered => "nothing_remembered",
            Self::Failed => "failed",
            Self::NewInstance => "new_instance",
            Self::SilentInstance => "silent_instance",
            Self::Clock(SteadyDoubt::Beyond) => "beyond_the_limit",
            Self::Clock(SteadyDoubt::Open) => "open",
            Self::Clock(SteadyDoubt::SeveralClocks) => "several_clocks",
            Self::Clock(SteadyDoubt::Standstill) => "standstill",
            Self::Clock(SteadyDoubt::Jump) => "jump",
            Self::Clock(SteadyDoubt::OutOfTime) => "out_of_time",
            Self::Disturbed => "disturbed",
        }
    }
}

/// Holds a steady round against references that were queried before. It and a full round that has to follow may take `longest`
/// together; what this one leaves of it is for the full one.
///
/// # Errors
/// A full round is needed. What this one has asked is told to nobody.
pub async fn hold_steadily(
    check: &Arc<Check>,
    reference: &RoundReference,
    memory: &mut SteadyMemory,
    clock: Clock,
    longest: Duration,
) -> Result<Outcome, FullRoundReason> {
    let begin = clock.now();
    let mut round = RoundContext::new(check, reference, clock, begin);
    let time = memory.time(check.timeout, longest);
    round.deadline = begin + time;
    let to_answer = (time / 4).min(check.timeout / 8);
    round.last_start = begin + time.saturating_sub(to_answer);
    let mut targets = Vec::new();
    for target in &check.targets {
        targets.extend(round.every_address_steadily(target, memory).await?);
    }
    if Disturbance::since(reference, clock).is_some() {
        return Err(FullRoundReason::Disturbed);
    }
    // Nobody looked for all backends, so none is missing.
    Ok(concluded(check, reference.clone(), targets, clock, begin))
}

impl RoundContext {
    /// Asks every address of a target, if all of them are remembered.
    async fn every_address_steadily(
        &self,
        target: &Target,
        memory: &mut SteadyMemory,
    ) -> Result<Vec<TargetOutcome>, FullRoundReason> {
        let until = Self::resolve_until(&self.check, self.clock.now());
        let resolved = self.check.resolution.addresses(target.endpoint(), self.clock, until).await;
        let addresses = resolved.map_err(|_| FullRoundReason::Failed)?;
        let url = target.to_string();
        let mut places: Vec<(SocketAddr, Place)> = Vec::new();
        for &address in &addresses.all {
            let place = memory.place(&url, address).ok_or(FullRoundReason::NothingRemembered)?;
            places.push((address, place.clone()));
        }
        let asked = match &places[..] {
            // No task, where there is nothing to do beside it.
            [(address, place)] => vec![Box::pin(self.ask_steadily(target, *address, place)).await],
            _ => self.ask_side_by_side(target, &places).await,
        };
        let mut outcomes = Vec::new();
        for ((address, _), answered) in places.iter().zip(asked) {
            let (mut outcome, place) = match answered {
                Ok(proven) => proven,
                Err(Unproven { reason, place }) => {
                    memory.remember(&url, *address, place);
                    return Err(reason);
                }
            };
            outcome.phases.resolve = addresses.took;
            memory.remember(&url, *address, Some(place));
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    async fn ask_side_by_side(
        &self,
        target: &Target,
        places: &[(SocketAddr, Place)],
    ) -> Vec<Result<(TargetOutcome, Place), Unproven>> {
        let asking = places.iter().cloned().map(|(address, place)| {
            let (round, target) = (self.with_doubt_of_its_own(), target.clone());
            async move { round.ask_steadily(&target, address, &place).await }
        });
        in_parallel(asking).await
    }
}
