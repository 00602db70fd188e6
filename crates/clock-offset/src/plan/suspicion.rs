//! What is asked of answers that may be no times, and when there is no use in asking on.

use crate::backends::Backend;
use crate::pace::{self, NotAClock};
use crate::time::MonotonicInstant;

use super::{Action, Plan, StopReason};

impl Plan {
    /// Whether all answers are nowhere near the reference and name nobody.
    pub(super) fn may_be_no_times(&self) -> bool {
        pace::may_be_no_times(&self.samples, &self.reference)
    }

    /// Why the answers are no readings of clocks.
    pub(super) fn not_a_clock(&self, backends: &[Backend]) -> Option<NotAClock> {
        let none_agree = self.none_agree(backends);
        self.may_be_no_times().then(|| pace::not_a_clock(&self.samples, none_agree)).flatten()
    }

    /// Whether no two answers can have come from one clock, and none says from which it came.
    pub(super) fn none_agree(&self, backends: &[Backend]) -> bool {
        let several = self.samples.len() > 1 && backends.len() == self.samples.len();
        several && backends.iter().all(|backend| backend.instance.is_none())
    }

    /// Ends the round when further answers would be further "backends" and nothing else.
    ///
    /// Answers that are near the reference may come from many clocks of which each is wrong. They prove that as they are.
    pub(super) fn stop_at_what_is_no_clock(&self, backends: &[Backend]) -> Option<Action> {
        if self.not_a_clock(backends).is_some() {
            return Some(Action::Stop(StopReason::NotAClock));
        }
        (self.none_agree(backends) && self.samples.len() >= pace::MANY)
            .then_some(Action::Stop(StopReason::Decided))
    }

    /// When to ask for one more answer, alone, that shows how fast the readings advance. That is known before many
    /// connections are opened.
    pub(super) fn measuring_the_pace(&self, now: MonotonicInstant) -> Option<MonotonicInstant> {
        if !self.may_be_no_times() || self.is_paced() {
            return None;
        }
        let last = self.samples.iter().map(|sample| sample.received).max()?;
        let at = (last + pace::APART).max(now);
        (at <= self.rules.last_start).then_some(at)
    }

    fn is_paced(&self) -> bool {
        pace::answers_lacking(&self.samples) == 0
    }
}
