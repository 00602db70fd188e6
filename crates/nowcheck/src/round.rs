//! One round: performs the plan on every address of every target, and judges what came.

mod addresses;
mod burst;
mod context;
mod disturbance;
mod doubt;
mod location;
mod missing_backends;
mod names;
mod program_pause;
mod reading;
mod redirects;
mod rejections;
mod sampling;
mod steady;
mod survey;
mod turns;
mod unusable;

use std::sync::Arc;

use clock_offset::MonotonicInstant;

use crate::check::Check;
use crate::clock::Clock;
use crate::outcome::{Outcome, Secrecy, TargetOutcome};
use crate::parallel::in_parallel;
use crate::reference::{Patience, References, RoundReference};
use crate::text::Secrets;

use context::RoundContext;
use disturbance::{DiscardedAnswers, Disturbance};
use names::Names;

pub use steady::{FullRoundReason, SteadyMemory, hold_steadily};

/// Queries the references and holds a round. It ends by itself within the timeout, whatever the other side does.
///
/// When this machine is suspended in the middle of it, or its clock is stepped although that is the reference, what was
/// measured before is worth nothing after: it is discarded, and the round is held again if there is time. What time
/// servers refuse is remembered by the `references`.
pub async fn hold(check: &Arc<Check>, references: &mut References, clock: Clock) -> Outcome {
    let begin = clock.now();
    let mut discarded = DiscardedAnswers::default();
    loop {
        // Beside the references, so that a slow DNS costs its time once.
        let names = names::of_targets(check, clock, begin);
        let patience = Patience {
            names_until: RoundContext::resolve_until(check, begin),
            // Silence of a reference must leave most of the round to the targets.
            reply: check.timeout / 5,
            until: RoundContext::last_start(check, begin),
        };
        let reference = references.query(check.limits.max_offset, clock, patience).await;
        let context = RoundContext::new(check, &reference, clock, begin);
        let mut targets = ask_targets(context, names).await;
        let disturbance = Disturbance::since(&reference, clock);
        if let Some(disturbance) = disturbance
            && clock.now() < begin + check.timeout / 2
        {
            discarded.count(disturbance, &targets);
            continue;
        }
        if let Some(disturbance) = disturbance {
            disturbance.take_back(&mut targets);
        }
        discarded.add_to(&mut targets);
        missing_backends::miss_backends(&mut targets, check);
        return concluded(check, reference, targets, clock, begin);
    }
}

/// Holds a round against references that were queried before. So many checks share one answer of the time servers: its
/// age widens the bounds, by 30 ms a minute at most.
///
/// When this machine was suspended since they were queried, or its clock was stepped although that is the reference,
/// nothing is proven.
///
/// ```no_run
/// use std::sync::Arc;
/// use std::time::Duration;
/// use nowcheck::{check::Check, clock::Clock, reference::Patience, round};
///
/// # async fn example() -> Result<(), nowcheck::check::CheckError> {
/// let clock = Clock::start();
/// let check = Arc::new(Check::of(["http://time.example"]).build()?);
/// let mut references = check.references(Some(Duration::from_secs(60)));
/// let patience = Patience::until(clock.now() + Duration::from_secs(2));
/// let reference = references.query(Duration::from_secs(1), clock, patience).await;
/// let outcome = round::hold_against(&check, &reference, clock).await;
/// println!("{:?}", outcome.status());
/// # Ok(())
/// # }
/// ```
pub async fn hold_against(check: &Arc<Check>, reference: &RoundReference, clock: Clock) -> Outcome {
    let begin = clock.now();
    let names = names::of_targets(check, clock, begin);
    let mut targets = ask_targets(RoundContext::new(check, reference, clock, begin), names).await;
    if let Some(disturbance) = Disturbance::since(reference, clock) {
        disturbance.take_back(&mut targets);
    }
    missing_backends::miss_backends(&mut targets, check);
    concluded(check, reference.clone(), targets, clock, begin)
}

/// Whether a reference that was queried before still holds: this machine was not suspended since, and its clock was not
/// stepped if the reference rests on it.
#[must_use]
pub fn still_holds(reference: &RoundReference, clock: Clock) -> bool {
    Disturbance::since(reference, clock).is_none()
}

/// Asks every address of every target.
async fn ask_targets(context: RoundContext, names: Names) -> Vec<TargetOutcome> {
    let targets = names.into_iter().map(|name| {
        let context = context.clone();
        async move { context.following_redirects(name, Arc::default()).await }
    });
    in_parallel(targets).await.into_iter().flatten().collect()
}

/// What the targets prove, as far as the reference is good for it.
fn concluded(
    check: &Check,
    reference: RoundReference,
    mut targets: Vec<TargetOutcome>,
    clock: Clock,
    begin: MonotonicInstant,
) -> Outcome {
    doubt::doubt_the_reference(&mut targets, &reference, check);
    mask_secrets(&mut targets, check);
    let wall = &reference.wall.shown;
    Outcome {
        checked_at: wall.shows.earliest() - (wall.at - begin),
        duration: clock.now().since(begin),
        limits: check.limits,
        reference: reference.outcome,
        targets,
    }
}

/// Servers echo what they are sent, also to other servers, by a redirect.
fn mask_secrets(outcomes: &mut [TargetOutcome], check: &Check) {
    let mut secrets = Secrets::default();
    check.targets.iter().for_each(|target| target.tell_secrets(&mut secrets));
    let named: Vec<String> =
        check.targets.iter().flat_map(|target| [target.to_string(), target.host.to_string()]).collect();
    let secrecy = Secrecy { secrets: &secrets, named: &named };
    for outcome in outcomes {
        secrecy.mask_target(outcome);
    }
}

#[cfg(test)]
mod tests;
