//! The backends that rounds met.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::history::record::{BackendOffset, RoundRecord};
use crate::incident::OffsetBounds;

/// A backend of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendHistory {
    /// As the backend names itself.
    pub instance: String,
    /// When the first round began that met it.
    pub first: Timestamp,
    /// When the last round began that met it.
    pub last: Timestamp,
    /// How many rounds met it.
    pub rounds: u64,
    /// The lowest and the highest bound on its offset.
    pub offset: OffsetBounds,
}

/// The backends of rounds that are in the order of their beginning, by name.
pub(super) fn of_rounds(rounds: &[RoundRecord]) -> Vec<BackendHistory> {
    let mut backends = BTreeMap::<&str, BackendHistory>::new();
    for round in rounds {
        for BackendOffset { instance, offset } in &round.backends {
            let known = backends.entry(instance).or_insert_with(|| BackendHistory {
                instance: instance.clone(),
                first: round.start,
                last: round.start,
                rounds: 0,
                offset: *offset,
            });
            known.last = round.start;
            known.rounds += 1;
            known.offset = known.offset.hull(*offset);
        }
    }
    backends.into_values().collect()
}
