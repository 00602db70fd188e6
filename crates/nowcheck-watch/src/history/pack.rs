//! Packs the rounds of hours that are over: from the log to blocks, and to minutes, hours and days.
//!
//! A transaction packs some checks and removes what it packed from the log, so nothing is packed twice or lost. What is
//! written follows from all rounds of the hours concerned and the last one before them. A round that arrives late, because
//! the clock went back, has its hours made anew.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::block;
use super::level::{DAY, HOUR, Level, MINUTE, floor};
use super::record::RoundRecord;
use super::rows::{CheckRow, start};
use super::stands::{Stretch, summarize};
use super::summary::{Chunk, Summary};

/// So many checks are packed in one transaction, so that rounds do not have to wait long.
const CHECKS: i64 = 200;

/// Packs all rounds that began before this instant, which is the end of an hour.
pub(super) fn pack(connection: &mut Connection, closed: i64) -> rusqlite::Result<()> {
    let mut after = 0;
    while let Some(last) = pack_some(connection, after, closed)? {
        after = last;
    }
    Ok(())
}

/// Packs the next checks after this id. Returns the last one.
fn pack_some(connection: &mut Connection, after: i64, closed: i64) -> rusqlite::Result<Option<i64>> {
    let transaction = Transaction::new(connection, TransactionBehavior::Immediate)?;
    let select = "SELECT id, name, first, packed FROM checks WHERE id > ?1 ORDER BY id LIMIT ?2";
    let checks: Vec<CheckRow> = transaction
        .prepare_cached(select)?
        .query_map([after, CHECKS], CheckRow::read)?
        .collect::<rusqlite::Result<_>>()?;
    let Some(last) = checks.last().map(|check| check.id) else { return Ok(None) };
    let mut rounds = log(&transaction, [after, last, closed])?;
    for check in &checks {
        let fresh = rounds.remove(&check.id).unwrap_or_default();
        let fresh = fresh.iter().flat_map(|data| block::decode(&check.name, data).unwrap_or_default());
        pack_check(&transaction, check, fresh.collect(), closed)?;
    }
    let delete = "DELETE FROM log WHERE check_id > ?1 AND check_id <= ?2 AND start < ?3";
    transaction.prepare_cached(delete)?.execute([after, last, closed])?;
    let update = "UPDATE checks SET packed = max(packed, ?3) WHERE id > ?1 AND id <= ?2";
    transaction.prepare_cached(update)?.execute([after, last, closed])?;
    transaction.commit()?;
    Ok(Some(last))
}

/// The rounds to pack, by check, each in the order of their beginning.
fn log(connection: &Connection, range: [i64; 3]) -> rusqlite::Result<BTreeMap<i64, Vec<Vec<u8>>>> {
    let select = "SELECT check_id, data FROM log WHERE check_id > ?1 AND check_id <= ?2 AND start < ?3
        ORDER BY check_id, start, id";
    let mut select = connection.prepare_cached(select)?;
    let mut rows = select.query(range)?;
    let mut rounds = BTreeMap::<i64, Vec<Vec<u8>>>::new();
    while let Some(row) = rows.next()? {
        rounds.entry(row.get(0)?).or_default().push(row.get(1)?);
    }
    Ok(rounds)
}

fn pack_check(
    connection: &Connection,
    check: &CheckRow,
    fresh: Vec<RoundRecord>,
    closed: i64,
) -> rusqlite::Result<()> {
    let late = fresh.first().map(|round| floor(start(round), HOUR));
    let packed = Some(check.packed).filter(|packed| *packed > 0);
    let Some(from) = packed.into_iter().chain(late).min().filter(|from| *from < closed) else {
        return Ok(());
    };
    let within = Stretch { from, until: closed };
    let mut blocks = check.blocks(connection, within)?;
    let known: BTreeSet<i64> = blocks.keys().copied().collect();
    let changed: BTreeSet<i64> = fresh.iter().map(|round| floor(start(round), HOUR)).collect();
    for round in fresh {
        blocks.entry(floor(start(&round), HOUR)).or_default().push(round);
    }
    for hour in changed {
        if let Some(rounds) = blocks.get_mut(&hour) {
            rounds.sort_by_key(start);
            check.put_block(connection, hour, rounds)?;
        }
    }
    let before = check.last_before(connection, from)?;
    let rounds: Vec<RoundRecord> = before.into_iter().chain(blocks.into_values().flatten()).collect();
    let minutes = summarize(&rounds, &check.unwatched(connection)?, within, MINUTE);
    Summaries { connection, check, within, known }.replace(minutes)
}

/// The summaries of a stretch of whole hours, which are made anew.
#[derive(Debug)]
struct Summaries<'a> {
    connection: &'a Connection,
    check: &'a CheckRow,
    within: Stretch,
    /// The hours whose rounds are known from before.
    known: BTreeSet<i64>,
}

impl Summaries<'_> {
    fn replace(&self, minutes: BTreeMap<i64, Summary>) -> rusqlite::Result<()> {
        let days = Stretch { from: floor(self.within.from, DAY), until: self.within.until };
        let mut hours = self.check.chunks(self.connection, Level::Hours, days)?;
        let is_new: BTreeSet<i64> = (minutes.keys().map(|minute| floor(*minute, DAY)))
            .filter(|day| !hours.contains_key(day))
            .collect();
        let closed = self.closed(&hours);
        let fresh = by_hour(minutes, &closed);
        self.replace_minutes(&fresh, &closed)?;
        for (day, chunk) in &mut hours {
            chunk.retain(|nth, _| {
                let hour = day + offset(*nth, HOUR);
                hour < self.within.from || closed.contains(&hour)
            });
        }
        for (hour, minutes) in &fresh {
            let day = floor(*hour, DAY);
            hours.entry(day).or_default().insert(number(hour - day, HOUR), merged(minutes.values()));
        }
        for (day, chunk) in &hours {
            self.check.put_chunk(self.connection, Level::Hours, *day, chunk)?;
        }
        self.replace_days(&hours, &is_new)
    }

    /// Hours with rounds that are no longer kept. They cannot be made anew, so they stay.
    fn closed(&self, hours: &BTreeMap<i64, Chunk>) -> BTreeSet<i64> {
        let of_day = |(day, chunk): (&i64, &Chunk)| {
            let with_rounds = chunk.iter().filter(|(_, summary)| summary.rounds.total() > 0);
            with_rounds.map(|(nth, _)| day + offset(*nth, HOUR)).collect::<Vec<_>>()
        };
        let all = hours.iter().flat_map(of_day);
        all.filter(|hour| self.within.from <= *hour && !self.known.contains(hour)).collect()
    }

    fn replace_minutes(&self, fresh: &BTreeMap<i64, Chunk>, closed: &BTreeSet<i64>) -> rusqlite::Result<()> {
        for hour in self.check.chunks(self.connection, Level::Minutes, self.within)?.into_keys() {
            if !closed.contains(&hour) && !fresh.contains_key(&hour) {
                self.check.put_chunk(self.connection, Level::Minutes, hour, &Chunk::new())?;
            }
        }
        for (hour, chunk) in fresh {
            self.check.put_chunk(self.connection, Level::Minutes, *hour, chunk)?;
        }
        Ok(())
    }

    fn replace_days(&self, hours: &BTreeMap<i64, Chunk>, is_new: &BTreeSet<i64>) -> rusqlite::Result<()> {
        let mut rows = self.check.chunks(self.connection, Level::Days, self.within)?;
        for (day, hours) in hours {
            let row = floor(*day, Level::Days.row());
            let chunk = rows.entry(row).or_default();
            let nth = number(day - row, DAY);
            let is_closed =
                is_new.contains(day) && chunk.get(&nth).is_some_and(|known| known.rounds.total() > 0);
            if !is_closed {
                chunk.remove(&nth);
                if !hours.is_empty() {
                    chunk.insert(nth, merged(hours.values()));
                }
            }
        }
        for (row, chunk) in rows {
            self.check.put_chunk(self.connection, Level::Days, row, &chunk)?;
        }
        Ok(())
    }
}

fn by_hour(minutes: BTreeMap<i64, Summary>, closed: &BTreeSet<i64>) -> BTreeMap<i64, Chunk> {
    let mut hours = BTreeMap::<i64, Chunk>::new();
    for (minute, summary) in minutes {
        let hour = floor(minute, HOUR);
        if !closed.contains(&hour) {
            hours.entry(hour).or_default().insert(number(minute - hour, MINUTE), summary);
        }
    }
    hours
}

fn merged<'a>(summaries: impl Iterator<Item = &'a Summary>) -> Summary {
    summaries.fold(Summary::default(), |mut merged, summary| {
        merged.merge(summary);
        merged
    })
}

/// The number of a unit in a row.
pub(super) fn number(offset: i64, unit: i64) -> u64 {
    u64::try_from(offset / unit).unwrap_or_default()
}

/// Where a unit of that number begins in a row.
pub(super) fn offset(number: u64, unit: i64) -> i64 {
    i64::try_from(number).unwrap_or_default().saturating_mul(unit)
}
