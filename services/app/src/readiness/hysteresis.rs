//! Whether the clock is trusted, and so whether `/readyz` answers 200: lost at once, regained with hysteresis.
//!
//! A kernel's bound grows until the next correction and then drops, in a sawtooth. Without hysteresis, a bound whose
//! peaks reach the limit would take the process in and out of service every few minutes.

use std::time::Duration;

use crate::clock::status::ClockStatus;

/// Consecutive good readings, one a second, before a clock is trusted again.
pub(crate) const GOOD_READINGS: u32 = 5;

/// The trust in a clock.
#[derive(Debug)]
pub(crate) struct ClockTrust {
    limit: Option<Duration>,
    is_trusted: bool,
    good_readings: u32,
}

impl ClockTrust {
    /// `first` has to be the reading that the rest of the process started with, since only changes are reported.
    pub(crate) fn new(limit: Option<Duration>, first: ClockStatus) -> Self {
        Self { limit, is_trusted: limit.is_none_or(|limit| first.is_within(limit)), good_readings: 0 }
    }

    /// Whether the clock is trusted.
    pub(crate) fn is_trusted(&self) -> bool {
        self.is_trusted
    }

    /// Call once a second. Returns what changed, if anything.
    pub(crate) fn observe(&mut self, status: ClockStatus) -> Option<TrustChange> {
        let limit = self.limit?;
        if !status.is_within(limit) {
            self.good_readings = 0;
            return std::mem::replace(&mut self.is_trusted, false).then_some(TrustChange::Lost);
        }
        if self.is_trusted {
            return None;
        }
        self.good_readings = if status.is_within(limit * 3 / 4) { self.good_readings + 1 } else { 0 };
        self.is_trusted = self.good_readings >= GOOD_READINGS;
        self.is_trusted.then_some(TrustChange::Regained)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TrustChange {
    Lost,
    Regained,
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Option<Duration> = Some(Duration::from_millis(1));

    fn within(max_error_micros: u32) -> ClockStatus {
        ClockStatus::Synchronized { max_error_micros }
    }

    #[test]
    fn it_is_lost_with_the_first_bad_reading_and_regained_after_several_good_ones() {
        let mut trust = ClockTrust::new(LIMIT, within(0));
        assert_eq!(trust.observe(within(1_000)), None);
        assert_eq!(trust.observe(within(1_001)), Some(TrustChange::Lost));
        assert_eq!(trust.observe(ClockStatus::Unknown), None);
        for _ in 1..GOOD_READINGS {
            assert_eq!(trust.observe(within(750)), None);
        }
        assert_eq!(trust.observe(within(750)), Some(TrustChange::Regained));
        assert_eq!(trust.observe(within(1_000)), None);
        assert_eq!(trust.observe(ClockStatus::Unsynchronized), Some(TrustChange::Lost));
    }

    #[test]
    fn a_process_that_begins_with_a_bad_clock_becomes_ready_when_the_clock_is_good() {
        let mut trust = ClockTrust::new(LIMIT, ClockStatus::Unsynchronized);
        assert!(!trust.is_trusted());
        let changes: Vec<TrustChange> = (0..GOOD_READINGS).filter_map(|_| trust.observe(within(1))).collect();
        assert_eq!(changes, [TrustChange::Regained]);
    }

    #[test]
    fn a_bound_that_saws_at_the_limit_changes_nothing_after_the_first_loss() {
        let mut trust = ClockTrust::new(LIMIT, within(0));
        let saw = (0..1_000).map(|second| within(700 + second % 4 * 150));
        let changes: Vec<TrustChange> = saw.filter_map(|status| trust.observe(status)).collect();
        assert_eq!(changes, [TrustChange::Lost]);
    }

    #[test]
    fn without_a_limit_every_clock_is_trusted() {
        assert_eq!(ClockTrust::new(None, ClockStatus::Unknown).observe(ClockStatus::Unknown), None);
    }
}
