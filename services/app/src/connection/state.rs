//! The state of a connection, which its task and the sweep (`sweep.rs`) share.

use std::cell::{Cell, RefCell};
use std::task::{Context, Waker};
use std::time::Duration;

use crate::clock::Monotonic;
use crate::connection::limit::ConnectionPermit;
use crate::logging::access_log::AccessLog;
use crate::metrics::Counters;

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Its first request.
    New,
    /// The rest of a request.
    Reading,
    /// The client, to read the response.
    Writing,
    /// The next request.
    Idle,
    /// The client, to close its side.
    Lingering,
}

/// What the sweep, or a lack of room, tells a connection to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Directive {
    /// Release the buffers until the next byte arrives.
    ReleaseBuffers,
    /// Close the connection.
    Close,
}

/// What a connection shares with the sweep of its thread.
#[derive(Debug)]
pub(crate) struct ConnectionState {
    pub(super) phase: Cell<Phase>,
    /// Sweeps since the phase began.
    pub(super) age: Cell<u16>,
    directive: Cell<Option<Directive>>,
    /// Sweeps since the process began to close.
    pub(super) closing: Cell<u8>,
    waker: RefCell<Option<Waker>>,
    /// Whether the current request is complete but for its body.
    awaits_body: Cell<bool>,
    /// Responses that the kernel has not taken yet.
    unsent: Cell<u32>,
    /// When bytes last arrived, and with them the end of the head that is being answered.
    received: Cell<Monotonic>,
    /// How often bytes arrived since the last response.
    reads: Cell<u8>,
    /// Whether the last request was one for the fast path.
    prefers_rest: Cell<bool>,
    access_log: Option<Box<AccessLog>>,
    pub(super) permit: ConnectionPermit,
}

impl ConnectionState {
    pub(crate) fn new(permit: ConnectionPermit, access_log: Option<Box<AccessLog>>) -> Self {
        Self {
            phase: Cell::new(Phase::New),
            age: Cell::new(0),
            directive: Cell::new(None),
            closing: Cell::new(0),
            waker: RefCell::new(None),
            awaits_body: Cell::new(false),
            unsent: Cell::new(0),
            received: Cell::new(Monotonic::now()),
            reads: Cell::new(0),
            prefers_rest: Cell::new(false),
            access_log,
            permit,
        }
    }

    /// Whether it is over the limit on connections.
    pub(crate) fn is_reserved(&self) -> bool {
        self.permit.is_reserved
    }

    /// Whether it has had its response, and only waits for the client to close.
    pub(crate) fn is_lingering(&self) -> bool {
        self.phase.get() == Phase::Lingering
    }

    pub(crate) fn access_log(&self) -> Option<&AccessLog> {
        self.access_log.as_deref()
    }

    /// Closes it to make room for another one. Requests that have already arrived are still answered.
    pub(crate) fn make_room(&self) {
        self.issue(Directive::Close);
    }

    /// For tests: whether it is told to close.
    #[cfg(test)]
    pub(crate) fn is_closing(&self) -> bool {
        self.directive.get() == Some(Directive::Close)
    }

    pub(super) fn issue(&self, directive: Directive) {
        // An order to close is final.
        if self.directive.get() != Some(Directive::Close) {
            self.directive.set(Some(directive));
        }
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    /// The directive that was issued, if any. The next one wakes the task of `cx`.
    pub(crate) fn take_directive(&self, cx: &Context<'_>) -> Option<Directive> {
        if self.waker.borrow().is_none() {
            self.waker.replace(Some(cx.waker().clone()));
        }
        self.directive.take()
    }

    /// Bytes have arrived.
    pub(crate) fn note_received(&self) {
        self.received.set(Monotonic::now());
        self.reads.set(self.reads.get().saturating_add(1));
        self.note_reading();
    }

    /// Whether the current request arrived in one piece.
    pub(crate) fn has_read_once(&self) -> bool {
        self.reads.get() == 1
    }

    /// The next request of this client is likely to be one for the fast path, or not.
    pub(crate) fn set_prefers_rest(&self, prefers_rest: bool) {
        self.prefers_rest.set(prefers_rest);
    }

    /// Whether the connection is idle, and the fast path may get the next request.
    pub(crate) fn prefers_rest(&self) -> bool {
        self.prefers_rest.get() && self.phase.get() == Phase::Idle && !self.has_unsent()
    }

    /// A request has begun.
    pub(crate) fn note_reading(&self) {
        if matches!(self.phase.get(), Phase::New | Phase::Idle) {
            self.enter(Phase::Reading);
        }
    }

    /// When bytes last arrived, if the connection waits for a request. See [`Self::has_received_since`].
    pub(crate) fn waiting_since(&self) -> Option<Monotonic> {
        matches!(self.phase.get(), Phase::New | Phase::Idle).then(|| self.received.get())
    }

    /// Whether bytes have arrived since [`Self::waiting_since`].
    pub(crate) fn has_received_since(&self, before: Monotonic) -> bool {
        self.received.get() != before
    }

    /// The head of a request is complete, and its body is to be read. Until the response, the connection is not idle
    /// for a moment: idle connections give up their buffers, and with them what hyper knows about the body.
    pub(crate) fn start_awaiting_body(&self) {
        self.awaits_body.set(true);
        self.note_reading();
    }

    /// A request has its response, which is now to be sent.
    pub(crate) fn note_answered(&self) {
        self.awaits_body.set(false);
        self.reads.set(0);
        self.enter(Phase::Idle);
        self.unsent.set(self.unsent.get() + 1);
    }

    /// Whether there are responses that the kernel has not taken yet.
    pub(crate) fn has_unsent(&self) -> bool {
        self.unsent.get() > 0
    }

    /// The kernel took bytes of a response, or did not because the client is slow.
    pub(crate) fn note_write(&self, is_blocked: bool) {
        match (is_blocked, self.phase.get()) {
            (true, Phase::Idle) => self.enter(Phase::Writing),
            (false, Phase::Writing) if self.awaits_body.get() => self.enter(Phase::Reading),
            (false, Phase::Writing) => self.enter(Phase::Idle),
            _ => {}
        }
    }

    /// The kernel has taken all responses.
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

    /// Our side is being shut down. Returns whether that is new.
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

    #[test]
    fn a_connection_goes_back_to_the_fast_path_once_idle_and_after_a_request_in_one_piece() {
        let state = ConnectionState::new(Arc::new(ConnectionLimit::new(1)).acquire(), None);
        state.note_received();
        assert!(state.has_read_once());
        state.note_received();
        assert!(!state.has_read_once(), "in two pieces");
        state.note_answered();
        state.set_prefers_rest(true);
        assert!(!state.prefers_rest(), "the response is not sent yet");
        state.note_sent(&Counters::default());
        assert!(state.prefers_rest());
        state.note_received();
        assert!(state.has_read_once() && !state.prefers_rest(), "a request has begun");
    }
}
