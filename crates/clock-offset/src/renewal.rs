//! Readings that are renewed now and then: a service that caches the text of its time, and prints more digits than that is
//! worth.
//!
//! What such a service says was right when it was renewed, and is late by up to the period. So a reading bounds the clock
//! behind it from below, and what bounds it from above is known from the readings before and after.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::interval::BoundedTime;
use crate::sample::{Sample, Shown};
use crate::staleness::{Patience, is_fine};
use crate::tick;
use crate::time::{Drift, MonotonicInstant, Span, UnixInstant};

/// A clock that goes on more often than that ticks ([`tick`](crate::tick)), and nothing caches it.
const COARSEST_TICK: Duration = Duration::from_millis(110);

/// Over so many connections at one time every cache of several is taken to be met.
const MEETS_ALL: u32 = 8;

/// When to look first whether several caches were renewed.
const FIRST_LOOK: Duration = Duration::from_millis(50);

/// How old a reading may be of which nothing is known: it came for longer than a clock shows it, and no other was seen.
pub(crate) const UNKNOWN_AGE: Duration = Duration::from_hours(24);

/// How the readings of one name are renewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Renewal {
    /// One cache, which is renewed about every `period`. How old each of the samples may have been.
    OneCache { period: Duration, ages: Vec<Duration> },
    /// Several caches take turns. All of them were renewed before the samples whose age is known, none when no age is.
    SeveralCaches { ages: Vec<Option<Duration>> },
}

/// How the samples of one name show that their readings are renewed now and then; `None` when they do not. A time of day is
/// put on the day that brings it nearest to `expected`.
///
/// **Proof for one cache.** It shows a reading r from one renewal to the next. A sample with an earlier reading was read
/// after its request was sent, at s, and the renewal to r came after that. So what r says was the time at s or later, and an
/// answer with r whose request was sent at t is not older than t − s and its own round trip. And when r was followed by the
/// reading r', no answer with r was older than r' − r. Both hold whether the period is constant or not.
///
/// **Several caches.** Their readings go back and forth. When the readings of [`MEETS_ALL`] connections were all new, and as
/// many connections had been answered before, each cache that was met both times was renewed in between.
pub(crate) fn of(samples: &[&Sample], expected: &BoundedTime, drift: Drift) -> Option<Renewal> {
    let stay = repeated(samples, drift)?;
    let readings: Vec<UnixInstant> = samples.iter().map(|sample| shown(sample, expected, drift)).collect();
    if goes_back(samples, &readings) {
        let renewed = last_renewal(samples);
        let age = |sample: &&Sample| {
            renewed.filter(|renewed| sample.sent >= renewed.seen).map(|renewed| renewed.longest_age)
        };
        return Some(Renewal::SeveralCaches { ages: samples.iter().map(age).collect() });
    }
    // What was printed, and up to when the clock may have been meant by it.
    let mut distinct: BTreeMap<UnixInstant, UnixInstant> = BTreeMap::new();
    for (sample, reading) in samples.iter().zip(&readings) {
        let latest = shown_until(sample, expected, drift);
        let known = distinct.entry(*reading).or_insert(latest);
        *known = latest.max(*known);
    }
    let least_gap = distinct
        .keys()
        .zip(distinct.keys().skip(1))
        .map(|(earlier, later)| (*later - *earlier).positive_part())
        .min();
    let period = least_gap.map_or(stay, |gap| gap.max(stay));
    if least_gap.is_some() && period <= COARSEST_TICK {
        return None;
    }
    let ages = samples.iter().zip(&readings).map(|(sample, reading)| {
        let before = samples
            .iter()
            .zip(&readings)
            .filter(|(_, other)| *other < reading)
            .map(|(other, _)| other.sent)
            .max();
        let since_the_last = before.map(|sent| sample.sent.since(sent));
        let until_the_next = distinct
            .range(*reading..)
            .nth(1)
            .map(|(_, latest)| (*latest - shown_until(sample, expected, drift)).positive_part());
        let age = [since_the_last, until_the_next].into_iter().flatten().min().unwrap_or(UNKNOWN_AGE);
        age + drift.during(age).positive_part()
    });
    Some(Renewal::OneCache { period, ages: ages.collect() })
}

/// How long a fine reading was shown at least that a clock as fine as it is printed would not have repeated.
fn repeated(samples: &[&Sample], drift: Drift) -> Option<Duration> {
    tick::repeated(samples.iter().copied().filter(|sample| is_fine(sample)), drift)
}

/// What was printed.
fn shown(sample: &Sample, expected: &BoundedTime, drift: Drift) -> UnixInstant {
    sample.apparent_bounds(expected, drift).shows.earliest() + sample.reading.beyond_its_step().0
}

/// What was printed is of no later time than this.
fn shown_until(sample: &Sample, expected: &BoundedTime, drift: Drift) -> UnixInstant {
    let width = Span::from(sample.reading.width());
    sample.apparent_bounds(expected, drift).shows.earliest() + width
}

/// Whether a reading came after a later one. Requests that overlap in time say nothing about that.
fn goes_back(samples: &[&Sample], readings: &[UnixInstant]) -> bool {
    samples.iter().zip(readings).any(|(later, reading)| {
        samples.iter().zip(readings).any(|(earlier, other)| earlier.received <= later.sent && other > reading)
    })
}

/// That several caches were renewed.
#[derive(Debug, Clone, Copy)]
struct LastRenewal {
    /// From then on all answers are of after it.
    seen: MonotonicInstant,
    /// None of these is older than that.
    longest_age: Duration,
}

fn last_renewal(samples: &[&Sample]) -> Option<LastRenewal> {
    let begins: BTreeSet<MonotonicInstant> = samples.iter().map(|sample| sample.sent).collect();
    let connections = |from: MonotonicInstant, until: Option<MonotonicInstant>| {
        let asked = samples
            .iter()
            .filter(|sample| sample.sent >= from && until.is_none_or(|until| sample.sent < until));
        asked.map(|sample| sample.connection).collect::<BTreeSet<u32>>().len() >= MEETS_ALL as usize
    };
    let renewed = begins.iter().rev().find(|begin| connections(**begin, None))?;
    let known: HashSet<Shown> =
        samples.iter().filter(|sample| sample.sent < *renewed).map(|sample| sample.reading.shown).collect();
    let are_new = samples
        .iter()
        .filter(|sample| sample.sent >= *renewed)
        .all(|sample| !known.contains(&sample.reading.shown));
    let before =
        begins.iter().rev().find(|begin| *begin < renewed && connections(**begin, Some(*renewed)))?;
    let last = samples.iter().map(|sample| sample.received).max()?;
    are_new.then(|| LastRenewal { seen: *renewed, longest_age: last.since(*before) })
}

/// Connections to open at an instant, to see whether caches were renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) at: MonotonicInstant,
    pub(crate) connections: u32,
}

/// When to look next at several caches that take turns, until all of them were renewed; `None` when nothing is to be learned.
///
/// Each look comes three times as long after the beginning as the one before.
pub(crate) fn next_look(samples: &[&Sample], expected: &BoundedTime, patience: &Patience) -> Option<Look> {
    repeated(samples, patience.drift)?;
    let readings: Vec<UnixInstant> =
        samples.iter().map(|sample| shown(sample, expected, patience.drift)).collect();
    if !goes_back(samples, &readings) || last_renewal(samples).is_some() {
        return None;
    }
    let first = samples.iter().min_by_key(|sample| sample.received)?;
    let latest = samples.iter().map(|sample| sample.sent).max()?;
    let end = first.received + patience.longest_repetition(first);
    let (mut stage, mut next) = (first.sent, first.received + FIRST_LOOK);
    while next <= latest && stage < end {
        stage = next;
        next = (first.received + next.since(first.received) * 3).min(end);
    }
    let in_stage = || samples.iter().filter(|sample| sample.sent >= stage);
    let met = in_stage().map(|sample| sample.connection).collect::<BTreeSet<u32>>().len();
    let lacking = MEETS_ALL.saturating_sub(u32::try_from(met).unwrap_or(u32::MAX));
    let is_known =
        |reading| samples.iter().any(|sample| sample.sent < stage && sample.reading.shown == reading);
    let are_new = !in_stage().any(|sample| is_known(sample.reading.shown));
    if lacking > 0 && are_new {
        return Some(Look { at: latest, connections: lacking });
    }
    (stage < end && next <= patience.last_start).then_some(Look { at: next, connections: MEETS_ALL })
}
