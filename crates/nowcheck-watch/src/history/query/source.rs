//! Where summaries of a check come from: rows as far as it is packed, rounds after that.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use rusqlite::Connection;

use crate::history::level::{DAY, HOUR, Level, floor};
use crate::history::pack::offset;
use crate::history::record::RoundRecord;
use crate::history::rows::{CheckRow, start};
use crate::history::stands::{Stretch, summarize};
use crate::history::summary::Summary;
use crate::incident::ServiceStatus;

/// A check, and what is known of it at an instant.
#[derive(Debug)]
pub(super) struct Source<'a> {
    connection: &'a Connection,
    check: CheckRow,
    /// Summaries of what was before this instant are in rows; those of what came later are made of rounds.
    packed: i64,
    now: i64,
    unwatched: Vec<Stretch>,
    /// The rounds that are not packed yet.
    unpacked: Vec<RoundRecord>,
    /// All rounds since `packed`, and the last one before.
    tail: Vec<RoundRecord>,
}

impl<'a> Source<'a> {
    pub(super) fn new(connection: &'a Connection, check: CheckRow, now: i64) -> rusqlite::Result<Self> {
        let unwatched = check.unwatched(connection)?;
        let unpacked = check.unpacked(connection)?;
        // A clock that was ahead leaves summaries of hours that it then comes to once more.
        let first = unpacked.first().map(|round| floor(start(round), HOUR));
        let packed = first.map_or(check.packed, |first| first.min(check.packed));
        let mut tail: Vec<RoundRecord> = check.last_before(connection, packed)?.into_iter().collect();
        let again = check.blocks(connection, Stretch { from: packed, until: check.packed })?;
        tail.extend(again.into_values().flatten());
        tail.extend(unpacked.iter().cloned());
        tail.sort_by_key(start);
        Ok(Self { connection, check, packed, now, unwatched, unpacked, tail })
    }

    /// Where the present cuts a stretch off.
    pub(super) fn until_now(&self, stretch: Stretch) -> Stretch {
        stretch.intersection(Stretch { from: stretch.from, until: self.now })
    }

    /// The rounds that began within the stretch, as far as they are kept.
    pub(super) fn rounds(&self, within: Stretch) -> rusqlite::Result<Vec<RoundRecord>> {
        let blocks = self.check.blocks(self.connection, within)?;
        let mut rounds: Vec<RoundRecord> = blocks.into_values().flatten().collect();
        rounds.extend(self.unpacked.iter().cloned());
        rounds.retain(|round| within.from <= start(round) && start(round) < within.until);
        rounds.sort_by_key(start);
        Ok(rounds)
    }

    /// The last of them, at most so many. Hours before these are not even read.
    pub(super) fn last_rounds(&self, within: Stretch, most: usize) -> rusqlite::Result<Vec<RoundRecord>> {
        let is_asked_for = |round: &RoundRecord| within.from <= start(round) && start(round) < within.until;
        let mut rounds: Vec<RoundRecord> =
            self.unpacked.iter().filter(|round| is_asked_for(round)).cloned().collect();
        self.check.blocks_backwards(self.connection, within, |hour, block| {
            rounds.extend(block.into_iter().filter(is_asked_for));
            // One that waits to be packed may be earlier: the clock went back.
            let found = rounds.iter().filter(|round| start(round) >= hour).count();
            if found < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        rounds.sort_by_key(start);
        rounds.drain(..rounds.len().saturating_sub(most));
        Ok(rounds)
    }

    /// The level that has everything since an instant: this one, or the next coarser.
    pub(super) fn level_since(&self, from: i64, finest: Level) -> rusqlite::Result<Level> {
        let from = from.max(self.check.first);
        for level in Level::ALL.into_iter().filter(|level| *level >= finest) {
            let oldest = self.check.oldest(self.connection, level)?;
            // Without any row, all that there is has not been packed yet.
            let is_whole = oldest.map_or(self.packed <= from, |oldest| oldest <= from);
            if is_whole {
                return Ok(level);
            }
        }
        Ok(Level::Days)
    }

    /// Whether all rounds since an instant are kept, and the one before it.
    pub(super) fn has_rounds_since(&self, from: i64) -> rusqlite::Result<bool> {
        let hour = floor(from, HOUR);
        Ok(from <= self.check.first
            || self.unpacked.iter().any(|round| start(round) < hour)
            || self.check.last_before(self.connection, hour)?.is_some())
    }

    /// Summaries of a level in a stretch of whole units, by the beginning of the unit. Unknown time is filled in.
    pub(super) fn summaries(
        &self,
        level: Level,
        within: Stretch,
    ) -> rusqlite::Result<BTreeMap<i64, Summary>> {
        let packed = within.intersection(Stretch { from: 0, until: self.packed });
        // A unit that is longer than an hour may have been packed further than that: it is made of hours.
        let whole =
            if self.packed < self.check.packed { floor(self.packed, level.unit()) } else { self.packed };
        let rows = packed.intersection(Stretch { from: 0, until: whole });
        let mut summaries = BTreeMap::new();
        if rows.from < rows.until {
            for (row, chunk) in self.check.chunks(self.connection, level, rows)? {
                let units =
                    chunk.into_iter().map(|(nth, summary)| (row + offset(nth, level.unit()), summary));
                summaries.extend(units.filter(|(unit, _)| rows.from <= *unit && *unit < rows.until));
            }
        }
        let hours = packed.intersection(Stretch { from: whole, until: i64::MAX });
        if hours.from < hours.until {
            for (hour, summary) in self.summaries(Level::Hours, hours)? {
                summaries.entry(floor(hour, DAY)).or_insert_with(Summary::default).merge(&summary);
            }
        }
        let rest = self.until_now(within).intersection(Stretch { from: self.packed, until: i64::MAX });
        for (unit, summary) in summarize(&self.tail, &self.unwatched, rest, level.unit()) {
            summaries.entry(unit).or_default().merge(&summary);
        }
        Ok(summaries)
    }

    /// Summaries of any length that is made of rounds.
    pub(super) fn of_rounds(&self, within: Stretch, step: i64) -> rusqlite::Result<BTreeMap<i64, Summary>> {
        let hour = floor(within.from, HOUR);
        // The one before is packed, or waits for that: the hour that it began in is packed when a later one is under way.
        let mut rounds: Vec<RoundRecord> =
            self.check.last_before(self.connection, hour)?.into_iter().collect();
        rounds.extend(self.unpacked.iter().filter(|round| start(round) < hour).cloned());
        rounds.sort_by_key(start);
        rounds.extend(self.rounds(Stretch { from: hour, until: within.until })?);
        Ok(summarize(&rounds, &self.unwatched, self.until_now(within), step))
    }

    /// Adds the time of a stretch that nothing is known of: after the first round, before now, while it was watched.
    pub(super) fn fill(&self, stretch: Stretch, summary: &mut Summary) {
        let known = Stretch { from: self.check.first, until: self.now.max(self.check.first) };
        let watched = stretch.intersection(known);
        let unwatched = self.unwatched.iter().map(|unwatched| watched.intersection(*unwatched).length());
        let time = Duration::from_millis(watched.length().saturating_sub(unwatched.sum()));
        summary.times.count(ServiceStatus::Unknown, time.saturating_sub(summary.times.total()));
    }
}
