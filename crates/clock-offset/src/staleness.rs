//! Answers that do not move while time passes: a cache answers, or the clock stands still.

use core::time::Duration;

use crate::interval::ReferenceClock;
use crate::sample::Sample;
use crate::time::{Drift, MonotonicInstant, Span};

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

/// When the same reading again is a fault.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// How fast the server's and the checker's clock may run apart.
    pub drift: Drift,
    /// How far an answer may be off.
    pub limit: Duration,
    /// What it is compared with.
    pub reference: ReferenceClock,
    /// No request starts after this instant.
    pub last_start: MonotonicInstant,
}

impl Patience {
    /// How long a reading may be repeated: until it is late by more than the limit.
    ///
    /// A service that caches its time repeats a reading and goes on after a while, which is no fault while its answers are
    /// within the limit. A stopped clock is beyond it sooner or later: after the limit, if it was not ahead, and after
    /// twice the limit, if it was right at all. A round that is shorter than that sees no more than that a reading is
    /// repeated for all of it.
    pub(crate) fn longest_repetition(&self, sample: &Sample) -> Duration {
        let said = sample.bounds(&self.reference.bounds, self.drift).shows.latest();
        let certainly = self.reference.at(sample.received).shows.earliest();
        let late = (said - certainly + Span::from(self.limit)).positive_part();
        let late = late.clamp(self.limit, self.limit.saturating_mul(2));
        let whole_round = self.last_start.since(sample.received).max(WHOLE_ROUND);
        let tolerated = (late + self.drift.during(late).positive_part()).min(whole_round);
        // A nanosecond more than a moving clock needs.
        tolerated.max(COARSEST_TICK).max(longest_stay(sample, self.drift) + Duration::from_nanos(1))
    }
}

/// Looks for a clock that stands still; `None` when there is no proof of one.
///
/// A moving clock shows a reading of width w for at most w of its own time, if it is as fine as it is printed. Some tick
/// every few milliseconds and print nine digits nevertheless, and some services renew what they say a few times a second.
/// So a reading stands still when it is repeated for as long as `patience` says. Two clocks with different offsets may show
/// the same coarse reading one after the other. So where samples name no instance and are coarse, all of them have to agree.
#[must_use]
pub fn standstill(samples: &[Sample], patience: &Patience) -> Option<Standstill> {
    samples.iter().enumerate().find_map(|(first, earlier)| {
        let same_clock = |later: &&Sample| later.instance == earlier.instance;
        let is_ambiguous = earlier.instance.is_none() && !is_fine(earlier);
        if is_ambiguous && samples.iter().filter(same_clock).any(|other| other.reading != earlier.reading) {
            return None;
        }
        let longest = patience.longest_repetition(earlier);
        samples.iter().enumerate().skip(first + 1).find_map(|(last, later)| {
            let elapsed = later.sent.since(earlier.received);
            let repeated = same_clock(&later) && later.reading == earlier.reading && elapsed >= longest;
            repeated.then_some(Standstill { first, last, elapsed })
        })
    })
}

/// The coarsest tick of a clock that prints more digits than it has: 15.6 ms on older Windows, 10 ms of a
/// kernel's coarse clock; with a margin for slow ones.
const COARSEST_TICK: Duration = Duration::from_millis(100);

/// Whether a reading has digits of a fraction of a second, but so few that it may be one of a clock that ticks.
fn has_few_digits(sample: &Sample) -> bool {
    is_fine(sample) && sample.reading.step > SUSPICIOUS
}

/// No clock that prints a fraction of a second needs longer than that to go on, unless it ticks or is renewed.
const SUSPICIOUS: Duration = Duration::from_millis(2);

/// A round of that length tells a reading that stands still from one that is renewed now and then.
const WHOLE_ROUND: Duration = Duration::from_secs(1);

/// When to ask again first: most clocks that tick coarsely have gone on by then.
const FIRST_LOOK: Duration = Duration::from_millis(50);

/// When to ask again because a clock may stand still.
///
/// That is the case when all answers of one clock are the same for longer than they are wide. It may tick coarsely, or be
/// renewed now and then, so it is asked again after twice the time, until that is long enough for a standstill.
#[must_use]
pub fn suspected_standstill(samples: &[Sample], patience: &Patience) -> Option<MonotonicInstant> {
    samples.iter().enumerate().find_map(|(first, earlier)| {
        let of_it = || samples.iter().filter(|other| other.instance == earlier.instance);
        if of_it().any(|other| other.reading != earlier.reading) {
            return None;
        }
        let (last, answered) = samples[first..]
            .iter()
            .filter(|later| later.instance == earlier.instance)
            .map(|later| (later.sent, later.received))
            .max()?;
        let (stayed, longest) = (last.since(earlier.received), suspicious_stay(earlier, patience.drift));
        // A fine clock whose reading came again was read with very different delays, which is rare.
        let apart = last.since(earlier.sent).min(answered.since(earlier.received));
        let is_repeated = stayed > longest || (is_fine(earlier) && apart > longest * 2);
        let is_suspected =
            (is_repeated || (has_few_digits(earlier) && of_it().count() > 1)) && last < patience.last_start;
        is_suspected.then(|| {
            let after = (stayed * 2).max(FIRST_LOOK).min(patience.longest_repetition(earlier));
            (earlier.received + after).min(patience.last_start)
        })
    })
}

/// Whether a reading is so fine that two clocks hardly show the same one, one after the other.
pub(crate) fn is_fine(sample: &Sample) -> bool {
    sample.reading.step <= COARSEST_TICK && sample.reading.may_lag.is_zero()
}

/// When a reading is suspected to be of a clock that does not go on as finely as its digits say.
///
/// Zeros at its end are taken for less resolution, which is safe for its bounds. But a clock that ticks in 200 ms shows
/// them too, and then they say nothing of how long it shows a reading.
pub(crate) fn suspicious_stay(sample: &Sample, drift: Drift) -> Duration {
    let longest = longest_stay(sample, drift);
    if is_fine(sample) { longest.min(SUSPICIOUS) } else { longest }
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
    use crate::interval::{BoundedTime, Interval};
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

    /// The reference shows the time since the origin, and the limit is a second.
    fn patience() -> Patience {
        let shows = Interval::point(UnixInstant::from_nanos(0));
        let bounds = BoundedTime { at: MonotonicInstant::ORIGIN, shows };
        Patience {
            drift: Drift::DISCIPLINED,
            limit: Duration::from_secs(1),
            reference: ReferenceClock { bounds, drift: Drift::from_ppm(0) },
            last_start: at(7_500),
        }
    }

    fn at(millis: u64) -> MonotonicInstant {
        MonotonicInstant::after_origin(Duration::from_millis(millis))
    }

    #[test]
    fn a_reading_stands_still_when_it_is_late_by_more_than_the_limit() {
        // It says 7 ms after the origin, then and later.
        for (again, is_still) in [(101, false), (999, false), (1_009, true)] {
            let samples = [sample(0, 7, FINE, Some("a")), sample(again, 7, FINE, Some("a"))];
            assert_eq!(standstill(&samples, &patience()).is_some(), is_still, "{again}");
        }
        // It was ahead, and is right at the moment.
        for (again, is_still) in [(1_500, false), (1_903, true)] {
            let samples = [sample(0, 900, FINE, Some("a")), sample(again, 900, FINE, Some("a"))];
            assert_eq!(standstill(&samples, &patience()).is_some(), is_still, "{again}");
        }
        // It was too far ahead to be right.
        let samples = [sample(0, 90_000, FINE, Some("a")), sample(2_010, 90_000, FINE, Some("a"))];
        assert!(standstill(&samples, &patience()).is_some());
    }

    #[test]
    fn a_limit_longer_than_the_round_needs_a_reading_that_is_repeated_for_all_of_it() {
        let patience = Patience { limit: Duration::from_secs(30), ..patience() };
        for (again, is_still) in [(7_400, false), (7_500, true)] {
            let samples = [sample(0, 7, FINE, None), sample(again, 7, FINE, None)];
            assert_eq!(standstill(&samples, &patience).is_some(), is_still, "{again}");
        }
        let short = Patience { last_start: at(750), ..patience };
        let samples = [sample(0, 7, FINE, None), sample(750, 7, FINE, None)];
        assert_eq!(standstill(&samples, &short), None, "it may be renewed once a second");
        assert_eq!(suspected_standstill(&samples, &short), None, "no time is left");
    }

    #[test]
    fn a_reading_that_is_repeated_is_asked_for_again_until_it_moves_or_stands_still() {
        let mut samples = vec![sample(0, 7, FINE, Some("a")), sample(15, 7, FINE, Some("a"))];
        let mut looks = Vec::new();
        while standstill(&samples, &patience()).is_none() {
            let due = suspected_standstill(&samples, &patience()).unwrap();
            looks.push(due.as_nanos() / 1_000_000);
            let nth = samples.len();
            samples.push(sample(0, 7, FINE, Some("a")));
            (samples[nth].sent, samples[nth].received) = (due, due + Duration::from_micros(100));
        }
        assert_eq!(looks, [50, 100, 200, 400, 800, 1_007]);
        // It has gone on since.
        samples.truncate(2);
        samples.push(sample(101, 100, FINE, Some("a")));
        assert_eq!(suspected_standstill(&samples, &patience()), None);
    }

    #[test]
    fn nothing_is_suspected_of_a_clock_that_was_seen_to_move_or_asked_once() {
        let moving = [sample(0, 7, FINE, None), sample(1, 8, FINE, None)];
        assert_eq!(suspected_standstill(&moving, &patience()), None);
        assert_eq!(suspected_standstill(&moving[..1], &patience()), None);
        let within_its_second = [sample(0, 7_000, WHOLE, None), sample(500, 7_000, WHOLE, None)];
        assert_eq!(suspected_standstill(&within_its_second, &patience()), None);
    }

    #[test]
    fn a_second_that_is_shown_for_less_than_two_does_not_stand_still() {
        for (again, is_still) in [(990, false), (1_500, false), (2_004, true)] {
            let samples = [sample(0, 0, WHOLE, None), sample(again, 0, WHOLE, None)];
            assert_eq!(standstill(&samples, &patience()).is_some(), is_still, "{again}");
        }
    }

    #[test]
    fn two_nameless_clocks_that_say_the_same_one_after_the_other_move() {
        let samples =
            [sample(0, 7_000, WHOLE, None), sample(1, 4_000, WHOLE, None), sample(3_000, 7_000, WHOLE, None)];
        assert_eq!(standstill(&samples, &patience()), None);
    }

    #[test]
    fn one_frozen_clock_among_moving_ones_is_found_with_a_name_or_by_its_digits() {
        for name in [Some("frozen"), None] {
            let samples = [
                sample(0, 0, FINE, name.map(|_| "moving")),
                sample(1, 9, FINE, name),
                sample(2, 2, FINE, name.map(|_| "moving")),
                sample(1_011, 9, FINE, name),
            ];
            let found = standstill(&samples, &patience()).map(|found| (found.first, found.last));
            assert_eq!(found, Some((1, 3)), "{name:?}");
        }
    }
}
