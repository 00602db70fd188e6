//! ClockBound's shared memory. The daemon bounds the clock's error more closely than the kernel does, and shares the
//! bound through a file in memory (the shared memory protocol of aws/clock-bound, versions 1 to 3 of the segment).
//!
//! The file is read and not mapped: once a second a mapping would gain nothing, and a read needs no unsafe code.

pub(crate) mod files;

use std::time::Duration;

use crate::clock::status::ClockStatus;

/// The longest segment of the supported versions, in bytes.
const MAX_SEGMENT_BYTES: usize = 104;

/// The magic number: two words in the byte order of the machine.
const MAGIC: [u32; 2] = [0x414D_5A4E, 0x4342_0200];

/// Why a segment gives no status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SegmentError {
    #[error("is not a segment of ClockBound")]
    NotASegment,
    #[error("is of version {0}; nowd understands 1 to 3")]
    Version(u8),
    #[error("was being written at every attempt to read it")]
    Torn,
    #[error("is out of date: is the daemon running?")]
    Stale,
    #[error("says that the daemon does not know the clock's status")]
    Unknown,
    #[error("is of version 3, and this processor has no counter that nowd could compare it with")]
    NoCounter,
}

/// Readings of the clocks that segments refer to, of about one instant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClockReadings {
    /// `CLOCK_MONOTONIC`.
    pub(crate) monotonic: Duration,
    pub(crate) counter: Option<CounterReading>,
}

/// The processor's counter, read between two readings of the system's clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CounterReading {
    /// Since 1970.
    pub(crate) before: Duration,
    pub(crate) ticks: u64,
    /// Since 1970.
    pub(crate) after: Duration,
}

/// The status of the system's clock from two consecutive reads of the segment.
///
/// The daemon makes the generation odd before a write and even after it. So two reads that are equal, with an even
/// generation, show one consistent state.
pub(crate) fn status(first: &[u8], second: &[u8], now: &ClockReadings) -> Result<ClockStatus, SegmentError> {
    let segment = Segment(first);
    if [segment.u32(0), segment.u32(4)] != MAGIC.map(Some) {
        return Err(SegmentError::NotASegment);
    }
    let (versions, generation) = (
        segment.u16(12).ok_or(SegmentError::NotASegment)?,
        segment.u16(14).ok_or(SegmentError::NotASegment)?,
    );
    let layout = Layout::of(versions)?;
    if first != second || generation % 2 == 1 {
        return Err(SegmentError::Torn);
    }
    if generation == 0 {
        return Err(SegmentError::Stale);
    }
    let status = segment.i32(layout.status_at()).ok_or(SegmentError::NotASegment)?;
    let statement = layout.read(&segment).ok_or(SegmentError::NotASegment)?;
    match status {
        // Free running means that the daemon no longer corrects the clock. The bound grows, and is valid.
        1 | 2 => {
            let nanos = statement.bound_at(now)?;
            u32::try_from(nanos.div_ceil(1_000))
                .map(|max_error_micros| ClockStatus::Synchronized { max_error_micros })
                .map_err(|_| SegmentError::Unknown)
        }
        // Disrupted, for example by the migration of a virtual machine. The kernel's own status is wrong now.
        3 => Ok(ClockStatus::Unsynchronized),
        _ => Err(SegmentError::Unknown),
    }
}

/// Where the fields are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    One,
    Two,
    Three,
}

impl Layout {
    /// The low byte is the version of the segment. From version 3 on the high byte is the oldest version whose readers
    /// understand it too.
    fn of(versions: u16) -> Result<Self, SegmentError> {
        let [oldest, newest] = versions.to_be_bytes();
        match (oldest, newest) {
            // The daemon has not written yet.
            (_, 0) => Err(SegmentError::Stale),
            (0, 1) => Ok(Self::One),
            (0, 2) => Ok(Self::Two),
            (0, 3) | (3, 3..) => Ok(Self::Three),
            _ => Err(SegmentError::Version(newest)),
        }
    }

    fn status_at(self) -> usize {
        match self {
            Self::One => 64,
            Self::Two => 68,
            Self::Three => 92,
        }
    }

    /// `None` if the segment is too short, or a field has no possible value.
    fn read(self, segment: &Segment<'_>) -> Option<Statement> {
        let (instants_at, bound_at, drift_at) = match self {
            Self::One => (16, 48, 56),
            Self::Two => (16, 48, 64),
            Self::Three => (24, 72, 88),
        };
        let counter = match self {
            Self::One | Self::Two => None,
            Self::Three => Some(Counter {
                as_of_ticks: segment.u64(16)?,
                period: Fraction { numerator: segment.u64(56)?, shift: segment.u8(97)? },
                period_error: Fraction { numerator: segment.u64(64)?, shift: segment.u8(98)? },
            }),
        };
        Some(Statement {
            as_of: segment.instant(instants_at)?,
            void_after: segment.instant(instants_at + 16)?,
            bound: u128::try_from(segment.i64(bound_at)?).ok()?,
            drift: segment.u32(drift_at)?,
            counter,
        })
    }
}

/// What a segment states.
#[derive(Debug)]
struct Statement {
    /// When the bound held. In versions 1 and 2 of `CLOCK_MONOTONIC`; in version 3 since 1970.
    as_of: Duration,
    void_after: Duration,
    /// Nanoseconds.
    bound: u128,
    /// By how much the bound grows: nanoseconds a second.
    drift: u32,
    /// Version 3 alone.
    counter: Option<Counter>,
}

/// In version 3 the daemon has a clock of its own, which runs by the processor's counter. The bound is that clock's.
#[derive(Debug)]
struct Counter {
    /// The counter at the instant `as_of`.
    as_of_ticks: u64,
    /// In seconds.
    period: Fraction,
    /// Relative to the period.
    period_error: Fraction,
}

impl Statement {
    /// The bound on the error of the system's clock, in nanoseconds.
    fn bound_at(&self, now: &ClockReadings) -> Result<u128, SegmentError> {
        /// 2001, in seconds since 1970. No machine runs for that long, so an earlier instant is of `CLOCK_MONOTONIC`,
        /// as for the older versions.
        const EARLIEST_DATE: u64 = 1_000_000_000;
        match &self.counter {
            Some(counter) if self.as_of.as_secs() >= EARLIEST_DATE => {
                self.bound_by_counter(counter, &now.counter.ok_or(SegmentError::NoCounter)?)
            }
            counter => {
                self.check_is_valid(now.monotonic)?;
                // The daemon reads a coarser clock, which may be slightly behind.
                let age = now.monotonic.saturating_sub(self.as_of);
                self.grown(age, counter.as_ref())
            }
        }
    }

    /// The daemon's clock may differ from the system's, which it only steers. So the bound on the system's clock is that
    /// on the daemon's, and the difference between the two, which is measured here.
    fn bound_by_counter(&self, counter: &Counter, now: &CounterReading) -> Result<u128, SegmentError> {
        let elapsed = counter.since(now.ticks).ok_or(SegmentError::Stale)?;
        let daemon = self.as_of.checked_add(elapsed).ok_or(SegmentError::Stale)?;
        self.check_is_valid(daemon)?;
        let difference = daemon.abs_diff(now.before).max(daemon.abs_diff(now.after));
        Ok(self.grown(elapsed, Some(counter))? + difference.as_nanos())
    }

    fn check_is_valid(&self, now: Duration) -> Result<(), SegmentError> {
        if now < self.void_after { Ok(()) } else { Err(SegmentError::Stale) }
    }

    /// The bound after that time.
    fn grown(&self, age: Duration, counter: Option<&Counter>) -> Result<u128, SegmentError> {
        let drifted = (age.as_nanos() * u128::from(self.drift)).div_ceil(1_000_000_000);
        let misjudged = match counter {
            Some(counter) => counter.period_error.of_nanos(age).ok_or(SegmentError::Unknown)?,
            None => 0,
        };
        Ok(self.bound + drifted + misjudged)
    }
}

impl Counter {
    /// The time from `as_of` until the counter had that value; `None` if it is longer than 64 bits of nanoseconds.
    fn since(&self, ticks: u64) -> Option<Duration> {
        // A read of the counter may be ordered before the daemon's, by a few ticks.
        let ticks = ticks.saturating_sub(self.as_of_ticks);
        let product = u128::from(ticks) * u128::from(self.period.numerator);
        // In 2⁻⁶⁴ seconds.
        let seconds = product.checked_shr(self.period.shift.into()).unwrap_or(0);
        let nanos = ((seconds & u128::from(u64::MAX)) * 1_000_000_000) >> 64;
        Some(
            Duration::from_secs(u64::try_from(seconds >> 64).ok()?)
                + Duration::from_nanos(u64::try_from(nanos).ok()?),
        )
    }
}

/// A number below one: the numerator, divided by 2 to the power of 64 and the shift.
#[derive(Clone, Copy, Debug)]
struct Fraction {
    numerator: u64,
    shift: u8,
}

impl Fraction {
    /// This fraction of a time, in nanoseconds, rounded up.
    fn of_nanos(self, time: Duration) -> Option<u128> {
        let product = time.as_nanos().checked_mul(self.numerator.into())?;
        Some(product.checked_shr(64 + u32::from(self.shift)).unwrap_or(0) + 1)
    }
}

/// Fields at their offsets, in the byte order of the machine.
struct Segment<'a>(&'a [u8]);

impl Segment<'_> {
    fn bytes<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.0.get(at..at + N)?.try_into().ok()
    }

    fn u8(&self, at: usize) -> Option<u8> {
        self.0.get(at).copied()
    }

    fn u16(&self, at: usize) -> Option<u16> {
        self.bytes(at).map(u16::from_ne_bytes)
    }

    fn u32(&self, at: usize) -> Option<u32> {
        self.bytes(at).map(u32::from_ne_bytes)
    }

    fn i32(&self, at: usize) -> Option<i32> {
        self.bytes(at).map(i32::from_ne_bytes)
    }

    fn u64(&self, at: usize) -> Option<u64> {
        self.bytes(at).map(u64::from_ne_bytes)
    }

    fn i64(&self, at: usize) -> Option<i64> {
        self.bytes(at).map(i64::from_ne_bytes)
    }

    /// A `timespec` of a clock that starts at zero.
    fn instant(&self, at: usize) -> Option<Duration> {
        let (seconds, nanos) = (self.i64(at)?, self.i64(at + 8)?);
        let nanos = u32::try_from(nanos).ok().filter(|&nanos| nanos < 1_000_000_000)?;
        Some(Duration::new(u64::try_from(seconds).ok()?, nanos))
    }
}

#[cfg(test)]
mod tests;
