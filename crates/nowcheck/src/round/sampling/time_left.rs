//! Whether what was silent until the end of the round had time to answer.
//!
//! A device that serves one request at a time lets each of them wait behind our own others. What it did not get to before
//! the round ended says nothing about it.

use std::time::Duration;

use clock_offset::MonotonicInstant;

use super::Asked;
use crate::outcome::{Cause, Failure, FailureKind, Phase};

/// How long the service needs, as far as it was seen.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct TimeLeft {
    /// The longest time after which a connection alone was answered. `None` before the first answer.
    slowest_alone: Option<Duration>,
    /// Connections that were given up. It may serve them first.
    given_up: u32,
}

/// How long a batch was waited for, and how long it may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wait {
    waited: Duration,
    /// Zero when nothing is known.
    may_take: Duration,
}

impl TimeLeft {
    pub(super) fn answered_alone(&mut self, took: Duration) {
        self.slowest_alone = self.slowest_alone.max(Some(took));
        self.given_up = 0;
    }

    pub(super) fn gave_up(&mut self, was_kept_waiting: bool) {
        self.given_up += u32::from(was_kept_waiting);
    }

    /// The wait for a batch that is over now.
    pub(super) fn wait(&self, asked: &Asked, now: MonotonicInstant) -> Wait {
        let count = asked.connections.end.saturating_sub(asked.connections.start);
        self.of(count, now.since(asked.began), asked.have_less_time)
    }

    fn of(&self, count: u32, waited: Duration, have_less_time: bool) -> Wait {
        let alone = self.slowest_alone.filter(|_| !have_less_time).unwrap_or_default();
        // One answer may take a little longer than another.
        Wait { waited, may_take: alone * (count + self.given_up) * 5 / 4 }
    }
}

impl Wait {
    /// Whether a failure is only that the round ended too early. It says so itself then.
    pub(super) fn is_too_short_for(self, failure: &mut Failure) -> bool {
        if self.waited >= self.may_take || failure.phase == Phase::Transfer {
            return false;
        }
        let is_said = matches!(failure.cause, Cause::TooLittleTime(_));
        if failure.kind() == FailureKind::Timeout {
            let silence = failure.cause.clone();
            failure.cause = Cause::TooLittleTime(Box::new(silence));
            return true;
        }
        is_said
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::ExchangeFault;

    const SECOND: Duration = Duration::from_secs(1);

    fn silent() -> Failure {
        Failure { phase: Phase::Wait, cause: Cause::Exchange(ExchangeFault::Silent), elapsed: Duration::ZERO }
    }

    fn slow() -> TimeLeft {
        let mut slow = TimeLeft::default();
        slow.answered_alone(4 * SECOND);
        slow
    }

    #[test]
    fn what_waits_behind_another_has_too_little_time_until_both_could_be_answered() {
        let mut failure = silent();
        assert!(slow().of(2, 6 * SECOND, false).is_too_short_for(&mut failure));
        assert_eq!(failure.kind(), FailureKind::Local, "{failure:?}");
        assert!(!slow().of(2, 11 * SECOND, false).is_too_short_for(&mut silent()));
    }

    #[test]
    fn what_was_given_up_may_be_served_first() {
        let mut busy = slow();
        assert!(!busy.of(1, 6 * SECOND, false).is_too_short_for(&mut silent()));
        busy.gave_up(true);
        assert!(busy.of(1, 6 * SECOND, false).is_too_short_for(&mut silent()));
    }

    #[test]
    fn silence_of_a_service_that_never_answered_has_no_excuse() {
        assert!(!TimeLeft::default().of(8, SECOND, false).is_too_short_for(&mut silent()));
    }
}
