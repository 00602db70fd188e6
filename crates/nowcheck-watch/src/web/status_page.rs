//! The status page: what everybody may see of public checks, on a listener and a thread of its own.
//!
//! Everything is made beforehand, when it changes and every ten seconds. A request only copies bytes: however many come,
//! they read neither the board nor the history, and delay no round.

mod assets;
mod content;
mod feed;
mod page;
mod published;
mod sight;
mod strip;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::Timestamp;
use nowcheck::clock::Clock;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::runtime::Handle;

use super::conditional::is_known;
use super::connections::Connections;
use super::stalled::UnlessStalled;
use crate::board::Board;
use crate::history::Step;
use crate::results::Results;
use crate::timestamps::{self, elapsed};
use content::{Content, Resource};
use feed::FeedName;
use sight::{Sight, Signs};

/// The name under which the history keeps what the feed is called.
const STATE: &str = "status_page";

/// How long a client may take to send the head of a request, and to ask again.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a client may take to read a part of an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// The most that the head of a request may be, in bytes.
const LARGEST_HEAD: usize = 8 * 1024;

/// How old what is sent may be.
const MADE_EVERY: Duration = Duration::from_secs(10);

/// After a change everything is made so many more times, once a second: the history is written a moment later.
const AFTER_A_CHANGE: u32 = 2;

/// For how long caches may keep an answer.
const CACHED: HeaderValue = HeaderValue::from_static("public, max-age=10");

/// What is no page loads nothing and runs nothing.
const NOTHING: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

type Reply = Response<Full<Bytes>>;

/// What the page shows.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) clock: Clock,
    pub(crate) board: Arc<Board>,
    pub(crate) results: Arc<Results>,
    /// What the history keeps under [`STATE`].
    pub(crate) restored: Option<String>,
    /// Connections that are open at the same time, at most.
    pub(crate) most_connections: usize,
}

impl Source {
    /// The name of the state that the history keeps.
    pub(crate) const STATE: &'static str = STATE;
}

/// Serves the page over this socket, on that runtime, until the program ends.
pub(crate) fn start(on: &Handle, listener: TcpListener, source: Source) {
    on.spawn(serve(listener, source));
}

async fn serve(listener: TcpListener, source: Source) {
    // Only a socket that is no socket fails here.
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let Source { clock, board, results, restored, most_connections } = source;
    let name = feed_name(restored.as_deref(), &results, timestamps::now(clock));
    let mut sight = Sight::new(clock, board, results);
    let first = {
        let now = timestamps::now(clock);
        Arc::new(Content::new(&sight.look(now), &name))
    };
    let content = Arc::new(RwLock::new(first));
    let made = Arc::clone(&content);
    tokio::spawn(async move {
        let mut pace = Pace::default();
        let mut second = tokio::time::interval(Duration::from_secs(1));
        loop {
            second.tick().await;
            let now = timestamps::now(clock);
            if !pace.is_due(sight.signs(now), now) {
                continue;
            }
            let of = name.clone();
            // The disk may be slow, and requests must not wait for it.
            let making = tokio::task::spawn_blocking(move || {
                let content = Content::new(&sight.look(now), &of);
                (sight, content)
            });
            let Ok((back, content)) = making.await else { return };
            sight = back;
            *made.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(content);
        }
    });
    accept(&listener, &content, most_connections).await;
}

/// When everything is made again.
#[derive(Debug, Default)]
struct Pace {
    signs: Signs,
    made: Option<Timestamp>,
    more: u32,
}

impl Pace {
    fn is_due(&mut self, signs: Signs, now: Timestamp) -> bool {
        if signs != self.signs {
            self.signs = signs;
            self.more = AFTER_A_CHANGE + 1;
        }
        // The clock of this machine may have gone back.
        let is_old = self.made.is_none_or(|made| now < made || elapsed(made, now) >= MADE_EVERY);
        let is_due = is_old || self.more > 0;
        if is_due {
            self.more = self.more.saturating_sub(1);
            self.made = Some(now);
        }
        is_due
    }
}

/// What the feed was called before, or a new name, which the history keeps.
fn feed_name(restored: Option<&str>, results: &Results, now: Timestamp) -> FeedName {
    if let Some(known) = restored.and_then(|json| serde_json::from_str(json).ok()) {
        return known;
    }
    let mut random = [0; 16];
    // Without randomness the name is one that others may have, too.
    let _ = SystemRandom::new().fill(&mut random);
    let name = FeedName::new(random, now);
    // Texts: nothing that JSON cannot hold.
    let json = serde_json::to_string(&name).unwrap_or_default();
    results.history().commit(Step { state: vec![(STATE.to_owned(), json)], ..Step::default() });
    name
}

async fn accept(listener: &tokio::net::TcpListener, content: &Arc<RwLock<Arc<Content>>>, most: usize) {
    let connections = Connections::new(most);
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // There is too little of something, such as open files; some are closed soon.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let connection = Arc::new(connections.admit());
        let (asking, content) = (Arc::clone(&connection), Arc::clone(content));
        let task = tokio::spawn(async move {
            let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                asking.asks();
                let content = Arc::clone(&content.read().unwrap_or_else(PoisonError::into_inner));
                async move { Ok::<_, Infallible>(answer(&request, &content)) }
            });
            let serving = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .max_buf_size(LARGEST_HEAD)
                .serve_connection(TokioIo::new(UnlessStalled::new(stream, READ_TIMEOUT)), service);
            // A client that breaks off is no concern of the monitor.
            let _ = serving.await;
        });
        connection.is_served_by(task.abort_handle());
        // Whoever was admitted is served first: in a crowd, clients that have asked would have to go unanswered.
        tokio::task::yield_now().await;
    }
}

fn answer<B>(request: &Request<B>, content: &Content) -> Reply {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut reply = with_status(StatusCode::METHOD_NOT_ALLOWED, None);
        reply.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return reply;
    }
    match content.at(request.uri().path()) {
        None => with_status(StatusCode::NOT_FOUND, content.instead_of(request.uri().path())),
        Some(found) => {
            let is_known = found.tag.to_str().is_ok_and(|tag| is_known(request.headers(), tag));
            let mut reply = if is_known {
                with_status(StatusCode::NOT_MODIFIED, None)
            } else {
                with_status(StatusCode::OK, Some(found))
            };
            reply.headers_mut().insert(ETAG, found.tag.clone());
            reply.headers_mut().insert(CACHE_CONTROL, CACHED);
            reply
        }
    }
}

fn with_status(status: StatusCode, resource: Option<&Resource>) -> Reply {
    let mut reply = Response::new(Full::new(resource.map(|one| one.body.clone()).unwrap_or_default()));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    let is_page = resource.is_some_and(|one| one.content_type.starts_with("text/html"));
    headers.insert(CONTENT_SECURITY_POLICY, if is_page { assets::POLICY.clone() } else { NOTHING });
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if let Some(resource) = resource {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(resource.content_type));
    }
    reply
}
