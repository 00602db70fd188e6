//! The worker that delivers messages. Nobody waits for it: what it is given goes through a channel without a limit, and
//! what became of it comes back through another one.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use nowcheck::clock::Clock;
use tokio::sync::mpsc;
use tokio::task::{Id, JoinHandle, JoinSet};
use tokio::time::sleep;

use super::fault::Fault;
use super::outbox::{Next, Outbox, Pending};
use super::transport::{Deferred, Transport};
use crate::config::AlertConfig;
use crate::timestamps::{WallSteps, elapsed};

/// The longest sleep: a wall clock that is stepped, or a machine that was suspended, is noticed by then.
const LONGEST_SLEEP: Duration = Duration::from_mins(1);
/// How long all recipients of an e-mail wait for those that the server defers. Greylisting mostly ends after five minutes.
const DEFERRED_FOR: Duration = Duration::from_mins(6);

/// Where messages are kept over restarts. The calls must return at once: write behind a queue.
pub trait Store: Send {
    /// A message is new, or changed.
    fn save(&mut self, message: &Pending);
    /// A message is delivered or given up.
    fn remove(&mut self, receiver: &str, id: &str);
}

/// What became of a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryResult {
    /// The receiver took it.
    Delivered,
    /// It took it, but not for all recipients. Another try would reach the others again.
    DeliveredInPart {
        /// Why, and what to do.
        fault: Fault,
    },
    /// It did not.
    Failed {
        /// Why, and what to do.
        fault: Fault,
        /// When it is tried again.
        will_retry_at: Timestamp,
    },
    /// It is not tried any more.
    GaveUp {
        /// Why, and what to do.
        fault: Fault,
    },
}

impl DeliveryResult {
    /// All values of the label `result`.
    pub const NAMES: [&str; 3] = ["delivered", "failed", "gave_up"];

    /// The value of the label `result`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Delivered | Self::DeliveredInPart { .. } => "delivered",
            Self::Failed { .. } => "failed",
            Self::GaveUp { .. } => "gave_up",
        }
    }
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Whose it is.
    pub receiver: String,
    /// Its name.
    pub id: String,
    /// What became of it.
    pub result: DeliveryResult,
}

/// What the worker begins with.
pub struct Setup {
    /// All receivers.
    pub alerts: Vec<AlertConfig>,
    /// What an earlier run stored.
    pub pending: Vec<Pending>,
    /// Where messages are kept.
    pub store: Box<dyn Store>,
    /// Who hears what became of messages. It may be gone.
    pub reports: mpsc::UnboundedSender<Report>,
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup")
            .field("alerts", &self.alerts)
            .field("pending", &self.pending)
            .finish_non_exhaustive()
    }
}

enum Command {
    Send { receiver: String, id: String, body: String },
    Receivers(Vec<AlertConfig>),
}

/// The worker. It ends when this is dropped; what is not delivered then stays in the store.
#[derive(Debug)]
pub struct Delivery {
    commands: mpsc::UnboundedSender<Command>,
    task: JoinHandle<()>,
}

impl Delivery {
    /// Starts it on the current runtime.
    #[must_use]
    pub fn start(setup: Setup, clock: Clock) -> Self {
        let (commands, received) = mpsc::unbounded_channel();
        Self { commands, task: tokio::spawn(Worker::new(setup, clock).run(received)) }
    }

    /// Delivers a [`Notice`](super::Notice) as JSON. Returns at once.
    pub fn send(&self, receiver: &str, id: &str, body: String) {
        let (receiver, id) = (receiver.to_owned(), id.to_owned());
        // The worker ends only with this.
        let _ = self.commands.send(Command::Send { receiver, id, body });
    }

    /// The receivers of a configuration that was read again. What is for others is dropped.
    pub fn replace_receivers(&self, alerts: Vec<AlertConfig>) {
        let _ = self.commands.send(Command::Receivers(alerts));
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn transports(alerts: &[AlertConfig], clock: Clock) -> BTreeMap<String, Arc<Transport>> {
    alerts.iter().map(|alert| (alert.name.clone(), Arc::new(Transport::new(alert, clock)))).collect()
}

struct Worker {
    transports: BTreeMap<String, Arc<Transport>>,
    outbox: Outbox,
    store: Box<dyn Store>,
    reports: mpsc::UnboundedSender<Report>,
    clock: Clock,
    steps: WallSteps,
    tries: JoinSet<Result<Option<Fault>, Fault>>,
    /// The message of each try: receiver and name.
    names: BTreeMap<Id, (String, String)>,
}

impl Worker {
    fn new(setup: Setup, clock: Clock) -> Self {
        Self {
            transports: transports(&setup.alerts, clock),
            outbox: Outbox::new(setup.pending),
            store: setup.store,
            reports: setup.reports,
            clock,
            steps: WallSteps::start(clock),
            tries: JoinSet::new(),
            names: BTreeMap::new(),
        }
    }

    async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>) {
        loop {
            self.begin_tries();
            let pause = self.pause();
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => self.obey(command),
                    None => return,
                },
                Some(ended) = self.tries.join_next_with_id() => match ended {
                    Ok((id, result)) => self.ended(id, result),
                    Err(error) => self.ended(error.id(), Err(Fault::Damaged)),
                },
                () = sleep(pause) => {}
            }
        }
    }

    /// The wall clock. When it was stepped, as by NTP on a machine that has no clock of its own, no message is older by that.
    fn now(&mut self) -> Timestamp {
        let (now, step) = self.steps.look(self.clock);
        if let Some(step) = step {
            self.outbox.wall_clock_was_stepped(step);
            for message in self.outbox.pending() {
                self.store.save(message);
            }
        }
        now
    }

    fn begin_tries(&mut self) {
        let now = self.now();
        for message in self.outbox.without_receiver(|name| self.transports.contains_key(name)) {
            self.give_up(&message, Fault::NoReceiver);
        }
        for message in self.outbox.expired(now) {
            self.give_up(&message, Fault::TooOld);
        }
        for message in self.outbox.start(now) {
            let Some(transport) = self.transports.get(&message.receiver).map(Arc::clone) else { continue };
            let deferred = if elapsed(message.first_try, now) < DEFERRED_FOR {
                Deferred::Wait
            } else {
                Deferred::AreLeftOut
            };
            let body = message.body;
            let handle = self.tries.spawn(async move { transport.send(&body, deferred).await });
            self.names.insert(handle.id(), (message.receiver, message.id));
        }
    }

    fn pause(&mut self) -> Duration {
        let now = self.now();
        let next = self.outbox.next_try().unwrap_or(Timestamp::MAX);
        elapsed(now, next).min(LONGEST_SLEEP)
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Send { receiver, id, body } => {
                let message = Pending::new(&id, &receiver, body, self.now());
                self.store.save(&message);
                for superseded in self.outbox.add(message) {
                    self.store.remove(&superseded.receiver, &superseded.id);
                }
            }
            Command::Receivers(alerts) => self.transports = transports(&alerts, self.clock),
        }
    }

    fn ended(&mut self, try_id: Id, result: Result<Option<Fault>, Fault>) {
        let Some((receiver, id)) = self.names.remove(&try_id) else { return };
        let now = self.now();
        let result = match result {
            Ok(left_out) => {
                let transport = self.transports.get(&receiver);
                let body = self.outbox.get(&receiver, &id).map(|message| message.body.as_str());
                let again = transport.zip(body).and_then(|(transport, body)| transport.again_after(body));
                self.outbox.delivered(&receiver, &id, again, now);
                left_out.map_or(DeliveryResult::Delivered, |fault| DeliveryResult::DeliveredInPart { fault })
            }
            Err(fault) => match self.outbox.failed(&receiver, &id, fault.setback(), now) {
                Next::Retry(will_retry_at) => DeliveryResult::Failed { fault, will_retry_at },
                Next::GaveUp => DeliveryResult::GaveUp { fault },
            },
        };
        match self.outbox.get(&receiver, &id) {
            Some(message) => self.store.save(message),
            None => self.store.remove(&receiver, &id),
        }
        self.report(receiver, id, result);
    }

    fn give_up(&mut self, message: &Pending, fault: Fault) {
        self.store.remove(&message.receiver, &message.id);
        self.report(message.receiver.clone(), message.id.clone(), DeliveryResult::GaveUp { fault });
    }

    fn report(&self, receiver: String, id: String, result: DeliveryResult) {
        // Who does not listen does not want to know.
        let _ = self.reports.send(Report { receiver, id, result });
    }
}

#[cfg(test)]
mod tests;
