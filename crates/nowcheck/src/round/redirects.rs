//! Redirects: followed from one target to the next, with what a reader should know of the way.

use super::RoundContext;
use crate::outcome::{AnswerProblem, Note, TargetOutcome};
use crate::target::Target;

/// Redirects that are followed, one after the other.
pub(super) const MOST_REDIRECTS: u32 = 5;

impl RoundContext {
    /// Checks a target, and where it redirects to if that is wanted.
    pub(super) async fn following_redirects(&self, target: Target, redirects: u32) -> Vec<TargetOutcome> {
        let outcomes = self.every_address(&target).await;
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
                let mut further = Box::pin(self.following_redirects(next.clone(), redirects + 1)).await;
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

/// Where a redirected target is to be looked for instead.
fn destination(outcome: &TargetOutcome, target: &Target, redirects: u32) -> Option<Target> {
    if redirects >= MOST_REDIRECTS {
        return None;
    }
    match &outcome.finding.failure()?.answer()?.problem {
        AnswerProblem::Redirect { location: Some(location), .. } => target.redirected_to(location),
        _ => None,
    }
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
