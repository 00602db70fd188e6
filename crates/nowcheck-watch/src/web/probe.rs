//! `/probe`: a round now, in the convention of exporters that probe many targets.

use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use hyper::body::Incoming;

use super::query::Query;
use super::respond::{Reply, ok, problem};
use super::{Served, metrics};
use crate::metrics::of_round;
use crate::prober::{ProbeError, ProbeRequest};
use crate::timestamps;

/// How long Prometheus waits, in seconds.
const TIMEOUT: &str = "x-prometheus-scrape-timeout-seconds";

/// Holds a round and tells of it.
pub(super) async fn answer(request: &Request<Incoming>, served: &Served) -> Reply {
    let at = served.clock.now();
    let query = match Query::each_once(request.uri().query()) {
        Ok(query) => query,
        Err(twice) => return problem(StatusCode::BAD_REQUEST, &twice.to_string()),
    };
    let Some(target) = query.get("target") else {
        return problem(StatusCode::BAD_REQUEST, "name a target: /probe?target=URL&module=NAME");
    };
    let Ok(patience) = patience(request.headers()) else {
        let detail = "X-Prometheus-Scrape-Timeout-Seconds is not a number of seconds above 0";
        return problem(StatusCode::BAD_REQUEST, detail);
    };
    let module = query.get("module").map(str::to_owned);
    let asked = ProbeRequest { target: target.to_owned(), module, patience, at };
    match served.prober.probe(&asked).await {
        Ok(outcome) => {
            let families = of_round(&outcome, timestamps::now(served.clock));
            let (content_type, text) = metrics::in_format(families, request.headers());
            ok(content_type, text)
        }
        Err(error) => refused(&error),
    }
}

/// How long the client waits; none if it does not say.
fn patience(headers: &HeaderMap) -> Result<Option<Duration>, ()> {
    let Some(value) = headers.get(TIMEOUT) else { return Ok(None) };
    let seconds: f64 = value.to_str().map_err(drop)?.trim().parse().map_err(drop)?;
    if seconds > 0.0 { Duration::try_from_secs_f64(seconds).map(Some).map_err(drop) } else { Err(()) }
}

fn refused(error: &ProbeError) -> Reply {
    let status = match error {
        ProbeError::NoModules
        | ProbeError::UnknownModule(_)
        | ProbeError::NotAllowed { .. }
        | ProbeError::AddressNotAllowed(_) => StatusCode::FORBIDDEN,
        ProbeError::WhichModule | ProbeError::NotAUrl(_) => StatusCode::BAD_REQUEST,
        ProbeError::Busy | ProbeError::NoReference => StatusCode::SERVICE_UNAVAILABLE,
    };
    let mut reply = problem(status, &error.to_string());
    if status == StatusCode::SERVICE_UNAVAILABLE {
        reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_a_number_of_seconds_above_0() {
        let read = |text: &str| {
            let headers = HeaderMap::from_iter([(TIMEOUT.parse().unwrap(), text.parse().unwrap())]);
            patience(&headers)
        };
        assert_eq!(patience(&HeaderMap::new()), Ok(None));
        assert_eq!(read("2.5"), Ok(Some(Duration::from_millis(2_500))));
        for wrong in ["", "0", "-1", "NaN", "inf", "1e300", "10s"] {
            assert_eq!(read(wrong), Err(()), "{wrong}");
        }
    }
}
