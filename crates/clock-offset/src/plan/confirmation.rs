//! When "in sync" is proven although the answers name no instance.

use core::time::Duration;
use std::collections::BTreeMap;

use crate::backends::{Backend, Evidence};
use crate::interval::Interval;
use crate::time::{MonotonicInstant, Span};
use crate::verdict::within;

use super::aim::edge_at;
use super::{Plan, is_coarse};

impl Plan {
    /// Whether "in sync" is more than the overlap of the answers of several clocks.
    ///
    /// Coarse answers that name no instance may come from clocks that differ and yet never contradict each
    /// other. What 0.5 s and 1.4 s ahead have in common, in whole seconds, is true of neither. So answers are
    /// needed that are within the limit each on its own, over as many connections as it takes to meet every
    /// backend. Answers that are too coarse for that, whatever their timing, are assumed to come from one
    /// clock.
    pub(super) fn is_confirmed(&self, backend: &Backend) -> bool {
        let is_split = matches!(backend.evidence, Evidence::ToldApart | Evidence::SeveralCaches);
        let is_named_or_split = backend.instance.is_some() || is_split;
        let each_is_met =
            || !self.can_be_conclusive(backend) || self.doubt(backend) <= self.rules.miss_probability;
        is_named_or_split || (self.edge_is_tested(backend) && each_is_met())
    }

    /// An upper bound on the chance that a nameless backend that is in sync is two: its answers came equally
    /// often from it and from another clock, which is not in sync.
    ///
    /// Only connections count that were asked at a time when the answer had to be within the limit on its
    /// own. A few of these answers may not be, because the path was slow at that moment. An answer of the
    /// other clock never is. For answers that are not coarse, the time does not matter, and all connections
    /// count.
    pub(super) fn doubt(&self, backend: &Backend) -> f64 {
        let (asked, failed) = self.confirmations(backend);
        tail(asked, failed, self.clocks())
    }

    /// How many more connections would settle that doubt if all of their answers are within the limit.
    pub(super) fn confirmations_lacking(&self, backend: &Backend) -> u32 {
        let (asked, failed) = self.confirmations(backend);
        let settles = |more: &u32| tail(asked + more, failed, self.clocks()) <= self.rules.miss_probability;
        let most = self.backoff.most();
        (1..most).find(settles).unwrap_or(most)
    }

    /// The number of clocks to be met: two, unless more are known to be there.
    fn clocks(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a count of backends, far below 2^52")]
        let clocks = self.rules.expected_backends.map_or(2, |expected| expected.get().max(2)) as f64;
        clocks
    }

    /// How many connections were asked at a time at which the answer can confirm that the backend is in sync,
    /// and how many of their answers were not within the limit on their own.
    ///
    /// Of connections that were asked side by side and had to queue none counts, if one of them is too slow to
    /// confirm anything: the queue may have been that of one of two clocks.
    pub(super) fn confirmations(&self, backend: &Backend) -> (u32, u32) {
        let mut asked = self.asked_conclusively(backend);
        for queued in self.backoff.queued() {
            if asked.iter().any(|(connection, confirms)| queued.contains(connection) && !confirms) {
                asked.retain(|connection, _| !queued.contains(connection));
            }
        }
        let failed = asked.values().filter(|confirms| !**confirms).count();
        (u32::try_from(asked.len()).unwrap_or(u32::MAX), u32::try_from(failed).unwrap_or(u32::MAX))
    }

    /// The connections that were asked at such a time, and whether the answer confirms it.
    fn asked_conclusively(&self, backend: &Backend) -> BTreeMap<u32, bool> {
        let mut asked = BTreeMap::new();
        let phases = match self.conclusive_phases(backend) {
            None if self.has_coarse_answers(backend) => return asked,
            phases => phases.filter(|_| self.has_coarse_answers(backend)),
        };
        let allowed = within(self.rules.limits.max_offset);
        for sample in self.samples_of(backend).iter() {
            let arrival = sample.sent + sample.round_trip() / 2;
            let is_conclusive = phases.is_none_or(|phases| phases.contains(self.phase_at(backend, arrival)));
            if asked.contains_key(&sample.connection) || !is_conclusive {
                continue;
            }
            let alone = sample.bounds(&self.expected(), self.rules.drift).offset_from(&self.reference);
            let alone = Interval::new(alone.earliest(), alone.latest() + Span::from(backend.tick));
            asked.insert(sample.connection, alone.is_within(&allowed));
        }
        asked
    }

    /// Whether the steps of its readings, and so the time at which it is asked, decide how much an answer proves.
    pub(super) fn has_coarse_answers(&self, backend: &Backend) -> bool {
        backend.tick.is_zero() && self.samples_of(backend).iter().any(is_coarse)
    }

    /// Whether there is an offset that one answer alone can prove to be within the limit.
    pub(super) fn can_be_conclusive(&self, backend: &Backend) -> bool {
        self.vagueness(backend) <= Span::from(within(self.rules.limits.max_offset).width())
    }

    /// The least width of the bounds of one answer: its step, lag and round trip, and the width of the
    /// reference.
    fn vagueness(&self, backend: &Backend) -> Span {
        let samples = self.samples_of(backend);
        let of_the_answer = samples.finest_step() + samples.greatest_lag() + samples.shortest_round_trip();
        let (below, above) = samples.beyond_their_step();
        Span::from(of_the_answer + self.reference_width(backend)) + below + above
    }

    fn reference_width(&self, backend: &Backend) -> Duration {
        self.reference.at(backend.bounds.at).shows.width()
    }

    /// How much of its current step a clock has passed at an instant, as far as its bounds tell.
    pub(super) fn phase_at(&self, backend: &Backend, instant: MonotonicInstant) -> Span {
        let step = Span::from(self.samples_of(backend).finest_step()).as_nanos().max(1);
        let apparent = self.apparent(backend);
        let shows = apparent.shows.midpoint() + (instant - apparent.at);
        Span::from_nanos(shows.as_nanos().rem_euclid(step))
    }

    /// The phases of the server's step at which one answer alone proves that the clock is within the limit,
    /// for every offset that it may have. The phase is how much of the step, for example a second, has
    /// passed. `None` when there is no such phase.
    ///
    /// **Proof.** Let the clock appear as c when the reference lies in [r, R], and let the answer be given at
    /// the phase φ. The answer says c − φ, and alone it bounds the clock to [c − φ, c − φ + w], where w is its
    /// step, lag and round trip. So alone it bounds the offset to [c − φ − R, c − φ + w − r]. That is within
    /// ±L when φ ≤ c − R + L and φ ≥ c − r + w − L. What is known of c is an interval [a, b], and both must
    /// hold for all of it: φ ≤ (a − R) + L and φ ≥ (b − r) + w − L. The bounds on the apparent offset are
    /// exactly [a − R, b − r], so the width of the reference is in them already and must not be added again.
    ///
    /// A printer may round instead of truncating, and then its answer means [c − φ − h, c − φ + w + k], where c and φ are of
    /// the clock that the readings name ([`Self::apparent`]) and h and k reach beyond the step. Both go to the conditions:
    /// φ ≤ (a − R) + L − h and φ ≥ (b − r) + w + k − L.
    pub(super) fn conclusive_phases(&self, backend: &Backend) -> Option<Interval<Span>> {
        let samples = self.samples_of(backend);
        let step = Span::from(samples.finest_step());
        let (below, above) = samples.beyond_their_step();
        let width = step + above + Span::from(samples.greatest_lag() + samples.shortest_round_trip());
        let offset = self.apparent(backend).offset_from(&self.reference);
        let allowed = within(self.rules.limits.max_offset);
        let from = offset.latest() + width - allowed.latest();
        let to = offset.earliest() - allowed.earliest() - below;
        let (from, to) = (from.max(Span::ZERO), to.min(step));
        (from <= to).then(|| Interval::new(from, to))
    }

    /// When to ask over a fresh connection so that the answer is likely to be conclusive by itself.
    pub(super) fn confirming(
        &self,
        backend: &Backend,
        phases: Interval<Span>,
        now: MonotonicInstant,
    ) -> MonotonicInstant {
        let samples = self.samples_of(backend);
        let (step, travel) = (samples.finest_step(), samples.shortest_round_trip() / 2);
        if phases.contains(self.phase_at(backend, now + travel)) {
            return now;
        }
        // A little after the first of them, so that jitter of the path does not miss it.
        let inside =
            phases.earliest() + Span::from_nanos((phases.latest() - phases.earliest()).as_nanos() / 8);
        let apparent = self.apparent(backend);
        edge_at(apparent.shows.midpoint() - inside, apparent.at, step, travel, now)
    }
}

/// An upper bound on the chance that one of N clocks, which are drawn equally often, gave at most the
/// `failed` of n = `asked` answers.
///
/// It is the lower tail of the binomial distribution, for any of the clocks (union bound):
/// N · Σ C(n, i) · (1/N)ⁱ · (1 − 1/N)ⁿ⁻ⁱ for i from 0 to `failed`.
fn tail(asked: u32, failed: u32, clocks: f64) -> f64 {
    let share = 1.0 / clocks;
    let (mut term, mut tail) = ((1.0 - share).powf(f64::from(asked)), 0.0);
    for i in 0..=failed.min(asked) {
        tail += term;
        term *= f64::from(asked - i) / f64::from(i + 1) * share / (1.0 - share);
    }
    (clocks * tail).min(1.0)
}
