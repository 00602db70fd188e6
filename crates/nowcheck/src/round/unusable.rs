//! Answers whose head says already that there is no time in their body.

use http::StatusCode;

use crate::answer::Field;
use crate::outcome::NotATime;
use crate::probe::http::Answer;

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
