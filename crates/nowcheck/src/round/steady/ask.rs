//! The requests of a steady round to one address.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::net::SocketAddr;

use clock_offset::{
    Drift, NewConnections, Sample, SteadyAction, SteadyDoubt, SteadyProof, SteadyRound, SteadyRules,
};

use http::StatusCode;

use super::FullRoundReason;
use super::memory::Place;
use crate::outcome::{
    BackendOutcome, CertificateOutcome, Discarded, Finding, Note, Phases, Spread, StatedClock, TargetOutcome,
};
use crate::probe::certificate_validity::Certificate;
use crate::probe::http::HttpConnection;
use crate::round::RoundContext;
use crate::round::burst::{self, Burst};
use crate::target::Target;

/// Two for the two ends of coarse readings, and one that keeps them aimed or stands in for one that was delayed.
const MOST_REQUESTS: u32 = 3;

/// Nothing is proven.
pub(super) struct Unproven {
    pub(super) reason: FullRoundReason,
    /// What the next round is aimed by, where the answers tell something about that.
    pub(super) place: Option<Place>,
}

impl From<FullRoundReason> for Unproven {
    fn from(reason: FullRoundReason) -> Self {
        Self { reason, place: None }
    }
}

/// What came so far.
struct Asking<'a> {
    round: &'a RoundContext,
    target: &'a Target,
    address: SocketAddr,
    kept: Option<HttpConnection>,
    connections: u32,
    requests: u32,
    phases: Phases,
    http_status: Option<StatusCode>,
    certificate: Option<Certificate>,
    clock: Option<StatedClock>,
}

impl RoundContext {
    /// Asks one address, and says what is to be remembered of it.
    pub(super) async fn ask_steadily(
        &self,
        target: &Target,
        address: SocketAddr,
        place: &Place,
    ) -> Result<(TargetOutcome, Place), Unproven> {
        let rules = SteadyRules {
            limits: self.check.limits,
            drift: Drift::DISCIPLINED,
            last_start: self.last_start,
            max_requests: MOST_REQUESTS,
        };
        let mut steady = SteadyRound::new(rules, self.reference, place.aim(), coin());
        let mut asking = Asking {
            round: self,
            target,
            address,
            kept: None,
            connections: 0,
            requests: 0,
            phases: Phases::default(),
            http_status: None,
            certificate: None,
            clock: None,
        };
        loop {
            match steady.next(self.clock.now()) {
                SteadyAction::Doubt(doubt) => {
                    let instance = steady.samples().last().and_then(|sample| sample.instance.as_ref());
                    let place = steady.learned_so_far().map(|memory| place.knowing(instance, memory));
                    return Err(Unproven { reason: FullRoundReason::Clock(doubt), place });
                }
                SteadyAction::Proven(proof) => {
                    let place = place.after(&proof)?;
                    return Ok((asking.into_outcome(&proof, steady.samples()), place));
                }
                SteadyAction::Ask { at } => {
                    let sample = asking.ask(at).await?;
                    if steady.samples().is_empty() {
                        let known =
                            place.of_clock(sample.instance.as_ref()).ok_or(FullRoundReason::NewInstance)?;
                        steady.recall(known.clone());
                    }
                    steady.record(sample);
                }
            }
        }
    }
}

impl Asking<'_> {
    /// One request, over the connection that is open, if the server keeps it.
    async fn ask(&mut self, at: clock_offset::MonotonicInstant) -> Result<Sample, FullRoundReason> {
        // Each request is counted before it is sent, so that a server that closes every connection ends the round.
        if self.requests > MOST_REQUESTS {
            return Err(FullRoundReason::Clock(SteadyDoubt::Open));
        }
        let id = self.connections.saturating_sub(1);
        let burst = match self.kept.take() {
            Some(kept) => burst::over_a_kept_one(self.round, self.target, kept, id, at).await,
            None => self.open(at).await,
        };
        self.requests += burst.requests;
        if burst.was_lost {
            return Box::pin(self.ask(at)).await;
        }
        self.kept = burst.connection;
        let answer = burst.answers.into_iter().next().ok_or(FullRoundReason::Failed)?;
        if self.phases.wait.is_none() {
            self.phases.wait = Some(answer.first_byte.since(answer.sent));
            self.phases.transfer = Some(answer.received.since(answer.first_byte));
            self.http_status = Some(answer.status);
        }
        let time = self.round.read(&answer, self.target).map_err(|_| FullRoundReason::Failed)?;
        self.clock = time.clock;
        Ok(Sample {
            sent: answer.sent,
            received: answer.received,
            reading: time.reading,
            instance: time.instance,
            connection: self.connections,
        })
    }

    async fn open(&mut self, at: clock_offset::MonotonicInstant) -> Burst {
        let new = NewConnections { count: 1, requests: 1, at, keep: true };
        let (round, target) = (self.round.clone(), self.target.clone());
        let burst = burst::over_a_fresh_one(round, target, self.address, self.connections, new).await;
        self.connections += 1;
        if let Some(opened) = burst.opened
            && self.phases.connect.is_none()
        {
            (self.phases.connect, self.phases.tls) = (Some(opened.connect), opened.tls);
            self.certificate = opened.certificate;
        }
        burst
    }

    fn into_outcome(self, proof: &SteadyProof, samples: &[Sample]) -> TargetOutcome {
        let now = self.round.reference.at(self.round.clock.now()).shows.earliest();
        let backend = BackendOutcome {
            instance: proof.instance.clone(),
            verdict: proof.verdict,
            offset: proof.offset,
            tick: proof.memory.tick,
            step: proof.memory.step,
            samples: samples.len(),
            round_trip: Spread::of(samples.iter().map(Sample::round_trip)),
            clock: self.clock,
        };
        let ends_soon = self.certificate.filter(|certificate| certificate.ends_soon(now));
        let note = |certificate: Certificate| Note::CertificateEndsSoon { left: certificate.left(now) };
        TargetOutcome {
            url: self.target.to_string(),
            address: Some(self.address),
            finding: Finding::of_backends(vec![backend]),
            phases: self.phases,
            http_status: self.http_status,
            certificate: self
                .certificate
                .map(|Certificate { expires_at }| CertificateOutcome { expires_at, left: expires_at - now }),
            connections: self.connections,
            requests: self.requests,
            discarded: Discarded::default(),
            // It met one backend, and looked for no other.
            miss_probability: None,
            notes: ends_soon.map(note).into_iter().collect(),
        }
    }
}

/// Heads or tails.
fn coin() -> bool {
    RandomState::new().build_hasher().finish() & 1 == 0
}
