//! Other instances of this monitor, elsewhere: what they see, whose duty an alert is, and whether their references agree.
//!
//! Each instance asks the others ([`reader`]) for what they see and have heard ([`view`]), every two seconds and as soon as
//! an incident begins. So an instance knows of another one as long as there is any way between them ([`known`]). What
//! follows from all of it ([`state`]), [`duty`] and [`agreement`] decide.

mod agreement;
mod duty;
mod known;
mod reader;
mod state;
pub(crate) mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use clock_offset::MonotonicInstant;
use nowcheck::check::MOST_BACKENDS;
use nowcheck::clock::Clock;
use nowcheck::outcome::{Outcome, TargetOutcome};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

pub(crate) use agreement::Contradiction;
use known::When;
use state::{Bounds, State};
pub(crate) use state::{PeerNews, PeerStanding, SeenFrom};
pub(crate) use view::Kind;
use view::{Answer, CheckView};

use crate::config::{Config, PeerConfig};
use crate::figures::seconds;
use crate::incident::OffsetBounds;

/// All that is known of other instances.
#[derive(Debug)]
pub(crate) struct Peers {
    clock: Clock,
    name: String,
    on: Handle,
    /// Ask now.
    hurry: Arc<Notify>,
    state: Mutex<State>,
    /// Those who ask, by the name of the peer.
    readers: Mutex<BTreeMap<String, (PeerConfig, AbortHandle)>>,
}

impl Peers {
    /// Knows of nobody. Questions are asked on that runtime.
    pub(crate) fn new(clock: Clock, name: &str, on: Handle) -> Self {
        let mut random = [0; 8];
        // Without randomness two instances may have the same id, which only matters if they have the same name, too.
        let _ = SystemRandom::new().fill(&mut random);
        let id = format!("{:016x}", u64::from_be_bytes(random));
        Self {
            clock,
            name: name.to_owned(),
            on,
            hurry: Arc::default(),
            state: Mutex::new(State::new(id, name)),
            readers: Mutex::default(),
        }
    }

    /// Asks these from now on, and no others.
    pub(crate) fn configure(self: &Arc<Self>, config: &Config) {
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.lock();
        state.quorum = config.quorum_down;
        state.watches(|name| config.checks.iter().any(|check| check.name == name));
        readers.retain(|name, (known, task)| {
            let stays = config.peers.contains(known);
            if !stays {
                task.abort();
                state.asks_no_more(name);
            }
            stays
        });
        for peer in &config.peers {
            if readers.contains_key(&peer.name) {
                continue;
            }
            state.begins_to_ask(&peer.name, self.clock.now());
            let (peers, name) = (Arc::clone(self), peer.name.clone());
            let answered = move |begun, result| peers.answered(&name, begun, result);
            let reading = reader::read_for_ever(peer.clone(), self.clock, Arc::clone(&self.hurry), answered);
            let task = self.on.spawn(reading).abort_handle();
            readers.insert(peer.name.clone(), (peer.clone(), task));
        }
    }

    /// Whether no peer is configured.
    pub(crate) fn is_alone(&self) -> bool {
        self.lock().is_alone()
    }

    /// The id of this run of the instance: sixteen hexadecimal digits.
    pub(crate) fn id(&self) -> String {
        self.lock().id().to_owned()
    }

    /// The name of this instance.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Takes what a round of this instance found.
    pub(crate) fn round_held(&self, check: &str, outcome: &Outcome) {
        let ended = self.clock.now();
        let began = When::at(ended).earlier(outcome.duration.as_secs_f64()).earliest;
        let mut state = self.lock();
        if state.is_alone() && !state.is_read {
            return;
        }
        let backends = outcome
            .targets
            .iter()
            // An offset from a clock that nothing vouches for says nothing that others could contradict.
            .filter(|_| outcome.reference.max_error.is_some())
            .flat_map(TargetOutcome::backends)
            .filter_map(|backend| {
                let OffsetBounds { lower, upper } = backend.offset.into();
                let backend = backend.instance.as_deref()?.to_owned();
                Some(Bounds { backend, lower: seconds(lower), upper: seconds(upper) })
            });
        // A name is free text of the service.
        let backends = backends.take(MOST_BACKENDS).collect();
        state.round_held(check, When { earliest: began, latest: ended }, backends);
    }

    /// What this instance tells others, with what it says of its checks and its receivers.
    pub(crate) fn answer(&self, checks: BTreeMap<String, CheckView>, receivers: BTreeSet<String>) -> Answer {
        let mut state = self.lock();
        state.is_read = true;
        state.answer(checks, receivers, self.clock.now())
    }

    /// Takes note of an open incident of a check, and how the service fails.
    pub(crate) fn sees_trouble(&self, check: &str, incident: &str, kinds: BTreeSet<Kind>) {
        if self.lock().sees_trouble(check, incident, kinds, self.clock.now()) {
            self.hurry.notify_waiters();
        }
    }

    /// Takes note of the checks that have no open incident any more.
    pub(crate) fn sees_trouble_only_of(&self, is_open: impl Fn(&str) -> bool) {
        self.lock().sees_trouble_only_of(is_open);
    }

    /// The receivers, of these, that this instance must not alert of the incident of a check at the moment.
    pub(crate) fn keeps_from_alerting<'a>(
        &self,
        check: &str,
        receivers: impl Iterator<Item = &'a str>,
    ) -> BTreeSet<String> {
        self.lock().keeps_from_alerting(check, receivers, self.clock.now())
    }

    /// Whether too few instances see that a service is down for it to be alerted; if so, how many there must be.
    pub(crate) fn needs_more_for_down(&self, check: &str) -> Option<u32> {
        self.lock().needs_more_for_down(check, self.clock.now())
    }

    /// Each peer, by its name.
    pub(crate) fn standings(&self) -> Vec<PeerStanding> {
        self.lock().standings(self.clock.now())
    }

    /// How the others see a check, by their names.
    pub(crate) fn views_of(&self, check: &str) -> Vec<SeenFrom> {
        self.lock().views_of(check, self.clock.now())
    }

    /// Whether references contradict each other.
    pub(crate) fn contradiction(&self) -> Option<Contradiction> {
        self.lock().contradiction(self.clock.now())
    }

    /// What this instance has to tell people about the others.
    pub(crate) fn news(&self) -> Vec<PeerNews> {
        self.lock().news(self.clock.now())
    }

    /// Takes an answer, or why there is none, to a question that was begun at that instant.
    fn answered(&self, peer: &str, begun: MonotonicInstant, result: Result<Answer, String>) {
        let told = When { earliest: begun, latest: self.clock.now() };
        self.lock().answered(peer, told, result);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
