//! Maintenance that is announced while the monitor runs. It is stored with the history and ends by itself.

use std::collections::BTreeSet;

use jiff::Timestamp;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

use super::{Results, State};
use crate::history::Step;
use crate::incident::{Maintenance, Window};
use crate::timestamps;

/// The name under which the history keeps it.
pub(super) const STATE: &str = "maintenance";

/// Announcements that are kept, at most.
const MOST: usize = 1_000;

/// A time of maintenance that was announced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Announced {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
    /// Of which checks; none for all.
    pub(crate) checks: Option<BTreeSet<String>>,
}

/// There are too many already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMany;

/// All maintenance: that of the file, and what was announced.
#[derive(Debug, Default)]
pub(super) struct Planned {
    of_file: Vec<Maintenance>,
    announced: Vec<Announced>,
}

impl Planned {
    /// What was announced before the last start.
    pub(super) const fn of_announced(announced: Vec<Announced>) -> Self {
        Self { of_file: Vec::new(), announced }
    }

    fn all(&self) -> Vec<Maintenance> {
        let announced = self.announced.iter().map(|one| Maintenance {
            name: one.name.clone(),
            window: Window::Once { from: one.from, until: one.until },
            checks: one.checks.clone(),
        });
        self.of_file.iter().cloned().chain(announced).collect()
    }
}

impl State {
    /// The file says that from now on.
    pub(super) fn plan(&mut self, of_file: Vec<Maintenance>) {
        self.planned.of_file = of_file;
        self.policy.maintenance = self.planned.all();
    }
}

impl Results {
    /// The maintenance of the file, and what is announced and not over.
    pub(crate) fn maintenance(&self, now: Timestamp) -> (Vec<Maintenance>, Vec<Announced>) {
        let state = self.lock();
        let coming = state.planned.announced.iter().filter(|one| one.until > now);
        (state.planned.of_file.clone(), coming.cloned().collect())
    }

    /// Announces maintenance, and gives it an id.
    ///
    /// # Errors
    /// There is too much of it.
    pub(crate) fn announce(&self, mut announced: Announced) -> Result<Announced, TooMany> {
        let mut id = [0; 8];
        // Without randomness the id is only less hard to guess; it has to differ.
        if SystemRandom::new().fill(&mut id).is_err() {
            id = timestamps::now(self.clock).as_microsecond().to_be_bytes();
        }
        announced.id = format!("{:016x}", u64::from_be_bytes(id));
        let now = timestamps::now(self.clock);
        self.change_plan(now, |all| {
            if all.len() >= MOST {
                return Err(TooMany);
            }
            all.push(announced.clone());
            Ok(announced)
        })
    }

    /// Takes an announcement back. Returns whether there was one.
    pub(crate) fn take_back(&self, id: &str, now: Timestamp) -> bool {
        self.change_plan(now, |all| {
            let before = all.len();
            all.retain(|one| one.id != id);
            all.len() < before
        })
    }

    fn change_plan<T>(&self, now: Timestamp, change: impl FnOnce(&mut Vec<Announced>) -> T) -> T {
        let mut state = self.lock();
        state.planned.announced.retain(|one| one.until > now);
        let changed = change(&mut state.planned.announced);
        // Texts and instants: nothing that JSON cannot hold.
        let json = serde_json::to_string(&state.planned.announced).unwrap_or_default();
        self.history.commit(Step { state: vec![(STATE.to_owned(), json)], ..Step::default() });
        state.policy.maintenance = state.planned.all();
        changed
    }
}
