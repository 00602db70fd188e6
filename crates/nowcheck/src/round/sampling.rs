//! The sampling of one address: performs its plan, request by request, and judges what came.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use clock_offset::{
    Action, CERTAINTY, Conclusion, Drift, Evidence, JudgedBackend, NewConnections, Plan, Rules, Sample,
    Shown, Verdict, connections_needed, resembles_time_zone,
};
use http::header::{AGE, DATE, LOCATION};

use crate::outcome::{
    BackendOutcome, CertificateOutcome, Discarded, Note, Phases, Reason, Spread, Stale, Status, TargetOutcome,
};
use crate::parallel::in_parallel;
use crate::probe::age;
use crate::probe::certificate::Certificate;
use crate::probe::failure::{Failure, Kind, Phase};
use crate::probe::http::{Answer, HttpConnection};
use crate::probe::server_time::{self, Field, ServerTime, StatedClock, printable};
use crate::scheduling::is_heavy;
use crate::settings::Settings;
use crate::target::Target;

use super::burst::{self, Burst};
use super::{MOST_REDIRECTS, Round, status_of_backends, status_of_failure, worst_verdict};

/// Samples one address, and judges it.
pub(super) async fn sample(
    round: &Round,
    target: &Target,
    address: SocketAddr,
    resolve_took: Option<Duration>,
) -> TargetOutcome {
    let settings = &round.settings;
    let rules = Rules {
        limits: settings.limits,
        drift: Drift::DISCIPLINED,
        requests_per_connection: settings.requests_per_connection,
        miss_probability: settings.miss_probability,
        expected_backends: settings.expected_backends.and_then(NonZeroUsize::new),
        max_requests: most_requests(settings),
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
    sampling.judge(ended)
}

/// Enough to meet thirty backends, or as many as are known to be there, and to narrow down what is open.
fn most_requests(settings: &Settings) -> u32 {
    let seen = settings.expected_backends.unwrap_or_default().max(30);
    let certain = settings.expected_backends.map_or(1.0, |_| CERTAINTY);
    let connections = connections_needed(seen, settings.miss_probability * certain);
    64 + connections * settings.requests_per_connection
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
    round: &'a Round,
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
                Action::Open(NewConnections { count, requests, at, keep }) => {
                    // A server that serves few connections at a time could not answer beside those that are kept.
                    for id in std::mem::take(&mut self.kept).into_keys() {
                        self.plan.connection_was_closed(id);
                    }
                    let first = self.connections;
                    self.connections += count;
                    let bursts = (first..self.connections).map(|id| {
                        let (round, target) = (self.round.clone(), self.target.clone());
                        burst::over_a_fresh_one(round, target, self.address, id, requests, at, keep)
                    });
                    in_parallel(bursts).await
                }
                Action::Ask { connection: id, at } => {
                    let Some(kept) = self.kept.remove(&id) else {
                        self.plan.connection_was_closed(id);
                        continue;
                    };
                    vec![burst::over(self.round, self.target, kept, id, 1, at, true).await]
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
        if is_heavy(answer.kept_waiting, sample.round_trip()) && self.discarded.scheduling < MOST_DISCARDED {
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
        let elapsed = answer.received.since(answer.sent);
        let fail =
            |kind, message| Interruption::Failed(Failure { phase: Phase::Content, kind, message, elapsed });
        let status = answer.status;
        if status.is_redirection() {
            let location =
                answer.headers.get(LOCATION).map(|value| String::from_utf8_lossy(value.as_bytes()));
            let location = location.map(std::borrow::Cow::into_owned);
            let to = location.as_deref().map_or_else(
                || " without a target".to_owned(),
                |to| format!(" to {}", printable(to.as_bytes(), 300)),
            );
            let hint = if self.round.settings.follow {
                format!("; {MOST_REDIRECTS} are followed, and only to http or https")
            } else {
                "; --follow follows it".to_owned()
            };
            let message = format!("it answered {status}, a redirect{to}{hint}");
            return Err(fail(Kind::Redirect { status: status.as_u16(), location }, message));
        }
        if !status.is_success() {
            let message = match problem_detail(&answer.body) {
                Some(detail) => format!("it answered {status}: {detail}"),
                None => format!("it answered {status}"),
            };
            return Err(fail(Kind::Status { status: status.as_u16() }, message));
        }
        // RFC 9111 section 5.1: a cache that answers from its store must say how old that is.
        if let Some(seconds @ 1..) = answer.headers.get(AGE).and_then(|value| age::read(value.as_bytes())) {
            return Err(Interruption::Cached { seconds });
        }
        let body_start = || printable(&answer.body, 80);
        let reads_body = !matches!(self.round.settings.source.field, Field::Header(_));
        if answer.is_cut && reads_body {
            let message = format!(
                "the answer is larger than 64 KiB, so it is not a time; it begins with: {}",
                body_start()
            );
            return Err(fail(Kind::TooLarge { status: status.as_u16(), body_start: body_start() }, message));
        }
        let source = &self.round.settings.source;
        let now = self.round.reference.at(answer.received).shows.earliest();
        let time = server_time::read(&answer.headers, &answer.body, source);
        time.and_then(|time| server_time::in_the_right_unit(time, source.format, now)).map_err(|error| {
            let got = if reads_body && !answer.body.is_empty() {
                format!("; it begins with: {}", body_start())
            } else {
                String::new()
            };
            fail(
                Kind::NotATime { status: status.as_u16(), body_start: body_start() },
                format!("the answer is not a time: {error}{got}"),
            )
        })
    }

    fn judge(self, ended: Result<(), Interruption>) -> TargetOutcome {
        let conclusion = self.plan.conclusion();
        let ended = match self.round.pause() {
            // An old answer is one whenever it was read, and leaves nothing open.
            Some(pause) if conclusion.standstill.is_none() => {
                let wait = self.plan.samples().last().map(Sample::round_trip);
                pause.excuses(ended, worst_verdict(&conclusion.backends), wait)
            }
            _ => ended,
        };
        let (failure, stale) = match ended {
            Err(Interruption::Failed(failure)) => (Some(failure), None),
            Err(Interruption::Cached { seconds }) => (None, Some(Stale::Age { seconds })),
            Ok(()) => (None, conclusion.standstill.map(|still| Stale::Standstill { elapsed: still.elapsed })),
        };
        let (status, reason) = match (&failure, stale) {
            // It refuses to be asked so often, and has told the time before.
            (Some(Failure { kind: Kind::Status { status: 429 }, .. }), _)
                if !conclusion.backends.is_empty() =>
            {
                (Status::Unknown, Reason::Undetermined)
            }
            (Some(failure), _) => status_of_failure(failure),
            (None, Some(_)) => (Status::Critical, Reason::StaleCache),
            (None, None) => status_of_backends(&conclusion.backends),
        };
        let mut notes = if stale.is_some() { Vec::new() } else { notes_on(&self.plan, &conclusion) };
        if self.lost > 0 {
            notes.push(Note::KeptConnectionsLost { count: self.lost });
        }
        let answered = !conclusion.backends.is_empty();
        if answered
            && failure.is_none()
            && stale.is_none()
            && conclusion.miss_probability > self.round.settings.miss_probability
        {
            notes.push(Note::BackendsMayBeMissing);
        }
        let source = &self.round.settings.source;
        let cache = source.date_cache;
        if answered && source.field == Field::Header(DATE) && cache > Duration::ZERO {
            notes.push(Note::DateMayBeCached { cache });
        }
        if self.clocks.iter().flatten().any(|clock| clock.status == "unsynchronized") {
            notes.push(Note::ServerSaysUnsynchronised);
        }
        let now = self.round.reference.at(self.round.clock.now()).shows.earliest();
        if let Some(certificate) = self.certificate
            && certificate.ends_soon(now)
        {
            notes.push(Note::CertificateEndsSoon { left: certificate.left(now) });
        }
        let certificate = self
            .certificate
            .map(|Certificate { expires_at }| CertificateOutcome { expires_at, left: expires_at - now });
        TargetOutcome {
            url: self.target.to_string(),
            address: Some(self.address),
            status,
            reason,
            failure,
            phases: self.phases,
            certificate,
            connections: self.connections,
            requests: self.requests,
            discarded: self.discarded,
            miss_probability: (answered && conclusion.backends_are_counted)
                .then_some(conclusion.miss_probability),
            // An old answer says nothing about a clock.
            backends: match stale {
                Some(_) => Vec::new(),
                None => conclusion.backends.iter().map(|judged| self.backend(judged)).collect(),
            },
            stale,
            notes,
        }
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

/// What an error says of itself, when it is one of RFC 9457: its `detail`, made printable.
fn problem_detail(body: &[u8]) -> Option<String> {
    let problem: serde_json::Value = serde_json::from_slice(body).ok()?;
    let detail = problem.get("detail")?.as_str()?.trim_end_matches('.');
    Some(printable(detail.as_bytes(), 200))
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
        notes.push(Note::OneClockIsBelieved);
    }
    for judged in &conclusion.backends {
        if judged.verdict == Verdict::Desynchronized
            && let Some(zone) = resembles_time_zone(&judged.offset)
        {
            notes.push(Note::ResemblesTimeZone { zone });
        }
        if judged.backend.evidence == Evidence::ToldApart {
            let note = match &judged.backend.instance {
                Some(instance) => Note::ClockWasStepped { instance: Arc::clone(instance) },
                None => Note::SeveralNamelessClocks,
            };
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_error_says_of_itself_is_printed_and_cannot_write_to_a_terminal() {
        let said = problem_detail(br#"{"status": 503, "detail": "the clock is not synchronized."}"#);
        assert_eq!(said.as_deref(), Some("the clock is not synchronized"));
        assert!(!problem_detail(br#"{"detail": "\u001b[31mred"}"#).unwrap().contains('\u{1b}'));
        for other in [&b"<html>"[..], b"{}", br#"{"detail": 7}"#, b"[1]", b""] {
            assert_eq!(problem_detail(other), None);
        }
    }
}
