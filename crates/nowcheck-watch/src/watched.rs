//! What the history keeps of the configuration of checks, for programs that read only the history.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::board::Identity;

/// The name under which the history keeps it.
pub(crate) const STATE: &str = "watched";

/// What a check was about when it was watched last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchedCheck {
    /// The URL, without credentials.
    pub url: String,
    /// The period of its rounds.
    pub every: Duration,
    /// How far the clock may be off.
    pub max_offset: Duration,
    /// Whether it is no longer watched.
    #[serde(default)]
    pub is_over: bool,
    /// Its labels, with which the end of its incident is told.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

impl From<&Identity> for WatchedCheck {
    fn from(identity: &Identity) -> Self {
        Self {
            url: identity.url.clone(),
            every: identity.every,
            max_offset: identity.max_offset,
            is_over: false,
            labels: identity.labels.clone(),
        }
    }
}

/// Checks by name, those that are no longer watched too.
pub(crate) type WatchedChecks = BTreeMap<String, WatchedCheck>;

/// Reads what the history keeps. What cannot be read, or was never stored, is empty.
pub(crate) fn read(json: Option<&str>) -> WatchedChecks {
    json.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
}
