//! The metrics of one round that somebody asked for: those of a check, without what is counted over rounds and without the
//! name of a check; and those that `blackbox_exporter` has too, where they mean the same.

use std::sync::Arc;

use jiff::Timestamp;
use nowcheck::outcome::{Outcome, TargetOutcome};

use super::checks::Checks;
use super::{Family, Labels, Sample, Samples, Unit};
use crate::board::CheckState;
use crate::figures::seconds;
use crate::status::CheckStatus;

/// The metrics of a round that has just ended.
pub(crate) fn of_round(outcome: &Outcome, now: Timestamp) -> Vec<Family> {
    let state = CheckState::of_round(outcome, now);
    let is_good = matches!(state.status, CheckStatus::Ok | CheckStatus::Warning);
    let reason = state.reason.clone();
    let expiry = state.latest.as_ref().and_then(|latest| latest.certificate_expires_at);
    let checks = Checks { states: vec![Arc::new(state)], now };
    let mut families = checks.of_one_round();
    families.iter_mut().for_each(Family::forget_check);
    let reason = Labels { check: Vec::new(), further: vec![("reason", reason.into())] };
    families.push(Family::new(
        "nowcheck_round",
        "What the round found, as the JSON of nowcheck names it",
        None,
        Samples::Info(reason),
    ));
    families.extend(of_blackbox(outcome, is_good, expiry));
    families
}

/// Those of `blackbox_exporter`.
fn of_blackbox(outcome: &Outcome, is_good: bool, expiry: Option<Timestamp>) -> Vec<Family> {
    let status = outcome.worst().and_then(|target: &TargetOutcome| target.http_status);
    let mut families = vec![
        Family::new(
            "probe_success",
            "1 if the service is up and its clock right, 0 if not or if that is not known",
            None,
            one(f64::from(u8::from(is_good))),
        ),
        Family::new(
            "probe_duration",
            "How long the round took",
            Some(Unit::Seconds),
            one(outcome.duration.as_secs_f64()),
        ),
        Family::new(
            "probe_http_status_code",
            "The status of the first answer; 0 without one",
            None,
            one(f64::from(status.map_or(0, |status| status.as_u16()))),
        ),
    ];
    if let Some(expiry) = expiry {
        families.push(Family::new(
            "probe_ssl_earliest_cert_expiry",
            "When the first certificate of the service expires",
            None,
            one(seconds(expiry.as_nanosecond())),
        ));
    }
    families
}

fn one(value: f64) -> Samples {
    Samples::Gauge(vec![Sample { labels: Labels::default(), value }])
}
