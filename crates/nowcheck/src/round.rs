//! One round: performs the plan on every address of every target, and judges what came.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clock_offset::{
    Action, BoundedTime, Conclusion, Connection, Drift, Evidence, JudgedBackend, Limits, MonotonicInstant,
    Plan, Rules, Sample, Shown, Verdict, resembles_time_zone,
};
use http::Method;
use http::header::{AGE, DATE, LOCATION};
use tokio::task::JoinSet;
use url::Host;

use crate::clock::{Clock, WallReading};
use crate::outcome::{BackendOutcome, Note, Outcome, Phases, Reason, Spread, Stale, Status, TargetOutcome};
use crate::probe::culprit::likelier_culprit;
use crate::probe::failure::{Failure, Kind, Phase};
use crate::probe::http::{Answer, HttpConnection, Reading, connect};
use crate::probe::resolve::{Addresses, resolve};
use crate::probe::server_time::{self, Field, ServerTime, StatedClock, printable};
use crate::settings::Settings;
use crate::target::Target;

/// A missed backend is left unlooked for when it is less likely than this.
const MISS_PROBABILITY: f64 = 0.01;

/// Redirects that are followed, one after the other.
const MOST_REDIRECTS: u32 = 5;

/// What all probes of a round share.
#[derive(Debug, Clone)]
struct Round {
    settings: Arc<Settings>,
    clock: Clock,
    reference: BoundedTime,
    /// A DNS that is silent must leave time for the addresses that it did tell.
    resolve_until: MonotonicInstant,
    deadline: MonotonicInstant,
    last_start: MonotonicInstant,
}

/// Holds a round. It ends by itself within the timeout, whatever the other side does.
pub async fn hold(settings: Arc<Settings>, clock: Clock) -> Outcome {
    let begin = clock.now();
    let wall = clock.read_wall();
    let round = Round {
        clock,
        reference: wall.reference(settings.timeout),
        resolve_until: begin + settings.timeout / 3,
        deadline: begin + settings.timeout,
        // Every request has a quarter of the round to be answered, so silence until its end means something.
        last_start: begin + settings.timeout * 3 / 4,
        settings: Arc::clone(&settings),
    };
    let targets = settings.targets.iter().cloned().map(|target| {
        let round = round.clone();
        async move { round.check(target, 0).await }
    });
    let mut targets: Vec<TargetOutcome> = in_parallel(targets).await.into_iter().flatten().collect();
    doubt_the_reference(&mut targets, &wall, &clock.read_wall(), &settings.limits);
    Outcome {
        checked_at: wall.shown.shows.earliest() - (wall.shown.at - begin),
        duration: clock.now().since(begin),
        limits: settings.limits,
        reference: wall.synchronisation,
        targets,
    }
}

/// Runs futures side by side, and gives their results in the order in which the futures came.
async fn in_parallel<T: Send + 'static>(
    futures: impl Iterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let mut tasks = JoinSet::new();
    for (index, future) in futures.enumerate() {
        tasks.spawn(async move { (index, future.await) });
    }
    let mut results = tasks.join_all().await;
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

impl Round {
    /// Checks every address of a target, and where they redirect to if that is wanted.
    async fn check(&self, target: Target, redirects: u32) -> Vec<TargetOutcome> {
        let begin = self.clock.now();
        let addresses = match resolve(&target.host, &self.clock, self.resolve_until).await {
            Ok(addresses) => addresses,
            Err(failure) => return vec![unresolved(&target, failure)],
        };
        let is_a_name = matches!(target.host, Host::Domain(_));
        let resolve_took = is_a_name.then(|| self.clock.now().since(begin));
        let probes = addresses.all.iter().map(|&ip| {
            let (round, target) = (self.clone(), target.clone());
            async move { round.check_address(&target, SocketAddr::new(ip, target.port), resolve_took).await }
        });
        let mut outcomes = without_skipped(in_parallel(probes).await, &addresses);
        if let (Some(why), Some(first)) = (&addresses.unknown, outcomes.first_mut()) {
            first.notes.push(Note::AddressesUnknown { why: why.clone() });
        }
        if !self.settings.follow {
            return outcomes;
        }
        let mut followed = Vec::new();
        let mut seen = Vec::new();
        for outcome in outcomes {
            match destination(&outcome, &target, redirects) {
                Some(next) if seen.contains(&next) => {}
                Some(next) => {
                    seen.push(next.clone());
                    let from = outcome.url;
                    // A boxed future, because it may come back here.
                    let mut further = Box::pin(self.check(next, redirects + 1)).await;
                    for outcome in &mut further {
                        // Of a chain of redirects its begin is what the reader knows.
                        outcome.notes.retain(|note| !matches!(note, Note::RedirectedFrom { .. }));
                        outcome.notes.push(Note::RedirectedFrom { url: from.clone() });
                    }
                    followed.extend(further);
                }
                None => followed.push(outcome),
            }
        }
        followed
    }

    async fn check_address(
        &self,
        target: &Target,
        address: SocketAddr,
        resolve_took: Option<Duration>,
    ) -> TargetOutcome {
        let rules = Rules {
            limits: self.settings.limits,
            drift: Drift::DISCIPLINED,
            requests_per_connection: self.settings.requests_per_connection,
            miss_probability: MISS_PROBABILITY,
            max_requests: 32 + 48 * self.settings.requests_per_connection,
            last_start: self.last_start,
        };
        let mut sampling = Sampling {
            round: self,
            target,
            address,
            plan: Plan::new(rules, self.reference),
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

/// A name that gave no address is judged as one target without one.
fn unresolved(target: &Target, failure: Failure) -> TargetOutcome {
    let (status, reason) = status_of_failure(&failure);
    TargetOutcome {
        url: target.to_string(),
        address: None,
        status,
        reason,
        failure: Some(failure),
        phases: Phases::default(),
        connections: 0,
        requests: 0,
        miss_probability: None,
        backends: Vec::new(),
        stale: None,
        notes: Vec::new(),
    }
}

fn status_of_failure(failure: &Failure) -> (Status, Reason) {
    match (failure.phase, &failure.kind) {
        // A DNS server that is silent says nothing about the service.
        (_, Kind::Local | Kind::NoRoute) | (Phase::Resolve, Kind::Timeout) => {
            (Status::Unknown, Reason::CheckerFault)
        }
        _ => (Status::Critical, Reason::Down),
    }
}

fn status_of_backends(backends: &[JudgedBackend]) -> (Status, Reason) {
    let Some(worst) = backends.iter().map(|judged| judged.verdict).reduce(Verdict::worse) else {
        // The round's time was over before the first request could be begun.
        return (Status::Unknown, Reason::Undetermined);
    };
    status_of_verdict(worst)
}

/// The status and the reason that a verdict stands for.
#[must_use]
pub fn status_of_verdict(verdict: Verdict) -> (Status, Reason) {
    match verdict {
        Verdict::InSync => (Status::Ok, Reason::InSync),
        Verdict::NotWithinWarning => (Status::Warning, Reason::Desynchronised),
        Verdict::Undetermined => (Status::Unknown, Reason::Undetermined),
        Verdict::Desynchronised => (Status::Critical, Reason::Desynchronised),
    }
}

fn notes_on(plan: &Plan, conclusion: &Conclusion) -> Vec<Note> {
    let mut notes = Vec::new();
    if plan.samples().iter().any(|sample| matches!(sample.reading.shown, Shown::TimeOfDay(_))) {
        notes.push(Note::WholeDaysUnseen);
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

/// Leaves out addresses that say nothing about the service: the other way to this same machine when a loopback
/// name is checked, and those of a family that this machine has no route for. They are named in a note.
fn without_skipped(outcomes: Vec<TargetOutcome>, addresses: &Addresses) -> Vec<TargetOutcome> {
    let says_nothing = |outcome: &TargetOutcome| {
        outcome.failure.as_ref().is_some_and(|failure| match failure.kind {
            Kind::NoRoute => true,
            Kind::Refused => addresses.are_one_machine,
            _ => false,
        })
    };
    if outcomes.iter().all(says_nothing) {
        return outcomes;
    }
    let (skipped, mut kept): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(says_nothing);
    for outcome in skipped {
        if let (Some(address), Some(failure), Some(first)) =
            (outcome.address, outcome.failure, kept.first_mut())
        {
            first.notes.push(Note::AddressSkipped { address, why: failure.message });
        }
    }
    kept
}

/// Where a redirected target is to be looked for instead.
fn destination(outcome: &TargetOutcome, target: &Target, redirects: u32) -> Option<Target> {
    if redirects >= MOST_REDIRECTS {
        return None;
    }
    match &outcome.failure.as_ref()?.kind {
        Kind::Redirect { location: Some(location), .. } => target.redirected_to(location),
        _ => None,
    }
}

/// What was compared with this machine's clock is worth no more than that clock.
fn doubt_the_reference(
    targets: &mut [TargetOutcome],
    begin: &WallReading,
    end: &WallReading,
    limits: &Limits,
) {
    let stepped = begin.step_until(end);
    for target in targets.iter_mut().filter(|target| !target.backends.is_empty()) {
        if begin.synchronisation.max_error().is_none() {
            target.notes.push(Note::ReferenceNotVouchedFor);
        }
        if let Some(step) = stepped {
            target.notes.push(Note::WallClockStepped { step });
            if matches!(target.reason, Reason::InSync | Reason::Desynchronised | Reason::Undetermined) {
                (target.status, target.reason) = (Status::Unknown, Reason::CheckerFault);
                for backend in &mut target.backends {
                    backend.verdict = Verdict::Undetermined;
                }
            }
        }
        if let Some(max_error) = begin.synchronisation.max_error()
            && max_error > limits.max_offset
            && target.reason == Reason::Undetermined
        {
            target.reason = Reason::CheckerFault;
            target.notes.push(Note::ReferenceTooWide { max_error });
        }
    }
}

#[cfg(test)]
#[path = "round_tests.rs"]
mod tests;
