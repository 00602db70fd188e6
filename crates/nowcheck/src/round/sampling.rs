//! The sampling of one address: performs its plan, request by request, and judges what came.

mod finding;
mod manner;
mod notes;
mod time_left;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::pin::pin;
use std::time::Duration;

use clock_offset::{
    Action, Batch, CERTAINTY, Drift, MonotonicInstant, NewConnections, Plan, Rejection, RejectionKind, Rules,
    Sample, StopReason, connections_needed,
};

use http::StatusCode;
use tokio::time::timeout;

use crate::check::Check;
use crate::outcome::{Discarded, Failure, FailureKind, Phases, StatedClock, TargetOutcome};
use crate::parallel::in_parallel;
use crate::probe::certificate_validity::Certificate;
use crate::probe::http::{Answer, HttpConnection};
use crate::run_delay::is_heavy;
use crate::target::Target;

use super::RoundContext;
use super::burst::{self, Burst};
use super::location::is_redirect;
use super::rejections;
use super::turns::{PATIENCE, Turn, Turns};
use manner::Manner;
use time_left::TimeLeft;

/// One address, and what is to be known to sample it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) address: SocketAddr,
    /// How long it took to resolve the name.
    pub(super) resolve_took: Option<Duration>,
    /// The most connections that may be asked there side by side while other addresses are asked.
    pub(super) share: u32,
}

/// Samples one address, and judges it.
pub(super) async fn sample(round: &RoundContext, target: &Target, place: Place) -> TargetOutcome {
    let check = &round.check;
    let rules = Rules {
        limits: check.limits,
        drift: Drift::DISCIPLINED,
        requests_per_connection: check.requests_per_connection,
        miss_probability: check.miss_probability,
        expected_backends: check.expected_backends,
        max_requests: most_requests(check),
        max_connections: check.max_connections.get(),
        last_start: round.last_start,
    };
    let mut sampling = Sampling {
        round,
        turns: round.turns.clone(),
        share: place.share,
        patience_for_quiet: check.timeout * 3 / 8,
        is_beside_others: false,
        target,
        address: place.address,
        plan: Plan::new(rules, round.reference),
        kept: BTreeMap::new(),
        connections: 0,
        requests: 0,
        lost: 0,
        discarded: Discarded::default(),
        phases: Phases { resolve: place.resolve_took, ..Phases::default() },
        http_status: None,
        certificate: None,
        clocks: Vec::new(),
        alone_took: None,
        time_left: TimeLeft::default(),
        may_be_one_too_many: false,
        latest: None,
        rejection: None,
    };
    let ended = sampling.perform().await;
    sampling.into_outcome(ended)
}

/// Enough to meet thirty backends, or as many as are known to be there, and to narrow down what is open.
fn most_requests(check: &Check) -> u32 {
    let seen = check.expected_backends.map_or(0, NonZeroUsize::get).max(30);
    let certain = check.expected_backends.map_or(1.0, |_| CERTAINTY);
    let connections = connections_needed(seen, check.miss_probability * certain);
    64 + connections * check.requests_per_connection
}

/// Answers that a busy machine delayed are replaced by others, but not for ever.
const MOST_DISCARDED: u32 = 8;

/// Why sampling ended before the plan was through.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Interruption {
    /// A request failed, and no load excuses that.
    Failed(Failure),
    /// The service rejected what came too often, or too much of it.
    Limited(Failure),
    /// An old answer came.
    Cached { seconds: u64 },
}

/// The least time that a server has to answer connections that are opened side by side, before they are given up and it
/// is asked over fewer. A kernel whose first packet was lost, as at a full backlog, tries again after a second (RFC 6298).
const PATIENCE_SIDE_BY_SIDE: Duration = Duration::from_millis(1_500);

/// An action over no more connections than that.
fn within(share: u32, action: Action) -> Action {
    match action {
        Action::Open(new) => Action::Open(NewConnections { count: new.count.min(share), ..new }),
        other => other,
    }
}

/// The sampling of one address.
struct Sampling<'a> {
    round: &'a RoundContext,
    turns: Turns,
    share: u32,
    /// How much longer this address may wait until nothing else of the round is asked.
    patience_for_quiet: Duration,
    /// Whether something else of the round was asked beside the latest batch.
    is_beside_others: bool,
    target: &'a Target,
    address: SocketAddr,
    plan: Plan,
    /// Connections that are open, by their number.
    kept: BTreeMap<u32, HttpConnection>,
    connections: u32,
    requests: u32,
    lost: u32,
    discarded: Discarded,
    phases: Phases,
    http_status: Option<StatusCode>,
    certificate: Option<Certificate>,
    /// What each sample's server said of its own clock.
    clocks: Vec<Option<StatedClock>>,
    /// How long the first connection took, which was alone.
    alone_took: Option<Duration>,
    /// Whether what is silent had time to answer.
    time_left: TimeLeft,
    /// The service let connections wait, and was not asked over one alone yet.
    may_be_one_too_many: bool,
    /// The latest answer that was read.
    latest: Option<Answer>,
    /// The latest failure that may be due to a limit of the service.
    rejection: Option<Failure>,
}

/// Connections that are asked side by side.
struct Asked {
    connections: Range<u32>,
    began: MonotonicInstant,
    /// Whether they are given up before the end of the round.
    have_less_time: bool,
    bursts: Vec<Burst>,
}

impl Sampling<'_> {
    async fn perform(&mut self) -> Result<(), Interruption> {
        loop {
            let action = self.plan.next(self.round.clock.now());
            if let Action::Stop(reason) = action {
                return match (reason, self.rejection.take()) {
                    (StopReason::Rejected, Some(failure)) => Err(Interruption::Failed(failure)),
                    (_, Some(failure)) => Err(Interruption::Limited(failure)),
                    (_, None) => Ok(()),
                };
            }
            // Connections count too, so not even they are opened before.
            if self.plan.not_before() > self.round.clock.now() {
                tokio::time::sleep_until(self.round.clock.deadline(self.plan.not_before())).await;
            }
            let mut turn = self.turn().await;
            let action = if turn.is_kept() { action } else { within(self.share, action) };
            let asked = {
                let mut asking = pin!(self.ask(action));
                if let Ok(asked) = timeout(PATIENCE, asking.as_mut()).await {
                    asked
                } else {
                    turn.share();
                    asking.await
                }
            };
            self.is_beside_others = !turn.was_alone();
            drop(turn);
            if let Some(asked) = asked {
                self.take(asked)?;
            }
        }
    }

    /// Waits until this address may be asked. What else is asked in the round may come to the same small device, so that
    /// one that turned something away is asked alone, as far as the others leave time for that.
    async fn turn(&mut self) -> Turn {
        if self.rejection.is_none() {
            return self.turns.wait().await;
        }
        let begin = self.round.clock.now();
        let turn = self.turns.wait_to_be_alone(self.patience_for_quiet).await;
        let waited = self.round.clock.now().since(begin);
        // What others ask alone takes turns with this, and is soon over.
        if waited > PATIENCE / 4 {
            self.patience_for_quiet = self.patience_for_quiet.saturating_sub(waited);
        }
        turn
    }

    /// Asks what the plan wants to know. `None` when the connection for that is gone.
    async fn ask(&mut self, action: Action) -> Option<Asked> {
        match action {
            Action::Stop(_) => None,
            Action::Open(new) => Some(self.open(new).await),
            Action::Ask { connection: id, at } => {
                let Some(kept) = self.kept.remove(&id) else {
                    self.plan.connection_was_closed(id);
                    return None;
                };
                let began = self.round.clock.now();
                let burst = burst::over_a_kept_one(self.round, self.target, kept, id, at).await;
                Some(Asked { connections: id..id + 1, began, have_less_time: false, bursts: vec![burst] })
            }
        }
    }

    async fn open(&mut self, new: NewConnections) -> Asked {
        // A server that serves few connections at a time could not answer beside those that are kept.
        for id in std::mem::take(&mut self.kept).into_keys() {
            self.plan.connection_was_closed(id);
        }
        let connections = self.connections..self.connections + new.count;
        self.connections = connections.end;
        let began = self.round.clock.now();
        let mut round = self.round.clone();
        let patience = self.patience(&new, began);
        let have_less_time = patience.is_some_and(|patience| patience < round.deadline);
        if let Some(patience) = patience {
            round.deadline = round.deadline.min(patience);
        }
        let bursts = connections
            .clone()
            .map(|id| burst::over_a_fresh_one(round.clone(), self.target.clone(), self.address, id, new));
        let bursts = in_parallel(bursts).await;
        if new.count == 1 {
            let took = self.round.clock.now().since(began);
            self.alone_took.get_or_insert(took);
            if bursts.iter().any(|burst| !burst.answers.is_empty()) {
                self.time_left.answered_alone(took);
            }
        }
        Asked { connections, began, have_less_time, bursts }
    }

    /// How long connections that are opened side by side are waited for. A server may take few of them at a time, and is
    /// asked more gently then, for which time has to be left. Where it let some wait, a first connection alone may be one
    /// too many, as long as it has not done with the last one.
    fn patience(&mut self, new: &NewConnections, now: MonotonicInstant) -> Option<MonotonicInstant> {
        if new.count == 1 && !std::mem::take(&mut self.may_be_one_too_many) {
            return None;
        }
        let begin = new.at.max(now);
        let alone = self.alone_took.unwrap_or_default();
        let left = self.round.last_start.since(begin);
        // Not less than an answer alone took: a server of many threads takes as long for all of them. And what waits behind
        // one other is not given up: a device that serves one at a time would still have to serve it.
        let least = if new.count == 2 { alone * 9 / 4 } else { alone * 3 / 2 };
        Some(begin + (alone * new.count * 2).max(PATIENCE_SIDE_BY_SIDE).min(left / 2).max(least))
    }

    /// Takes note of all that came side by side, in the order in which it came.
    fn take(&mut self, asked: Asked) -> Result<(), Interruption> {
        let (mut failed, mut is_out_of_time) = (None, false);
        let wait = self.time_left.wait(&asked, self.round.clock.now());
        let mut manner = Manner::default();
        let (mut answers, mut closed, mut lost) = (Vec::new(), Vec::new(), Vec::new());
        for burst in asked.bursts {
            self.requests += burst.requests;
            if let Some(opened) = burst.opened
                && self.phases.connect.is_none()
            {
                (self.phases.connect, self.phases.tls) = (Some(opened.connect), opened.tls);
                self.certificate = opened.certificate;
            }
            match burst.connection {
                Some(connection) => {
                    self.kept.insert(burst.id, connection);
                }
                None if burst.was_lost => lost.push(burst.id),
                None => closed.push(burst.id),
            }
            if let Some(mut failure) = burst.failure {
                let is_too_short = wait.is_too_short_for(&mut failure);
                is_out_of_time |= is_too_short;
                if let Some(kind) = self.kind_of(&failure, asked.have_less_time || is_too_short) {
                    manner.reject(burst.id, Rejection { kind, retry_after: None });
                    let is_beside = asked.connections.len() > 1;
                    let is_kept_waiting = kind == RejectionKind::KeptWaiting;
                    self.may_be_one_too_many |= is_beside && is_kept_waiting;
                    self.time_left.gave_up(is_kept_waiting);
                    self.rejection = Some(failure);
                } else {
                    failed = failed.or(Some(failure));
                }
            }
            answers.extend(burst.answers.into_iter().map(|answer| (burst.id, answer)));
        }
        answers.sort_by_key(|(_, answer)| answer.received);
        for (id, answer) in answers {
            if let Err(interruption) = self.take_answer(id, &answer, &mut manner) {
                return Err(failed.map_or(interruption, Interruption::Failed));
            }
            self.latest = Some(answer);
        }
        self.lost += u32::try_from(lost.len()).unwrap_or(u32::MAX);
        for id in lost {
            self.plan.kept_connection_was_lost(id);
        }
        for id in closed {
            self.plan.connection_was_closed(id);
        }
        let batch = manner.of(asked.connections, asked.began, self.round.clock.now());
        self.plan.record_batch(&Batch { beside_others: self.is_beside_others, ..batch });
        match (failed, self.rejection.take_if(|_| is_out_of_time)) {
            (Some(failure), _) => Err(Interruption::Failed(failure)),
            (None, Some(failure)) => Err(Interruption::Limited(failure)),
            (None, None) => Ok(()),
        }
    }

    fn kind_of(&self, failure: &Failure, was_given_up: bool) -> Option<RejectionKind> {
        // There was a route to it before. What lacks is a free port then (EADDRNOTAVAIL).
        if failure.kind() == FailureKind::NoRoute && !self.plan.samples().is_empty() {
            return Some(RejectionKind::LocalShortage);
        }
        rejections::kind_of(failure, was_given_up)
    }

    fn take_answer(
        &mut self,
        connection: u32,
        answer: &Answer,
        manner: &mut Manner,
    ) -> Result<(), Interruption> {
        if self.round.passes_over_redirects && is_redirect(answer) {
            manner.answers += 1;
            self.plan.answer_was_discarded(connection, answer.stays_open);
            return Ok(());
        }
        if self.phases.wait.is_none() {
            self.phases.wait = Some(answer.first_byte.since(answer.sent));
            self.phases.transfer = Some(answer.received.since(answer.first_byte));
            self.http_status = Some(answer.status);
        }
        let time = match self.round.read(answer, self.target) {
            Ok(time) => time,
            Err(Interruption::Failed(failure))
                if let Some(kind) =
                    rejections::of_answer(&failure, &answer.headers, !self.plan.samples().is_empty()) =>
            {
                let now = self.round.reference.at(answer.received).shows.earliest();
                let retry_after = rejections::retry_after(&answer.headers, now);
                manner.reject(connection, Rejection { kind, retry_after });
                self.rejection = Some(failure);
                return Ok(());
            }
            Err(interruption) => return Err(interruption),
        };
        let sample = Sample {
            sent: answer.sent,
            received: answer.received,
            reading: time.reading,
            instance: time.instance,
            connection,
        };
        let was_held_up = is_heavy(answer.run_delay, sample.round_trip());
        manner.answers += 1;
        manner.took.extend((!was_held_up).then(|| sample.round_trip()));
        if was_held_up && self.discarded.scheduling < MOST_DISCARDED {
            self.discarded.scheduling += 1;
            self.plan.answer_was_discarded(connection, answer.stays_open);
            return Ok(());
        }
        self.clocks.push(time.clock);
        self.plan.record(sample, answer.stays_open);
        Ok(())
    }
}
