//! The process: how it starts, its threads, what it does once a second, and how it stops.

pub(crate) mod housekeeping;
pub(crate) mod instance;
pub(crate) mod listen;
pub(crate) mod metric_sources;
pub(crate) mod open_files;
pub(crate) mod server;
pub(crate) mod shutdown;
pub(crate) mod start;
pub(crate) mod worker;
