//! Connections that each thread accepts beyond `--max-connections`, so that health checks still get through.
//!
//! A request on a reserved connection gets 503, unless it is a health check. So a load balancer does not take a full
//! process for a dead one. Each reserved connection ends after one response, and has to make room for newer ones. A
//! health check gets through as long as it sends its request faster than others can fill the whole reserve.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use crate::connection::state::ConnectionState;

/// The reserved connections of one thread.
#[derive(Debug)]
pub(crate) struct ReservedConnections {
    capacity: usize,
    /// The oldest first.
    active: RefCell<VecDeque<Weak<ConnectionState>>>,
    /// Connections that were told to make room and are not closed yet; at most `capacity`.
    closing: RefCell<Vec<Weak<ConnectionState>>>,
}

/// Whether a connection over the limit is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Granted,
    /// Another connection is closed for it.
    ReplacesAnother,
    /// Connections arrive faster than others can be closed.
    Denied,
}

impl ReservedConnections {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, active: RefCell::default(), closing: RefCell::default() }
    }

    /// Admits a connection. When the reserve is full, a connection that already has its response is closed for it, or
    /// else the oldest one.
    pub(crate) fn admit(&self, state: &Rc<ConnectionState>) -> Admission {
        let (mut active, mut closing) = (self.active.borrow_mut(), self.closing.borrow_mut());
        active.retain(|state| state.strong_count() > 0);
        closing.retain(|state| state.strong_count() > 0);
        let mut admission = Admission::Granted;
        if active.len() >= self.capacity {
            if closing.len() >= self.capacity {
                return Admission::Denied;
            }
            let is_over =
                |state: &Weak<ConnectionState>| state.upgrade().is_some_and(|state| state.is_lingering());
            let place = active.iter().position(is_over).unwrap_or(0);
            if let Some(weak) = active.remove(place) {
                if let Some(state) = weak.upgrade() {
                    state.make_room();
                }
                closing.push(weak);
                admission = Admission::ReplacesAnother;
            }
        }
        active.push_back(Rc::downgrade(state));
        admission
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::connection::limit::ConnectionLimit;

    const CAPACITY: usize = 8;

    fn states(count: usize) -> Vec<Rc<ConnectionState>> {
        let connection_limit = Arc::new(ConnectionLimit::new(0));
        (0..count).map(|_| Rc::new(ConnectionState::new(connection_limit.acquire(), None))).collect()
    }

    /// The indices of those that have to make room.
    fn closing(states: &[Rc<ConnectionState>]) -> Vec<usize> {
        (0..states.len()).filter(|&at| states[at].is_closing()).collect()
    }

    #[test]
    fn the_oldest_makes_room_whether_it_sent_something_or_not() {
        let (reserve, states) = (ReservedConnections::new(CAPACITY), states(CAPACITY + 3));
        for (at, state) in states.iter().enumerate() {
            if at % 2 == 0 {
                state.note_received();
            }
            let expected = if at < CAPACITY { Admission::Granted } else { Admission::ReplacesAnother };
            assert_eq!(reserve.admit(state), expected, "{at}");
        }
        assert_eq!(closing(&states), [0, 1, 2]);
    }

    #[test]
    fn an_answered_connection_makes_room_before_those_that_wait() {
        let (reserve, states) = (ReservedConnections::new(CAPACITY), states(CAPACITY + 2));
        for (at, state) in states.iter().enumerate() {
            if at == 3 {
                state.start_lingering();
            }
            reserve.admit(state);
        }
        assert_eq!(closing(&states), [0, 3]);
    }

    #[test]
    fn connections_are_denied_while_too_many_are_closing() {
        let (reserve, mut states) = (ReservedConnections::new(CAPACITY), states(2 * CAPACITY + 2));
        let (last, others) = states.split_last().unwrap();
        for (at, state) in others.iter().enumerate() {
            assert_eq!(reserve.admit(state) == Admission::Denied, at == 2 * CAPACITY, "{at}");
        }
        assert_eq!(reserve.admit(last), Admission::Denied);
        // One of the closing connections is gone.
        states.remove(0);
        assert_eq!(reserve.admit(&states[2 * CAPACITY]), Admission::ReplacesAnother);
    }
}
