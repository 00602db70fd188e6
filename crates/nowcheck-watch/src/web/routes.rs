//! A request → a response.

use std::sync::Arc;
use std::time::Duration;

use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, Request, StatusCode};
use hyper::body::Incoming;
use jiff::Timestamp;
use maud::Markup;
use percent_encoding::percent_decode_str;

use super::api::ApiRoute;
use super::auth::Refusal;
use super::badge::{self, Badge};
use super::connections::Connection;
use super::pages::parts::Depth;
use super::query::Query;
use super::respond::{Reply, method_not_allowed, ok, page, problem};
use super::{Served, api, events, metrics, pages, probe};
use crate::history::Range;
use crate::timestamps;

/// What is served at a path.
#[derive(Debug, PartialEq, Eq)]
enum Route {
    Overview,
    CheckPage(String),
    Incidents,
    Incident(String),
    Events,
    Badge(Badge),
    Metrics,
    Probe,
    Health,
    Readiness,
}

/// Answers a request.
pub(super) async fn answer(
    request: &mut Request<Incoming>,
    served: &Arc<Served>,
    connection: &Connection,
) -> Reply {
    let route = route(request.uri().path());
    let api_route = ApiRoute::of(request.uri().path());
    let admitted = match (&route, &api_route) {
        // Those who watch the monitor need no name.
        (Some(Route::Health | Route::Readiness), _) => Ok(()),
        (_, Some(ApiRoute::Instance)) => {
            served.guard.admit_instance(request.headers(), served.clock.now()).await
        }
        _ => served.guard.admit(request.headers(), served.clock.now()).await,
    };
    if let Err(refusal) = admitted {
        return refusal.into();
    }
    // Only now: a client without a password keeps its place no longer than it has to.
    let working = connection.works();
    let now = timestamps::now(served.clock);
    if let Some(route) = api_route {
        return api::answer(route, request, served, now).await;
    }
    let Some(route) = route else {
        return problem(StatusCode::NOT_FOUND, "there is nothing at this path; the dashboard is at /");
    };
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return method_not_allowed("GET, HEAD");
    }
    let query = Query::parse(request.uri().query());
    match route {
        Route::Overview => page(StatusCode::OK, pages::overview::overview(served, &query, now)),
        Route::CheckPage(name) => {
            let of = Arc::clone(served);
            let page = async move { Ok(pages::check::check(&of, &name, &query, now).await) };
            found(served, now, Depth::Below, page, "No check of that name is watched").await
        }
        Route::Incidents => {
            let of = Arc::clone(served);
            let page = async move { pages::incidents::incidents(&of, now).await.map(Some) };
            found(served, now, Depth::Top, page, "").await
        }
        Route::Incident(id) => {
            let of = Arc::clone(served);
            let page = async move { pages::incidents::incident(&of, &id, now).await };
            found(served, now, Depth::Below, page, "There is no such incident, or it is no longer kept").await
        }
        // Its head is that of a stream without an end.
        Route::Events if request.method() == Method::HEAD => ok("text/event-stream", ""),
        Route::Events => events::stream(served, query.get("check"), working),
        Route::Badge(badge) => badge_of(badge, served, now).await,
        Route::Metrics => {
            let (content_type, text) = metrics::text(served, request.headers());
            ok(content_type, text)
        }
        Route::Probe => probe::answer(request, served).await,
        Route::Health => ok("text/plain; charset=utf-8", "ok\n"),
        Route::Readiness => readiness(served),
    }
}

/// A page that is made of the history, when it is its turn, and may not exist. It is made to its end also when the client
/// has gone: otherwise clients that break off would have more threads read than there may be.
async fn found(
    served: &Served,
    now: Timestamp,
    depth: Depth,
    made: impl Future<Output = Result<Option<Markup>, String>> + Send + 'static,
    unless_there: &str,
) -> Reply {
    let turn = served.results.history().turn().await;
    let making = tokio::spawn(async move {
        let _turn = turn;
        made.await
    });
    match making.await.unwrap_or_else(|error| Err(error.to_string())) {
        Ok(Some(found)) => page(StatusCode::OK, found),
        Ok(None) => nothing(served, now, depth, unless_there),
        Err(problem) => {
            let what = format!("The history cannot be read: {problem}");
            page(StatusCode::SERVICE_UNAVAILABLE, pages::not_found(served, now, depth, &what))
        }
    }
}

fn nothing(served: &Served, now: Timestamp, depth: Depth, what: &str) -> Reply {
    page(StatusCode::NOT_FOUND, pages::not_found(served, now, depth, what))
}

/// Why somebody is not let in, as a response.
impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotKnown => {
                let mut reply =
                    problem(StatusCode::UNAUTHORIZED, "log in with a name and a password of auth_file");
                let challenge = HeaderValue::from_static("Basic realm=\"nowcheck\", charset=\"UTF-8\"");
                reply.headers_mut().insert(WWW_AUTHENTICATE, challenge);
                reply
            }
            Refusal::WrongToken => {
                let mut reply =
                    problem(StatusCode::UNAUTHORIZED, "send the token of a [[peer]] of this instance");
                reply.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
                reply
            }
            Refusal::WrongHost => problem(
                StatusCode::MISDIRECTED_REQUEST,
                "without an auth_file, this monitor answers to IP addresses, to localhost and to the host of external_url only; \
                 set external_url in [server] to the URL that you use, and have a proxy in front pass on the Host of requests, \
                 or set auth_file",
            ),
            Refusal::TooManyTries => {
                let mut reply =
                    problem(StatusCode::TOO_MANY_REQUESTS, "too many wrong passwords; wait a few seconds");
                reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
                reply
            }
        }
    }
}

fn route(path: &str) -> Option<Route> {
    match path {
        "/" => Some(Route::Overview),
        "/metrics" => Some(Route::Metrics),
        "/probe" => Some(Route::Probe),
        "/healthz" => Some(Route::Health),
        "/readyz" => Some(Route::Readiness),
        "/incidents" => Some(Route::Incidents),
        "/events" => Some(Route::Events),
        _ => None
            .or_else(|| named(path, "/checks/").map(Route::CheckPage))
            .or_else(|| named(path, "/incidents/").map(Route::Incident))
            .or_else(|| Badge::of(path).map(Route::Badge)),
    }
}

/// The name behind a prefix.
fn named(path: &str, prefix: &str) -> Option<String> {
    let name = path.strip_prefix(prefix).filter(|name| !name.is_empty() && !name.contains('/'))?;
    percent_decode_str(name).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

async fn badge_of(badge: Badge, served: &Arc<Served>, now: Timestamp) -> Reply {
    let (Badge::Status(name) | Badge::Uptime(name)) = &badge;
    let Some(check) = served.board.check(name) else {
        return problem(StatusCode::NOT_FOUND, "no check of that name is watched");
    };
    if let Badge::Status(name) = &badge {
        return svg(badge::status(name, check.status_at(now).service()));
    }
    let (history, of) = (served.results.history().clone(), name.clone());
    let length = Duration::from_hours(24 * u64::from(badge::UPTIME_DAYS));
    let turn = history.turn().await;
    let reading = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        history.reader()?.period(&of, Range::last(length, now))
    });
    match reading.await {
        Ok(Ok(period)) => {
            let times = period.map(|period| period.summary.times).unwrap_or_default();
            svg(badge::uptime(name, &times))
        }
        Ok(Err(error)) => {
            problem(StatusCode::SERVICE_UNAVAILABLE, &format!("the history cannot be read: {error}"))
        }
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

fn svg(picture: Markup) -> Reply {
    ok("image/svg+xml", picture.into_string())
}

/// Ready once the first round of a check was held: then there is something to show. Without checks, at once.
fn readiness(served: &Served) -> Reply {
    let checks = served.board.checks();
    if checks.is_empty() || checks.iter().any(|check| check.latest.is_some()) {
        ok("text/plain; charset=utf-8", "ready\n")
    } else {
        problem(StatusCode::SERVICE_UNAVAILABLE, "no round has been held yet")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_check_in_a_path_is_decoded() {
        assert_eq!(route("/checks/a%2Fb"), Some(Route::CheckPage("a/b".to_owned())));
        assert_eq!(route("/incidents/1-2"), Some(Route::Incident("1-2".to_owned())));
        for nothing in ["/checks/", "/incidents/a/b", "/checks/%ff", "/nope", "//"] {
            assert_eq!(route(nothing), None, "{nothing}");
        }
    }
}
