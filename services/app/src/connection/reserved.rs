//! The places that each thread has beside the seats of `--max-connections`.
//!
//! Who gets one of them is told that the service is full, or that it is alive and ready if that is what was asked: so a
//! load balancer is not led to believe that the process is dead. Nobody keeps one for longer than one answer, and whoever
//! is there has to make room for who comes next: so no crowd, however often it comes back, keeps a health check from being
//! heard, as long as it takes the crowd longer to fill all places than the check to say what it asks.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use crate::connection::state::Link;

/// The reserve of one thread.
#[derive(Debug)]
pub(crate) struct Reserve {
    places: usize,
    /// The oldest first.
    heard: RefCell<VecDeque<Weak<Link>>>,
    /// Those that had to make room, until they are gone; no more than there are places.
    ending: RefCell<Vec<Weak<Link>>>,
}

/// What became of one connection too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admitted {
    Yes,
    /// Another one ends for it.
    InPlaceOfAnother,
    /// So many come at once that there is not even time to end others.
    No,
}

impl Reserve {
    pub(crate) fn new(places: usize) -> Self {
        Self { places, heard: RefCell::default(), ending: RefCell::default() }
    }

    /// Lets it in, if need be in the place of one that has had its answer, or else of the oldest. So nobody can keep those
    /// from being heard who have just come: a place lasts for as long as it takes that many others to come.
    pub(crate) fn admit(&self, link: &Rc<Link>) -> Admitted {
        let (mut heard, mut ending) = (self.heard.borrow_mut(), self.ending.borrow_mut());
        heard.retain(|link| link.strong_count() > 0);
        ending.retain(|link| link.strong_count() > 0);
        let mut admitted = Admitted::Yes;
        if heard.len() >= self.places {
            if ending.len() >= self.places {
                return Admitted::No;
            }
            let is_over = |link: &Weak<Link>| link.upgrade().is_some_and(|link| link.is_over());
            let place = heard.iter().position(is_over).unwrap_or(0);
            if let Some(weak) = heard.remove(place) {
                if let Some(link) = weak.upgrade() {
                    link.make_room();
                }
                ending.push(weak);
                admitted = Admitted::InPlaceOfAnother;
            }
        }
        heard.push_back(Rc::downgrade(link));
        admitted
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::connection::limit::Seats;

    const PLACES: usize = 8;

    fn links(count: usize) -> Vec<Rc<Link>> {
        let seats = Arc::new(Seats::new(0));
        (0..count).map(|_| Rc::new(Link::new(seats.take(), None))).collect()
    }

    /// Which of them have to make room.
    fn ending(links: &[Rc<Link>]) -> Vec<usize> {
        (0..links.len()).filter(|&at| links[at].is_told_to_end()).collect()
    }

    #[test]
    fn the_oldest_makes_room_whether_it_said_something_or_not() {
        let (reserve, links) = (Reserve::new(PLACES), links(PLACES + 3));
        for (at, link) in links.iter().enumerate() {
            if at % 2 == 0 {
                link.received();
            }
            let expected = if at < PLACES { Admitted::Yes } else { Admitted::InPlaceOfAnother };
            assert_eq!(reserve.admit(link), expected, "{at}");
        }
        assert_eq!(ending(&links), [0, 1, 2]);
    }

    #[test]
    fn who_has_had_his_answer_makes_room_before_those_who_wait_for_one() {
        let (reserve, links) = (Reserve::new(PLACES), links(PLACES + 2));
        for (at, link) in links.iter().enumerate() {
            if at == 3 {
                link.lingers();
            }
            reserve.admit(link);
        }
        assert_eq!(ending(&links), [0, 3]);
    }

    #[test]
    fn more_at_once_than_can_be_ended_are_not_let_in_until_those_are_gone() {
        let (reserve, mut links) = (Reserve::new(PLACES), links(2 * PLACES + 2));
        let (last, others) = links.split_last().unwrap();
        for (at, link) in others.iter().enumerate() {
            assert_eq!(reserve.admit(link) == Admitted::No, at == 2 * PLACES, "{at}");
        }
        assert_eq!(reserve.admit(last), Admitted::No);
        // One of those that had to go is gone.
        links.remove(0);
        assert_eq!(reserve.admit(&links[2 * PLACES]), Admitted::InPlaceOfAnother);
    }
}
