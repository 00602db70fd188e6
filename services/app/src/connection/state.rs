//! The state of a connection, and how long it may stay in it.
//!
//! Time limits are enforced here and not by hyper: once a second [`ConnectionState::sweep`] ages every connection of a
//! thread and closes those that exceed a limit. So no request sets a timer.

use std::cell::{Cell, RefCell};
use std::task::{Context, Waker};
use std::time::Duration;

use crate::clock::Monotonic;
use crate::connection::limit::ConnectionPermit;
use crate::logging::access_log::AccessLog;
use crate::metrics::{CountedEvent, Counters};
use crate::settings::ClientLimits;

/// Sweeps until an answered connection gives its buffers back. One that asks less often pays for it, with a few
/// microseconds a request; but a crowd that comes all at once holds its memory no longer.
const REST_AFTER: u16 = 2;

/// Sweeps that a connection in the reserve has for its one request.
const RESERVED_LIMIT: u16 = 2;

/// Sweeps that a client has to notice the end of a connection.
const LINGER_LIMIT: u16 = 2;

/// The sweep that ends a connection without work when no more requests are wanted.
const CLOSE_LIMIT: u8 = 3;

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Its first request.
    New,
    /// The rest of a request.
    Reading,
    /// The client, to take the answer.
    Writing,
    /// The next request.
    Idle,
    /// The client, to close its side too.
    Lingering,
}

/// What a connection is told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Directive {
    /// Give the buffers back until the next byte comes.
    ReleaseBuffers,
    /// End now.
    Close,
}

/// What the sweep of a connection came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SweepOutcome {
    Unchanged,
    /// Its buffers will be given back.
    ReleasesBuffers,
    /// It will end, and this was why.
    Closes(Option<CountedEvent>),
}

/// What a connection shares with the sweep of its thread.
#[derive(Debug)]
pub(crate) struct ConnectionState {
    phase: Cell<Phase>,
    /// Sweeps since the phase began.
    age: Cell<u16>,
    directive: Cell<Option<Directive>>,
    /// Sweeps since no more requests are wanted.
    closing: Cell<u8>,
    waker: RefCell<Option<Waker>>,
    /// Answers that the kernel does not have yet.
    unsent: Cell<u32>,
    /// When bytes came last; with them came the end of the head that is being answered.
    received: Cell<Monotonic>,
    access_log: Option<Box<AccessLog>>,
    permit: ConnectionPermit,
}

impl ConnectionState {
    pub(crate) fn new(permit: ConnectionPermit, access_log: Option<Box<AccessLog>>) -> Self {
        Self {
            phase: Cell::new(Phase::New),
            age: Cell::new(0),
            directive: Cell::new(None),
            closing: Cell::new(0),
            waker: RefCell::new(None),
            unsent: Cell::new(0),
            received: Cell::new(Monotonic::now()),
            access_log,
            permit,
        }
    }

    /// Whether its place is one of the reserve.
    pub(crate) fn is_reserved(&self) -> bool {
        self.permit.is_reserved
    }

    /// Whether it has had its answer, and only waits for its client to notice the end.
    pub(crate) fn is_lingering(&self) -> bool {
        self.phase.get() == Phase::Lingering
    }

    pub(crate) fn access_log(&self) -> Option<&AccessLog> {
        self.access_log.as_deref()
    }

    /// To be called once a second. `closing` says that no more requests are wanted, `first_limit` how many sweeps a client
    /// has for its first word.
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
        // The first sweep may come at once: a limit is over only with the sweep after it.
        let swept = match phase {
            // A request may be on its way, sent while the connection was open. The sweep that comes with the close is
            // followed by the next beat of the pulse, at any moment, and then by one after a whole second.
            Phase::New | Phase::Idle if self.closing.get() >= CLOSE_LIMIT => SweepOutcome::Closes(None),
            Phase::New if age > first_limit => SweepOutcome::Closes(Some(CountedEvent::IdleTimeout)),
            Phase::Idle if age > idle_limit => SweepOutcome::Closes(Some(CountedEvent::IdleTimeout)),
            Phase::Writing if age > idle_limit => SweepOutcome::Closes(Some(CountedEvent::WriteTimeout)),
            Phase::Idle if age == REST_AFTER => SweepOutcome::ReleasesBuffers,
            Phase::Reading if age > head_limit => SweepOutcome::Closes(Some(CountedEvent::HeadTimeout)),
            Phase::Lingering if age > LINGER_LIMIT => SweepOutcome::Closes(None),
            _ => return SweepOutcome::Unchanged,
        };
        self.issue(if swept == SweepOutcome::ReleasesBuffers {
            Directive::ReleaseBuffers
        } else {
            Directive::Close
        });
        swept
    }

    /// Ends it, because another needs its place. What its client has sent by now is still answered.
    pub(crate) fn make_room(&self) {
        self.issue(Directive::Close);
    }

    /// For tests: whether it is about to end.
    #[cfg(test)]
    pub(crate) fn is_closing(&self) -> bool {
        self.directive.get() == Some(Directive::Close)
    }

    fn issue(&self, directive: Directive) {
        // Who is to end is not told anything else.
        if self.directive.get() != Some(Directive::Close) {
            self.directive.set(Some(directive));
        }
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    /// The order that was given, if any. The next one wakes the task of `cx`.
    pub(crate) fn take_directive(&self, cx: &Context<'_>) -> Option<Directive> {
        if self.waker.borrow().is_none() {
            self.waker.replace(Some(cx.waker().clone()));
        }
        self.directive.take()
    }

    /// Bytes have come.
    pub(crate) fn note_received(&self) {
        self.received.set(Monotonic::now());
        self.note_reading();
    }

    /// A request has begun.
    pub(crate) fn note_reading(&self) {
        if matches!(self.phase.get(), Phase::New | Phase::Idle) {
            self.enter(Phase::Reading);
        }
    }

    /// When bytes came last, if it waited for a request; to see later whether more have come.
    pub(crate) fn waiting_since(&self) -> Option<Monotonic> {
        matches!(self.phase.get(), Phase::New | Phase::Idle).then(|| self.received.get())
    }

    /// Whether bytes have come since [`Self::waiting_since`].
    pub(crate) fn has_received_since(&self, before: Monotonic) -> bool {
        self.received.get() != before
    }

    /// A request is answered; from here on the answer is on its way.
    pub(crate) fn note_answered(&self) {
        self.enter(Phase::Idle);
        self.unsent.set(self.unsent.get() + 1);
    }

    /// Whether there are answers that the kernel does not have yet.
    pub(crate) fn has_unsent(&self) -> bool {
        self.unsent.get() > 0
    }

    /// The kernel took bytes of an answer, or would not because the client is slow.
    pub(crate) fn note_write(&self, is_blocked: bool) {
        match (is_blocked, self.phase.get()) {
            (true, Phase::Idle) => self.enter(Phase::Writing),
            (false, Phase::Writing) => self.enter(Phase::Idle),
            _ => {}
        }
    }

    /// The kernel has all answers that there were.
    pub(crate) fn note_sent(&self, counters: &Counters) {
        let answers = self.unsent.replace(0);
        if answers > 0 {
            let nanos = self.received.get().elapsed_nanos();
            counters.latency.count(nanos, answers);
            if let Some(access_log) = &self.access_log {
                access_log.complete(Duration::from_nanos(nanos));
            }
        }
    }

    /// Our side is to be ended; says whether that is new.
    pub(crate) fn start_lingering(&self) -> bool {
        let is_new = self.phase.get() != Phase::Lingering;
        if is_new {
            self.enter(Phase::Lingering);
        }
        is_new
    }

    fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        self.age.set(0);
        self.closing.set(0);
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

    /// What the sweeps come to until the connection ends, without those that come to nothing; the number of the last.
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
        // At once, at the next beat of the pulse, which may be at once too, and a second after that.
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
