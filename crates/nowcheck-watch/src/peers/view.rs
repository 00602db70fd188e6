//! What instances tell each other: `GET /api/v1/instance`. Times are ages, so that no clock is needed to understand them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// An instance, and what it has heard of others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) schema_version: u32,
    /// Itself.
    pub(crate) instance: InstanceView,
    /// Others, so that those hear of each other that cannot reach each other.
    pub(crate) heard: Vec<InstanceView>,
}

/// The schema that this program writes and reads.
pub(crate) const SCHEMA_VERSION: u32 = 1;

/// What an instance knew at an instant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct InstanceView {
    /// Random, and another one after each start.
    pub(crate) id: String,
    /// As it calls itself.
    pub(crate) name: String,
    /// How old this is.
    pub(crate) age_seconds: f64,
    /// The alert receivers that take its messages.
    pub(crate) receivers: BTreeSet<String>,
    /// Its checks, by name.
    pub(crate) checks: BTreeMap<String, CheckView>,
}

/// How an instance sees a check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct CheckView {
    /// `ok`, `warning`, `wrong`, `down` or `unknown`.
    pub(crate) status: String,
    /// Why.
    pub(crate) reason: String,
    /// How long a result stands.
    pub(crate) stands_seconds: f64,
    /// How long before this view the latest round began.
    pub(crate) round_age_seconds: Option<f64>,
    /// Who is alerted; everybody if it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) alert: Option<BTreeSet<String>>,
    /// The open incident.
    pub(crate) incident: Option<IncidentView>,
    /// The clocks that name themselves.
    pub(crate) backends: Vec<Reading>,
}

/// An open incident of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IncidentView {
    pub(crate) id: String,
    /// Whether it is about a service that gives no time.
    pub(crate) is_down: bool,
    /// How the service fails: nothing while it is flapping and works. Older versions do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) kinds: Option<BTreeSet<Kind>>,
    /// Whether maintenance, or a check that is needed, keeps this instance from alerting.
    pub(crate) is_held_back: bool,
    /// The receivers that were alerted.
    pub(crate) told: BTreeSet<String>,
}

/// How a service fails, as far as other instances matter for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// It gives no time.
    Down,
    /// Its clock is wrong, if the reference of the instance is right.
    ClockWrong,
    /// What it says is wrong by itself: it stands still. Also what a newer version says and this one does not know.
    #[serde(other)]
    Stale,
}

/// Bounds on the offset of a clock: server − the reference of the instance, in seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reading {
    /// As the backend names itself.
    pub(crate) instance: String,
    pub(crate) lower: f64,
    pub(crate) upper: f64,
    /// How long before this view it was measured.
    pub(crate) age_seconds: f64,
}

impl IncidentView {
    /// Whether the service fails in that way. Older versions only say whether it is down. If it is not, a wrong clock is
    /// assumed: it is alerted as a stale answer is, unless the reference of the instance is wrong.
    pub(super) fn is_of(&self, kind: Kind) -> bool {
        let older = if self.is_down { Kind::Down } else { Kind::ClockWrong };
        self.kinds.as_ref().map_or(kind == older, |kinds| kinds.contains(&kind))
    }
}

impl CheckView {
    /// Whether this receiver is alerted of the check.
    pub(crate) fn alerts(&self, receiver: &str) -> bool {
        self.alert.as_ref().is_none_or(|names| names.contains(receiver))
    }
}
