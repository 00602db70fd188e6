//! What was valid when it was read.

/// A setting that was valid once cannot be used any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} cannot be used: {1}; correct it and reload")]
pub struct UnusableSetting(pub &'static str, pub String);
