//! What the history is told of a round, or of a slot without one.

use std::time::Duration;

use jiff::Timestamp;
use nowcheck::outcome::TargetOutcome;

use super::{HeldRound, Shown, stands_for};
use crate::config::CheckConfig;
use crate::history::{BackendOffset, RoundRecord};
use crate::status::CheckStatus;

/// A record of a slot of which nothing is known.
pub(super) fn empty(config: &CheckConfig, start: Timestamp) -> RoundRecord {
    RoundRecord {
        check: config.name.clone(),
        start,
        duration: Duration::ZERO,
        status: CheckStatus::Unknown,
        reason: String::new(),
        offset: None,
        round_trip: None,
        cause: None,
        backends: Vec::new(),
        certificate_expiry: None,
        stands_for: stands_for(config),
    }
}

/// A record of a round that was held.
pub(super) fn record(round: &HeldRound, shown: &Shown<'_>) -> RoundRecord {
    let Shown { status, reason, latest, .. } = shown;
    let named = round.outcome.targets.iter().flat_map(TargetOutcome::backends).filter_map(|backend| {
        let instance = backend.instance.as_deref()?.to_owned();
        Some(BackendOffset { instance, offset: backend.offset.into() })
    });
    RoundRecord {
        duration: latest.duration,
        status: *status,
        reason: (*reason).to_owned(),
        offset: latest.offset,
        round_trip: latest.round_trip,
        cause: (*status != CheckStatus::Ok).then(|| latest.summary.clone()),
        backends: named.collect(),
        certificate_expiry: latest.certificate_expires_at,
        ..empty(&round.config, latest.at)
    }
}
