//! How gently a service has to be asked: how many connections it takes side by side, and how often.
//!
//! A failure says that a service is down only when nothing else can explain it. A small device refuses, resets or
//! closes what goes beyond the few connections that it serves at a time. A rate limit rejects what comes too soon. So
//! the plan *backs off*: to fewer connections, down to one at a time, and then to a pause between two requests. That a
//! backend is broken is proven by failures that gentleness does not end; that none is, by enough answers without one.

mod chance;
mod rejection;
mod too_often;

use core::ops::Range;
use core::time::Duration;

use crate::time::MonotonicInstant;

use super::Plan;
use chance::answers_needed;
use rejection::FIRST_PAUSE;
pub use rejection::{Batch, Rejection, RejectionKind};
pub use too_often::KeepsRejecting;
use too_often::TooOften;

/// What a round learned about the gentleness that a service needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gentleness {
    /// Over how many connections side by side the service was asked and answered after it had turned away more of them or
    /// let them wait. `None` when it did not.
    pub connections: Option<u32>,
    /// Whether the service was seen to limit how often it is asked: it says so (429), it delays requests, or its failures
    /// ended with a pause that is not that of a device which gets ready for the next connection.
    pub limits_rate: bool,
    /// How long the pause between two requests has to be. Zero when there need not be one.
    pub pause: Duration,
    /// How many connections and requests the service turned away.
    pub rejected: u32,
    /// That it says again and again that it is asked too often, however gently it is asked.
    pub keeps_rejecting: Option<KeepsRejecting>,
    /// Whether the answers after the last failure rule out that a broken backend caused the failures.
    pub broken_backend_is_ruled_out: bool,
}

/// Answers that take so much longer than one alone are no sign of a queue.
const PARALLEL_NOISE: Duration = Duration::from_millis(100);

/// The longest pause between two attempts to be answered again.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The pause after this machine lacked something.
const PAUSE_AFTER_SHORTAGE: Duration = Duration::from_millis(100);

/// How often this machine may lack something in a row until the round is given up.
const MOST_SHORTAGES: u32 = 4;

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

/// By how much the accepted doubt shrinks for each decision. The search for a broken backend has seven stages: before the
/// first answer, with 8, 4, 2 connections and with one, before each of the times that the service begins to fail. In each of
/// them the number of failures, which decides how many answers are needed, is a matter of luck too: that costs a factor of
/// four to five (`tests/gentleness.rs` counts how often a broken backend is missed).
pub(super) const DECISIONS: f64 = 32.0;

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
    /// The shortest time that a connection alone took for each answer, its opening included.
    shortest_alone: Option<Duration>,
    /// Whether connections side by side were answered about as fast as one alone.
    is_parallel: bool,
    /// Whether answers came since the service is asked over fewer connections.
    fewer_were_answered: bool,
    /// How often an answer over a connection alone took far longer than the fastest.
    delays: u32,
    /// Connections that were asked side by side, and some of whose answers had to queue.
    queued: Vec<Range<u32>>,
    rejected: u32,
    /// What came since the service said that it is asked too often.
    too_often: Option<TooOften>,
    /// How often in a row this machine lacked something when it asked over one connection.
    shortages: u32,
    /// Connections and requests up to the last failure that a broken backend may have caused, and how many of them
    /// failed in such a way.
    attempts: u32,
    failures: u32,
    /// Connections that were answered since.
    answered: u32,
    /// When the latest requests that were answered began.
    last_answered: Option<MonotonicInstant>,
    /// Batches in which something was turned away while others were asked.
    failed_beside_others: u32,
    /// How often in a row none of several connections was answered, or none beside others.
    unanswered_batches: u32,
    /// When the requests began that were answered first since the last spell, and how many answers came since.
    resumed: Option<MonotonicInstant>,
    answers_since: u32,
    spell: Option<Spell>,
    spells: u32,
}

/// After so many failures in a row, with pauses that add up to about two seconds, a failure that load can cause has another
/// cause.
const MOST_OVERLOADS: u32 = 9;

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
            shortest_alone: None,
            is_parallel: false,
            fewer_were_answered: false,
            delays: 0,
            queued: Vec::new(),
            rejected: 0,
            too_often: None,
            shortages: 0,
            attempts: 0,
            failures: 0,
            answered: 0,
            last_answered: None,
            failed_beside_others: 0,
            unanswered_batches: 0,
            resumed: None,
            answers_since: 0,
            spell: None,
            spells: 0,
        }
    }

    pub(super) fn record(&mut self, batch: &Batch) {
        let count = batch.connections.end.saturating_sub(batch.connections.start);
        let is_shortage = |rejection: &&Rejection| rejection.kind == RejectionKind::LocalShortage;
        let lacking = number(batch.rejections.iter().filter(is_shortage).count()).min(count);
        if lacking > 0 {
            self.take_shortage(batch, count - lacking);
        }
        let asked = count - lacking;
        if asked == 0 {
            return;
        }
        self.shortages = 0;
        let rejections: Vec<Rejection> =
            batch.rejections.iter().copied().filter(|rejection| !is_shortage(&rejection)).collect();
        self.rejected = self.rejected.saturating_add(number(rejections.len()));
        let says_too_often = |rejection: &Rejection| rejection.kind == RejectionKind::TooManyRequests;
        if self.too_often.is_some() || rejections.iter().any(says_too_often) {
            let too_often = self.too_often.get_or_insert_default();
            too_often.record(&rejections, asked, batch.beside_others);
        }
        match rejections[..] {
            [] => self.take_answers(batch, asked),
            [alone] if count == 1 && !batch.beside_others => self.take_failure_alone(alone, batch),
            _ => self.take_failures_side_by_side(&rejections, batch, asked),
        }
        if batch.answers > 0 {
            self.unanswered_batches = 0;
            self.last_answered = Some(batch.began);
            self.resumed.get_or_insert(batch.began);
            self.answers_since = self.answers_since.saturating_add(batch.answers);
        }
    }

    /// This machine could not ask over more connections than that.
    fn take_shortage(&mut self, batch: &Batch, connections: u32) {
        // The service is not the reason, so nothing is said of how many it takes.
        self.most = self.most.min(connections.max(1));
        self.shortages += u32::from(batch.connections.len() == 1);
        self.wait_from(batch.ended, PAUSE_AFTER_SHORTAGE);
    }

    fn take_answers(&mut self, batch: &Batch, count: u32) {
        self.answered += count;
        if let Some(spell) = self.spell.take() {
            self.pause = self.pause_after(spell, batch);
            (self.resumed, self.answers_since) = (None, 0);
        }
        self.fewer_were_answered |= self.taken.is_some();
        if count == 1 {
            let took = batch.ended.since(batch.began) / batch.answers.max(1);
            self.shortest_alone = Some(self.shortest_alone.map_or(took, |known| known.min(took)));
            if took > FIRST_PAUSE * 4 {
                // What is slow may need a moment for itself, which costs little then.
                self.wait_from(batch.ended, FIRST_PAUSE);
            }
        }
        if let (Some(fastest), Some(slowest)) = (batch.fastest, batch.slowest) {
            self.notice_queue(batch, count, fastest, slowest);
        }
        self.wait_from(batch.ended, self.pause);
    }

    /// The pause between two requests from now on: what came after it again and again was answered.
    fn pause_after(&self, spell: Spell, batch: &Batch) -> Duration {
        let says_too_often = spell.latest.kind == RejectionKind::TooManyRequests;
        // So many answers are what it gives in that time.
        let what_it_gives = || {
            let period = self.resumed.map_or(Duration::ZERO, |resumed| batch.began.since(resumed));
            period / self.answers_since.max(1)
        };
        match self.spells {
            // Its limit speaks for itself, and has no part in other failures.
            _ if self.too_often.is_some() && !says_too_often => self.pause.max(FIRST_PAUSE),
            // It was asked again when it wanted to be.
            0 | 1 if spell.latest.retry_after.is_some() => self.pause.max(what_it_gives()).max(FIRST_PAUSE),
            // A pause that did not suffice is no guess any more.
            0 | 1 if says_too_often && self.pause > FIRST_PAUSE => self.pause.max(what_it_gives() * 21 / 20),
            0 | 1 => self.pause.max(batch.began.since(spell.began)).max(FIRST_PAUSE),
            _ => {
                let since_the_last = batch.ended.since(self.last_answered.unwrap_or(spell.began));
                (self.pause * 4).max(since_the_last * 3 / 2)
            }
        }
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
            return;
        }
        let Some(alone) = self.fastest_alone else { return };
        self.is_parallel |= slowest < alone * 3 / 2 + PARALLEL_NOISE;
        if count == 2 && slowest * 4 > alone * 7 + PARALLEL_NOISE * 4 {
            // Two that took nearly twice as long as one: no more of them would be faster.
            self.most = 1;
        }
        if slowest > alone * 2 + PARALLEL_NOISE {
            self.queued.push(batch.connections.clone());
            // A server that serves one after the other needs that many times as long for all of them as for one.
            let at_once = u128::from(count) * alone.as_nanos() / slowest.as_nanos().max(1);
            self.reduce_to(u32::try_from(at_once).unwrap_or(u32::MAX).min(count / 2));
        }
    }

    fn take_failures_side_by_side(&mut self, rejections: &[Rejection], batch: &Batch, count: u32) {
        let rejected = number(rejections.len()).min(count);
        let suspicious = rejections.iter().filter(|rejection| rejection.is_suspicious()).count();
        self.count_failures(count, number(suspicious).min(count));
        let answered = count - rejected;
        // As many as were answered, if that is clearly less.
        let is_kept_waiting = |rejection: &Rejection| rejection.kind == RejectionKind::KeptWaiting;
        let fewer = match answered {
            // Finding out how many it takes would cost as much time again.
            _ if rejections.iter().any(is_kept_waiting) => 1,
            _ if answered * 4 <= count * 3 => answered,
            _ => count / 2,
        };
        // The others may be the reason. It is asked as often alone next, which tells more.
        if !batch.beside_others || self.failed_beside_others > 0 {
            self.reduce_to(fewer);
        }
        self.failed_beside_others += u32::from(batch.beside_others);
        let pauses =
            rejections.iter().map(|rejection| rejection.retry_after.unwrap_or(rejection.first_pause()));
        let longest = pauses.max().unwrap_or_default();
        self.pause = self.pause.max(FIRST_PAUSE);
        self.wait_from(batch.ended, grown(longest, self.unanswered_batches).max(longest).max(self.pause));
        self.unanswered_batches += 1;
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
        let says_too_often = rejection.kind == RejectionKind::TooManyRequests;
        let may_be_the_limit = says_too_often || self.too_often.is_none();
        let pause = if may_be_the_limit { grown(first, spell.failures - 1) } else { first };
        self.wait_from(batch.ended, rejection.retry_after.unwrap_or(pause.max(self.pause)));
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
            self.fewer_were_answered = false;
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
        self.last_answered.is_some()
    }

    /// The shortest time that a connection alone took for each answer, its opening included.
    pub(super) fn shortest_alone(&self) -> Option<Duration> {
        self.shortest_alone
    }

    /// Whether connections side by side were answered about as fast as one alone.
    pub(super) fn is_parallel(&self) -> bool {
        self.is_parallel
    }

    /// Whether the service failed in a way that a broken backend may be the cause of.
    pub(super) fn has_failed(&self) -> bool {
        self.failures > 0
    }

    pub(super) fn resort(&self) -> Resort {
        if self.shortages >= MOST_SHORTAGES {
            return Resort::Rejected;
        }
        let Some(Spell { failures, latest, .. }) = self.spell else { return Resort::Ask };
        let is_final = match latest.kind {
            RejectionKind::TooManyRequests | RejectionKind::LocalShortage => false,
            // It has never answered. One failure may be an accident.
            _ if !self.has_answered() => self.failures > 1,
            _ if self.spells > self.most_spells() => true,
            // Some limits answer like that too, so it is asked until a limit of one request a second would have let it in.
            RejectionKind::Overload => failures > MOST_OVERLOADS,
            RejectionKind::KeptWaiting => failures > 1 || self.spells > 1,
            RejectionKind::Connection | RejectionKind::Unavailable => false,
        };
        if is_final { Resort::Rejected } else { Resort::Ask }
    }

    /// How often the service may begin to fail. The limit of one that says 429 explains nothing else.
    fn most_spells(&self) -> u32 {
        if self.too_often.is_some() { MOST_SPELLS - 1 } else { MOST_SPELLS }
    }

    /// How many more connections have to be answered without a failure, so that a broken backend explains what came with
    /// at most the probability `doubt`.
    pub(super) fn answers_lacking(&self, doubt: f64) -> u32 {
        if self.failures == 0 {
            return 0;
        }
        answers_needed(self.attempts, self.failures, doubt / DECISIONS).saturating_sub(self.answered)
    }

    /// How many more connections have to be answered in a row after the service said that it is asked too often.
    pub(super) fn answers_lacking_after_too_often(&self, doubt: f64) -> u32 {
        self.too_often.map_or(0, |too_often| too_often.answers_lacking(doubt))
    }

    /// Connections that were asked side by side, and some of whose answers had to queue.
    pub(super) fn queued(&self) -> &[Range<u32>] {
        &self.queued
    }

    pub(super) fn gentleness(&self, doubt: f64) -> Gentleness {
        let broken_backend_is_ruled_out =
            self.answers_lacking(doubt) == 0 && self.answers_lacking_after_too_often(doubt) == 0;
        let keeps_rejecting = self.too_often.and_then(|too_often| too_often.keeps_rejecting());
        let pause_helped = broken_backend_is_ruled_out && self.pause > FIRST_PAUSE * 4;
        Gentleness {
            connections: self.taken.filter(|_| self.fewer_were_answered),
            limits_rate: self.too_often.is_some() || pause_helped,
            pause: self.pause,
            rejected: self.rejected,
            keeps_rejecting: keeps_rejecting.filter(|_| !broken_backend_is_ruled_out),
            broken_backend_is_ruled_out,
        }
    }
}

/// The pause after a number of further failures. If it grew faster, it would use up the round where a broken backend was
/// met a few times in a row.
fn grown(first: Duration, failures: u32) -> Duration {
    (0..failures.min(32)).fold(first, |pause, _| (pause * 3 / 2).min(LONGEST_PAUSE))
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
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
