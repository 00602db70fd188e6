//! Asks one peer again and again what it sees.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clock_offset::MonotonicInstant;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Method};
use nowcheck::clock::Clock;
use nowcheck::probe::tls::Trust;
use nowcheck::text::figures;
use tokio::sync::Notify;

use super::view::{Answer, SCHEMA_VERSION};
use crate::config::{PeerConfig, Secret};
use crate::http_client::{Client, HttpFault, Message};

/// How often a peer is asked, if there is no hurry.
const EVERY: Duration = Duration::from_secs(2);

/// The least time between two questions.
const LEAST: Duration = Duration::from_millis(200);

/// The most that an answer may take.
const LONGEST: Duration = Duration::from_secs(3);

/// The most that is read of an answer: thousands of checks, as several instances see them.
const MOST_OF_A_BODY: usize = 32 * 1024 * 1024;

/// Asks until it is aborted, at once when somebody hurries. `answered` is given when each question was begun, and the answer
/// or why there is none.
pub(super) async fn read_for_ever(
    peer: PeerConfig,
    clock: Clock,
    hurry: Arc<Notify>,
    answered: impl Fn(MonotonicInstant, Result<Answer, String>),
) {
    let url = Secret::new(peer.url.as_str());
    let client = Client::with_trust(&url, Trust::of_this_machine(), clock)
        .map(|client| client.below(&["api", "v1", "instance"]));
    loop {
        // Whoever hurries while a question is under way wants one that begins later.
        let hurried = hurry.notified();
        tokio::pin!(hurried);
        hurried.as_mut().enable();
        let begun = clock.now();
        let result = match &client {
            Ok(client) => ask(client, peer.token.as_ref()).await,
            Err(fault) => Err(fault.to_string()),
        };
        answered(begun, result);
        tokio::time::sleep(LEAST).await;
        let _ = tokio::time::timeout(EVERY.saturating_sub(LEAST), hurried).await;
    }
}

async fn ask(client: &Client, token: Option<&Secret>) -> Result<Answer, String> {
    let mut headers = HeaderMap::new();
    if let Some(token) = token {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
            .map_err(|_| "its token has characters that no header may have".to_owned())?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    let question = Message { method: Method::GET, headers, body: Bytes::new() };
    let body = client.ask(question, LONGEST, MOST_OF_A_BODY).await.map_err(|fault| in_words(&fault))?;
    let answer: Answer = serde_json::from_slice(&body)
        .map_err(|_| "what answers there is no nowcheck watch of this version".to_owned())?;
    if answer.schema_version != SCHEMA_VERSION {
        return Err("it is of another version of nowcheck".to_owned());
    }
    Ok(answer)
}

fn in_words(fault: &HttpFault) -> String {
    match fault {
        HttpFault::Status { status, .. } if status.as_u16() == 401 => {
            "it does not know the token; both sides need the same one".to_owned()
        }
        HttpFault::Connection(why) => why.clone(),
        HttpFault::Silent(longest) => format!("no answer within {}", figures::limit(*longest)),
        other => other.to_string(),
    }
}
