//! Counters of answers, by route and class of status.
//!
//! Each thread counts in its own [`Counters`], on cache lines of its own, and is the only one that writes there; any
//! thread may read them all and add them up.

use std::array;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hyper::StatusCode;

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
    /// No route of ours.
    Other,
}

impl Route {
    const ALL: [Self; 8] = [
        Self::Now,
        Self::WellKnownTime,
        Self::Page,
        Self::Asset,
        Self::OpenApi,
        Self::Health,
        Self::Readiness,
        Self::Other,
    ];

    fn name(self) -> &'static str {
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

/// The classes of status that this service answers with.
const CLASSES: [&str; 3] = ["2xx", "4xx", "5xx"];

/// What one thread has answered. The alignment keeps the counters of two threads on different cache lines.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Counters([[AtomicU64; CLASSES.len()]; Route::ALL.len()]);

impl Counters {
    /// Counts one answer. Only the thread that these counters belong to may call this: with one writer, a load and a
    /// store are enough, and an atomic addition is not needed.
    pub(crate) fn count(&self, route: Route, status: StatusCode) {
        let class = match status.as_u16() {
            ..400 => 0,
            400..500 => 1,
            500.. => 2,
        };
        let counter = &self.0[route as usize][class];
        counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}

/// What several threads have answered, added up.
#[derive(Debug)]
pub(crate) struct Totals([[u64; CLASSES.len()]; Route::ALL.len()]);

impl Totals {
    pub(crate) fn of(threads: &[Arc<Counters>]) -> Self {
        Self(array::from_fn(|route| {
            array::from_fn(|class| {
                threads.iter().map(|one| one.0[route][class].load(Ordering::Relaxed)).sum()
            })
        }))
    }

    pub(crate) fn requests(&self) -> u64 {
        self.0.as_flattened().iter().sum()
    }

    /// Answers that say that the service could not do its work. A readiness of 503 is none: it says so in time.
    pub(crate) fn server_errors(&self) -> u64 {
        let others = Route::ALL.iter().zip(&self.0).filter(|(route, _)| **route != Route::Readiness);
        others.map(|(_, counts)| counts[2]).sum()
    }
}

/// `: /now 2xx=12 4xx=1, /readyz 2xx=3`, to follow a count: what is zero is left out, all of it if need be.
impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = ": ";
        for (route, counts) in Route::ALL.iter().zip(&self.0) {
            if counts.iter().all(|&count| count == 0) {
                continue;
            }
            write!(f, "{separator}{}", route.name())?;
            for (class, count) in CLASSES.iter().zip(counts).filter(|&(_, &count)| count > 0) {
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
        threads[0].count(Route::Now, StatusCode::OK);
        threads[1].count(Route::Now, StatusCode::OK);
        threads[1].count(Route::Now, StatusCode::BAD_REQUEST);
        threads[0].count(Route::WellKnownTime, StatusCode::NO_CONTENT);
        threads[0].count(Route::Readiness, StatusCode::SERVICE_UNAVAILABLE);
        let totals = Totals::of(&threads);
        assert_eq!(totals.to_string(), ": /now 2xx=2 4xx=1, /.well-known/time 2xx=1, /readyz 5xx=1");
        assert_eq!(totals.requests(), 5);
    }

    #[test]
    fn each_route_counts_in_its_own_place() {
        for (place, route) in Route::ALL.into_iter().enumerate() {
            assert_eq!(route as usize, place);
        }
    }
}
