//! What changes when a configuration is read: at the start, and at each reload.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::{Results, State, timestamps};
use crate::alerts::DeliveryResult;
use crate::board::Identity;
use crate::config::{CheckConfig, Config};
use crate::history::Step;
use crate::incident::{Change, MonitorPart, Policy, Scope};
use crate::watched::{self, WatchedCheck};

impl Results {
    /// What is watched from now on, and who is alerted of what.
    pub(crate) fn configure(&self, config: &Config) {
        let (checks, policy) = (&config.checks, config.policy());
        self.peers.configure(config);
        let now = timestamps::now(self.clock);
        let mut state = self.lock();
        self.dispatch.configure(config, &state.watched);
        for receiver in &policy.receivers {
            for result in DeliveryResult::NAMES {
                state.sent.entry((receiver.name.clone(), result)).or_default();
            }
        }
        self.board.watch_these(checks, now);
        self.silence().configure(checks.iter().map(|check| check.name.as_str()));
        let mut changes = self.part_with_checks(&mut state, checks, now);
        changes.extend(state.part_with_what_is_unused(config, &policy, now));
        let of_file = policy.maintenance.clone();
        state.policy = policy;
        state.plan(of_file);
        state.remember(checks);
        self.store_watched(&state);
        self.settle(state, &changes, now);
    }

    /// What is known of checks that are no longer watched is of no use any more.
    fn part_with_checks(&self, state: &mut State, checks: &[CheckConfig], now: Timestamp) -> Vec<Change> {
        let mut changes = Vec::new();
        for gone in state.gone(checks) {
            changes.extend(if checks.iter().any(|check| check.name == gone) {
                self.silence().forget(&gone);
                state.incidents.forget_the_former(&gone, now)
            } else {
                state.incidents.forget(&gone, now)
            });
            state.drifts.forget(&gone);
            self.history.forget(&gone, now);
        }
        changes
    }

    /// Stores what the checks are about, so that who reads only the history knows their limits, and the next start knows
    /// which of them are gone.
    fn store_watched(&self, state: &State) {
        // Texts and numbers: nothing that JSON cannot hold.
        let json = serde_json::to_string(&state.watched).unwrap_or_default();
        self.history.commit(Step { state: vec![(watched::STATE.to_owned(), json)], ..Step::default() });
    }
}

impl State {
    /// The checks that were watched until now, or until the last start, and are not in the configuration, or by another URL.
    fn gone(&self, checks: &[CheckConfig]) -> BTreeSet<String> {
        let urls: BTreeMap<&str, String> =
            checks.iter().map(|check| (check.name.as_str(), Identity::of(check).url)).collect();
        let is_gone = |name: &str, url: &str| urls.get(name).is_none_or(|now| now != url);
        let watched = self.watched.iter().filter(|(name, check)| !check.is_over && is_gone(name, &check.url));
        // The list of what was watched may have been lost.
        let open = self.incidents.open().filter_map(|incident| match incident.scope() {
            Scope::Check(check) if !urls.contains_key(check.as_str()) => Some(check),
            _ => None,
        });
        watched.map(|(name, _)| name).chain(open).cloned().collect()
    }

    /// Whether the result of such a round is about what is watched now. A round may be under way, or wait, while its check is
    /// taken out of the file or gets another URL or another limit. Its verdict would be taken for that of the new settings.
    pub(super) fn awaits(&self, config: &CheckConfig) -> bool {
        self.asked.get(&config.name).is_some_and(|check| check.asks_the_same_as(&config.check))
    }

    fn remember(&mut self, checks: &[CheckConfig]) {
        self.asked = checks.iter().map(|check| (check.name.clone(), Arc::clone(&check.check))).collect();
        for check in self.watched.values_mut() {
            check.is_over = true;
        }
        let watched =
            checks.iter().map(|check| (check.name.clone(), WatchedCheck::from(&Identity::of(check))));
        self.watched.extend(watched);
    }

    /// Receivers and peers that are no longer in the configuration have no faults.
    fn part_with_what_is_unused(&mut self, config: &Config, policy: &Policy, now: Timestamp) -> Vec<Change> {
        let is_used = |part: &MonitorPart| match part {
            MonitorPart::Receiver(name) => policy.receivers.iter().any(|receiver| receiver.name == *name),
            MonitorPart::Peer(name) => config.peers.iter().any(|peer| peer.name == *name),
            _ => true,
        };
        let unused = self.incidents.open().filter_map(|incident| match incident.scope() {
            Scope::Monitor(part) if !is_used(part) => Some(part.clone()),
            _ => None,
        });
        let unused: Vec<MonitorPart> = unused.collect();
        unused.iter().filter_map(|part| self.incidents.forget_part(part, now)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::System;

    fn checks(lines: &str) -> Vec<CheckConfig> {
        let text = format!("[[check]]\n{lines}\n");
        Config::parse("a.toml", text.as_bytes(), Path::new(""), &System).unwrap().checks
    }

    #[test]
    fn a_check_is_gone_once_when_the_file_has_it_no_more_or_by_another_url() {
        let shop = checks("name = \"shop\"\nurl = \"http://shop.example\"");
        let mut state = State::default();
        state.remember(&shop);
        assert_eq!(state.gone(&shop), BTreeSet::new());
        let gone = BTreeSet::from(["shop".to_owned()]);
        assert_eq!(state.gone(&checks("name = \"shop\"\nurl = \"http://shop.example:81\"")), gone);
        let blog = checks("name = \"blog\"\nurl = \"http://shop.example\"");
        assert_eq!(state.gone(&blog), gone);
        state.remember(&blog);
        assert_eq!(state.gone(&blog), BTreeSet::new(), "what is over is not gone again");
        state.remember(&shop);
        assert_eq!(state.gone(&[]), gone, "it was watched again");
        assert!(state.watched["blog"].is_over, "its limits are known still");
    }
}
