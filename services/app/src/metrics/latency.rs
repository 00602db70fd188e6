//! Latency of responses, in buckets whose limits double.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::metrics::counter::Counter;

/// The first bucket is for up to 1 µs, each further one for up to twice as long, the 24th for up to 8.4 s; the last
/// one has no limit.
pub(crate) const BUCKETS: usize = 25;

/// The counts of one thread.
#[derive(Debug, Default)]
pub(crate) struct LatencyHistogram {
    buckets: [Counter; BUCKETS],
    nanos: AtomicU64,
}

impl LatencyHistogram {
    /// Counts `answers` responses that took `nanos` nanoseconds each. Call only from the thread that owns the
    /// histogram.
    pub(crate) fn count(&self, nanos: u64, answers: u32) {
        self.buckets[bucket(nanos)].add(answers.into());
        let sum = self.nanos.load(Ordering::Relaxed);
        self.nanos.store(sum.saturating_add(nanos.saturating_mul(answers.into())), Ordering::Relaxed);
    }
}

/// The counts of several threads, added up.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct LatencyTotals {
    /// The count of each bucket, not cumulative.
    pub(crate) counts: [u64; BUCKETS],
    pub(crate) seconds: f64,
}

impl LatencyTotals {
    pub(crate) fn of<'a>(threads: impl Iterator<Item = &'a LatencyHistogram>) -> Self {
        let mut all = Self::default();
        for one in threads {
            for (sum, bucket) in all.counts.iter_mut().zip(&one.buckets) {
                *sum += bucket.get();
            }
            all.seconds += Duration::from_nanos(one.nanos.load(Ordering::Relaxed)).as_secs_f64();
        }
        all
    }
}

/// The upper limit of a bucket in seconds. For the last bucket, the limit that the series would have.
pub(crate) fn upper_limit(bucket: usize) -> f64 {
    Duration::from_micros(1 << bucket.min(BUCKETS)).as_secs_f64()
}

fn bucket(nanos: u64) -> usize {
    // Whole microseconds before the last nanosecond, so that a limit belongs to the bucket below it.
    let micros = nanos.saturating_sub(1) / 1_000;
    ((u64::BITS - micros.leading_zeros()) as usize).min(BUCKETS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_is_in_the_bucket_between_whose_limits_it_is() {
        for nanos in [0, 1, 999, 1_000, 1_001, 2_000, 2_001, 3_999, 4_000, 4_001, 1_000_000, 8_388_608_000] {
            let place = bucket(nanos);
            let seconds = Duration::from_nanos(nanos).as_secs_f64();
            assert!(seconds <= upper_limit(place), "{nanos} in {place}");
            assert!(place == 0 || seconds > upper_limit(place - 1), "{nanos} in {place}");
        }
        assert_eq!(bucket(8_388_608_001), BUCKETS - 1);
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn the_counts_of_all_threads_add_up() {
        let threads = [LatencyHistogram::default(), LatencyHistogram::default()];
        threads[0].count(1_000, 1);
        threads[1].count(1_000, 2);
        threads[1].count(60_000_000_000, 1);
        let all = LatencyTotals::of(threads.iter());
        assert_eq!((all.counts[0], all.counts[BUCKETS - 1]), (3, 1));
        assert!((all.seconds - 60.000_003).abs() < 1e-9, "{}", all.seconds);
    }
}
