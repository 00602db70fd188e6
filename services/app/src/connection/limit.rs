//! How many connections there are, and whether a further one gets a seat or a place in the reserve.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Shared by all threads, and written when a connection comes and when it goes, never for a request.
#[derive(Debug)]
pub(crate) struct Seats {
    taken: AtomicUsize,
    /// Places of the reserve that are taken.
    extra: AtomicUsize,
    limit: usize,
}

impl Seats {
    pub(crate) fn new(limit: usize) -> Self {
        Self { taken: AtomicUsize::new(0), extra: AtomicUsize::new(0), limit }
    }

    /// Connections that are open, those in the reserve among them.
    pub(crate) fn open(&self) -> usize {
        self.taken() + self.extra.load(Ordering::Relaxed)
    }

    /// Seats that are taken.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed).min(self.limit)
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Whether fewer than a tenth of the seats are free.
    pub(crate) fn is_crowded(&self) -> bool {
        self.taken() > self.limit - self.limit.div_ceil(10)
    }

    /// A seat, or else a place in the reserve.
    pub(crate) fn take(self: &Arc<Self>) -> Seat {
        let is_extra = self.taken.fetch_add(1, Ordering::Relaxed) >= self.limit;
        if is_extra {
            self.taken.fetch_sub(1, Ordering::Relaxed);
            self.extra.fetch_add(1, Ordering::Relaxed);
        }
        Seat { seats: Arc::clone(self), is_extra }
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
        let count = if self.is_extra { &self.seats.extra } else { &self.seats.taken };
        count.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_go_first_then_the_reserve_and_a_seat_that_is_left_can_be_taken_again() {
        let seats = Arc::new(Seats::new(2));
        let mut taken: Vec<Seat> = (0..4).map(|_| seats.take()).collect();
        let extra: Vec<bool> = taken.iter().map(|seat| seat.is_extra).collect();
        assert_eq!(extra, [false, false, true, true]);
        assert_eq!((seats.open(), seats.taken()), (4, 2));
        // Those in the reserve keep no seat from anybody.
        taken.drain(..1);
        assert!(!seats.take().is_extra);
        taken.clear();
        assert_eq!((seats.open(), seats.taken()), (0, 0));
    }

    #[test]
    fn it_is_crowded_when_nine_tenths_are_taken() {
        let seats = Arc::new(Seats::new(20));
        let taken: Vec<Seat> = (0..18).map(|_| seats.take()).collect();
        assert!(!seats.is_crowded());
        let last = seats.take();
        assert!(seats.is_crowded());
        drop((taken, last));
    }
}
