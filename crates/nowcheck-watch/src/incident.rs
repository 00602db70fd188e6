//! From what rounds prove to incidents, and from incidents to alerts.
//!
//! Everything here is pure: `(state, what a round found, now) -> changes`. Nothing reads a clock, waits or writes. The
//! state ([`Incidents`], [`Alerts`]) is serialized after each step and restored after a restart, which then changes
//! nothing about what is said.
//!
//! | who | does |
//! |---|---|
//! | [`Observation`] | says what one round proved: which places are in trouble, which are proven good |
//! | [`Incidents`] | opens, grows, shrinks and closes incidents by that proof |
//! | [`Alerts`] | decides which [`Receiver`] gets which [`Message`], and when |
//! | [`Window`] | says whether it is time for maintenance |
//!
//! # Rules
//!
//! * A check has at most one open incident. It is about one backend while a single named backend is all that is in
//!   trouble, otherwise about the check. So one cause is one alert.
//! * Proof opens and closes; nothing is counted. A place (an address or a named backend) leaves an incident with the
//!   round that proved *this place* good. A round that met other backends says nothing about it.
//! * A named backend that was replaced is never met again. It leaves once the chance of having missed it, over all rounds
//!   since, is at most one in a million.
//! * An address leaves when three lookups in a row, over five minutes or more, did not have it: a name server may answer
//!   with some of many addresses.
//! * An unknown round changes nothing about a service.
//! * When the checker is at fault, the incident is about the [`MonitorPart`] and lists the checks that it blinds. It closes
//!   when the last of them could be checked again. Its growth is recorded and not announced. That the network is at fault
//!   also shows when all hosts fall silent at once: then none of them is down as far as is known.
//! * Five starts of trouble within an hour make an incident flapping. It then stays open until half an hour of calm is
//!   proven. A start is an opening, or the return of a place that had left. Unknown time is not calm.
//!
//! # What the caller must do
//!
//! While a check has an open incident, hold full rounds. A steady round meets one backend and cannot prove that the others
//! have recovered.
//!
//! `now` is an instant of the wall clock. If it goes back, remembered times that are then in the future are set to `now`,
//! so that no alert waits for a clock that was wrong.
//!
//! ```
//! use std::collections::BTreeMap;
//! use std::time::Duration;
//!
//! use jiff::Timestamp;
//! use nowcheck_watch::incident::{
//!     Alerts, Event, Incidents, Observation, Place, Policy, Receiver, Round, Trouble, TroubleKind,
//! };
//!
//! let night = Receiver { name: "night".to_owned(), after: Duration::ZERO, remind: None };
//! let policy = Policy { receivers: vec![night], ..Policy::default() };
//! let (mut incidents, mut alerts) = (Incidents::default(), Alerts::default());
//! let mut hold = |observation: Observation, second: i64| {
//!     let now = Timestamp::from_second(second).expect("a time of this century");
//!     let summary = "from the report".to_owned();
//!     let round = Round { check: "shop", observation: &observation, summary, stands_for: Duration::from_secs(10), took: Duration::ZERO };
//!     let changes = incidents.observe(&round, now);
//!     alerts.decide(&incidents, &changes, &policy, now)
//! };
//! let address = Place::Address("192.0.2.1:80".to_owned());
//! let down = Trouble::new(TroubleKind::Down, "down");
//! let messages = hold(Observation::of_trouble([(address.clone(), down)]), 1_795_521_600);
//! assert_eq!(messages[0].event, Event::Opened);
//! let messages = hold(Observation::of_proof([address]), 1_795_521_610);
//! assert_eq!(messages[0].event, Event::Closed);
//! ```

mod change;
mod flapping;
mod maintenance;
mod notify;
mod observation;
mod place;
mod silence;
#[cfg(test)]
pub(crate) mod testing;
mod track;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use change::Names;
pub use change::{Change, ChangeKind, Ending, Evidence, IncidentId, Scope, Subject};
pub use maintenance::{Maintenance, Window};
pub use notify::{Alerts, CheckPolicy, Event, Message, Policy, Receiver};
pub use observation::{Observation, OffsetBounds, Proof, ServiceStatus, Trouble, TroubleKind};
pub use place::{MonitorPart, Place, UnknownName};
pub(crate) use silence::{Contact, Held, Meaning, Silence};
pub use track::Incident;
use track::{Finding, Step, Track};

use crate::timestamps::elapsed;

/// A round of one check.
#[derive(Debug, Clone)]
pub struct Round<'a> {
    /// The name of the check.
    pub check: &'a str,
    /// What it proved.
    pub observation: &'a Observation,
    /// The verdict in one line, as the report says it.
    pub summary: String,
    /// How long the result stands if no other round follows: the period and a margin. Later time is unknown.
    pub stands_for: Duration,
    /// How long the round took.
    pub took: Duration,
}

impl Round<'_> {
    fn began(&self, ended: Timestamp) -> Timestamp {
        ended.checked_sub(self.took).unwrap_or(Timestamp::MIN)
    }
}

/// What a check is at the moment, as far as rounds and open incidents tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Standing {
    status: ServiceStatus,
    until: Timestamp,
    /// When the latest round began.
    #[serde(default)]
    began: Option<Timestamp>,
    /// When the latest round that proved trouble began.
    #[serde(default)]
    troubled: Option<Timestamp>,
    /// Since when it is ok without a gap.
    #[serde(default)]
    ok_since: Option<Timestamp>,
}

impl Standing {
    /// The clock went back. No remembered time is after this one, and the result stands for as long as it still would have.
    fn go_back(&mut self, latest: Timestamp, now: Timestamp) {
        self.until = self.until.checked_sub(elapsed(now, latest)).unwrap_or(Timestamp::MIN);
        for then in [&mut self.began, &mut self.troubled, &mut self.ok_since].into_iter().flatten() {
            *then = now.min(*then);
        }
    }
}

/// All incidents that are open, and what is needed to tell whether checks flap.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incidents {
    #[serde(flatten)]
    names: Names,
    latest: Option<Timestamp>,
    standings: BTreeMap<String, Standing>,
    checks: BTreeMap<String, Track>,
    monitor: BTreeMap<MonitorPart, Track>,
}

impl Incidents {
    /// Tells the names of incidents apart from those of other instances, which may see the same fault in the same second.
    /// Incidents that have been told apart stay so.
    pub fn tell_apart(&mut self, instance: &str) {
        self.names.tell_apart(instance);
    }

    /// What a round changes, about its check and about the monitor.
    pub fn observe(&mut self, round: &Round<'_>, now: Timestamp) -> Vec<Change> {
        self.not_after(now);
        let mut changes = self.observe_monitor(round, now);
        changes.extend(self.observe_check(round, now));
        let status = self.status_after(round);
        let until = now.checked_add(round.stands_for).unwrap_or(Timestamp::MAX);
        let began = round.began(now);
        let before = self.standings.get(round.check);
        let has_trouble = !round.observation.troubles().is_empty();
        let is_open = self.of_check(round.check).is_some();
        let troubled = if has_trouble { Some(began) } else { before.and_then(|before| before.troubled) };
        let troubled = troubled.filter(|_| is_open);
        let was_ok = before.filter(|before| now < before.until).and_then(|before| before.ok_since);
        let ok_since = (status == ServiceStatus::Ok).then(|| was_ok.unwrap_or(now));
        let standing = Standing { status, until, began: Some(began), troubled, ok_since };
        self.standings.insert(round.check.to_owned(), standing);
        changes
    }

    /// Whether a check is proven to be ok by a round that began at that instant or later, and was ok when the latest trouble
    /// of another check was seen.
    fn vouches_for(
        &self,
        check: &str,
        since: Timestamp,
        troubled: Option<Timestamp>,
        now: Timestamp,
    ) -> bool {
        let Some(standing) = self.standings.get(check).filter(|standing| now < standing.until) else {
            return false;
        };
        let is_measured = standing.began.is_none_or(|began| began >= since);
        let was_ok = match (standing.ok_since, troubled) {
            (Some(ok_since), Some(troubled)) => ok_since <= troubled,
            _ => true,
        };
        standing.status == ServiceStatus::Ok && is_measured && was_ok
    }

    /// Whether the latest result of its check stands. After a restart or a suspend it may be old, and the trouble over.
    fn stands(&self, incident: &Incident, now: Timestamp) -> bool {
        match incident.scope() {
            Scope::Check(check) => self.standings.get(check).is_some_and(|standing| now < standing.until),
            Scope::Monitor(_) => true,
        }
    }

    /// When the latest round began that proved trouble of a check.
    fn troubled(&self, check: &str) -> Option<Timestamp> {
        self.standings.get(check).and_then(|standing| standing.troubled)
    }

    /// A fault of a part of the monitor that no round shows: the history cannot be written, a receiver takes no message.
    pub fn report_fault(&mut self, part: &MonitorPart, summary: &str, now: Timestamp) -> Vec<Change> {
        let trouble = Trouble::new(TroubleKind::Down, &part.to_string());
        let finding = Finding { bad: BTreeMap::from([(Place::Service, trouble)]), ..Finding::default() };
        self.report(part, finding, summary, now)
    }

    /// Proof that a part of the monitor works. To end an incident that is flapping, report it again and again, at least
    /// once a minute, for as long as the part works.
    pub fn report_working(&mut self, part: &MonitorPart, summary: &str, now: Timestamp) -> Vec<Change> {
        if !self.monitor.contains_key(part) {
            return Vec::new();
        }
        let finding = Finding { leaving: vec![Place::Service], is_calm: true, ..Finding::default() };
        self.report(part, finding, summary, now)
    }

    fn report(&mut self, part: &MonitorPart, finding: Finding, summary: &str, now: Timestamp) -> Vec<Change> {
        self.not_after(now);
        let step =
            Step { now, summary: summary.to_owned(), offset: None, stands_for: Duration::from_mins(1) };
        let track = self.monitor.entry(part.clone()).or_default();
        track.apply(&Scope::Monitor(part.clone()), finding, &step, &mut self.names)
    }

    /// A check that is watched no more: its incident is closed, and it blinds no part of the monitor.
    pub fn forget(&mut self, check: &str, now: Timestamp) -> Vec<Change> {
        self.part_with(check, Ending::Removed, format!("{check} is no longer watched"), now)
    }

    /// A check whose URL is another one: it begins anew.
    pub fn forget_the_former(&mut self, check: &str, now: Timestamp) -> Vec<Change> {
        let summary = format!("the URL of {check} has changed, and what it was before is no longer watched");
        self.part_with(check, Ending::Moved, summary, now)
    }

    /// A part of the monitor that is not used any more, such as a receiver that was taken out of the file.
    pub fn forget_part(&mut self, part: &MonitorPart, now: Timestamp) -> Option<Change> {
        self.not_after(now);
        let summary = format!("{part} is no longer in the configuration");
        let step = Step { now, summary, offset: None, stands_for: Duration::ZERO };
        self.monitor.remove(part).and_then(|track| track.removed(Ending::Removed, &step))
    }

    fn part_with(&mut self, check: &str, ending: Ending, summary: String, now: Timestamp) -> Vec<Change> {
        self.not_after(now);
        self.standings.remove(check);
        let step = Step { now, summary, offset: None, stands_for: Duration::ZERO };
        let removed = self.checks.remove(check);
        let closed = removed.and_then(|track| track.removed(ending, &step));
        let mut changes: Vec<Change> = closed.into_iter().collect();
        let place = Place::Check(check.to_owned());
        for (part, track) in &mut self.monitor {
            let finding = Finding { gone: vec![place.clone()], ..Finding::default() };
            changes.extend(track.apply(&Scope::Monitor(part.clone()), finding, &step, &mut self.names));
        }
        changes
    }

    /// The incidents that are open: those of checks by name, then those of the monitor.
    pub fn open(&self) -> impl Iterator<Item = &Incident> {
        self.checks.values().chain(self.monitor.values()).filter_map(Track::incident)
    }

    /// The open incident of a check.
    #[must_use]
    pub fn of_check(&self, check: &str) -> Option<&Incident> {
        self.checks.get(check).and_then(Track::incident)
    }

    /// The open incident of a check or of a part of the monitor.
    fn of(&self, scope: &Scope) -> Option<&Incident> {
        match scope {
            Scope::Check(check) => self.of_check(check),
            Scope::Monitor(part) => self.monitor.get(part).and_then(Track::incident),
        }
    }

    /// What a check is at the moment: unknown before its first round, and when its last result stands no more.
    ///
    /// A good round that does not end the trouble of an open incident leaves the check wrong or down: it met others.
    #[must_use]
    pub fn status(&self, check: &str, now: Timestamp) -> ServiceStatus {
        match self.standings.get(check) {
            Some(standing) if now < standing.until => standing.status,
            _ => ServiceStatus::Unknown,
        }
    }

    /// What the latest round of a check concluded, whether or not it still stands: a round that had to wait may be old when
    /// it is taken in.
    pub(crate) fn concluded(&self, check: &str) -> ServiceStatus {
        self.standings.get(check).map_or(ServiceStatus::Unknown, |standing| standing.status)
    }

    fn observe_check(&mut self, round: &Round<'_>, now: Timestamp) -> Vec<Change> {
        let observation = round.observation;
        if observation.troubles().is_empty() && !self.checks.contains_key(round.check) {
            return Vec::new();
        }
        let track = self.checks.entry(round.check.to_owned()).or_default();
        let finding = track.finding(observation, now);
        let scope = Scope::Check(round.check.to_owned());
        let changes = track.apply(&scope, finding, &Step::of(round, now), &mut self.names);
        if track.is_over(now) {
            self.checks.remove(round.check);
        }
        changes
    }

    fn observe_monitor(&mut self, round: &Round<'_>, now: Timestamp) -> Vec<Change> {
        let faults = round.observation.faults();
        for part in faults {
            self.monitor.entry(part.clone()).or_default();
        }
        let place = Place::Check(round.check.to_owned());
        let mut changes = Vec::new();
        for (part, track) in self.monitor.iter_mut().filter(|(part, _)| part.is_seen_by_rounds()) {
            let mut step = Step::of(round, now);
            let finding = if faults.contains(part) {
                let trouble = Trouble::new(TroubleKind::Down, &part.to_string());
                Finding { bad: BTreeMap::from([(place.clone(), trouble)]), ..Finding::default() }
            } else if round.observation.shows(part) {
                // What is wrong with the service is its own matter.
                step.summary = format!("{} can be checked again", round.check);
                Finding { leaving: vec![place.clone()], is_calm: true, ..Finding::default() }
            } else {
                Finding::default()
            };
            let scope = Scope::Monitor(part.clone());
            changes.extend(track.apply(&scope, finding, &step, &mut self.names));
        }
        changes
    }

    fn status_after(&self, round: &Round<'_>) -> ServiceStatus {
        match (round.observation.status(), self.of_check(round.check).and_then(Incident::trouble_kind)) {
            (ServiceStatus::Unknown, _) => ServiceStatus::Unknown,
            (_, Some(kind)) => kind.into(),
            (status, None) => status,
        }
    }

    /// No remembered time is after this one.
    fn not_after(&mut self, now: Timestamp) {
        let Some(latest) = self.latest.replace(now).filter(|latest| *latest > now) else { return };
        for track in self.checks.values_mut().chain(self.monitor.values_mut()) {
            track.not_after(now);
        }
        for standing in self.standings.values_mut() {
            standing.go_back(latest, now);
        }
    }
}

#[cfg(test)]
mod tests;
