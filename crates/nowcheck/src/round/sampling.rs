//! The sampling of one address: performs its plan, request by request, and judges what came.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clock_offset::{
    Action, Conclusion, Connection, Drift, Evidence, JudgedBackend, Plan, Rules, Sample, Shown, Verdict,
    resembles_time_zone,
};
use http::Method;
use http::header::{AGE, DATE, LOCATION};

use crate::outcome::{BackendOutcome, Note, Phases, Reason, Spread, Stale, Status, TargetOutcome};
use crate::probe::culprit::likelier_culprit;
use crate::probe::failure::{Failure, Kind, Phase};
use crate::probe::http::{Answer, HttpConnection, Reading, connect};
use crate::probe::server_time::{self, Field, ServerTime, StatedClock, printable};
use crate::target::Target;

use super::{MISS_PROBABILITY, MOST_REDIRECTS, Round, status_of_backends, status_of_failure};

/// Samples one address, and judges it.
pub(super) async fn sample(
    round: &Round,
    target: &Target,
    address: SocketAddr,
    resolve_took: Option<Duration>,
) -> TargetOutcome {
    let rules = Rules {
        limits: round.settings.limits,
        drift: Drift::DISCIPLINED,
        requests_per_connection: round.settings.requests_per_connection,
        miss_probability: MISS_PROBABILITY,
        max_requests: 32 + 48 * round.settings.requests_per_connection,
        last_start: round.last_start,
    };
    let mut sampling = Sampling {
        round,
        target,
        address,
        plan: Plan::new(rules, round.reference),
        connection: None,
        connections: 0,
        requests: 0,
        lost: 0,
        phases: Phases { resolve: resolve_took, ..Phases::default() },
        clocks: Vec::new(),
    };
    let ended = sampling.perform().await;
    sampling.judge(ended)
}

/// Why sampling ended before the plan was through.
enum Interruption {
    Failed(Failure),
    Cached { seconds: u64 },
}

/// The sampling of one address.
struct Sampling<'a> {
    round: &'a Round,
    target: &'a Target,
    address: SocketAddr,
    plan: Plan,
    connection: Option<HttpConnection>,
    connections: u32,
    requests: u32,
    lost: u32,
    phases: Phases,
    /// What each sample's server said of its own clock.
    clocks: Vec<Option<StatedClock>>,
}

impl Sampling<'_> {
    async fn perform(&mut self) -> Result<(), Interruption> {
        let clock = self.round.clock;
        let reading = match self.round.settings.source.field {
            Field::Header(_) => Reading::HeadOnly,
            _ => Reading::Whole,
        };
        loop {
            let Action::Ask { over, at } = self.plan.next(clock.now()) else {
                return Ok(());
            };
            let kept = match over {
                Connection::Kept => self.connection.take(),
                Connection::Fresh => None,
            };
            let was_kept = kept.is_some();
            let mut connection = match kept {
                Some(connection) => connection,
                None => self.open().await?,
            };
            // Opening comes first: the request is what has to be on time.
            if at > clock.now() {
                tokio::time::sleep_until(clock.deadline(at)).await;
            }
            self.requests += 1;
            let answer = match connection.ask(Method::GET, self.target, reading, self.round.deadline).await {
                Ok(answer) => answer,
                Err(lost) if was_kept && lost.closed_before_answer => {
                    self.lost += 1;
                    self.plan.kept_connection_was_lost();
                    continue;
                }
                Err(no_answer) => return Err(Interruption::Failed(no_answer.failure)),
            };
            if self.phases.wait.is_none() {
                self.phases.wait = Some(answer.first_byte.since(answer.sent));
                self.phases.transfer = Some(answer.received.since(answer.first_byte));
            }
            let time = self.read(&answer)?;
            let sample = Sample {
                sent: answer.sent,
                received: answer.received,
                reading: time.reading,
                instance: time.instance,
                connection: self.connections - 1,
            };
            self.clocks.push(time.clock);
            self.plan.record(sample, answer.stays_open);
            self.connection = answer.stays_open.then_some(connection);
        }
    }

    async fn open(&mut self) -> Result<HttpConnection, Interruption> {
        let Round { settings, clock, deadline, .. } = self.round;
        let opened = connect(self.target, self.address, &settings.tls, *clock, *deadline).await;
        self.connections += 1;
        match opened {
            Ok(connection) => {
                if self.phases.connect.is_none() {
                    self.phases.connect = Some(connection.connect);
                    self.phases.tls = connection.tls;
                }
                Ok(connection)
            }
            Err(refused) => {
                let mut failure = refused.failure;
                if let Some(breach) = refused.breach {
                    let culprit =
                        likelier_culprit(self.target, self.address, breach, *clock, *deadline).await;
                    failure.message = format!("{}; {culprit}", failure.message);
                }
                Err(Interruption::Failed(failure))
            }
        }
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
            let message = format!("it answered {status}");
            return Err(fail(Kind::Status { status: status.as_u16() }, message));
        }
        // RFC 9111 section 5.1: a cache that answers from its store must say how old that is.
        if let Some(seconds @ 1..) = answer.headers.get(AGE).and_then(|value| age(value.as_bytes())) {
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
        server_time::read(&answer.headers, &answer.body, &self.round.settings.source).map_err(|error| {
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
        let (failure, stale) = match ended {
            Err(Interruption::Failed(failure)) => (Some(failure), None),
            Err(Interruption::Cached { seconds }) => (None, Some(Stale::Age { seconds })),
            Ok(()) => (None, conclusion.standstill.map(|still| Stale::Standstill { elapsed: still.elapsed })),
        };
        let (status, reason) = match (&failure, stale) {
            (Some(failure), _) => status_of_failure(failure),
            (None, Some(_)) => (Status::Critical, Reason::StaleCache),
            (None, None) => status_of_backends(&conclusion.backends),
        };
        let mut notes = if stale.is_some() { Vec::new() } else { notes_on(&self.plan, &conclusion) };
        if self.lost > 0 {
            notes.push(Note::KeptConnectionsLost { count: self.lost });
        }
        let answered = !conclusion.backends.is_empty();
        if answered && failure.is_none() && stale.is_none() && conclusion.miss_probability > MISS_PROBABILITY
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
        TargetOutcome {
            url: self.target.to_string(),
            address: Some(self.address),
            status,
            reason,
            failure,
            phases: self.phases,
            connections: self.connections,
            requests: self.requests,
            miss_probability: answered.then_some(conclusion.miss_probability),
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

/// The seconds in an `Age` header: the first of a list, and of a number beyond all numbers a very great one (RFC
/// 9111 sections 5.1 and 1.2.2). What is no number says nothing.
fn age(value: &[u8]) -> Option<u64> {
    let first = value.split(|&byte| byte == b',').next()?.trim_ascii();
    let is_number = !first.is_empty() && first.iter().all(u8::is_ascii_digit);
    is_number
        .then(|| std::str::from_utf8(first).ok()?.parse().ok())
        .map(|seconds| seconds.unwrap_or(u64::MAX))
}

fn notes_on(plan: &Plan, conclusion: &Conclusion) -> Vec<Note> {
    let mut notes = Vec::new();
    if plan.samples().iter().any(|sample| matches!(sample.reading.shown, Shown::TimeOfDay(_))) {
        notes.push(Note::WholeDaysUnseen);
    }
    if conclusion.one_clock_is_believed {
        notes.push(Note::OneClockIsBelieved);
    }
    for judged in &conclusion.backends {
        if judged.verdict == Verdict::Desynchronised
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
    fn an_age_is_read_as_the_standard_says() {
        assert_eq!(age(b"30"), Some(30));
        assert_eq!(age(b" 30, 31"), Some(30));
        assert_eq!(age(b"0"), Some(0));
        assert_eq!(age(b"99999999999999999999"), Some(u64::MAX));
        assert_eq!(age(b"soon"), None);
        assert_eq!(age(b""), None);
    }
}
