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

/// The readings that concern versions 1 and 2.
fn monotonic(seconds: u64) -> ClockReadings {
    ClockReadings { monotonic: Duration::from_secs(seconds), counter: None }
}

fn at(seconds: u64, segment: &[u8]) -> Result<ClockStatus, SegmentError> {
    status(segment, segment, &monotonic(seconds))
}

/// The instant at which a segment of version 3 was written, in seconds since 1970.
const WRITTEN: u64 = 1_795_464_711;

/// The counter at that instant. It ticks 2,500,000,000 times a second.
const TICKS: u64 = 5_000_000_000_000;

fn four_tenths_of_a_nanosecond() -> u64 {
    u64::try_from((4_u128 << (64 + 31)) / 10_000_000_000).unwrap()
}

fn half_a_millionth() -> u64 {
    u64::try_from((1_u128 << (64 + 20)) / 2_000_000).unwrap()
}

/// As the daemon writes it: valid for 1000 s, 10 µs and 1 ppm, and half a ppm for the period.
fn third(versions: u16, generation: u16, status: i32) -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in [MAGIC[0], MAGIC[1], 104] {
        bytes.extend(number.to_ne_bytes());
    }
    bytes.extend(versions.to_ne_bytes());
    bytes.extend(generation.to_ne_bytes());
    bytes.extend(TICKS.to_ne_bytes());
    for number in [WRITTEN, 0, WRITTEN + 1_000, 0] {
        bytes.extend(number.to_ne_bytes());
    }
    // 0.4 ns and 0.5e-6, as fractions of 2⁶⁴ with a shift that keeps their digits.
    let (period, period_error) = (four_tenths_of_a_nanosecond(), half_a_millionth());
    for number in [period, period_error, 10_000, 0] {
        bytes.extend(number.to_ne_bytes());
    }
    bytes.extend(1_000_u32.to_ne_bytes());
    bytes.extend(status.to_ne_bytes());
    bytes.extend([1, 31, 20, 0, 0, 0, 0, 0]);
    assert_eq!(bytes.len(), 104);
    bytes
}

/// The readings so many seconds after [`WRITTEN`], on a machine whose clock is ahead by so many microseconds, and is
/// read within one.
fn later(seconds: u64, ahead_micros: i64) -> ClockReadings {
    let system = (Duration::from_secs(WRITTEN + seconds) + Duration::from_secs(1))
        .saturating_sub(Duration::from_micros(u64::try_from(1_000_000 - ahead_micros).unwrap()));
    let counter = CounterReading {
        before: system,
        ticks: TICKS + seconds * 2_500_000_000,
        after: system + Duration::from_micros(1),
    };
    ClockReadings { monotonic: Duration::from_secs(7), counter: Some(counter) }
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
    let torn = status(&segment(2, 4, 1), &segment(2, 6, 1), &monotonic(102));
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
    assert_eq!(at(102, &segment(0x0404, 4, 1)), Err(SegmentError::Version(4)));
    assert_eq!(at(102, &segment(0x0102, 4, 1)), Err(SegmentError::Version(2)));
    for (place, value) in [(48, -1_i64), (16, -1), (24, 1_000_000_000), (40, -5)] {
        let mut bad = good.clone();
        bad[place..place + 8].copy_from_slice(&value.to_ne_bytes());
        assert_eq!(at(102, &bad), Err(SegmentError::NotASegment), "{place}");
    }
    let mut huge = good;
    huge[48..56].copy_from_slice(&i64::MAX.to_ne_bytes());
    assert_eq!(at(102, &huge), Err(SegmentError::Unknown));
}

/// The bound in microseconds that a segment of version 3 proves.
fn bound(segment: &[u8], now: &ClockReadings) -> Result<u32, SegmentError> {
    match status(segment, segment, now)? {
        ClockStatus::Synchronized { max_error_micros } => Ok(max_error_micros),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_bound_of_version_3_counts_what_the_systems_clock_differs_from_the_daemons() {
    for state in [1, 2] {
        let segment = third(0x0303, 4, state);
        // 10 µs, the microsecond between the two readings, and a nanosecond of rounding.
        assert_eq!(bound(&segment, &later(0, 0)), Ok(12));
        // Its growth is 1.5 µs a second.
        assert!((160..=162).contains(&bound(&segment, &later(100, 0)).unwrap()));
        assert!((5_160..=5_162).contains(&bound(&segment, &later(100, 5_000)).unwrap()));
        assert!((5_160..=5_162).contains(&bound(&segment, &later(100, -5_000)).unwrap()));
        // The daemon's clock says when it is void, not the system's.
        assert_eq!(bound(&segment, &later(1_001, -600_000_000)), Err(SegmentError::Stale));
        assert_eq!(bound(&segment, &later(100, 1_000_000)).unwrap() / 1_000, 1_000);
    }
    assert_eq!(
        status(&third(0x0303, 4, 3), &third(0x0303, 4, 3), &later(0, 0)),
        Ok(ClockStatus::Unsynchronized)
    );
    assert_eq!(bound(&third(0x0303, 4, 0), &later(0, 0)), Err(SegmentError::Unknown));
    assert_eq!(bound(&third(0x0303, 4, 1), &monotonic(7)), Err(SegmentError::NoCounter));
}

#[test]
fn a_newer_version_is_read_if_it_says_that_readers_of_version_3_understand_it() {
    for versions in [0x0003, 0x0303, 0x0304, 0x03ff] {
        assert_eq!(bound(&third(versions, 4, 1), &later(0, 0)), Ok(12), "{versions:x}");
    }
    for (versions, named) in [(0x0404, 4), (0x0004, 4), (0x0506, 6), (0x0302, 2), (0x0203, 3)] {
        let error = bound(&third(versions, 4, 1), &later(0, 0)).unwrap_err();
        assert_eq!(error, SegmentError::Version(named), "{versions:x}");
    }
}

#[test]
fn a_segment_of_version_3_whose_instants_are_no_dates_is_read_by_the_monotonic_clock() {
    let mut segment = third(0x0303, 4, 1);
    segment[24..32].copy_from_slice(&100_u64.to_ne_bytes());
    segment[40..48].copy_from_slice(&1_100_u64.to_ne_bytes());
    assert!((13..=14).contains(&bound(&segment, &monotonic(102)).unwrap()));
    assert_eq!(bound(&segment, &monotonic(1_100)), Err(SegmentError::Stale));
}

#[test]
fn what_is_wrong_with_a_segment_of_version_3_is_never_taken_for_a_bound() {
    let good = third(0x0303, 4, 1);
    for length in 0..99 {
        assert!(bound(&good[..length], &later(1, 0)).is_err(), "{length}");
    }
    assert_eq!(bound(&third(0x0303, 5, 1), &later(1, 0)), Err(SegmentError::Torn));
    assert_eq!(status(&good, &third(0x0303, 6, 1), &later(1, 0)), Err(SegmentError::Torn));
    assert_eq!(bound(&third(0x0303, 0, 1), &later(1, 0)), Err(SegmentError::Stale));
    for (place, value) in [(72, -1_i64), (24, -1), (32, 1_000_000_000), (48, -5), (72, i64::MAX)] {
        let mut bad = good.clone();
        bad[place..place + 8].copy_from_slice(&value.to_ne_bytes());
        assert!(bound(&bad, &later(1, 0)).is_err(), "{place}");
    }
    // Whatever the numbers are, the bound is at least what is stated.
    for place in [16, 56, 64] {
        for value in [0, 1, u64::MAX / 3, u64::MAX] {
            for shift in [0, 31, 255] {
                let mut odd = good.clone();
                odd[place..place + 8].copy_from_slice(&value.to_ne_bytes());
                odd[97] = shift;
                odd[98] = shift;
                assert!(bound(&odd, &later(1, 0)).map_or(true, |micros| micros >= 10));
            }
        }
    }
}
