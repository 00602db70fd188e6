//! Failures that say less of a service when it is asked beside others, or often: what the plan may answer with more
//! gentleness.

use std::time::Duration;

use clock_offset::{RejectionKind, Shown, UnixInstant};
use http::header::{DATE, HeaderName, RETRY_AFTER};
use http::{HeaderMap, StatusCode};

use crate::outcome::{AnswerProblem, Cause, ExchangeFault, Failure, FailureKind};
use crate::time_format::{Format, Notation};

/// Statuses without a standard that say the same as 429: “enhance your calm”, “security rejection”, “bandwidth limit exceeded”.
const SAY_TOO_MANY: [u16; 3] = [420, 430, 509];

/// “Site is overloaded”: what some services say instead of 503.
const SITE_IS_OVERLOADED: u16 = 529;

/// How many requests are left.
const REMAINING: [&str; 3] = ["ratelimit-remaining", "x-ratelimit-remaining", "x-rate-limit-remaining"];

/// In which way the service turned a request away. `None` for a failure that no load explains.
///
/// `was_given_up` tells that this program did not wait until the end of the round, because others were asked beside it.
pub(super) fn kind_of(failure: &Failure, was_given_up: bool) -> Option<RejectionKind> {
    match failure.kind() {
        FailureKind::Closed if broke_off(&failure.cause) => Some(RejectionKind::Overload),
        FailureKind::Refused | FailureKind::Unreachable | FailureKind::Closed => {
            Some(RejectionKind::Connection)
        }
        FailureKind::Timeout => was_given_up.then_some(RejectionKind::KeptWaiting),
        FailureKind::Local if is_silence(&failure.cause) => {
            was_given_up.then_some(RejectionKind::KeptWaiting)
        }
        // A descriptor or some memory that is lacking may do for one connection.
        FailureKind::Local
            if matches!(failure.cause, Cause::Connection { .. } | Cause::Tls(_) | Cause::Exchange(_)) =>
        {
            Some(RejectionKind::LocalShortage)
        }
        FailureKind::Status => failure.answer().and_then(|answer| of_status(answer.status)),
        _ => None,
    }
}

/// In which way an answer that holds no time turns the request away. Not every rate limit says 429: some forbid, redirect to
/// a page for humans or show one, and say by a header that it is about the rate. A service that `has_answered` may do so
/// with any answer.
pub(super) fn of_answer(failure: &Failure, headers: &HeaderMap, has_answered: bool) -> Option<RejectionKind> {
    let may_be_limited = match failure.kind() {
        FailureKind::Status => failure.answer().is_some_and(|answer| {
            has_answered && answer.status.is_client_error() || answer.status == StatusCode::FORBIDDEN
        }),
        FailureKind::Redirect | FailureKind::NotATime => has_answered,
        _ => false,
    };
    if may_be_limited && (says_rate_is_limited(headers) || says_in_words(failure)) {
        return Some(RejectionKind::TooManyRequests);
    }
    // A wall before a service forbids what comes too often, and need not say why.
    let is_forbidden = failure.answer().is_some_and(|answer| answer.status == StatusCode::FORBIDDEN);
    if has_answered && is_forbidden && !says_what_is_left(headers) {
        return Some(RejectionKind::Unavailable);
    }
    kind_of(failure, false)
}

/// Whether the body that should hold the time says in English that the service is asked too often: some limits do so with
/// status 200.
fn says_in_words(failure: &Failure) -> bool {
    const WORDS: [&str; 5] = ["rate limit", "ratelimit", "rate-limit", "too many requests", "quota exceeded"];
    let Some(AnswerProblem::NotATime { body_start, .. }) = failure.answer().map(|answer| &answer.problem)
    else {
        return false;
    };
    let said = body_start.to_ascii_lowercase().replace('_', " ");
    WORDS.iter().any(|words| said.contains(words))
}

/// Whether the headers say that the sender has not used up what it may ask.
fn says_what_is_left(headers: &HeaderMap) -> bool {
    REMAINING.iter().any(|name| headers.contains_key(*name))
}

/// Whether the headers say that the sender used up what it may ask.
fn says_rate_is_limited(headers: &HeaderMap) -> bool {
    let is_used_up = |name: &&str| {
        headers.get(*name).and_then(|value| value.to_str().ok()).is_some_and(|value| value.trim() == "0")
    };
    text(headers, RETRY_AFTER).is_some() || REMAINING.iter().any(is_used_up)
}

fn of_status(status: StatusCode) -> Option<RejectionKind> {
    match status {
        StatusCode::TOO_MANY_REQUESTS => Some(RejectionKind::TooManyRequests),
        status if SAY_TOO_MANY.contains(&status.as_u16()) => Some(RejectionKind::TooManyRequests),
        StatusCode::SERVICE_UNAVAILABLE => Some(RejectionKind::Unavailable),
        status if status.as_u16() == SITE_IS_OVERLOADED => Some(RejectionKind::Unavailable),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY => Some(RejectionKind::Overload),
        status if status.is_server_error() => Some(RejectionKind::Overload),
        _ => None,
    }
}

/// Whether an answer had begun: who has taken a request owes the rest of it.
fn broke_off(cause: &Cause) -> bool {
    matches!(
        cause,
        Cause::Exchange(ExchangeFault::Closed { answer_began: true, .. } | ExchangeFault::TooShort { .. })
    )
}

fn is_silence(cause: &Cause) -> bool {
    matches!(cause, Cause::TooLittleTime(_) | Cause::Paused { .. })
}

/// After what time the service wants to be asked again (RFC 9110 section 10.2.3): a number of seconds, or a date, which is
/// compared with the `Date` of the same answer, so that a wrong clock does not matter. `None` when it says nothing
/// that can be read, and for no pause at all: a limiter that rounds down means less than a second, and just has rejected.
pub(super) fn retry_after(headers: &HeaderMap, now: UnixInstant) -> Option<Duration> {
    let text = text(headers, RETRY_AFTER)?;
    let pause = if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().ok().map(Duration::from_secs)
    } else {
        let until = date(text, now)? - date(self::text(headers, DATE)?, now)?;
        u64::try_from(until.as_nanos()).ok().map(Duration::from_nanos)
    };
    pause.filter(|pause| !pause.is_zero())
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let value = headers.get(name)?.to_str().ok()?.trim();
    (!value.is_empty()).then_some(value)
}

fn date(text: &str, now: UnixInstant) -> Option<UnixInstant> {
    let reading = Notation::from(Format::HttpDate).read(text, false, now).ok()?;
    match reading.shown {
        Shown::Instant(instant) => Some(instant.earliest()),
        Shown::TimeOfDay(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{AnswerFault, AnswerProblem, ConnectionFault, Phase};

    const NOW: UnixInstant = UnixInstant::from_nanos(1_795_521_600_000_000_000);

    fn failed(cause: Cause) -> Failure {
        Failure { phase: Phase::Wait, cause, elapsed: Duration::ZERO }
    }

    fn status(status: u16) -> Cause {
        let status = StatusCode::from_u16(status).unwrap();
        Cause::Answer(Box::new(AnswerFault { status, problem: AnswerProblem::Status(None) }))
    }

    #[test]
    fn what_load_can_cause_is_told_from_what_it_cannot() {
        let refused =
            Cause::Connection { address: "192.0.2.1:80".parse().unwrap(), fault: ConnectionFault::Refused };
        let closed = |answer_began| Cause::Exchange(ExchangeFault::Closed { was_reset: true, answer_began });
        for (cause, kind) in [
            (refused, Some(RejectionKind::Connection)),
            (closed(false), Some(RejectionKind::Connection)),
            (closed(true), Some(RejectionKind::Overload)),
            (status(429), Some(RejectionKind::TooManyRequests)),
            (status(503), Some(RejectionKind::Unavailable)),
            (status(502), Some(RejectionKind::Overload)),
            (status(420), Some(RejectionKind::TooManyRequests)),
            (status(430), Some(RejectionKind::TooManyRequests)),
            (status(509), Some(RejectionKind::TooManyRequests)),
            (status(529), Some(RejectionKind::Unavailable)),
            (status(404), None),
            (status(301), None),
            (Cause::Exchange(ExchangeFault::Silent), None),
            (Cause::Exchange(ExchangeFault::NotHttp { error: String::new(), start: String::new() }), None),
        ] {
            assert_eq!(kind_of(&failed(cause.clone()), false), kind, "{cause:?}");
        }
        let silent = failed(Cause::Exchange(ExchangeFault::Silent));
        assert_eq!(kind_of(&silent, true), Some(RejectionKind::KeptWaiting));
    }

    #[test]
    fn a_rate_limit_is_told_by_its_headers_from_what_is_forbidden() {
        let redirect =
            AnswerProblem::Redirect { location: Some("/sorry".into()), limit: None, is_loop: false };
        let redirect = Cause::Answer(Box::new(AnswerFault { status: StatusCode::FOUND, problem: redirect }));
        let too_often = Some(RejectionKind::TooManyRequests);
        for (cause, header, has_answered, kind) in [
            (status(403), Some(("x-ratelimit-remaining", "0")), true, too_often),
            (status(403), Some(("ratelimit-remaining", "0")), true, too_often),
            (status(403), Some(("retry-after", "2")), true, too_often),
            (status(403), Some(("x-ratelimit-remaining", "7")), true, None),
            (status(403), None, true, Some(RejectionKind::Unavailable)),
            (status(403), None, false, None),
            (status(404), None, true, None),
            (status(503), Some(("retry-after", "2")), true, Some(RejectionKind::Unavailable)),
            (redirect.clone(), Some(("retry-after", "2")), true, too_often),
            (redirect.clone(), Some(("retry-after", "2")), false, None),
            (redirect, None, true, None),
        ] {
            let mut headers = HeaderMap::new();
            if let Some((name, value)) = header {
                headers.insert(name, value.parse().unwrap());
            }
            let found = of_answer(&failed(cause.clone()), &headers, has_answered);
            assert_eq!(found, kind, "{cause:?}, {header:?}, {has_answered}");
        }
    }

    #[test]
    fn a_service_says_in_seconds_or_by_a_date_when_it_wants_to_be_asked_again() {
        let after = |value: &str, date: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, value.parse().unwrap());
            if let Some(date) = date {
                headers.insert(DATE, date.parse().unwrap());
            }
            retry_after(&headers, NOW)
        };
        assert_eq!(after("2", None), Some(Duration::from_secs(2)));
        assert_eq!(after(" 0 ", None), None, "it was rejected at this moment");
        // Its clock is a day behind, and that does not matter.
        let date = Some("Thu, 26 Nov 2026 12:00:00 GMT");
        assert_eq!(after("Thu, 26 Nov 2026 12:00:03 GMT", date), Some(Duration::from_secs(3)));
        assert_eq!(after("Thu, 26 Nov 2026 12:00:03 GMT", None), None);
        assert_eq!(after("Thu, 26 Nov 2026 12:00:00 GMT", date), None);
        for nonsense in ["soon", "-1", "1.5", "", "99999999999999999999999"] {
            assert_eq!(after(nonsense, date), None, "{nonsense}");
        }
    }
}
