//! The clocks behind a check: which were met lately, and what they were then.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use nowcheck::check::MOST_BACKENDS;
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

/// Why backends that were met lately are not listed. The name of an instance is free text of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unlisted {
    /// The latest round was judged without names: the service named too many, or others in each round.
    Names,
    /// More backends were met within an hour than are remembered. The latest one that is not was heard of then. Rounds are
    /// judged without names until an hour later.
    Oldest(Timestamp),
}

impl Unlisted {
    /// In one sentence.
    #[must_use]
    pub fn sentence(self) -> String {
        match self {
            Self::Names => {
                "`instance` seems to change with each answer of this service, so it is ignored: clocks are told apart by what \
                 they show"
                    .to_owned()
            }
            Self::Oldest(_) => format!(
                "more than {MOST_BACKENDS} instances have answered within an hour: `instance` may change with each answer. It is \
                 ignored for an hour, and clocks are told apart by what they show"
            ),
        }
    }
}

impl CheckState {
    /// Takes note of the clocks that answered, and forgets those that have not for long. Of clocks without a name only those
    /// of the latest round are known. So are all of them, if the names were left out of the round.
    pub(crate) fn meet(&mut self, outcome: &Outcome, names_left_out: bool, now: Timestamp) {
        let kept_for = FORGOTTEN_AFTER.max(self.identity.every * 3);
        let is_recent = |heard: Timestamp| elapsed(heard, now) < kept_for;
        self.backends
            .retain(|backend| backend.instance.is_some() && !names_left_out && is_recent(backend.last_heard));
        self.unlisted = match self.unlisted {
            _ if names_left_out => Some(Unlisted::Names),
            Some(Unlisted::Oldest(heard)) if is_recent(heard) => self.unlisted,
            _ => None,
        };
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
        self.forget_the_oldest();
    }

    /// Keeps as many as can be expected of a check at most: those heard of last, and of these the ones in trouble.
    fn forget_the_oldest(&mut self) {
        if self.backends.len() <= MOST_BACKENDS {
            return;
        }
        let mut by_worth: Vec<usize> = (0..self.backends.len()).collect();
        by_worth.sort_by_key(|nth| {
            let BackendState { last_heard, status, .. } = &self.backends[*nth];
            std::cmp::Reverse((*last_heard, *status == CheckStatus::Wrong))
        });
        let forgotten: BTreeSet<usize> = by_worth.split_off(MOST_BACKENDS).into_iter().collect();
        let heard = forgotten.iter().map(|nth| self.backends[*nth].last_heard).max();
        if self.unlisted != Some(Unlisted::Names) {
            self.unlisted = heard.map(Unlisted::Oldest);
        }
        let mut nth = 0..;
        self.backends.retain(|_| nth.next().is_none_or(|nth| !forgotten.contains(&nth)));
    }
}

#[cfg(test)]
mod tests;
