//! Whether answers that differ by one step at one time came from one clock that was just passing to its next step.
//!
//! Two clocks that name themselves never and are 1.5 steps apart give, at one time, readings that differ by one step or by
//! two. Two steps contradict each other. One step does not: a clock in between may have passed its edge just then. That
//! clock would be known to the time between the two answers, which is far more than either clock ever said, and it is
//! neither of them.
//!
//! **The test.** Let a clock be believed to pass its edge at the instants e + kS. A clock that is ahead of it by more than p
//! shows the next step already at e − p, and a clock that is behind it by more than p still shows the last one at e + p.
//! Both contradict the belief. One of the two clocks leads at least half of the connections. So n fresh connections at e − p
//! and n at e + p miss the contradiction with a chance of at most (1/2)ⁿ.
//!
//! A right clock needs that test only when it passes its edge while the connections side by side are being answered,
//! which takes some milliseconds of each step.

use core::time::Duration;
use std::collections::BTreeSet;

use crate::backends::{Backend, Evidence};
use crate::sample::Sample;
use crate::time::{MonotonicInstant, Span};

use super::aim::edge_at;
use super::{Plan, Request, Via, is_coarse};
use crate::verdict::Verdict;

/// Answers that came within this part of a step were asked at one time.
const AT_ONE_TIME: u32 = 16;

/// How far from the edge a clock is looked at.
#[derive(Debug, Clone, Copy)]
struct Distance {
    step: Span,
    /// The least that is beyond doubt.
    least: Span,
    /// What is aimed at.
    aimed: Span,
}

impl Plan {
    /// Whether the belief in one clock does not rest on an edge, or was tested on both sides of it.
    pub(super) fn edge_is_tested(&self, backend: &Backend) -> bool {
        self.sides_lacking(backend).is_none_or(|(_, lacking)| lacking == [0, 0])
    }

    /// The request that tests the side which can be tested first.
    pub(super) fn edge_test(&self, backend: &Backend, now: MonotonicInstant) -> Option<Request> {
        let (distance, lacking) = self.sides_lacking(backend)?;
        let samples = self.samples_of(backend);
        let (step, travel) = (samples.finest_step(), samples.shortest_round_trip() / 2);
        let apparent = self.apparent(backend);
        let phases = [distance.step - distance.aimed, distance.aimed];
        phases
            .into_iter()
            .zip(lacking)
            .filter(|(_, lacking)| *lacking > 0)
            .map(|(phase, lacking)| Request {
                via: Via::Fresh(lacking),
                at: edge_at(apparent.shows.midpoint() - phase, apparent.at, step, travel, now),
            })
            .min_by_key(|request| request.at)
    }

    /// How many fresh connections have to be asked yet just before the edge, and just after it. `None` when nothing rests
    /// on an edge, as where each answer is within the limit by itself, or what is known of the clock is too vague to tell the sides apart.
    fn sides_lacking(&self, backend: &Backend) -> Option<(Distance, [u32; 2])> {
        let may_be_two = backend.instance.is_none() && backend.evidence == Evidence::OneClock;
        let in_sync_each = || {
            let each = backend.bounds_each.offset_from(&self.reference);
            self.rules.limits.verdict(&each) == Verdict::InSync
        };
        if !may_be_two || !self.differs_at_one_time(backend) || in_sync_each() {
            return None;
        }
        let distance = self.distance(backend)?;
        let mut before = BTreeSet::new();
        let mut after = BTreeSet::new();
        for sample in self.samples_of(backend).iter() {
            let phase = self.phase_at(backend, arrival(sample));
            let (from_last, to_next) = (phase, distance.step - phase);
            let is_at = |away: Span| away >= distance.least && away <= distance.aimed + distance.aimed;
            if is_at(to_next) {
                before.insert(sample.connection);
            } else if is_at(from_last) {
                after.insert(sample.connection);
            }
        }
        let wanted = self.connections_that_meet_the_greater_half();
        let lacking =
            |asked: &BTreeSet<u32>| wanted.saturating_sub(u32::try_from(asked.len()).unwrap_or(u32::MAX));
        Some((distance, [lacking(&before), lacking(&after)]))
    }

    /// Whether two connections that were asked at one time gave different readings.
    fn differs_at_one_time(&self, backend: &Backend) -> bool {
        let samples: Vec<&Sample> =
            self.samples_of(backend).iter().filter(|sample| is_coarse(sample)).collect();
        samples.windows(2).any(|pair| {
            let apart = arrival(pair[1]).since(arrival(pair[0]));
            pair[0].connection != pair[1].connection
                && pair[0].reading != pair[1].reading
                && apart <= pair[0].reading.step / AT_ONE_TIME
        })
    }

    fn distance(&self, backend: &Backend) -> Option<Distance> {
        let samples = self.samples_of(backend);
        let step = samples.finest_step();
        // Half of what is not known of the clock, and half of a round trip in which it may be read.
        let least = self.apparent(backend).shows.half_width() + samples.shortest_round_trip() / 2;
        let aimed = (least * 2).max(step / AT_ONE_TIME);
        (aimed < step / 3).then(|| Distance {
            step: Span::from(step),
            least: Span::from(least),
            aimed: Span::from(aimed),
        })
    }

    /// How many fresh connections miss that clock of two which leads more of them with at most the accepted chance.
    fn connections_that_meet_the_greater_half(&self) -> u32 {
        let mut missed = 0.5;
        let mut connections = 1;
        while missed > self.rules.miss_probability && connections < 32 {
            missed /= 2.0;
            connections += 1;
        }
        connections
    }
}

/// About when the clock was read.
fn arrival(sample: &Sample) -> MonotonicInstant {
    let half: Duration = sample.round_trip() / 2;
    sample.sent + half
}
