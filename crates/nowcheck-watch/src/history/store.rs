//! Writes batches: each is one transaction.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};

use super::error::HistoryError;
use super::file;
use super::level::{HOUR, MINUTE, floor};
use super::pack::pack;
use super::place::HistoryPlace;
use super::queue::{Batch, Entry, Ledger, QueuedRound};
use super::record::{OutboxMessage, Restored};
use super::retention::{Retention, prune};
use super::units::{milliseconds, timestamp};
use crate::incident::{Change, ChangeKind};

/// A check as the writer knows it.
#[derive(Debug, Clone, Copy)]
struct KnownCheck {
    id: i64,
    is_watched: bool,
}

/// The open file, and what is known of it.
#[derive(Debug)]
pub(super) struct Store {
    place: HistoryPlace,
    connection: Connection,
    checks: HashMap<String, KnownCheck>,
    /// The end of the hour until which this program packed.
    packed: Option<i64>,
    /// Which file it is. What is written to one that was removed would be lost.
    identity: Option<(u64, u64)>,
}

/// So long after the end of an hour its rounds are packed: the last of them may take as long.
const GRACE: i64 = 2 * MINUTE;

impl Store {
    pub(super) fn open(place: &HistoryPlace) -> Result<Self, HistoryError> {
        let connection = file::open_to_write(place)?;
        connection.set_prepared_statement_cache_capacity(32);
        let identity = place.path().and_then(identity);
        Ok(Self { place: place.clone(), connection, identity, checks: HashMap::new(), packed: None })
    }

    /// What was stored by the program that ran before.
    pub(super) fn restore(&self) -> Result<Restored, HistoryError> {
        restored(&self.connection).map_err(|error| HistoryError::of(self.place.shown(), &error))
    }

    /// Writes all of it or nothing.
    pub(super) fn write(&mut self, batch: &Batch) -> Result<(), HistoryError> {
        if let Some(path) = self.place.path().filter(|path| identity(path) != self.identity) {
            return Err(HistoryError::Replaced { path: path.to_owned() });
        }
        let written = self.try_write(batch);
        if written.is_err() {
            // A check whose row was rolled back is not known.
            self.checks.clear();
        }
        written.map_err(|error| HistoryError::of(self.place.shown(), &error))
    }

    /// Packs the hours that are over by the latest round, and removes what is too old.
    pub(super) fn maintain(&mut self, latest: Timestamp, retention: Retention) -> Result<(), HistoryError> {
        let closed = floor(milliseconds(latest) - GRACE, HOUR).max(0);
        if self.packed == Some(closed) {
            return Ok(());
        }
        let maintained = pack(&mut self.connection, closed)
            .and_then(|()| prune(&mut self.connection, closed, retention))
            .map_err(|error| HistoryError::of(self.place.shown(), &error));
        // What failed is tried again after the next hour, with all that is in the log.
        self.packed = Some(closed);
        maintained
    }

    fn try_write(&mut self, batch: &Batch) -> rusqlite::Result<()> {
        let transaction = Transaction::new(&mut self.connection, TransactionBehavior::Immediate)?;
        for entry in &batch.entries {
            match entry {
                Entry::Round(round) => write_round(&transaction, &mut self.checks, round)?,
                Entry::Unwatched { check, at } => end(&transaction, &mut self.checks, check, *at)?,
            }
        }
        write_ledger(&transaction, &batch.ledger)?;
        transaction.commit()
    }
}

/// The device and the number of a file.
fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

/// What is stored of the parts of the monitor.
pub(super) const STATE: &str = "SELECT name, json FROM state";

/// What is not delivered.
pub(super) const OUTBOX: &str =
    "SELECT id, receiver, body, first_try, next_try, tries FROM outbox ORDER BY id";

fn restored(connection: &Connection) -> rusqlite::Result<Restored> {
    let state = connection.prepare(STATE)?.query_map([], state)?.collect::<Result<_, _>>()?;
    let outbox = connection.prepare(OUTBOX)?.query_map([], message)?.collect::<Result<_, _>>()?;
    Ok(Restored { state, outbox })
}

pub(super) fn state(row: &Row<'_>) -> rusqlite::Result<(String, String)> {
    Ok((row.get(0)?, row.get(1)?))
}

pub(super) fn message(row: &Row<'_>) -> rusqlite::Result<OutboxMessage> {
    Ok(OutboxMessage {
        id: row.get(0)?,
        receiver: row.get(1)?,
        body: row.get(2)?,
        first_try: timestamp(row.get(3)?),
        next_try: timestamp(row.get(4)?),
        tries: row.get(5)?,
    })
}

/// The check of that name, which is made if there is none.
fn known_check(
    connection: &Connection,
    checks: &mut HashMap<String, KnownCheck>,
    name: &str,
    start: Timestamp,
) -> rusqlite::Result<KnownCheck> {
    if let Some(known) = checks.get(name) {
        return Ok(*known);
    }
    let id = connection
        .prepare_cached("SELECT id FROM checks WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    let id = if let Some(id) = id {
        id
    } else {
        let insert = "INSERT INTO checks (name, first) VALUES (?1, ?2)";
        connection.prepare_cached(insert)?.insert(params![name, milliseconds(start)])?
    };
    let open = "SELECT 1 FROM unwatched WHERE check_id = ?1 AND until IS NULL";
    let is_watched = !connection.prepare_cached(open)?.exists([id])?;
    let known = KnownCheck { id, is_watched };
    checks.insert(name.to_owned(), known);
    Ok(known)
}

fn write_round(
    connection: &Connection,
    checks: &mut HashMap<String, KnownCheck>,
    round: &QueuedRound,
) -> rusqlite::Result<()> {
    let check = known_check(connection, checks, &round.check, round.start)?;
    let start = milliseconds(round.start);
    if !check.is_watched {
        let close = "UPDATE unwatched SET until = max(since, ?2) WHERE check_id = ?1 AND until IS NULL";
        connection.prepare_cached(close)?.execute([check.id, start])?;
        checks.insert(round.check.clone(), KnownCheck { is_watched: true, ..check });
    }
    let log = "INSERT INTO log (check_id, start, data) VALUES (?1, ?2, ?3)";
    connection.prepare_cached(log)?.execute(params![check.id, start, round.data])?;
    if let Some(outcome) = &round.outcome {
        let outcomes = "INSERT OR REPLACE INTO outcomes (key, json) VALUES (?1, ?2)";
        connection.prepare_cached(outcomes)?.execute(params![outcome_key(check.id, start), outcome])?;
    }
    Ok(())
}

/// The key of what a round found.
pub(super) fn outcome_key(check: i64, start: i64) -> i64 {
    (check << 42) | start
}

fn end(
    connection: &Connection,
    checks: &mut HashMap<String, KnownCheck>,
    name: &str,
    at: Timestamp,
) -> rusqlite::Result<()> {
    let find = "SELECT id FROM checks WHERE name = ?1";
    let id: Option<i64> = connection.prepare_cached(find)?.query_row([name], |row| row.get(0)).optional()?;
    let Some(id) = id else { return Ok(()) };
    let open = "INSERT INTO unwatched (check_id, since) SELECT ?1, ?2
        WHERE NOT EXISTS (SELECT 1 FROM unwatched WHERE check_id = ?1 AND until IS NULL)";
    connection.prepare_cached(open)?.execute([id, milliseconds(at)])?;
    checks.insert(name.to_owned(), KnownCheck { id, is_watched: false });
    Ok(())
}

fn write_ledger(connection: &Connection, ledger: &Ledger) -> rusqlite::Result<()> {
    for (name, json) in &ledger.state {
        let insert = "INSERT OR REPLACE INTO state (name, json) VALUES (?1, ?2)";
        connection.prepare_cached(insert)?.execute([name, json])?;
    }
    for change in &ledger.changes {
        write_change(connection, change)?;
    }
    for (id, message) in &ledger.messages {
        match message {
            Some(message) => write_message(connection, message)?,
            None => {
                connection.prepare_cached("DELETE FROM outbox WHERE id = ?1")?.execute([id])?;
            }
        }
    }
    Ok(())
}

fn write_change(connection: &Connection, change: &Change) -> rusqlite::Result<()> {
    let json = |error: serde_json::Error| rusqlite::Error::ToSqlConversionFailure(Box::new(error));
    let id = change.incident.as_str();
    let insert = "INSERT OR IGNORE INTO incidents (id, scope, since) VALUES (?1, ?2, ?3)";
    let scope = serde_json::to_string(&change.scope).map_err(json)?;
    connection.prepare_cached(insert)?.execute(params![id, scope, milliseconds(change.since)])?;
    let insert = "INSERT INTO changes (incident, json) VALUES (?1, ?2)";
    let text = serde_json::to_string(change).map_err(json)?;
    connection.prepare_cached(insert)?.execute([id, &text])?;
    if matches!(change.kind, ChangeKind::Closed(_)) {
        let close = "UPDATE incidents SET until = ?2 WHERE id = ?1";
        connection.prepare_cached(close)?.execute(params![id, milliseconds(change.at)])?;
    }
    Ok(())
}

fn write_message(connection: &Connection, message: &OutboxMessage) -> rusqlite::Result<()> {
    let insert = "INSERT OR REPLACE INTO outbox (id, receiver, body, first_try, next_try, tries)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    connection.prepare_cached(insert)?.execute(params![
        message.id,
        message.receiver,
        message.body,
        milliseconds(message.first_try),
        milliseconds(message.next_try),
        message.tries,
    ])?;
    Ok(())
}
