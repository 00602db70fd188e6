//! From messages to receivers: webhook, Slack, e-mail, Alertmanager, and programs.
//!
//! [`incident`](crate::incident) decides who gets which message and when. Here a message becomes a [`Notice`], which is
//! stored and sent as it is, and tried again until it is delivered or a day is over.
//!
//! | what | does |
//! |---|---|
//! | [`Notice`] | is what a message says: the JSON of the webhook, from which every other form follows |
//! | [`Outbox`] | **pure**: which message is tried when |
//! | [`Delivery`] | the worker that tries them; nobody waits for it |
//! | [`Transport`] | sends one message to one receiver, once |
//! | [`Fault`] | why that failed, and what to do. It never holds a secret |
//! | [`Heartbeat`] | pings a dead-man's switch while rounds are held |

mod alertmanager;
mod delivery;
mod email;
mod exec;
mod fault;
mod heartbeat;
mod notice;
mod outbox;
mod slack;
#[cfg(test)]
pub(crate) mod testing;
mod transport;
mod webhook;

use nowcheck::clock::Clock;

use crate::config::AlertConfig;

use crate::timestamps::now;
pub use delivery::{Delivery, DeliveryResult, Report, Setup, Store};
pub use fault::{Fault, ProgramFault, SmtpFault};
pub use heartbeat::Heartbeat;
pub use notice::{Context, Notice, NoticeEvent, OffsetSeconds};
pub use outbox::{Next, Outbox, Pending, Setback};
pub use transport::{Deferred, Transport};

/// Sends a test message, once. The sentence says what became of it.
///
/// # Errors
/// Why it could not be delivered, or not to all recipients, and what to do.
pub async fn test_message(alert: &AlertConfig, context: &Context<'_>, clock: Clock) -> Result<String, Fault> {
    let notice = Notice::test(&alert.name, context, now(clock));
    if let Some(left_out) = Transport::new(alert, clock).send(&notice.to_json(), Deferred::AreLeftOut).await?
    {
        return Err(left_out);
    }
    Ok(format!("{} took the test message {}", alert.name, notice.id))
}
