//! The plan of a round for one address: what to ask next, when, and when to stop.
//!
//! The plan performs nothing. [`Plan::next`] says what to do, and the caller does it and reports back with
//! [`Plan::record`] and [`Plan::kept_connection_was_lost`]. The plan has three goals, in this order:
//!
//! 1. **Every backend**: fresh connections, several side by side, until it is unlikely that another backend
//!    was missed.
//! 2. **Precision**: a few requests on each connection, because the first one is slowed by a cold path.
//! 3. **A decision**: while the interval of a backend straddles a limit, the request that is most likely to
//!    decide it. If the interval is wide because of the round trip, that is any further request. If it is
//!    wide because of the resolution of the answers, the request is timed to be answered as the clock passes
//!    a chosen instant. The reading then tells on which side of it the offset is. Doing so repeatedly bisects
//!    the edge of the second.

mod aim;
mod backend_samples;
mod backoff;
mod confirmation;

use core::num::NonZeroUsize;
use core::time::Duration;
use std::collections::BTreeSet;

use crate::backends::{Backend, Evidence, connections_needed, group_by_clock, miss_probability};
use crate::interval::{BoundedTime, Interval, ReferenceClock};
use crate::sample::Sample;
use crate::staleness::{Standstill, least_standstill, standstill, suspected_standstill};
use crate::time::{Drift, MonotonicInstant, Offset};
use crate::verdict::{Limits, Verdict};

use backoff::{Backoff, Resort};
pub use backoff::{Batch, Gentleness, Rejection, RejectionKind};

/// The parameters of a round.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// How far the server's clock may be off.
    pub limits: Limits,
    /// How fast the server's and the checker's clock may run apart.
    pub drift: Drift,
    /// Requests on each connection, while the server keeps it open. At least 1.
    pub requests_per_connection: u32,
    /// The chance of having missed a backend that is accepted. Between 0 and 1, exclusive.
    pub miss_probability: f64,
    /// How many backends are known to be behind the address, if that is known. They are looked for until
    /// meeting all of them but one would have been unlikely.
    pub expected_backends: Option<NonZeroUsize>,
    /// The most requests that one round may make to one address.
    pub max_requests: u32,
    /// The most connections that are asked side by side. At least 1. [`MAX_CONNECTIONS`] is a good choice.
    pub max_connections: u32,
    /// No request starts after this instant, so that each one has enough time to be answered.
    pub last_start: MonotonicInstant,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Open new connections side by side, and send requests over each.
    Open(NewConnections),
    /// Send one more request over a connection that is open.
    Ask {
        /// The connection. Connections are counted from 0 in the order in which they were opened.
        connection: u32,
        /// When to send the request; at once, when this instant has passed.
        at: MonotonicInstant,
    },
    /// The round is over for this address.
    Stop(StopReason),
}

/// Connections to open side by side.
///
/// The first request over each is sent at one instant. The others follow one after the other, while the
/// server keeps the connection open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewConnections {
    /// How many connections. At least 1.
    pub count: u32,
    /// How many requests over each. At least 1.
    pub requests: u32,
    /// When the first request is sent; at once, when this instant has passed.
    pub at: MonotonicInstant,
    /// Whether they stay open for further requests. Connections that only explore are closed: a server that
    /// serves one connection at a time could not answer the next one.
    pub keep: bool,
}

/// Why a round is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// There is a verdict on every backend that was met, and it is unlikely that one was missed.
    Decided,
    /// The clock stands still, and further answers would repeat the same reading.
    Standstill,
    /// The last requests did not narrow the interval: the path is too slow for the limit.
    NoProgress,
    /// No answer could decide, because the reference is not known well enough or the answers may lag too
    /// much.
    Undecidable,
    /// [`Rules::max_requests`] are spent.
    RequestsSpent,
    /// [`Rules::last_start`] has passed.
    OutOfTime,
    /// The service failed when it was asked alone, and gentleness did not help.
    Rejected,
    /// The service answered, and then rejected what came until [`Rules::last_start`], as a limit on the rate of requests
    /// does.
    Limited,
}

/// What a round proves about one address.
#[derive(Debug, Clone, PartialEq)]
pub struct Conclusion {
    /// The clocks behind the address.
    pub backends: Vec<JudgedBackend>,
    /// That one clock gave all answers of a backend is assumed and not proven. The backend has no name and is
    /// in sync, but its answers are so coarse that this may be the overlap of several clocks.
    pub one_clock_is_believed: bool,
    /// Whether the number of backends is known: they name themselves, or [`Rules::expected_backends`] is set.
    /// Otherwise backends whose clocks agree look like one, and [`miss_probability`](Self::miss_probability)
    /// is what it would be with one or two backends.
    pub backends_are_counted: bool,
    /// A clock that stands still, if one was seen.
    pub standstill: Option<Standstill>,
    /// The number of connections over which an answer came.
    pub connections: u32,
    /// An upper bound on the chance that one more backend was never met; see [`miss_probability`].
    pub miss_probability: f64,
    /// How gently the service had to be asked.
    pub gentleness: Gentleness,
}

/// A clock, its offset and the verdict on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgedBackend {
    /// The clock and its samples.
    pub backend: Backend,
    /// Bounds on its offset from the reference.
    pub offset: Interval<Offset>,
    /// What these bounds prove.
    pub verdict: Verdict,
}

/// How many requests in a row may fail to narrow an interval before the plan gives up.
const PATIENCE: usize = 8;

/// Below this step, a reading is as sharp as any network path: timing a request to an edge gains nothing.
const COARSE_STEP: Duration = Duration::from_millis(2);

/// How many connections a round asks side by side, unless the rules or the service say less. One backend needs eight at
/// a miss probability of 1 %, so opening them takes two round trips and not eight.
pub const MAX_CONNECTIONS: u32 = 8;

/// The factor by which [`Rules::miss_probability`] shrinks before expected backends are reported as missing.
pub const CERTAINTY: f64 = 0.000_1;

/// The number of requests with which a connection to a clock of coarse steps begins. The second one does not
/// pay for the cold path. Any further one has to be aimed, or it would repeat what is known.
const REQUESTS_UNAIMED: u32 = 2;

/// A request that would settle something.
#[derive(Debug, Clone, Copy)]
struct Request {
    via: Via,
    at: MonotonicInstant,
}

/// The connections that carry a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Via {
    /// A connection that is open.
    Kept(u32),
    /// That many new connections, side by side.
    Fresh(u32),
}

/// The state of a round for one address.
///
/// A whole round is in the example of the [crate](crate#a-round). It starts like this:
///
/// ```
/// use std::time::Duration;
///
/// use clock_offset::{
///     Action, BoundedTime, Drift, Interval, Limits, MonotonicInstant, Plan, ReferenceClock, Rules,
///     StopReason, UnixInstant,
/// };
///
/// let start = MonotonicInstant::ORIGIN;
/// let noon = UnixInstant::from_nanos(1_795_521_600_000_000_000);
/// let bounds = BoundedTime { at: start, shows: Interval::point(noon) };
/// let rules = Rules {
///     limits: Limits { max_offset: Duration::from_secs(1), warn_offset: None },
///     drift: Drift::DISCIPLINED,
///     requests_per_connection: 2,
///     miss_probability: 0.01,
///     expected_backends: None,
///     max_requests: 64,
///     max_connections: 8,
///     last_start: start + Duration::from_secs(5),
/// };
/// let plan = Plan::new(rules, ReferenceClock { bounds, drift: Drift::DISCIPLINED });
///
/// // The first connection is opened alone.
/// let Action::Open(first) = plan.next(start) else { panic!("nothing was asked yet") };
/// assert_eq!((first.count, first.requests, first.at), (1, 2, start));
/// // No request starts after `last_start`.
/// let late = start + Duration::from_secs(6);
/// assert_eq!(plan.next(late), Action::Stop(StopReason::OutOfTime));
/// ```
#[derive(Debug, Clone)]
pub struct Plan {
    rules: Rules,
    reference: ReferenceClock,
    samples: Vec<Sample>,
    requests: u32,
    /// The connections that are open.
    open: BTreeSet<u32>,
    /// Whether the server left the connection of its latest answer open.
    server_keeps_open: bool,
    /// How many kept connections the server closed nevertheless.
    lost: u32,
    /// How gently the service has to be asked.
    backoff: Backoff,
}

impl Plan {
    /// A round that has not started. The server's clock is compared with `reference`.
    #[must_use]
    pub fn new(rules: Rules, reference: ReferenceClock) -> Self {
        Self {
            rules,
            reference,
            samples: Vec::new(),
            requests: 0,
            open: BTreeSet::new(),
            server_keeps_open: false,
            lost: 0,
            backoff: Backoff::new(rules.max_connections),
        }
    }

    /// Records an answer, and whether the server keeps its connection open. Answers over connections that
    /// were opened side by side are recorded in the order of their arrival.
    pub fn record(&mut self, sample: Sample, connection_stays_open: bool) {
        self.requests += 1;
        self.server_keeps_open = connection_stays_open;
        if connection_stays_open {
            self.open.insert(sample.connection);
        } else {
            self.open.remove(&sample.connection);
        }
        self.samples.push(sample);
    }

    /// Records a request on a kept connection that the server had closed in the meantime. A server may do
    /// that (RFC 9112 section 9.5), so it is no failure, and the plan goes on over another connection.
    pub fn kept_connection_was_lost(&mut self, connection: u32) {
        self.requests += 1;
        self.lost += 1;
        self.open.remove(&connection);
    }

    /// Records that the caller closed a connection.
    pub fn connection_was_closed(&mut self, connection: u32) {
        self.open.remove(&connection);
    }

    /// Records a request whose answer must not be used, because the measurement itself was disturbed.
    pub fn answer_was_discarded(&mut self, connection: u32, connection_stays_open: bool) {
        self.requests += 1;
        if !connection_stays_open {
            self.open.remove(&connection);
        }
    }

    /// The samples so far, in the order in which they were recorded.
    #[must_use]
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// What to do next, at the instant `now`.
    #[must_use]
    pub fn next(&self, now: MonotonicInstant) -> Action {
        if self.backoff.resort() == Resort::Rejected {
            return Action::Stop(StopReason::Rejected);
        }
        // What has to wait is planned for the instant at which it may be asked.
        let now = now.max(self.backoff.not_before());
        if self.samples.is_empty() {
            if self.requests >= self.rules.max_requests {
                return Action::Stop(StopReason::RequestsSpent);
            }
            // The first connection is opened alone: a server that cannot answer one need not be asked over
            // eight.
            let requests = self.rules.requests_per_connection.min(REQUESTS_UNAIMED);
            return self.open(NewConnections { count: 1, requests, at: now, keep: false }, now);
        }
        if standstill(&self.samples, self.rules.drift).is_some() {
            return Action::Stop(StopReason::Standstill);
        }
        if self.requests >= self.rules.max_requests {
            return Action::Stop(StopReason::RequestsSpent);
        }
        if let Some(due) = suspected_standstill(&self.samples, self.rules.drift)
            && due <= self.rules.last_start
        {
            return self.open(NewConnections { count: 1, requests: 1, at: due, keep: false }, now);
        }
        let backends = self.backends();
        let unmet = self.connections_needed(&backends).saturating_sub(self.connections());
        let lacking = unmet.max(self.backoff.answers_lacking(self.rules.miss_probability));
        if lacking > 0 {
            let requests = self.requests_unaimed();
            return self.open(NewConnections { count: lacking, requests, at: now, keep: false }, now);
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
            backends_are_counted: self.rules.expected_backends.is_some()
                || backends.iter().all(|backend| backend.instance.is_some()),
            standstill: standstill(&self.samples, self.rules.drift),
            connections: self.connections(),
            miss_probability: self.missed(&backends),
            gentleness: self.backoff.gentleness(self.rules.miss_probability),
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

    /// The time to which a time of day is put nearest: the first sample, so that all of a round get the same
    /// day. The first sample itself is put nearest to the reference.
    fn expected(&self) -> BoundedTime {
        let reference = self.reference.bounds;
        self.samples.first().map_or(reference, |first| first.bounds(&reference, self.rules.drift))
    }

    fn verdict(&self, backend: &Backend) -> Verdict {
        let verdict = backend.verdict(&self.reference, &self.rules.limits);
        let is_proven = match verdict {
            Verdict::InSync | Verdict::NotWithinWarning => self.is_confirmed(backend),
            Verdict::Undetermined | Verdict::Desynchronized => true,
        };
        if is_proven { verdict } else { Verdict::Undetermined }
    }

    /// An upper bound on the chance that there is one more backend that was not noticed.
    fn missed(&self, backends: &[Backend]) -> f64 {
        let never_met = miss_probability(self.seen(backends), self.connections());
        match backends {
            [only] if only.instance.is_none() && self.can_be_conclusive(only) => match self.verdict(only) {
                Verdict::InSync | Verdict::NotWithinWarning => never_met.max(self.doubt(only)),
                Verdict::Undetermined | Verdict::Desynchronized => never_met,
            },
            _ => never_met,
        }
    }

    /// The number of backends that is assumed when the chance of missing one more is computed: those that
    /// were met, or all but one of those that are known to be there.
    fn seen(&self, backends: &[Backend]) -> usize {
        let expected = self.rules.expected_backends.map_or(0, |expected| expected.get() - 1);
        backends.len().max(expected)
    }

    /// How many fresh connections make it unlikely that one more backend is missed.
    ///
    /// That some of the expected backends are missing is a verdict, which must not depend on luck. So the
    /// accepted chance shrinks by [`CERTAINTY`] first.
    fn connections_needed(&self, backends: &[Backend]) -> u32 {
        let are_named = backends.iter().all(|backend| backend.instance.is_some());
        let some_are_missing =
            are_named && self.rules.expected_backends.is_some_and(|expected| backends.len() < expected.get());
        let doubt = self.rules.miss_probability * if some_are_missing { CERTAINTY } else { 1.0 };
        connections_needed(self.seen(backends), doubt)
    }

    /// The number of connections over which an answer came.
    fn connections(&self) -> u32 {
        let connections: BTreeSet<u32> = self.samples.iter().map(|sample| sample.connection).collect();
        u32::try_from(connections.len()).unwrap_or(u32::MAX)
    }

    /// The number of requests with which a new connection begins.
    fn requests_unaimed(&self) -> u32 {
        // Each request may count where there is a limit, and what is open then is a question of connections.
        let wanted = if self.backoff.is_needed() { 1 } else { self.rules.requests_per_connection };
        if self.samples.iter().any(is_coarse) { wanted.min(REQUESTS_UNAIMED) } else { wanted }
    }

    /// Opens these connections, or fewer when not enough requests are left. Ends the round when it is too
    /// late.
    fn open(&self, wanted: NewConnections, now: MonotonicInstant) -> Action {
        let at = wanted.at.max(now);
        if at > self.rules.last_start {
            return self.out_of_time();
        }
        let left = self.rules.max_requests.saturating_sub(self.requests).max(1);
        let requests = wanted.requests.min(left);
        let count = wanted.count.min(self.backoff.most()).min(left / requests);
        Action::Open(NewConnections { count, requests, at, ..wanted })
    }

    /// Nothing may be asked any more. What that means depends on what came last.
    fn out_of_time(&self) -> Action {
        Action::Stop(match self.backoff.unanswered().map(|rejection| rejection.kind) {
            None => StopReason::OutOfTime,
            Some(RejectionKind::TooManyRequests) => StopReason::Limited,
            // A service that never answered is not limited, however late it wants to be asked again.
            Some(RejectionKind::Unavailable) if self.backoff.has_answered() => StopReason::Limited,
            Some(_) => StopReason::Rejected,
        })
    }

    /// Once every backend was met often enough, asks the open question that can be asked first.
    fn decide(&self, backends: &[Backend], now: MonotonicInstant) -> Action {
        let mut next: Option<Request> = None;
        let mut gave_up = None;
        for backend in backends {
            match self.question(backend, now) {
                Some(Ok(request)) if next.is_none_or(|best| request.at < best.at) => next = Some(request),
                Some(Err(reason)) => gave_up = Some(reason),
                Some(Ok(_)) | None => {}
            }
        }
        let Some(Request { via, at }) = next else {
            return Action::Stop(gave_up.unwrap_or(StopReason::Decided));
        };
        match via {
            // A single connection may lead to the backend in question, so it is kept for the next request.
            Via::Fresh(count) => self.open(NewConnections { count, requests: 1, at, keep: count == 1 }, now),
            Via::Kept(_) if at.max(now) > self.rules.last_start => self.out_of_time(),
            Via::Kept(connection) => Action::Ask { connection, at: at.max(now) },
        }
    }

    /// The request that would settle what is open about a backend, or the reason why no request can. `None`
    /// when nothing is open.
    fn question(&self, backend: &Backend, now: MonotonicInstant) -> Option<Result<Request, StopReason>> {
        let via = self.route_to(backend);
        let to_it = |at| Request { via, at };
        if let Verdict::InSync | Verdict::NotWithinWarning =
            backend.verdict(&self.reference, &self.rules.limits)
            && !self.is_confirmed(backend)
        {
            let (asked, failed) = self.confirmations(backend);
            if !self.has_coarse_answers(backend) && failed * 2 < asked {
                let via = Via::Fresh(self.confirmations_lacking(backend));
                return Some(Ok(Request { via, at: now }));
            }
            return Some(match self.conclusive_phases(backend) {
                Some(phases) => Ok(Request {
                    via: Via::Fresh(self.confirmations_lacking(backend)),
                    at: self.confirming(backend, phases, now),
                }),
                // The offset is too close to the limit for that, or not known well enough yet.
                None => self.narrowing(backend, now).map(to_it),
            });
        }
        match self.verdict(backend) {
            Verdict::Undetermined => Some(self.narrowing(backend, now).map(to_it)),
            // A warning limit is a convenience, and not worth requests beyond those that the rules ask for.
            Verdict::InSync | Verdict::NotWithinWarning => self.sharpening(backend, now).map(Ok),
            Verdict::Desynchronized => {
                let motion = self.proof_of_motion(backend).map(to_it);
                motion.or_else(|| self.sharpening(backend, now)).map(Ok)
            }
        }
    }

    /// How to reach a backend: the connection over which it answered last, if that is still open; otherwise a
    /// fresh one, which may or may not lead there.
    fn route_to(&self, backend: &Backend) -> Via {
        let answered_last = |connection: u32| {
            let last = self.samples.iter().rposition(|sample| sample.connection == connection);
            last.is_some_and(|last| backend.samples.contains(&last))
        };
        let mut kept = self.open.iter().copied().filter(|&connection| answered_last(connection));
        kept.next().map_or(Via::Fresh(1), Via::Kept)
    }

    /// The instant from which a moving clock must show another reading. `None` when its readings differ
    /// already.
    ///
    /// A cache that answers with an old time looks like a slow clock until the reading is seen not to move.
    fn proof_of_motion(&self, backend: &Backend) -> Option<MonotonicInstant> {
        let first = &self.samples[*backend.samples.first()?];
        let same_name = |sample: &&Sample| sample.instance == first.instance;
        if self.samples.iter().filter(same_name).any(|sample| sample.reading != first.reading) {
            return None;
        }
        // One nanosecond more, because standstill() needs more than the longest stay.
        let due = first.received + least_standstill(first, self.rules.drift) + Duration::from_nanos(1);
        (due <= self.rules.last_start).then_some(due)
    }
}

/// Whether the bounds of a sample are wide because of the steps of its reading, and not because of its path.
fn is_coarse(sample: &Sample) -> bool {
    sample.reading.step >= COARSE_STEP && sample.reading.step >= sample.round_trip()
}

#[cfg(test)]
mod tests;
