//! The places that each thread has beside the seats of `--max-connections`.
//!
//! Who gets one of them is told that the service is full, or that it is alive and ready if that is what was asked: so a
//! load balancer is not led to believe that the process is dead. Nobody keeps one for longer than one answer, and whoever
//! says nothing has to make room for the next: so no crowd of silent clients, however often it comes back, keeps a health
//! check from being heard.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use crate::link::Link;

/// Places of the reserve, in each thread.
const RESERVE: usize = 32;

/// Connections that one thread has beside the seats at most: those in the reserve, and those that had to make room for
/// them and are about to end.
pub(crate) const MOST_EXTRA: usize = 2 * RESERVE;

/// The reserve of one thread.
#[derive(Debug, Default)]
pub(crate) struct Reserve {
    /// The oldest first.
    heard: RefCell<VecDeque<Weak<Link>>>,
    /// Those that had to make room, until they are gone.
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
    /// Lets it in, if need be in the place of the one that has been silent for the longest time, or else of the oldest.
    pub(crate) fn admit(&self, link: &Rc<Link>) -> Admitted {
        let (mut heard, mut ending) = (self.heard.borrow_mut(), self.ending.borrow_mut());
        heard.retain(|link| link.strong_count() > 0);
        ending.retain(|link| link.strong_count() > 0);
        if heard.len() + ending.len() >= MOST_EXTRA {
            return Admitted::No;
        }
        let mut admitted = Admitted::Yes;
        if heard.len() >= RESERVE {
            let is_silent = |link: &Weak<Link>| link.upgrade().is_some_and(|link| link.is_silent());
            let place = heard.iter().position(is_silent).unwrap_or(0);
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
    use crate::seats::Seats;

    #[test]
    fn who_says_nothing_makes_room_first_and_more_at_once_than_can_be_ended_are_not_let_in() {
        let (seats, reserve) = (Arc::new(Seats::new(0)), Reserve::default());
        let link = || Rc::new(Link::new(seats.take(), None));
        let is_ending = |link: &Link| link.is_told_to_end();
        let talks = link();
        talks.received();
        assert_eq!(reserve.admit(&talks), Admitted::Yes);
        let mut silent: Vec<Rc<Link>> = (1..RESERVE).map(|_| link()).collect();
        assert!(silent.iter().all(|link| reserve.admit(link) == Admitted::Yes));
        for place in 0..RESERVE {
            silent.push(link());
            assert_eq!(reserve.admit(&silent[silent.len() - 1]), Admitted::InPlaceOfAnother);
            let ended = silent.iter().filter(|link| is_ending(link)).count();
            assert_eq!(ended, place + 1);
            assert!(is_ending(&silent[place]) && !is_ending(&talks), "{place}");
        }
        assert_eq!(reserve.admit(&link()), Admitted::No);
        // One of those has ended.
        silent.remove(0);
        assert_eq!(reserve.admit(&link()), Admitted::InPlaceOfAnother);
    }

    #[test]
    fn where_all_have_spoken_the_oldest_makes_room() {
        let (seats, reserve) = (Arc::new(Seats::new(0)), Reserve::default());
        let links: Vec<Rc<Link>> = (0..=RESERVE).map(|_| Rc::new(Link::new(seats.take(), None))).collect();
        for link in &links {
            link.received();
            reserve.admit(link);
        }
        let ending: Vec<bool> = links.iter().map(|link| link.is_told_to_end()).collect();
        assert!(ending[0] && !ending[1..].contains(&true));
    }
}
