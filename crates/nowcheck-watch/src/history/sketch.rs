//! A sketch of lengths of time: how many fell into which bucket. Two of them merge without any loss.
//!
//! Each power of two has eight buckets of the same width, as in an HDR histogram. So a quantile is off by at most a
//! sixteenth (6.25 %) of its value, and by nothing below 16 µs. A day of round trips takes about a hundred bytes.

use std::collections::BTreeMap;
use std::time::Duration;

use super::units::microseconds;
use super::varint::{Malformed, Reader, put};

/// How many lengths fell into which bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sketch(BTreeMap<u16, u64>);

/// Below this, each microsecond has its own bucket.
const EXACT: u64 = 16;
/// Buckets of one power of two, and the bits that tell them apart.
const BUCKETS: u16 = 8;
const BITS: u32 = BUCKETS.ilog2();

fn bucket(value: u64) -> u16 {
    let Some(power) = value.checked_ilog2().filter(|_| value >= EXACT) else {
        return low_bits(value);
    };
    let above = u16::try_from(power - EXACT.ilog2()).unwrap_or(u16::MAX / BUCKETS);
    low_bits(EXACT) + above * BUCKETS + low_bits((value >> (power - BITS)) & u64::from(BUCKETS - 1))
}

#[expect(clippy::cast_possible_truncation, reason = "the values are below 32")]
fn low_bits(value: u64) -> u16 {
    value as u16
}

/// The middle of a bucket.
fn middle(bucket: u16) -> u64 {
    let Some(above) = bucket.checked_sub(low_bits(EXACT)) else { return u64::from(bucket) };
    let power = u32::from(above / BUCKETS) + EXACT.ilog2();
    let width = 1_u64 << (power - BITS);
    (u64::from(BUCKETS) + u64::from(above % BUCKETS)) * width + width / 2
}

/// One more than the bucket of the greatest number.
const ALL_BUCKETS: u16 = 16 + (64 - 4) * BUCKETS;

impl Sketch {
    /// Adds a length.
    pub fn add(&mut self, length: Duration) {
        *self.0.entry(bucket(microseconds(length))).or_default() += 1;
    }

    /// Adds all lengths of another sketch.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.0 {
            let known = self.0.entry(*bucket).or_default();
            *known = known.saturating_add(*count);
        }
    }

    /// How many lengths were added.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.values().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The length that this share of all lengths (from 0 to 1) does not exceed, within a sixteenth of its value. None
    /// without any length.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank"
    )]
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let count = self.count();
        let rank = ((share.clamp(0.0, 1.0) * count as f64).ceil() as u64).clamp(1, count.max(1));
        let mut seen = 0_u64;
        let found = self.0.iter().find(|(_, count)| {
            seen = seen.saturating_add(**count);
            seen >= rank
        });
        found.map(|(bucket, _)| Duration::from_micros(middle(*bucket)))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes pairs: how far from the bucket before, and how many.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        put(out, self.0.len() as u64);
        let mut before = 0;
        for (bucket, count) in &self.0 {
            put(out, u64::from(bucket - before));
            put(out, *count);
            before = *bucket;
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut buckets = BTreeMap::new();
        let mut bucket = 0_u64;
        for _ in 0..reader.count()? {
            bucket = bucket.saturating_add(reader.number()?);
            let index = u16::try_from(bucket).ok().filter(|index| *index < ALL_BUCKETS).ok_or(Malformed)?;
            buckets.insert(index, reader.number()?);
        }
        Ok(Self(buckets))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn length() -> impl Strategy<Value = u64> {
        prop_oneof![0..40_u64, 100..5_000_u64, 0..10_000_000_000_u64]
    }

    fn sketch(lengths: &[u64]) -> Sketch {
        let mut sketch = Sketch::default();
        for length in lengths {
            sketch.add(Duration::from_micros(*length));
        }
        sketch
    }

    #[test]
    fn the_greatest_number_has_the_last_bucket() {
        assert_eq!(bucket(u64::MAX), ALL_BUCKETS - 1);
        let buckets: Vec<u16> = (0..2_000).map(bucket).collect();
        assert!(buckets.windows(2).all(|two| two[1] == two[0] || two[1] == two[0] + 1), "{buckets:?}");
    }

    proptest! {
        #[test]
        fn a_quantile_is_off_by_at_most_a_sixteenth(
            mut lengths in prop::collection::vec(length(), 1..200), share in 0.0..=1.0_f64,
        ) {
            let found = sketch(&lengths).quantile(share).unwrap().as_micros();
            lengths.sort_unstable();
            #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
            let rank = ((share * lengths.len() as f64).ceil() as usize).clamp(1, lengths.len());
            let exact = u128::from(lengths[rank - 1]);
            prop_assert!(found.abs_diff(exact) * 16 <= exact, "{found} for {exact}");
        }

        #[test]
        fn sketches_merge_in_any_order(
            one in prop::collection::vec(length(), 0..50),
            two in prop::collection::vec(length(), 0..50),
            three in prop::collection::vec(length(), 0..50),
        ) {
            let merged = |one: &Sketch, two: &Sketch| {
                let mut merged = one.clone();
                merged.merge(two);
                merged
            };
            let (a, b, c) = (sketch(&one), sketch(&two), sketch(&three));
            let all = sketch(&[one, two, three].concat());
            prop_assert_eq!(&merged(&merged(&a, &b), &c), &all);
            prop_assert_eq!(&merged(&a, &merged(&c, &b)), &all);
        }

        #[test]
        fn a_sketch_is_read_as_it_was_written(lengths in prop::collection::vec(length(), 0..50)) {
            let mut out = Vec::new();
            sketch(&lengths).put(&mut out);
            prop_assert_eq!(Sketch::read(&mut Reader(&out)), Ok(sketch(&lengths)));
        }
    }
}
