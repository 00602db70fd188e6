//! How fast an offset changes, as an exact fraction.

use core::cmp::Ordering;
use core::ops::Neg;
use core::time::Duration;

use crate::time::{Drift, Span};

/// How fast the offset of a server's clock changes: a ratio, positive when the clock gains on the reference.
///
/// A rate of 0.000 02 is 20 ppm, which is 20 µs a second or 1.7 s a day. NTP calls it the frequency offset
/// (RFC 5905). [`Drift`] is a bound on its size.
///
/// It is kept as a fraction of whole numbers, so that comparisons are exact.
#[derive(Debug, Clone, Copy)]
pub struct DriftRate {
    /// How much the offset changes, in nanoseconds.
    change: i128,
    /// In how many nanoseconds; positive.
    elapsed: i128,
}

impl DriftRate {
    /// The offset does not change.
    pub const ZERO: Self = Self { change: 0, elapsed: 1 };

    /// A rate of that many parts per billion, which are nanoseconds per second.
    #[must_use]
    pub const fn from_ppb(ppb: i64) -> Self {
        // Lossless; `From` is not const.
        Self { change: ppb as i128, elapsed: 1_000_000_000 }
    }

    /// The rate as a ratio, rounded to the nearest [`f64`].
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "16 digits are kept, of a rate that is known to a few")]
    pub fn as_ratio(self) -> f64 {
        self.change as f64 / self.elapsed as f64
    }

    /// The greatest rate that the bound allows.
    pub(super) fn greatest(bound: Drift) -> Self {
        let second = Duration::from_secs(1);
        Self { change: bound.during(second).as_nanos(), elapsed: Span::from(second).as_nanos() }
    }

    /// The rate at which the offset changes by `change` in `elapsed`; `None` unless that is positive.
    pub(super) fn new(change: i128, elapsed: i128) -> Option<Self> {
        (elapsed > 0).then_some(Self { change, elapsed })
    }

    /// How the rate compares with that of the change in the time, which is positive.
    pub(super) fn cmp_change(self, change: i128, elapsed: i128) -> Ordering {
        (self.change * elapsed).cmp(&(change * self.elapsed))
    }

    /// How much the offset changes in `elapsed`, which is not negative; rounded towards −∞.
    pub(super) fn during(self, elapsed: i128) -> i128 {
        // First the whole multiples, so that the product stays small however long it takes.
        let (times, rest) = (elapsed / self.elapsed, elapsed % self.elapsed);
        self.change * times + (self.change * rest).div_euclid(self.elapsed)
    }

    /// How many nanoseconds it takes until the offset has grown by `change`, which is not negative, rounded
    /// down and up; `None` if it does not grow, or not within the range of the numbers.
    pub(super) fn time_to_grow_by(self, change: i128) -> Option<(i128, i128)> {
        if self.change <= 0 {
            return None;
        }
        let (times, rest) = (change / self.change, change % self.change);
        let rest = rest * self.elapsed;
        let whole = times.checked_mul(self.elapsed)?.checked_add(rest / self.change)?;
        Some((whole, whole.checked_add(i128::from(rest % self.change != 0))?))
    }
}

impl Ord for DriftRate {
    fn cmp(&self, other: &Self) -> Ordering {
        self.cmp_change(other.change, other.elapsed)
    }
}

impl PartialOrd for DriftRate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for DriftRate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for DriftRate {}

impl Neg for DriftRate {
    type Output = Self;
    fn neg(self) -> Self {
        Self { change: -self.change, ..self }
    }
}
