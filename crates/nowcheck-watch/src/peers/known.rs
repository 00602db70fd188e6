//! What is known of the other instances at the moment: the freshest view of each, whoever brought it.

use std::collections::BTreeMap;
use std::time::Duration;

use clock_offset::MonotonicInstant;

use super::view::InstanceView;

/// An instance lives for so long after the last word of it. A few questions may be lost.
pub(super) const LIVING: Duration = Duration::from_secs(10);

/// The most instances that are known at a time.
const MOST: usize = 32;

/// When something was, by this machine's clock: between these instants. What is between question and answer is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct When {
    pub(super) earliest: MonotonicInstant,
    pub(super) latest: MonotonicInstant,
}

impl When {
    /// That instant.
    pub(super) const fn at(instant: MonotonicInstant) -> Self {
        Self { earliest: instant, latest: instant }
    }

    /// That much earlier. The clock of this machine begins with its start; nothing is before that.
    pub(super) fn earlier(self, seconds: f64) -> Self {
        let age = age(seconds);
        let before = |instant: MonotonicInstant| {
            let since_start = instant.since(MonotonicInstant::ORIGIN);
            MonotonicInstant::after_origin(since_start.saturating_sub(age))
        };
        Self { earliest: before(self.earliest), latest: before(self.latest) }
    }
}

/// Seconds of another program. What is no duration is an eternity.
fn age(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
}

/// What was heard of an instance.
#[derive(Debug, Clone)]
pub(super) struct Heard {
    pub(super) view: InstanceView,
    /// When it was so.
    pub(super) when: When,
}

impl Heard {
    /// Whether the latest round of a check began after that.
    pub(super) fn has_looked_since(&self, check: &str, then: MonotonicInstant) -> bool {
        let round = self.view.checks.get(check).and_then(|check| check.round_age_seconds);
        round.is_some_and(|age| self.when.earlier(age).earliest >= then)
    }
}

/// All other instances that were heard of, by their id.
#[derive(Debug, Default)]
pub(super) struct Known {
    others: BTreeMap<String, Heard>,
}

impl Known {
    /// Takes what was told between these instants.
    pub(super) fn take(&mut self, view: InstanceView, told: When) {
        let when = told.earlier(view.age_seconds);
        self.forget_the_dead(told.latest);
        match self.others.get(&view.id) {
            Some(known) if known.when.earliest >= when.earliest => {}
            None if self.others.len() >= MOST => {}
            _ => {
                self.others.insert(view.id.clone(), Heard { view, when });
            }
        }
    }

    /// Those that live.
    pub(super) fn living(&self, now: MonotonicInstant) -> impl Iterator<Item = &Heard> {
        self.others.values().filter(move |heard| lives(heard, now))
    }

    /// The same, to be told to others.
    pub(super) fn retold(&self, now: MonotonicInstant) -> Vec<InstanceView> {
        let aged = |heard: &Heard| {
            let age_seconds = now.since(heard.when.earliest).as_secs_f64();
            InstanceView { age_seconds, ..heard.view.clone() }
        };
        self.living(now).map(aged).collect()
    }

    fn forget_the_dead(&mut self, now: MonotonicInstant) {
        self.others.retain(|_, heard| lives(heard, now));
    }
}

fn lives(heard: &Heard, now: MonotonicInstant) -> bool {
    now.since(heard.when.earliest) <= LIVING
}
