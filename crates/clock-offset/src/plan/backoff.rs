//! How gently a service has to be asked: how many connections it takes side by side, and how often.
//!
//! A failure says that a service is down only when nothing else can explain it. A small device refuses, resets or
//! closes what goes beyond the few connections that it serves at a time. A rate limit rejects what comes too soon. So
//! the plan *backs off*: to fewer connections, down to one at a time, and then to a pause between two requests. That a
//! backend is broken is proven by failures that gentleness does not end; that none is, by enough answers without one.

mod chance;

use core::ops::Range;
use core::time::Duration;

use crate::time::MonotonicInstant;

use super::Plan;
use chance::answers_needed;

/// What became of the connections that were asked side by side, apart from the times in their answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The connections. At least one.
    pub connections: Range<u32>,
    /// When the first of them was opened or asked.
    pub began: MonotonicInstant,
    /// When the last of them was through.
    pub ended: MonotonicInstant,
    /// Whether other addresses of the service were asked at the same time: then not even one connection is alone.
    pub beside_others: bool,
    /// How those ended that the service turned away.
    pub rejections: Vec<Rejection>,
    /// How many answers came that could be used.
    pub answers: u32,
    /// The shortest time that an answer took. `None` when there was none, or none that can be relied on.
    pub fastest: Option<Duration>,
    /// The longest one, and not less than `fastest`.
    pub slowest: Option<Duration>,
}

/// A connection or a request that the service turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rejection {
    /// In which way.
    pub kind: RejectionKind,
    /// After what time the service wants to be asked again (`Retry-After`, RFC 9110 section 10.2.3).
    pub retry_after: Option<Duration>,
}

/// In which way a service turned something away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejectionKind {
    /// The connection was refused, reset or closed.
    Connection,
    /// The service says that it cannot answer now (503).
    Unavailable,
    /// Another failure that load can cause, as a gateway has when the server behind it takes no more connections (502), or
    /// an answer that was cut short. For a service that is asked alone it is no excuse.
    Overload,
    /// The service says that it is asked too often (429). It is at work, then.
    TooManyRequests,
    /// No answer came while others were being answered. Asked alone, a service has until the end of the round.
    KeptWaiting,
}

/// What a round learned about the gentleness that a service needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gentleness {
    /// How many connections side by side the service takes. `None` when it takes as many as the rules allow.
    pub connections: Option<u32>,
    /// Whether the service limits how often it is asked: it says so (429), or needed a pause that is not that of a device
    /// which gets ready for the next connection.
    pub limits_rate: bool,
    /// How long the pause between two requests has to be. Zero when there need not be one.
    pub pause: Duration,
    /// How many connections and requests the service turned away.
    pub rejected: u32,
    /// Whether the answers after the last failure rule out that a broken backend caused the failures.
    pub broken_backend_is_ruled_out: bool,
}

/// The first pause after a failure. A small device needs some milliseconds to get ready for the next connection, so it
/// stays between connections once some were turned away.
const FIRST_PAUSE: Duration = Duration::from_millis(25);

/// The first pause when the service says that it is asked too often.
const FIRST_PAUSE_WHEN_TOO_OFTEN: Duration = Duration::from_millis(250);

/// The longest pause between two attempts to be answered again.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The failures in a row that prove that a service no longer takes connections. With the pauses between them, that is
/// three seconds.
const MOST_FAILURES_IN_A_ROW: u32 = 8;

/// The times that a service may begin to fail when it is asked alone.
///
/// A rate limit explains one: what it allows at once is used up. From then on the pause p is at least the time from the
/// first failure until the service answered again. It explains a second one, when that time was short because the bucket
/// was nearly full again, or a window nearly over. Then the pause becomes at least 4·p and 3/2 of the time T from the last
/// answer before the failures until the service answered again. That is enough, and what fails a third time is broken:
///
/// * *A bucket with room for one more request in each time W.* It had room for less than p when the service answered
///   again the first time, so T is at least W − p, and the greater of 4·p and 3/2·(W − p) is more than W.
/// * *N requests in each window of the length W.* For N = 1, T is at least W − p too. For more, T < W/2 means N·p > W/2,
///   and N·4·p is more than W.
///
/// T runs from the beginning of one request to the end of another. When in between the service handled them, does not
/// matter then, and a checker that gets to run late takes T for too long and never for too short.
const MOST_SPELLS: u32 = 2;

/// By how much the accepted doubt shrinks for each decision. The search for a broken backend has six stages: with 8, 4,
/// 2 connections and with one, before each of the times that the service begins to fail. In each of them the number of
/// failures, which decides how many answers are needed, is a matter of luck too: that costs a factor of four
/// (`tests/gentleness.rs` counts how often a broken backend is missed).
const DECISIONS: f64 = 24.0;

/// Failures while a service was asked alone, and no answer in between.
#[derive(Debug, Clone, Copy)]
struct Spell {
    began: MonotonicInstant,
    failures: u32,
    latest: Rejection,
}

/// The state of the back-off for one address.
#[derive(Debug, Clone)]
pub(super) struct Backoff {
    /// The most connections that may be asked side by side.
    most: u32,
    /// How many of them the service takes, when it was seen to take fewer.
    taken: Option<u32>,
    /// The least time from the end of a request to the next one.
    pause: Duration,
    not_before: MonotonicInstant,
    /// The shortest time that an answer took over a connection alone.
    fastest_alone: Option<Duration>,
    /// How often an answer over a connection alone took far longer than the fastest.
    delays: u32,
    /// Connections that were asked side by side, and some of whose answers had to queue.
    queued: Vec<Range<u32>>,
    rejected: u32,
    /// Whether the service said that it is asked too often.
    was_asked_too_often: bool,
    /// Connections and requests up to the last failure that a broken backend may have caused, and how many of them
    /// failed in such a way.
    attempts: u32,
    failures: u32,
    /// Connections that were answered since.
    answered: u32,
    has_answered: bool,
    /// When the latest requests that were answered began.
    last_answered: Option<MonotonicInstant>,
    spell: Option<Spell>,
    spells: u32,
}

/// What the back-off has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resort {
    /// Go on asking.
    Ask,
    /// The service fails when it is asked alone, however gently.
    Rejected,
}

impl Backoff {
    pub(super) fn new(max_connections: u32) -> Self {
        Self {
            most: max_connections.max(1),
            taken: None,
            pause: Duration::ZERO,
            not_before: MonotonicInstant::ORIGIN,
            fastest_alone: None,
            delays: 0,
            queued: Vec::new(),
            rejected: 0,
            was_asked_too_often: false,
            attempts: 0,
            failures: 0,
            answered: 0,
            has_answered: false,
            last_answered: None,
            spell: None,
            spells: 0,
        }
    }

    pub(super) fn record(&mut self, batch: &Batch) {
        let count = batch.connections.end.saturating_sub(batch.connections.start);
        let rejected = u32::try_from(batch.rejections.len()).unwrap_or(u32::MAX);
        self.has_answered |= batch.answers > 0;
        self.rejected = self.rejected.saturating_add(rejected);
        self.was_asked_too_often |= batch.rejections.iter().any(|rejection| !rejection.is_suspicious());
        match batch.rejections[..] {
            [] => self.take_answers(batch, count),
            [alone] if count == 1 && !batch.beside_others => self.take_failure_alone(alone, batch),
            _ => self.take_failures_side_by_side(batch, count),
        }
        if batch.answers > 0 {
            self.last_answered = Some(batch.began);
        }
    }

    fn take_answers(&mut self, batch: &Batch, count: u32) {
        self.answered += count;
        if let Some(spell) = self.spell.take() {
            let took = batch.began.since(spell.began);
            self.pause = match self.spells {
                // It was asked again when it wanted to be, which says nothing about the pause in between.
                0 | 1 if spell.latest.retry_after.is_some() => self.pause.max(FIRST_PAUSE),
                0 | 1 => self.pause.max(took).max(FIRST_PAUSE),
                _ => {
                    let since_the_last = batch.ended.since(self.last_answered.unwrap_or(spell.began));
                    (self.pause * 4).max(since_the_last * 3 / 2)
                }
            };
        }
        if let (Some(fastest), Some(slowest)) = (batch.fastest, batch.slowest) {
            self.notice_queue(batch, count, fastest, slowest);
        }
        self.wait_from(batch.ended, self.pause);
    }

    /// Some servers turn nothing away, and let everybody wait instead.
    fn notice_queue(&mut self, batch: &Batch, count: u32, fastest: Duration, slowest: Duration) {
        if count == 1 {
            let alone = self.fastest_alone.map_or(fastest, |known| known.min(fastest));
            self.fastest_alone = Some(alone);
            // A limit on a rate that delays requests lets a lone one wait for so much longer. If it does so once, that may
            // be chance.
            if slowest > alone * 5 + Duration::from_millis(300) {
                if self.delays > 0 {
                    self.pause = self.pause.max(slowest);
                }
                self.delays += 1;
                self.reduce_to(1);
            }
        } else if let Some(alone) = self.fastest_alone
            && slowest > alone * 2 + Duration::from_millis(100)
        {
            self.queued.push(batch.connections.clone());
            // A server that serves one after the other needs that many times as long for all of them as for one.
            let at_once = u128::from(count) * alone.as_nanos() / slowest.as_nanos().max(1);
            self.reduce_to(u32::try_from(at_once).unwrap_or(u32::MAX).min(count / 2));
        }
    }

    fn take_failures_side_by_side(&mut self, batch: &Batch, count: u32) {
        let rejected = u32::try_from(batch.rejections.len()).unwrap_or(u32::MAX).min(count);
        let suspicious = batch.rejections.iter().filter(|rejection| rejection.is_suspicious()).count();
        let suspicious = u32::try_from(suspicious).unwrap_or(u32::MAX).min(count);
        self.count_failures(count, suspicious);
        let answered = count - rejected;
        // As many as were answered, if that is clearly less.
        let is_kept_waiting = |rejection: &Rejection| rejection.kind == RejectionKind::KeptWaiting;
        let fewer = match answered {
            // Finding out how many it takes would cost as much time again.
            _ if batch.rejections.iter().any(is_kept_waiting) => 1,
            _ if answered * 4 <= count * 3 => answered,
            _ => count / 2,
        };
        self.reduce_to(fewer);
        let pauses =
            batch.rejections.iter().map(|rejection| rejection.retry_after.unwrap_or(rejection.first_pause()));
        self.pause = self.pause.max(FIRST_PAUSE);
        self.wait_from(batch.ended, pauses.max().unwrap_or_default().max(self.pause));
    }

    fn take_failure_alone(&mut self, rejection: Rejection, batch: &Batch) {
        self.count_failures(1, u32::from(rejection.is_suspicious()));
        self.most = 1;
        if self.spell.is_none() {
            self.spells += u32::from(rejection.is_suspicious());
        }
        let before = self.spell.unwrap_or(Spell { began: batch.began, failures: 0, latest: rejection });
        let spell = Spell { failures: before.failures + 1, latest: rejection, ..before };
        self.spell = Some(spell);
        let first = rejection.first_pause().max(self.pause);
        let doubled = first.saturating_mul(1 << (spell.failures - 1).min(16)).min(LONGEST_PAUSE);
        self.wait_from(batch.ended, rejection.retry_after.unwrap_or(doubled.max(self.pause)));
    }

    fn count_failures(&mut self, attempts: u32, failures: u32) {
        if failures > 0 {
            self.attempts += self.answered + attempts;
            self.failures += failures;
            self.answered = 0;
        } else {
            self.answered += attempts;
        }
    }

    fn reduce_to(&mut self, connections: u32) {
        let connections = connections.max(1);
        if connections < self.most {
            self.most = connections;
            self.taken = Some(connections);
        }
    }

    fn wait_from(&mut self, instant: MonotonicInstant, pause: Duration) {
        self.not_before = self.not_before.max(instant + pause);
    }

    /// The most connections side by side that the service takes, as far as is known.
    pub(super) fn most(&self) -> u32 {
        self.most
    }

    /// Before this instant nothing must be asked.
    pub(super) fn not_before(&self) -> MonotonicInstant {
        self.not_before
    }

    /// Whether the service takes less than the rules allow.
    pub(super) fn is_needed(&self) -> bool {
        self.taken.is_some() || self.rejected > 0 || !self.pause.is_zero()
    }

    /// The rejection that nothing has followed yet.
    pub(super) fn unanswered(&self) -> Option<Rejection> {
        self.spell.map(|spell| spell.latest)
    }

    /// Whether the service has answered at all.
    pub(super) fn has_answered(&self) -> bool {
        self.has_answered
    }

    pub(super) fn resort(&self) -> Resort {
        let Some(Spell { failures, latest, .. }) = self.spell else { return Resort::Ask };
        let is_final = match latest.kind {
            RejectionKind::TooManyRequests => false,
            // It has never answered. Only who names a time is asked a second time.
            _ if !self.has_answered => failures > 1 || latest.retry_after.is_none(),
            _ if self.spells > MOST_SPELLS => true,
            // No excuse, but a gateway may have taken it for one more while it was closing the last one.
            RejectionKind::Overload | RejectionKind::KeptWaiting => failures > 1 || self.spells > 1,
            RejectionKind::Connection => failures >= MOST_FAILURES_IN_A_ROW,
            RejectionKind::Unavailable => false,
        };
        if is_final { Resort::Rejected } else { Resort::Ask }
    }

    /// How many more connections have to be answered without a failure, so that a broken backend explains what came with
    /// at most the probability `doubt`.
    pub(super) fn answers_lacking(&self, doubt: f64) -> u32 {
        if self.failures == 0 {
            return 0;
        }
        answers_needed(self.attempts, self.failures, doubt / DECISIONS).saturating_sub(self.answered)
    }

    /// Connections that were asked side by side, and some of whose answers had to queue.
    pub(super) fn queued(&self) -> &[Range<u32>] {
        &self.queued
    }

    pub(super) fn gentleness(&self, doubt: f64) -> Gentleness {
        Gentleness {
            connections: self.taken,
            limits_rate: self.was_asked_too_often || self.pause > FIRST_PAUSE * 4,
            pause: self.pause,
            rejected: self.rejected,
            broken_backend_is_ruled_out: self.answers_lacking(doubt) == 0,
        }
    }
}

impl Rejection {
    /// Whether a broken backend may be the cause.
    fn is_suspicious(self) -> bool {
        self.kind != RejectionKind::TooManyRequests
    }

    fn first_pause(self) -> Duration {
        match self.kind {
            RejectionKind::TooManyRequests => FIRST_PAUSE_WHEN_TOO_OFTEN,
            _ => FIRST_PAUSE,
        }
    }
}

impl Plan {
    /// Records how a service took the connections that were asked side by side. Where it turned some away, the plan
    /// goes on with fewer of them, or with a pause in between.
    pub fn record_batch(&mut self, batch: &Batch) {
        self.requests += u32::try_from(batch.rejections.len()).unwrap_or(u32::MAX);
        self.backoff.record(batch);
    }

    /// Before this instant no connection may be opened and nothing be asked: the service needs the pause.
    #[must_use]
    pub fn not_before(&self) -> MonotonicInstant {
        self.backoff.not_before()
    }
}

#[cfg(test)]
mod tests;
