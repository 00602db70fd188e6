//! Answers that do not move while time passes: a cache answers, or the clock stands still.

use core::time::Duration;

use crate::sample::Sample;
use crate::time::{Drift, MonotonicInstant};

/// Two answers with one reading that a moving clock cannot have shown at both times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standstill {
    /// Index of the earlier sample.
    pub first: usize,
    /// Index of the later one.
    pub last: usize,
    /// The least time that passed between the two readings.
    pub elapsed: Duration,
}

/// Looks for a clock that stands still; `None` when there is no proof of one.
///
/// A moving clock shows a reading of width w for at most w of its own time, if it is as fine as it is
/// printed. Some clocks tick every few milliseconds and print nine digits nevertheless. So a reading that is
/// repeated after longer than w and longer than the coarsest tick (100 ms) was not taken anew. Two clocks
/// with different offsets may show the same reading one after the other. So where samples name no instance,
/// all of them have to agree.
#[must_use]
pub fn standstill(samples: &[Sample], drift: Drift) -> Option<Standstill> {
    samples.iter().enumerate().find_map(|(first, earlier)| {
        let same_clock = |later: &&Sample| later.instance == earlier.instance;
        let nameless_and_moving = earlier.instance.is_none()
            && samples.iter().filter(same_clock).any(|other| other.reading != earlier.reading);
        if nameless_and_moving {
            return None;
        }
        samples.iter().enumerate().skip(first + 1).find_map(|(last, later)| {
            let elapsed = later.sent.since(earlier.received);
            let repeated = same_clock(&later)
                && later.reading == earlier.reading
                && elapsed > least_standstill(earlier, drift);
            repeated.then_some(Standstill { first, last, elapsed })
        })
    })
}

/// The coarsest tick of a clock that prints more digits than it has: 15.6 ms on older Windows, 10 ms of a
/// kernel's coarse clock; with a margin for slow ones.
const COARSEST_TICK: Duration = Duration::from_millis(100);

/// When to ask again because a clock may stand still.
///
/// That is the case when all answers of one clock are the same for longer than they are wide, and it is not
/// known yet whether the clock stands still or ticks coarsely.
#[must_use]
pub fn suspected_standstill(samples: &[Sample], drift: Drift) -> Option<MonotonicInstant> {
    samples.iter().enumerate().find_map(|(first, earlier)| {
        let of_it = || samples.iter().filter(|other| other.instance == earlier.instance);
        if of_it().any(|other| other.reading != earlier.reading) {
            return None;
        }
        let stays_too_long = samples[first + 1..].iter().any(|later| {
            later.instance == earlier.instance
                && later.sent.since(earlier.received) > longest_stay(earlier, drift)
        });
        stays_too_long.then(|| earlier.received + least_standstill(earlier, drift) + Duration::from_nanos(1))
    })
}

/// A moving clock does not show one reading for longer than this.
pub(crate) fn least_standstill(sample: &Sample, drift: Drift) -> Duration {
    longest_stay(sample, drift).max(COARSEST_TICK)
}

/// How long a moving clock can show one reading, on the checker's clock: w / (1 − drift), which for any
/// drift below one half is less than w + 2 · drift · w.
pub(crate) fn longest_stay(sample: &Sample, drift: Drift) -> Duration {
    let width = sample.reading.width();
    width + drift.during(width * 2).positive_part()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::interval::Interval;
    use crate::sample::{Reading, Shown};
    use crate::time::UnixInstant;

    fn sample(at_millis: u64, shown_millis: i128, width: Duration, instance: Option<&str>) -> Sample {
        let earliest = shown_millis * 1_000_000;
        let latest = earliest + i128::try_from(width.as_nanos()).unwrap();
        let shown = Interval::new(UnixInstant::from_nanos(earliest), UnixInstant::from_nanos(latest));
        let sent = MonotonicInstant::after_origin(Duration::from_millis(at_millis));
        Sample {
            sent,
            received: sent + Duration::from_micros(100),
            reading: Reading { shown: Shown::Instant(shown), step: width, may_lag: Duration::ZERO },
            instance: instance.map(Arc::from),
            connection: 0,
        }
    }

    const FINE: Duration = Duration::from_nanos(1);
    const WHOLE: Duration = Duration::from_secs(1);

    #[test]
    fn the_same_nanosecond_again_after_a_tenth_of_a_second_is_a_standstill() {
        let samples = [sample(0, 7, FINE, Some("a")), sample(101, 7, FINE, Some("a"))];
        assert!(standstill(&samples, Drift::DISCIPLINED).is_some_and(|found| found.last == 1));
    }

    #[test]
    fn a_clock_that_ticks_coarsely_and_prints_all_digits_is_asked_again_before_it_is_called_stopped() {
        let mut samples = vec![sample(0, 7, FINE, Some("a")), sample(15, 7, FINE, Some("a"))];
        assert_eq!(standstill(&samples, Drift::DISCIPLINED), None);
        let due = suspected_standstill(&samples, Drift::DISCIPLINED).unwrap();
        assert!(due.since(samples[0].received) > Duration::from_millis(100));
        // It has gone on since.
        samples.push(sample(101, 100, FINE, Some("a")));
        assert_eq!(standstill(&samples, Drift::DISCIPLINED), None);
        assert_eq!(suspected_standstill(&samples, Drift::DISCIPLINED), None);
    }

    #[test]
    fn nothing_is_suspected_of_a_clock_that_was_seen_to_move_or_asked_once() {
        let moving = [sample(0, 7, FINE, None), sample(1, 8, FINE, None)];
        assert_eq!(suspected_standstill(&moving, Drift::DISCIPLINED), None);
        assert_eq!(suspected_standstill(&moving[..1], Drift::DISCIPLINED), None);
        let within_its_second = [sample(0, 7_000, WHOLE, None), sample(500, 7_000, WHOLE, None)];
        assert_eq!(suspected_standstill(&within_its_second, Drift::DISCIPLINED), None);
    }

    #[test]
    fn the_same_second_twice_within_that_second_is_not() {
        let samples = [sample(0, 7_000, WHOLE, None), sample(990, 7_000, WHOLE, None)];
        assert_eq!(standstill(&samples, Drift::DISCIPLINED), None);
        let samples = [sample(0, 7_000, WHOLE, None), sample(1_002, 7_000, WHOLE, None)];
        assert!(standstill(&samples, Drift::DISCIPLINED).is_some());
    }

    #[test]
    fn two_nameless_clocks_that_say_the_same_one_after_the_other_move() {
        let samples =
            [sample(0, 7_000, WHOLE, None), sample(1, 4_000, WHOLE, None), sample(3_000, 7_000, WHOLE, None)];
        assert_eq!(standstill(&samples, Drift::DISCIPLINED), None);
    }

    #[test]
    fn one_frozen_instance_among_moving_ones_is_found() {
        let samples = [
            sample(0, 0, FINE, Some("moving")),
            sample(1, 9, FINE, Some("frozen")),
            sample(2, 2, FINE, Some("moving")),
            sample(103, 9, FINE, Some("frozen")),
        ];
        assert_eq!(
            standstill(&samples, Drift::DISCIPLINED).map(|found| (found.first, found.last)),
            Some((1, 3))
        );
    }
}
