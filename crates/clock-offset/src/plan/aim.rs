//! The request that narrows an interval the most, and when to send it.

use core::time::Duration;

use crate::backends::{Backend, Evidence, group_by_clock};
use crate::interval::{BoundedTime, Interval};
use crate::sample::Sample;
use crate::time::{MonotonicInstant, Span, UnixInstant};
use crate::verdict::{Limits, within};

use super::{
    COARSE_STEP, PATIENCE, PATIENCE_WHEN_AIMED, Plan, REQUESTS_UNAIMED, Request, StopReason, Via, is_coarse,
};

/// How many kept connections may be lost before a server counts as one that keeps none.
const MOST_LOST: u32 = 2;

impl Plan {
    /// When to send the request that is most likely to decide on which side of a limit a backend is, or the
    /// reason why no request can.
    pub(super) fn narrowing(
        &self,
        backend: &Backend,
        now: MonotonicInstant,
    ) -> Result<MonotonicInstant, StopReason> {
        let samples = self.samples_of(backend);
        let (step, round_trip) = (samples.finest_step(), samples.shortest_round_trip());

        let reference = self.reference.at(backend.bounds.at);
        let apparent = self.apparent_bounds(backend);
        let (thresholds, bounds) = match apparent {
            Some(apparent) => {
                (Thresholds::of(&reference, &self.rules.limits, samples.greatest_lag()), apparent)
            }
            None => (Thresholds::of(&reference, &self.rules.limits, Duration::ZERO), backend.bounds),
        };
        if !thresholds.can_decide(&bounds.shows) {
            return Err(StopReason::Undecidable);
        }
        // How old their answers may be is not learned from one more of them.
        if backend.evidence == Evidence::SeveralCaches {
            return Err(StopReason::NoProgress);
        }
        // Of a clock that ticks more coarsely than it prints, the printed steps are no edges.
        if step < COARSE_STEP || step < round_trip || !backend.tick.is_zero() {
            // The interval is wide because of the path, so any request may be the one that narrows it.
            return if self.makes_no_progress(backend, PATIENCE) {
                Err(StopReason::NoProgress)
            } else {
                Ok(now)
            };
        }
        // The best timing leaves an interval as wide as the round trip.
        if is_as_narrow_as(round_trip, &bounds) || self.makes_no_progress(backend, PATIENCE_WHEN_AIMED) {
            return Err(StopReason::NoProgress);
        }
        let split = thresholds.best_split(&bounds.shows, Span::from(round_trip * 3 / 4));
        let split = if self.edge_may_be_halfway(backend) { split + Span::from(step / 2) } else { split };
        Ok(edge_at(split, bounds.at, step, round_trip / 2, now))
    }

    /// When to halve what is known of the clock that the readings name, where they reach beyond their steps: it is their edges
    /// that tell at which time one answer proves the most. `None` once that is known to the round trip.
    pub(super) fn halving_the_edge(
        &self,
        backend: &Backend,
        now: MonotonicInstant,
    ) -> Option<MonotonicInstant> {
        let samples = self.samples_of(backend);
        let (step, round_trip) = (samples.finest_step(), samples.shortest_round_trip());
        let (below, above) = samples.beyond_their_step();
        let apparent = self.apparent(backend);
        (below + above >= Span::from(step / 2) && !is_as_narrow_as(round_trip, &apparent))
            .then(|| edge_at(apparent.shows.midpoint(), apparent.at, step, round_trip / 2, now))
    }

    /// Whether the next request is aimed half a step later, because the last one narrowed nothing.
    ///
    /// A reading that is wider than its step may be truncated or rounded. If it is rounded, it changes half a step
    /// away from the multiples of the step, and a request aimed at those can get the same reading each time.
    fn edge_may_be_halfway(&self, backend: &Backend) -> bool {
        let samples = self.samples_of(backend);
        let may_be_rounded =
            |sample: &Sample| sample.reading.width() > sample.reading.step + sample.reading.may_lag;
        if !samples.iter().any(may_be_rounded) {
            return false;
        }
        let (at, drift, expected) = (backend.bounds.at, self.rules.drift, self.expected());
        let mut known: Option<Interval<UnixInstant>> = None;
        let mut in_vain = 0;
        for sample in samples.iter() {
            let bounds = sample.apparent_bounds(&expected, drift).carried_to(at, drift).shows;
            let narrowed = match known {
                None => bounds,
                Some(known) => known.intersection(&bounds).unwrap_or(known),
            };
            let gained = known.is_none_or(|known| narrowed.width() < known.width().mul_f64(0.95));
            in_vain = if gained { 0 } else { in_vain + 1 };
            known = Some(narrowed);
        }
        in_vain % 2 == 1
    }

    /// The next of the [`Rules::requests_per_connection`](super::Rules) for a clock of coarse steps.
    ///
    /// All of them go over one connection, and are aimed at the middle of what is known. Each halves the
    /// interval, until it is about as narrow as the round trip.
    pub(super) fn sharpening(&self, backend: &Backend, now: MonotonicInstant) -> Option<Request> {
        let promised = self.rules.requests_per_connection;
        let samples = self.samples_of(backend);
        let (step, round_trip) = (samples.finest_step(), samples.shortest_round_trip());
        let bounds = self.apparent_bounds(backend)?;
        if promised <= REQUESTS_UNAIMED
            || !samples.iter().any(is_coarse)
            || is_as_narrow_as(round_trip, &bounds)
        {
            return None;
        }
        let asked_over = |connection| samples.iter().filter(|sample| sample.connection == connection).count();
        let via = self.route_to(backend);
        let may_be_asked = match via {
            Via::Kept(connection) => asked_over(connection) < promised as usize,
            // Once, and not if the server keeps no connections.
            Via::Fresh(_) => {
                let had_its_own = |sample: &Sample| asked_over(sample.connection) > REQUESTS_UNAIMED as usize;
                self.server_keeps_open && self.lost < MOST_LOST && !samples.iter().any(had_its_own)
            }
        };
        let at = edge_at(bounds.shows.midpoint(), bounds.at, step, round_trip / 2, now);
        (may_be_asked && at <= self.rules.last_start).then_some(Request { via, at })
    }

    /// Bounds on the clock that the readings name, whose steps are theirs: the real one less its lag, or half a step ahead of
    /// it where a printer rounds. Bounds on the real clock when the samples agree on no such clock.
    pub(super) fn apparent(&self, backend: &Backend) -> BoundedTime {
        self.common_bounds(backend, |sample, bounds| {
            let (below, above) = sample.reading.beyond_its_step();
            Interval::new(bounds.earliest() + below, bounds.latest() - above)
        })
        .unwrap_or(backend.bounds)
    }

    /// The intersection of the samples' bounds on the apparent clock, which may lag the real one, if they overlap.
    fn apparent_bounds(&self, backend: &Backend) -> Option<BoundedTime> {
        self.common_bounds(backend, |_, bounds| bounds)
    }

    fn common_bounds(
        &self,
        backend: &Backend,
        narrowed: impl Fn(&Sample, Interval<UnixInstant>) -> Interval<UnixInstant>,
    ) -> Option<BoundedTime> {
        let (at, drift) = (backend.bounds.at, self.rules.drift);
        let expected = self.expected();
        let bounds_of = |sample: &Sample| {
            let bounds = sample.apparent_bounds(&expected, drift);
            BoundedTime { shows: narrowed(sample, bounds.shows), ..bounds }.carried_to(at, drift).shows
        };
        let mut all = self.samples_of(backend).iter().map(bounds_of);
        let first = all.next()?;
        let shows = all.try_fold(first, |together, bounds| together.intersection(&bounds))?;
        Some(BoundedTime { at, shows })
    }

    /// Whether the last samples of this backend narrowed its interval by less than a twentieth.
    fn makes_no_progress(&self, backend: &Backend, last: usize) -> bool {
        let Some(older) = backend.samples.len().checked_sub(last).filter(|&older| older > 0) else {
            return false;
        };
        let before: Vec<Sample> =
            backend.samples[..older].iter().map(|&index| self.samples[index].clone()).collect();
        let widest = group_by_clock(&before, &self.expected(), self.rules.drift)
            .iter()
            .map(|group| group.bounds.shows.width())
            .max()
            .unwrap_or_default();
        backend.bounds.shows.width() > widest.mul_f64(0.95)
    }
}

/// Whether bounds are about as narrow as the round trip, so that aiming cannot narrow them any further.
fn is_as_narrow_as(round_trip: Duration, bounds: &BoundedTime) -> bool {
    bounds.shows.width() <= round_trip + round_trip / 4
}

/// When to send a request so that the server reads its clock as that passes a multiple of `step`, if it shows
/// `split` at the instant `at`. The reading then says on which side of the split the clock is. Never before
/// `now`.
pub(crate) fn edge_at(
    split: UnixInstant,
    at: MonotonicInstant,
    step: Duration,
    travel: Duration,
    now: MonotonicInstant,
) -> MonotonicInstant {
    let step = Span::from(step).as_nanos();
    let until_edge = (-split.as_nanos()).rem_euclid(step);
    let aimed = at + Span::from_nanos(until_edge).positive_part() - travel;
    let late_by = (now - aimed).as_nanos().max(0);
    let steps_later = (late_by + step - 1).div_euclid(step);
    aimed + Span::from_nanos(steps_later * step).positive_part()
}

/// The server times at which the verdict changes, at one instant. Each limit has a pair of them, one for each
/// verdict. The width of the reference and the lag of the answers are between the two.
struct Thresholds {
    /// Below this, the clock is proven to be behind.
    behind: UnixInstant,
    /// From here to `ok_to`, the clock is proven to be within the limit. Empty when `ok_to` is earlier.
    ok_from: UnixInstant,
    ok_to: UnixInstant,
    /// Above this, the clock is proven to be ahead.
    ahead: UnixInstant,
}

impl Thresholds {
    /// The thresholds for an apparent clock that may lag the real one by `lag`.
    fn of(reference: &BoundedTime, limits: &Limits, lag: Duration) -> Self {
        let allowed = within(limits.max_offset);
        let lag = Span::from(lag);
        Self {
            behind: reference.shows.earliest() + allowed.earliest() - lag,
            ok_from: reference.shows.latest() + allowed.earliest(),
            ok_to: reference.shows.earliest() + allowed.latest() - lag,
            ahead: reference.shows.latest() + allowed.latest(),
        }
    }

    /// Whether knowing the server time exactly, somewhere inside these bounds, could decide anything.
    fn can_decide(&self, shows: &Interval<UnixInstant>) -> bool {
        let ok = self.ok_from <= self.ok_to
            && Interval::new(self.ok_from, self.ok_to).intersection(shows).is_some();
        ok || shows.earliest() < self.behind || shows.latest() > self.ahead
    }

    /// Where to split the bounds so that one answer decides most often. That is close to the limit that they
    /// straddle, on the side with more room; `slack` keeps the round trip from blurring it. Otherwise it is
    /// the middle.
    fn best_split(&self, shows: &Interval<UnixInstant>, slack: Span) -> UnixInstant {
        let (earliest, latest) = (shows.earliest(), shows.latest());
        let middle = shows.midpoint();
        let straddles_upper = latest > self.ok_to && earliest <= self.ahead;
        let straddles_lower = earliest < self.ok_from && latest >= self.behind;
        let split = match (straddles_lower, straddles_upper) {
            (false, true) if self.ok_to - earliest >= latest - self.ahead => self.ok_to - slack,
            (false, true) => self.ahead + slack,
            (true, false) if latest - self.ok_from >= self.behind - earliest => self.ok_from + slack,
            (true, false) => self.behind - slack,
            _ => middle,
        };
        // A split close to an end would leave nearly everything open when it misses.
        let margin = Span::from_nanos((latest - earliest).as_nanos() / 8);
        if split < earliest + margin || split > latest - margin { middle } else { split }
    }
}
