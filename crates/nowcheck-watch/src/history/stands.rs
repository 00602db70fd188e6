//! From rounds to stretches of time: what a check was from when to when.

use std::collections::BTreeMap;
use std::time::Duration;

use super::level::floor;
use super::record::RoundRecord;
use super::summary::Summary;
use super::units::{milliseconds, whole_milliseconds};
use crate::incident::ServiceStatus;

/// A stretch of time, in milliseconds: what begins at `from` and ends before `until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) from: i64,
    pub(super) until: i64,
}

impl Stretch {
    pub(super) fn intersection(self, other: Self) -> Self {
        let from = self.from.max(other.from);
        Self { from, until: self.until.min(other.until).max(from) }
    }

    pub(super) fn length(self) -> u64 {
        u64::try_from(self.until - self.from).unwrap_or(0)
    }
}

/// When the results of rounds stand: from the round to the next one, at most for the time that it is given, and not
/// beyond the instant at which the check was no longer watched. The rounds are in the order of their beginning.
pub(super) fn stands<'a>(
    rounds: &'a [RoundRecord],
    unwatched: &'a [Stretch],
) -> impl Iterator<Item = (ServiceStatus, Stretch)> + 'a {
    let starts = rounds.iter().skip(1).map(|round| milliseconds(round.start));
    rounds.iter().zip(starts.chain([i64::MAX])).map(|(round, next)| {
        let from = milliseconds(round.start);
        let stands_for = i64::try_from(whole_milliseconds(round.stands_for)).unwrap_or(i64::MAX);
        let ended = unwatched.iter().map(|stretch| stretch.from).filter(|ended| *ended >= from).min();
        let until = next.min(from.saturating_add(stands_for)).min(ended.unwrap_or(i64::MAX));
        (round.status.service(), Stretch { from, until })
    })
}

/// Summarizes rounds: those that began within the stretch, and the time of it that any of them stands for. The keys are
/// the beginnings of units.
pub(super) fn summarize(
    rounds: &[RoundRecord],
    unwatched: &[Stretch],
    within: Stretch,
    unit: i64,
) -> BTreeMap<i64, Summary> {
    let mut summaries = BTreeMap::<i64, Summary>::new();
    for round in rounds {
        let start = milliseconds(round.start);
        if within.from <= start && start < within.until {
            summaries.entry(floor(start, unit)).or_default().add(round);
        }
    }
    for (status, stretch) in stands(rounds, unwatched) {
        let mut rest = stretch.intersection(within);
        while rest.from < rest.until {
            let bucket = floor(rest.from, unit);
            let part = Stretch { from: rest.from, until: rest.until.min(bucket + unit) };
            let summary = summaries.entry(bucket).or_default();
            summary.times.count(status, Duration::from_millis(part.length()));
            rest.from = part.until;
        }
    }
    summaries
}
