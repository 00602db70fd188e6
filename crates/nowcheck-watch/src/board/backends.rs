//! The clocks behind a check: which were met lately, and what they were then.

use std::time::Duration;

use jiff::Timestamp;
use nowcheck::outcome::{Outcome, Status};

use super::CheckState;
use crate::incident::OffsetBounds;
use crate::status::CheckStatus;
use crate::timestamps::elapsed;

/// A backend that was not heard of for so long is no longer shown.
const FORGOTTEN_AFTER: Duration = Duration::from_hours(1);

/// A clock behind a check.
#[derive(Debug, Clone, PartialEq)]
pub struct BackendState {
    /// The address over which it answered last.
    pub address: String,
    /// As it names itself.
    pub instance: Option<String>,
    /// What it was then.
    pub status: CheckStatus,
    /// Bounds on its offset then.
    pub offset: OffsetBounds,
    /// When it was heard of last.
    pub last_heard: Timestamp,
}

impl CheckState {
    /// Takes note of the clocks that answered, and forgets those that have not for long. Of clocks without a name only those
    /// of the latest round are known.
    pub(crate) fn meet(&mut self, outcome: &Outcome, now: Timestamp) {
        let is_recent = |backend: &BackendState| {
            elapsed(backend.last_heard, now) < FORGOTTEN_AFTER.max(self.identity.every * 3)
        };
        self.backends.retain(|backend| backend.instance.is_some() && is_recent(backend));
        for target in &outcome.targets {
            let address = target.address.map(|address| address.to_string()).unwrap_or_default();
            for backend in target.backends() {
                let (status, _) = outcome.of_backend(target, backend);
                let met = BackendState {
                    address: address.clone(),
                    instance: backend.instance.as_deref().map(str::to_owned),
                    status: match status {
                        Status::Ok => CheckStatus::Ok,
                        Status::Warning => CheckStatus::Warning,
                        Status::Critical => CheckStatus::Wrong,
                        Status::Unknown => CheckStatus::Unknown,
                    },
                    offset: backend.offset.into(),
                    last_heard: now,
                };
                let same =
                    |known: &&mut BackendState| met.instance.is_some() && known.instance == met.instance;
                match self.backends.iter_mut().find(same) {
                    Some(known) => *known = met,
                    None => self.backends.push(met),
                }
            }
        }
    }
}
