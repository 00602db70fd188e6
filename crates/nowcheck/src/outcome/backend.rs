//! One clock behind an address.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use clock_offset::{Interval, Offset, Verdict};

/// One clock behind an address.
#[derive(Debug, Clone, PartialEq)]
pub struct BackendOutcome {
    /// As it names itself.
    pub instance: Option<Arc<str>>,
    /// What its answers prove, if the reference is right.
    pub verdict: Verdict,
    /// Bounds on its offset from the reference.
    pub offset: Interval<Offset>,
    /// How much later than its answers the clock may be, because it ticks more coarsely than they are printed. The bounds have
    /// room for it.
    pub tick: Duration,
    /// The finest step of its readings.
    pub step: Duration,
    /// How many of its answers were used.
    pub samples: usize,
    /// Their round trips.
    pub round_trip: Spread,
    /// What it says of its own clock.
    pub clock: Option<StatedClock>,
}

/// The clocks behind an address: at least one.
#[derive(Debug, Clone, PartialEq)]
pub struct Backends(Vec<BackendOutcome>);

impl Backends {
    /// Those that answered, if any did.
    pub(super) fn of(backends: Vec<BackendOutcome>) -> Option<Self> {
        (!backends.is_empty()).then_some(Self(backends))
    }

    /// The one that decides: with the worst verdict, and among those the farthest off.
    #[must_use]
    pub fn worst(&self) -> &BackendOutcome {
        let by_severity =
            |backend: &&BackendOutcome| (backend.verdict, backend.offset.midpoint().magnitude());
        self.0.iter().max_by_key(by_severity).unwrap_or(&self.0[0])
    }

    /// All of them.
    #[must_use]
    pub fn as_slice(&self) -> &[BackendOutcome] {
        &self.0
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [BackendOutcome] {
        &mut self.0
    }

    /// The same without names; see [`without_names`].
    pub(super) fn forget_names(&mut self) {
        self.0 = without_names(std::mem::take(&mut self.0));
    }
}

/// The clocks with names become one without a name for each verdict. Its bounds hold those of all of them.
pub(super) fn without_names(backends: Vec<BackendOutcome>) -> Vec<BackendOutcome> {
    let (named, mut all): (Vec<_>, Vec<_>) =
        backends.into_iter().partition(|backend| backend.instance.is_some());
    let mut by_verdict = BTreeMap::<Verdict, Vec<BackendOutcome>>::new();
    for backend in named {
        by_verdict.entry(backend.verdict).or_default().push(backend);
    }
    all.extend(by_verdict.into_values().filter_map(|alike| one_for_all(&alike)));
    all
}

fn one_for_all(alike: &[BackendOutcome]) -> Option<BackendOutcome> {
    let trips = || alike.iter().map(|backend| backend.round_trip);
    let round_trip = Spread {
        min: trips().map(|trip| trip.min).min()?,
        median: Spread::of(trips().map(|trip| trip.median)).median,
        max: trips().map(|trip| trip.max).max()?,
    };
    let one = alike.iter().cloned().reduce(|one, other| BackendOutcome {
        offset: one.offset.hull(&other.offset),
        tick: one.tick.max(other.tick),
        step: one.step.max(other.step),
        samples: one.samples + other.samples,
        ..one
    });
    one.map(|one| BackendOutcome { instance: None, round_trip, ..one })
}

/// What a server says of its own clock.
#[derive(Debug, Clone, PartialEq)]
pub struct StatedClock {
    /// `synchronized`, `unsynchronized` or `unknown`.
    pub status: String,
    /// Its bound on its own error, in seconds.
    pub max_error: Option<f64>,
}

/// Least, median and greatest of some durations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spread {
    /// The least.
    pub min: Duration,
    /// The median (the lower one of two).
    pub median: Duration,
    /// The greatest.
    pub max: Duration,
}

impl Spread {
    /// Of any durations; zeros when there are none.
    #[must_use]
    pub fn of(durations: impl IntoIterator<Item = Duration>) -> Self {
        let mut sorted: Vec<Duration> = durations.into_iter().collect();
        sorted.sort_unstable();
        let Some((&min, &max)) = sorted.first().zip(sorted.last()) else {
            return Self::default();
        };
        Self { min, median: sorted[(sorted.len() - 1) / 2], max }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_without_their_names_are_one_for_each_verdict_whose_bounds_hold_all_of_them() {
        let clock = |name: Option<&str>, verdict, seconds: i64| BackendOutcome {
            instance: name.map(Into::into),
            verdict,
            offset: Interval::point(Offset::from_nanos(i128::from(seconds) * 1_000_000_000)),
            tick: Duration::ZERO,
            step: Duration::from_millis(seconds.unsigned_abs()),
            samples: 2,
            round_trip: Spread::of([Duration::from_millis(seconds.unsigned_abs())]),
            clock: None,
        };
        let (right, wrong) = (Verdict::InSync, Verdict::Desynchronized);
        let nameless = clock(None, right, 0);
        let named = [clock(Some("a"), right, -1), clock(Some("b"), wrong, 9), clock(Some("c"), right, 2)];
        let all = without_names(std::iter::once(nameless.clone()).chain(named.clone()).collect());
        let [first, one, other] = &all[..] else { panic!("{all:?}") };
        assert_eq!((first, other), (&nameless, &BackendOutcome { instance: None, ..named[1].clone() }));
        assert_eq!(one.offset, named[0].offset.hull(&named[2].offset));
        assert_eq!((&one.instance, one.verdict, one.samples), (&None, right, 4));
        assert_eq!((one.step, one.round_trip.max), (Duration::from_millis(2), Duration::from_millis(2)));
    }

    #[test]
    fn a_spread_of_nothing_is_zero_and_the_median_is_a_value_that_was_measured() {
        assert_eq!(Spread::of([]), Spread::default());
        let spread = Spread::of([4, 1, 3, 2].map(Duration::from_millis));
        assert_eq!(spread.median, Duration::from_millis(2));
    }
}
