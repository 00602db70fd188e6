//! Steps: changes of an offset that no drift explains.

use super::Observation;
use super::rate::DriftRate;
use crate::interval::Interval;
use crate::time::{Drift, MonotonicInstant, Span};

/// A change of the offset that is greater than the drift that is possible can make it.
///
/// One of the two clocks was set: the server's, or the reference. Or one ran faster than what was taken to be
/// possible: [`rate_instead`](Self::rate_instead) says how fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The last observation before the step. The step is later.
    pub after: MonotonicInstant,
    /// The observation that proves it. The step is not later.
    pub until: MonotonicInstant,
    /// By how much the offset changed between the two, without the drift; positive when the server's clock
    /// was set forward or the reference back. It is rounded outwards. Of several steps it is the sum.
    pub size: Interval<Span>,
    /// The mean rate between the two, if there was no step. All of it is faster than what was taken to be
    /// possible. `None` when both observations are of one instant.
    pub rate_instead: Option<Interval<DriftRate>>,
}

impl Step {
    /// The step that two observations prove, the earlier one first.
    ///
    /// A clock that drifts, with whatever rates up to the bound d, changes its offset by at most d · t in the
    /// time t. So if the ends of the two intervals that face each other are further apart, it was stepped.
    /// The rate may change as often as it likes in between: a clock that is slewed proves no step.
    pub(super) fn between(earlier: &Observation, later: &Observation, possible: Drift) -> Option<Self> {
        let elapsed = later.at - earlier.at;
        let drift = possible.during(elapsed.positive_part());
        let least = later.offset.earliest() - earlier.offset.latest();
        let most = later.offset.latest() - earlier.offset.earliest();
        if is_explained(least, elapsed, possible) && is_explained(Span::ZERO - most, elapsed, possible) {
            return None;
        }
        let rate = |change: Span| DriftRate::new(change.as_nanos(), elapsed.as_nanos());
        Some(Self {
            after: earlier.at,
            until: later.at,
            size: Interval::new(least - drift, most + drift),
            rate_instead: rate(least).zip(rate(most)).map(|(least, most)| Interval::new(least, most)),
        })
    }
}

/// Whether drift can change an offset by as much as this in the time. Not rounded.
fn is_explained(change: Span, elapsed: Span, possible: Drift) -> bool {
    DriftRate::greatest(possible).cmp_change(change.as_nanos(), elapsed.as_nanos()).is_ge()
}

/// What drift allows the offset to be, beside observations that prove no step.
///
/// Each allows an interval that widens with time. The next observation contradicts one of them if and only if
/// it contradicts the one that allows the least at the upper end, or that which does at the lower end. So two
/// of them are kept, and an observation costs O(1). They may be added forward in time or backward.
#[derive(Debug, Clone)]
pub(super) struct Reach {
    lowest_upper: Observation,
    highest_lower: Observation,
}

impl Reach {
    pub(super) fn from(first: Observation) -> Self {
        Self { lowest_upper: first, highest_lower: first }
    }

    /// Adds the next observation. Returns false, and changes nothing, when it contradicts one of the others.
    pub(super) fn add(&mut self, observation: Observation, possible: Drift) -> bool {
        let elapsed = |other: &Observation| Span::from((observation.at - other.at).magnitude());
        let above = observation.offset.earliest() - self.lowest_upper.offset.latest();
        let below = self.highest_lower.offset.earliest() - observation.offset.latest();
        if !is_explained(above, elapsed(&self.lowest_upper), possible)
            || !is_explained(below, elapsed(&self.highest_lower), possible)
        {
            return false;
        }
        let rise = observation.offset.latest() - self.lowest_upper.offset.latest();
        if is_explained(rise, elapsed(&self.lowest_upper), possible) {
            self.lowest_upper = observation;
        }
        let fall = self.highest_lower.offset.earliest() - observation.offset.earliest();
        if is_explained(fall, elapsed(&self.highest_lower), possible) {
            self.highest_lower = observation;
        }
        true
    }
}
