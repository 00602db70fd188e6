//! Failures that say less of a service when it is asked beside others, or often: what the plan may answer with more
//! gentleness.

use std::time::Duration;

use clock_offset::{RejectionKind, Shown, UnixInstant};
use http::header::{DATE, HeaderName, RETRY_AFTER};
use http::{HeaderMap, StatusCode};

use crate::outcome::{Cause, ExchangeFault, Failure, FailureKind};
use crate::time_format::{Format, Notation};

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
        FailureKind::Local if matches!(failure.cause, Cause::Connection { .. } | Cause::Exchange(_)) => {
            Some(RejectionKind::Overload)
        }
        FailureKind::Status => failure.answer().and_then(|answer| of_status(answer.status)),
        _ => None,
    }
}

fn of_status(status: StatusCode) -> Option<RejectionKind> {
    match status {
        StatusCode::TOO_MANY_REQUESTS => Some(RejectionKind::TooManyRequests),
        StatusCode::SERVICE_UNAVAILABLE => Some(RejectionKind::Unavailable),
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
/// that can be read.
pub(super) fn retry_after(headers: &HeaderMap, now: UnixInstant) -> Option<Duration> {
    let text = text(headers, RETRY_AFTER)?;
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().map(Duration::from_secs);
    }
    let until = date(text, now)? - date(self::text(headers, DATE)?, now)?;
    u64::try_from(until.as_nanos()).ok().map(Duration::from_nanos)
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
        assert_eq!(after(" 0 ", None), Some(Duration::ZERO));
        // Its clock is a day behind, and that does not matter.
        let date = Some("Thu, 26 Nov 2026 12:00:00 GMT");
        assert_eq!(after("Thu, 26 Nov 2026 12:00:03 GMT", date), Some(Duration::from_secs(3)));
        assert_eq!(after("Thu, 26 Nov 2026 12:00:03 GMT", None), None);
        for nonsense in ["soon", "-1", "1.5", "", "99999999999999999999999"] {
            assert_eq!(after(nonsense, date), None, "{nonsense}");
        }
    }
}
