//! Reads the history, also beside the program that writes it.
//!
//! A reader sees what is written, and not what waits in the queue. Every answer is bounded by what was asked for.

mod backends;
mod incidents;
mod period;
mod series;
mod source;

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

pub use backends::BackendHistory;
pub use incidents::PastIncident;
pub use period::Period;
pub use series::Point;

use super::error::HistoryError;
use super::file;
use super::place::HistoryPlace;
use super::record::RoundRecord;
use super::rows::CheckRow;
use super::stands::Stretch;
use super::store::outcome_key;
use super::units::milliseconds;
use crate::incident::Scope;
use source::Source;

/// A connection that only reads.
#[derive(Debug)]
pub struct HistoryReader {
    place: HistoryPlace,
    connection: Connection,
}

/// The time that a question is about: from an instant to another, as it is known at a third.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The beginning.
    pub from: Timestamp,
    /// The end, which is not part of it.
    pub to: Timestamp,
    /// The present: later time is not there yet.
    pub now: Timestamp,
}

impl Range {
    /// The time of this length until now.
    #[must_use]
    pub fn last(length: Duration, now: Timestamp) -> Self {
        Self { from: now.checked_sub(length).unwrap_or(Timestamp::MIN), to: now, now }
    }

    fn stretch(self) -> Stretch {
        let from = milliseconds(self.from);
        Stretch { from, until: milliseconds(self.to).max(from) }
    }
}

impl HistoryReader {
    /// Opens the history. It has to be there.
    ///
    /// # Errors
    /// It is not there, is not the history of this program, or cannot be read.
    pub fn open(place: &HistoryPlace) -> Result<Self, HistoryError> {
        let connection = file::open_to_read(place)?;
        Ok(Self { place: place.clone(), connection })
    }

    /// Reads in one transaction: all of an answer is of the same moment.
    fn read<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, HistoryError> {
        let transaction =
            rusqlite::Transaction::new_unchecked(&self.connection, TransactionBehavior::Deferred);
        let answer = transaction.and_then(|transaction| read(&transaction));
        answer.map_err(|error| HistoryError::of(self.place.shown(), &error))
    }

    /// Reads of a check; none if it has no rounds.
    fn read_check<T>(
        &self,
        check: &str,
        now: Timestamp,
        read: impl FnOnce(&Source<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, HistoryError> {
        self.read(|connection| {
            let Some(check) = CheckRow::named(connection, check)? else { return Ok(None) };
            read(&Source::new(connection, check, milliseconds(now))?).map(Some)
        })
    }

    /// The names of all checks that have rounds, in alphabetical order.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn checks(&self) -> Result<Vec<String>, HistoryError> {
        self.read(|connection| {
            let mut names = connection.prepare_cached("SELECT name FROM checks ORDER BY name")?;
            names.query_map([], |row| row.get(0))?.collect()
        })
    }

    /// The state of a part of the monitor, as JSON, by its name.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn state(&self, name: &str) -> Result<Option<String>, HistoryError> {
        self.read(|connection| {
            let mut select = connection.prepare_cached("SELECT json FROM state WHERE name = ?1")?;
            select.query_row([name], |row| row.get(0)).optional()
        })
    }

    /// The last rounds of a check that began in the range, at most so many, in the order of their beginning.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn rounds(&self, check: &str, range: Range, most: usize) -> Result<Vec<RoundRecord>, HistoryError> {
        let read = |source: &Source<'_>| source.last_rounds(range.stretch(), most);
        Ok(self.read_check(check, range.now, read)?.unwrap_or_default())
    }

    /// What a round found, as JSON, if it was not ok.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn outcome(&self, check: &str, start: Timestamp) -> Result<Option<String>, HistoryError> {
        self.read(|connection| {
            let Some(check) = CheckRow::named(connection, check)? else { return Ok(None) };
            let mut select = connection.prepare_cached("SELECT json FROM outcomes WHERE key = ?1")?;
            select.query_row([outcome_key(check.id, milliseconds(start))], |row| row.get(0)).optional()
        })
    }

    /// The course of a check: at most so many points of the same length, which cover the range. None if the check has no
    /// rounds.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn series(&self, check: &str, range: Range, points: usize) -> Result<Vec<Point>, HistoryError> {
        let read = |source: &Source<'_>| series::series(source, range.stretch(), points);
        Ok(self.read_check(check, range.now, read)?.unwrap_or_default())
    }

    /// What the range came to, which is extended to what was kept: whole minutes, hours or days. None if the check has no
    /// rounds.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn period(&self, check: &str, range: Range) -> Result<Option<Period>, HistoryError> {
        self.read_check(check, range.now, |source| period::period(source, range.stretch()))
    }

    /// The backends of a check that were met in the range, as far as rounds are kept.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn backends(&self, check: &str, range: Range) -> Result<Vec<BackendHistory>, HistoryError> {
        let read = |source: &Source<'_>| Ok(backends::of_rounds(&source.rounds(range.stretch())?));
        Ok(self.read_check(check, range.now, read)?.unwrap_or_default())
    }

    /// Incidents that were open at some time of the range, the latest first, at most so many.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn incidents(&self, range: Range, most: usize) -> Result<Vec<PastIncident>, HistoryError> {
        self.read(|connection| incidents::within(connection, None, range.stretch(), most))
    }

    /// Incidents of these scopes that were open at some time of the range, the latest first, at most so many.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn incidents_of(
        &self,
        is_asked_for: impl Fn(&Scope) -> bool,
        range: Range,
        most: usize,
    ) -> Result<Vec<PastIncident>, HistoryError> {
        self.read(|connection| incidents::chosen(connection, &is_asked_for, range.stretch(), most))
    }

    /// The incidents of one check and of the monitor itself that were open at some time of the range, the latest first, at
    /// most so many.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn incidents_about(
        &self,
        check: &str,
        range: Range,
        most: usize,
    ) -> Result<Vec<PastIncident>, HistoryError> {
        let check = Scope::Check(check.to_owned());
        self.read(|connection| incidents::within(connection, Some(&check), range.stretch(), most))
    }

    /// One incident.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn incident(&self, id: &str) -> Result<Option<PastIncident>, HistoryError> {
        self.read(|connection| incidents::named(connection, id))
    }
}
