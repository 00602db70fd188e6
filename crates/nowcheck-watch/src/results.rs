//! From the result of a round to everything that it changes: incidents, the board, the history, the log.

mod configured;
mod delivered;
mod drifts;
mod maintenance;
mod meaning;
mod others;
mod record;
mod stored;
mod suspends;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clock_offset::MonotonicInstant;
use jiff::Timestamp;
use nowcheck::check::Check;
use nowcheck::clock::Clock;
use nowcheck::outcome::Outcome;
use nowcheck::report;

use crate::board::{Board, LatestRound, NOT_CHECKED_YET};
use crate::config::{self, CheckConfig};
use crate::dispatch::Dispatch;
use crate::drift::DriftBounds;
use crate::history::{History, Restored, RoundRecord, Step};
use crate::incident::{
    Alerts, Change, ChangeKind, Ending, Incident, Incidents, Meaning, MonitorPart, Policy, Round, Scope,
    ServiceStatus, Silence,
};
use crate::log::{Log, LogEvent};
use crate::peers::Peers;
use crate::status::CheckStatus;
use crate::timestamps::{self, elapsed};
use crate::watched::{self, WatchedChecks};
use drifts::Drifts;
pub(crate) use maintenance::Announced;
use maintenance::Planned;
use meaning::Reading;
use record::{empty, record};
use stored::Stored;
pub(crate) use stored::left_over;
use suspends::Suspends;

/// A round that was held.
#[derive(Debug)]
pub(crate) struct HeldRound {
    pub(crate) config: Arc<CheckConfig>,
    pub(crate) outcome: Outcome,
    /// How much later than its slot it began.
    pub(crate) lateness: Duration,
    /// When the next one is due.
    pub(crate) next: Timestamp,
    /// How long a single faulty backend may go unseen.
    pub(crate) found_within: Duration,
    /// Why it was a full round, if it was.
    pub(crate) full_because: Option<&'static str>,
    /// Whether its answers were judged without the names of their instances, because those are worth nothing.
    pub(crate) names_left_out: bool,
    /// When it ended.
    pub(crate) ended: MonotonicInstant,
}

/// What a check is after a round.
struct Shown<'a> {
    status: CheckStatus,
    reason: &'a str,
    latest: LatestRound,
    now: Timestamp,
    stands_for: Duration,
}

/// Takes the results of all rounds, one after the other.
#[derive(Debug)]
pub(crate) struct Results {
    clock: Clock,
    board: Arc<Board>,
    log: Log,
    history: History,
    dispatch: Dispatch,
    peers: Arc<Peers>,
    held: AtomicU64,
    reload_failed: AtomicBool,
    silence: Mutex<Silence<HeldRound>>,
    state: Mutex<State>,
}

/// What results are handed on to.
#[derive(Debug)]
pub(crate) struct Outlets {
    pub(crate) board: Arc<Board>,
    pub(crate) log: Log,
    pub(crate) history: History,
    pub(crate) dispatch: Dispatch,
    pub(crate) peers: Arc<Peers>,
}

#[derive(Debug, Default)]
struct State {
    incidents: Incidents,
    alerts: Alerts,
    policy: Policy,
    planned: Planned,
    drifts: Drifts,
    /// How many messages met which result, by receiver and result.
    sent: BTreeMap<(String, &'static str), u64>,
    /// What every check is about that was ever watched.
    watched: WatchedChecks,
    /// What rounds ask from now on, by check.
    asked: BTreeMap<String, Arc<Check>>,
    /// The receivers that took their last message.
    delivering: BTreeSet<String>,
    suspends: Suspends,
    /// When the incidents were stored last.
    stored: Option<Timestamp>,
}

/// The names under which the history keeps states.
const INCIDENTS: &str = "incidents";
const ALERTS: &str = "alerts";

/// So many letters of an instance's id are in the names of its incidents.
const IDS_ARE_TOLD_APART_BY: usize = 6;

/// While an incident is open, its state changes with each round. It is stored with each change, and this often.
const STORED_EVERY: Duration = Duration::from_mins(1);

impl Results {
    /// It goes on where the history says that it ended.
    pub(crate) fn new(clock: Clock, outlets: Outlets, restored: &Restored) -> Self {
        let Outlets { board, log, history, dispatch, peers } = outlets;
        let mut stored = Stored::new(restored);
        let mut state = State {
            incidents: stored.part(INCIDENTS),
            alerts: stored.part(ALERTS),
            planned: Planned::of_announced(stored.part(maintenance::STATE)),
            watched: stored.part(watched::STATE),
            ..State::default()
        };
        let id = peers.id();
        state.incidents.tell_apart(id.get(..IDS_ARE_TOLD_APART_BY).unwrap_or(&id));
        let mut kept = Vec::new();
        for part in stored.unreadable() {
            log.write(timestamps::now(clock), LogEvent::Problem { problem: part.problem });
            kept.push(part.kept);
        }
        if !kept.is_empty() {
            history.commit(Step { state: kept, ..Step::default() });
        }
        Self {
            clock,
            board,
            log,
            history,
            dispatch,
            peers,
            held: AtomicU64::new(0),
            reload_failed: AtomicBool::new(false),
            silence: Mutex::default(),
            state: Mutex::new(state),
        }
    }

    /// What is due without a round: alerts that had to wait, and the state of the monitor itself. Call it once a second.
    pub(crate) fn tick(&self) {
        let now = timestamps::now(self.clock);
        self.take_those_that_waited();
        for problem in self.history.take_notices() {
            self.log.write(now, LogEvent::Problem { problem });
        }
        let health = self.history.health();
        let mut state = self.lock();
        let mut changes = match &health.problem {
            Some(problem) => state.incidents.report_fault(&MonitorPart::History, problem, now),
            None => state.incidents.report_working(&MonitorPart::History, "the history is written", now),
        };
        changes.extend(state.report_receivers(now));
        changes.extend(self.hear_of_others(&mut state, now));
        self.settle(state, &changes, now);
    }

    /// What is known of other instances.
    pub(crate) fn peers(&self) -> &Peers {
        &self.peers
    }

    /// The history that results go to.
    pub(crate) fn history(&self) -> &History {
        &self.history
    }

    /// Whether a check has an open incident.
    pub(crate) fn has_incident(&self, check: &str) -> bool {
        self.lock().incidents.of_check(check).is_some()
    }

    /// The name of a check's open incident.
    pub(crate) fn incident_of(&self, check: &str) -> Option<String> {
        self.lock().incidents.of_check(check).map(|incident| incident.id().to_string())
    }

    /// The open incidents of the monitor itself.
    pub(crate) fn faults(&self) -> Vec<Incident> {
        let state = self.lock();
        let faults = state.incidents.open().filter(|incident| matches!(incident.scope(), Scope::Monitor(_)));
        faults.cloned().collect()
    }

    /// How many incidents are open.
    pub(crate) fn open_incidents(&self) -> usize {
        self.lock().incidents.open().count()
    }

    /// Takes in what the result of a round means.
    fn take_in(&self, round: &HeldRound, meaning: Meaning) {
        let now = timestamps::now(self.clock);
        let Reading { observation, latest, summary } = round.read(meaning);
        let check = &round.config.name;
        // What waited is as old as it is.
        let waited = self.clock.now().since(round.ended);
        let stands_for = stands_for(&round.config).saturating_sub(waited);
        let mut state = self.lock();
        if !state.awaits(&round.config) {
            return;
        }
        let incident_round = Round {
            check,
            observation: &observation,
            summary,
            stands_for,
            took: round.outcome.duration + waited,
        };
        let changes = state.incidents.observe(&incident_round, now);
        let status = match state.incidents.concluded(check) {
            ServiceStatus::Ok if observation.is_warning() => CheckStatus::Warning,
            other => other.into(),
        };
        let shown = Shown { status, reason: observation.reason(), latest, now, stands_for };
        let outcome = (status != CheckStatus::Ok)
            .then(|| report::json::line(&round.outcome, config::words()).ok())
            .flatten();
        let record = record(round, &shown);
        let drift = state.follow_drift(&record, self.clock.now(), self.clock.suspended());
        self.history.record(record, outcome);
        // First, because messages say what the board says.
        self.show(round, &shown, drift);
        self.settle(state, &changes, now);
    }

    /// Whether the file was valid when it was read last.
    pub(crate) fn reload_succeeded(&self) -> bool {
        !self.reload_failed.load(Ordering::Relaxed)
    }

    /// Takes note of whether the file was valid.
    pub(crate) fn set_reload_failed(&self, failed: bool) {
        self.reload_failed.store(failed, Ordering::Relaxed);
    }

    /// How many rounds were held since the start.
    pub(crate) fn rounds_held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    /// Decides who is alerted of these changes, and stores all of it together.
    fn settle(&self, mut state: MutexGuard<'_, State>, changes: &[Change], now: Timestamp) {
        state.keep_what_others_alert(&self.peers);
        let State { incidents, alerts, policy, stored, .. } = &mut *state;
        let messages = alerts.decide(incidents, changes, policy, now);
        // After a clock went back, the time of the last storing may be in the future.
        let is_old = stored.is_none_or(|stored| stored > now || elapsed(stored, now) >= STORED_EVERY);
        let is_open = incidents.open().next().is_some();
        if !changes.is_empty() || !messages.is_empty() || (is_open && is_old) {
            *stored = Some(now);
            let of =
                |name: &str, json: serde_json::Result<String>| json.ok().map(|json| (name.to_owned(), json));
            let states = [
                of(INCIDENTS, serde_json::to_string(&*incidents)),
                of(ALERTS, serde_json::to_string(&*alerts)),
            ];
            let messages = self.dispatch.written(&messages, &self.board, now);
            self.history.commit(Step {
                state: states.into_iter().flatten().collect(),
                changes: changes.to_vec(),
                messages: messages.clone(),
                done: Vec::new(),
            });
            self.dispatch.send(&messages);
        }
        drop(state);
        self.tell(changes);
    }

    /// Slots in which no round was held; the latest of them began then.
    pub(crate) fn missed(&self, config: &CheckConfig, reason: &'static str, slots: u64) {
        if !self.lock().awaits(config) {
            return;
        }
        let now = timestamps::now(self.clock);
        self.board.update(&config.name, |state| state.counters.count_missed(reason, slots));
        self.history.record(RoundRecord { reason: reason.to_owned(), ..empty(config, now) }, None);
    }

    fn show(&self, round: &HeldRound, shown: &Shown<'_>, drift: Option<DriftBounds>) {
        let Shown { status, reason, latest, now, stands_for } = shown;
        let mut before = None;
        self.board.update(&round.config.name, |state| {
            if state.status != *status || state.reason == NOT_CHECKED_YET {
                before = Some(state.status);
                state.since = *now;
            }
            state.status = *status;
            (*reason).clone_into(&mut state.reason);
            state.stands_for = self::stands_for(&round.config);
            state.stands_until = now.checked_add(*stands_for).unwrap_or(Timestamp::MAX);
            state.counters.count_round(*status, reason, latest.duration);
            state.meet(&round.outcome, round.names_left_out, *now);
            state.recent.add(latest.at, state.stands_until, *status, latest.offset);
            state.latest = Some(latest.clone());
            state.drift = drift;
            state.found_within = Some(round.found_within);
            state.next_round = Some(round.next);
        });
        if let Some(before) = before.filter(|before| before != status) {
            let event = LogEvent::Status {
                check: round.config.name.clone(),
                before: before.name().to_owned(),
                status: status.name().to_owned(),
                reason: (*reason).to_owned(),
                summary: latest.summary.clone(),
            };
            self.log.write(*now, event);
        }
    }

    /// Tells of what happened to the monitor itself, and of what a status does not show.
    fn tell(&self, changes: &[Change]) {
        for change in changes {
            let summary = change.evidence.summary.clone();
            let event = match (&change.scope, change.kind) {
                (Scope::Monitor(part), ChangeKind::Opened | ChangeKind::Closed(_)) => {
                    let works = change.kind != ChangeKind::Opened;
                    LogEvent::Monitor { part: part.to_string(), works, summary }
                }
                (Scope::Check(check), ChangeKind::Grew | ChangeKind::Shrank | ChangeKind::Shifted) => {
                    LogEvent::Incident { check: check.clone(), change: "changed".to_owned(), summary }
                }
                (Scope::Check(check), ChangeKind::Flapping) => {
                    LogEvent::Incident { check: check.clone(), change: "flapping".to_owned(), summary }
                }
                (Scope::Check(check), ChangeKind::Closed(Ending::Removed | Ending::Moved)) => {
                    LogEvent::Incident { check: check.clone(), change: "closed".to_owned(), summary }
                }
                _ => continue,
            };
            self.log.write(change.at, event);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a result stands: the next round begins a period later, and takes some time.
pub(crate) fn stands_for(config: &CheckConfig) -> Duration {
    config.every + config.check.timeout() + Duration::from_secs(1)
}

#[cfg(test)]
mod tests;
