//! `/api/v1/maintenance`: when no alert is opened. Only somebody who has logged in may change that.

use std::collections::BTreeSet;
use std::time::Duration;

use http::header::{CONTENT_TYPE, HOST, LOCATION, ORIGIN};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::config::parse_duration;
use crate::incident::{Maintenance, Window};
use crate::report;
use crate::results::Announced;
use crate::web::Served;
use crate::web::conditional::unless_known;
use crate::web::respond::{self, Reply, problem};

/// The most that a body may be, in bytes.
const LARGEST: usize = 16 * 1024;

/// How long a client may take to send a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest that can be announced.
const LONGEST: Duration = Duration::from_hours(366 * 24);

/// What is announced.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Announcement {
    name: String,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    #[serde(rename = "for")]
    length: Option<String>,
    checks: Option<BTreeSet<String>>,
}

/// All maintenance: that of the file, and what is announced and not over.
pub(super) fn all(served: &Served, headers: &HeaderMap, now: Timestamp) -> Reply {
    let (of_file, announced) = served.results.maintenance(now);
    let of_file = of_file.iter().map(|one| of_maintenance(one, now));
    let all: Vec<Value> = of_file.chain(announced.iter().map(|one| of_announced(one, now))).collect();
    unless_known(headers, &all, || respond::json(&json!({ "maintenance": all })))
}

/// Announces maintenance.
pub(super) async fn add(request: &mut Request<Incoming>, served: &Served, now: Timestamp) -> Reply {
    if let Some(refused) = refused(request.headers(), served) {
        return refused;
    }
    // A page of another site can send a form, but no JSON.
    let is_json =
        request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|value| {
            value.split(';').next().is_some_and(|name| name.trim().eq_ignore_ascii_case("application/json"))
        });
    if !is_json {
        return problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, "send application/json");
    }
    let body = Limited::new(request.body_mut(), LARGEST).collect();
    let body = match tokio::time::timeout(BODY_TIMEOUT, body).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            return problem(StatusCode::PAYLOAD_TOO_LARGE, &format!("send at most {LARGEST} bytes"));
        }
        Ok(Err(_)) => return problem(StatusCode::BAD_REQUEST, "the body broke off"),
        Err(_) => return problem(StatusCode::REQUEST_TIMEOUT, "the body did not come within 10 s"),
    };
    let announced = match serde_json::from_slice::<Announcement>(&body) {
        Ok(announcement) => announcement.validated(served, now),
        Err(error) => Err(error.to_string()),
    };
    match announced.map(|announced| served.results.announce(announced)) {
        Ok(Ok(announced)) => created(&announced, now),
        Ok(Err(_)) => problem(StatusCode::CONFLICT, "1000 are announced already; delete some first"),
        Err(why) => problem(StatusCode::BAD_REQUEST, &nowcheck::text::printable(why.as_bytes(), 300)),
    }
}

/// Takes an announcement back.
pub(super) fn remove(headers: &HeaderMap, served: &Served, id: &str, now: Timestamp) -> Reply {
    if let Some(refused) = refused(headers, served) {
        return refused;
    }
    if served.results.take_back(id, now) {
        return respond::with_status(StatusCode::NO_CONTENT, None, "");
    }
    let detail = "no maintenance of that id is announced; what stands in the file is changed there";
    problem(StatusCode::NOT_FOUND, detail)
}

/// Why nothing is changed for this client. Browsers send the password along from pages of other sites too.
fn refused(headers: &HeaderMap, served: &Served) -> Option<Reply> {
    if !served.guard.wants_names() {
        let detail = "set auth_file in [server]: only somebody who has logged in may change maintenance";
        return Some(problem(StatusCode::FORBIDDEN, detail));
    }
    (!is_from_here(headers)).then(|| problem(StatusCode::FORBIDDEN, "this comes from a page of another site"))
}

/// Whether no page of another site has sent it: browsers name the site in `Origin` and `Sec-Fetch-Site`.
fn is_from_here(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let is_same_site = text("sec-fetch-site").is_none_or(|site| matches!(site, "same-origin" | "none"));
    let host = text(HOST.as_str()).unwrap_or_default();
    let is_same_origin = text(ORIGIN.as_str()).is_none_or(|origin| {
        origin.split_once("://").is_some_and(|(_, from)| from.eq_ignore_ascii_case(host))
    });
    is_same_site && is_same_origin
}

impl Announcement {
    fn validated(self, served: &Served, now: Timestamp) -> Result<Announced, String> {
        let from = self.from.unwrap_or(now);
        let until = match (self.until, &self.length) {
            (Some(until), None) => until,
            (None, Some(length)) => {
                let length = parse_duration(length).ok_or("for must be a length of time such as 2h")?;
                from.checked_add(length).map_err(|_| "for ends later than any date")?
            }
            _ => return Err("say either until or for".to_owned()),
        };
        if until <= from || until <= now {
            return Err("it must end later than it begins, and later than now".to_owned());
        }
        if crate::timestamps::elapsed(from, until) > LONGEST {
            return Err("it must not be longer than a year".to_owned());
        }
        if self.name.trim().is_empty() || self.name.len() > 100 || self.name.chars().any(char::is_control) {
            return Err("name must have 1 to 100 bytes and no control character".to_owned());
        }
        let checks = self.checks.as_ref();
        if checks.is_some_and(BTreeSet::is_empty) {
            return Err("checks must name one; leave it out for all".to_owned());
        }
        if let Some(unknown) = checks.into_iter().flatten().find(|name| served.board.check(name).is_none()) {
            return Err(format!("no check {unknown} is watched"));
        }
        Ok(Announced { id: String::new(), name: self.name, from, until, checks: self.checks })
    }
}

fn created(announced: &Announced, now: Timestamp) -> Reply {
    let mut reply = respond::json(&of_announced(announced, now));
    *reply.status_mut() = StatusCode::CREATED;
    if let Ok(location) = HeaderValue::from_str(&format!("/api/v1/maintenance/{}", announced.id)) {
        reply.headers_mut().insert(LOCATION, location);
    }
    reply
}

fn of_announced(one: &Announced, now: Timestamp) -> Value {
    json!({
        "id": one.id,
        "name": one.name,
        "from": one.from,
        "until": one.until,
        "weekly": null,
        "checks": one.checks,
        "active": one.from <= now && now < one.until,
    })
}

fn of_maintenance(one: &Maintenance, now: Timestamp) -> Value {
    let (from, until, weekly) = match &one.window {
        Window::Once { from, until } => (Some(*from), Some(*until), Value::Null),
        Window::Weekly { weekday, at, zone, length } => {
            let weekly = json!({
                "weekday": format!("{weekday:?}").to_lowercase(),
                "at": at.strftime("%H:%M:%S").to_string(),
                "zone": zone.iana_name(),
                "length_seconds": report::seconds(*length),
            });
            (None, None, weekly)
        }
    };
    json!({
        "id": null,
        "name": one.name,
        "from": from,
        "until": until,
        "weekly": weekly,
        "checks": one.checks,
        "active": one.window.contains(now),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_page_of_another_site_sends_is_not_from_here() {
        for (headers, expected) in [
            (&[][..], true),
            (&[("host", "a:9464"), ("origin", "http://a:9464"), ("sec-fetch-site", "same-origin")], true),
            (&[("host", "a:9464"), ("origin", "https://evil.test")], false),
            (&[("host", "a:9464"), ("origin", "null")], false),
            (&[("host", "a"), ("origin", "http://a.evil.test")], false),
            (&[("host", "a"), ("sec-fetch-site", "cross-site")], false),
            (&[("host", "a"), ("sec-fetch-site", "same-site")], false),
        ] {
            let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
            let headers: HeaderMap = headers.collect();
            assert_eq!(is_from_here(&headers), expected, "{headers:?}");
        }
    }
}
