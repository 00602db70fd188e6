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

mod aim;
mod confirmation;

use core::time::Duration;

use crate::backends::{Backend, Evidence, connections_needed, group_by_clock, miss_probability};
use crate::interval::{BoundedTime, Interval};
use crate::sample::Sample;
use crate::staleness::{Standstill, longest_stay, standstill};
use crate::time::{Drift, MonotonicInstant, Offset};
use crate::verdict::{Limits, Verdict};

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
    /// A nameless clock is called in sync although its answers are too vague to be more than the overlap of
    /// several: then that it is one clock is believed and not proven.
    pub one_clock_is_believed: bool,
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
            one_clock_is_believed: backends.iter().any(|backend| {
                let is_nameless = backend.instance.is_none() && backend.evidence == Evidence::OneClock;
                let in_sync = matches!(self.verdict(backend), Verdict::InSync | Verdict::NotWithinWarning);
                is_nameless && in_sync && !self.can_be_conclusive(backend)
            }),
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
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
