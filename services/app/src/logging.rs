//! Lines on standard output and standard error: the log, the access log, and how they are written.

pub(crate) mod access_log;
pub(crate) mod background_writer;
pub(crate) mod header_values;
pub(crate) mod log_format;
pub(crate) mod trace_context;
