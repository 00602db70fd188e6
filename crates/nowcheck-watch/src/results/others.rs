//! What other instances are told of this one, and what follows from what they tell.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use nowcheck::outcome::Reason;

use super::{Results, State, timestamps};
use crate::board::CheckState;
use crate::incident::{Change, Incident, MonitorPart, Scope, Trouble, TroubleKind};
use crate::peers::view::{Answer, CheckView, IncidentView};
use crate::peers::{Kind, PeerNews, Peers};

impl Results {
    /// What another instance is told that asks.
    pub(crate) fn told_to_others(&self) -> Answer {
        let now = timestamps::now(self.clock);
        let checks = self.board.checks();
        let state = self.lock();
        let views = checks.iter().map(|check| (check.identity.name.clone(), state.view_of(check, now)));
        let views: BTreeMap<String, CheckView> = views.collect();
        let receivers = state.policy.receivers.iter().map(|receiver| &receiver.name);
        let receivers = receivers.filter(|name| !state.is_failing(name)).cloned().collect();
        drop(state);
        self.peers.answer(views, receivers)
    }

    /// What this instance has to tell people about the others.
    pub(super) fn hear_of_others(&self, state: &mut State, now: Timestamp) -> Vec<Change> {
        let mut changes = Vec::new();
        for news in self.peers.news() {
            changes.extend(match news {
                PeerNews::Missing { peer, summary } => {
                    state.incidents.report_fault(&MonitorPart::Peer(peer), &summary, now)
                }
                PeerNews::There { peer } => {
                    let summary = format!("the peer {peer} is there");
                    state.incidents.report_working(&MonitorPart::Peer(peer), &summary, now)
                }
                PeerNews::Contradiction { summary } => {
                    state.incidents.report_fault(&MonitorPart::Agreement, &summary, now)
                }
                PeerNews::Agreement => {
                    let summary = "the references of all instances agree";
                    state.incidents.report_working(&MonitorPart::Agreement, summary, now)
                }
            });
        }
        changes
    }
}

impl State {
    fn is_failing(&self, receiver: &str) -> bool {
        let is_it = |incident: &Incident| matches!(incident.scope(), Scope::Monitor(MonitorPart::Receiver(name)) if name == receiver);
        self.incidents.open().any(is_it)
    }

    fn view_of(&self, check: &CheckState, now: Timestamp) -> CheckView {
        let name = &check.identity.name;
        let incident = self.incidents.of_check(name).map(|incident| IncidentView {
            id: incident.id().to_string(),
            is_down: is_down(incident),
            kinds: Some(kinds(incident)),
            is_held_back: self.policy.holds_back(incident, &self.incidents, now),
            told: self.alerts.told(incident.id()).map(str::to_owned).collect(),
        });
        CheckView {
            status: check.status_at(now).name().to_owned(),
            reason: check.reason_at(now).to_owned(),
            stands_seconds: check.stands_for.as_secs_f64(),
            round_age_seconds: None,
            alert: self.policy.checks.get(name).and_then(|policy| policy.alert.clone()),
            incident,
            backends: Vec::new(),
        }
    }

    /// Finds out which alerts this instance must not open, before they are decided.
    pub(super) fn keep_what_others_alert(&mut self, peers: &Peers) {
        let mut kept = BTreeMap::new();
        if !peers.is_alone() {
            peers.sees_trouble_only_of(|check| self.incidents.of_check(check).is_some());
            for incident in self.incidents.open() {
                let Scope::Check(check) = incident.scope() else { continue };
                peers.sees_trouble(check, incident.id().as_str(), kinds(incident));
                let told: BTreeSet<&str> = self.alerts.told(incident.id()).collect();
                let names = self.policy.receivers.iter().map(|receiver| receiver.name.as_str());
                let keeps = peers.keeps_from_alerting(check, names.filter(|name| !told.contains(name)));
                if !keeps.is_empty() {
                    kept.insert(check.clone(), keeps);
                }
            }
        }
        self.policy.kept = kept;
    }
}

fn is_down(incident: &Incident) -> bool {
    incident.trouble_kind() == Some(TroubleKind::Down)
}

/// How the service fails at the moment: in several ways if several of its addresses or backends are in trouble.
fn kinds(incident: &Incident) -> BTreeSet<Kind> {
    let kind = |trouble: &Trouble| match trouble.kind {
        TroubleKind::Down => Kind::Down,
        TroubleKind::Wrong if trouble.reason == Reason::Desynchronized.name() => Kind::ClockWrong,
        TroubleKind::Wrong => Kind::Stale,
    };
    incident.places().values().map(kind).collect()
}
