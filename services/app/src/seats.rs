//! How many connections there are, and whether there may be one more.
//!
//! Beside the seats that `--max-connections` allows there is a small reserve. Who gets one of its places is told that
//! the service is full, or that it is alive and ready if that is what was asked: so a load balancer is not led to believe
//! that the process is dead. Nobody keeps a place of the reserve for longer than one answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Places beside the seats.
pub(crate) const RESERVE: usize = 64;

/// Shared by all threads, and written when a connection comes and when it goes, never for a request.
#[derive(Debug)]
pub(crate) struct Seats {
    taken: AtomicUsize,
    limit: usize,
}

impl Seats {
    pub(crate) fn new(limit: usize) -> Self {
        Self { taken: AtomicUsize::new(0), limit }
    }

    /// Connections that are open, those in the reserve among them.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// A seat, else a place in the reserve, else nothing.
    pub(crate) fn take(self: &Arc<Self>) -> Option<Seat> {
        let before = self.taken.fetch_add(1, Ordering::Relaxed);
        // Dropped, it gives the place back that was just counted.
        let seat = Seat { seats: Arc::clone(self), is_extra: before >= self.limit };
        (before < self.limit + RESERVE).then_some(seat)
    }
}

/// Taken until it is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    seats: Arc<Seats>,
    /// Whether it is a place in the reserve.
    pub(crate) is_extra: bool,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_go_first_then_the_reserve_and_a_seat_that_is_left_can_be_taken_again() {
        let seats = Arc::new(Seats::new(2));
        let mut taken: Vec<Seat> = (0..2 + RESERVE).map(|_| seats.take().unwrap()).collect();
        let extra: Vec<bool> = taken.iter().map(|seat| seat.is_extra).collect();
        assert_eq!(extra[..3], [false, false, true]);
        assert!(extra[2..].iter().all(|&is_extra| is_extra));
        assert!(seats.take().is_none());
        assert_eq!(seats.taken(), 2 + RESERVE);
        taken.clear();
        assert_eq!(seats.taken(), 0);
        assert!(!seats.take().unwrap().is_extra);
    }
}
