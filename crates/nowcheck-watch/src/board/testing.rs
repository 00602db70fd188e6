//! What several tests need: a check whose latest result stands until an instant.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use nowcheck::outcome::Phases;

use super::{Board, CheckState, LatestRound};
use crate::config::{Config, System};
use crate::incident::OffsetBounds;
use crate::status::CheckStatus;

/// The check `shop`. It has been ok since 1970, with an offset of less than a millisecond.
pub(crate) fn ok_until(stands_until: Timestamp) -> Arc<CheckState> {
    let text = "[[check]]\nname = \"shop\"\nurl = \"http://shop.example\"\n";
    let config = Config::parse("a.toml", text.as_bytes(), Path::new(""), &System).unwrap();
    let board = Board::default();
    board.watch_these(&config.checks, Timestamp::UNIX_EPOCH);
    board.update("shop", |state| {
        state.status = CheckStatus::Ok;
        "in_sync".clone_into(&mut state.reason);
        state.stands_until = stands_until;
        state.latest = Some(latest());
    });
    board.check("shop").unwrap()
}

fn latest() -> LatestRound {
    LatestRound {
        at: Timestamp::UNIX_EPOCH,
        duration: Duration::from_millis(4),
        lateness: Duration::ZERO,
        summary: "in sync".to_owned(),
        advice: None,
        offset: Some(OffsetBounds { lower: -1_000, upper: 1_000 }),
        round_trip: None,
        phases: Phases::default(),
        certificate_expires_at: None,
        reference: String::new(),
        reference_error: None,
        requests: 1,
        full_because: None,
    }
}
