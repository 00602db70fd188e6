//! How a service took connections that were asked side by side.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use clock_offset::{Batch, MonotonicInstant, Rejection};

/// How the service took connections that were asked side by side.
#[derive(Debug, Default)]
pub(super) struct Manner {
    rejections: BTreeMap<u32, Rejection>,
    pub(super) answers: u32,
    /// How long the answers took that this program did not hold up.
    pub(super) took: Vec<Duration>,
}

impl Manner {
    pub(super) fn reject(&mut self, connection: u32, rejection: Rejection) {
        self.rejections.entry(connection).or_insert(rejection);
    }

    pub(super) fn of(
        self,
        connections: Range<u32>,
        began: MonotonicInstant,
        ended: MonotonicInstant,
    ) -> Batch {
        let (fastest, slowest) = (self.took.iter().min().copied(), self.took.iter().max().copied());
        let rejections = self.rejections.into_values().collect();
        Batch {
            connections,
            beside_others: false,
            began,
            ended,
            rejections,
            answers: self.answers,
            fastest,
            slowest,
        }
    }
}
