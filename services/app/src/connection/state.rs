//! How long a connection may stay in each of its states.
//!
//! Time limits are ours, not hyper's: once a second [`Link::sweep`] ages every connection of a thread and tells those that
//! overstay what to do. So no request sets a timer or reads a clock for them.

use std::cell::{Cell, RefCell};
use std::task::{Context, Waker};
use std::time::Duration;

use crate::clock::Monotonic;
use crate::connection::limit::Seat;
use crate::logging::access_log::Journal;
use crate::metrics::{Counters, Event};
use crate::settings::Limits;

/// Sweeps until an answered connection gives its buffers back. One that asks less often pays for it, with a few
/// microseconds a request; but a crowd that comes all at once holds its memory no longer.
const REST_AFTER: u16 = 2;

/// Sweeps that a connection in the reserve has for its one request.
const EXTRA_LIMIT: u16 = 2;

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
pub(crate) enum Order {
    /// Give the buffers back until the next byte comes.
    Rest,
    /// End now.
    Close,
}

/// What the sweep of a connection came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Swept {
    Lives,
    /// Its buffers will be given back.
    Rests,
    /// It will end, and this was why.
    Ends(Option<Event>),
}

/// What a connection shares with the sweep of its thread.
#[derive(Debug)]
pub(crate) struct Link {
    phase: Cell<Phase>,
    /// Sweeps since the phase began.
    age: Cell<u16>,
    order: Cell<Option<Order>>,
    /// Sweeps since no more requests are wanted.
    closing: Cell<u8>,
    waker: RefCell<Option<Waker>>,
    /// Answers that the kernel does not have yet.
    unsent: Cell<u32>,
    /// When bytes came last; with them came the end of the head that is being answered.
    received: Cell<Monotonic>,
    journal: Option<Box<Journal>>,
    seat: Seat,
}

impl Link {
    pub(crate) fn new(seat: Seat, journal: Option<Box<Journal>>) -> Self {
        Self {
            phase: Cell::new(Phase::New),
            age: Cell::new(0),
            order: Cell::new(None),
            closing: Cell::new(0),
            waker: RefCell::new(None),
            unsent: Cell::new(0),
            received: Cell::new(Monotonic::now()),
            journal,
            seat,
        }
    }

    /// Whether its place is one of the reserve.
    pub(crate) fn is_extra(&self) -> bool {
        self.seat.is_extra
    }

    /// Whether it has had its answer, and only waits for its client to notice the end.
    pub(crate) fn is_over(&self) -> bool {
        self.phase.get() == Phase::Lingering
    }

    pub(crate) fn journal(&self) -> Option<&Journal> {
        self.journal.as_deref()
    }

    /// To be called once a second. `closing` says that no more requests are wanted, `first_limit` how many sweeps a client
    /// has for its first word.
    pub(crate) fn sweep(&self, closing: bool, limits: &Limits, first_limit: u16) -> Swept {
        let age = self.age.get().saturating_add(1);
        self.age.set(age);
        let phase = self.phase.get();
        let (first_limit, head_limit, idle_limit) = if self.seat.is_extra {
            (EXTRA_LIMIT, EXTRA_LIMIT, EXTRA_LIMIT)
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
            Phase::New | Phase::Idle if self.closing.get() >= CLOSE_LIMIT => Swept::Ends(None),
            Phase::New if age > first_limit => Swept::Ends(Some(Event::IdleTimeout)),
            Phase::Idle if age > idle_limit => Swept::Ends(Some(Event::IdleTimeout)),
            Phase::Writing if age > idle_limit => Swept::Ends(Some(Event::WriteTimeout)),
            Phase::Idle if age == REST_AFTER => Swept::Rests,
            Phase::Reading if age > head_limit => Swept::Ends(Some(Event::HeadTimeout)),
            Phase::Lingering if age > LINGER_LIMIT => Swept::Ends(None),
            _ => return Swept::Lives,
        };
        self.command(if swept == Swept::Rests { Order::Rest } else { Order::Close });
        swept
    }

    /// Ends it, because another needs its place. What its client has sent by now is still answered.
    pub(crate) fn make_room(&self) {
        self.command(Order::Close);
    }

    /// For tests: whether it is about to end.
    #[cfg(test)]
    pub(crate) fn is_told_to_end(&self) -> bool {
        self.order.get() == Some(Order::Close)
    }

    fn command(&self, order: Order) {
        // Who is to end is not told anything else.
        if self.order.get() != Some(Order::Close) {
            self.order.set(Some(order));
        }
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    /// The order that was given, if any. The next one wakes the task of `cx`.
    pub(crate) fn order(&self, cx: &Context<'_>) -> Option<Order> {
        if self.waker.borrow().is_none() {
            self.waker.replace(Some(cx.waker().clone()));
        }
        self.order.take()
    }

    /// Bytes have come.
    pub(crate) fn received(&self) {
        self.received.set(Monotonic::now());
        self.reads();
    }

    /// A request has begun.
    pub(crate) fn reads(&self) {
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
    pub(crate) fn answers(&self) {
        self.enter(Phase::Idle);
        self.unsent.set(self.unsent.get() + 1);
    }

    /// Whether there are answers that the kernel does not have yet.
    pub(crate) fn has_unsent(&self) -> bool {
        self.unsent.get() > 0
    }

    /// The kernel took bytes of an answer, or would not because the client is slow.
    pub(crate) fn writes(&self, is_held_up: bool) {
        match (is_held_up, self.phase.get()) {
            (true, Phase::Idle) => self.enter(Phase::Writing),
            (false, Phase::Writing) => self.enter(Phase::Idle),
            _ => {}
        }
    }

    /// The kernel has all answers that there were.
    pub(crate) fn sent(&self, counters: &Counters) {
        let answers = self.unsent.replace(0);
        if answers > 0 {
            let nanos = self.received.get().elapsed_nanos();
            counters.latency.count(nanos, answers);
            if let Some(journal) = &self.journal {
                journal.sent(Duration::from_nanos(nanos));
            }
        }
    }

    /// Our side is to be ended; says whether that is new.
    pub(crate) fn lingers(&self) -> bool {
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
    use crate::connection::limit::Seats;

    const LIMITS: Limits =
        Limits { connections: 1, head_bytes: 16_384, headers: 100, head_seconds: 3, idle_seconds: 20 };

    fn link() -> Link {
        Link::new(Arc::new(Seats::new(1)).take(), None)
    }

    /// What the sweeps come to until the connection ends, without those that come to nothing; the number of the last.
    fn swept(link: &Link, first_limit: u16) -> (Vec<Swept>, u16) {
        let mut all = Vec::new();
        for number in 1..1_000 {
            match link.sweep(false, &LIMITS, first_limit) {
                Swept::Lives => {}
                other => all.push(other),
            }
            if let Some(Swept::Ends(_)) = all.last() {
                return (all, number);
            }
        }
        panic!("it never ends: {all:?}");
    }

    #[test]
    fn each_state_has_its_limit_and_never_a_moment_less() {
        let silent = link();
        assert_eq!(swept(&silent, 7), (vec![Swept::Ends(Some(Event::IdleTimeout))], 8));
        let reading = link();
        reading.received();
        assert_eq!(swept(&reading, 7), (vec![Swept::Ends(Some(Event::HeadTimeout))], 4));
        let idle = link();
        idle.answers();
        assert_eq!(swept(&idle, 7), (vec![Swept::Rests, Swept::Ends(Some(Event::IdleTimeout))], 21));
        let held_up = link();
        held_up.answers();
        held_up.writes(true);
        assert_eq!(swept(&held_up, 7), (vec![Swept::Ends(Some(Event::WriteTimeout))], 21));
        let lingering = link();
        assert!(lingering.lingers() && !lingering.lingers());
        assert_eq!(swept(&lingering, 7), (vec![Swept::Ends(None)], LINGER_LIMIT + 1));
    }

    #[test]
    fn a_place_in_the_reserve_is_for_one_answer() {
        let seats = Arc::new(Seats::new(1));
        let _taken = seats.take();
        let extra = Link::new(seats.take(), None);
        assert!(extra.is_extra() && !extra.is_over());
        assert_eq!(swept(&extra, 7), (vec![Swept::Ends(Some(Event::IdleTimeout))], EXTRA_LIMIT + 1));
    }

    #[test]
    fn what_waits_is_ended_at_the_close_but_not_before_what_was_sent_by_then_could_arrive() {
        // At once, at the next beat of the pulse, which may be at once too, and a second after that.
        let idle = link();
        idle.answers();
        idle.sweep(false, &LIMITS, 7);
        let silent = link();
        for waits in [&idle, &silent] {
            let sweeps: Vec<Swept> = (0..3).map(|_| waits.sweep(true, &LIMITS, 7)).collect();
            let last = Swept::Ends(None);
            assert!(!sweeps[..2].contains(&last) && sweeps[2] == last, "{sweeps:?}");
        }
        let reading = link();
        reading.received();
        let sweeps: Vec<Swept> = (0..4).map(|_| reading.sweep(true, &LIMITS, 7)).collect();
        assert_eq!(sweeps[..3], [Swept::Lives; 3]);
        assert_eq!(sweeps[3], Swept::Ends(Some(Event::HeadTimeout)));
    }
}
