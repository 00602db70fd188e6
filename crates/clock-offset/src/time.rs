//! Instants, lengths of time, offsets and drift, as types that cannot be mixed. All of them count whole
//! nanoseconds, so sums are exact.
//!
//! | type | what it is |
//! |---|---|
//! | [`MonotonicInstant`] | an instant on the checker's monotonic clock |
//! | [`UnixInstant`] | what a clock shows |
//! | [`TimeOfDay`] | what a clock shows, without the date |
//! | [`Span`] | a signed length of time; [`Duration`] where it cannot be negative |
//! | [`Offset`] | how far two clocks are apart at one instant: server − reference |
//! | [`Drift`] | how fast two clocks may run apart |

use core::ops::{Add, Sub};
use core::time::Duration;

const NANOS_PER_SECOND: i128 = 1_000_000_000;
/// Nanoseconds of a civil day without a leap second.
pub(crate) const NANOS_PER_DAY: i128 = 86_400 * NANOS_PER_SECOND;

fn nanos(duration: Duration) -> i128 {
    // At most 2^64 seconds of 10^9 nanoseconds: far inside i128.
    duration.as_nanos().cast_signed()
}

/// An instant on the checker's monotonic clock, in nanoseconds since an origin that the caller chooses,
/// usually the start of the round. This clock never jumps, whatever happens to the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MonotonicInstant(i128);

impl MonotonicInstant {
    /// The instant from which this clock counts.
    pub const ORIGIN: Self = Self(0);

    /// The instant `since_origin` after the origin.
    #[must_use]
    pub fn after_origin(since_origin: Duration) -> Self {
        Self(nanos(since_origin))
    }

    /// The time that has passed since `earlier`; zero when that instant is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Span(self.0 - earlier.0).positive_part()
    }

    /// Nanoseconds since the origin.
    #[must_use]
    pub fn as_nanos(self) -> i128 {
        self.0
    }
}

impl Add<Duration> for MonotonicInstant {
    type Output = Self;
    fn add(self, length: Duration) -> Self {
        Self(self.0 + nanos(length))
    }
}

impl Sub<Duration> for MonotonicInstant {
    type Output = Self;
    fn sub(self, length: Duration) -> Self {
        Self(self.0 - nanos(length))
    }
}

impl Sub for MonotonicInstant {
    type Output = Span;
    fn sub(self, earlier: Self) -> Span {
        Span(self.0 - earlier.0)
    }
}

/// What a clock shows: nanoseconds since 1970-01-01T00:00:00Z on the POSIX scale, which does not count leap
/// seconds.
///
/// The difference of two of them is a [`Span`]: how much the reading changes from one to the other. Where
/// they are readings of two clocks at one instant, their difference is an [`Offset`], and [`Offset::between`]
/// says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixInstant(i128);

impl UnixInstant {
    /// The instant that many nanoseconds after the epoch; before it, when negative.
    #[must_use]
    pub const fn from_nanos(nanos: i128) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the epoch.
    #[must_use]
    pub const fn as_nanos(self) -> i128 {
        self.0
    }
}

impl Add<Span> for UnixInstant {
    type Output = Self;
    fn add(self, length: Span) -> Self {
        Self(self.0 + length.0)
    }
}

impl Sub<Span> for UnixInstant {
    type Output = Self;
    fn sub(self, length: Span) -> Self {
        Self(self.0 - length.0)
    }
}

impl Sub for UnixInstant {
    type Output = Span;
    fn sub(self, earlier: Self) -> Span {
        Span(self.0 - earlier.0)
    }
}

/// What the server shows when the reference shows this: the inverse of [`Offset::between`].
impl Add<Offset> for UnixInstant {
    type Output = Self;
    fn add(self, offset: Offset) -> Self {
        Self(self.0 + offset.0)
    }
}

/// A time of day in UTC without its date: nanoseconds since midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeOfDay(i128);

impl TimeOfDay {
    /// The time of day that many nanoseconds after midnight.
    #[must_use]
    pub const fn from_nanos(since_midnight: i128) -> Self {
        Self(since_midnight)
    }

    /// Nanoseconds since midnight.
    #[must_use]
    pub const fn as_nanos(self) -> i128 {
        self.0
    }
}

/// A signed length of time in nanoseconds: elapsed time, a width, a phase, a margin.
///
/// It says nothing about two clocks; that is what [`Offset`] is for. A length that cannot be negative is a
/// [`Duration`], from which a span is made with [`Span::from`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(i128);

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// A span of that many nanoseconds.
    #[must_use]
    pub const fn from_nanos(nanos: i128) -> Self {
        Self(nanos)
    }

    /// Nanoseconds, with sign.
    #[must_use]
    pub const fn as_nanos(self) -> i128 {
        self.0
    }

    /// The span without its sign. Saturates at [`Duration::MAX`] (5.8 × 10¹¹ years).
    #[must_use]
    pub fn magnitude(self) -> Duration {
        let nanos = self.0.unsigned_abs();
        let per_second = NANOS_PER_SECOND.unsigned_abs();
        u64::try_from(nanos / per_second).map_or(Duration::MAX, |seconds| {
            let subsecond = u32::try_from(nanos % per_second).unwrap_or(u32::MAX);
            Duration::new(seconds, subsecond)
        })
    }

    /// The span when it is positive, else zero. Saturates as [`magnitude`](Self::magnitude) does.
    #[must_use]
    pub fn positive_part(self) -> Duration {
        if self.0 > 0 { self.magnitude() } else { Duration::ZERO }
    }
}

impl From<Duration> for Span {
    fn from(length: Duration) -> Self {
        Self(nanos(length))
    }
}

impl Add for Span {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Span {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

/// How far two clocks are apart at one instant, in nanoseconds.
///
/// Sign convention, everywhere in this project: **offset = server − reference**, positive when the server is
/// ahead.
///
/// An offset is made of two readings in two places only: here, by [`Offset::between`], and for bounds in
/// [`BoundedTime::offset_from`](crate::BoundedTime::offset_from). Two offsets are a [`Span`] apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(i128);

impl Offset {
    /// No difference.
    pub const ZERO: Self = Self(0);

    /// An offset of that many nanoseconds.
    #[must_use]
    pub const fn from_nanos(nanos: i128) -> Self {
        Self(nanos)
    }

    /// The offset of a server's clock from the reference, when they show these times at one instant.
    #[must_use]
    pub const fn between(server: UnixInstant, reference: UnixInstant) -> Self {
        Self(server.0 - reference.0)
    }

    /// Nanoseconds, with sign.
    #[must_use]
    pub const fn as_nanos(self) -> i128 {
        self.0
    }

    /// The offset without its sign. Saturates at [`Duration::MAX`] (5.8 × 10¹¹ years).
    #[must_use]
    pub fn magnitude(self) -> Duration {
        Span(self.0).magnitude()
    }
}

impl Add<Span> for Offset {
    type Output = Self;
    fn add(self, length: Span) -> Self {
        Self(self.0 + length.0)
    }
}

impl Sub<Span> for Offset {
    type Output = Self;
    fn sub(self, length: Span) -> Self {
        Self(self.0 - length.0)
    }
}

impl Sub for Offset {
    type Output = Span;
    fn sub(self, other: Self) -> Span {
        Span(self.0 - other.0)
    }
}

/// A bound on how fast two clocks may run apart: parts per million of elapsed time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drift {
    ppm: u32,
}

impl Drift {
    /// 500 ppm: the most by which the kernel and NTP let a disciplined clock run fast or slow (RFC 5905,
    /// `MAXFREQ`). Clocks that are slewed faster than that (chronyd may, after a large error) show up as
    /// samples that contradict each other.
    pub const DISCIPLINED: Self = Self { ppm: 500 };

    /// A bound of that many parts per million.
    #[must_use]
    pub const fn from_ppm(ppm: u32) -> Self {
        Self { ppm }
    }

    /// How far the clocks may have run apart during `elapsed`; rounded up, so that the bound stays a bound.
    #[must_use]
    pub fn during(self, elapsed: Duration) -> Span {
        let product = nanos(elapsed) * i128::from(self.ppm);
        Span((product + 999_999) / 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_keeps_its_sign_and_its_magnitude_apart() {
        let behind = Offset::between(UnixInstant::from_nanos(5), UnixInstant::from_nanos(12));
        assert_eq!(behind, Offset::from_nanos(-7));
        assert_eq!(behind.magnitude(), Duration::from_nanos(7));
        assert_eq!(UnixInstant::from_nanos(12) + behind, UnixInstant::from_nanos(5));
    }

    #[test]
    fn a_span_keeps_its_sign_and_its_magnitude_apart() {
        let back = UnixInstant::from_nanos(5) - UnixInstant::from_nanos(12);
        assert_eq!(back, Span::from_nanos(-7));
        assert_eq!(back.magnitude(), Duration::from_nanos(7));
        assert_eq!(back.positive_part(), Duration::ZERO);
    }

    #[test]
    fn an_absurd_offset_saturates_and_does_not_wrap() {
        assert_eq!(Offset::from_nanos(i128::MIN + 1).magnitude(), Duration::MAX);
    }

    #[test]
    fn drift_is_rounded_up() {
        assert_eq!(Drift::DISCIPLINED.during(Duration::from_secs(1)), Span::from_nanos(500_000));
        assert_eq!(Drift::DISCIPLINED.during(Duration::from_nanos(1)), Span::from_nanos(1));
        assert_eq!(Drift::DISCIPLINED.during(Duration::ZERO), Span::ZERO);
    }
}
