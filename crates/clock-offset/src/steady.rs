//! A steady round: the fewest requests that prove a clock right, aimed by what earlier rounds found.
//!
//! A monitor that has just proven a clock right need not explore everything a few seconds later. One answer
//! proves as much as its interval says. Where answers are finer than the network path, one request is enough.
//! Answers in whole seconds prove the most when they are asked for at the right moment: in the middle of a
//! second if the limit is wide enough for that, otherwise once just after and once just before the clock
//! passes to the next one.
//!
//! # Memory aims and never proves
//!
//! The [`Memory`] of earlier rounds decides when a request is sent, and what deserves suspicion. A
//! [`SteadyProof`] rests on the answers of its own round alone: it is the intersection of their bounds, and it
//! holds whatever happened since the last round. So a wrong memory costs a full round and never a wrong verdict.
//!
//! There is one premise, that of every intersection: both answers of a pair come from one clock. A balancer
//! may lead them to two. Each of the two clocks is then tested at one of the limits only. So the pair is asked
//! in an order that the caller draws anew for each round ([`SteadyRound::new`]). Then a wrong clock is tested
//! at the limit that it exceeds in half of the rounds in which it answers, and is found.
//!
//! # What is in doubt
//!
//! Anything but a proof is a [`SteadyDoubt`]. The caller then holds a full round at once.

mod aim;

use core::time::Duration;
use std::sync::Arc;

use crate::interval::{BoundedTime, Interval, ReferenceClock};
use crate::sample::{Reading, Sample};
use crate::time::{Drift, MonotonicInstant, Offset, Span};
use crate::verdict::{Limits, Verdict};

/// By which limits a steady round judges, and how much it may ask.
#[derive(Debug, Clone, Copy)]
pub struct SteadyRules {
    /// How far the clock may be off.
    pub limits: Limits,
    /// How fast clocks may run apart.
    pub drift: Drift,
    /// After that no request is sent.
    pub last_start: MonotonicInstant,
    /// The most requests.
    pub max_requests: u32,
}

/// What earlier rounds found about a clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memory {
    /// Bounds on the clock.
    pub bounds: BoundedTime,
    /// The step of its readings; zero if it is not known.
    pub step: Duration,
    /// The shortest round trip.
    pub round_trip: Duration,
    /// How much later than its answers the clock may be, because it ticks more coarsely than they are printed.
    /// It is believed, because it only widens the bounds.
    pub tick: Duration,
    /// Its latest reading, and when the answer came.
    pub reading: Option<(Reading, MonotonicInstant)>,
    /// Whether it was proven to be within the warning limit.
    pub is_within_warning: bool,
}

/// What a steady round proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SteadyProof {
    /// The name that the answers give, if they give one.
    pub instance: Option<Arc<str>>,
    /// The verdict: in sync, or not within the warning limit.
    pub verdict: Verdict,
    /// Bounds on the offset.
    pub offset: Interval<Offset>,
    /// What the next round may be aimed by.
    pub memory: Memory,
}

/// Why a steady round proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SteadyDoubt {
    /// The clock is proven to be beyond a limit.
    Beyond,
    /// The bounds straddle a limit.
    Open,
    /// The answers contradict each other, or name several instances.
    SeveralClocks,
    /// The reading is that of the last round.
    Standstill,
    /// The clock is not where drift can have brought it since the last round.
    Jump,
    /// No time was left.
    OutOfTime,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SteadyAction {
    /// Send a request at that instant, or as soon as possible after it.
    Ask {
        /// When.
        at: MonotonicInstant,
    },
    /// The clock is proven to be right.
    Proven(Box<SteadyProof>),
    /// A full round must be held.
    Doubt(SteadyDoubt),
}

/// A steady round.
#[derive(Debug, Clone)]
pub struct SteadyRound {
    rules: SteadyRules,
    reference: ReferenceClock,
    memory: Option<Memory>,
    /// Which limit is tested first where both have to be.
    lower_first: bool,
    samples: Vec<Sample>,
}

impl SteadyRound {
    /// A round that has not started. `lower_first` has to be drawn at random for each round.
    #[must_use]
    pub fn new(
        rules: SteadyRules,
        reference: ReferenceClock,
        memory: Option<Memory>,
        lower_first: bool,
    ) -> Self {
        Self { rules, reference, memory, lower_first, samples: Vec::new() }
    }

    /// Whose answer came first, and so what is remembered of it: until then, what is remembered of all clocks aims.
    pub fn recall(&mut self, memory: Memory) {
        self.memory = Some(memory);
    }

    /// Records an answer.
    pub fn record(&mut self, sample: Sample) {
        self.samples.push(sample);
    }

    /// The samples so far.
    #[must_use]
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// What to do next, at the instant `now`.
    #[must_use]
    pub fn next(&self, now: MonotonicInstant) -> SteadyAction {
        let Some(last) = self.samples.last() else {
            return self.ask(self.aimed(self.memory.as_ref(), now), now);
        };
        if self.samples.iter().any(|sample| sample.instance != last.instance) {
            return SteadyAction::Doubt(SteadyDoubt::SeveralClocks);
        }
        let Some(bounds) = self.bounds() else {
            return SteadyAction::Doubt(SteadyDoubt::SeveralClocks);
        };
        if let Some(doubt) = self.suspicion(&bounds, last) {
            return SteadyAction::Doubt(doubt);
        }
        let offset = bounds.offset_from(&self.reference);
        let verdict = self.rules.limits.verdict(&offset);
        let was_within = self.memory.as_ref().is_none_or(|memory| memory.is_within_warning);
        match verdict {
            Verdict::InSync => self.proven(verdict, bounds, offset, now),
            Verdict::NotWithinWarning if !was_within => self.proven(verdict, bounds, offset, now),
            Verdict::Desynchronized => SteadyAction::Doubt(SteadyDoubt::Beyond),
            Verdict::NotWithinWarning | Verdict::Undetermined => self.again(bounds, last, now),
        }
    }

    /// One more request, if it can settle what is open.
    fn again(&self, bounds: BoundedTime, last: &Sample, now: MonotonicInstant) -> SteadyAction {
        if self.samples.len() >= self.rules.max_requests as usize {
            return SteadyAction::Doubt(SteadyDoubt::Open);
        }
        self.ask(self.aimed_at_what_is_open(&self.learned(bounds, last), &bounds, now), now)
    }

    fn ask(&self, at: MonotonicInstant, now: MonotonicInstant) -> SteadyAction {
        let at = at.max(now);
        if at > self.rules.last_start {
            return SteadyAction::Doubt(SteadyDoubt::OutOfTime);
        }
        SteadyAction::Ask { at }
    }

    /// What the answers so far tell a later round, if they agree with what was known: also where they prove too little.
    #[must_use]
    pub fn learned_so_far(&self) -> Option<Memory> {
        let last = self.samples.last()?;
        let bounds = self.bounds()?;
        self.suspicion(&bounds, last).is_none().then(|| self.learned(bounds, last))
    }

    /// The intersection of what the samples prove, at the end of the last one; none if they contradict each other.
    fn bounds(&self) -> Option<BoundedTime> {
        let at = self.samples.last()?.received;
        let (drift, expected) = (self.rules.drift, self.expected());
        let tick = self.memory.as_ref().map_or(Duration::ZERO, |memory| memory.tick);
        let mut of_each = self.samples.iter().map(|sample| {
            let bounds = sample.bounds(&expected, drift).carried_to(at, drift).shows;
            Interval::new(bounds.earliest(), bounds.latest() + Span::from(tick))
        });
        let first = of_each.next()?;
        let shows = of_each.try_fold(first, |all, bounds| all.intersection(&bounds))?;
        Some(BoundedTime { at, shows })
    }

    /// The time to which a time of day is put nearest.
    fn expected(&self) -> BoundedTime {
        self.reference.bounds
    }

    /// What earlier rounds make suspicious.
    fn suspicion(&self, bounds: &BoundedTime, last: &Sample) -> Option<SteadyDoubt> {
        let memory = self.memory.as_ref()?;
        if let Some((reading, received)) = &memory.reading
            && *reading == last.reading
            && last.sent.since(*received) > last.reading.width()
        {
            return Some(SteadyDoubt::Standstill);
        }
        let expected = memory.bounds.carried_to(bounds.at, self.rules.drift).shows;
        let expected = expected.widened_by(Span::from(memory.tick));
        expected.intersection(&bounds.shows).is_none().then_some(SteadyDoubt::Jump)
    }

    /// The proof; before it, one more request if the next round could not be aimed otherwise.
    fn proven(
        &self,
        verdict: Verdict,
        bounds: BoundedTime,
        offset: Interval<Offset>,
        now: MonotonicInstant,
    ) -> SteadyAction {
        let last = &self.samples[self.samples.len() - 1];
        let memory = Memory { is_within_warning: verdict == Verdict::InSync, ..self.learned(bounds, last) };
        if self.samples.len() < self.rules.max_requests as usize
            && let Some(at) = self.sharpening(&memory, now)
            && at <= self.rules.last_start
        {
            return SteadyAction::Ask { at };
        }
        SteadyAction::Proven(Box::new(SteadyProof {
            instance: last.instance.clone(),
            verdict,
            offset,
            memory,
        }))
    }

    /// What this round tells the next one. What was known before is nearer to the truth than one coarse answer, so both
    /// together are remembered.
    fn learned(&self, bounds: BoundedTime, last: &Sample) -> Memory {
        let shortest = self.samples.iter().map(Sample::round_trip).min().unwrap_or_default();
        let known = self.memory.as_ref().map(|memory| memory.bounds.carried_to(bounds.at, aim::LIKELY_DRIFT));
        let together = known.and_then(|known| known.shows.intersection(&bounds.shows));
        Memory {
            bounds: BoundedTime { at: bounds.at, shows: together.unwrap_or(bounds.shows) },
            step: last.reading.step,
            round_trip: shortest,
            tick: self.memory.as_ref().map_or(Duration::ZERO, |memory| memory.tick),
            reading: Some((last.reading, last.received)),
            is_within_warning: self.memory.as_ref().is_none_or(|memory| memory.is_within_warning),
        }
    }
}

/// How many steady rounds it takes until one of `backends` equal backends was met, but for that probability, when
/// a balancer spreads connections evenly and independently.
///
/// A given one of n is missed by k connections with probability ((n − 1)/n)^k. So this is the least k for which
/// that is at most `miss_probability`: within k periods a single faulty backend of n is found. At least 1, at
/// most 10,000.
///
/// ```
/// use clock_offset::steady::rounds_to_meet;
///
/// assert_eq!(rounds_to_meet(1, 0.01), 1);
/// assert_eq!(rounds_to_meet(2, 0.01), 7);
/// assert_eq!(rounds_to_meet(4, 0.01), 17);
/// ```
#[must_use]
pub fn rounds_to_meet(backends: usize, miss_probability: f64) -> u32 {
    #[expect(clippy::cast_precision_loss, reason = "a count of backends, far below 2^52")]
    let all = backends.max(1) as f64;
    let mut missed = 1.0;
    for rounds in 1..10_000 {
        missed *= (all - 1.0) / all;
        if missed <= miss_probability {
            return rounds;
        }
    }
    10_000
}

#[cfg(test)]
mod tests;
