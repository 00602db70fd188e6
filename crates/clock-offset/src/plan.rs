//! The plan of a round for one address: what to ask next, when, and when to stop.
//!
//! The plan performs nothing. [`Plan::next`] says what to do, the caller does it and reports back with
//! [`Plan::record`] or [`Plan::kept_connection_was_lost`]. Three needs are met, in this order:
//!
//! 1. **Every backend**: fresh connections until another one is unlikely to have been missed.
//! 2. **Precision**: a few requests on each connection, because the first pays for a cold path.
//! 3. **A decision**: while the interval of a backend straddles a limit, the request that is most likely to
//!    decide it. Where the round trip is what makes it wide, that is any further request; where the answer's
//!    resolution is, it is a request timed to be answered as the clock passes a chosen instant: the reading
//!    tells on which side of it the offset lies. Aiming repeatedly bisects the second's edge.

use core::time::Duration;

use crate::backends::{Backend, Evidence, connections_needed, group_by_clock, miss_probability};
use crate::interval::{BoundedTime, Interval};
use crate::sample::Sample;
use crate::staleness::{Standstill, longest_stay, standstill};
use crate::time::{Drift, MonotonicInstant, Offset, UnixInstant};
use crate::verdict::{Limits, Verdict, within};

/// How a round is held.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// What is being judged.
    pub limits: Limits,
    /// How fast the server's and the checker's clock may run apart.
    pub drift: Drift,
    /// Requests on each connection, while the server keeps it open. At least 1.
    pub requests_per_connection: u32,
    /// The chance of having missed a backend that is small enough. Between 0 and 1, exclusive.
    pub miss_probability: f64,
    /// The most requests that one round may make to one address.
    pub max_requests: u32,
    /// No request is begun after this instant, so that each one had a fair time to be answered.
    pub last_start: MonotonicInstant,
}

/// Over which connection to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection {
    /// Open a new one.
    Fresh,
    /// The one that was used last.
    Kept,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Send a request at that instant; at once, when it has passed.
    Ask {
        /// Over which connection.
        over: Connection,
        /// When.
        at: MonotonicInstant,
    },
    /// The round is over for this address.
    Stop(StopReason),
}

/// Why a round is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// Every backend that was met is judged, and a missed one is unlikely.
    Decided,
    /// The clock stands still; more answers would only repeat it.
    Standstill,
    /// The last requests did not narrow the interval: the path is too slow for the limit.
    NoProgress,
    /// The reference is known too poorly, or the answers may lag too much: none of them could decide.
    Undecidable,
    /// [`Rules::max_requests`] are spent.
    RequestsSpent,
    /// [`Rules::last_start`] has passed.
    OutOfTime,
}

/// What a round proves about one address.
#[derive(Debug, Clone, PartialEq)]
pub struct Conclusion {
    /// The clocks behind the address.
    pub backends: Vec<JudgedBackend>,
    /// A clock that stands still, if one was seen.
    pub standstill: Option<Standstill>,
    /// Connections that brought an answer.
    pub connections: u32,
    /// Bound on the chance that one more backend was never met; see [`miss_probability`].
    pub miss_probability: f64,
}

/// A clock, its offset and the verdict on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgedBackend {
    /// The clock and its samples.
    pub backend: Backend,
    /// Bounds on its offset from the reference.
    pub offset: Interval<Offset>,
    /// What they prove.
    pub verdict: Verdict,
}

/// How many requests in a row may fail to narrow an interval before the plan gives up.
const PATIENCE: usize = 8;

/// Below this step, a reading is as sharp as any network path: timing a request to an edge gains nothing.
const COARSE_STEP: Duration = Duration::from_millis(2);

/// The state of a round for one address.
#[derive(Debug, Clone)]
pub struct Plan {
    rules: Rules,
    reference: BoundedTime,
    samples: Vec<Sample>,
    requests: u32,
    connection_is_open: bool,
}

impl Plan {
    /// A round that has not begun. `reference` is what the server's clock is compared with.
    #[must_use]
    pub fn new(rules: Rules, reference: BoundedTime) -> Self {
        Self { rules, reference, samples: Vec::new(), requests: 0, connection_is_open: false }
    }

    /// Takes note of an answer, and of whether the server keeps its connection open.
    pub fn record(&mut self, sample: Sample, connection_stays_open: bool) {
        self.requests += 1;
        self.connection_is_open = connection_stays_open;
        self.samples.push(sample);
    }

    /// Takes note of a request on a kept connection that the server had closed in the meantime. That is its
    /// right (RFC 9112 section 9.5) and no failure; the plan goes on with a fresh connection.
    pub fn kept_connection_was_lost(&mut self) {
        self.requests += 1;
        self.connection_is_open = false;
    }

    /// The samples so far, in the order of their recording.
    #[must_use]
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// What to do next, seen from `now`.
    #[must_use]
    pub fn next(&self, now: MonotonicInstant) -> Action {
        let Some(last) = self.samples.last() else {
            // The first request is always made: without one nothing at all is known.
            return Action::Ask { over: Connection::Fresh, at: now };
        };
        if standstill(&self.samples, self.rules.drift).is_some() {
            return Action::Stop(StopReason::Standstill);
        }
        if self.requests >= self.rules.max_requests {
            return Action::Stop(StopReason::RequestsSpent);
        }
        let on_last = self.samples.iter().filter(|sample| sample.connection == last.connection).count();
        let backends = self.backends();
        let needed = connections_needed(backends.len(), self.rules.miss_probability);
        // Connections after those serve a question of their own, at an instant of their own.
        let is_exploring = self.connections() <= needed;
        if is_exploring && self.connection_is_open && on_last < self.rules.requests_per_connection as usize {
            return self.ask_unless_out_of_time(Connection::Kept, now, now);
        }
        if self.connections() < needed {
            return self.ask_unless_out_of_time(Connection::Fresh, now, now);
        }
        self.decide(&backends, now)
    }

    /// What the samples prove.
    #[must_use]
    pub fn conclusion(&self) -> Conclusion {
        let backends = self.backends();
        Conclusion {
            standstill: standstill(&self.samples, self.rules.drift),
            connections: self.connections(),
            miss_probability: self.missed(&backends),
            backends: backends
                .into_iter()
                .map(|backend| JudgedBackend {
                    offset: backend.offset(&self.reference),
                    verdict: self.verdict(&backend),
                    backend,
                })
                .collect(),
        }
    }

    fn backends(&self) -> Vec<Backend> {
        group_by_clock(&self.samples, &self.expected(), self.rules.drift)
    }

    /// What a time of day is put on the nearest day of: the first sample, so that all of a round get the same
    /// day; and for that one the reference.
    fn expected(&self) -> BoundedTime {
        self.samples.first().map_or(self.reference, |first| first.bounds(&self.reference, self.rules.drift))
    }

    fn verdict(&self, backend: &Backend) -> Verdict {
        let verdict = backend.verdict(&self.reference, &self.rules.limits);
        let is_proven = match verdict {
            Verdict::InSync | Verdict::NotWithinWarning => self.is_confirmed(backend),
            Verdict::Undetermined | Verdict::Desynchronised => true,
        };
        if is_proven { verdict } else { Verdict::Undetermined }
    }

    /// Whether “in sync” is more than the overlap of what several clocks said.
    ///
    /// Answers that name no instance may come from clocks that differ and yet never contradict each other, when
    /// they are vague: what 0.5 s and 1.4 s ahead have in common, in whole seconds, is true of neither. So answers
    /// are needed, over as many connections as it takes to meet every backend, that are each within the limit by
    /// themselves. Answers too vague for that, whatever their timing, are taken to come from one clock.
    fn is_confirmed(&self, backend: &Backend) -> bool {
        let is_named_or_split = backend.instance.is_some() || backend.evidence == Evidence::ToldApart;
        is_named_or_split
            || !self.can_be_conclusive(backend)
            || self.doubt(backend) <= self.rules.miss_probability
    }

    /// Bound on the chance that the answers of a nameless backend that is in sync came from it and another one,
    /// equally often, that is not.
    ///
    /// Only connections count whose answer had to be within the limit by itself, given when it was asked for. A few
    /// of them may not be, because the path was slow at that moment; but an answer of the other clock never is.
    fn doubt(&self, backend: &Backend) -> f64 {
        let Some(phases) = self.conclusive_phases(backend) else {
            return 1.0;
        };
        let allowed = within(self.rules.limits.max_offset);
        let (mut asked, mut failed) = (Vec::new(), 0);
        for sample in backend.samples.iter().map(|&index| &self.samples[index]) {
            let arrival = sample.sent + sample.round_trip() / 2;
            if asked.contains(&sample.connection) || !phases.contains(self.phase_at(backend, arrival)) {
                continue;
            }
            asked.push(sample.connection);
            let alone = sample.bounds(&self.expected(), self.rules.drift).offset_from(&self.reference);
            failed += u32::from(!alone.is_within(&allowed));
        }
        // The lower tail of a fair coin, for either clock: 2 · Σ C(n, i) / 2ⁿ, i up to the failures.
        let asked = u32::try_from(asked.len()).unwrap_or(u32::MAX);
        let (mut term, mut tail) = (0.5_f64.powf(f64::from(asked)), 0.0);
        for i in 0..=failed {
            tail += term;
            term *= f64::from(asked - i) / f64::from(i + 1);
        }
        (2.0 * tail).min(1.0)
    }

    /// Whether there are offsets that one answer alone can prove to be within the limit.
    fn can_be_conclusive(&self, backend: &Backend) -> bool {
        let limit = Offset::from(self.rules.limits.max_offset);
        self.vagueness(backend) <= limit + limit
    }

    /// How wide the bounds of one answer are at the least: its step, lag and round trip, and the reference's width.
    fn vagueness(&self, backend: &Backend) -> Offset {
        let samples = || backend.samples.iter().map(|&index| &self.samples[index]);
        let step = samples().map(|sample| sample.reading.step).min().unwrap_or_default();
        let lag = samples().map(|sample| sample.reading.may_lag).max().unwrap_or_default();
        let round_trip = samples().map(Sample::round_trip).min().unwrap_or_default();
        Offset::from(step + lag + round_trip + self.reference.shows.width())
    }

    /// How much of its step a clock has passed at an instant, as far as its bounds tell.
    fn phase_at(&self, backend: &Backend, instant: MonotonicInstant) -> Offset {
        let steps = backend.samples.iter().map(|&index| self.samples[index].reading.step);
        let step = i128::try_from(steps.min().unwrap_or_default().as_nanos()).unwrap_or(i128::MAX).max(1);
        let apparent = self.apparent(backend);
        let shows = middle_of(&apparent.shows) + (instant - apparent.at);
        Offset::from_nanos(shows.as_nanos().rem_euclid(step))
    }

    /// The phases of the server's step (how much of its second has passed) at which one answer alone proves that
    /// the clock is within the limit, for every offset that it may have; nothing when there is no such phase.
    ///
    /// An answer at the phase φ of a clock that appears to be off by o bounds the offset to [o − φ, o − φ + step +
    /// lag + round trip].
    fn conclusive_phases(&self, backend: &Backend) -> Option<Interval<Offset>> {
        let steps = backend.samples.iter().map(|&index| self.samples[index].reading.step);
        let step = Offset::from(steps.min()?);
        let offset = self.apparent(backend).offset_from(&self.reference);
        let limit = Offset::from(self.rules.limits.max_offset);
        let from = offset.latest() + self.vagueness(backend) - limit;
        let to = offset.earliest() + limit - Offset::from(self.reference.shows.width());
        let (from, to) = (from.max(Offset::ZERO), to.min(step));
        (from <= to).then(|| Interval::between(from, to))
    }

    /// Bound on the chance that one more backend stands there and was not noticed.
    fn missed(&self, backends: &[Backend]) -> f64 {
        let never_met = miss_probability(backends.len(), self.connections());
        match backends {
            [only] if only.instance.is_none() && self.can_be_conclusive(only) => match self.verdict(only) {
                Verdict::InSync | Verdict::NotWithinWarning => never_met.max(self.doubt(only)),
                Verdict::Undetermined | Verdict::Desynchronised => never_met,
            },
            _ => never_met,
        }
    }

    fn connections(&self) -> u32 {
        self.samples.iter().map(|sample| sample.connection + 1).max().unwrap_or(0)
    }

    fn ask_unless_out_of_time(
        &self,
        over: Connection,
        at: MonotonicInstant,
        now: MonotonicInstant,
    ) -> Action {
        let at = at.max(now);
        if at > self.rules.last_start {
            Action::Stop(StopReason::OutOfTime)
        } else {
            Action::Ask { over, at }
        }
    }

    /// Every backend is met often enough; now the open questions, the one that can be asked first.
    fn decide(&self, backends: &[Backend], now: MonotonicInstant) -> Action {
        let mut next: Option<Action> = None;
        let mut gave_up = None;
        for backend in backends {
            match self.question(backend, now) {
                Some(Ok((over, at))) => {
                    let action = self.ask_unless_out_of_time(over, at, now);
                    next = Some(match (next, action) {
                        (Some(Action::Ask { at: best, .. }), Action::Ask { at, .. }) if at < best => action,
                        (None | Some(Action::Stop(_)), _) => action,
                        (Some(best), _) => best,
                    });
                }
                Some(Err(reason)) => gave_up = Some(reason),
                None => {}
            }
        }
        next.or(gave_up.map(Action::Stop)).unwrap_or(Action::Stop(StopReason::Decided))
    }

    /// The request that would settle what is open about a backend: nothing when nothing is, and the reason
    /// when no request can.
    fn question(
        &self,
        backend: &Backend,
        now: MonotonicInstant,
    ) -> Option<Result<(Connection, MonotonicInstant), StopReason>> {
        let over = self.connection_towards(backend);
        if let Verdict::InSync | Verdict::NotWithinWarning =
            backend.verdict(&self.reference, &self.rules.limits)
            && !self.is_confirmed(backend)
        {
            return Some(match self.conclusive_phases(backend) {
                Some(phases) => Ok((Connection::Fresh, self.confirming(backend, phases, now))),
                // Too close to the limit for that, or not known well enough yet.
                None => self.narrowing(backend, now).map(|at| (over, at)),
            });
        }
        match self.verdict(backend) {
            Verdict::Desynchronised => self.proof_of_motion(backend).map(|at| Ok((over, at))),
            Verdict::Undetermined => Some(self.narrowing(backend, now).map(|at| (over, at))),
            // A warning limit is a convenience; it is not worth a request that nobody asked for.
            Verdict::InSync | Verdict::NotWithinWarning => None,
        }
    }

    /// When to ask over a fresh connection so that the answer is likely to be conclusive by itself.
    fn confirming(
        &self,
        backend: &Backend,
        phases: Interval<Offset>,
        now: MonotonicInstant,
    ) -> MonotonicInstant {
        let samples = || backend.samples.iter().map(|&index| &self.samples[index]);
        let step = samples().map(|sample| sample.reading.step).min().unwrap_or_default();
        let travel = samples().map(Sample::round_trip).min().unwrap_or_default() / 2;
        if phases.contains(self.phase_at(backend, now + travel)) {
            return now;
        }
        // A little inside of the begin, so that a jitter of the path does not miss it.
        let inside =
            phases.earliest() + Offset::from_nanos((phases.latest() - phases.earliest()).as_nanos() / 8);
        let apparent = self.apparent(backend);
        edge_at(middle_of(&apparent.shows) - inside, apparent.at, step, travel, now)
    }

    fn connection_towards(&self, backend: &Backend) -> Connection {
        let last = self.samples.len().checked_sub(1);
        let leads_there = last.is_some_and(|last| backend.samples.contains(&last));
        if self.connection_is_open && leads_there { Connection::Kept } else { Connection::Fresh }
    }

    /// A cache that answers with an old time looks like a slow clock until it is seen not to move. When all
    /// readings so far are the same one, this is the instant from which a moving clock must show another.
    fn proof_of_motion(&self, backend: &Backend) -> Option<MonotonicInstant> {
        let first = &self.samples[*backend.samples.first()?];
        let same_name = |sample: &&Sample| sample.instance == first.instance;
        if self.samples.iter().filter(same_name).any(|sample| sample.reading != first.reading) {
            return None;
        }
        // One nanosecond more: standstill() asks for more than the longest stay.
        let due = first.received + longest_stay(first, self.rules.drift) + Duration::from_nanos(1);
        (due <= self.rules.last_start).then_some(due)
    }

    fn narrowing(&self, backend: &Backend, now: MonotonicInstant) -> Result<MonotonicInstant, StopReason> {
        let samples = || backend.samples.iter().map(|&index| &self.samples[index]);
        let step = samples().map(|sample| sample.reading.step).min().unwrap_or_default();
        let lag = samples().map(|sample| sample.reading.may_lag).max().unwrap_or_default();
        let round_trip = samples().map(Sample::round_trip).min().unwrap_or_default();

        let reference = self.reference.carried_to(backend.bounds.at, Drift::from_ppm(0));
        let apparent = self.apparent_bounds(backend);
        let (cuts, bounds) = match apparent {
            Some(apparent) => (Cuts::of(&reference, &self.rules.limits, lag), apparent),
            None => (Cuts::of(&reference, &self.rules.limits, Duration::ZERO), backend.bounds),
        };
        if !cuts.can_decide(&bounds.shows) {
            return Err(StopReason::Undecidable);
        }
        if step < COARSE_STEP || step < round_trip {
            // The path is what makes the interval wide: any request may be the lucky one.
            return if self.makes_no_progress(backend) { Err(StopReason::NoProgress) } else { Ok(now) };
        }
        // The best timing leaves an interval as wide as the round trip.
        if bounds.shows.width() <= round_trip + round_trip / 4 {
            return Err(StopReason::NoProgress);
        }
        let split = cuts.best_split(&bounds.shows, Offset::from(round_trip * 3 / 4));
        Ok(edge_at(split, bounds.at, step, round_trip / 2, now))
    }

    /// The clock as it appears in the answers, which may lag; the clock itself when they agree on none.
    fn apparent(&self, backend: &Backend) -> BoundedTime {
        self.apparent_bounds(backend).unwrap_or(backend.bounds)
    }

    /// The intersection of the apparent clock's bounds, when the samples agree on one.
    fn apparent_bounds(&self, backend: &Backend) -> Option<BoundedTime> {
        let (at, drift) = (backend.bounds.at, self.rules.drift);
        let bounds_of = |&index: &usize| {
            self.samples[index].apparent_bounds(&self.expected(), drift).carried_to(at, drift).shows
        };
        let mut all = backend.samples.iter().map(bounds_of);
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

fn middle_of(shows: &Interval<UnixInstant>) -> UnixInstant {
    UnixInstant::from_nanos(i128::midpoint(shows.earliest().as_nanos(), shows.latest().as_nanos()))
}

/// When to send a request so that it is read as the clock passes a multiple of `step`, if the clock shows
/// `split` at the instant `at`: then the reading says on which side of the split the clock is. Not before `now`.
fn edge_at(
    split: UnixInstant,
    at: MonotonicInstant,
    step: Duration,
    travel: Duration,
    now: MonotonicInstant,
) -> MonotonicInstant {
    let step = i128::try_from(step.as_nanos()).unwrap_or(i128::MAX);
    let until_edge = (-split.as_nanos()).rem_euclid(step);
    let aimed = at + Offset::from_nanos(until_edge).positive_part() - travel;
    let late_by = (now - aimed).as_nanos().max(0);
    let steps_later = (late_by + step - 1).div_euclid(step);
    aimed + Offset::from_nanos(steps_later * step).positive_part()
}

/// The server times at which the verdict changes, at one instant; the reference's own width, and the lag of
/// answers, lie between the pairs.
struct Cuts {
    /// Below this: proven behind.
    behind: UnixInstant,
    /// From here to `ok_to`: proven within the limit, if it is not empty.
    ok_from: UnixInstant,
    ok_to: UnixInstant,
    /// Above this: proven ahead.
    ahead: UnixInstant,
}

impl Cuts {
    /// The cuts for a clock of which an apparent time is known that may lag it by `lag`.
    fn of(reference: &BoundedTime, limits: &Limits, lag: Duration) -> Self {
        let allowed = within(limits.max_offset);
        let lag = Offset::from(lag);
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
            && Interval::between(self.ok_from, self.ok_to).intersection(shows).is_some();
        ok || shows.earliest() < self.behind || shows.latest() > self.ahead
    }

    /// Where to split the bounds so that one answer decides most often: just on the roomier side of the limit
    /// that they straddle (`slack` keeps the round trip from blurring it), else in the middle.
    fn best_split(&self, shows: &Interval<UnixInstant>, slack: Offset) -> UnixInstant {
        let (earliest, latest) = (shows.earliest(), shows.latest());
        let middle = middle_of(shows);
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
        let margin = Offset::from_nanos((latest - earliest).as_nanos() / 8);
        if split < earliest + margin || split > latest - margin { middle } else { split }
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
