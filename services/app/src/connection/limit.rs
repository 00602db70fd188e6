//! The limit on connections (`--max-connections`): how many there are, and whether a new one is within it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Shared by all threads. Written when a connection opens and when it closes, never for a request.
#[derive(Debug)]
pub(crate) struct ConnectionLimit {
    regular: AtomicUsize,
    /// Connections over the limit, in the reserve.
    reserved: AtomicUsize,
    limit: usize,
}

impl ConnectionLimit {
    pub(crate) fn new(limit: usize) -> Self {
        Self { regular: AtomicUsize::new(0), reserved: AtomicUsize::new(0), limit }
    }

    /// All open connections, with the reserved ones.
    pub(crate) fn open_connections(&self) -> usize {
        self.regular_connections() + self.reserved.load(Ordering::Relaxed)
    }

    /// Open connections within the limit.
    pub(crate) fn regular_connections(&self) -> usize {
        self.regular.load(Ordering::Relaxed).min(self.limit)
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Whether less than a tenth of the limit is free.
    pub(crate) fn is_nearly_full(&self) -> bool {
        self.regular_connections() > self.limit - self.limit.div_ceil(10)
    }

    /// A permit within the limit, or else one for a reserved connection.
    pub(crate) fn acquire(self: &Arc<Self>) -> ConnectionPermit {
        let is_reserved = self.regular.fetch_add(1, Ordering::Relaxed) >= self.limit;
        if is_reserved {
            self.regular.fetch_sub(1, Ordering::Relaxed);
            self.reserved.fetch_add(1, Ordering::Relaxed);
        }
        ConnectionPermit { connection_limit: Arc::clone(self), is_reserved }
    }
}

/// Counts one connection until it is dropped.
#[derive(Debug)]
pub(crate) struct ConnectionPermit {
    connection_limit: Arc<ConnectionLimit>,
    /// Whether the connection is over the limit.
    pub(crate) is_reserved: bool,
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let count =
            if self.is_reserved { &self.connection_limit.reserved } else { &self.connection_limit.regular };
        count.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_go_first_then_the_reserve_and_a_seat_that_is_left_can_be_taken_again() {
        let connection_limit = Arc::new(ConnectionLimit::new(2));
        let mut taken: Vec<ConnectionPermit> = (0..4).map(|_| connection_limit.acquire()).collect();
        let reserved: Vec<bool> = taken.iter().map(|permit| permit.is_reserved).collect();
        assert_eq!(reserved, [false, false, true, true]);
        assert_eq!((connection_limit.open_connections(), connection_limit.regular_connections()), (4, 2));
        // Reserved connections take nothing from the limit.
        taken.drain(..1);
        assert!(!connection_limit.acquire().is_reserved);
        taken.clear();
        assert_eq!((connection_limit.open_connections(), connection_limit.regular_connections()), (0, 0));
    }

    #[test]
    fn it_is_crowded_when_nine_tenths_are_taken() {
        let connection_limit = Arc::new(ConnectionLimit::new(20));
        let taken: Vec<ConnectionPermit> = (0..18).map(|_| connection_limit.acquire()).collect();
        assert!(!connection_limit.is_nearly_full());
        let last = connection_limit.acquire();
        assert!(connection_limit.is_nearly_full());
        drop((taken, last));
    }
}
