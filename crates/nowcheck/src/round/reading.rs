//! What one answer says, or why it says nothing.

use http::header::AGE;

use crate::answer::{self, Field, ServerTime, age};
use crate::outcome::{AnswerFault, AnswerProblem, Cause, Failure, Phase};
use crate::probe::http::Answer;
use crate::target::Target;
use crate::text::printable;

use super::RoundContext;
use super::location::{MOST_REDIRECTS, is_redirect, location};
use super::sampling::Interruption;
use super::unusable;

impl RoundContext {
    /// What an answer says, if it is one that says the time.
    pub(super) fn read(&self, answer: &Answer, target: &Target) -> Result<ServerTime, Interruption> {
        // RFC 9111 section 5.1: a cache that answers from its store must say how old that is.
        if answer.status.is_success()
            && let Some(seconds @ 1..) = answer.headers.get(AGE).and_then(|value| age::read(value.as_bytes()))
        {
            return Err(Interruption::Cached { seconds });
        }
        self.time_in(answer, target).map_err(|problem| {
            Interruption::Failed(Failure {
                phase: Phase::Content,
                cause: Cause::Answer(Box::new(AnswerFault { status: answer.status, problem })),
                elapsed: answer.received.since(answer.sent),
            })
        })
    }

    fn time_in(&self, answer: &Answer, target: &Target) -> Result<ServerTime, AnswerProblem> {
        if let Some(why) = unusable::of(answer, &self.check.time.field) {
            let body_start = printable(&answer.body, 80);
            return Err(AnswerProblem::NotATime { why, body_start, is_about_body: false });
        }
        if is_redirect(answer) {
            let location = location(answer);
            let limit = self.check.follow.then_some(MOST_REDIRECTS);
            return Err(AnswerProblem::Redirect { location, limit, is_loop: false });
        }
        if !answer.status.is_success() {
            return Err(unusable::error(answer, target));
        }
        let selector = &self.check.time;
        let is_about_body = !matches!(selector.field, Field::Header(_));
        let body_start = || printable(&answer.body, 80);
        if answer.is_cut && is_about_body {
            return Err(AnswerProblem::TooLarge { body_start: body_start() });
        }
        let now = self.reference.at(answer.received).shows.earliest();
        answer::read(&answer.headers, &answer.body, selector, now)
            .and_then(|time| answer::in_the_right_unit(time, &selector.notation, now))
            .map_err(|why| AnswerProblem::NotATime { why, body_start: body_start(), is_about_body })
    }
}
