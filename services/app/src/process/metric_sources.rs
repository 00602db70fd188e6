//! What is measured, read at one moment, for whoever publishes it.

use std::sync::Arc;

use crate::connection::limit::Seats;
use crate::logging::background_writer::Outlet;
use crate::metrics::snapshot::Snapshot;
use crate::metrics::{Counters, Totals};
use crate::readiness::State;

/// All that has a figure.
#[derive(Clone, Debug)]
pub(crate) struct Instruments {
    pub(crate) state: Arc<State>,
    pub(crate) seats: Arc<Seats>,
    /// Of each thread.
    pub(crate) counters: Vec<Arc<Counters>>,
    pub(crate) outlets: [Arc<Outlet>; 2],
}

impl Instruments {
    pub(crate) fn read(&self) -> Snapshot {
        let state = &self.state;
        Snapshot {
            totals: Totals::of(&self.counters),
            clock: state.clock.load(),
            is_ready: state.readiness().is_ok(),
            connections: self.seats.open(),
            max_connections: self.seats.limit(),
            dropped_lines: self.dropped_lines(),
            instance: state.instance.clone(),
        }
    }

    /// Lines of log, access log and metrics that nobody read in time.
    pub(crate) fn dropped_lines(&self) -> u64 {
        self.outlets.iter().map(|outlet| outlet.dropped()).sum()
    }
}
