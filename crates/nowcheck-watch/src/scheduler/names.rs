//! Whether the names that a service gives its instances are worth remembering.
//!
//! A steady round relies on names that last: one that is new is a reason for a full round. Some services put the id of a
//! request into `instance`. They would be asked some hundred times in each round for ever, and each answer would look like a
//! further backend. So names that do not last are ignored for a day, and the service is watched as one that names nothing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use clock_offset::MonotonicInstant;
use nowcheck::check::MOST_BACKENDS;
use nowcheck::outcome::{Outcome, TargetOutcome};

/// So many full rounds in a row each met none of the instances of the one before. Backends that are replaced one after the
/// other, or all at once, are met again by the next round.
const STRANGERS: u32 = 10;

/// Afterwards the service is asked again whether it has mended its names.
const IGNORED_FOR: Duration = Duration::from_hours(24);

/// What is known of the names of one check.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Those of the latest full round with names.
    latest: BTreeSet<Arc<str>>,
    /// How many full rounds in a row met only others than the one before.
    strangers: u32,
    ignored_until: Option<MonotonicInstant>,
}

impl Names {
    /// Whether answers are judged without their names.
    pub(super) fn are_ignored(&self, now: MonotonicInstant) -> bool {
        self.ignored_until.is_some_and(|until| now < until)
    }

    /// A steady round met an instance that it knew.
    pub(super) fn have_lasted(&mut self) {
        self.strangers = 0;
    }

    /// Takes the names of a full round, and takes them from its outcome where there are too many. Whether it has.
    pub(super) fn meet(&mut self, outcome: &mut Outcome, now: MonotonicInstant) -> bool {
        let backends = outcome.targets.iter().flat_map(TargetOutcome::backends);
        let names: BTreeSet<Arc<str>> = backends.filter_map(|backend| backend.instance.clone()).collect();
        let are_too_many = outcome.forget_names_beyond(MOST_BACKENDS);
        // A round that failed says nothing of names, or of too few: it ended when it had met some of many backends.
        let has_failed = outcome.targets.iter().any(|target| target.finding.failure().is_some());
        if !names.is_empty() && !has_failed {
            let are_others = !self.latest.is_empty() && self.latest.is_disjoint(&names);
            self.strangers = if are_others { self.strangers + 1 } else { 0 };
            self.latest = names;
        }
        if are_too_many || self.strangers >= STRANGERS {
            *self = Self { ignored_until: Some(now + IGNORED_FOR), ..Self::default() };
        }
        are_too_many
    }
}

#[cfg(test)]
mod tests;
