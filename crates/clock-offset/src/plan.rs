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

mod action;
pub(crate) mod aim;
mod backend_samples;
mod backoff;
mod conclusion;
mod confirmation;
mod edge;
mod question;
mod rules;
mod suspicion;

use core::time::Duration;
use std::collections::BTreeSet;

use crate::backends::{Backend, Evidence, connections_needed, group_by_clock, miss_probability};
use crate::interval::{BoundedTime, ReferenceClock};
use crate::renewal;
use crate::sample::Sample;
use crate::staleness::{Patience, standstill, suspected_standstill};
use crate::time::MonotonicInstant;
use crate::verdict::Verdict;

pub use action::{Action, NewConnections, StopReason};
use backoff::{Backoff, DECISIONS, Resort};
pub use backoff::{Batch, Gentleness, KeepsRejecting, Rejection, RejectionKind};
pub use conclusion::{Conclusion, JudgedBackend};
use question::{Request, Via};
pub use rules::{CERTAINTY, MAX_CONNECTIONS, Rules, SLOW};

/// How many requests in a row may fail to narrow an interval before the plan gives up.
const PATIENCE: usize = 8;

/// The same for requests that are aimed at the edges of steps, which follow about sixteen that are not.
const PATIENCE_WHEN_AIMED: usize = 24;

/// Below this step, a reading is as sharp as any network path: timing a request to an edge gains nothing.
const COARSE_STEP: Duration = Duration::from_millis(2);

/// The number of requests with which a connection to a clock of coarse steps begins. The second one does not
/// pay for the cold path. Any further one has to be aimed, or it would repeat what is known.
const REQUESTS_UNAIMED: u32 = 2;

/// About so many answers one after the other rule out a broken backend, when most of the connections side by side were
/// turned away.
const ANSWERS_AFTER_FAILURES: u32 = 16;

/// So many backends are looked for at most where they are told apart by their times alone. With one more they are eight.
const MOST_TOLD_APART: usize = 7;

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
        let patience = self.patience();
        if standstill(&self.samples, &patience).is_some() {
            return Action::Stop(StopReason::Standstill);
        }
        if self.requests >= self.rules.max_requests {
            return Action::Stop(StopReason::RequestsSpent);
        }
        if let Some(due) = suspected_standstill(&self.samples, &patience) {
            return self.open(NewConnections { count: 1, requests: 1, at: due, keep: false }, now);
        }
        if let Some(look) = self.look_at_caches(&patience) {
            let count = look.connections;
            return self.open(NewConnections { count, requests: 1, at: look.at, keep: false }, now);
        }
        let backends = self.backends();
        if let Some(stop) = self.stop_at_what_is_no_clock(&backends) {
            return stop;
        }
        if let Some(at) = self.measuring_the_pace(now) {
            return self.open(NewConnections { count: 1, requests: 1, at, keep: false }, now);
        }
        let unmet = self.connections_needed(&backends).saturating_sub(self.connections());
        let doubt = self.rules.miss_probability;
        let lacking = unmet
            .max(self.backoff.answers_lacking(doubt))
            .max(self.backoff.answers_lacking_after_too_often(doubt / DECISIONS));
        if lacking > 0 {
            // Answers of which no two agree tell by their number, and not by how often one connection is asked.
            let requests = if self.none_agree(&backends) { 1 } else { self.requests_unaimed() };
            return self.open(NewConnections { count: lacking, requests, at: now, keep: false }, now);
        }
        // One more answer would be one more of them.
        let nameless = backends.iter().filter(|backend| backend.instance.is_none()).count();
        if nameless > MOST_TOLD_APART {
            return Action::Stop(StopReason::NoProgress);
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
            standstill: standstill(&self.samples, &self.patience()),
            not_a_clock: self.not_a_clock(&backends),
            connections: self.connections(),
            miss_probability: self.missed(&backends),
            gentleness: self.backoff.gentleness(self.rules.miss_probability),
            backends: backends
                .into_iter()
                .map(|backend| {
                    let verdict = self.verdict(&backend);
                    let offset = backend.offset_behind(verdict, &self.reference);
                    JudgedBackend { backend, offset, verdict }
                })
                .collect(),
        }
    }

    fn patience(&self) -> Patience {
        Patience {
            drift: self.rules.drift,
            limit: self.rules.limits.max_offset,
            reference: self.reference,
            last_start: self.rules.last_start,
        }
    }

    /// The connections that tell whether several caches of one name, or without one, were renewed.
    fn look_at_caches(&self, patience: &Patience) -> Option<renewal::Look> {
        let names: BTreeSet<_> = self.samples.iter().map(|sample| &sample.instance).collect();
        let expected = self.expected();
        names.into_iter().find_map(|name| {
            let of_it: Vec<&Sample> = self.samples.iter().filter(|sample| sample.instance == *name).collect();
            renewal::next_look(&of_it, &expected, patience)
        })
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
        // What are no times are no backends either, and each further one would be as wrong as those.
        let met = if self.may_be_no_times() { backends.len().min(1) } else { backends.len() };
        met.max(expected)
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
        let seen = self.seen(backends);
        let are_told_apart = !are_named && self.rules.expected_backends.is_none();
        // Each further answer of a clock that jumps back and forth looks like one more backend.
        connections_needed(if are_told_apart { seen.min(MOST_TOLD_APART) } else { seen }, doubt)
    }

    /// The number of connections over which an answer came.
    fn connections(&self) -> u32 {
        let connections: BTreeSet<u32> = self.samples.iter().map(|sample| sample.connection).collect();
        u32::try_from(connections.len()).unwrap_or(u32::MAX)
    }

    /// The number of requests with which a new connection begins.
    fn requests_unaimed(&self) -> u32 {
        // Each request may count where there is a limit, and what is open then is a question of connections.
        let is_slow = self.backoff.shortest_alone().is_some_and(|alone| alone > SLOW);
        let wanted = if self.backoff.is_needed() || is_slow { 1 } else { self.rules.requests_per_connection };
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
        let count = self.side_by_side(wanted.count, at).min(self.backoff.most()).min(left / requests);
        Action::Open(NewConnections { count, requests, at, ..wanted })
    }

    /// Of connections that are wanted, how many are opened side by side.
    ///
    /// A device that serves one at a time turns the others away or lets them wait, and they have to be opened again, one
    /// after the other. Where the time may not suffice for both, they are from the start; and if it does not even suffice
    /// for that, two tell whether it serves them side by side.
    fn side_by_side(&self, wanted: u32, at: MonotonicInstant) -> u32 {
        let Some(alone) = self.backoff.shortest_alone().filter(|_| !self.backoff.is_parallel()) else {
            return wanted;
        };
        let requests = self.requests_unaimed();
        let left = self.rules.last_start.since(at);
        // When it lets them wait, all are opened again, and when it turns most of them away, as many as rule out a broken
        // backend. Both with one request each.
        let for_both = wanted
            .saturating_mul(requests.saturating_add(1))
            .max(requests.saturating_add(ANSWERS_AFTER_FAILURES));
        if alone.saturating_mul(for_both) <= left {
            wanted
        } else if alone.saturating_mul(requests.saturating_mul(wanted.saturating_sub(1))) <= left {
            1
        } else {
            wanted.min(2)
        }
    }

    /// Nothing may be asked any more. What that means depends on what came last.
    fn out_of_time(&self) -> Action {
        Action::Stop(match self.backoff.unanswered().map(|rejection| rejection.kind) {
            // It failed each time beside others, and they took so long that it was not asked alone.
            None if !self.backoff.has_answered() && self.backoff.has_failed() => StopReason::Rejected,
            None => StopReason::OutOfTime,
            Some(RejectionKind::TooManyRequests) => StopReason::Limited,
            // A service that never answered is not limited, however late it wants to be asked again.
            Some(RejectionKind::Unavailable | RejectionKind::Connection) if self.backoff.has_answered() => {
                StopReason::Limited
            }
            Some(_) => StopReason::Rejected,
        })
    }
}

/// Whether the bounds of a sample are wide because of the steps of its reading, and not because of its path.
fn is_coarse(sample: &Sample) -> bool {
    is_coarse_step(sample.reading.step, sample.round_trip())
}

/// Whether the steps of a reading, and so the time at which it is asked for, decide how much it proves.
#[must_use]
pub fn is_coarse_step(step: Duration, round_trip: Duration) -> bool {
    step >= COARSE_STEP && step >= round_trip
}

#[cfg(test)]
mod tests;
