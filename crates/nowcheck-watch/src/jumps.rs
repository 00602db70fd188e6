//! Jumps of an offset: changes that no drift of a disciplined clock explains.

use std::num::NonZeroUsize;

use clock_offset::{Drift, DriftWindow, Interval, MonotonicInstant, Observation, Offset, WindowSize};
use jiff::Timestamp;

use crate::incident::OffsetBounds;
use crate::timestamps::elapsed;

/// A change of an offset that is proven to be faster than clocks drift.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jump {
    /// The last time at which the offset was seen before it. The jump is later.
    pub after: Timestamp,
    /// The first time at which it is proven. The jump is not later.
    pub until: Timestamp,
    /// By how much the offset changed.
    pub size: OffsetBounds,
    /// Whose clock was stepped, if it names itself. Without a name, another clock may have answered instead.
    pub clock: Option<String>,
}

/// The rate that explains a change: as fast as NTP lets a clock run (RFC 5905, `MAXFREQ`).
const POSSIBLE: Drift = Drift::DISCIPLINED;

/// So many offsets are looked back at. It bounds what an offset costs that jumps all the time.
const WINDOW: usize = 64;

/// Jumps that are listed, at most: an offset that jumps more often is shown by its band.
const MOST: usize = 50;

/// Finds the jumps of one offset, stretch by stretch.
#[derive(Debug, Clone)]
pub(crate) struct JumpFinder {
    window: DriftWindow,
    origin: Timestamp,
    clock: Option<String>,
    found: Vec<Jump>,
}

impl JumpFinder {
    /// For the offset of a clock; of all clocks together, if they do not name themselves. Nothing is earlier than the origin.
    pub(crate) fn new(origin: Timestamp, clock: Option<String>) -> Self {
        let observations = NonZeroUsize::new(WINDOW).unwrap_or(NonZeroUsize::MIN);
        let size = WindowSize { length: WindowSize::LONGEST, observations };
        Self { window: DriftWindow::new(POSSIBLE, size), origin, clock, found: Vec::new() }
    }

    /// Takes bounds that hold all offsets of a stretch of time.
    pub(crate) fn observe(&mut self, from: Timestamp, to: Timestamp, offset: OffsetBounds) {
        let half = elapsed(from, to) / 2;
        let at = MonotonicInstant::after_origin(elapsed(self.origin, from) + half);
        // As it may have been in the middle of the stretch.
        let room = POSSIBLE.during(half).as_nanos();
        let [lower, upper] = [offset.lower - room, offset.upper + room].map(Offset::from_nanos);
        // An absurd offset proves nothing, and neither does one that is earlier than the last.
        if self.window.record(Observation { at, offset: Interval::new(lower, upper) }).is_err() {
            return;
        }
        let Some(step) = self.window.step().filter(|step| step.until == at) else { return };
        if self.found.len() < MOST {
            self.found.push(Jump {
                after: self.wall(step.after),
                until: self.wall(step.until),
                size: OffsetBounds {
                    lower: step.size.earliest().as_nanos(),
                    upper: step.size.latest().as_nanos(),
                },
                clock: self.clock.clone(),
            });
        }
    }

    /// The jumps that were found, in order.
    pub(crate) fn found(self) -> Vec<Jump> {
        self.found
    }

    fn wall(&self, at: MonotonicInstant) -> Timestamp {
        let since = clock_offset::Span::from_nanos(at.as_nanos()).positive_part();
        self.origin.checked_add(since).unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_521_600 + second).unwrap()
    }

    /// The jumps of an offset in microseconds that is seen every ten seconds, to within 100 µs.
    fn jumps(offsets: &[i128]) -> Vec<Jump> {
        let mut finder = JumpFinder::new(second(0), None);
        for (nth, micros) in (0..).zip(offsets) {
            let bounds = OffsetBounds { lower: (micros - 100) * 1_000, upper: (micros + 100) * 1_000 };
            finder.observe(second(nth * 10), second(nth * 10), bounds);
        }
        finder.found()
    }

    #[test]
    fn a_step_is_found_where_it_is_and_its_size_is_bounded() {
        let found = jumps(&[0, 40, 10, 1_200_000, 1_200_030]);
        let [jump] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((jump.after, jump.until), (second(20), second(30)));
        assert!(jump.size.lower <= 1_199_990_000 && 1_199_990_000 <= jump.size.upper, "{jump:?}");
        assert!(jump.size.upper - jump.size.lower <= 2 * 5_200_000, "{jump:?}");
    }

    #[test]
    fn what_a_disciplined_clock_may_drift_is_no_jump() {
        assert_eq!(jumps(&[0, 5_000, 10_000, 15_000, 10_000, 5_000]), []);
    }

    #[test]
    fn an_offset_that_jumps_all_the_time_has_a_bounded_number() {
        let offsets: Vec<i128> = (0..1_000).map(|nth| if nth % 2 == 0 { 0 } else { 9_000_000 }).collect();
        assert_eq!(jumps(&offsets).len(), MOST);
    }
}
