//! Whether something comes and goes, and when it has been calm for long enough.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::timestamps::elapsed;

/// So many starts of trouble…
const STARTS: usize = 5;
/// …within this time are flapping.
const WITHIN: Duration = Duration::from_hours(1);
/// So much calm ends it.
const CALM: Duration = Duration::from_mins(30);

/// When trouble started, as far as that still matters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Starts(Vec<Timestamp>);

impl Starts {
    /// Trouble starts. Returns whether it has done so too often.
    pub(super) fn add(&mut self, now: Timestamp) -> bool {
        self.0.retain(|start| is_recent(*start, now));
        self.0.push(now);
        // No more are needed to tell.
        let surplus = self.0.len().saturating_sub(STARTS);
        self.0.drain(..surplus);
        self.0.len() >= STARTS
    }

    /// Whether none of them matters any more.
    pub(super) fn are_over(&self, now: Timestamp) -> bool {
        !self.0.iter().any(|start| is_recent(*start, now))
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn not_after(&mut self, now: Timestamp) {
        self.0.iter_mut().for_each(|start| *start = now.min(*start));
    }
}

/// Whether it is too recent to be forgotten.
pub(super) fn is_recent(then: Timestamp, now: Timestamp) -> bool {
    elapsed(then, now) < WITHIN
}

/// How much calm was proven since the last trouble.
///
/// A good round proves calm until the next round, at most for as long as its result stands. Time in between is unknown,
/// and neither counts nor starts the count again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Calm {
    proven: Duration,
    stands: Option<(Timestamp, Duration)>,
}

impl Calm {
    pub(super) fn trouble(&mut self) {
        *self = Self::default();
    }

    pub(super) fn unknown(&mut self, now: Timestamp) {
        if let Some((since, stands_for)) = self.stands.take() {
            self.proven += elapsed(since, now).min(stands_for);
        }
    }

    pub(super) fn good(&mut self, now: Timestamp, stands_for: Duration) {
        self.unknown(now);
        self.stands = Some((now, stands_for));
    }

    pub(super) fn is_enough(&self) -> bool {
        self.proven >= CALM
    }

    pub(super) fn not_after(&mut self, now: Timestamp) {
        if let Some((since, _)) = &mut self.stands {
            *since = now.min(*since);
        }
    }
}
