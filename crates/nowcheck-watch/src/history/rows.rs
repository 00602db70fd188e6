//! Reads and writes the rows of one check.
//!
//! A row whose bytes cannot be read counts as if it were not there: its time is unknown, and the rest of the history stays.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::block;
use super::level::{HOUR, Level, key, start_of};
use super::record::RoundRecord;
use super::stands::Stretch;
use super::summary::{self, Chunk};
use super::units::{LAST_MILLISECOND, milliseconds};

/// A check in the file.
#[derive(Debug, Clone)]
pub(super) struct CheckRow {
    pub(super) id: i64,
    pub(super) name: String,
    /// When its first round began.
    pub(super) first: i64,
    /// Rounds before this instant are in the summaries; zero before any is.
    pub(super) packed: i64,
}

impl CheckRow {
    /// From the columns id, name, first, packed.
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { id: row.get(0)?, name: row.get(1)?, first: row.get(2)?, packed: row.get(3)? })
    }

    pub(super) fn named(connection: &Connection, name: &str) -> rusqlite::Result<Option<Self>> {
        let select = "SELECT id, name, first, packed FROM checks WHERE name = ?1";
        connection.prepare_cached(select)?.query_row([name], Self::read).optional()
    }

    /// Stretches in which the check was not watched. One that goes on has no end.
    pub(super) fn unwatched(&self, connection: &Connection) -> rusqlite::Result<Vec<Stretch>> {
        let select = "SELECT since, coalesce(until, ?2) FROM unwatched WHERE check_id = ?1";
        let mut select = connection.prepare_cached(select)?;
        let stretch = |row: &Row<'_>| Ok(Stretch { from: row.get(0)?, until: row.get(1)? });
        select.query_map([self.id, i64::MAX], stretch)?.collect()
    }

    /// The rounds of the hours that begin within the stretch, by hour, as far as they are packed.
    pub(super) fn blocks(
        &self,
        connection: &Connection,
        within: Stretch,
    ) -> rusqlite::Result<BTreeMap<i64, Vec<RoundRecord>>> {
        let select = "SELECT key, data FROM blocks WHERE key >= ?1 AND key < ?2";
        let mut select = connection.prepare_cached(select)?;
        let block = |row: &Row<'_>| {
            let rounds = block::decode(&self.name, row.get_ref(1)?.as_blob()?).unwrap_or_default();
            Ok((start_of(row.get(0)?, HOUR), rounds))
        };
        select.query_map(self.keys(within, HOUR), block)?.collect()
    }

    /// The same, the latest hour first, as long as whoever takes them wants more.
    pub(super) fn blocks_backwards(
        &self,
        connection: &Connection,
        within: Stretch,
        mut take: impl FnMut(i64, Vec<RoundRecord>) -> ControlFlow<()>,
    ) -> rusqlite::Result<()> {
        let select = "SELECT key, data FROM blocks WHERE key >= ?1 AND key < ?2 ORDER BY key DESC";
        let mut select = connection.prepare_cached(select)?;
        let mut rows = select.query(self.keys(within, HOUR))?;
        while let Some(row) = rows.next()? {
            let rounds = block::decode(&self.name, row.get_ref(1)?.as_blob()?).unwrap_or_default();
            if take(start_of(row.get(0)?, HOUR), rounds).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// The last round before an hour, as far as rounds are packed.
    pub(super) fn last_before(
        &self,
        connection: &Connection,
        hour: i64,
    ) -> rusqlite::Result<Option<RoundRecord>> {
        let select = "SELECT data FROM blocks WHERE key >= ?1 AND key < ?2 ORDER BY key DESC LIMIT 1";
        let mut select = connection.prepare_cached(select)?;
        let last = |row: &Row<'_>| {
            Ok(block::decode(&self.name, row.get_ref(0)?.as_blob()?).unwrap_or_default().pop())
        };
        let found = select.query_row(self.keys(Stretch { from: 0, until: hour }, HOUR), last).optional()?;
        Ok(found.flatten())
    }

    pub(super) fn put_block(
        &self,
        connection: &Connection,
        hour: i64,
        rounds: &[RoundRecord],
    ) -> rusqlite::Result<()> {
        let insert = "INSERT OR REPLACE INTO blocks (key, data) VALUES (?1, ?2)";
        let key = key(self.id, hour, HOUR);
        connection.prepare_cached(insert)?.execute(params![key, block::encode(rounds)])?;
        Ok(())
    }

    /// The rounds that are not packed yet, in the order of their beginning.
    pub(super) fn unpacked(&self, connection: &Connection) -> rusqlite::Result<Vec<RoundRecord>> {
        let select = "SELECT data FROM log WHERE check_id = ?1 ORDER BY start, id";
        let mut select = connection.prepare_cached(select)?;
        let rounds =
            |row: &Row<'_>| Ok(block::decode(&self.name, row.get_ref(0)?.as_blob()?).unwrap_or_default());
        let rounds: Vec<_> = select.query_map([self.id], rounds)?.collect::<rusqlite::Result<_>>()?;
        Ok(rounds.into_iter().flatten().collect())
    }

    /// The summaries of a level in the rows that begin within the stretch, by the beginning of the row.
    pub(super) fn chunks(
        &self,
        connection: &Connection,
        level: Level,
        within: Stretch,
    ) -> rusqlite::Result<BTreeMap<i64, Chunk>> {
        let select = format!("SELECT key, data FROM {} WHERE key >= ?1 AND key < ?2", level.table());
        let mut select = connection.prepare_cached(&select)?;
        let chunk = |row: &Row<'_>| {
            let chunk = summary::decode(row.get_ref(1)?.as_blob()?).unwrap_or_default();
            Ok((start_of(row.get(0)?, level.row()), chunk))
        };
        select.query_map(self.keys(within, level.row()), chunk)?.collect()
    }

    /// Replaces a row of summaries. An empty one is removed.
    pub(super) fn put_chunk(
        &self,
        connection: &Connection,
        level: Level,
        at: i64,
        chunk: &Chunk,
    ) -> rusqlite::Result<()> {
        let key = key(self.id, at, level.row());
        if chunk.is_empty() {
            let delete = format!("DELETE FROM {} WHERE key = ?1", level.table());
            connection.prepare_cached(&delete)?.execute([key])?;
        } else {
            let insert = format!("INSERT OR REPLACE INTO {} (key, data) VALUES (?1, ?2)", level.table());
            connection.prepare_cached(&insert)?.execute(params![key, summary::encode(chunk)])?;
        }
        Ok(())
    }

    /// The beginning of the first row of a level.
    pub(super) fn oldest(&self, connection: &Connection, level: Level) -> rusqlite::Result<Option<i64>> {
        let select = format!("SELECT min(key) FROM {} WHERE key >= ?1 AND key < ?2", level.table());
        let all = Stretch { from: 0, until: LAST_MILLISECOND };
        let mut select = connection.prepare_cached(&select)?;
        let oldest: Option<i64> = select.query_row(self.keys(all, level.row()), |row| row.get(0))?;
        Ok(oldest.map(|key| start_of(key, level.row())))
    }

    /// The keys of the rows that begin within the stretch; the first one may begin before it.
    fn keys(&self, within: Stretch, row: i64) -> [i64; 2] {
        if within.until <= within.from {
            return [0, 0];
        }
        let until = (within.until - 1).clamp(0, LAST_MILLISECOND);
        [key(self.id, within.from, row), key(self.id, until, row) + 1]
    }
}

/// The instant at which a round began, in milliseconds.
pub(super) fn start(round: &RoundRecord) -> i64 {
    milliseconds(round.start)
}
