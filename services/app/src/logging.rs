//! What is written to standard output and standard error while the process serves.

pub(crate) mod access_log;
pub(crate) mod background_writer;
pub(crate) mod log_format;
pub(crate) mod trace_context;
