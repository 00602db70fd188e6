//! The course of a check: points of the same length, from whatever level has them.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::source::Source;
use crate::history::level::{DAY, HOUR, Level, MINUTE, ceiling, floor};
use crate::history::stands::Stretch;
use crate::history::summary::Summary;
use crate::history::units::timestamp;

/// A stretch of time, and what it came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// The beginning.
    pub from: Timestamp,
    /// The end.
    pub to: Timestamp,
    /// What it came to. Its times sum to the part of it in which the check was watched.
    pub summary: Summary,
}

/// Lengths of points. People know them, and each is a multiple of the unit that it is made of.
const STEPS: [i64; 27] = [
    1_000,
    2_000,
    5_000,
    10_000,
    15_000,
    30_000,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    4 * DAY,
    8 * DAY,
    16 * DAY,
    32 * DAY,
    64 * DAY,
    128 * DAY,
    256 * DAY,
    512 * DAY,
];

/// The shortest step that covers the stretch with at most so many points; the longest, if none does.
fn step(stretch: Stretch, points: usize) -> i64 {
    let most = i64::try_from(points.max(1)).unwrap_or(i64::MAX);
    let covers =
        |step: &&i64| (ceiling(stretch.until, **step) - floor(stretch.from, **step)) / **step <= most;
    STEPS.iter().find(covers).copied().unwrap_or(STEPS[STEPS.len() - 1])
}

fn level_of(step: i64) -> Option<Level> {
    Level::ALL.into_iter().rev().find(|level| step >= level.unit())
}

pub(super) fn series(source: &Source<'_>, stretch: Stretch, points: usize) -> rusqlite::Result<Vec<Point>> {
    let mut step = step(stretch, points);
    let level = match level_of(step) {
        None if source.has_rounds_since(stretch.from)? => None,
        level => Some(source.level_since(stretch.from, level.unwrap_or(Level::Minutes))?),
    };
    step = step.max(level.map_or(0, Level::unit));
    let within = Stretch { from: floor(stretch.from, step), until: ceiling(stretch.until, step) };
    let found = match level {
        None => source.of_rounds(within, step)?,
        Some(level) => source.summaries(level, within)?,
    };
    let mut buckets = BTreeMap::<i64, Summary>::new();
    for (unit, summary) in found {
        buckets.entry(floor(unit, step)).or_default().merge(&summary);
    }
    let mut series = Vec::new();
    let mut from = within.from;
    while from < within.until {
        let part = Stretch { from, until: from + step };
        let mut summary = buckets.remove(&from).unwrap_or_default();
        source.fill(part, &mut summary);
        series.push(Point { from: timestamp(from), to: timestamp(part.until), summary });
        from = part.until;
    }
    Ok(series)
}
