//! What it means that this program was paused: a process that was stopped, a virtual machine that was moved, far too much
//! load.
//!
//! Nothing in a round waits for longer than until its deadline. So a program that goes on long after it was not let run in
//! between, and what that has cost is nobody else's fault. What was proven all the same stays proven: an answer that lay
//! in the kernel meanwhile makes an interval wider, and never wrong.

use std::time::Duration;

use clock_offset::{MonotonicInstant, Verdict};

use crate::outcome::{Cause, Failure, FailureKind, Phase};

use super::RoundContext;
use super::sampling::Interruption;

/// The deadline ends a wait within this, unless the machine does not let the program run.
const PUNCTUAL: Duration = Duration::from_millis(100);

/// How long its time had been over when this program was let run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pause {
    late: Duration,
}

impl Pause {
    /// The pause that ends `now`, if it is so long after the `deadline` that there was one.
    fn until(now: MonotonicInstant, deadline: MonotonicInstant, timeout: Duration) -> Option<Self> {
        let late = now.since(deadline);
        (late > PUNCTUAL.max(timeout / 10)).then_some(Self { late })
    }

    /// Why nothing could be received, then.
    pub(super) fn cause(self) -> Cause {
        Cause::Paused { late: self.late }
    }

    /// What ended the sampling of an address, now that it is known that there was a pause. `worst` is what the answers
    /// prove by themselves, `wait` how long the latest of them took.
    pub(super) fn excuses(
        self,
        ended: Result<(), Interruption>,
        worst: Option<Verdict>,
        wait: Option<Duration>,
    ) -> Result<(), Interruption> {
        match (ended, worst) {
            // Whatever could not be asked any more: a clock that is proven to be wrong is wrong.
            (Err(Interruption::Failed(failure)), Some(Verdict::Desynchronized))
                if failure.kind() == FailureKind::Local =>
            {
                Ok(())
            }
            // It is open because the answers lay there for too long, and nobody was there to ask again.
            (Ok(()), None | Some(Verdict::Undetermined)) => {
                let phase = if wait.is_some() { Phase::Wait } else { Phase::Connect };
                Err(Interruption::Failed(Failure {
                    phase,
                    cause: self.cause(),
                    elapsed: wait.unwrap_or_default(),
                }))
            }
            (ended, _) => ended,
        }
    }
}

impl RoundContext {
    /// The pause that this program has just come out of, if its time is long over.
    pub(super) fn pause(&self) -> Option<Pause> {
        Pause::until(self.clock.now(), self.deadline, self.check.timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::ExchangeFault;

    const PAUSE: Pause = Pause { late: Duration::from_millis(1500) };
    const WAIT: Option<Duration> = Some(Duration::from_secs(2));
    const LOCAL: Cause = Cause::Paused { late: Duration::from_secs(1) };
    const SILENT: Cause = Cause::Exchange(ExchangeFault::Silent);

    fn failed(cause: Cause) -> Result<(), Interruption> {
        Err(Interruption::Failed(Failure { phase: Phase::Wait, cause, elapsed: Duration::ZERO }))
    }

    #[test]
    fn only_who_is_far_behind_the_deadline_was_paused() {
        let after = |millis| MonotonicInstant::after_origin(Duration::from_millis(millis));
        let late = |now, timeout| {
            Pause::until(after(now), after(10_000), Duration::from_secs(timeout)).map(|pause| pause.late)
        };
        assert_eq!(late(9_000, 10), None);
        assert_eq!(late(10_100, 1), None, "a wait never ends to the millisecond");
        assert_eq!(late(10_101, 1), Some(Duration::from_millis(101)));
        assert_eq!(late(10_999, 10), None, "a tenth of the timeout, when it is long");
        assert_eq!(late(11_001, 10), Some(Duration::from_millis(1_001)));
    }

    #[test]
    fn what_answers_that_were_read_too_late_leave_open_is_the_fault_of_the_pause() {
        let Err(Interruption::Failed(failure)) = PAUSE.excuses(Ok(()), Some(Verdict::Undetermined), WAIT)
        else {
            panic!("nobody is told of the pause");
        };
        assert_eq!((failure.phase, failure.kind()), (Phase::Wait, FailureKind::Local));
        assert_eq!(failure.elapsed, Duration::from_secs(2));
        assert!(failure.to_string().contains("could not run until 1.50 s after the timeout"), "{failure}");
        let Err(Interruption::Failed(failure)) = PAUSE.excuses(Ok(()), None, None) else {
            panic!("nobody is told why nothing was asked");
        };
        assert_eq!((failure.phase, failure.kind()), (Phase::Connect, FailureKind::Local));
    }

    #[test]
    fn an_interval_that_decides_is_true_however_late_it_was_read() {
        for proven in [Verdict::InSync, Verdict::NotWithinWarning, Verdict::Desynchronized] {
            assert_eq!(PAUSE.excuses(Ok(()), Some(proven), WAIT), Ok(()));
        }
        let wrong = Some(Verdict::Desynchronized);
        assert_eq!(PAUSE.excuses(failed(LOCAL), wrong, WAIT), Ok(()), "and whatever else was not asked");
    }

    #[test]
    fn a_pause_hides_no_failure_of_the_other_side_and_no_request_that_was_left_unanswered() {
        for worst in [None, Some(Verdict::InSync), Some(Verdict::Undetermined), Some(Verdict::Desynchronized)]
        {
            assert_eq!(PAUSE.excuses(failed(SILENT), worst, WAIT), failed(SILENT));
            let cached = || Err(Interruption::Cached { seconds: 60 });
            assert_eq!(PAUSE.excuses(cached(), worst, WAIT), cached());
        }
        let right = Some(Verdict::InSync);
        assert_eq!(PAUSE.excuses(failed(LOCAL), right, WAIT), failed(LOCAL));
    }
}
