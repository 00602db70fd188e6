//! What every check is at the moment. One writer, many readers: nobody who reads delays a round.

mod backends;
mod counters;
mod recent;
#[cfg(test)]
pub(crate) mod testing;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use nowcheck::check::MOST_BACKENDS;
use nowcheck::outcome::{Outcome, Phases, TargetOutcome};
use tokio::sync::watch;

pub use backends::{BackendState, Unlisted};
pub use counters::{Counters, DURATION_LIMITS};
pub use recent::{RECENT, Recent};

use crate::config::CheckConfig;
use crate::drift::DriftBounds;
use crate::incident::{Observation, OffsetBounds, ServiceStatus};
use crate::status::CheckStatus;
use crate::timestamps;

/// What a check is about; it changes with the configuration only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The name of the check.
    pub name: String,
    /// The URL, without credentials.
    pub url: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The period of its rounds.
    pub every: Duration,
    /// How far the clock may be off.
    pub max_offset: Duration,
    /// Whether the status page shows it.
    pub is_public: bool,
}

impl Identity {
    /// What a check of the configuration is about.
    #[must_use]
    pub fn of(config: &CheckConfig) -> Self {
        let urls = config.check.targets().iter().map(ToString::to_string);
        Self {
            name: config.name.clone(),
            url: urls.collect::<Vec<_>>().join(" "),
            labels: config.labels.clone(),
            every: config.every,
            max_offset: config.check.limits().max_offset,
            is_public: config.is_public,
        }
    }
}

/// What the latest round of a check found.
#[derive(Debug, Clone, PartialEq)]
pub struct LatestRound {
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub duration: Duration,
    /// How much later than its slot it began.
    pub lateness: Duration,
    /// The verdict in one line.
    pub summary: String,
    /// What to do next, if there is anything.
    pub advice: Option<String>,
    /// Bounds on the offsets of all clocks that were compared with a reference.
    pub offset: Option<OffsetBounds>,
    /// The median round trip of a request.
    pub round_trip: Option<Duration>,
    /// How long each phase of the first request took.
    pub phases: Phases,
    /// When the first certificate of the service expires.
    pub certificate_expires_at: Option<Timestamp>,
    /// What the clocks were compared with, in words.
    pub reference: String,
    /// The bound on the error of what the clocks were compared with.
    pub reference_error: Option<Duration>,
    /// Requests that were begun.
    pub requests: u32,
    /// Why it was a full round, if it was.
    pub full_because: Option<&'static str>,
}

impl LatestRound {
    /// What an outcome says, in these words.
    #[must_use]
    pub fn of(
        outcome: &Outcome,
        words: nowcheck::report::Words<'_>,
        offset: Option<OffsetBounds>,
        lateness: Duration,
    ) -> Self {
        let worst = outcome.worst();
        let backends = || outcome.targets.iter().flat_map(TargetOutcome::backends);
        let certificates = outcome.targets.iter().filter_map(|target| target.certificate.as_ref());
        Self {
            at: timestamps::of(outcome.checked_at),
            duration: outcome.duration,
            lateness,
            summary: words.summary(outcome),
            advice: worst.and_then(|target| words.next_step(target, &outcome.limits)),
            offset,
            round_trip: backends().map(|backend| backend.round_trip.median).min(),
            phases: worst.map(|target| target.phases).unwrap_or_default(),
            certificate_expires_at: certificates
                .map(|certificate| timestamps::of(certificate.expires_at))
                .min(),
            reference: words.reference(&outcome.reference),
            reference_error: outcome.reference.max_error,
            requests: outcome.targets.iter().map(|target| target.requests).sum(),
            full_because: None,
        }
    }
}

/// What one check is.
#[derive(Debug, Clone)]
pub struct CheckState {
    /// What it is about.
    pub identity: Arc<Identity>,
    /// What it is; unknown before the first round.
    pub status: CheckStatus,
    /// Why, as the contract writes it.
    pub reason: String,
    /// Since when it is watched: counters begin there.
    pub watched_since: Timestamp,
    /// Since when it is that, as long as it stands.
    pub since: Timestamp,
    /// How long the result of a round stands; nothing before the first one.
    pub stands_for: Duration,
    /// Until when that stands if no round follows.
    pub stands_until: Timestamp,
    /// The latest round that was held.
    pub latest: Option<LatestRound>,
    /// The last hour.
    pub recent: Recent,
    /// The clocks that were met lately, by address and instance.
    pub backends: Vec<BackendState>,
    /// Why others that were met lately are not among them.
    pub unlisted: Option<Unlisted>,
    /// Bounds on the drift of those clocks, from the last day.
    pub drift: Option<DriftBounds>,
    /// Within what time a single faulty one of them is found, but for the probability that the check accepts.
    pub found_within: Option<Duration>,
    /// When the next round is due.
    pub next_round: Option<Timestamp>,
    /// What was counted since the monitor started.
    pub counters: Counters,
}

/// Why a check is unknown before its first round.
pub const NOT_CHECKED_YET: &str = "not_checked_yet";
/// Why it is unknown when its last result stands no more.
pub const OVERDUE: &str = "overdue";

impl CheckState {
    fn new(identity: Identity, now: Timestamp) -> Self {
        Self {
            identity: Arc::new(identity),
            status: CheckStatus::Unknown,
            reason: NOT_CHECKED_YET.to_owned(),
            watched_since: now,
            since: now,
            stands_for: Duration::ZERO,
            stands_until: Timestamp::MAX,
            latest: None,
            recent: Recent::default(),
            backends: Vec::new(),
            unlisted: None,
            drift: None,
            found_within: None,
            next_round: None,
            counters: Counters::default(),
        }
    }

    /// What a service is by one round that has just ended, of no check.
    pub(crate) fn of_round(outcome: &Outcome, now: Timestamp) -> Self {
        let mut outcome = outcome.clone();
        let names_left_out = outcome.forget_names_beyond(MOST_BACKENDS);
        let outcome = &outcome;
        let observation = Observation::from(outcome);
        let status = match observation.status() {
            ServiceStatus::Ok if observation.is_warning() => CheckStatus::Warning,
            other => other.into(),
        };
        let identity = Identity {
            name: String::new(),
            url: String::new(),
            labels: BTreeMap::new(),
            every: Duration::ZERO,
            max_offset: outcome.limits.max_offset,
            is_public: false,
        };
        let mut state = Self::new(identity, now);
        state.status = status;
        observation.reason().clone_into(&mut state.reason);
        state.meet(outcome, names_left_out, now);
        let words = crate::config::words();
        state.latest = Some(LatestRound::of(outcome, words, observation.offset(), Duration::ZERO));
        state
    }

    /// What it is at an instant: a result that stands no more says nothing.
    #[must_use]
    pub fn status_at(&self, now: Timestamp) -> CheckStatus {
        if now < self.stands_until { self.status } else { CheckStatus::Unknown }
    }

    /// Why it is that.
    #[must_use]
    pub fn reason_at(&self, now: Timestamp) -> &str {
        if now < self.stands_until { &self.reason } else { OVERDUE }
    }

    /// Since when it is that.
    #[must_use]
    pub fn since_at(&self, now: Timestamp) -> Timestamp {
        if now < self.stands_until { self.since } else { self.stands_until }
    }

    /// Bounds on the offset, as far as something is proven at that instant.
    #[must_use]
    pub fn offset_at(&self, now: Timestamp) -> Option<OffsetBounds> {
        self.latest.as_ref().filter(|_| now < self.stands_until)?.offset
    }
}

/// The current state of everything.
#[derive(Debug)]
pub struct Board {
    checks: RwLock<BTreeMap<String, Arc<CheckState>>>,
    changed: watch::Sender<u64>,
}

impl Default for Board {
    fn default() -> Self {
        Self { checks: RwLock::default(), changed: watch::Sender::new(0) }
    }
}

impl Board {
    /// All checks, by name.
    #[must_use]
    pub fn checks(&self) -> Vec<Arc<CheckState>> {
        self.read().values().cloned().collect()
    }

    /// One check.
    #[must_use]
    pub fn check(&self, name: &str) -> Option<Arc<CheckState>> {
        self.read().get(name).cloned()
    }

    /// Tells when something has changed: a number that grows.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// What is watched from now on. A check that was watched before, by the same URL, stays what it is.
    pub(crate) fn watch_these(&self, checks: &[CheckConfig], now: Timestamp) {
        let mut all = self.write();
        let mut before = std::mem::take(&mut *all);
        for config in checks {
            let identity = Identity::of(config);
            let known = before.get(&config.name).filter(|known| known.identity.url == identity.url);
            let state = match known.cloned() {
                Some(known) => {
                    before.remove(&config.name);
                    CheckState { identity: Arc::new(identity), ..(*known).clone() }
                }
                None => CheckState::new(identity, now),
            };
            all.insert(config.name.clone(), Arc::new(state));
        }
        drop(all);
        self.announce();
    }

    /// Changes one check, if it is watched still.
    pub(crate) fn update(&self, name: &str, change: impl FnOnce(&mut CheckState)) {
        if let Some(state) = self.write().get_mut(name) {
            change(Arc::make_mut(state));
        }
        self.announce();
    }

    fn announce(&self) {
        self.changed.send_modify(|version| *version = version.wrapping_add(1));
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<String, Arc<CheckState>>> {
        self.checks.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, BTreeMap<String, Arc<CheckState>>> {
        self.checks.write().unwrap_or_else(PoisonError::into_inner)
    }
}
