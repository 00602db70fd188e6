//! Clocks that tick more coarsely than their answers are printed.
//!
//! Older versions of Windows advance their clock every 15.6 ms, a kernel's coarse clock every 1 to 10 ms, and programs
//! print microseconds of it nevertheless. Such a clock shows the time of its last tick: it is never ahead of the true
//! reading, and behind by less than the tick. Two of its answers can seem to contradict each other by that much.

use core::time::Duration;
use std::collections::{BTreeSet, HashMap};

use crate::sample::{Sample, Shown};
use crate::staleness::{longest_stay, suspicious_stay};
use crate::time::{Drift, MonotonicInstant};

/// The coarsest tick that is assumed because answers contradict each other: 15.6 ms on older Windows, 10 ms of a
/// kernel that ticks 100 times a second, with a margin.
const PLAUSIBLE: Duration = Duration::from_millis(20);

/// Ticks that are assumed only of a clock that was seen to show one reading for a while: 55 ms of the PC's timer, 100 ms.
const SEEN: [Duration; 2] = [Duration::from_millis(60), COARSEST_SEEN];
const COARSEST_SEEN: Duration = Duration::from_millis(110);

/// The finest tick that is looked for: a kernel that ticks a thousand times a second.
const FINEST: Duration = Duration::from_millis(1);

/// Readings that came again have to be this many, and so large a part of the samples, to show a tick without proving one.
const MANY: usize = 3;
const LARGE_PART: usize = 4;

/// Readings that are not printed more finely than this come again too often to show anything.
const FINE: Duration = Duration::from_millis(2);

/// Readings that are multiples of one step apart show that the clock ticks in it: at least three readings, and a step so
/// many times coarser than they are printed. Three readings of a fine clock look like that once in two thousand rounds.
const READINGS: usize = 3;
const COARSER: u128 = 1_000;

/// The samples that show one reading.
struct Stay {
    sent: (MonotonicInstant, MonotonicInstant),
    received: (MonotonicInstant, MonotonicInstant),
    samples: usize,
    /// How long a clock as fine as it is printed can show one reading.
    longest: Duration,
    /// The same, where others show that zeros at its end are digits.
    as_fine_as_others: Duration,
}

impl Stay {
    fn of(sample: &Sample, drift: Drift) -> Self {
        Self {
            sent: (sample.sent, sample.sent),
            received: (sample.received, sample.received),
            samples: 0,
            longest: longest_stay(sample, drift),
            as_fine_as_others: suspicious_stay(sample, drift),
        }
    }

    fn add(&mut self, sample: &Sample) {
        self.sent = (self.sent.0.min(sample.sent), self.sent.1.max(sample.sent));
        self.received = (self.received.0.min(sample.received), self.received.1.max(sample.received));
        self.samples += 1;
    }

    /// How long the clock showed the reading at least.
    fn least(&self) -> Duration {
        self.sent.1.since(self.received.0)
    }

    /// Whether requests that were sent apart and answered apart got the same reading. A fine clock does that too when a
    /// delay happens to make up for the distance. That is rare, so only many of them count.
    ///
    /// `longest` is that of the finest reading: one whose last digits are zeros may be taken for a coarser one.
    fn is_unlikely(&self, longest: Duration) -> bool {
        let apart = self.sent.1.since(self.sent.0).min(self.received.1.since(self.received.0));
        longest <= FINE && apart > longest * 2
    }
}

/// The ticks that the samples of one clock may have, finest first, and whether they show that there is one: the same
/// reading again, later than a clock as fine as it is printed could show it, or many times more often than it would; or
/// readings that are multiples of one step apart.
///
/// A clock that repeats a reading after a time has a tick longer than that time, unless it stands still.
///
/// The other signs matter where answers take as long as the tick: then no reading repeats for certain. They prove no
/// tick. To assume one that does not exist is safe, because it only widens the bounds.
pub(crate) fn candidates<'a>(
    samples: impl Iterator<Item = &'a Sample> + Clone,
    drift: Drift,
) -> (Vec<Duration>, bool) {
    let apart = common_step(samples.clone());
    let repeated = repeated(samples.clone(), drift);
    // Readings of one clock are whole ticks apart.
    let gap = least_gap(samples.clone()).map(|gap| gap.max(PLAUSIBLE));
    if apart.is_none() && repeated.is_none() && !have_few_digits(samples) {
        return (vec![gap.filter(|gap| *gap <= SEEN[0]).unwrap_or(PLAUSIBLE)], false);
    }
    let least = apart.or(gap);
    let stayed = repeated.unwrap_or_default();
    let coarser = [PLAUSIBLE].into_iter().chain(SEEN).filter(|tick| least.is_none_or(|least| *tick > least));
    (least.into_iter().chain(coarser).filter(|tick| *tick > stayed).collect(), true)
}

/// Whether readings came again that a clock as fine as it is printed would not have repeated, and for how long one was shown
/// at least; zero where their number alone shows it.
///
/// Zeros at the end of a reading are taken for less resolution, but where another reading has finer digits, they are digits
/// too.
pub(crate) fn repeated<'a>(
    samples: impl Iterator<Item = &'a Sample> + Clone,
    drift: Drift,
) -> Option<Duration> {
    let mut stays: HashMap<Shown, Stay> = HashMap::new();
    let mut count = 0;
    for sample in samples.clone() {
        stays.entry(sample.reading.shown).or_insert_with(|| Stay::of(sample, drift)).add(sample);
        count += 1;
    }
    let has_fine_digits =
        samples.map(|sample| sample.reading.step).min().is_some_and(|finest| finest <= FINE);
    let longest = |stay: &Stay| if has_fine_digits { stay.as_fine_as_others } else { stay.longest };
    let proven = stays.values().filter(|stay| stay.least() > longest(stay)).map(Stay::least).max();
    let finest = stays.values().map(|stay| stay.longest).min().unwrap_or_default();
    let again: usize =
        stays.values().filter(|stay| stay.is_unlikely(finest)).map(|stay| stay.samples - 1).sum();
    let is_repeated = again >= MANY && again * LARGE_PART >= count;
    proven.or(is_repeated.then_some(Duration::ZERO))
}

/// Whether the samples have digits of a fraction of a second, but so few that the clock may tick more coarsely than they say:
/// one that ticks in 20, 50 or 250 ms shows zeros at their end too.
fn have_few_digits<'a>(samples: impl Iterator<Item = &'a Sample> + Clone) -> bool {
    let finest = samples.clone().map(|sample| sample.reading.step).min().unwrap_or_default();
    finest > FINE && finest <= COARSEST_SEEN && !is_as_fine_as_printed(samples)
}

/// Whether two readings are no further apart than the finest of them is wide.
fn is_as_fine_as_printed<'a>(samples: impl Iterator<Item = &'a Sample> + Clone) -> bool {
    let finest = samples.clone().map(|sample| sample.reading.step).min().unwrap_or_default();
    least_gap(samples).is_some_and(|gap| gap <= finest)
}

/// How far the two readings are apart that are nearest to each other.
fn least_gap<'a>(samples: impl Iterator<Item = &'a Sample>) -> Option<Duration> {
    let readings: BTreeSet<i128> = samples.map(|sample| sample.reading.printed_nanos()).collect();
    let gaps = readings.iter().zip(readings.iter().skip(1)).map(|(earlier, later)| later - earlier);
    gaps.min().and_then(|gap| u64::try_from(gap).ok()).map(Duration::from_nanos)
}

/// The greatest step that all readings of one width are apart, when it shows a tick.
fn common_step<'a>(samples: impl Iterator<Item = &'a Sample>) -> Option<Duration> {
    // By width: a reading whose last digits are zeros may be printed without them, and is then taken for a coarser one.
    let mut readings: HashMap<Duration, BTreeSet<i128>> = HashMap::new();
    for sample in samples {
        if let Shown::Instant(shown) = sample.reading.shown {
            readings.entry(sample.reading.width()).or_default().insert(shown.earliest().as_nanos());
        }
    }
    let steps =
        readings.iter().filter(|(_, readings)| readings.len() >= READINGS).filter_map(|(width, readings)| {
            let first = *readings.first()?;
            let step =
                readings.iter().fold(0, |step, reading| greatest_divisor(step, reading.abs_diff(first)));
            let step = Duration::from_nanos(u64::try_from(step).ok()?);
            let is_coarse = step.as_nanos() >= width.as_nanos() * COARSER;
            (is_coarse && step >= FINEST && step <= COARSEST_SEEN).then_some(step)
        });
    steps.max()
}

/// Euclid's algorithm.
fn greatest_divisor(a: u128, b: u128) -> u128 {
    if b == 0 { a } else { greatest_divisor(b, a % b) }
}

#[cfg(test)]
mod tests;
