//! What is counted: responses by route and class of status, their latency, and what happens to connections.
//!
//! Each thread counts in its own [`Counters`], on cache lines of its own. Only that thread writes there; any thread
//! may read them all and add them up.

pub(crate) mod admin_listener;
pub(crate) mod counter;
pub(crate) mod emf;
pub(crate) mod latency;
pub(crate) mod prometheus;
pub(crate) mod scrape;
pub(crate) mod snapshot;

use std::array;
use std::fmt;
use std::sync::Arc;

use hyper::StatusCode;

use crate::metrics::counter::Counter;
use crate::metrics::latency::{LatencyHistogram, LatencyTotals};

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Now,
    WellKnownTime,
    Page,
    /// Its style sheet, script or icon.
    Asset,
    OpenApi,
    Health,
    Readiness,
    /// Any other path.
    Other,
}

impl Route {
    pub(crate) const ALL: [Self; 8] = [
        Self::Now,
        Self::WellKnownTime,
        Self::Page,
        Self::Asset,
        Self::OpenApi,
        Self::Health,
        Self::Readiness,
        Self::Other,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Now => "/now",
            Self::WellKnownTime => "/.well-known/time",
            Self::Page => "/",
            Self::Asset => "/assets",
            Self::OpenApi => "/openapi.json",
            Self::Health => "/healthz",
            Self::Readiness => "/readyz",
            Self::Other => "other",
        }
    }
}

/// The classes of status that this service uses.
pub(crate) const STATUS_CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

/// Events that are counted besides responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CountedEvent {
    /// A connection was accepted.
    Accepted,
    /// A request got 503, because the limit on connections was exceeded.
    TurnedAway,
    /// A connection was closed before it was read from, because even the reserve was exceeded.
    ClosedUnheard,
    /// A connection was closed, because a request's head took too long.
    HeadTimeout,
    /// A connection was closed, because no request arrived.
    IdleTimeout,
    /// A connection was closed, because the client did not read the response.
    WriteTimeout,
    /// A head was rejected, because it was not HTTP.
    HeadMalformed,
    /// A head was rejected, because it was too large.
    HeadTooLarge,
    /// A head was rejected, because it was of another version of HTTP.
    VersionRefused,
    /// A request was rejected, because it had a body.
    BodyRefused,
}

impl CountedEvent {
    const COUNT: usize = Self::BodyRefused as usize + 1;
}

/// The counts of one thread. The alignment keeps the counters of two threads on different cache lines.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Counters {
    answers: [[Counter; STATUS_CLASSES.len()]; Route::ALL.len()],
    events: [Counter; CountedEvent::COUNT],
    pub(crate) latency: LatencyHistogram,
}

impl Counters {
    /// Counts one response.
    pub(crate) fn count_response(&self, route: Route, status: StatusCode) {
        let class = match status.as_u16() {
            ..300 => 0,
            300..400 => 1,
            400..500 => 2,
            500.. => 3,
        };
        self.answers[route as usize][class].add(1);
    }

    pub(crate) fn count_event(&self, event: CountedEvent) {
        self.events[event as usize].add(1);
    }
}

/// The counts of several threads, added up.
#[derive(Debug)]
pub(crate) struct Totals {
    pub(crate) answers: [[u64; STATUS_CLASSES.len()]; Route::ALL.len()],
    events: [u64; CountedEvent::COUNT],
    pub(crate) latencies: LatencyTotals,
}

impl Totals {
    pub(crate) fn of(threads: &[Arc<Counters>]) -> Self {
        Self {
            answers: array::from_fn(|route| {
                array::from_fn(|class| threads.iter().map(|one| one.answers[route][class].get()).sum())
            }),
            events: array::from_fn(|event| threads.iter().map(|one| one.events[event].get()).sum()),
            latencies: LatencyTotals::of(threads.iter().map(|one| &one.latency)),
        }
    }

    pub(crate) fn event_count(&self, event: CountedEvent) -> u64 {
        self.events[event as usize]
    }

    /// Connections over the limit.
    pub(crate) fn refused_connections(&self) -> u64 {
        self.event_count(CountedEvent::TurnedAway) + self.event_count(CountedEvent::ClosedUnheard)
    }

    pub(crate) fn requests(&self) -> u64 {
        self.answers.as_flattened().iter().sum()
    }

    /// Responses that mean a failure of the service. A 503 of `/readyz` is not one, as it announces a state; nor is a
    /// 505, which is the client's mistake.
    pub(crate) fn server_errors(&self) -> u64 {
        let others = Route::ALL.iter().zip(&self.answers).filter(|(route, _)| **route != Route::Readiness);
        let all: u64 = others.map(|(_, counts)| counts[3]).sum();
        // Another thread may have counted only one of the two yet.
        all.saturating_sub(self.event_count(CountedEvent::VersionRefused))
    }
}

/// `: /now 2xx=12 4xx=1, /readyz 2xx=3`, which follows a count. Zeros are left out.
impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = ": ";
        for (route, counts) in Route::ALL.iter().zip(&self.answers) {
            if counts.iter().all(|&count| count == 0) {
                continue;
            }
            write!(f, "{separator}{}", route.name())?;
            for (class, count) in STATUS_CLASSES.iter().zip(counts).filter(|&(_, &count)| count > 0) {
                write!(f, " {class}={count}")?;
            }
            separator = ", ";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counters_of_all_threads_add_up_and_zeros_are_left_out() {
        let threads = [Arc::new(Counters::default()), Arc::new(Counters::default())];
        threads[0].count_response(Route::Now, StatusCode::OK);
        threads[1].count_response(Route::Now, StatusCode::OK);
        threads[1].count_response(Route::Now, StatusCode::BAD_REQUEST);
        threads[0].count_response(Route::WellKnownTime, StatusCode::NO_CONTENT);
        threads[0].count_response(Route::Readiness, StatusCode::SERVICE_UNAVAILABLE);
        let totals = Totals::of(&threads);
        assert_eq!(totals.to_string(), ": /now 2xx=2 4xx=1, /.well-known/time 2xx=1, /readyz 5xx=1");
        assert_eq!(totals.requests(), 5);
    }

    #[test]
    fn neither_a_process_that_drains_nor_a_client_of_http_2_is_an_error_of_the_server() {
        let counters = Arc::new(Counters::default());
        counters.count_response(Route::Readiness, StatusCode::SERVICE_UNAVAILABLE);
        counters.count_event(CountedEvent::VersionRefused);
        counters.count_response(Route::Other, StatusCode::HTTP_VERSION_NOT_SUPPORTED);
        counters.count_response(Route::Now, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(Totals::of(&[counters]).server_errors(), 1);
    }

    #[test]
    fn each_route_counts_in_its_own_place() {
        for (place, route) in Route::ALL.into_iter().enumerate() {
            assert_eq!(route as usize, place);
        }
    }
}
