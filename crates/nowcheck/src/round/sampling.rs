//! The sampling of one address: performs its plan, request by request, and judges what came.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use clock_offset::{
    Action, CERTAINTY, Conclusion, Drift, Evidence, JudgedBackend, Plan, Rules, Sample, Shown, UnixInstant,
    Verdict, connections_needed, resembles_time_zone,
};
use http::header::{AGE, DATE};

use crate::answer::age;
use crate::answer::{self, Field, ServerTime};
use crate::check::Check;
use crate::outcome::{
    AnswerFault, AnswerProblem, BackendOutcome, Cause, CertificateOutcome, Discarded, Failure, Finding, Note,
    Phase, Phases, Spread, Stale, StatedClock, TargetOutcome,
};
use crate::parallel::in_parallel;
use crate::probe::certificate_validity::Certificate;
use crate::probe::http::{Answer, HttpConnection};
use crate::run_delay::is_heavy;
use crate::target::Target;
use crate::text::printable;

use super::RoundContext;
use super::burst::{self, Burst};
use super::location::{MOST_REDIRECTS, is_redirect, location};
use super::unusable;

/// Samples one address, and judges it.
pub(super) async fn sample(
    round: &RoundContext,
    target: &Target,
    address: SocketAddr,
    resolve_took: Option<Duration>,
) -> TargetOutcome {
    let check = &round.check;
    let rules = Rules {
        limits: check.limits,
        drift: Drift::DISCIPLINED,
        requests_per_connection: check.requests_per_connection,
        miss_probability: check.miss_probability,
        expected_backends: check.expected_backends,
        max_requests: most_requests(check),
        last_start: round.last_start,
    };
    let mut sampling = Sampling {
        round,
        target,
        address,
        plan: Plan::new(rules, round.reference),
        kept: BTreeMap::new(),
        connections: 0,
        requests: 0,
        lost: 0,
        discarded: Discarded::default(),
        phases: Phases { resolve: resolve_took, ..Phases::default() },
        certificate: None,
        clocks: Vec::new(),
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
    Failed(Failure),
    Cached { seconds: u64 },
}

/// The sampling of one address.
struct Sampling<'a> {
    round: &'a RoundContext,
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
    certificate: Option<Certificate>,
    /// What each sample's server said of its own clock.
    clocks: Vec<Option<StatedClock>>,
}

impl Sampling<'_> {
    async fn perform(&mut self) -> Result<(), Interruption> {
        loop {
            let bursts = match self.plan.next(self.round.clock.now()) {
                Action::Stop(_) => return Ok(()),
                Action::Open(new) => {
                    // A server that serves few connections at a time could not answer beside those that are kept.
                    for id in std::mem::take(&mut self.kept).into_keys() {
                        self.plan.connection_was_closed(id);
                    }
                    let first = self.connections;
                    self.connections += new.count;
                    let bursts = (first..self.connections).map(|id| {
                        let (round, target) = (self.round.clone(), self.target.clone());
                        burst::over_a_fresh_one(round, target, self.address, id, new)
                    });
                    in_parallel(bursts).await
                }
                Action::Ask { connection: id, at } => {
                    let Some(kept) = self.kept.remove(&id) else {
                        self.plan.connection_was_closed(id);
                        continue;
                    };
                    vec![burst::over_a_kept_one(self.round, self.target, kept, id, at).await]
                }
            };
            self.take(bursts)?;
        }
    }

    /// Takes note of all that came side by side, in the order in which it came.
    fn take(&mut self, bursts: Vec<Burst>) -> Result<(), Interruption> {
        let mut failed = None;
        let (mut answers, mut closed, mut lost) = (Vec::new(), Vec::new(), Vec::new());
        for burst in bursts {
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
            failed = failed.or(burst.failure);
            answers.extend(burst.answers.into_iter().map(|answer| (burst.id, answer)));
        }
        answers.sort_by_key(|(_, answer)| answer.received);
        for (id, answer) in &answers {
            if let Err(interruption) = self.take_answer(*id, answer) {
                return Err(failed.map_or(interruption, Interruption::Failed));
            }
        }
        self.lost += u32::try_from(lost.len()).unwrap_or(u32::MAX);
        for id in lost {
            self.plan.kept_connection_was_lost(id);
        }
        for id in closed {
            self.plan.connection_was_closed(id);
        }
        failed.map_or(Ok(()), |failure| Err(Interruption::Failed(failure)))
    }

    fn take_answer(&mut self, connection: u32, answer: &Answer) -> Result<(), Interruption> {
        if self.round.passes_over_redirects && is_redirect(answer) {
            self.plan.answer_was_discarded(connection, answer.stays_open);
            return Ok(());
        }
        if self.phases.wait.is_none() {
            self.phases.wait = Some(answer.first_byte.since(answer.sent));
            self.phases.transfer = Some(answer.received.since(answer.first_byte));
        }
        let time = self.read(answer)?;
        let sample = Sample {
            sent: answer.sent,
            received: answer.received,
            reading: time.reading,
            instance: time.instance,
            connection,
        };
        if is_heavy(answer.run_delay, sample.round_trip()) && self.discarded.scheduling < MOST_DISCARDED {
            self.discarded.scheduling += 1;
            self.plan.answer_was_discarded(connection, answer.stays_open);
            return Ok(());
        }
        self.clocks.push(time.clock);
        self.plan.record(sample, answer.stays_open);
        Ok(())
    }

    /// What an answer says, if it is one that says the time.
    fn read(&self, answer: &Answer) -> Result<ServerTime, Interruption> {
        // RFC 9111 section 5.1: a cache that answers from its store must say how old that is.
        if answer.status.is_success()
            && let Some(seconds @ 1..) = answer.headers.get(AGE).and_then(|value| age::read(value.as_bytes()))
        {
            return Err(Interruption::Cached { seconds });
        }
        self.time_in(answer).map_err(|problem| {
            Interruption::Failed(Failure {
                phase: Phase::Content,
                cause: Cause::Answer(Box::new(AnswerFault { status: answer.status, problem })),
                elapsed: answer.received.since(answer.sent),
            })
        })
    }

    fn time_in(&self, answer: &Answer) -> Result<ServerTime, AnswerProblem> {
        if let Some(why) = unusable::of(answer, &self.round.check.time.field) {
            let body_start = printable(&answer.body, 80);
            return Err(AnswerProblem::NotATime { why, body_start, is_about_body: false });
        }
        if is_redirect(answer) {
            let location = location(answer);
            let limit = self.round.check.follow.then_some(MOST_REDIRECTS);
            return Err(AnswerProblem::Redirect { location, limit, is_loop: false });
        }
        if !answer.status.is_success() {
            return Err(unusable::error(answer, self.target));
        }
        let selector = &self.round.check.time;
        let is_about_body = !matches!(selector.field, Field::Header(_));
        let body_start = || printable(&answer.body, 80);
        if answer.is_cut && is_about_body {
            return Err(AnswerProblem::TooLarge { body_start: body_start() });
        }
        let now = self.round.reference.at(answer.received).shows.earliest();
        answer::read(&answer.headers, &answer.body, selector, now)
            .and_then(|time| answer::in_the_right_unit(time, &selector.notation, now))
            .map_err(|why| AnswerProblem::NotATime { why, body_start: body_start(), is_about_body })
    }

    /// What all that came proves.
    fn into_outcome(self, ended: Result<(), Interruption>) -> TargetOutcome {
        let conclusion = self.plan.conclusion();
        let now = self.round.reference.at(self.round.clock.now()).shows.earliest();
        let finding = self.finding(self.excused(ended, &conclusion), &conclusion);
        let answered = !conclusion.backends.is_empty();
        TargetOutcome {
            url: self.target.to_string(),
            address: Some(self.address),
            phases: self.phases,
            certificate: self
                .certificate
                .map(|Certificate { expires_at }| CertificateOutcome { expires_at, left: expires_at - now }),
            connections: self.connections,
            requests: self.requests,
            discarded: self.discarded,
            miss_probability: (answered && conclusion.backends_are_counted)
                .then_some(conclusion.miss_probability),
            notes: self.notes(&conclusion, &finding, now),
            finding,
        }
    }

    /// What ended the sampling, without what a pause of this program is to blame for.
    fn excused(&self, ended: Result<(), Interruption>, conclusion: &Conclusion) -> Result<(), Interruption> {
        match self.round.pause() {
            // An old answer is one whenever it was read, and leaves nothing open.
            Some(pause) if conclusion.standstill.is_none() => {
                let wait = self.plan.samples().last().map(Sample::round_trip);
                let worst = conclusion.backends.iter().map(|judged| judged.verdict).max();
                pause.excuses(ended, worst, wait)
            }
            _ => ended,
        }
    }

    fn finding(&self, ended: Result<(), Interruption>, conclusion: &Conclusion) -> Finding {
        let backends = || conclusion.backends.iter().map(|judged| self.backend(judged)).collect();
        match (ended, conclusion.standstill) {
            (Err(Interruption::Failed(failure)), _) => Finding::of_failure(failure, backends()),
            (Err(Interruption::Cached { seconds }), _) => Finding::Stale(Stale::Age { seconds }),
            (Ok(()), Some(still)) => Finding::Stale(Stale::Standstill { elapsed: still.elapsed }),
            (Ok(()), None) => Finding::of_backends(backends()),
        }
    }

    fn notes(&self, conclusion: &Conclusion, finding: &Finding, now: UnixInstant) -> Vec<Note> {
        let is_stale = matches!(finding, Finding::Stale(_));
        let mut notes = if is_stale { Vec::new() } else { notes_on(&self.plan, conclusion) };
        if self.target.tls && !self.round.check.trust.verifies() {
            notes.push(Note::NotVerified);
        }
        if self.lost > 0 {
            notes.push(Note::KeptConnectionsLost { count: self.lost });
        }
        let check = &self.round.check;
        let answered = !conclusion.backends.is_empty();
        let has_missed = conclusion.miss_probability > check.miss_probability;
        if answered && has_missed && !is_stale && finding.failure().is_none() {
            notes.push(Note::BackendsMayBeMissing);
        }
        let cache = check.time.date_cache;
        if answered && check.time.field == Field::Header(DATE) && cache > Duration::ZERO {
            notes.push(Note::DateMayBeCached { cache });
        }
        if self.clocks.iter().flatten().any(|clock| clock.status == "unsynchronized") {
            notes.push(Note::ServerUnsynchronized);
        }
        if let Some(certificate) = self.certificate
            && certificate.ends_soon(now)
        {
            notes.push(Note::CertificateEndsSoon { left: certificate.left(now) });
        }
        notes
    }

    fn backend(&self, judged: &JudgedBackend) -> BackendOutcome {
        let samples = &judged.backend.samples;
        BackendOutcome {
            instance: judged.backend.instance.clone(),
            verdict: judged.verdict,
            offset: judged.offset,
            samples: samples.len(),
            round_trip: Spread::of(samples.iter().map(|&index| self.plan.samples()[index].round_trip())),
            clock: samples.last().and_then(|&index| self.clocks[index].clone()),
        }
    }
}

fn notes_on(plan: &Plan, conclusion: &Conclusion) -> Vec<Note> {
    let mut notes = Vec::new();
    if plan.samples().iter().any(|sample| matches!(sample.reading.shown, Shown::TimeOfDay(_))) {
        notes.push(Note::WholeDaysUnseen);
    }
    if !conclusion.backends_are_counted {
        notes.push(Note::BackendsUncounted);
    }
    if conclusion.one_clock_is_believed {
        notes.push(Note::OneClockAssumed);
    }
    for judged in &conclusion.backends {
        if judged.verdict == Verdict::Desynchronized
            && let Some(zone) = resembles_time_zone(&judged.offset)
        {
            notes.push(Note::ResemblesTimeZone { zone });
        }
        if judged.backend.evidence == Evidence::ToldApart {
            let note = match &judged.backend.instance {
                Some(instance) => Note::ClockStepped { instance: Arc::clone(instance) },
                None => Note::SeveralNamelessClocks,
            };
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
    notes
}
