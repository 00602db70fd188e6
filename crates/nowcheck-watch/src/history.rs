//! What is remembered: rounds, how long a service was what, incidents, undelivered messages and the monitor's state.
//!
//! This is the only place with SQL. One thread writes, from a bounded queue; nobody who measures ever waits for it. While
//! the disk is full, read-only or locked, what fits into the queue waits, the problem is reported ([`History::health`]),
//! and writing is tried again and again.
//!
//! What it costs, as `cargo run --release -p nowcheck-watch --example history_cost` measured it on a shared machine:
//!
//! | | measured |
//! |---|---|
//! | a round, after a week of one every 30 seconds | 7 µs of the processor (written in batches of 200), 29 bytes of the file |
//! | a day of a check, of ten years | 71 bytes: 100 checks take 26 MB |
//! | 500 points over all of a check | at most 10 ms |
//!
//! A process that only reads opens its own [`HistoryReader`]; it and the writer never wait for each other.

mod block;
mod claim;
mod damaged;
mod error;
mod file;
mod level;
mod pack;
mod place;
mod query;
mod queue;
mod record;
mod retention;
mod rows;
mod salvage;
mod schema;
mod sketch;
mod stands;
mod store;
mod summary;
mod units;
mod varint;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use error::HistoryError;
pub use place::HistoryPlace;
pub use query::{BackendHistory, HistoryReader, PastIncident, Period, Point, Range};
pub use queue::{Health, QueueLimits};
pub use record::{BackendOffset, OutboxMessage, Restored, RoundRecord, Step};
pub use retention::Retention;
pub use sketch::Sketch;
pub use summary::{RoundCounts, Summary};

use queue::{Entry, Queue, QueuedRound};
use writer::Writer;

/// What to store, and where.
#[derive(Debug, Clone)]
pub struct HistorySettings {
    /// Where.
    pub place: HistoryPlace,
    /// For how long.
    pub retention: Retention,
    /// How much may wait to be written.
    pub limits: QueueLimits,
}

/// The way into the history. A clone is the same history.
///
/// ```
/// # fn main() -> Result<(), nowcheck_watch::history::HistoryError> {
/// use std::time::Duration;
/// use jiff::Timestamp;
/// use nowcheck_watch::history::{
///     History, HistoryPlace, HistorySettings, QueueLimits, Range, Retention, RoundRecord,
/// };
/// use nowcheck_watch::status::CheckStatus;
///
/// let days = |days: u64| Duration::from_hours(24 * days);
/// let retention = Retention { rounds: days(7), minutes: days(30), hours: days(730) };
/// let settings =
///     HistorySettings { place: HistoryPlace::memory(), retention, limits: QueueLimits::default() };
/// let (history, restored) = History::start(settings)?;
/// assert!(restored.state.is_empty());
/// let start = Timestamp::from_second(1_795_521_600).expect("a time of this century");
/// let round = RoundRecord {
///     check: "shop".to_owned(),
///     start,
///     duration: Duration::from_millis(3),
///     status: CheckStatus::Ok,
///     reason: "in_sync".to_owned(),
///     offset: None,
///     round_trip: Some(Duration::from_millis(1)),
///     cause: None,
///     backends: Vec::new(),
///     certificate_expiry: None,
///     stands_for: Duration::from_secs(45),
/// };
/// history.record(round, None);
/// assert!(history.flush(Duration::from_secs(10)));
/// let later = start + Duration::from_secs(60);
/// let last_hour = history.reader()?.period("shop", Range::last(Duration::from_hours(1), later))?;
/// let times = last_hour.expect("the check has a round").summary.times;
/// assert_eq!((times.ok, times.unknown), (Duration::from_secs(45), Duration::from_secs(15)));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct History {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    queue: Arc<Queue>,
    place: HistoryPlace,
    turns: Arc<Semaphore>,
}

/// Clients whose answers are read at the same time, at most: each may need many megabytes, and a thread.
const MOST_TURNS: usize = 4;

/// That a client's answer may be read. It has to go with the thread that reads.
pub(crate) type Turn = Option<OwnedSemaphorePermit>;

impl History {
    /// Opens the history and starts the thread that writes it.
    ///
    /// If the file cannot be opened at the moment, the history begins empty: what is recorded waits, and
    /// [`health`](Self::health) says why.
    ///
    /// # Errors
    /// The file is somebody else's, of a newer version, or its folder does not exist: no retry helps.
    pub fn start(settings: HistorySettings) -> Result<(Self, Restored), HistoryError> {
        let queue = Arc::new(Queue::new(settings.limits));
        let (writer, restored) = Writer::start(settings.place.clone(), settings.retention, &queue)?;
        let of_thread = Arc::clone(&queue);
        let thread = std::thread::Builder::new().name("history".to_owned());
        thread.spawn(move || writer.run(&of_thread)).map_err(|error| HistoryError::Other {
            path: settings.place.shown().to_owned(),
            detail: error.to_string(),
        })?;
        let turns = Arc::new(Semaphore::new(MOST_TURNS));
        Ok((Self { inner: Arc::new(Inner { queue, place: settings.place, turns }) }, restored))
    }

    /// Stores a round, and what it found, as JSON, if it was not ok. Never waits and never fails: what does not fit into
    /// the queue is dropped and counted.
    pub fn record(&self, round: RoundRecord, outcome: Option<String>) {
        let data = block::encode(std::slice::from_ref(&round));
        let round = QueuedRound { check: round.check, start: round.start, data, outcome };
        self.inner.queue.push(Entry::Round(round));
    }

    /// A check is not watched any more. Until its next round, no time is counted.
    pub fn forget(&self, check: &str, at: Timestamp) {
        self.inner.queue.push(Entry::Unwatched { check: check.to_owned(), at });
    }

    /// Stores what belongs together in one transaction. Never waits and never fails: state and messages wait until they
    /// are written.
    pub fn commit(&self, step: Step) {
        self.inner.queue.commit(step);
    }

    /// How it is.
    #[must_use]
    pub fn health(&self) -> Health {
        self.inner.queue.health()
    }

    /// What the operator should read once, since the last call: a damaged file was moved aside.
    #[must_use]
    pub fn take_notices(&self) -> Vec<String> {
        self.inner.queue.take_notices()
    }

    /// Waits until all that was recorded so far is written. Returns whether it is.
    #[must_use]
    pub fn flush(&self, within: Duration) -> bool {
        self.inner.queue.flush(within)
    }

    /// Writes what waits, once, and ends. Returns whether that was done in time.
    #[must_use]
    pub fn close(&self, within: Duration) -> bool {
        self.inner.queue.close(within)
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> &HistoryPlace {
        &self.inner.place
    }

    /// Waits until the answer to a client may be read.
    pub(crate) async fn turn(&self) -> Turn {
        // It is never closed.
        Arc::clone(&self.inner.turns).acquire_owned().await.ok()
    }

    /// Opens the history to read it.
    ///
    /// # Errors
    /// It is not there yet, or cannot be read.
    pub fn reader(&self) -> Result<HistoryReader, HistoryError> {
        HistoryReader::open(&self.inner.place)
    }
}

/// The last handle ends the thread.
impl Drop for Inner {
    fn drop(&mut self) {
        self.queue.close(Duration::ZERO);
    }
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
