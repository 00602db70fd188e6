//! Where the figures of all metrics come from.

use std::sync::Arc;

use crate::connection::limit::ConnectionLimit;
use crate::logging::background_writer::BackgroundWriter;
use crate::metrics::snapshot::Snapshot;
use crate::metrics::{Counters, Totals};
use crate::readiness::ServiceState;

/// Everything that has a figure.
#[derive(Clone, Debug)]
pub(crate) struct MetricSources {
    pub(crate) service_state: Arc<ServiceState>,
    pub(crate) connection_limit: Arc<ConnectionLimit>,
    /// Those of each thread.
    pub(crate) counters: Vec<Arc<Counters>>,
    pub(crate) writers: [Arc<BackgroundWriter>; 2],
}

impl MetricSources {
    pub(crate) fn snapshot(&self) -> Snapshot {
        let service_state = &self.service_state;
        Snapshot {
            totals: Totals::of(&self.counters),
            clock: service_state.clock.load(),
            is_ready: service_state.readiness().is_ok(),
            connections: self.connection_limit.open_connections(),
            max_connections: self.connection_limit.limit(),
            dropped_lines: self.dropped_lines(),
            instance: service_state.instance.clone(),
        }
    }

    /// Lines of log, access log and metrics that a slow reader made nowd drop.
    pub(crate) fn dropped_lines(&self) -> u64 {
        self.writers.iter().map(|writer| writer.dropped()).sum()
    }
}
