//! `/events`: what happens, as it happens (server-sent events, section 9.2 of the HTML standard).
//!
//! | event | when |
//! |---|---|
//! | `change` | a check is something else than before |
//! | `round` | a round of a check was held |
//! | `checks` | other checks are watched |
//! | `ping` | at the beginning, and when nothing was sent for ten seconds |
//!
//! Each stream compares the board with what it has told, so a client that reads slowly misses rounds but no change, and
//! holds up nobody.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use http_body_util::channel::{Channel, Sender};
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Served;
use super::connections::Working;
use super::respond::{Reply, events, problem};
use crate::board::CheckState;
use crate::figures::seconds;
use crate::incident::OffsetBounds;
use crate::status::CheckStatus;
use crate::timestamps;

/// Streams that are open at the same time, at most.
const MOST_STREAMS: usize = 128;

/// What happens within this time is told together.
const GATHERED: Duration = Duration::from_millis(100);

/// A result that stands no more changes a check without a round.
const LOOKED_EVERY: Duration = Duration::from_secs(1);

/// So often something is sent, so that both ends notice that the other one is gone.
const SENT_EVERY: u32 = 10;

/// That both ends are there, and nothing between them keeps events back. Scripts do not see comments.
const PING: &str = "event: ping\ndata: {}\n\n";

/// A client that does not read for so long has to connect again.
const SENT_WITHIN: Duration = Duration::from_secs(30);

/// How many streams there may be.
#[derive(Debug, Clone)]
pub(crate) struct Streams(Arc<Semaphore>);

impl Default for Streams {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST_STREAMS)))
    }
}

impl Streams {
    /// At most half of so many connections: the rest is for pages.
    pub(crate) fn among(connections: usize) -> Self {
        Self(Arc::new(Semaphore::new(MOST_STREAMS.min(connections / 2))))
    }
}

/// An event of a check.
#[derive(Debug, Serialize)]
struct Event<'a> {
    check: &'a str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<&'static str>,
    reason: &'a str,
    since: Timestamp,
    at: Option<Timestamp>,
    next_round: Option<Timestamp>,
    offset: Option<Bounds>,
}

#[derive(Debug, Serialize)]
struct Bounds {
    lower: f64,
    upper: f64,
}

impl From<OffsetBounds> for Bounds {
    fn from(bounds: OffsetBounds) -> Self {
        Self { lower: seconds(bounds.lower), upper: seconds(bounds.upper) }
    }
}

/// Tells what happens from now on, of one check or of all. The connection is at work as long as it is told.
pub(super) fn stream(served: &Arc<Served>, check: Option<&str>, working: Working) -> Reply {
    let Ok(place) = Arc::clone(&served.streams.0).try_acquire_owned() else {
        let mut reply = problem(StatusCode::SERVICE_UNAVAILABLE, "too many clients follow the events");
        reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("10"));
        return reply;
    };
    let (sender, body) = Channel::new(1);
    tokio::spawn(follow(Arc::clone(served), check.map(str::to_owned), sender, (place, working)));
    events(body)
}

/// What was told of a check last.
type Told = HashMap<String, (CheckStatus, Option<Timestamp>)>;

async fn follow(
    served: Arc<Served>,
    only: Option<String>,
    mut sender: Sender<Bytes>,
    _places: (OwnedSemaphorePermit, Working),
) {
    let mut changed = served.board.subscribe();
    let mut second = tokio::time::interval(LOOKED_EVERY);
    let mut told = Told::new();
    compare(&checks(&served, only.as_deref()), timestamps::now(served.clock), &mut told);
    let mut text = format!("retry: 1000\n\n{PING}");
    let mut silent = 0;
    loop {
        if !text.is_empty() {
            silent = 0;
            let sent = sender.send_data(std::mem::take(&mut text).into());
            // The client is gone, or does not read.
            if !matches!(tokio::time::timeout(SENT_WITHIN, sent).await, Ok(Ok(()))) {
                return;
            }
        }
        tokio::select! {
            changed = changed.changed() => if changed.is_err() { return },
            _ = second.tick() => silent += 1,
        }
        tokio::time::sleep(GATHERED).await;
        changed.mark_unchanged();
        text = compare(&checks(&served, only.as_deref()), timestamps::now(served.clock), &mut told);
        if text.is_empty() && silent >= SENT_EVERY {
            PING.clone_into(&mut text);
        }
    }
}

fn checks(served: &Served, only: Option<&str>) -> Vec<Arc<CheckState>> {
    match only {
        Some(name) => served.board.check(name).into_iter().collect(),
        None => served.board.checks(),
    }
}

/// The events from what was told to what is.
fn compare(checks: &[Arc<CheckState>], now: Timestamp, told: &mut Told) -> String {
    let mut text = String::new();
    let mut is_other = checks.len() != told.len();
    for check in checks {
        let (status, at) = (check.status_at(now), check.latest.as_ref().map(|latest| latest.at));
        match told.get_mut(&check.identity.name) {
            None => {
                told.insert(check.identity.name.clone(), (status, at));
                is_other = true;
            }
            Some(before) if *before == (status, at) => {}
            Some(before) => {
                let was = before.0;
                *before = (status, at);
                if was == status {
                    push(&mut text, "round", &event(check, now, None));
                } else {
                    push(&mut text, "change", &event(check, now, Some(was)));
                }
            }
        }
    }
    if is_other {
        told.retain(|name, _| checks.iter().any(|check| check.identity.name == *name));
        text.push_str("event: checks\ndata: {}\n\n");
    }
    text
}

fn event(check: &CheckState, now: Timestamp, before: Option<CheckStatus>) -> Event<'_> {
    Event {
        check: &check.identity.name,
        status: check.status_at(now).name(),
        before: before.map(CheckStatus::name),
        reason: check.reason_at(now),
        since: check.since_at(now),
        at: check.latest.as_ref().map(|latest| latest.at),
        next_round: check.next_round,
        offset: check.offset_at(now).map(Bounds::from),
    }
}

/// JSON has no line break, which would end the data.
fn push(text: &mut String, name: &str, event: &Event<'_>) {
    if let Ok(data) = serde_json::to_string(event) {
        for part in ["event: ", name, "\ndata: ", &data, "\n\n"] {
            text.push_str(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::testing::ok_until;

    #[test]
    fn the_end_of_a_result_is_told_with_its_instant_and_without_an_offset() {
        let end = Timestamp::from_second(60).unwrap();
        let states = [ok_until(end)];
        let mut told = Told::new();
        compare(&states, Timestamp::from_second(59).unwrap(), &mut told);
        let text = compare(&states, Timestamp::from_second(75).unwrap(), &mut told);
        let data = text.strip_prefix("event: change\ndata: ").unwrap();
        let event: serde_json::Value = serde_json::from_str(data).unwrap();
        assert_eq!((&event["before"], &event["status"]), (&"ok".into(), &"unknown".into()));
        assert_eq!((&event["since"], &event["offset"]), (&"1970-01-01T00:01:00Z".into(), &().into()));
    }

    #[test]
    fn a_name_or_a_reason_cannot_end_an_event_or_begin_another_one() {
        let hostile = "a\n\nevent: change\ndata: {}\r\u{2028}";
        let event = Event {
            check: hostile,
            status: "ok",
            before: None,
            reason: hostile,
            since: Timestamp::UNIX_EPOCH,
            at: None,
            next_round: None,
            offset: None,
        };
        let mut text = String::new();
        push(&mut text, "round", &event);
        let lines: Vec<&str> = text.split(['\n', '\r']).collect();
        let [name, data, "", ""] = lines[..] else { panic!("{lines:?}") };
        assert_eq!(name, "event: round");
        let read: serde_json::Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(read["check"], hostile);
    }
}
