//! What is counted of a check since the monitor started.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::status::CheckStatus;

/// The upper limits of the classes of round durations, in seconds; a last class has what is longer.
pub const DURATION_LIMITS: [f64; 12] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// What is counted of a check.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Counters {
    /// Rounds that were held, by what they found and why.
    pub rounds: BTreeMap<(CheckStatus, String), u64>,
    /// Slots in which no round was held, by the reason.
    pub missed: BTreeMap<&'static str, u64>,
    /// Rounds by their duration, in the classes of [`DURATION_LIMITS`].
    pub durations: [u64; DURATION_LIMITS.len() + 1],
    /// The sum of all durations.
    pub duration_sum: Duration,
}

impl Counters {
    pub(crate) fn count_round(&mut self, status: CheckStatus, reason: &str, took: Duration) {
        let key = (status, reason.to_owned());
        *self.rounds.entry(key).or_default() += 1;
        let seconds = took.as_secs_f64();
        let class =
            DURATION_LIMITS.iter().position(|limit| seconds <= *limit).unwrap_or(DURATION_LIMITS.len());
        self.durations[class] += 1;
        self.duration_sum += took;
    }

    /// All rounds that were held.
    pub(crate) fn round_total(&self) -> u64 {
        self.rounds.values().sum()
    }

    /// All slots in which no round was held.
    pub(crate) fn missed_total(&self) -> u64 {
        self.missed.values().sum()
    }

    pub(crate) fn count_missed(&mut self, reason: &'static str, slots: u64) {
        *self.missed.entry(reason).or_default() += slots;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_belongs_to_the_first_class_that_is_not_below_it() {
        let mut counters = Counters::default();
        for millis in [1, 2, 9_999, 10_000, 10_001] {
            counters.count_round(CheckStatus::Ok, "in_sync", Duration::from_millis(millis));
        }
        assert_eq!(counters.durations, [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1]);
        assert_eq!(counters.rounds[&(CheckStatus::Ok, "in_sync".to_owned())], 5);
        assert_eq!(counters.duration_sum, Duration::from_millis(30_003));
    }
}
