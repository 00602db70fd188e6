//! What many rounds come to.

use clock_offset::{Interval, Offset};
use std::time::Duration;

use crate::outcome::{Outcome, Status};
use crate::report::figures;

/// Counts of rounds, and the extremes that they proved.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    rounds: u64,
    counts: [u64; 4],
    worst: Option<Status>,
    offsets: Option<Interval<Offset>>,
}

const ALL: [Status; 4] = [Status::Ok, Status::Warning, Status::Critical, Status::Unknown];

impl Tally {
    /// Takes note of a round.
    pub fn count(&mut self, outcome: &Outcome) {
        let status = outcome.status();
        self.rounds += 1;
        self.counts[usize::from(status.exit_code())] += 1;
        self.worst = Some(self.worst.map_or(status, |worst| worst.max(status)));
        // The offsets of different services have no common range.
        let only = if outcome.targets.len() == 1 && outcome.reference.measures() {
            &outcome.targets[..]
        } else {
            &[]
        };
        for backend in only.iter().flat_map(|target| &target.backends) {
            let middle = Interval::point(backend.offset.midpoint());
            self.offsets = Some(self.offsets.map_or(middle, |all| all.hull(&middle)));
        }
    }

    /// The worst status of all rounds; nothing can be said when there was none.
    #[must_use]
    pub fn worst(&self) -> Status {
        self.worst.unwrap_or(Status::Unknown)
    }

    /// The summary, in one line without its line feed.
    #[must_use]
    pub fn summary(&self, took: Duration) -> String {
        let counts: Vec<String> = ALL
            .iter()
            .map(|status| (self.counts[usize::from(status.exit_code())], status.name()))
            .filter(|(count, _)| *count > 0)
            .map(|(count, name)| format!("{count} {name}"))
            .collect();
        let counts = if counts.is_empty() { "none was finished".to_owned() } else { counts.join(", ") };
        let offsets = self.offsets.map_or_else(String::new, |offsets| {
            format!(
                "; offsets from {} to {}",
                figures::signed(offsets.earliest()),
                figures::signed(offsets.latest())
            )
        });
        let rounds = if self.rounds == 1 { "round" } else { "rounds" };
        format!("{} {rounds} in {}: {counts}{offsets}", self.rounds, figures::length(took))
    }
}
