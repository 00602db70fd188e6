//! Alertmanager, API version 2 (`POST /api/v2/alerts`).
//!
//! Labels are what an alert is known by, so only what stays the same during an incident is a label. Alertmanager takes an
//! alert that it does not hear of for resolved; so an open one is sent again, long before it ends.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::notice::{Notice, NoticeEvent};
use crate::http_client::Message;

/// After how long an open alert is sent again.
pub(super) const AGAIN_AFTER: Duration = Duration::from_mins(1);

/// For how long an alert stays open without being sent again: a restart and some failures have room in it.
const STAYS: Duration = Duration::from_mins(5);

/// An alert, as the API wants it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Alert {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<&'static str, String>,
    starts_at: Timestamp,
    ends_at: Timestamp,
    #[serde(rename = "generatorURL", skip_serializing_if = "Option::is_none")]
    generator_url: Option<String>,
}

/// The request.
pub(super) fn request(notice: &Notice, now: Timestamp) -> Message {
    let ends_at = match notice.event {
        NoticeEvent::Closed => notice.at,
        _ => now.checked_add(STAYS).unwrap_or(Timestamp::MAX),
    };
    let alert = Alert {
        labels: labels(notice),
        annotations: annotations(notice),
        starts_at: notice.since,
        ends_at,
        generator_url: notice.link.clone(),
    };
    // Texts and times: nothing that JSON cannot hold.
    Message::json(serde_json::to_vec(&[alert]).unwrap_or_default())
}

/// Those of the check, and ours, which win.
fn labels(notice: &Notice) -> BTreeMap<String, String> {
    let name = if notice.event == NoticeEvent::Test { "NowcheckTest" } else { "NowcheckIncident" };
    let mut labels = notice.labels.clone();
    let (kind, what) = match &notice.check {
        Some(check) => ("check", check),
        None => ("part", &notice.reason),
    };
    for (label, value) in [("alertname", name), ("monitor", &notice.monitor), (kind, what)] {
        labels.insert(label.to_owned(), value.to_owned());
    }
    labels
}

fn annotations(notice: &Notice) -> BTreeMap<&'static str, String> {
    let mut annotations = BTreeMap::from([
        ("summary", notice.summary.clone()),
        ("status", notice.status.name().to_owned()),
        ("reason", notice.reason.clone()),
        ("event", notice.event.name().to_owned()),
    ]);
    if !notice.backends.is_empty() {
        annotations.insert("backends", notice.backends.join(", "));
    }
    if let Some(offset) = &notice.offset {
        annotations.insert("offset", format!("{} s to {} s", offset.lower, offset.upper));
    }
    annotations.extend(notice.incident.clone().map(|incident| ("incident", incident)));
    annotations.extend(notice.advice.clone().map(|advice| ("advice", advice)));
    annotations
}
