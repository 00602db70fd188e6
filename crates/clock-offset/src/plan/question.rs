//! The open question about each backend, once all of them were met, and the request that settles it.

use crate::backends::Backend;
use crate::sample::Sample;
use crate::staleness::least_standstill;
use crate::time::MonotonicInstant;
use crate::verdict::Verdict;
use core::time::Duration;

use super::{Action, NewConnections, Plan, StopReason};

/// Of so many connections that could confirm that a nameless clock is in sync, too many did not.
const MOST_CONFIRMATIONS: u32 = 64;

/// A request that would settle something.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request {
    pub(super) via: Via,
    pub(super) at: MonotonicInstant,
}

/// The connections that carry a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Via {
    /// A connection that is open.
    Kept(u32),
    /// That many new connections, side by side.
    Fresh(u32),
}

impl Plan {
    /// Once every backend was met often enough, asks the open question that can be asked first.
    pub(super) fn decide(&self, backends: &[Backend], now: MonotonicInstant) -> Action {
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
            if let Some(request) = self.edge_test(backend, now) {
                return Some(Ok(request));
            }
            let (asked, failed) = self.confirmations(backend);
            if asked >= MOST_CONFIRMATIONS {
                return Some(Err(StopReason::NoProgress));
            }
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
                None => match self.halving_the_edge(backend, now) {
                    Some(at) => Ok(to_it(at)),
                    None => self.narrowing(backend, now).map(to_it),
                },
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
    pub(super) fn route_to(&self, backend: &Backend) -> Via {
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
        // One nanosecond more, because a clock shows a reading for the longest stay.
        let due = first.received + least_standstill(first, self.rules.drift) + Duration::from_nanos(1);
        (due <= self.rules.last_start).then_some(due)
    }
}
