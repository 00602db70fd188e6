//! What waits to be written. Nobody who adds to it ever waits for the disk.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::record::{OutboxMessage, Restored, Step};
use crate::incident::Change;

/// How much may wait. What is beyond it is dropped and counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueLimits {
    /// Rounds.
    pub rounds: usize,
    /// Bytes of rounds and of changes to incidents.
    pub bytes: usize,
}

impl Default for QueueLimits {
    /// What 5,000 checks of a period of 30 seconds say in five minutes.
    fn default() -> Self {
        Self { rounds: 50_000, bytes: 32 * 1024 * 1024 }
    }
}

/// How long a round may wait for others to be written with it.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// So many rounds are written at once, if so many wait.
const BATCH: usize = 500;

/// What is written in the order of its arrival.
#[derive(Debug)]
pub(super) enum Entry {
    /// A round.
    Round(QueuedRound),
    /// A check is not watched any more.
    Unwatched { check: String, at: Timestamp },
}

/// A round that is encoded already.
#[derive(Debug)]
pub(super) struct QueuedRound {
    pub(super) check: String,
    pub(super) start: Timestamp,
    pub(super) data: Vec<u8>,
    pub(super) outcome: Option<String>,
}

impl Entry {
    fn bytes(&self) -> usize {
        match self {
            Self::Round(round) => {
                round.check.len() + round.data.len() + round.outcome.as_ref().map_or(0, String::len)
            }
            Self::Unwatched { check, .. } => check.len(),
        }
    }
}

/// What replaces something, or belongs together. Of what replaces the same thing, the latest is enough.
#[derive(Debug, Clone, Default)]
pub(super) struct Ledger {
    pub(super) state: BTreeMap<String, String>,
    pub(super) changes: Vec<Change>,
    /// Messages by name; none for one that is done.
    pub(super) messages: BTreeMap<String, Option<OutboxMessage>>,
}

impl Ledger {
    pub(super) fn is_empty(&self) -> bool {
        self.state.is_empty() && self.changes.is_empty() && self.messages.is_empty()
    }

    fn add(&mut self, step: Step) {
        self.state.extend(step.state);
        self.changes.extend(step.changes);
        self.messages.extend(step.messages.into_iter().map(|message| (message.id.clone(), Some(message))));
        self.messages.extend(step.done.into_iter().map(|id| (id, None)));
    }

    /// What was found in the file.
    pub(super) fn of(restored: &Restored) -> Self {
        let messages = restored.outbox.iter();
        let messages = messages.map(|message| (message.id.clone(), Some(message.clone()))).collect();
        Self { state: restored.state.clone(), changes: Vec::new(), messages }
    }

    /// Takes over what a file holds after this is written.
    pub(super) fn keep(&mut self, written: &Self) {
        self.state.extend(written.state.clone());
        self.messages.extend(written.messages.clone());
        self.messages.retain(|_, message| message.is_some());
    }

    /// Adds what came earlier, unless it was replaced since.
    pub(super) fn put_before(&mut self, earlier: &Self) {
        for (name, json) in &earlier.state {
            self.state.entry(name.clone()).or_insert_with(|| json.clone());
        }
        for (id, message) in &earlier.messages {
            self.messages.entry(id.clone()).or_insert_with(|| message.clone());
        }
    }

    /// Adds what came later.
    pub(super) fn append(&mut self, mut later: Self) {
        self.state.append(&mut later.state);
        self.changes.append(&mut later.changes);
        self.messages.append(&mut later.messages);
    }
}

/// What is written in one transaction.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) entries: Vec<Entry>,
    pub(super) ledger: Ledger,
    /// How much had arrived when it was taken.
    arrived: u64,
}

impl Batch {
    /// A batch of what was written before.
    pub(super) fn of(ledger: Ledger) -> Self {
        Self { ledger, ..Self::default() }
    }

    /// When the round began that arrived last.
    pub(super) fn latest(&self) -> Option<Timestamp> {
        self.entries.iter().rev().find_map(|entry| match entry {
            Entry::Round(round) => Some(round.start),
            Entry::Unwatched { .. } => None,
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.ledger.is_empty()
    }
}

/// How the history is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// How many rounds wait to be written.
    pub queue_length: usize,
    /// How many rounds and changes were dropped since the start because too many waited.
    pub dropped: u64,
    /// Why nothing can be written at the moment, as a sentence; none while it can.
    pub problem: Option<String>,
}

/// How far the queue is from its end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    #[default]
    Open,
    /// What waits is to be written once more.
    Closing,
    /// That is under way.
    LastTry,
    Closed,
}

impl End {
    /// A try begins.
    fn advance(&mut self) {
        if *self == Self::Closing {
            *self = Self::LastTry;
        }
    }
}

#[derive(Debug, Default)]
struct Waiting {
    entries: VecDeque<Entry>,
    ledger: Ledger,
    /// Entries and bytes that are not written yet, those in the writer's hands included.
    length: usize,
    bytes: usize,
    arrived: u64,
    written: u64,
    is_flushed: bool,
    end: End,
    dropped: u64,
    problem: Option<String>,
    notices: Vec<String>,
}

/// The queue between those who measure and the thread that writes.
#[derive(Debug)]
pub(super) struct Queue {
    limits: QueueLimits,
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

impl Queue {
    pub(super) fn new(limits: QueueLimits) -> Self {
        Self { limits, waiting: Mutex::default(), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a round, or drops it.
    pub(super) fn push(&self, entry: Entry) {
        let mut waiting = self.lock();
        let bytes = entry.bytes();
        let is_round = matches!(entry, Entry::Round(_));
        let is_full = waiting.length >= self.limits.rounds || waiting.bytes + bytes > self.limits.bytes;
        if waiting.end == End::Closed || (is_round && is_full) {
            waiting.dropped += 1;
            return;
        }
        waiting.length += 1;
        waiting.bytes += bytes;
        waiting.arrived += 1;
        waiting.entries.push_back(entry);
        // The writer counts its own time; it is only woken for the first round and for a full batch.
        let is_worth_waking = waiting.entries.len() == 1 || waiting.entries.len() == BATCH;
        drop(waiting);
        if is_worth_waking {
            self.changed.notify_all();
        }
    }

    /// Adds what belongs together. Of changes beyond the limit the oldest are dropped; state and messages never are.
    pub(super) fn commit(&self, step: Step) {
        let mut waiting = self.lock();
        waiting.ledger.add(step);
        waiting.arrived += 1;
        let most = self.limits.rounds;
        if let Some(excess) = waiting.ledger.changes.len().checked_sub(most) {
            waiting.ledger.changes.drain(..excess);
            waiting.dropped += excess as u64;
        }
        drop(waiting);
        self.changed.notify_all();
    }

    /// Waits for something to write. Empty only when the queue is closed and everything is taken.
    pub(super) fn take(&self) -> Batch {
        let is_idle = |waiting: &mut Waiting| {
            waiting.entries.is_empty() && waiting.ledger.is_empty() && waiting.end == End::Open
        };
        let waiting = self.changed.wait_while(self.lock(), is_idle).unwrap_or_else(PoisonError::into_inner);
        let may_wait = |waiting: &mut Waiting| {
            let is_urgent = waiting.end > End::Open || waiting.is_flushed || !waiting.ledger.is_empty();
            !is_urgent && waiting.entries.len() < BATCH
        };
        let (mut waiting, _) = self
            .changed
            .wait_timeout_while(waiting, LONGEST_WAIT, may_wait)
            .unwrap_or_else(PoisonError::into_inner);
        waiting.end.advance();
        let taken = waiting.entries.len().min(2 * BATCH);
        Batch {
            entries: waiting.entries.drain(..taken).collect(),
            ledger: std::mem::take(&mut waiting.ledger),
            arrived: waiting.arrived - waiting.entries.len() as u64,
        }
    }

    /// A batch is written.
    pub(super) fn written(&self, batch: &Batch) {
        let mut waiting = self.lock();
        waiting.length -= batch.entries.len();
        waiting.bytes -= batch.entries.iter().map(Entry::bytes).sum::<usize>();
        waiting.written = batch.arrived;
        waiting.is_flushed &= waiting.written < waiting.arrived;
        waiting.problem = None;
        drop(waiting);
        self.changed.notify_all();
    }

    /// A batch could not be written. Waits before the next try, not longer than until the queue is closed, and adds
    /// what replaces parts of the batch meanwhile. Returns whether there is to be a next try.
    pub(super) fn failed(&self, problem: String, pause: Duration, batch: &mut Batch) -> bool {
        let mut waiting = self.lock();
        waiting.problem = Some(problem);
        // One that began before may have met what is over by now, and lacks what has come since.
        if waiting.end >= End::LastTry {
            return false;
        }
        let (mut waiting, _) = self
            .changed
            .wait_timeout_while(waiting, pause, |waiting| waiting.end == End::Open)
            .unwrap_or_else(PoisonError::into_inner);
        batch.ledger.append(std::mem::take(&mut waiting.ledger));
        batch.arrived = waiting.arrived - waiting.entries.len() as u64;
        waiting.end.advance();
        true
    }

    /// The writer ends.
    pub(super) fn ended(&self) {
        let mut waiting = self.lock();
        waiting.end = End::Closed;
        waiting.dropped += waiting.length as u64;
        drop(waiting);
        self.changed.notify_all();
    }

    /// Nothing can be written, from the start.
    pub(super) fn problem(&self, problem: String) {
        self.lock().problem = Some(problem);
    }

    /// Something that the operator should read once.
    pub(super) fn notice(&self, notice: String) {
        self.lock().notices.push(notice);
    }

    pub(super) fn take_notices(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().notices)
    }

    pub(super) fn health(&self) -> Health {
        let waiting = self.lock();
        Health { queue_length: waiting.length, dropped: waiting.dropped, problem: waiting.problem.clone() }
    }

    /// Waits until everything that has arrived is written. Returns whether it is.
    pub(super) fn flush(&self, within: Duration) -> bool {
        let mut waiting = self.lock();
        let arrived = waiting.arrived;
        waiting.is_flushed = true;
        self.changed.notify_all();
        let (waiting, _) = self
            .changed
            .wait_timeout_while(waiting, within, |waiting| {
                waiting.written < arrived && waiting.end < End::Closed
            })
            .unwrap_or_else(PoisonError::into_inner);
        waiting.written >= arrived
    }

    /// Lets the writer write what waits, once, and end. Returns whether it ended in time.
    pub(super) fn close(&self, within: Duration) -> bool {
        let mut waiting = self.lock();
        waiting.end = waiting.end.max(End::Closing);
        self.changed.notify_all();
        let (waiting, _) = self
            .changed
            .wait_timeout_while(waiting, within, |waiting| waiting.end < End::Closed)
            .unwrap_or_else(PoisonError::into_inner);
        waiting.end == End::Closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_try_that_was_under_way_when_the_queue_closed_is_followed_by_one_more() {
        let queue = Queue::new(QueueLimits::default());
        let done = |name: &str| Step { done: vec![name.to_owned()], ..Step::default() };
        queue.commit(done("1-a-1"));
        let mut batch = queue.take();
        queue.commit(done("1-a-2"));
        assert!(!queue.close(Duration::ZERO), "the writer has not ended");
        // It does not wait: nobody may wait for it.
        assert!(queue.failed("the disk was full".to_owned(), Duration::from_hours(1), &mut batch));
        assert_eq!(batch.ledger.messages.len(), 2);
        assert!(!queue.failed("the disk is full".to_owned(), Duration::ZERO, &mut batch));
    }
}
