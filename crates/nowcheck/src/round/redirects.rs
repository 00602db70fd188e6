//! Redirects: followed from one target to the next, with what a reader should know of the way.

use std::pin::Pin;
use std::sync::Arc;

use super::RoundContext;
use super::location::destination;
use super::names::Name;
use crate::check::Destinations;
use crate::outcome::{Note, Secrecy, TargetOutcome};
use crate::parallel::in_parallel;
use crate::target::{Target, shown_location};
use crate::text::Secrets;

/// The outcomes behind a target, some time later: following redirects may come back to following redirects.
type Outcomes = Pin<Box<dyn Future<Output = Vec<TargetOutcome>> + Send>>;

/// A destination that is checked in place of what redirects to it.
struct Further {
    target: Target,
    /// Where its first outcome is to stand among those that lead to no other place.
    place: usize,
    /// The URL that redirects to it.
    from: String,
    /// What is to be known of the addresses that redirect to it.
    notes: Vec<Note>,
}

impl RoundContext {
    /// Checks a target, and where it redirects to if that is wanted.
    /// Those before it redirected to it, in their order. Every destination that an address redirects to is checked.
    pub(super) fn following_redirects(self, name: Name, before: Arc<[Target]>) -> Outcomes {
        Box::pin(async move {
            let target = name.target.clone();
            let outcomes = self.every_address(name).await;
            if !self.check.follow {
                return outcomes;
            }
            let way: Arc<[Target]> = before.iter().cloned().chain([target]).collect();
            let behind =
                outcomes.into_iter().map(|outcome| self.clone().all_behind(Arc::clone(&way), outcome));
            let outcomes = in_parallel(behind).await.into_iter().flatten();
            let (kept, further) = apart(outcomes, &way, &self.check.destinations);
            let places: Vec<usize> = further.iter().map(|further| further.place).collect();
            let followed = further.into_iter().map(|further| {
                let (round, way) = (self.clone(), Arc::clone(&way));
                async move { further.followed(round, way).await }
            });
            in_their_places(kept, places.into_iter().zip(in_parallel(followed).await))
        })
    }
}

impl Further {
    async fn followed(self, round: RoundContext, way: Arc<[Target]>) -> Vec<TargetOutcome> {
        // As much of what is left of the round as a target may take of all of it.
        let now = round.clock.now();
        let until = now + round.last_start.since(now) * 3 / 5;
        let mut secrets = Secrets::default();
        self.target.tell_secrets(&mut secrets);
        self.target.tell_values(&mut secrets);
        let name = Name::resolve(self.target, &round.check, round.clock, until);
        let mut outcomes = round.following_redirects(name, way).await;
        for one in &mut outcomes {
            // Of a chain of redirects its begin is what the reader knows.
            one.notes.retain(|note| !matches!(note, Note::Redirected { .. }));
            one.notes.push(Note::Redirected { url: self.from.clone() });
            // What only the server knew that redirected here may be echoed here.
            Secrecy { secrets: &secrets, named: &[] }.mask_target(one);
        }
        if let Some(first) = outcomes.first_mut() {
            first.notes.extend(self.notes);
        }
        outcomes
    }
}

/// Takes apart what is an outcome by itself and what leads further. `way` are the targets so far.
fn apart(
    outcomes: impl Iterator<Item = TargetOutcome>,
    way: &[Target],
    destinations: &Destinations,
) -> (Vec<TargetOutcome>, Vec<Further>) {
    let (mut kept, mut further): (Vec<TargetOutcome>, Vec<Further>) = (Vec::new(), Vec::new());
    for mut outcome in outcomes {
        if way.len() > 1 {
            // Only the first URL is the user's. The others are what a server wrote.
            outcome.url = shown_location(&outcome.url);
        }
        let Some(next) = destination(&mut outcome, way, destinations) else {
            kept.push(outcome);
            continue;
        };
        let from = outcome.url.clone();
        match further.iter_mut().find(|known| known.target == next) {
            Some(known) => known.notes.extend(notes_on_the_way(outcome)),
            None => further.push(Further {
                target: next,
                place: kept.len(),
                from,
                notes: notes_on_the_way(outcome).collect(),
            }),
        }
    }
    (kept, further)
}

/// Puts what was followed where what redirects to it was. The places come in ascending order.
fn in_their_places(
    kept: Vec<TargetOutcome>,
    followed: impl Iterator<Item = (usize, Vec<TargetOutcome>)>,
) -> Vec<TargetOutcome> {
    let mut all = Vec::new();
    let mut kept = kept.into_iter();
    let mut taken = 0;
    for (place, outcomes) in followed {
        all.extend(kept.by_ref().take(place - taken));
        taken = place;
        all.extend(outcomes);
    }
    all.extend(kept);
    all
}

/// What a reader should know of an address that redirected: the rest of its notes is about a time, and it told none.
fn notes_on_the_way(redirected: TargetOutcome) -> impl Iterator<Item = Note> {
    let TargetOutcome { url, notes, .. } = redirected;
    notes.into_iter().filter_map(move |note| match note {
        Note::AddressSkipped { .. }
        | Note::AddressesUnknown(_)
        | Note::CertificateEndsSoon { .. }
        | Note::BackendsMayBeMissing { .. }
        | Note::KeptConnectionsLost { .. } => Some(Note::OnTheWay { url: url.clone(), note: Box::new(note) }),
        _ => None,
    })
}

#[cfg(test)]
mod tests;
