//! What one answer says, or why it says nothing.

use std::time::Duration;

use clock_offset::Span;
use http::header::AGE;

use crate::answer::{self, Field, ServerTime, age};
use crate::outcome::{AnswerFault, AnswerProblem, Cause, Failure, NotATime, Phase};
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
        let time = self.time_in(answer, target);
        // RFC 9111 section 5.1: a cache that answers from its store must say how old that is.
        if answer.status.is_success()
            && let Some(seconds @ 1..) = answer.headers.get(AGE).and_then(|value| age::read(value.as_bytes()))
            && !time.as_ref().is_ok_and(|time| self.is_younger_than(time, answer, seconds))
        {
            return Err(Interruption::Cached { seconds });
        }
        time.map(|time| self.check.instances.believed(time))
            .map_err(|problem| Interruption::Failed(failure(answer, problem)))
    }

    /// Whether the time in an answer is younger than its header `Age` says the answer is.
    ///
    /// A cache whose clock is ahead of the service's says so of fresh answers too: it takes the difference from the header
    /// `Date` for age (RFC 9111 section 4.2.3), and some proxies say it of all. A right clock's answer that is so many
    /// seconds old shows a time that is at least so many seconds before now. Whether the time moves as time does is for the
    /// plan to see: an answer that comes again stands still.
    fn is_younger_than(&self, time: &ServerTime, answer: &Answer, seconds: u64) -> bool {
        let now = self.reference.at(answer.received).shows;
        let age = Span::from(Duration::from_secs(seconds));
        time.reading.nearest_to(now.midpoint()).earliest() + age > now.latest()
    }

    fn time_in(&self, answer: &Answer, target: &Target) -> Result<ServerTime, AnswerProblem> {
        if let Some(why) = unusable::of(answer, &self.check.time.field) {
            let has_no_body = matches!(why, NotATime::NoBody(_));
            let now = self.reference.at(answer.received).shows.earliest();
            let elsewhere = has_no_body
                .then(|| answer::elsewhere_in_headers(&answer.headers, &self.check.time, now))
                .flatten()
                .map(Box::new);
            let body_start = printable(&answer.body, 80);
            return Err(AnswerProblem::NotATime { why, body_start, is_about_body: false, elsewhere });
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
        let round_trip = answer.received.since(answer.sent);
        answer::read(&answer.headers, &answer.body, selector, now, round_trip)
            .and_then(|time| answer::in_the_right_unit(time, &selector.notation, now))
            .map_err(|why| self.not_a_time(answer, why))
    }

    /// An answer that holds no time where it should, or one that is none.
    pub(super) fn not_a_time(&self, answer: &Answer, why: NotATime) -> AnswerProblem {
        let selector = &self.check.time;
        let now = self.reference.at(answer.received).shows.earliest();
        let is_about_body = !matches!(selector.field, Field::Header(_));
        let body_start = printable(&answer.body, 80);
        let elsewhere = answer::elsewhere(&answer.headers, &answer.body, selector, now, &why).map(Box::new);
        AnswerProblem::NotATime { why, body_start, is_about_body, elsewhere }
    }
}

/// An answer that cannot be used, as a failure.
pub(super) fn failure(answer: &Answer, problem: AnswerProblem) -> Failure {
    Failure {
        phase: Phase::Content,
        cause: Cause::Answer(Box::new(AnswerFault { status: answer.status, problem })),
        elapsed: answer.received.since(answer.sent),
    }
}
