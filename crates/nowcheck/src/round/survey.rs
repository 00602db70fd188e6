//! What stands behind an address that redirects: a balancer may send each connection to another backend, and each of
//! those may redirect elsewhere, or answer by itself.

use std::net::SocketAddr;
use std::sync::Arc;

use clock_offset::{NewConnections, connections_needed};
use http::StatusCode;

use super::location::{MOST_REDIRECTS, destination, is_redirect, location};
use super::sampling::Place;
use super::{RoundContext, burst, sampling};
use crate::outcome::{
    AnswerProblem, Cause, CheckerFault, Failure, Finding, Interrupted, Note, TargetOutcome, Undetermined,
};
use crate::probe::http::Answer;
use crate::target::Target;

/// Destinations of one address that are followed, at most. A server that makes up a new one for each answer, such as
/// a page to log in with a number of its own, would never be known to its end.
const MOST_DESTINATIONS: usize = 8;

/// How much of a round one address may take for that.
const PART_OF_A_ROUND: u32 = 5;

/// What was seen at one address besides its first redirect.
#[derive(Debug, Default)]
struct Survey {
    /// Further redirects, each once.
    redirects: Vec<(StatusCode, Option<String>)>,
    /// Some answers are no redirects.
    answers_itself: bool,
    /// A request failed.
    failure: Option<Failure>,
    /// More may stand behind the address.
    is_cut: bool,
    connections: u32,
    requests: u32,
}

impl RoundContext {
    /// The outcomes of an address of the last one of these targets: what was found there, unless it is a redirect that
    /// can be followed; else one for each destination that it redirects to, and what it answers by itself.
    pub(super) async fn all_behind(
        mut self,
        way: Arc<[Target]>,
        mut outcome: TargetOutcome,
    ) -> Vec<TargetOutcome> {
        let (Some(first), Some(address), Some(target)) =
            (redirect(&outcome.finding), outcome.address, way.last())
        else {
            return vec![outcome];
        };
        if destination(&mut outcome, &way, &self.check.destinations).is_none() {
            return vec![outcome];
        }
        let mut survey = Survey {
            answers_itself: !outcome.backends().is_empty(),
            redirects: vec![first],
            ..Survey::default()
        };
        self.survey(target, address, &mut survey).await;
        outcome.connections += survey.connections;
        outcome.requests += survey.requests;
        if survey.is_cut {
            outcome.notes.push(Note::BackendsMayBeMissing { needed: None });
        }
        if let Finding::Down(interrupted) = &mut outcome.finding {
            interrupted.backends.clear();
        }
        let bare = TargetOutcome { notes: Vec::new(), connections: 0, requests: 0, ..outcome.clone() };
        let mut all = vec![outcome];
        for (status, location) in survey.redirects.into_iter().skip(1) {
            all.push(bare.clone().redirecting(status, location));
        }
        if let Some(failure) = survey.failure {
            all.push(TargetOutcome { finding: Finding::of_failure(failure, Vec::new()), ..bare });
        }
        if survey.answers_itself {
            self.passes_over_redirects = true;
            let place = Place { address, resolve_took: None, share: self.check.max_connections.get() };
            let itself = sampling::sample(&self, target, place).await;
            if itself.finding != Finding::Undetermined(Undetermined::NothingAsked) {
                all.push(itself);
            }
        }
        all
    }

    /// Asks over one fresh connection after the other until it is unlikely that a backend does something else than was
    /// seen. One at a time, because it is many questions for little.
    async fn survey(&self, target: &Target, address: SocketAddr, survey: &mut Survey) {
        let until = (self.clock.now() + self.check.timeout / PART_OF_A_ROUND).min(self.last_start);
        let mut turns = self.turns.clone();
        let mut met = 1;
        while met < connections_needed(survey.seen(), self.check.miss_probability) {
            if survey.redirects.len() >= MOST_DESTINATIONS || self.clock.now() >= until {
                survey.is_cut = true;
                return;
            }
            let new = NewConnections { count: 1, requests: 1, at: self.clock.now(), keep: false };
            let turn = turns.wait().await;
            let burst = burst::over_a_fresh_one(self.clone(), target.clone(), address, met, new).await;
            drop(turn);
            survey.connections += 1;
            survey.requests += burst.requests;
            if let Some(failure) = burst.failure {
                survey.failure = Some(failure);
                return;
            }
            for answer in &burst.answers {
                if answer.status == StatusCode::TOO_MANY_REQUESTS {
                    survey.is_cut = true;
                    return;
                }
                survey.take(answer);
            }
            met += 1;
        }
    }
}

impl Survey {
    /// How many kinds of answers were seen.
    fn seen(&self) -> usize {
        self.redirects.len() + usize::from(self.answers_itself)
    }

    fn take(&mut self, answer: &Answer) {
        if !is_redirect(answer) {
            self.answers_itself = true;
        } else if let redirect = (answer.status, location(answer))
            && !self.redirects.iter().any(|(_, known)| *known == redirect.1)
        {
            self.redirects.push(redirect);
        }
    }
}

fn redirect(finding: &Finding) -> Option<(StatusCode, Option<String>)> {
    let (Finding::Down(interrupted) | Finding::CheckerFault(CheckerFault::CannotAsk(interrupted))) = finding
    else {
        return None;
    };
    let Cause::Answer(fault) = &interrupted.failure.cause else { return None };
    let AnswerProblem::Redirect { location, .. } = &fault.problem else { return None };
    Some((fault.status, location.clone()))
}

impl TargetOutcome {
    /// The same address, with another redirect.
    fn redirecting(mut self, status: StatusCode, location: Option<String>) -> Self {
        if let Finding::Down(Interrupted { failure, .. }) = &mut self.finding
            && let Cause::Answer(fault) = &mut failure.cause
        {
            fault.status = status;
            fault.problem = AnswerProblem::Redirect { location, limit: Some(MOST_REDIRECTS), is_loop: false };
        }
        self
    }
}
