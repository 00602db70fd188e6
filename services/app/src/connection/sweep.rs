//! Once a second, each thread sweeps its connections: it closes those that exceed a time limit, and lets idle ones
//! release their buffers.
//!
//! Time limits are enforced here and not by hyper, so no request sets a timer.

use crate::connection::state::{ConnectionState, Directive, Phase};
use crate::metrics::CountedEvent;
use crate::settings::ClientLimits;

/// Sweeps until an idle connection releases its buffers. A client that sends requests less often pays a few
/// microseconds for each; but many clients that arrive at once do not hold memory for longer.
const RELEASE_BUFFERS_AFTER: u16 = 2;

/// Sweeps that a reserved connection has for its one request.
const RESERVED_LIMIT: u16 = 2;

/// Sweeps that a client has to close its side.
const LINGER_LIMIT: u16 = 2;

/// The sweep that closes an idle connection while the process is closing.
const CLOSE_LIMIT: u8 = 3;

/// What a sweep decided for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SweepOutcome {
    Unchanged,
    /// It will release its buffers.
    ReleasesBuffers,
    /// It will be closed, and the event is counted.
    Closes(Option<CountedEvent>),
}

impl ConnectionState {
    /// Call once a second. `closing` says that the process is closing, `first_limit` after how many sweeps a
    /// connection without a first request is closed.
    pub(crate) fn sweep(&self, closing: bool, limits: &ClientLimits, first_limit: u16) -> SweepOutcome {
        let age = self.age.get().saturating_add(1);
        self.age.set(age);
        let phase = self.phase.get();
        let (first_limit, head_limit, idle_limit) = if self.permit.is_reserved {
            (RESERVED_LIMIT, RESERVED_LIMIT, RESERVED_LIMIT)
        } else {
            (first_limit, limits.head_seconds, limits.idle_seconds)
        };
        if closing {
            self.closing.set(self.closing.get().saturating_add(1));
        }
        // The first sweep may come at once, so a limit of n seconds is exceeded at sweep n + 1.
        let outcome = match phase {
            // A request may be on its way, sent while the connection was open. The sweep at the start of closing is
            // followed by the next tick of the housekeeping, at any moment, and then by one after a whole second.
            Phase::New | Phase::Idle if self.closing.get() >= CLOSE_LIMIT => SweepOutcome::Closes(None),
            Phase::New if age > first_limit => SweepOutcome::Closes(Some(CountedEvent::IdleTimeout)),
            Phase::Idle if age > idle_limit => SweepOutcome::Closes(Some(CountedEvent::IdleTimeout)),
            Phase::Writing if age > idle_limit => SweepOutcome::Closes(Some(CountedEvent::WriteTimeout)),
            Phase::Idle if age == RELEASE_BUFFERS_AFTER => SweepOutcome::ReleasesBuffers,
            Phase::Reading if age > head_limit => SweepOutcome::Closes(Some(CountedEvent::HeadTimeout)),
            Phase::Lingering if age > LINGER_LIMIT => SweepOutcome::Closes(None),
            _ => return SweepOutcome::Unchanged,
        };
        self.issue(if outcome == SweepOutcome::ReleasesBuffers {
            Directive::ReleaseBuffers
        } else {
            Directive::Close
        });
        outcome
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::connection::limit::ConnectionLimit;

    const LIMITS: ClientLimits =
        ClientLimits { connections: 1, head_bytes: 16_384, headers: 100, head_seconds: 3, idle_seconds: 20 };

    fn state() -> ConnectionState {
        ConnectionState::new(Arc::new(ConnectionLimit::new(1)).acquire(), None)
    }

    /// The results of sweeps until one closes the connection, without [`SweepOutcome::Unchanged`], and the number of
    /// that sweep.
    fn sweeps_until_closed(state: &ConnectionState, first_limit: u16) -> (Vec<SweepOutcome>, u16) {
        let mut all = Vec::new();
        for number in 1..1_000 {
            match state.sweep(false, &LIMITS, first_limit) {
                SweepOutcome::Unchanged => {}
                other => all.push(other),
            }
            if let Some(SweepOutcome::Closes(_)) = all.last() {
                return (all, number);
            }
        }
        panic!("it never ends: {all:?}");
    }

    #[test]
    fn each_state_has_its_limit_and_never_a_moment_less() {
        let silent = state();
        assert_eq!(
            sweeps_until_closed(&silent, 7),
            (vec![SweepOutcome::Closes(Some(CountedEvent::IdleTimeout))], 8)
        );
        let reading = state();
        reading.note_received();
        assert_eq!(
            sweeps_until_closed(&reading, 7),
            (vec![SweepOutcome::Closes(Some(CountedEvent::HeadTimeout))], 4)
        );
        let idle = state();
        idle.note_answered();
        assert_eq!(
            sweeps_until_closed(&idle, 7),
            (vec![SweepOutcome::ReleasesBuffers, SweepOutcome::Closes(Some(CountedEvent::IdleTimeout))], 21)
        );
        let held_up = state();
        held_up.note_answered();
        held_up.note_write(true);
        assert_eq!(
            sweeps_until_closed(&held_up, 7),
            (vec![SweepOutcome::Closes(Some(CountedEvent::WriteTimeout))], 21)
        );
        let lingering = state();
        assert!(lingering.start_lingering() && !lingering.start_lingering());
        assert_eq!(sweeps_until_closed(&lingering, 7), (vec![SweepOutcome::Closes(None)], LINGER_LIMIT + 1));
    }

    #[test]
    fn a_place_in_the_reserve_is_for_one_answer() {
        let connection_limit = Arc::new(ConnectionLimit::new(1));
        let _taken = connection_limit.acquire();
        let extra = ConnectionState::new(connection_limit.acquire(), None);
        assert!(extra.is_reserved() && !extra.is_lingering());
        assert_eq!(
            sweeps_until_closed(&extra, 7),
            (vec![SweepOutcome::Closes(Some(CountedEvent::IdleTimeout))], RESERVED_LIMIT + 1)
        );
    }

    #[test]
    fn what_waits_is_ended_at_the_close_but_not_before_what_was_sent_by_then_could_arrive() {
        // At once, at the next tick of the housekeeping, which may be at once too, and a second after that.
        let idle = state();
        idle.note_answered();
        idle.sweep(false, &LIMITS, 7);
        let silent = state();
        for waits in [&idle, &silent] {
            let sweeps: Vec<SweepOutcome> = (0..3).map(|_| waits.sweep(true, &LIMITS, 7)).collect();
            let last = SweepOutcome::Closes(None);
            assert!(!sweeps[..2].contains(&last) && sweeps[2] == last, "{sweeps:?}");
        }
        let reading = state();
        reading.note_received();
        let sweeps: Vec<SweepOutcome> = (0..4).map(|_| reading.sweep(true, &LIMITS, 7)).collect();
        assert_eq!(sweeps[..3], [SweepOutcome::Unchanged; 3]);
        assert_eq!(sweeps[3], SweepOutcome::Closes(Some(CountedEvent::HeadTimeout)));
    }
}
