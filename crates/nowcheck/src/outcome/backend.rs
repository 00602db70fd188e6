//! One clock behind an address.

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
    fn a_spread_of_nothing_is_zero_and_the_median_is_a_value_that_was_measured() {
        assert_eq!(Spread::of([]), Spread::default());
        let spread = Spread::of([4, 1, 3, 2].map(Duration::from_millis));
        assert_eq!(spread.median, Duration::from_millis(2));
    }
}
