//! The clock's error bound that Amazon ECS states: `ClockDrift` in the answer of the task metadata endpoint, version 4,
//! on Fargate.

pub(crate) mod endpoint;
pub(crate) mod poll;

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::clock::UnixTime;
use crate::clock::status::ClockStatus;

/// Nanoseconds a second by which the bound grows after the moment for which it was stated. The metadata names none: this
/// is the drift of an oscillator that ClockBound assumes by default.
const DRIFT: u64 = 50_000;

/// A statement that is older proves nothing any more.
const MAX_AGE: Duration = Duration::from_hours(1);

/// By how much the stated moment, which has whole seconds, may be ahead of this machine's clock.
const MAX_AHEAD: Duration = Duration::from_secs(2);

/// Why an answer states no bound.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StatementError {
    #[error("the answer is not JSON")]
    NotJson,
    #[error("the answer has no ClockDrift, as on hosts of EC2: only Fargate states it")]
    NoClockDrift,
    #[error("{0} is missing in ClockDrift, or is not of the documented form")]
    Field(&'static str),
    #[error("the stated ReferenceTimestamp is {0:?} ahead of this machine's clock")]
    InTheFuture(Duration),
    #[error("the stated ReferenceTimestamp is {0:?} old")]
    Old(Duration),
}

/// What an answer states about the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClockDrift {
    /// Nanoseconds; `None` if the clock is not synchronized.
    bound: Option<u64>,
    /// How long ago that was when the answer came.
    age: Duration,
}

impl ClockDrift {
    /// Reads the body of an answer that came at `now`.
    pub(crate) fn in_answer(body: &[u8], now: UnixTime) -> Result<Self, StatementError> {
        let document: Value = serde_json::from_slice(body).map_err(|_| StatementError::NotJson)?;
        let stated = document.get("ClockDrift").filter(|stated| stated.is_object());
        let stated = stated.ok_or(StatementError::NoClockDrift)?;
        let is_synchronized = match stated["ClockSynchronizationStatus"].as_str() {
            Some("SYNCHRONIZED") => true,
            Some("NOT_SYNCHRONIZED") => false,
            _ => return Err(StatementError::Field("ClockSynchronizationStatus")),
        };
        if !is_synchronized {
            // The other members are then of no use, and may be missing.
            return Ok(Self { bound: None, age: Duration::ZERO });
        }
        let bound = stated["ClockErrorBound"].as_f64().and_then(nanos_of_millis);
        let bound = bound.ok_or(StatementError::Field("ClockErrorBound"))?;
        let reference = stated["ReferenceTimestamp"].as_str().and_then(|text| text.parse::<Timestamp>().ok());
        let reference = reference
            .and_then(|reference| Duration::try_from(reference.as_duration()).ok())
            .ok_or(StatementError::Field("ReferenceTimestamp"))?;
        let ahead = reference.saturating_sub(now.since_epoch());
        if ahead > MAX_AHEAD {
            return Err(StatementError::InTheFuture(ahead));
        }
        let age = now.since_epoch().saturating_sub(reference);
        if age > MAX_AGE {
            return Err(StatementError::Old(age));
        }
        Ok(Self { bound: Some(bound), age })
    }

    /// The status so long after the answer came: the bound grows, and is unknown in the end.
    pub(crate) fn status_after(self, elapsed: Duration) -> ClockStatus {
        let age = self.age.saturating_add(elapsed);
        match self.bound {
            _ if age > MAX_AGE => ClockStatus::Unknown,
            None => ClockStatus::Unsynchronized,
            Some(bound) => {
                let drifted = age.as_nanos() * u128::from(DRIFT) / 1_000_000_000;
                u32::try_from((u128::from(bound) + drifted).div_ceil(1_000))
                    .map_or(ClockStatus::Unknown, |max_error_micros| ClockStatus::Synchronized {
                        max_error_micros,
                    })
            }
        }
    }
}

/// Rounded up, for it is a bound. `None` for what is none.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is checked before, and the fraction is gone"
)]
fn nanos_of_millis(millis: f64) -> Option<u64> {
    /// A day.
    const MAX_MILLIS: f64 = 86_400_000.0;
    (0.0..=MAX_MILLIS).contains(&millis).then(|| (millis * 1e6).ceil() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2021-09-07T16:57:50.5Z.
    const NOW: UnixTime = UnixTime { seconds: 1_631_033_870, nanos: 500_000_000 };

    fn answer(drift: &str) -> String {
        format!(r#"{{"Cluster":"default","Family":"nowd","LaunchType":"FARGATE","ClockDrift":{drift}}}"#)
    }

    fn read(drift: &str) -> Result<ClockDrift, StatementError> {
        ClockDrift::in_answer(answer(drift).as_bytes(), NOW)
    }

    const DOCUMENTED: &str = r#"{"ClockErrorBound":0.5458234999999999,"ReferenceTimestamp":"2021-09-07T16:57:44Z",
        "ClockSynchronizationStatus":"SYNCHRONIZED"}"#;

    #[test]
    fn the_documented_answer_bounds_the_error_and_the_bound_grows_until_it_is_unknown() {
        let drift = read(DOCUMENTED).unwrap();
        // 545.8235 µs and 50 µs for each of the seconds since it was stated.
        assert_eq!(drift.status_after(Duration::ZERO), ClockStatus::Synchronized { max_error_micros: 871 });
        let later = drift.status_after(Duration::from_secs(100));
        assert_eq!(later, ClockStatus::Synchronized { max_error_micros: 5_871 });
        assert_eq!(drift.status_after(Duration::from_hours(1)), ClockStatus::Unknown);
    }

    #[test]
    fn a_clock_that_is_not_synchronized_has_no_bound() {
        for drift in [
            r#"{"ClockSynchronizationStatus":"NOT_SYNCHRONIZED"}"#,
            r#"{"ClockErrorBound":0.5,"ReferenceTimestamp":"2021-09-07T16:57:44Z","ClockSynchronizationStatus":"NOT_SYNCHRONIZED"}"#,
        ] {
            let drift = read(drift).unwrap();
            assert_eq!(drift.status_after(Duration::ZERO), ClockStatus::Unsynchronized);
            assert_eq!(drift.status_after(Duration::from_secs(3_601)), ClockStatus::Unknown);
        }
    }

    #[test]
    fn whatever_is_not_of_the_documented_form_states_no_bound() {
        for (from, to, error) in [
            ("SYNCHRONIZED", "PERHAPS", StatementError::Field("ClockSynchronizationStatus")),
            ("Clock", "clock", StatementError::Field("ClockSynchronizationStatus")),
            ("0.5458234999999999", "-0.1", StatementError::Field("ClockErrorBound")),
            ("0.5458234999999999", "1e300", StatementError::Field("ClockErrorBound")),
            ("0.5458234999999999", "\"0.5\"", StatementError::Field("ClockErrorBound")),
            ("0.5458234999999999", "null", StatementError::Field("ClockErrorBound")),
            ("ClockErrorBound", "Bound", StatementError::Field("ClockErrorBound")),
            ("2021-09-07T16:57:44Z", "yesterday", StatementError::Field("ReferenceTimestamp")),
            ("2021-09-07T16:57:44Z", "1969-09-07T16:57:44Z", StatementError::Field("ReferenceTimestamp")),
            ("ReferenceTimestamp", "Reference", StatementError::Field("ReferenceTimestamp")),
            ("16:57:44Z", "16:57:53Z", StatementError::InTheFuture(Duration::from_millis(2_500))),
            ("16:57:44Z", "15:57:50Z", StatementError::Old(Duration::from_millis(3_600_500))),
        ] {
            assert_eq!(read(&DOCUMENTED.replace(from, to)), Err(error), "{to}");
        }
        for (body, error) in [
            (&b""[..], StatementError::NotJson),
            (b"\xff\xfe", StatementError::NotJson),
            (b"<html>", StatementError::NotJson),
            (b"{}", StatementError::NoClockDrift),
            (b"[]", StatementError::NoClockDrift),
            (b"{\"ClockDrift\":null}", StatementError::NoClockDrift),
            (b"{\"ClockDrift\":7}", StatementError::NoClockDrift),
        ] {
            assert_eq!(ClockDrift::in_answer(body, NOW), Err(error));
        }
    }

    #[test]
    fn a_moment_that_has_just_not_come_yet_is_no_reason_to_doubt() {
        let drift = read(&DOCUMENTED.replace("16:57:44Z", "16:57:51Z")).unwrap();
        assert_eq!(drift.status_after(Duration::ZERO), ClockStatus::Synchronized { max_error_micros: 546 });
    }
}
