//! From decided messages to the worker that delivers them: they are stored with the state that decided them, then sent.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clock_offset::MonotonicInstant;
use jiff::Timestamp;
use nowcheck::clock::Clock;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use url::Url;

use crate::alerts::{Context, Delivery, DeliveryResult, Notice, Pending, Report, Setup, Store};
use crate::board::Board;
use crate::config::Config;
use crate::history::{History, OutboxMessage, Step};
use crate::incident::{ChangeKind, Ending, Message, Scope};
use crate::watched::WatchedChecks;

/// A receiver that takes no message for so long is a fault of the monitor. A restart of the receiver is none.
const FAULTY_AFTER: Duration = Duration::from_mins(1);

/// Hands messages to the worker.
#[derive(Debug)]
pub(crate) struct Dispatch {
    clock: Clock,
    monitor: String,
    configured: Mutex<Configured>,
    delivery: Delivery,
    /// Of each receiver that failed last, since when.
    failing: Mutex<BTreeMap<String, MonotonicInstant>>,
}

/// What messages say of the configuration.
#[derive(Debug)]
struct Configured {
    external_url: Option<Url>,
    /// The labels that checks had before. Those that are no longer watched end with them.
    labels_before: BTreeMap<String, BTreeMap<String, String>>,
}

impl Configured {
    fn new(config: &Config, before: &WatchedChecks) -> Self {
        let labels = before.iter().map(|(name, check)| (name.clone(), check.labels.clone()));
        Self { external_url: config.server.external_url.clone(), labels_before: labels.collect() }
    }
}

/// What a report says of a receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReceiverState {
    /// It took a message.
    Works,
    /// It did not, and may soon.
    Fails,
    /// It has taken none for long.
    IsFaulty,
}

impl Dispatch {
    /// Starts the worker on that runtime, with the messages that an earlier run left over. What becomes of messages is reported.
    pub(crate) fn start(
        on: &Handle,
        config: &Config,
        monitor: &str,
        (history, left_over): (&History, Vec<Pending>),
        clock: Clock,
    ) -> (Self, mpsc::UnboundedReceiver<Report>) {
        let (reports, reported) = mpsc::unbounded_channel();
        let setup = Setup {
            alerts: config.alerts.clone(),
            pending: left_over,
            store: Box::new(InHistory(history.clone())),
            reports,
        };
        let _inside = on.enter();
        let dispatch = Self {
            clock,
            monitor: monitor.to_owned(),
            configured: Mutex::new(Configured::new(config, &WatchedChecks::new())),
            delivery: Delivery::start(setup, clock),
            failing: Mutex::default(),
        };
        (dispatch, reported)
    }

    /// Messages go to the receivers of this configuration from now on, with its links. What was watched before is over, if
    /// the configuration has it no more.
    pub(crate) fn configure(&self, config: &Config, before: &WatchedChecks) {
        self.delivery.replace_receivers(config.alerts.clone());
        *self.configured() = Configured::new(config, before);
    }

    fn configured(&self) -> MutexGuard<'_, Configured> {
        self.configured.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is stored of these messages.
    pub(crate) fn written(&self, messages: &[Message], board: &Board, now: Timestamp) -> Vec<OutboxMessage> {
        let configured = self.configured();
        messages
            .iter()
            .map(|message| {
                let check = match &message.change.scope {
                    Scope::Check(name) => board.check(name),
                    Scope::Monitor(_) => None,
                };
                // The board no longer has the check that the message is about, or has another one of its name.
                let is_parting =
                    matches!(message.change.kind, ChangeKind::Closed(Ending::Removed | Ending::Moved));
                let labels = match &message.change.scope {
                    Scope::Check(name) if is_parting => configured.labels_before.get(name),
                    _ => check.as_ref().map(|check| &check.identity.labels),
                };
                let advice = match &message.change.scope {
                    Scope::Check(_) => {
                        check.as_ref().and_then(|check| check.latest.as_ref()?.advice.as_deref())
                    }
                    Scope::Monitor(part) => Some(part.advice()),
                };
                let context = Context {
                    monitor: &self.monitor,
                    external_url: configured.external_url.as_ref(),
                    labels,
                    advice,
                };
                let body = Notice::new(message, &context).to_json();
                stored(&Pending::new(&message.id, &message.receiver, body, now))
            })
            .collect()
    }

    /// Sends what is stored.
    pub(crate) fn send(&self, messages: &[OutboxMessage]) {
        for message in messages {
            if let Ok(pending) = serde_json::from_str::<Pending>(&message.body) {
                self.delivery.send(&pending.receiver, &pending.id, pending.body);
            }
        }
    }

    /// What a report says of its receiver.
    pub(crate) fn judge(&self, report: &Report) -> ReceiverState {
        let now = self.clock.now();
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(report.result, DeliveryResult::Delivered | DeliveryResult::DeliveredInPart { .. }) {
            failing.remove(&report.receiver);
            return ReceiverState::Works;
        }
        let since = *failing.entry(report.receiver.clone()).or_insert(now);
        if now.since(since) >= FAULTY_AFTER { ReceiverState::IsFaulty } else { ReceiverState::Fails }
    }
}

fn stored(pending: &Pending) -> OutboxMessage {
    OutboxMessage {
        id: pending.id.clone(),
        receiver: pending.receiver.clone(),
        // Texts, numbers and instants: nothing that JSON cannot hold.
        body: serde_json::to_string(pending).unwrap_or_default(),
        first_try: pending.first_try,
        next_try: pending.next_try,
        tries: pending.tries,
    }
}

/// Keeps messages in the history.
struct InHistory(History);

impl Store for InHistory {
    fn save(&mut self, message: &Pending) {
        self.0.commit(Step { messages: vec![stored(message)], ..Step::default() });
    }

    fn remove(&mut self, _receiver: &str, id: &str) {
        self.0.commit(Step { done: vec![id.to_owned()], ..Step::default() });
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::alerts::testing;
    use crate::board::Identity;
    use crate::config::System;
    use crate::history::testing::in_memory;
    use crate::incident::Event;

    fn config(more: &str) -> Config {
        let text = format!("[[check]]\nname = \"shop\"\nurl = \"http://shop.example\"\n{more}");
        Config::parse("a.toml", text.as_bytes(), Path::new(""), &System).unwrap()
    }

    fn dispatch(config: &Config) -> Dispatch {
        let (history, _) = in_memory();
        Dispatch::start(&Handle::current(), config, "here", (&history, Vec::new()), Clock::start()).0
    }

    /// The message as it is stored.
    fn notice(dispatch: &Dispatch, message: Message, board: &Board) -> Notice {
        let stored = dispatch.written(&[message], board, Timestamp::UNIX_EPOCH).remove(0);
        let pending: Pending = serde_json::from_str(&stored.body).unwrap();
        Notice::from_json(&pending.body).unwrap()
    }

    #[tokio::test]
    async fn links_lead_to_where_the_latest_configuration_says() {
        let dispatch = dispatch(&config(""));
        let link = || {
            let message = testing::message(Event::Opened, Scope::Check("shop".to_owned()));
            notice(&dispatch, message, &Board::default()).link
        };
        assert_eq!(link(), None);
        dispatch
            .configure(&config("[server]\nexternal_url = \"https://now.example/\"\n"), &WatchedChecks::new());
        assert_eq!(link().unwrap(), "https://now.example/incidents/1795878000-1");
    }

    #[tokio::test]
    async fn the_end_of_a_check_has_the_labels_that_it_had() {
        let before = config("labels = { team = \"web\" }\n");
        let dispatch = dispatch(&before);
        let board = Board::default();
        let watched: WatchedChecks =
            before.checks.iter().map(|check| (check.name.clone(), (&Identity::of(check)).into())).collect();
        let after = config("labels = { team = \"ops\" }\n");
        dispatch.configure(&after, &watched);
        board.watch_these(&after.checks, Timestamp::UNIX_EPOCH);
        let team = |kind| {
            let mut message = testing::message(Event::Closed, Scope::Check("shop".to_owned()));
            message.change.kind = ChangeKind::Closed(kind);
            notice(&dispatch, message, &board).labels.remove("team").unwrap()
        };
        assert_eq!(team(Ending::Moved), "web");
        assert_eq!(team(Ending::Removed), "web");
        assert_eq!(team(Ending::Recovered), "ops");
    }
}
