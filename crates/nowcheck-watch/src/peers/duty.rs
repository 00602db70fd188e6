//! Whose duty an alert is. Nothing here reads a clock or asks anybody.
//!
//! Instances that hear of each other, directly or through others, agree on an order: that of their names, and of their ids
//! where two have the same name. An alert about a check is sent by the first of them that sees the trouble itself. So
//!
//! * one that comes later waits for those that come earlier, until each of them has held a round that began after the
//!   trouble was seen, or should have. What that round found decides whether it is their duty;
//! * one that comes earlier leaves it to a later one that has alerted already: it may have seen the trouble first;
//! * nobody waits for one that would not alert: it has no such receiver, its receiver takes no message, or it holds its own
//!   alert back;
//! * who hears of nobody alerts.
//!
//! Who cannot hear of each other at all both alert. Nothing could prevent that and still alert when one of them is dead.
//!
//! A clock that is wrong by the reference of this instance alone waits until the others have looked. If they then show that
//! the reference is wrong ([`agreement`](super::agreement)), nobody is alerted of the service.
//!
//! “Down” needs, besides, as many instances that see it as the quorum says, but never more than are there to see it.
//!
//! So an earlier instance may keep its own alert: too few see what it sees, or its reference is wrong. A later one passes it
//! over once all have looked, because what they find may change that. The later one judges by what it knows itself, of all
//! instances. What the earlier one would say of it is older, and then both might alert.

use std::collections::BTreeSet;
use std::time::Duration;

use clock_offset::MonotonicInstant;

use super::known::{Heard, LIVING};
use super::view::{IncidentView, Kind};

/// The place of an instance in the order: its name, then its id.
pub(super) type Rank<'a> = (&'a str, &'a str);

/// What may be alerted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trouble<'a> {
    /// Of which check.
    pub(super) check: &'a str,
    /// How the service fails; in several ways if several of its addresses or backends are in trouble.
    pub(super) kinds: &'a BTreeSet<Kind>,
    /// Since when this instance sees it.
    pub(super) since: MonotonicInstant,
}

impl Heard {
    fn rank(&self) -> Rank<'_> {
        (&self.view.name, &self.view.id)
    }

    fn incident(&self, check: &str) -> Option<&IncidentView> {
        self.view.checks.get(check)?.incident.as_ref()
    }

    /// Whether it would send alerts of a check to that receiver.
    fn serves(&self, check: &str, receiver: &str) -> bool {
        let alerts = self.view.checks.get(check).is_some_and(|check| check.alerts(receiver));
        alerts && self.view.receivers.contains(receiver)
    }

    /// Whether it has seen by itself how things stand, or had the time to.
    fn has_made_up_its_mind(&self, trouble: Trouble<'_>, now: MonotonicInstant) -> bool {
        self.has_looked_since(trouble.check, trouble.since) || self.had_time_to_look(trouble, now)
    }

    /// Whether it should have held a round since, and told of it.
    fn had_time_to_look(&self, trouble: Trouble<'_>, now: MonotonicInstant) -> bool {
        let stands = self.view.checks.get(trouble.check).map_or(0.0, |check| check.stands_seconds);
        now.since(trouble.since) > Duration::try_from_secs_f64(stands).unwrap_or_default() + LIVING
    }
}

/// What an instance knows when it decides.
#[derive(Debug)]
pub(super) struct Situation<'a> {
    /// The other instances that live.
    pub(super) living: Vec<&'a Heard>,
    /// How many instances must see that a service is down.
    pub(super) quorum: u32,
    /// The instances whose references are wrong, by name.
    pub(super) wrong_references: &'a BTreeSet<String>,
    pub(super) now: MonotonicInstant,
}

impl Situation<'_> {
    /// Whether this instance may alert by what it sees, whoever else may.
    pub(super) fn may_alert(&self, trouble: Trouble<'_>, me: &str) -> bool {
        let is_of = |kind| {
            let is_doubtful = kind == Kind::ClockWrong && self.may_be_our_reference(trouble);
            trouble.kinds.contains(&kind) && !is_doubtful
        };
        self.is_alerted(trouble, me, is_of)
    }

    /// Whether this instance may not alert, and would if more saw that the service is down.
    pub(super) fn only_lacks_agreement(&self, trouble: Trouble<'_>, me: &str) -> bool {
        trouble.kinds.contains(&Kind::Down) && !self.may_alert(trouble, me)
    }

    /// Whether another instance alerts this receiver, or may be about to.
    pub(super) fn is_with_another(&self, trouble: Trouble<'_>, receiver: &str, me: Rank<'_>) -> bool {
        let mut serving = self.living.iter().filter(|other| other.serves(trouble.check, receiver));
        serving.any(|other| match other.incident(trouble.check) {
            Some(incident) if incident.told.contains(receiver) => true,
            _ if me <= other.rank() => false,
            Some(incident) if incident.is_held_back => false,
            Some(incident) => {
                let would_alert = self.is_alerted(trouble, &other.view.name, |kind| incident.is_of(kind));
                would_alert || !self.all_have_made_up_their_mind(trouble)
            }
            None => !other.has_made_up_its_mind(trouble, self.now),
        })
    }

    /// Whether an instance that sees the service fail in these ways may alert: one of them suffices.
    fn is_alerted(&self, trouble: Trouble<'_>, instance: &str, is_of: impl Fn(Kind) -> bool) -> bool {
        is_of(Kind::Stale)
            || (is_of(Kind::ClockWrong) && !self.wrong_references.contains(instance))
            || (is_of(Kind::Down) && !self.lacks_agreement(trouble))
    }

    /// Whether too few instances see that the service is down, of all that live and watch it.
    fn lacks_agreement(&self, trouble: Trouble<'_>) -> bool {
        let (mut watching, mut agreeing) = (1, usize::from(trouble.kinds.contains(&Kind::Down)));
        for other in self.watching(trouble) {
            watching += 1;
            agreeing += usize::from(other.incident(trouble.check).is_some_and(|one| one.is_of(Kind::Down)));
        }
        agreeing < usize::try_from(self.quorum).unwrap_or(usize::MAX).min(watching)
    }

    /// Whether others may be about to show that not the clock of the service is wrong, but the reference of this instance:
    /// none of them sees a wrong time. That they have looked is not enough, because a measurement of theirs has to lie between
    /// two of this instance, or the other way round.
    fn may_be_our_reference(&self, trouble: Trouble<'_>) -> bool {
        let is_alike = |one: &IncidentView| one.is_of(Kind::ClockWrong) || one.is_of(Kind::Stale);
        self.watching(trouble).all(|other| !other.incident(trouble.check).is_some_and(is_alike))
            && self.watching(trouble).any(|other| !other.had_time_to_look(trouble, self.now))
    }

    fn all_have_made_up_their_mind(&self, trouble: Trouble<'_>) -> bool {
        self.watching(trouble).all(|other| other.has_made_up_its_mind(trouble, self.now))
    }

    /// The others that watch the check.
    fn watching(&self, trouble: Trouble<'_>) -> impl Iterator<Item = &Heard> {
        self.living.iter().copied().filter(move |other| other.view.checks.contains_key(trouble.check))
    }
}

/// Whether this instance is the first of those that live: it speaks for all about what all see alike.
pub(super) fn is_first(me: Rank<'_>, living: &[&Heard]) -> bool {
    living.iter().all(|other| me < other.rank())
}
