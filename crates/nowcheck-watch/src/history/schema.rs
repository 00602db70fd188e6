//! The tables of the file, and how a file of an earlier version becomes one of today.
//!
//! A key of `blocks`, `minutes`, `hours` and `days` is the check's id and the number of the stretch of time, so that the
//! rows of a check lie side by side. What they hold is in `block.rs` and `summary.rs`.

use rusqlite::{Connection, Transaction, TransactionBehavior};

/// Marks a file as one of this program: `NwCk`.
pub(super) const APPLICATION_ID: i32 = 0x4e77_436b;

/// One for each version, in order. One that was released is never changed: add the next.
pub(super) const MIGRATIONS: [&str; 1] = [VERSION_1];

const VERSION_1: &str = "
CREATE TABLE checks (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    first INTEGER NOT NULL,              -- when its first round began
    packed INTEGER NOT NULL DEFAULT 0    -- rounds before this instant are in the summaries
) STRICT;
CREATE TABLE unwatched (                 -- stretches in which a check was not watched
    check_id INTEGER NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER
) STRICT;
CREATE INDEX unwatched_of_check ON unwatched (check_id);
CREATE TABLE log (                       -- rounds that are not packed yet, in the order of their arrival
    id INTEGER PRIMARY KEY,
    check_id INTEGER NOT NULL,
    start INTEGER NOT NULL,
    data BLOB NOT NULL
) STRICT;
CREATE TABLE blocks (key INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;   -- rounds of an hour
CREATE TABLE minutes (key INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;  -- of an hour
CREATE TABLE hours (key INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;    -- of a day
CREATE TABLE days (key INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;     -- of 32 days
CREATE TABLE outcomes (key INTEGER PRIMARY KEY, json TEXT NOT NULL) STRICT; -- of rounds that were not ok
CREATE TABLE progress (name TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE state (name TEXT PRIMARY KEY, json TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE incidents (
    id TEXT PRIMARY KEY,
    scope TEXT NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX incidents_by_time ON incidents (since);
CREATE TABLE changes (
    id INTEGER PRIMARY KEY,
    incident TEXT NOT NULL,
    json TEXT NOT NULL
) STRICT;
CREATE INDEX changes_of_incident ON changes (incident);
CREATE TABLE outbox (
    id TEXT PRIMARY KEY,
    receiver TEXT NOT NULL,
    body TEXT NOT NULL,
    first_try INTEGER NOT NULL,
    next_try INTEGER NOT NULL,
    tries INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

/// The version of a file that this program writes.
pub(super) fn newest() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// Brings a file up to today's version, each step in a transaction of its own.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    loop {
        let transaction = Transaction::new(connection, TransactionBehavior::Immediate)?;
        let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let Some(migration) = usize::try_from(version).ok().and_then(|version| MIGRATIONS.get(version))
        else {
            return Ok(());
        };
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", version + 1)?;
        transaction.commit()?;
    }
}
