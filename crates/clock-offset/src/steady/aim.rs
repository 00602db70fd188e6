//! When to send the requests of a steady round.
//!
//! Let a clock be read when it shows T, a time `a` beyond a multiple of its step S. The answer says T − a. After
//! a round trip r it proves that the clock is from T − a to T − a + S + r. Let the clock be known to be in
//! [p₁, p₂], and let the times from ok₁ to ok₂ be within the limit. Then the answer alone proves the clock right
//!
//! > if a ≤ p₁ − ok₁ and a ≥ S − (ok₂ − p₂ − r).
//!
//! The two differences are the room below and above. When such an `a` exists, the request is sent as soon as the clock
//! is certain to be read at one. Otherwise two answers are needed, one for each end. Each is asked for as near to the edge as
//! is certain to fall on its side, so that the pair leaves narrow bounds.
//!
//! A round may be too short for both in the order that was drawn: just after an edge, and then just before the next one. Then a
//! request is sent at once, whatever it proves, and the rest in the order in which the edges come. The first request has
//! moved a balancer on that leads requests in turn, so each of two clocks is still tested at both limits over time.
//!
//! What is known of a clock gets wider with the time between two rounds. When the next round could not be aimed any more, a
//! request at the middle of what is known halves it.

use core::time::Duration;

use super::{Memory, SteadyRound};
use crate::interval::BoundedTime;
use crate::plan::aim::edge_at;
use crate::plan::is_coarse_step;
use crate::time::{Drift, MonotonicInstant, Span, UnixInstant};
use crate::verdict::within;

/// How fast a clock runs apart from another one, as far as requests are aimed: 50 ppm, which is what an undisciplined quartz
/// does. A clock that is faster costs full rounds.
pub(super) const LIKELY_DRIFT: Drift = Drift::from_ppm(50);

/// How much of a clock's surroundings is within the limit.
#[derive(Debug, Clone, Copy)]
struct Room {
    below: Span,
    above: Span,
}

impl SteadyRound {
    /// When to send the first request.
    pub(super) fn aimed(&self, memory: Option<&Memory>, now: MonotonicInstant) -> MonotonicInstant {
        let Some(memory) = memory.filter(|memory| is_coarse_step(memory.step, memory.round_trip)) else {
            return now;
        };
        let step = Span::from(memory.step);
        let bounds = memory.bounds.carried_to(now, LIKELY_DRIFT);
        let room = self.room(&bounds, memory);
        if room.below >= step && room.above >= step {
            return now;
        }
        let (least, greatest) = ((step - room.above).max(Span::ZERO), room.below.min(step));
        let uncertain = uncertainty(&bounds, memory);
        if greatest - least >= uncertain + uncertain {
            // A path that is slower this time must not miss it.
            let slack = Span::from_nanos((greatest - least).as_nanos() / 8).max(margin(&bounds, memory));
            let middle = Span::from_nanos(least.as_nanos().midpoint(greatest.as_nanos()));
            let one = soonest_phase(least + slack, greatest - slack, &bounds, memory, now)
                .unwrap_or_else(|| at_phase(middle, &bounds, memory, now));
            if one <= self.rules.last_start {
                return one;
            }
        }
        let first = self.edge(self.lower_first, &bounds, memory, now);
        let margins = margin(&bounds, memory) + margin(&bounds, memory);
        let second = first + if self.lower_first { step - margins } else { margins }.positive_part();
        if second > self.rules.last_start { now } else { first }
    }

    /// When to send a further request: at the end that is still open.
    pub(super) fn aimed_at_what_is_open(
        &self,
        known: &Memory,
        proven: &BoundedTime,
        now: MonotonicInstant,
    ) -> MonotonicInstant {
        if !is_coarse_step(known.step, known.round_trip) {
            // The interval is wide because of the path; the next one may be shorter.
            return now;
        }
        let (ok_from, ok_to) = self.limits_at(proven);
        let bounds = known.bounds.carried_to(now, LIKELY_DRIFT);
        let edge = |is_lower| self.edge(is_lower, &bounds, known, now);
        match (proven.shows.earliest() < ok_from, proven.shows.latest() > ok_to) {
            (true, true) => edge(true).min(edge(false)),
            (is_lower, _) => edge(is_lower),
        }
    }

    /// When to send a request that narrows what is remembered, if the next round, as much later as this one was, could not be
    /// aimed without it.
    pub(super) fn sharpening(&self, known: &Memory, now: MonotonicInstant) -> Option<MonotonicInstant> {
        let before = self.memory.as_ref()?;
        if !is_coarse_step(known.step, known.round_trip) {
            return None;
        }
        let period = known.bounds.at.since(before.bounds.at);
        let next = known.bounds.carried_to(known.bounds.at + period, LIKELY_DRIFT);
        let room = self.room(&next, known);
        // In good time: the half that is left may be the one with less room.
        let is_aimed = margin(&next, known).as_nanos() < room.below.min(room.above).as_nanos() / 2;
        (!is_aimed).then(|| at_phase(Span::ZERO, &known.bounds, known, now))
    }

    /// When to test one end: near the edge, or farther from it if there is no time for that. Where too little is known of the
    /// clock, that is halved first.
    fn edge(
        &self,
        is_lower: bool,
        bounds: &BoundedTime,
        memory: &Memory,
        now: MonotonicInstant,
    ) -> MonotonicInstant {
        let step = Span::from(memory.step);
        let room = self.room(bounds, memory);
        let margin = margin(bounds, memory);
        if margin > if is_lower { room.below } else { room.above } {
            return at_phase(Span::ZERO, bounds, memory, now);
        }
        let near = at_phase(if is_lower { margin } else { step - margin }, bounds, memory, now);
        if near <= self.rules.last_start {
            return near;
        }
        let (from, to) = if is_lower {
            (margin, room.below - margin)
        } else {
            (step - room.above + margin, step - margin)
        };
        soonest_phase(from, to, bounds, memory, now).filter(|at| *at < near).unwrap_or(near)
    }

    fn room(&self, bounds: &BoundedTime, memory: &Memory) -> Room {
        let (ok_from, ok_to) = self.limits_at(bounds);
        let blurred = Span::from(memory.round_trip + memory.tick);
        Room { below: bounds.shows.earliest() - ok_from, above: ok_to - bounds.shows.latest() - blurred }
    }

    /// The least and the greatest time within the limit that is to be proven.
    fn limits_at(&self, bounds: &BoundedTime) -> (UnixInstant, UnixInstant) {
        let reference = self.reference.at(bounds.at).shows;
        let limits = self.rules.limits;
        let was_within = self.memory.as_ref().is_none_or(|memory| memory.is_within_warning);
        let allowed = within(limits.warn_offset.filter(|_| was_within).unwrap_or(limits.max_offset));
        (reference.latest() + allowed.earliest(), reference.earliest() + allowed.latest())
    }
}

/// By how much a request may miss the time that it is aimed at: half of what is not known of the clock, and half of
/// a round trip.
fn uncertainty(bounds: &BoundedTime, memory: &Memory) -> Span {
    Span::from(bounds.shows.half_width() + memory.round_trip / 2)
}

/// How far from an edge a clock has to be read so that it is certainly read beyond it, with an eighth for a slower path.
fn margin(bounds: &BoundedTime, memory: &Memory) -> Span {
    let uncertain = uncertainty(bounds, memory);
    uncertain + Span::from_nanos(uncertain.as_nanos() / 8)
}

/// When to send a request so that the clock is read between these times after it passed a multiple of its step: as soon as
/// possible. None if there is no time between them.
fn soonest_phase(
    from: Span,
    to: Span,
    bounds: &BoundedTime,
    memory: &Memory,
    now: MonotonicInstant,
) -> Option<MonotonicInstant> {
    if from > to {
        return None;
    }
    let (begin, end) = (at_phase(from, bounds, memory, now), at_phase(to, bounds, memory, now));
    // It is between them where the end comes before the next beginning.
    Some(if end < begin { now } else { begin })
}

/// When to send a request so that the clock is read a time `phase` after it passed a multiple of its step.
fn at_phase(phase: Span, bounds: &BoundedTime, memory: &Memory, now: MonotonicInstant) -> MonotonicInstant {
    let travel: Duration = memory.round_trip / 2;
    edge_at(bounds.shows.midpoint() - phase, bounds.at, memory.step, travel, now)
}
