//! ClockBound's shared memory. The daemon bounds the clock's error more closely than the kernel does, and shares the
//! bound through a file in memory (`docs/PROTOCOL.md` of aws/clock-bound, versions 1 and 2 of the segment).
//!
//! The file is read and not mapped: once a second a mapping would gain nothing, and a read needs no unsafe code.

use std::time::Duration;

use crate::clock::status::ClockStatus;

/// The longest segment of the supported versions, in bytes.
pub(crate) const MAX_SEGMENT_BYTES: usize = 80;

/// The magic number: two words in the byte order of the machine.
const MAGIC: [u32; 2] = [0x414D_5A4E, 0x4342_0200];

/// Why a segment gives no status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SegmentError {
    #[error("is no segment of ClockBound")]
    NotASegment,
    #[error("is of version {0}; nowd understands 1 and 2")]
    Version(u16),
    #[error("was being written each time that it was read")]
    Torn,
    #[error("is out of date: is the daemon running?")]
    Stale,
    #[error("says that the daemon does not know the clock's status")]
    Unknown,
}

/// The status of the clock from two consecutive reads of the segment, at `monotonic` of `CLOCK_MONOTONIC`.
///
/// The daemon makes the generation odd before a write and even after it. So two reads that are equal, with an even
/// generation, show one consistent state.
pub(crate) fn status(first: &[u8], second: &[u8], monotonic: Duration) -> Result<ClockStatus, SegmentError> {
    let segment = Segment(first);
    if [segment.u32(0), segment.u32(4)] != MAGIC.map(Some) {
        return Err(SegmentError::NotASegment);
    }
    let (version, generation) = (
        segment.u16(12).ok_or(SegmentError::NotASegment)?,
        segment.u16(14).ok_or(SegmentError::NotASegment)?,
    );
    // Where the two versions differ: the offsets of the drift and of the status.
    let (drift_at, status_at) = match version {
        1 => (56, 64),
        2 => (64, 68),
        // The daemon has not written yet.
        0 => return Err(SegmentError::Stale),
        other => return Err(SegmentError::Version(other)),
    };
    if first != second || generation % 2 == 1 {
        return Err(SegmentError::Torn);
    }
    if generation == 0 {
        return Err(SegmentError::Stale);
    }
    let fields = || {
        Some((
            segment.instant(16)?,
            segment.instant(32)?,
            u128::try_from(segment.i64(48)?).ok()?,
            segment.u32(drift_at)?,
            segment.u32(status_at)?,
        ))
    };
    let (as_of, void_after, bound, drift, status) = fields().ok_or(SegmentError::NotASegment)?;
    match status {
        // Free running means that the daemon no longer corrects the clock. The bound grows, and is valid.
        1 | 2 if monotonic < void_after => {
            let age = monotonic.saturating_sub(as_of).as_nanos();
            let nanos = bound + age * u128::from(drift) / 1_000_000_000;
            u32::try_from(nanos.div_ceil(1_000))
                .map(|max_error_micros| ClockStatus::Synchronized { max_error_micros })
                .map_err(|_| SegmentError::Unknown)
        }
        1 | 2 => Err(SegmentError::Stale),
        // Disrupted, for example by the migration of a virtual machine. The kernel's own status is wrong now.
        3 => Ok(ClockStatus::Unsynchronized),
        _ => Err(SegmentError::Unknown),
    }
}

/// Fields at their offsets, in the byte order of the machine.
struct Segment<'a>(&'a [u8]);

impl Segment<'_> {
    fn bytes<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.0.get(at..at + N)?.try_into().ok()
    }

    fn u16(&self, at: usize) -> Option<u16> {
        self.bytes(at).map(u16::from_ne_bytes)
    }

    fn u32(&self, at: usize) -> Option<u32> {
        self.bytes(at).map(u32::from_ne_bytes)
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
mod tests {
    use super::*;

    /// As the daemon writes it: valid from 100 s to 1100 s, 10 µs and 1 ppm.
    fn segment(version: u16, generation: u16, status: i32) -> Vec<u8> {
        let mut bytes = Vec::new();
        for number in [MAGIC[0], MAGIC[1], if version == 1 { 72 } else { 80 }] {
            bytes.extend(number.to_ne_bytes());
        }
        bytes.extend(version.to_ne_bytes());
        bytes.extend(generation.to_ne_bytes());
        for number in [100_i64, 0, 1_100, 0, 10_000] {
            bytes.extend(number.to_ne_bytes());
        }
        if version == 1 {
            bytes.extend(1_000_u32.to_ne_bytes());
            bytes.extend(0_u32.to_ne_bytes());
            bytes.extend(status.to_ne_bytes());
            bytes.extend([0; 4]);
        } else {
            bytes.extend(0_u64.to_ne_bytes());
            bytes.extend(1_000_u32.to_ne_bytes());
            bytes.extend(status.to_ne_bytes());
            bytes.extend([1, 0, 0, 0, 0, 0, 0, 0]);
        }
        bytes
    }

    fn at(seconds: u64, segment: &[u8]) -> Result<ClockStatus, SegmentError> {
        status(segment, segment, Duration::from_secs(seconds))
    }

    #[test]
    fn a_bound_grows_by_the_drift_until_it_is_void_in_both_versions() {
        for (version, length) in [(1, 72), (2, 80)] {
            for state in [1, 2] {
                let segment = segment(version, 4, state);
                assert_eq!(segment.len(), length);
                assert_eq!(at(100, &segment), Ok(ClockStatus::Synchronized { max_error_micros: 10 }));
                assert_eq!(at(102, &segment), Ok(ClockStatus::Synchronized { max_error_micros: 12 }));
                // The daemon reads a coarser clock, which may be slightly behind.
                assert_eq!(at(99, &segment), Ok(ClockStatus::Synchronized { max_error_micros: 10 }));
                assert_eq!(at(1_100, &segment), Err(SegmentError::Stale));
            }
            assert_eq!(at(102, &segment(version, 4, 3)), Ok(ClockStatus::Unsynchronized));
            for state in [0, 4, -1] {
                assert_eq!(at(102, &segment(version, 4, state)), Err(SegmentError::Unknown));
            }
        }
    }

    #[test]
    fn a_segment_that_is_being_written_is_never_taken_for_one_that_is_not() {
        assert_eq!(at(102, &segment(2, 5, 1)), Err(SegmentError::Torn));
        let torn = status(&segment(2, 4, 1), &segment(2, 6, 1), Duration::from_secs(102));
        assert_eq!(torn, Err(SegmentError::Torn));
        assert_eq!(at(102, &segment(2, 0, 1)), Err(SegmentError::Stale));
    }

    #[test]
    fn whatever_else_is_in_the_file_is_refused_and_never_taken_for_a_bound() {
        let good = segment(2, 4, 1);
        for length in 0..good.len() - 8 {
            assert!(at(102, &good[..length]).is_err(), "{length}");
        }
        assert_eq!(
            at(102, b"something else that is long enough to be a segment of any version of it"),
            Err(SegmentError::NotASegment)
        );
        assert_eq!(at(102, &segment(3, 4, 1)), Err(SegmentError::Version(3)));
        for (place, value) in [(48, -1_i64), (16, -1), (24, 1_000_000_000), (40, -5)] {
            let mut bad = good.clone();
            bad[place..place + 8].copy_from_slice(&value.to_ne_bytes());
            assert_eq!(at(102, &bad), Err(SegmentError::NotASegment), "{place}");
        }
        let mut huge = good;
        huge[48..56].copy_from_slice(&i64::MAX.to_ne_bytes());
        assert_eq!(at(102, &huge), Err(SegmentError::Unknown));
    }
}
