//! What a message says, as one JSON object. Its schema is `contract/nowcheck-alert.schema.json`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use nowcheck::text::{figures, printable};
use serde::{Deserialize, Serialize};
use serde_json::Number;
use url::Url;

use crate::incident::{ChangeKind, Ending, Event, Message, OffsetBounds, Scope, ServiceStatus};

/// The version of the schema: a new one when a program that reads the old one could go wrong.
const SCHEMA_VERSION: u32 = 1;

/// The longest text that is taken from a report, in bytes.
const LONGEST: usize = 2_000;

/// What a message is about. The names are those of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeEvent {
    /// An incident is open.
    Opened,
    /// It grew, shrank or shifted.
    Changed,
    /// It ended.
    Closed,
    /// It comes and goes, and is one incident from now on.
    Flapping,
    /// It is still open.
    Reminder,
    /// Nothing happened: somebody tests the receiver.
    Test,
}

impl NoticeEvent {
    /// As the contract writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Changed => "changed",
            Self::Closed => "closed",
            Self::Flapping => "flapping",
            Self::Reminder => "reminder",
            Self::Test => "test",
        }
    }
}

impl From<Event> for NoticeEvent {
    fn from(event: Event) -> Self {
        match event {
            Event::Opened => Self::Opened,
            Event::Changed => Self::Changed,
            Event::Flapping => Self::Flapping,
            Event::Reminder => Self::Reminder,
            Event::Closed => Self::Closed,
        }
    }
}

/// Bounds on an offset in seconds, with all of their digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffsetSeconds {
    /// The lower bound.
    pub lower: Number,
    /// The upper bound.
    pub upper: Number,
}

impl From<OffsetBounds> for OffsetSeconds {
    fn from(offset: OffsetBounds) -> Self {
        Self { lower: seconds(offset.lower), upper: seconds(offset.upper) }
    }
}

fn seconds(nanos: i128) -> Number {
    // A decimal number without an exponent is always a number of JSON.
    figures::decimal_seconds(nanos).parse().unwrap_or_else(|_| Number::from(0))
}

/// What a message is made of beside the incident.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context<'a> {
    /// How this instance calls itself.
    pub monitor: &'a str,
    /// Where people reach the dashboard.
    pub external_url: Option<&'a Url>,
    /// The labels of the check.
    pub labels: Option<&'a BTreeMap<String, String>>,
    /// What to do next, as the report says it.
    pub advice: Option<&'a str>,
}

/// One message. It is made once, when it is decided, and stored and sent as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The version of the schema.
    pub schema_version: u32,
    /// The name of the message, the same on each try.
    pub id: String,
    /// The name of the incident; none of a test.
    pub incident: Option<String>,
    /// What it is about.
    pub event: NoticeEvent,
    /// How the instance calls itself.
    pub monitor: String,
    /// The name of the check; none if it is about the monitor.
    pub check: Option<String>,
    /// The labels of the check.
    pub labels: BTreeMap<String, String>,
    /// What the service is.
    pub status: ServiceStatus,
    /// Why, as the contract writes it; of the monitor, the part.
    pub reason: String,
    /// The verdict in one line.
    pub summary: String,
    /// What to do next.
    pub advice: Option<String>,
    /// When the incident began.
    pub since: Timestamp,
    /// When this happened.
    pub at: Timestamp,
    /// The backends in trouble, as they name themselves.
    pub backends: Vec<String>,
    /// Bounds on the offset of the clocks in trouble.
    pub offset: Option<OffsetSeconds>,
    /// Where the incident is shown.
    pub link: Option<String>,
}

impl Notice {
    /// Makes it of a message.
    #[must_use]
    pub fn new(message: &Message, context: &Context<'_>) -> Self {
        let change = &message.change;
        let check = match &change.scope {
            Scope::Check(check) => Some(check.clone()),
            Scope::Monitor(_) => None,
        };
        let incident = change.incident.as_str();
        Self {
            schema_version: SCHEMA_VERSION,
            id: message.id.clone(),
            incident: Some(incident.to_owned()),
            event: message.event.into(),
            monitor: context.monitor.to_owned(),
            labels: check.as_ref().and(context.labels).cloned().unwrap_or_default(),
            status: status(message),
            check,
            reason: change.reason.clone(),
            summary: one_line(&summary(message)),
            advice: context.advice.filter(|_| message.event != Event::Closed).map(one_line),
            since: change.since,
            at: change.at,
            backends: change.evidence.backends().map(str::to_owned).collect(),
            offset: change.evidence.offset.map(OffsetSeconds::from),
            link: context.external_url.map(|url| link(url, incident)),
        }
    }

    /// A message that tests a receiver.
    #[must_use]
    pub fn test(receiver: &str, context: &Context<'_>, now: Timestamp) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            id: format!("test-{}-{receiver}", now.as_millisecond()),
            incident: None,
            event: NoticeEvent::Test,
            monitor: context.monitor.to_owned(),
            check: None,
            labels: BTreeMap::new(),
            status: ServiceStatus::Unknown,
            reason: "test".to_owned(),
            summary: format!("this is a test of the alert {}; nothing is wrong", one_line(receiver)),
            advice: None,
            since: now,
            at: now,
            backends: Vec::new(),
            offset: None,
            link: context.external_url.map(Url::to_string),
        }
    }

    /// The body of the webhook.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Texts, numbers and lists of them: nothing that JSON cannot hold.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads what was stored.
    ///
    /// # Errors
    /// When it is no such object.
    pub fn from_json(body: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(body)
    }

    /// A headline: `shop: down: nothing listens on 192.0.2.1:80`, or `shop: no longer watched`.
    #[must_use]
    pub fn headline(&self) -> String {
        let what = match self.event {
            NoticeEvent::Closed if self.is_parting() => "no longer watched",
            NoticeEvent::Closed => "resolved",
            NoticeEvent::Test => "test",
            NoticeEvent::Flapping => "flapping",
            _ if self.check.is_none() => "impaired",
            _ => self.status.name(),
        };
        let whom = self.check.as_ref().map_or_else(|| format!("monitor {}", self.monitor), Clone::clone);
        // The summary of a service that is down says so.
        match self.summary.strip_prefix(what) {
            Some(rest) if rest.starts_with([':', ',']) => format!("{whom}: {}", self.summary),
            _ if self.summary == format!("{whom} is {what}") => format!("{whom}: {what}"),
            _ => format!("{whom}: {what}: {}", self.summary),
        }
    }

    /// Whether the incident ended only because nobody looks any more: nothing has recovered.
    pub(super) fn is_parting(&self) -> bool {
        self.event == NoticeEvent::Closed && self.status == ServiceStatus::Unknown
    }
}

/// Of an incident that is flapping also why it stays open while the service works.
fn summary(message: &Message) -> String {
    let latest = &message.change.evidence.summary;
    if message.is_flapping && message.event != Event::Closed {
        format!(
            "it comes and goes, and the incident stays open until half an hour of calm; at the moment: {latest}"
        )
    } else {
        latest.clone()
    }
}

fn status(message: &Message) -> ServiceStatus {
    match (message.change.kind, &message.change.scope) {
        (ChangeKind::Closed(Ending::Removed | Ending::Moved), _) => ServiceStatus::Unknown,
        (ChangeKind::Closed(_), _) => ServiceStatus::Ok,
        // What it would check is neither up nor down meanwhile.
        (_, Scope::Monitor(_)) => ServiceStatus::Unknown,
        (_, Scope::Check(_)) => message.change.status.map_or(ServiceStatus::Ok, ServiceStatus::from),
    }
}

/// What stands in a report, on one line.
fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    printable(words.join(" ").as_bytes(), LONGEST)
}

/// The page of an incident. The dashboard may be below a path.
fn link(external_url: &Url, incident: &str) -> String {
    let mut url = external_url.clone();
    url.set_query(None);
    url.set_fragment(None);
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(["incidents", incident]);
    }
    url.to_string()
}

#[cfg(test)]
mod tests;
