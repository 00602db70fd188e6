//! Where an answer sends the client instead of telling it the time.

use http::StatusCode;
use http::header::LOCATION;

use crate::check::Destinations;
use crate::outcome::{AnswerProblem, Cause, CheckerFault, Finding, TargetOutcome};
use crate::probe::http::Answer;
use crate::target::Target;

/// Redirects that are followed, one after the other.
pub(super) const MOST_REDIRECTS: u32 = 5;

/// Whether an answer sends the client elsewhere. 304 has the class of a redirect, but does not (RFC 9110 section 15.4.5).
pub(super) fn is_redirect(answer: &Answer) -> bool {
    answer.status.is_redirection() && answer.status != StatusCode::NOT_MODIFIED
}

/// Where it sends it, as the server wrote it. An empty destination is none: clients ignore it.
pub(super) fn location(answer: &Answer) -> Option<String> {
    let location = answer.headers.get(LOCATION)?;
    Some(String::from_utf8_lossy(location.as_bytes()).into_owned()).filter(|to| !to.trim().is_empty())
}

/// Where the last one of these targets is to be looked for instead, if that is permitted. A circle is noted in its outcome.
pub(super) fn destination(
    outcome: &mut TargetOutcome,
    so_far: &[Target],
    destinations: &Destinations,
) -> Option<Target> {
    let (Finding::Down(interrupted) | Finding::CheckerFault(CheckerFault::CannotAsk(interrupted))) =
        &mut outcome.finding
    else {
        return None;
    };
    let Cause::Answer(fault) = &mut interrupted.failure.cause else { return None };
    let AnswerProblem::Redirect { location: Some(location), is_loop, .. } = &mut fault.problem else {
        return None;
    };
    let next = so_far.last()?.redirected_to(location)?;
    *is_loop = so_far.contains(&next);
    let is_followed = destinations.permit(next.url()) && !*is_loop && so_far.len() <= MOST_REDIRECTS as usize;
    is_followed.then_some(next)
}

#[cfg(test)]
mod tests;
