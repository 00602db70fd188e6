//! What one answer says, or why it says nothing.

use http::header::{AGE, LOCATION};

use crate::answer::{self, Field, ServerTime, age};
use crate::outcome::{AnswerFault, AnswerProblem, Cause, Failure, Phase};
use crate::probe::http::Answer;
use crate::text::printable;

use super::RoundContext;
use super::redirects::MOST_REDIRECTS;
use super::sampling::Interruption;
use super::unusable;

impl RoundContext {
    /// What an answer says, if it is one that says the time.
    pub(super) fn read(&self, answer: &Answer) -> Result<ServerTime, Interruption> {
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
        if let Some(why) = unusable::of(answer, &self.check.time.field) {
            let body_start = printable(&answer.body, 80);
            return Err(AnswerProblem::NotATime { why, body_start, is_about_body: false });
        }
        if answer.status.is_redirection() {
            let location = answer.headers.get(LOCATION);
            let location = location.map(|to| String::from_utf8_lossy(to.as_bytes()).into_owned());
            let limit = self.check.follow.then_some(MOST_REDIRECTS);
            return Err(AnswerProblem::Redirect { location, limit, is_loop: false });
        }
        if !answer.status.is_success() {
            return Err(AnswerProblem::Status(problem_detail(&answer.body)));
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

/// What an error says of itself, when it is one of RFC 9457: its `detail`, made printable.
fn problem_detail(body: &[u8]) -> Option<String> {
    let problem: serde_json::Value = serde_json::from_slice(body).ok()?;
    let detail = problem.get("detail")?.as_str()?.trim_end_matches('.');
    Some(printable(detail.as_bytes(), 200))
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
