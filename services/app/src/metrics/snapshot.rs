//! All figures at one moment, for the two formats that publish them.

use crate::clock::status::ClockStatus;
use crate::metrics::Totals;

/// Everything at one moment.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) totals: Totals,
    pub(crate) clock: ClockStatus,
    pub(crate) is_ready: bool,
    pub(crate) connections: usize,
    pub(crate) max_connections: usize,
    pub(crate) dropped_lines: u64,
    pub(crate) instance: String,
}
