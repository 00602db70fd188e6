//! A service that says that it is asked too often (429): whether that is a limit on a rate, or a backend that always says so.

use super::chance::answers_needed;
use super::number;
use super::rejection::{Rejection, RejectionKind};

/// So many times a service that is asked alone, with pauses, may begin again to say that it is asked too often. A limit on a
/// rate needs one or two of them, because the pauses are learned from it.
const MOST_TIMES_TOO_OFTEN: u32 = 3;

/// So many backends that take turns are looked for: each of so many connections in a row meets another one.
const MOST_TURNS: u32 = 8;

/// The same where a service names the pause that it needs: a round leaves time for seven requests, one a second.
const TURNS_WITH_PAUSE: u32 = 7;

/// How a service took single requests, with pauses in between, after it had said that it is asked too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeepsRejecting {
    /// How many connections were asked so. When several were rejected in a row, one of them counts.
    pub asked: u32,
    /// How many of them it rejected as too many.
    pub rejected: u32,
}

/// What came after the service said for the first time that it is asked too often.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct TooOften {
    /// Connections that were answered in a row.
    answered: u32,
    /// Connections from the first one to the latest that was rejected so, and how many were.
    attempts: u32,
    failures: u32,
    /// Whether the latest of those named the time after which it wants to be asked again.
    names_pause: bool,
    /// Connections that were opened alone, and how many of them were rejected as too many. Only those count that were
    /// rejected after an answer.
    asked_alone: u32,
    rejected_alone: u32,
    /// Whether the latest connection was rejected so.
    is_rejected: bool,
}

impl TooOften {
    /// Records how connections were taken, from the first one that was rejected so.
    pub(super) fn record(&mut self, rejections: &[Rejection], count: u32, beside_others: bool) {
        let is_rejected = rejections.iter().any(|rejection| rejection.kind == RejectionKind::TooManyRequests);
        if count == 1 && !beside_others {
            let is_again = is_rejected && self.is_rejected;
            self.asked_alone += u32::from(!is_again);
            self.rejected_alone += u32::from(is_rejected && !is_again);
        }
        self.is_rejected = is_rejected;
        if is_rejected {
            let rejected = number(rejections.len()).min(count);
            self.attempts += self.answered + count;
            self.failures += rejected;
            self.names_pause = rejections.iter().any(|rejection| rejection.retry_after.is_some());
            self.answered = 0;
        } else {
            self.answered = self.answered.saturating_add(count.saturating_sub(number(rejections.len())));
        }
    }

    /// How many more connections have to be answered in a row after the service said that it is asked too often.
    ///
    /// A limit on a rate leaves off when the service is asked gently enough. A backend that always says so does not: one of
    /// eight that take turns is met again by then, and one that is drawn at random with at least 1 − `doubt`.
    ///
    /// Where the service names its pause and answers after it each time, it is believed sooner, because a limit of one
    /// request a second leaves no time for more: by then one of two that are drawn at random is met again, or of up to
    /// [`TURNS_WITH_PAUSE`] that take turns.
    ///
    /// While there is time it is asked on until not even the luckiest of several moments to stop at hides such a backend
    /// ([`DECISIONS`]). At the end of the round, which comes when it comes, `doubt` itself is enough.
    pub(super) fn answers_lacking(&self, doubt: f64) -> u32 {
        let TooOften { attempts, failures, answered, names_pause, .. } = *self;
        let needed = if names_pause {
            TURNS_WITH_PAUSE
        } else {
            answers_needed(attempts, failures, doubt).max(MOST_TURNS)
        };
        needed.saturating_sub(answered)
    }

    /// That it says so again and again, however gently it is asked.
    pub(super) fn keeps_rejecting(&self) -> Option<KeepsRejecting> {
        (self.rejected_alone > MOST_TIMES_TOO_OFTEN)
            .then_some(KeepsRejecting { asked: self.asked_alone, rejected: self.rejected_alone })
    }
}
