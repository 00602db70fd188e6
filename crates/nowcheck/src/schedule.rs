//! When rounds begin: at whole multiples of the period after the first, however long each one takes.

use std::time::Duration;

use clock_offset::MonotonicInstant;

/// A fixed schedule.
#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    first: MonotonicInstant,
    period: Duration,
}

impl Schedule {
    /// A schedule whose first round begins at `first`.
    #[must_use]
    pub fn new(first: MonotonicInstant, period: Duration) -> Self {
        Self { first, period }
    }

    /// The begin of the first round after `now`. A round that took longer than the period makes the rounds fall
    /// out that should have begun in the meantime; the ones after them are where they would have been.
    #[must_use]
    pub fn next_after(&self, now: MonotonicInstant) -> MonotonicInstant {
        let period = self.period.as_nanos().max(1);
        let begun = now.since(self.first).as_nanos() / period + 1;
        let nanos = u64::try_from(begun * period).unwrap_or(u64::MAX);
        self.first + Duration::from_nanos(nanos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(millis: u64) -> MonotonicInstant {
        MonotonicInstant::after_origin(Duration::from_millis(millis))
    }

    #[test]
    fn rounds_begin_at_multiples_of_the_period_however_long_they_take() {
        let schedule = Schedule::new(millis(30), Duration::from_millis(200));
        assert_eq!(schedule.next_after(millis(31)), millis(230));
        assert_eq!(schedule.next_after(millis(229)), millis(230));
        assert_eq!(schedule.next_after(millis(230)), millis(430));
        assert_eq!(schedule.next_after(millis(900)), millis(1_030));
    }

    #[test]
    fn ten_thousand_rounds_do_not_drift() {
        let schedule = Schedule::new(millis(0), Duration::from_millis(7));
        let mut begin = millis(0);
        for _ in 0..10_000 {
            begin = schedule.next_after(begin + Duration::from_micros(1_234));
        }
        assert_eq!(begin, millis(70_000));
    }
}
