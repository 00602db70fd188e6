//! Removes what is older than it is to be kept.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::level::{DAY, HOUR, Level, floor, key};
use super::store::outcome_key;

/// How long what is kept. Days are kept for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Each round.
    pub rounds: Duration,
    /// Minutes; not less than rounds.
    pub minutes: Duration,
    /// Hours, and incidents that are over; not less than minutes.
    pub hours: Duration,
}

/// An hour in the life of the writer.
const NEWEST: &str = "newest";

/// Removes what is too old at this instant, the end of an hour.
///
/// If the clock seems to have made a leap, nothing is removed this time: a clock that is wrong for less than an hour costs
/// no history.
pub(super) fn prune(connection: &mut Connection, now: i64, retention: Retention) -> rusqlite::Result<()> {
    let transaction = Transaction::new(connection, TransactionBehavior::Immediate)?;
    let select = "SELECT at FROM progress WHERE name = ?1";
    let before: Option<i64> = transaction.query_row(select, [NEWEST], |row| row.get(0)).optional()?;
    let insert = "INSERT OR REPLACE INTO progress (name, at) VALUES (?1, ?2)";
    transaction.execute(insert, params![NEWEST, now])?;
    let is_leap = before.is_some_and(|before| now - before > DAY);
    if !is_leap {
        remove(&transaction, now, retention)?;
    }
    transaction.commit()
}

fn remove(connection: &Connection, now: i64, retention: Retention) -> rusqlite::Result<()> {
    let before = |kept: Duration, row: i64| {
        let kept = i64::try_from(kept.as_millis()).unwrap_or(i64::MAX);
        floor(now.saturating_sub(kept).max(0), row)
    };
    let rounds = before(retention.rounds, HOUR);
    let minutes = before(retention.minutes, Level::Minutes.row());
    let hours = before(retention.hours, Level::Hours.row());
    let ids: Vec<i64> = connection
        .prepare_cached("SELECT id FROM checks")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for id in ids {
        let rows = [
            ("DELETE FROM blocks WHERE key >= ?1 AND key < ?2", key(id, 0, HOUR), key(id, rounds, HOUR)),
            (
                "DELETE FROM outcomes WHERE key >= ?1 AND key < ?2",
                outcome_key(id, 0),
                outcome_key(id, rounds),
            ),
            ("DELETE FROM minutes WHERE key >= ?1 AND key < ?2", key(id, 0, HOUR), key(id, minutes, HOUR)),
            ("DELETE FROM hours WHERE key >= ?1 AND key < ?2", key(id, 0, DAY), key(id, hours, DAY)),
        ];
        for (delete, from, until) in rows {
            connection.prepare_cached(delete)?.execute([from, until])?;
        }
    }
    let changes = "DELETE FROM changes WHERE incident IN (SELECT id FROM incidents WHERE until < ?1)";
    connection.prepare_cached(changes)?.execute([hours])?;
    connection.prepare_cached("DELETE FROM incidents WHERE until < ?1")?.execute([hours])?;
    Ok(())
}
