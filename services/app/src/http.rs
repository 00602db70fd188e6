//! HTTP that is independent of routes: headers, versions, the query, and errors.

pub(crate) mod accept;
pub(crate) mod content_coding;
pub(crate) mod host;
pub(crate) mod problem;
pub(crate) mod response_head;
pub(crate) mod time_zone;
pub(crate) mod version;
