//! What HTTP asks of any server: headers, versions, and what a request that is rejected gets.

pub(crate) mod content_coding;
pub(crate) mod host;
pub(crate) mod problem;
pub(crate) mod time_zone;
pub(crate) mod version;
