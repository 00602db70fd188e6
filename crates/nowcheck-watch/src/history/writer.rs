//! The thread that writes: one batch after the other, and again and again if the disk does not take it.

use std::time::Duration;

use jiff::Timestamp;

use super::claim::Claim;
use super::damaged::move_aside;
use super::error::HistoryError;
use super::place::HistoryPlace;
use super::queue::{Batch, Ledger, Queue};
use super::record::Restored;
use super::retention::Retention;
use super::salvage::salvage;
use super::store::Store;

/// The pause after the first failure; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How often a locked file is tried at the start. Each try waits for the lock, so that is about three seconds. Then rounds are
/// held without what the file says of open incidents, unless it can be read.
const TRIES_AT_START: u32 = 12;

/// The writer, and the file if it could be opened.
#[derive(Debug)]
pub(super) struct Writer {
    place: HistoryPlace,
    retention: Retention,
    store: Option<Store>,
    claim: Option<Claim>,
    /// The state and the undelivered messages, as they are in the file. A file that is begun anew gets them first.
    kept: Ledger,
}

impl Writer {
    /// Opens the file, or begins a new one if it is damaged. If it cannot be opened for writing, that is done with the first
    /// batch, and what is open and not delivered is read from it as far as it can be read.
    ///
    /// # Errors
    /// No retry helps.
    pub(super) fn start(
        place: HistoryPlace,
        retention: Retention,
        queue: &Queue,
    ) -> Result<(Self, Restored), HistoryError> {
        let mut writer = Self { place, retention, store: None, claim: None, kept: Ledger::default() };
        let restored = match writer.open_when_unlocked(queue) {
            Ok(restored) => restored,
            Err(error) if error.is_refusal() => return Err(error),
            Err(error) => {
                queue.problem(error.to_string());
                // A full or read-only disk can still be read.
                writer.place.path().map(salvage).unwrap_or_default()
            }
        };
        // Not earlier, because nothing is put beside a file of somebody else.
        writer.claim = Some(Claim::of(&writer.place)?);
        writer.kept = Ledger::of(&restored);
        Ok((writer, restored))
    }

    /// A lock is usually short, as that of a backup. Open incidents would begin anew without what is in the file.
    fn open_when_unlocked(&mut self, queue: &Queue) -> Result<Restored, HistoryError> {
        let mut opened = self.open(queue);
        for _ in 1..TRIES_AT_START {
            if !matches!(opened, Err(HistoryError::Locked { .. })) {
                break;
            }
            opened = self.open(queue);
        }
        opened
    }

    /// Writes until the queue is closed.
    pub(super) fn run(mut self, queue: &Queue) {
        loop {
            let mut batch = queue.take();
            if batch.is_empty() || !self.write_at_last(&mut batch, queue) {
                break;
            }
        }
        // Ended only when the file is closed.
        drop(self);
        queue.ended();
    }

    /// Tries until it succeeds. Returns whether it did.
    fn write_at_last(&mut self, batch: &mut Batch, queue: &Queue) -> bool {
        let mut pause = FIRST_PAUSE;
        while let Err(error) = self.write(batch, queue) {
            if !queue.failed(error.to_string(), pause, batch) {
                return false;
            }
            pause = LONGEST_PAUSE.min(pause * 2);
        }
        self.kept.keep(&batch.ledger);
        queue.written(batch);
        if let Some(latest) = batch.latest() {
            self.maintain(latest, queue);
        }
        true
    }

    /// Packs and removes. If that fails, nothing is lost: the rounds stay where they are.
    fn maintain(&mut self, latest: Timestamp, queue: &Queue) {
        let Some(store) = &mut self.store else { return };
        match store.maintain(latest, self.retention) {
            Ok(()) => {}
            Err(error @ HistoryError::Corrupt { .. }) => {
                let begun = self.begin_anew(queue, &error.to_string());
                if let Err(error) = begun {
                    queue.problem(error.to_string());
                }
            }
            Err(error) => queue.notice(format!("{error}; its rounds could not be summarized")),
        }
    }

    fn write(&mut self, batch: &Batch, queue: &Queue) -> Result<(), HistoryError> {
        if self.store.is_none() {
            let restored = self.open(queue)?;
            // A file that was begun anew lacks what this program knows.
            self.kept.put_before(&Ledger::of(&restored));
            self.write_kept()?;
        }
        let Some(store) = &mut self.store else { return Ok(()) };
        match store.write(batch) {
            // The next try writes the batch.
            Err(error @ HistoryError::Corrupt { .. }) => {
                self.begin_anew(queue, &error.to_string())?;
                Err(error)
            }
            Err(error @ HistoryError::Replaced { .. }) => {
                queue.notice(format!(
                    "{error}; what is there now is written from here on, and a new one begun if nothing is"
                ));
                self.store = None;
                // The lock beside it may be gone too.
                self.claim = None;
                self.claim = Some(Claim::of(&self.place)?);
                Err(error)
            }
            written => written,
        }
    }

    fn open(&mut self, queue: &Queue) -> Result<Restored, HistoryError> {
        match Store::open(&self.place).and_then(|store| Ok((store.restore()?, store))) {
            Ok((restored, store)) => {
                self.store = Some(store);
                Ok(restored)
            }
            Err(error @ HistoryError::Corrupt { .. }) => self.begin_anew(queue, &error.to_string()),
            Err(error) => Err(error),
        }
    }

    /// Moves the damaged file aside and makes a new one with what is known, or else can still be read, of what is open and
    /// not delivered.
    fn begin_anew(&mut self, queue: &Queue, why: &str) -> Result<Restored, HistoryError> {
        self.store = None;
        let mut salvaged = Restored::default();
        if let Some(path) = self.place.path() {
            let other = |error: std::io::Error| HistoryError::Other {
                path: path.to_owned(),
                detail: format!("it is damaged and cannot be moved aside: {error}"),
            };
            let aside = move_aside(path).map_err(other)?;
            // What this program has written itself, it knows better.
            if self.kept.is_empty() {
                salvaged = salvage(&aside);
            }
            queue.notice(format!("{why}; it was moved to {} and a new one begun", aside.display()));
        }
        self.store = Some(Store::open(&self.place)?);
        self.kept.put_before(&Ledger::of(&salvaged));
        self.write_kept()?;
        Ok(salvaged)
    }

    fn write_kept(&mut self) -> Result<(), HistoryError> {
        let batch = Batch::of(self.kept.clone());
        self.store.as_mut().map_or(Ok(()), |store| store.write(&batch))
    }
}
