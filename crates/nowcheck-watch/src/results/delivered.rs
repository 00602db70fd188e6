//! What becomes of messages: how many met which result, and whether a receiver is at fault.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Change, LogEvent, MonitorPart, Results, State, timestamps};
use crate::alerts::{DeliveryResult, Report};
use crate::dispatch::ReceiverState;

impl Results {
    /// What became of a message.
    pub(crate) fn delivered(&self, report: &Report) {
        let now = timestamps::now(self.clock);
        let mut state = self.lock();
        *state.sent.entry((report.receiver.clone(), report.result.name())).or_default() += 1;
        let judged = self.dispatch.judge(report);
        if judged == ReceiverState::Works {
            state.delivering.insert(report.receiver.clone());
        } else {
            state.delivering.remove(&report.receiver);
        }
        let part = MonitorPart::Receiver(report.receiver.clone());
        let problem = match &report.result {
            DeliveryResult::Delivered => None,
            DeliveryResult::DeliveredInPart { fault } => {
                Some(format!("delivered, but not to all recipients: {fault}"))
            }
            DeliveryResult::Failed { fault, will_retry_at } => {
                Some(format!("not delivered, tried again at {will_retry_at:.0}: {fault}"))
            }
            DeliveryResult::GaveUp { fault } => Some(format!("not delivered, given up: {fault}")),
        };
        let name = &report.receiver;
        let is_used = state.policy.receivers.iter().any(|receiver| receiver.name == *name);
        let changes = match (judged, &problem) {
            // What was left over for one that was taken out of the file.
            _ if !is_used => Vec::new(),
            (ReceiverState::Works, _) => state.incidents.report_working(&part, &takes_messages(name), now),
            (ReceiverState::IsFaulty, Some(problem)) => {
                state.incidents.report_fault(&part, &format!("the alert {name} was {problem}"), now)
            }
            (ReceiverState::IsFaulty | ReceiverState::Fails, _) => Vec::new(),
        };
        self.settle(state, &changes, now);
        if let Some(problem) = problem {
            self.log.write(now, LogEvent::AlertFailed { alert: report.receiver.clone(), problem });
        }
    }

    /// How many messages met which result, by receiver and result.
    pub(crate) fn messages_sent(&self) -> BTreeMap<(String, &'static str), u64> {
        self.lock().sent.clone()
    }
}

impl State {
    /// Says of the receivers that took their last message that they work, until one fails. Messages are too rare to end an
    /// incident that is flapping: each would prove a minute of calm.
    pub(super) fn report_receivers(&mut self, now: Timestamp) -> Vec<Change> {
        let Self { incidents, delivering, .. } = self;
        let working =
            delivering.iter().map(|name| (MonitorPart::Receiver(name.clone()), takes_messages(name)));
        working.flat_map(|(part, summary)| incidents.report_working(&part, &summary, now)).collect()
    }
}

fn takes_messages(receiver: &str) -> String {
    format!("the alert {receiver} takes messages")
}
