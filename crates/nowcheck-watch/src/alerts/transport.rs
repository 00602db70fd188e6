//! One message to one receiver, once.

use std::sync::Arc;
use std::time::Duration;

use nowcheck::clock::Clock;

use super::alertmanager;
use super::email;
use super::exec;
use super::fault::Fault;
use super::notice::{Notice, NoticeEvent};
use super::slack;
use super::webhook;
use crate::config::{AlertConfig, Email, KnownSecrets, Receiver, Secret};
use crate::http_client::Client;
use crate::timestamps::now;

/// How messages reach a receiver.
#[derive(Debug, Clone)]
pub struct Transport {
    way: Way,
    timeout: Duration,
    clock: Clock,
}

#[derive(Debug, Clone)]
enum Way {
    Webhook(Client, Option<Secret>),
    Slack(Client),
    Alertmanager(Client),
    Email(Email),
    Exec(Vec<String>, Arc<KnownSecrets>),
    /// A setting cannot be used, although it was validated.
    Unusable(Fault),
}

/// What becomes of an e-mail if the server defers a recipient (a reply of 4xx to RCPT, as for greylisting). Rejected ones are
/// left out in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deferred {
    /// All wait: nobody gets it yet.
    Wait,
    /// The others get it.
    AreLeftOut,
}

impl Transport {
    /// The way to the receiver of an alert.
    #[must_use]
    pub fn new(alert: &AlertConfig, clock: Clock) -> Self {
        let way = match &alert.receiver {
            Receiver::Webhook { hook, secret } => {
                Client::new(hook, clock).map(|client| Way::Webhook(client, secret.clone()))
            }
            Receiver::Slack(hook) => Client::new(hook, clock).map(Way::Slack),
            Receiver::Alertmanager(hook) => Client::new(hook, clock)
                .map(|client| Way::Alertmanager(client.below(&["api", "v2", "alerts"]))),
            Receiver::Email(email) => Ok(Way::Email(email.clone())),
            Receiver::Exec { command, secrets } => Ok(Way::Exec(command.clone(), Arc::clone(secrets))),
        };
        Self { way: way.unwrap_or_else(|fault| Way::Unusable(fault.into())), timeout: alert.timeout, clock }
    }

    /// Sends a [`Notice`] as JSON, within the time limit of the alert. It may be delivered, and be left out for some recipients:
    /// then this is why.
    ///
    /// # Errors
    /// Why it was not delivered, and what to do.
    pub async fn send(&self, body: &str, deferred: Deferred) -> Result<Option<Fault>, Fault> {
        let notice = Notice::from_json(body).map_err(|_| Fault::Damaged)?;
        let now = now(self.clock);
        match &self.way {
            Way::Webhook(client, secret) => {
                let request = webhook::request(body, secret.as_ref(), now.as_second());
                client.send(request, self.timeout).await?;
            }
            Way::Slack(client) => client.send(slack::request(&notice), self.timeout).await?,
            Way::Alertmanager(client) => {
                client.send(alertmanager::request(&notice, now), self.timeout).await?;
            }
            Way::Email(settings) => return email::send(settings, &notice, self.timeout, deferred).await,
            Way::Exec(command, secrets) => {
                exec::run((command, secrets), &notice, body, self.timeout).await?;
            }
            Way::Unusable(fault) => return Err(fault.clone()),
        }
        Ok(None)
    }

    /// After how long the message has to be sent again although it was delivered.
    #[must_use]
    pub fn again_after(&self, body: &str) -> Option<Duration> {
        let Way::Alertmanager(_) = &self.way else { return None };
        let event = Notice::from_json(body).ok()?.event;
        (!matches!(event, NoticeEvent::Closed | NoticeEvent::Test)).then_some(alertmanager::AGAIN_AFTER)
    }
}
