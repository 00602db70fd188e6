//! What changed about an incident, with the evidence that it rests on.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{MonitorPart, OffsetBounds, Place, Trouble, TroubleKind};

/// What the next incident is called.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Names {
    /// How many there were.
    opened: u64,
    /// A word of this instance.
    #[serde(default)]
    instance: String,
}

impl Names {
    pub(super) fn tell_apart(&mut self, instance: &str) {
        if self.instance.is_empty() {
            instance.clone_into(&mut self.instance);
        }
    }

    pub(super) fn next(&mut self, since: Timestamp) -> IncidentId {
        self.opened += 1;
        let (second, number) = (since.as_second(), self.opened);
        IncidentId(match self.instance.as_str() {
            "" => format!("{second}-{number}"),
            instance => format!("{second}-{instance}-{number}"),
        })
    }
}

/// The name of an incident: unique as long as the state is kept, and even after it was lost.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IncidentId(String);

impl IncidentId {
    /// As it stands in a link.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which check an incident belongs to, or which part of the monitor.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// A check, by name.
    Check(String),
    /// The monitor itself.
    Monitor(MonitorPart),
}

impl Scope {
    /// Whether one round may have met it in a bad moment that says nothing of the next one.
    pub(super) fn may_be_momentary(&self) -> bool {
        matches!(self, Self::Monitor(MonitorPart::Machine))
    }
}

/// What an incident is about, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A check, by name.
    Check(String),
    /// The only backend of a check that is in trouble.
    Backend {
        /// The name of the check.
        check: String,
        /// As the backend names itself.
        instance: String,
    },
    /// The monitor itself.
    Monitor(MonitorPart),
}

/// What a round says about an incident.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The verdict in one line, as the report says it.
    pub summary: String,
    /// Bounds on the offset of the clocks in trouble; of all clocks, when none is.
    pub offset: Option<OffsetBounds>,
    /// What is in trouble, and how.
    pub places: BTreeMap<Place, Trouble>,
}

impl Evidence {
    /// The backends in trouble, as they name themselves.
    pub fn backends(&self) -> impl Iterator<Item = &str> {
        self.places.keys().filter_map(|place| match place {
            Place::Backend(instance) => Some(instance.as_str()),
            _ => None,
        })
    }

    /// The addresses in trouble.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        self.places.keys().filter_map(|place| match place {
            Place::Address(address) => Some(address.as_str()),
            _ => None,
        })
    }
}

/// How an incident ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// What was in trouble is proven to be good.
    Recovered,
    /// What was in trouble is no longer there: a backend was replaced, an address is no longer that of the name.
    Gone,
    /// The check is watched no more.
    Removed,
    /// The check has another URL: what was in trouble is watched no more.
    Moved,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// An incident began.
    Opened,
    /// More places are in trouble than before.
    Grew,
    /// Fewer places are in trouble than before.
    Shrank,
    /// Others are in trouble than before, or in another way.
    Shifted,
    /// It comes and goes, and is one incident from now on.
    Flapping,
    /// It ended.
    Closed(Ending),
}

/// A change of an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Which one.
    pub incident: IncidentId,
    /// What happened.
    pub kind: ChangeKind,
    /// Whose incident it is.
    pub scope: Scope,
    /// What it is about; when it is closed, what it was about last.
    pub subject: Subject,
    /// How a service fails; none for one that works at the moment.
    pub status: Option<TroubleKind>,
    /// The reason, as the contract writes it; of a closed incident the last one.
    pub reason: String,
    /// When the incident began.
    pub since: Timestamp,
    /// When this happened.
    pub at: Timestamp,
    /// What it rests on.
    pub evidence: Evidence,
}
