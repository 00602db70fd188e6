//! A report: what the history says of checks, as a page, a drawing, a table or JSON.
//!
//! It reads nothing but the history, so it can be made while the monitor runs, and on another machine. What it says and
//! draws is of one moment.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use std::time::Duration;
//! # use jiff::Timestamp;
//! # use nowcheck_watch::history::{History, HistoryPlace, HistorySettings, QueueLimits, Retention};
//! use nowcheck_watch::history::Range;
//! use nowcheck_watch::report::{Report, html};
//! # let day = Duration::from_hours(24);
//! # let retention = Retention { rounds: day, minutes: day, hours: day };
//! # let settings = HistorySettings { place: HistoryPlace::memory(), retention, limits: QueueLimits::default() };
//! # let (history, _) = History::start(settings)?;
//! # let now = Timestamp::from_second(1_795_521_600)?;
//!
//! let last_week = Range::last(Duration::from_hours(7 * 24), now);
//! let page = html(&Report::read(&history.reader()?, None, last_week)?);
//! assert!(page.starts_with("<!DOCTYPE html>"));
//! # Ok(())
//! # }
//! ```

mod clock;
mod csv;
mod html;
mod json;
pub(crate) mod svg;
pub(crate) mod words;

use std::time::Duration;

use jiff::Timestamp;

use crate::config::closest::closest;
use crate::history::{HistoryError, HistoryReader, PastIncident, Period, Point, Range, RoundRecord};
use crate::jumps::{Jump, JumpFinder};
use crate::timestamps::elapsed;
use crate::watched::{self, WatchedCheck};

pub use clock::{Clock, Drift, Expected};
pub use csv::csv;
pub(crate) use csv::csv_of;
pub use html::html;
pub use json::json;
pub(crate) use json::{bounds, incident, seconds, stretch};
pub use svg::svg;

/// The points of a series, at most.
const POINTS: usize = 500;
/// Incidents that are listed, at most.
const INCIDENTS: usize = 1_000;
/// Single rounds are read of so long, at most: for backends, drift and the certificate.
const RECENT: Duration = Duration::from_hours(48);

/// What the history says of checks in a range of time.
#[derive(Debug, Clone)]
pub struct Report {
    /// The time that it is about.
    pub range: Range,
    /// The checks, by name.
    pub checks: Vec<CheckReport>,
    /// The incidents of these checks and of the monitor, the latest first.
    pub incidents: Vec<PastIncident>,
}

/// What the history says of a check.
#[derive(Debug, Clone)]
pub struct CheckReport {
    /// Its name.
    pub name: String,
    /// What it is about; none in a history of a version that did not store it.
    pub watched: Option<WatchedCheck>,
    /// What the whole range came to.
    pub period: Period,
    /// Its course.
    pub points: Vec<Point>,
    /// Where the offset jumped.
    pub jumps: Vec<Jump>,
    /// The clocks that answered recently.
    pub clocks: Vec<Clock>,
    /// Until when the certificate is valid that was met last.
    pub certificate_expiry: Option<Timestamp>,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The history cannot be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The check has no rounds, or there is none of that name.
    #[error("the history has no check {name:?}; {}", match .closest {
        Some(closest) => format!("did you mean {closest:?}?"),
        None if .known.is_empty() => "it has no checks yet".to_owned(),
        None => format!("it has {}", .known.join(", ")),
    })]
    NoCheck {
        /// The name.
        name: String,
        /// What may have been meant.
        closest: Option<String>,
        /// The checks that there are.
        known: Vec<String>,
    },
}

impl Report {
    /// Reads a report of one check, or of all.
    ///
    /// # Errors
    /// The history cannot be read, or does not have the check.
    pub fn read(reader: &HistoryReader, check: Option<&str>, range: Range) -> Result<Self, ReportError> {
        let known = reader.checks()?;
        let names = match check {
            None => known,
            Some(name) if known.iter().any(|known| known == name) => vec![name.to_owned()],
            Some(name) => {
                let closest = closest(name, known.iter().map(String::as_str)).map(str::to_owned);
                return Err(ReportError::NoCheck { name: name.to_owned(), closest, known });
            }
        };
        let range = since_first_round(reader, &names, range)?;
        let mut watched = watched::read(reader.state(watched::STATE)?.as_deref());
        let mut checks = Vec::new();
        for name in names {
            let watched = watched.remove(&name);
            checks.extend(CheckReport::read(reader, name, watched, range)?);
        }
        let incidents = match check {
            Some(check) => reader.incidents_about(check, range, INCIDENTS)?,
            None => reader.incidents(range, INCIDENTS)?,
        };
        Ok(Self { range, checks, incidents })
    }
}

/// The range without the time before any of the checks was watched, of which there is nothing to say.
fn since_first_round(reader: &HistoryReader, checks: &[String], range: Range) -> Result<Range, HistoryError> {
    let mut first: Option<Timestamp> = None;
    for check in checks {
        let points = reader.series(check, range, POINTS)?;
        let watched = points.iter().find(|point| !point.summary.times.total().is_zero());
        first = first.into_iter().chain(watched.map(|point| point.from)).min();
    }
    Ok(Range { from: first.map_or(range.from, |first| first.max(range.from)), ..range })
}

impl CheckReport {
    fn read(
        reader: &HistoryReader,
        name: String,
        watched: Option<WatchedCheck>,
        range: Range,
    ) -> Result<Option<Self>, HistoryError> {
        let Some(period) = reader.period(&name, range)? else { return Ok(None) };
        let recent = range.to.checked_sub(RECENT).unwrap_or(range.from).max(range.from);
        let rounds = reader.rounds(&name, Range { from: recent, ..range }, usize::MAX)?;
        let limit = watched.as_ref().map(|watched| watched.max_offset);
        let points = reader.series(&name, range, points(range, watched.as_ref()))?;
        let (clocks, of_clocks) = clock::of_rounds(&rounds, limit);
        Ok(Some(Self {
            jumps: jumps(&points, of_clocks, rounds.first()),
            points,
            clocks,
            certificate_expiry: last_expiry(&rounds).or(period.summary.certificate_expiry),
            name,
            watched,
            period,
        }))
    }

    pub(crate) fn limit(&self) -> Option<Duration> {
        self.watched.as_ref().map(|watched| watched.max_offset)
    }
}

/// The jumps of single clocks, as far as there are rounds; before them, those of all clocks together.
fn jumps(points: &[Point], of_clocks: Vec<Jump>, first_round: Option<&RoundRecord>) -> Vec<Jump> {
    let Some(first) = points.first() else { return of_clocks };
    let mut finder = JumpFinder::new(first.from, None);
    let has_rounds = |point: &Point| first_round.is_some_and(|round| round.start <= point.to);
    for point in points.iter().take_while(|point| !has_rounds(point)) {
        if let Some(offset) = point.summary.offset {
            finder.observe(point.from, point.to, offset);
        }
    }
    let mut jumps = finder.found();
    jumps.extend(of_clocks);
    jumps
}

/// As many points as are drawn, and none so short that no round begins in it: that would look like a gap.
fn points(range: Range, watched: Option<&WatchedCheck>) -> usize {
    let length = elapsed(range.from, range.to);
    let every = watched.map_or(Duration::ZERO, |watched| watched.every);
    let fit = length.as_millis() / (2 * every).as_millis().max(1);
    usize::try_from(fit).unwrap_or(POINTS).clamp(1, POINTS)
}

/// That of the last round that met one: a certificate that was renewed is not of interest any more.
fn last_expiry(rounds: &[RoundRecord]) -> Option<Timestamp> {
    rounds.iter().rev().find_map(|round| round.certificate_expiry)
}

#[cfg(test)]
mod tests;
