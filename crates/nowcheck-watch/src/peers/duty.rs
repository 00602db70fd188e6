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

use std::time::Duration;

use clock_offset::MonotonicInstant;

use super::known::{Heard, LIVING};
use super::view::IncidentView;

/// The place of an instance in the order: its name, then its id.
pub(super) type Rank<'a> = (&'a str, &'a str);

/// How a service fails, as far as other instances matter for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It gives no time.
    Down,
    /// Its clock is wrong, if the reference of this instance is right.
    ClockWrong,
    /// What it says is wrong by itself: it stands still.
    Stale,
}

/// What may be alerted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trouble<'a> {
    /// Of which check.
    pub(crate) check: &'a str,
    /// How the service fails.
    pub(crate) kind: Kind,
    /// Since when this instance sees it.
    pub(crate) since: MonotonicInstant,
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

/// Whether too few see that a service is down.
pub(super) fn lacks_agreement(trouble: Trouble<'_>, quorum: u32, living: &[&Heard]) -> bool {
    if trouble.kind != Kind::Down {
        return false;
    }
    let watching = living.iter().filter(|other| other.view.checks.contains_key(trouble.check));
    let agreeing =
        watching.clone().filter(|other| other.incident(trouble.check).is_some_and(|one| one.is_down));
    let quorum = usize::try_from(quorum).unwrap_or(usize::MAX);
    agreeing.count() + 1 < quorum.min(watching.count() + 1)
}

/// Whether others may be about to show that not the clock of the service is wrong, but the reference of this instance: none
/// of them sees the trouble. That they have looked is not enough, because a measurement of theirs has to lie between two of
/// this instance, or the other way round.
pub(super) fn may_be_our_reference(trouble: Trouble<'_>, living: &[&Heard], now: MonotonicInstant) -> bool {
    let watching = || living.iter().filter(|other| other.view.checks.contains_key(trouble.check));
    trouble.kind == Kind::ClockWrong
        && watching().all(|other| other.incident(trouble.check).is_none())
        && watching().any(|other| !other.had_time_to_look(trouble, now))
}

/// Whether another instance alerts this receiver, or may be about to.
pub(super) fn is_with_another(
    trouble: Trouble<'_>,
    receiver: &str,
    me: Rank<'_>,
    living: &[&Heard],
    now: MonotonicInstant,
) -> bool {
    living.iter().filter(|other| other.serves(trouble.check, receiver)).any(|other| {
        match other.incident(trouble.check) {
            Some(incident) if incident.told.contains(receiver) => true,
            Some(incident) => other.rank() < me && !incident.is_held_back,
            None => other.rank() < me && !other.has_made_up_its_mind(trouble, now),
        }
    })
}

/// Whether this instance is the first of those that live: it speaks for all about what all see alike.
pub(super) fn is_first(me: Rank<'_>, living: &[&Heard]) -> bool {
    living.iter().all(|other| me < other.rank())
}
