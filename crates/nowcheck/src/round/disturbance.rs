//! What happens to this machine in the middle of a round: it is suspended, or its clock is stepped.

use std::net::SocketAddr;
use std::time::Duration;

use clock_offset::Offset;

use super::doubt::put_in_doubt;
use crate::clock::Clock;
use crate::outcome::{Discarded, Doubt, Note, TargetOutcome};
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

#[cfg(test)]
mod tests;
