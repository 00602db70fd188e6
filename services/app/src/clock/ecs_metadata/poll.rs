//! Asks the task metadata endpoint in the background, so that nothing ever waits for it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::clock::ecs_metadata::ClockDrift;
use crate::clock::ecs_metadata::endpoint::Endpoint;
use crate::clock::status::ClockStatus;
use crate::clock::{self, Monotonic};

/// Far below what ECS allows (40 requests a second for a task). The bound grows by half a millisecond meanwhile.
const INTERVAL: Duration = Duration::from_secs(10);

/// The latest statement, which the poll writes and the housekeeping reads.
#[derive(Clone, Debug, Default)]
pub(crate) struct LatestStatement(Arc<Mutex<Latest>>);

#[derive(Debug, Default)]
struct Latest {
    /// The last good one, and when it came. It stays while later ones fail.
    drift: Option<(ClockDrift, Monotonic)>,
    outcome: Option<Result<(), String>>,
}

impl LatestStatement {
    /// The status as of now. Unknown before the first answer, and when the last good one is too old.
    pub(crate) fn status(&self) -> ClockStatus {
        let drift = self.0.lock().unwrap_or_else(PoisonError::into_inner).drift;
        drift.map_or(ClockStatus::Unknown, |(drift, came)| {
            drift.status_after(Duration::from_nanos(came.elapsed_nanos()))
        })
    }

    /// How the last request went, if there was one: why not, if it gave no statement.
    pub(crate) fn outcome(&self) -> Option<Result<(), String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).outcome.clone()
    }

    fn store(&self, answer: Result<ClockDrift, String>) {
        let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(drift) = answer {
            latest.drift = Some((drift, Monotonic::now()));
        }
        latest.outcome = Some(answer.map(|_| ()));
    }
}

/// Asks at once, and then again and again.
pub(crate) async fn poll(endpoint: Endpoint, latest: LatestStatement) {
    let mut ticker = interval(INTERVAL);
    ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticker.tick().await;
        let answer = match endpoint.ask().await {
            Ok(body) => ClockDrift::in_answer(&body, clock::now()).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        latest.store(answer);
    }
}
