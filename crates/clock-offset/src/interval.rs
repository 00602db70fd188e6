//! Closed intervals, and bounds on what a clock shows at an instant.

use core::fmt::Debug;
use core::ops::{Add, Sub};
use core::time::Duration;

use crate::time::{Drift, MonotonicInstant, Offset, Span, UnixInstant};

/// All values from `earliest` to `latest`, both included; never empty.
///
/// ```
/// use std::time::Duration;
///
/// use clock_offset::{Interval, Offset};
///
/// let millis = |millis: i128| Offset::from_nanos(millis * 1_000_000);
/// let first = Interval::new(millis(-2), millis(5));
/// let second = Interval::new(millis(3), millis(9));
/// // Two bounds on one clock are both true, so the clock is where they overlap.
/// let both = first.intersection(&second).expect("bounds on one clock overlap");
/// assert_eq!(both, Interval::new(millis(3), millis(5)));
/// assert_eq!((both.midpoint(), both.half_width()), (millis(4), Duration::from_millis(1)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Interval<T> {
    earliest: T,
    latest: T,
}

impl<T: Ord + Copy + Debug> Interval<T> {
    /// The interval from one value to another.
    ///
    /// # Panics
    ///
    /// Panics if `latest` is before `earliest`. Bounds in the wrong order are a mistake in the proof that
    /// they come from, and swapping them would hide it.
    #[must_use]
    #[track_caller]
    pub fn new(earliest: T, latest: T) -> Self {
        assert!(earliest <= latest, "an interval cannot begin at {earliest:?} and end at {latest:?}");
        Self { earliest, latest }
    }
}

impl<T: Ord + Copy> Interval<T> {
    /// The interval that contains one value.
    #[must_use]
    pub const fn point(value: T) -> Self {
        Self { earliest: value, latest: value }
    }

    /// The lower end.
    #[must_use]
    pub fn earliest(&self) -> T {
        self.earliest
    }

    /// The upper end.
    #[must_use]
    pub fn latest(&self) -> T {
        self.latest
    }

    /// Whether the value is inside. The ends are.
    #[must_use]
    pub fn contains(&self, value: T) -> bool {
        self.earliest <= value && value <= self.latest
    }

    /// Whether all of this interval is inside the other.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        other.contains(self.earliest) && other.contains(self.latest)
    }

    /// The values that are in both; `None` when there are none. Intervals that touch share one value.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        let earliest = self.earliest.max(other.earliest);
        let latest = self.latest.min(other.latest);
        (earliest <= latest).then_some(Self { earliest, latest })
    }

    /// The smallest interval that contains both.
    #[must_use]
    pub fn hull(&self, other: &Self) -> Self {
        Self { earliest: self.earliest.min(other.earliest), latest: self.latest.max(other.latest) }
    }
}

impl<T> Interval<T>
where
    T: Ord + Copy + Sub<Output = Span> + Add<Span, Output = T>,
{
    /// How far the ends are apart. Saturates at [`Duration::MAX`].
    #[must_use]
    pub fn width(&self) -> Duration {
        (self.latest - self.earliest).positive_part()
    }

    /// The middle: the estimate whose worst error is least. Between two nanoseconds, it is the earlier one.
    #[must_use]
    pub fn midpoint(&self) -> T {
        self.earliest + Span::from_nanos((self.latest - self.earliest).as_nanos() / 2)
    }

    /// The error bound of [`midpoint`](Self::midpoint): half of the width, rounded up.
    #[must_use]
    pub fn half_width(&self) -> Duration {
        Span::from_nanos(((self.latest - self.earliest).as_nanos() + 1) / 2).positive_part()
    }
}

impl Interval<UnixInstant> {
    /// The interval moved by a length of time.
    #[must_use]
    pub fn moved_by(&self, length: Span) -> Self {
        Self { earliest: self.earliest + length, latest: self.latest + length }
    }

    /// The interval with `margin` more on both sides.
    ///
    /// # Panics
    ///
    /// Panics if `margin` is negative and nothing is left.
    #[must_use]
    #[track_caller]
    pub fn widened_by(&self, margin: Span) -> Self {
        Self::new(self.earliest - margin, self.latest + margin)
    }
}

/// Bounds on what one clock shows at one instant of the checker's monotonic clock.
///
/// ```
/// use std::time::Duration;
///
/// use clock_offset::{
///     BoundedTime, Drift, Interval, MonotonicInstant, Offset, ReferenceClock, Span, UnixInstant,
/// };
///
/// let noon = UnixInstant::from_nanos(1_795_521_600_000_000_000);
/// let millis = |millis: i128| Span::from_nanos(millis * 1_000_000);
/// let at_noon = MonotonicInstant::ORIGIN;
/// let later = at_noon + Duration::from_secs(2);
/// let reference = ReferenceClock {
///     bounds: BoundedTime { at: at_noon, shows: Interval::point(noon) },
///     drift: Drift::DISCIPLINED,
/// };
///
/// // Two seconds later a server shows 2.003 to 2.005 s after noon.
/// let shows = Interval::new(noon + millis(2_003), noon + millis(2_005));
/// let server = BoundedTime { at: later, shows };
/// // The reference may have drifted by 500 ppm of two seconds in the meantime, which is 1 ms.
/// let offset = server.offset_from(&reference);
/// assert_eq!(offset, Interval::new(Offset::from_nanos(2_000_000), Offset::from_nanos(6_000_000)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoundedTime {
    /// The instant for which the bounds hold.
    pub at: MonotonicInstant,
    /// The interval that contains what the clock shows then.
    pub shows: Interval<UnixInstant>,
}

impl BoundedTime {
    /// The same knowledge at another instant, earlier or later. The clock runs at about the rate of the
    /// monotonic clock; `drift` bounds the difference, and widens the bounds.
    #[must_use]
    pub fn carried_to(&self, at: MonotonicInstant, drift: Drift) -> Self {
        let elapsed = at - self.at;
        let margin = drift.during(elapsed.magnitude());
        Self { at, shows: self.shows.moved_by(elapsed).widened_by(margin) }
    }

    /// Bounds on the offset of this clock from the reference, at this clock's instant.
    #[must_use]
    pub fn offset_from(&self, reference: &ReferenceClock) -> Interval<Offset> {
        let reference = reference.at(self.at);
        Interval::new(
            Offset::between(self.shows.earliest(), reference.shows.latest()),
            Offset::between(self.shows.latest(), reference.shows.earliest()),
        )
    }
}

/// The clock with which a server's clock is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReferenceClock {
    /// Bounds on it at one instant.
    pub bounds: BoundedTime,
    /// How fast it may run apart from the monotonic clock. Zero for this machine's own wall clock, which is
    /// slewed together with the monotonic one.
    pub drift: Drift,
}

impl ReferenceClock {
    /// Bounds on it at any instant.
    #[must_use]
    pub fn at(&self, instant: MonotonicInstant) -> BoundedTime {
        self.bounds.carried_to(instant, self.drift)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offsets(earliest: i128, latest: i128) -> Interval<Offset> {
        Interval::new(Offset::from_nanos(earliest), Offset::from_nanos(latest))
    }

    #[test]
    fn intervals_that_touch_share_one_value_and_those_apart_none() {
        assert_eq!(offsets(0, 5).intersection(&offsets(5, 9)), Some(offsets(5, 5)));
        assert_eq!(offsets(0, 4).intersection(&offsets(5, 9)), None);
        assert_eq!(offsets(0, 4).hull(&offsets(5, 9)), offsets(0, 9));
    }

    #[test]
    #[should_panic(expected = "cannot begin at Offset(5) and end at Offset(4)")]
    fn ends_in_the_wrong_order_are_a_mistake_and_not_swapped() {
        let _ = offsets(5, 4);
    }

    #[test]
    fn estimate_and_bound_cover_the_interval_also_when_its_width_is_odd() {
        for interval in [offsets(-3, 4), offsets(-4, 3), offsets(7, 7), offsets(-9, -2)] {
            let middle = interval.midpoint().as_nanos();
            let bound = i128::try_from(interval.half_width().as_nanos()).unwrap();
            assert!(middle - bound <= interval.earliest().as_nanos(), "{interval:?}");
            assert!(middle + bound >= interval.latest().as_nanos(), "{interval:?}");
        }
    }

    #[test]
    fn the_middle_between_two_nanoseconds_is_the_earlier_one_on_both_sides_of_zero() {
        for earliest in -9..9_i128 {
            for latest in earliest..9 {
                let sum = earliest + latest;
                assert_eq!(offsets(earliest, latest).midpoint().as_nanos(), sum.div_euclid(2));
                if sum >= 0 {
                    assert_eq!(i128::midpoint(earliest, latest), sum.div_euclid(2));
                }
            }
        }
        let since_2026 = 1_795_521_600_000_000_000;
        for width in 0..9 {
            let (earliest, latest) =
                (UnixInstant::from_nanos(since_2026), UnixInstant::from_nanos(since_2026 + width));
            let expected = UnixInstant::from_nanos(i128::midpoint(since_2026, since_2026 + width));
            assert_eq!(Interval::new(earliest, latest).midpoint(), expected);
        }
    }

    #[test]
    fn bounds_carried_forward_or_back_are_widened_on_both_sides() {
        let origin = MonotonicInstant::ORIGIN;
        let noon = BoundedTime { at: origin, shows: Interval::point(UnixInstant::from_nanos(1_000_000)) };
        let later = noon.carried_to(origin + Duration::from_millis(2), Drift::from_ppm(500));
        assert_eq!(later.shows.earliest(), UnixInstant::from_nanos(3_000_000 - 1_000));
        assert_eq!(later.shows.latest(), UnixInstant::from_nanos(3_000_000 + 1_000));
        let back = later.carried_to(origin, Drift::from_ppm(500));
        assert_eq!(back.shows.width(), Duration::from_micros(4));
    }
}
