//! Answers that tell no time: those whose head says already that there is none in their body, and errors.

use http::StatusCode;

use crate::answer::Field;
use crate::outcome::{AnswerProblem, NotATime};
use crate::probe::http::Answer;
use crate::probe::other_protocol::wants_tls;
use crate::target::Target;
use crate::text::printable;

/// Why there can be no time in an answer, whatever its body holds.
pub(super) fn of(answer: &Answer, field: &Field) -> Option<NotATime> {
    // It has the class of a redirect, but redirects nowhere (RFC 9110 section 15.4.5).
    if answer.status == StatusCode::NOT_MODIFIED {
        return Some(NotATime::NotModified);
    }
    if !answer.status.is_success() || matches!(field, Field::Header(_)) {
        return None;
    }
    if matches!(answer.status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT) && answer.body.is_empty() {
        return Some(NotATime::NoBody(answer.status));
    }
    answer.coding_fault.as_ref().map(|fault| NotATime::BodyIsEncoded(fault.to_string()))
}

/// What an answer says that is an error.
pub(super) fn error(answer: &Answer, target: &Target) -> AnswerProblem {
    if answer.status == StatusCode::BAD_REQUEST && !target.tls && wants_tls(&answer.body) {
        return AnswerProblem::WantsTls;
    }
    AnswerProblem::Status(problem_detail(&answer.body))
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
