//! Whether the clock is trusted, and so whether `/readyz` answers 200: lost at once, regained with hysteresis.
//!
//! A kernel's bound grows until the next correction, and then falls: seen from close by it is a saw. Without hysteresis
//! one whose teeth reach the limit would take the process out of service and put it back every few minutes.

use std::time::Duration;

use crate::clock::status::Status;

/// Readings in a row, one a second, that have to be good before a clock is trusted again.
pub(crate) const GOOD_READINGS: u32 = 5;

/// The state of the trust in a clock.
#[derive(Debug)]
pub(crate) struct Trust {
    limit: Option<Duration>,
    is_given: bool,
    good_readings: u32,
}

impl Trust {
    /// What the first reading gives. It has to be the one that the rest of the process began with: who is told of
    /// changes alone must know what they are changes of.
    pub(crate) fn new(limit: Option<Duration>, first: Status) -> Self {
        Self { limit, is_given: limit.is_none_or(|limit| first.is_within(limit)), good_readings: 0 }
    }

    /// Whether the clock is trusted.
    pub(crate) fn is_given(&self) -> bool {
        self.is_given
    }

    /// To be called once a second; says what changed, if anything.
    pub(crate) fn observe(&mut self, status: Status) -> Option<Change> {
        let limit = self.limit?;
        if !status.is_within(limit) {
            self.good_readings = 0;
            return std::mem::replace(&mut self.is_given, false).then_some(Change::Lost);
        }
        if self.is_given {
            return None;
        }
        self.good_readings = if status.is_within(limit * 3 / 4) { self.good_readings + 1 } else { 0 };
        self.is_given = self.good_readings >= GOOD_READINGS;
        self.is_given.then_some(Change::Regained)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Lost,
    Regained,
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Option<Duration> = Some(Duration::from_millis(1));

    fn within(max_error_micros: u32) -> Status {
        Status::Synchronized { max_error_micros }
    }

    #[test]
    fn it_is_lost_with_the_first_bad_reading_and_regained_after_several_good_ones() {
        let mut trust = Trust::new(LIMIT, within(0));
        assert_eq!(trust.observe(within(1_000)), None);
        assert_eq!(trust.observe(within(1_001)), Some(Change::Lost));
        assert_eq!(trust.observe(Status::Unknown), None);
        for _ in 1..GOOD_READINGS {
            assert_eq!(trust.observe(within(750)), None);
        }
        assert_eq!(trust.observe(within(750)), Some(Change::Regained));
        assert_eq!(trust.observe(within(1_000)), None);
        assert_eq!(trust.observe(Status::Unsynchronized), Some(Change::Lost));
    }

    #[test]
    fn a_process_that_begins_with_a_bad_clock_becomes_ready_when_the_clock_is_good() {
        let mut trust = Trust::new(LIMIT, Status::Unsynchronized);
        assert!(!trust.is_given());
        let changes: Vec<Change> = (0..GOOD_READINGS).filter_map(|_| trust.observe(within(1))).collect();
        assert_eq!(changes, [Change::Regained]);
    }

    #[test]
    fn a_bound_that_saws_at_the_limit_changes_nothing_after_the_first_loss() {
        let mut trust = Trust::new(LIMIT, within(0));
        let saw = (0..1_000).map(|second| within(700 + second % 4 * 150));
        let changes: Vec<Change> = saw.filter_map(|status| trust.observe(status)).collect();
        assert_eq!(changes, [Change::Lost]);
    }

    #[test]
    fn without_a_limit_every_clock_is_trusted() {
        assert_eq!(Trust::new(None, Status::Unknown).observe(Status::Unknown), None);
    }
}
