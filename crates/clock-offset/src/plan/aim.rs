//! The request that narrows an interval the most, and when to send it.

use core::time::Duration;

use crate::backends::{Backend, group_by_clock};
use crate::interval::{BoundedTime, Interval};
use crate::sample::Sample;
use crate::time::{MonotonicInstant, Span, UnixInstant};
use crate::verdict::{Limits, within};

use super::{COARSE_STEP, PATIENCE, Plan, REQUESTS_UNAIMED, Request, StopReason, Via, is_coarse};

/// Kept connections that may be lost before a server is taken for one that lets nobody stay.
const MOST_LOST: u32 = 2;

impl Plan {
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
        if step < COARSE_STEP || step < round_trip {
            // The path is what makes the interval wide: any request may be the lucky one.
            return if self.makes_no_progress(backend) { Err(StopReason::NoProgress) } else { Ok(now) };
        }
        // The best timing leaves an interval as wide as the round trip.
        if is_as_narrow_as(round_trip, &bounds) {
            return Err(StopReason::NoProgress);
        }
        let split = thresholds.best_split(&bounds.shows, Span::from(round_trip * 3 / 4));
        Ok(edge_at(split, bounds.at, step, round_trip / 2, now))
    }

    /// The next of the requests that a connection was promised ([`Rules::requests_per_connection`](super::Rules)), for a
    /// clock of coarse steps: all of them over one connection, aimed at the middle of what is known. Each halves the
    /// interval, until the round trip is what makes it wide.
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
        let via = self.way_to(backend);
        let may_be_asked = match via {
            Via::Kept(connection) => asked_over(connection) < promised as usize,
            // Once; and not of a server that lets nobody stay.
            Via::Fresh(_) => {
                let had_its_own = |sample: &Sample| asked_over(sample.connection) > REQUESTS_UNAIMED as usize;
                self.server_keeps_open && self.lost < MOST_LOST && !samples.iter().any(had_its_own)
            }
        };
        let at = edge_at(bounds.shows.midpoint(), bounds.at, step, round_trip / 2, now);
        (may_be_asked && at <= self.rules.last_start).then_some(Request { via, at })
    }

    /// The clock as it appears in the answers, which may lag; the clock itself when they agree on none.
    pub(super) fn apparent(&self, backend: &Backend) -> BoundedTime {
        self.apparent_bounds(backend).unwrap_or(backend.bounds)
    }

    /// The intersection of the apparent clock's bounds, when the samples agree on one.
    fn apparent_bounds(&self, backend: &Backend) -> Option<BoundedTime> {
        let (at, drift) = (backend.bounds.at, self.rules.drift);
        let expected = self.expected();
        let bounds_of =
            |sample: &Sample| sample.apparent_bounds(&expected, drift).carried_to(at, drift).shows;
        let mut all = self.samples_of(backend).iter().map(bounds_of);
        let first = all.next()?;
        let shows = all.try_fold(first, |together, bounds| together.intersection(&bounds))?;
        Some(BoundedTime { at, shows })
    }

    /// Whether the last [`PATIENCE`] samples of this backend took less than a twentieth off its interval.
    fn makes_no_progress(&self, backend: &Backend) -> bool {
        let Some(older) = backend.samples.len().checked_sub(PATIENCE).filter(|&older| older > 0) else {
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

/// Whether bounds are about as narrow as the round trip: aiming cannot narrow them any further.
fn is_as_narrow_as(round_trip: Duration, bounds: &BoundedTime) -> bool {
    bounds.shows.width() <= round_trip + round_trip / 4
}

/// When to send a request so that it is read as the clock passes a multiple of `step`, if the clock shows
/// `split` at the instant `at`: then the reading says on which side of the split the clock is. Not before `now`.
pub(super) fn edge_at(
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

/// The server times at which the verdict changes, at one instant; the reference's own width, and the lag of
/// answers, lie between the pairs.
struct Thresholds {
    /// Below this: proven behind.
    behind: UnixInstant,
    /// From here to `ok_to`: proven within the limit, if it is not empty.
    ok_from: UnixInstant,
    ok_to: UnixInstant,
    /// Above this: proven ahead.
    ahead: UnixInstant,
}

impl Thresholds {
    /// The thresholds for a clock of which an apparent time is known that may lag it by `lag`.
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

    /// Whether perfect knowledge of a server time inside these bounds could decide anything.
    fn can_decide(&self, shows: &Interval<UnixInstant>) -> bool {
        let ok = self.ok_from <= self.ok_to
            && Interval::new(self.ok_from, self.ok_to).intersection(shows).is_some();
        ok || shows.earliest() < self.behind || shows.latest() > self.ahead
    }

    /// Where to split the bounds so that one answer decides most often: just on the roomier side of the limit
    /// that they straddle (`slack` keeps the round trip from blurring it), else in the middle.
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
