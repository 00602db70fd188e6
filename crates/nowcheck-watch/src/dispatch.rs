//! From decided messages to the worker that delivers them: they are stored with the state that decided them, then sent.

use std::sync::Mutex;

use clock_offset::MonotonicInstant;
use jiff::Timestamp;
use nowcheck::clock::Clock;
use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use url::Url;

use crate::alerts::{Context, Delivery, DeliveryResult, Notice, Pending, Report, Setup, Store};
use crate::board::Board;
use crate::config::{AlertConfig, Config};
use crate::history::{History, OutboxMessage, Step};
use crate::incident::{Message, Scope};

/// A receiver that takes no message for so long is a fault of the monitor. A restart of the receiver is none.
const FAULTY_AFTER: Duration = Duration::from_mins(1);

/// Hands messages to the worker.
#[derive(Debug)]
pub(crate) struct Dispatch {
    clock: Clock,
    monitor: String,
    external_url: Option<Url>,
    delivery: Delivery,
    /// Of each receiver that failed last, since when.
    failing: Mutex<BTreeMap<String, MonotonicInstant>>,
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
    /// Starts the worker on that runtime, with what an earlier run left over. What becomes of messages is reported.
    pub(crate) fn start(
        on: &Handle,
        config: &Config,
        monitor: &str,
        (history, left_over): (&History, &[OutboxMessage]),
        clock: Clock,
    ) -> (Self, mpsc::UnboundedReceiver<Report>) {
        let (reports, reported) = mpsc::unbounded_channel();
        let pending = left_over.iter().filter_map(|message| serde_json::from_str(&message.body).ok());
        let setup = Setup {
            alerts: config.alerts.clone(),
            pending: pending.collect(),
            store: Box::new(InHistory(history.clone())),
            reports,
        };
        let _inside = on.enter();
        let dispatch = Self {
            clock,
            monitor: monitor.to_owned(),
            external_url: config.server.external_url.clone(),
            delivery: Delivery::start(setup, clock),
            failing: Mutex::default(),
        };
        (dispatch, reported)
    }

    /// The receivers of a configuration that was read again.
    pub(crate) fn replace_receivers(&self, alerts: Vec<AlertConfig>) {
        self.delivery.replace_receivers(alerts);
    }

    /// What is stored of these messages.
    pub(crate) fn written(&self, messages: &[Message], board: &Board, now: Timestamp) -> Vec<OutboxMessage> {
        messages
            .iter()
            .map(|message| {
                let check = match &message.change.scope {
                    Scope::Check(name) => board.check(name),
                    Scope::Monitor(_) => None,
                };
                let advice = match &message.change.scope {
                    Scope::Check(_) => {
                        check.as_ref().and_then(|check| check.latest.as_ref()?.advice.as_deref())
                    }
                    Scope::Monitor(part) => Some(part.advice()),
                };
                let context = Context {
                    monitor: &self.monitor,
                    external_url: self.external_url.as_ref(),
                    labels: check.as_ref().map(|check| &check.identity.labels),
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
        if report.result == DeliveryResult::Delivered {
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
