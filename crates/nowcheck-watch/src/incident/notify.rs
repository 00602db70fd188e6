//! From incidents to alerts: which receiver is told what, and when.
//!
//! Each receiver gets exactly one [`Event::Opened`] of an incident, and exactly one [`Event::Closed`] if it got that. An
//! incident that ends before an alert was due is never mentioned.
//!
//! A machine that hesitated once, because it was suspended or busy, is nothing to wake people for: an incident about it is
//! alerted when the next round of the check that met it does not go well, or when it comes and goes.
//!
//! Openings follow from the state and not from the change, so a receiver that is new is told of what is open.
//!
//! Nobody is alerted by what was seen before the monitor was off: the next round tells whether the trouble is still there.
//!
//! An alert is held back by maintenance, and while a check that is needed is not ok. When the reason has passed, the trouble
//! has to be seen again: a service may have recovered together with what it needs. And what is needed has to be seen ok by
//! a round that began after the trouble was found: both may have failed together.

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Change, ChangeKind, Incident, IncidentId, Incidents, Maintenance, MonitorPart, Scope};
use crate::timestamps::elapsed;

/// A receiver of alerts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    /// Its name.
    pub name: String,
    /// How long an incident must be open before this receiver is alerted.
    pub after: Duration,
    /// After how long without a message an open incident is mentioned again; none for never.
    pub remind: Option<Duration>,
}

/// What is set about the alerts of a check.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckPolicy {
    /// The receivers, by name; none for all.
    pub alert: Option<BTreeSet<String>>,
    /// Other checks, by name. While one of them is not ok, no alert is opened for this check.
    pub needs: BTreeSet<String>,
}

/// What is set about alerts.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// All receivers.
    pub receivers: Vec<Receiver>,
    /// What is set for single checks, by name.
    pub checks: BTreeMap<String, CheckPolicy>,
    /// When no alert is opened.
    pub maintenance: Vec<Maintenance>,
    /// The alerts that another instance opens, or that too few instances agree on: the receivers, by check.
    pub kept: BTreeMap<String, BTreeSet<String>>,
}

/// What a message is about. The names are those of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// An incident is open.
    Opened,
    /// It grew, shrank or shifted.
    Changed,
    /// It comes and goes, and is one incident from now on.
    Flapping,
    /// It is still open.
    Reminder,
    /// It ended.
    Closed,
}

/// A message to a receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The name of the message. It follows from the state, so that it is the same if it is made again.
    pub id: String,
    /// To whom.
    pub receiver: String,
    /// What it is about.
    pub event: Event,
    /// Whether the incident is marked as flapping.
    pub is_flapping: bool,
    /// The incident, and the evidence for it. For [`Event::Opened`] and [`Event::Reminder`] that is the latest.
    pub change: Change,
}

/// What a receiver was sent about an incident that is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Sent {
    count: u32,
    last: Timestamp,
}

/// What receivers were sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alerts {
    sent: BTreeMap<IncidentId, BTreeMap<String, Sent>>,
}

impl Alerts {
    /// The messages that are due. Call it with all changes of each step, and about once a second with none.
    ///
    /// Store this state together with the messages: then none is sent twice, and none is lost.
    pub fn decide(
        &mut self,
        incidents: &Incidents,
        changes: &[Change],
        policy: &Policy,
        now: Timestamp,
    ) -> Vec<Message> {
        let mut messages = Vec::new();
        for change in changes {
            let incident = incidents.of(&change.scope).filter(|incident| *incident.id() == change.incident);
            let is_flapping = incident.is_some_and(Incident::is_flapping);
            let event = match change.kind {
                // Follows from the state, see below.
                ChangeKind::Opened => continue,
                ChangeKind::Closed(_) => Event::Closed,
                ChangeKind::Flapping => Event::Flapping,
                ChangeKind::Grew | ChangeKind::Shrank | ChangeKind::Shifted => Event::Changed,
            };
            messages.extend(self.follow(event, change, policy, is_flapping));
            if event == Event::Closed {
                self.sent.remove(&change.incident);
            }
        }
        for incident in incidents.open() {
            // The same for all receivers, and of no interest for those who were told.
            let is_no_time = LazyCell::new(|| {
                policy.holds_back(incident, incidents, now) || !incidents.stands(incident, now)
            });
            for receiver in policy.receivers.iter().filter(|receiver| policy.sends(incident, receiver)) {
                let is_held_back = || policy.keeps(incident, receiver) || *is_no_time;
                let opened = self.open(incident, receiver, is_held_back, now);
                // It was marked before anybody was told of it.
                let is_new = opened.as_ref().is_some_and(|opened| opened.event == Event::Opened);
                messages.extend(opened);
                if is_new && incident.is_flapping() {
                    messages.extend(self.mark(incident, receiver, now));
                }
            }
        }
        messages
    }

    /// The receivers that were alerted of an incident that is open.
    pub fn told(&self, incident: &IncidentId) -> impl Iterator<Item = &str> {
        self.sent.get(incident).into_iter().flat_map(|sent| sent.keys().map(String::as_str))
    }

    /// Whether a message is about an incident that is open and that its receiver was told of.
    pub(crate) fn are_about(&self, message_id: &str, receiver: &str) -> bool {
        let about =
            |id: &IncidentId| message_id.strip_prefix(id.as_str()).is_some_and(|rest| rest.starts_with('-'));
        self.sent.iter().any(|(id, sent)| about(id) && sent.contains_key(receiver))
    }

    /// The first message about an incident, or a reminder.
    fn open(
        &mut self,
        incident: &Incident,
        receiver: &Receiver,
        is_held_back: impl FnOnce() -> bool,
        now: Timestamp,
    ) -> Option<Message> {
        let sent = self.sent.get_mut(incident.id()).and_then(|sent| sent.get_mut(&receiver.name));
        let (event, count) = match sent {
            None => {
                let is_due = elapsed(incident.since(), now) >= receiver.after.max(incident.patience());
                // What flaps and works at the moment is alerted with its next trouble.
                if !is_due || incident.places().is_empty() || is_held_back() {
                    return None;
                }
                let first = Sent { count: 1, last: now };
                self.sent.entry(incident.id().clone()).or_default().insert(receiver.name.clone(), first);
                (Event::Opened, 1)
            }
            Some(sent) => {
                // A clock that went back does not put the reminder off.
                sent.last = now.min(sent.last);
                let is_due =
                    receiver.remind.is_some_and(|remind| elapsed(sent.last, now) >= remind.max(LEAST_PAUSE));
                if !is_due {
                    return None;
                }
                (sent.count, sent.last) = (sent.count + 1, now);
                (Event::Reminder, sent.count)
            }
        };
        Some(Message {
            id: message_id(incident.id(), &receiver.name, count),
            receiver: receiver.name.clone(),
            event,
            is_flapping: incident.is_flapping(),
            change: incident.change(ChangeKind::Opened, now),
        })
    }

    /// Tells who was just told of an incident that it is flapping.
    fn mark(&mut self, incident: &Incident, receiver: &Receiver, now: Timestamp) -> Option<Message> {
        let sent = self.sent.get_mut(incident.id())?.get_mut(&receiver.name)?;
        sent.count += 1;
        Some(Message {
            id: message_id(incident.id(), &receiver.name, sent.count),
            receiver: receiver.name.clone(),
            event: Event::Flapping,
            is_flapping: true,
            change: incident.change(ChangeKind::Flapping, now),
        })
    }

    /// A message to all who know of the incident.
    fn follow(&mut self, event: Event, change: &Change, policy: &Policy, is_flapping: bool) -> Vec<Message> {
        let Some(sent) = self.sent.get_mut(&change.incident) else { return Vec::new() };
        let known = sent.iter_mut().filter(|(name, _)| policy.has_receiver(name));
        known
            .map(|(receiver, sent)| {
                (sent.count, sent.last) = (sent.count + 1, change.at);
                Message {
                    id: message_id(&change.incident, receiver, sent.count),
                    receiver: receiver.clone(),
                    event,
                    is_flapping,
                    change: change.clone(),
                }
            })
            .collect()
    }
}

/// A reminder of zero seconds would be sent at each call.
const LEAST_PAUSE: Duration = Duration::from_secs(1);

fn message_id(incident: &IncidentId, receiver: &str, count: u32) -> String {
    format!("{incident}-{receiver}-{count}")
}

impl Policy {
    fn has_receiver(&self, name: &str) -> bool {
        self.receivers.iter().any(|receiver| receiver.name == name)
    }

    /// Whether incidents like this one are for the receiver. One that fails is not told so itself.
    fn sends(&self, incident: &Incident, receiver: &Receiver) -> bool {
        match incident.scope() {
            Scope::Check(check) => {
                let chosen = self.checks.get(check).and_then(|policy| policy.alert.as_ref());
                chosen.is_none_or(|chosen| chosen.contains(&receiver.name))
            }
            Scope::Monitor(MonitorPart::Receiver(failing)) => *failing != receiver.name,
            Scope::Monitor(_) => true,
        }
    }

    /// Whether the receiver is not alerted by this instance at the moment.
    fn keeps(&self, incident: &Incident, receiver: &Receiver) -> bool {
        let Scope::Check(check) = incident.scope() else { return false };
        self.kept.get(check).is_some_and(|kept| kept.contains(&receiver.name))
    }

    /// Whether it is no time to open an alert.
    pub(crate) fn holds_back(&self, incident: &Incident, incidents: &Incidents, now: Timestamp) -> bool {
        let Scope::Check(check) = incident.scope() else { return false };
        let troubled = incidents.troubled(check);
        let is_ok = |needed: &String| incidents.vouches_for(needed, incident.since(), troubled, now);
        let needs_more = self.checks.get(check).is_some_and(|policy| !policy.needs.iter().all(is_ok));
        let is_maintained =
            |at: Timestamp| self.maintenance.iter().any(|maintenance| maintenance.covers(check, at));
        needs_more || is_maintained(now) || troubled.is_some_and(is_maintained)
    }
}

#[cfg(test)]
mod tests;
