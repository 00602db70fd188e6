//! Redirects: followed from one target to the next, with what a reader should know of the way.

use super::RoundContext;
use crate::outcome::{AnswerProblem, Cause, CheckerFault, Finding, Note, TargetOutcome};
use crate::target::Target;

/// Redirects that are followed, one after the other.
pub(super) const MOST_REDIRECTS: u32 = 5;

impl RoundContext {
    /// Checks a target, and where it redirects to if that is wanted.
    /// Those before it redirected to it, in their order. Every destination that an address redirects to is checked.
    pub(super) async fn following_redirects(
        &self,
        target: Target,
        mut before: Vec<Target>,
    ) -> Vec<TargetOutcome> {
        let outcomes = self.every_address(&target).await;
        if !self.check.follow {
            return outcomes;
        }
        before.push(target.clone());
        let mut followed: Vec<TargetOutcome> = Vec::new();
        // With where the first outcome of each stands.
        let mut seen: Vec<(Target, usize)> = Vec::new();
        for mut outcome in outcomes {
            let Some(next) = destination(&mut outcome, &before) else {
                followed.push(outcome);
                continue;
            };
            let known = seen.iter().find(|(destination, _)| *destination == next);
            let place = known.map_or(followed.len(), |&(_, place)| place);
            if known.is_none() {
                // A boxed future, because it may come back here.
                let mut further = Box::pin(self.following_redirects(next.clone(), before.clone())).await;
                for one in &mut further {
                    // Of a chain of redirects its begin is what the reader knows.
                    one.notes.retain(|note| !matches!(note, Note::Redirected { .. }));
                    one.notes.push(Note::Redirected { url: outcome.url.clone() });
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

/// Where the last one of these targets is to be looked for instead. A circle is noted in its outcome.
fn destination(outcome: &mut TargetOutcome, so_far: &[Target]) -> Option<Target> {
    let (Finding::Down(interrupted) | Finding::CheckerFault(CheckerFault::CannotAsk(interrupted))) =
        &mut outcome.finding
    else {
        return None;
    };
    let Cause::Answer(fault) = &mut interrupted.failure.cause else { return None };
    let AnswerProblem::Redirect { location: Some(location), is_loop, .. } = &mut fault.problem else {
        return None;
    };
    let next = so_far.last()?.redirected_to(location)?;
    *is_loop = so_far.contains(&next);
    let is_followed = !*is_loop && so_far.len() <= MOST_REDIRECTS as usize;
    is_followed.then_some(next)
}

/// What a reader should know of an address that redirected: the rest of its notes is about a time, and it told none.
fn notes_on_the_way(redirected: TargetOutcome) -> impl Iterator<Item = Note> {
    let TargetOutcome { url, notes, .. } = redirected;
    notes.into_iter().filter_map(move |note| match note {
        Note::AddressSkipped { .. }
        | Note::AddressesUnknown(_)
        | Note::CertificateEndsSoon { .. }
        | Note::KeptConnectionsLost { .. } => Some(Note::OnTheWay { url: url.clone(), note: Box::new(note) }),
        _ => None,
    })
}

#[cfg(test)]
mod tests;
