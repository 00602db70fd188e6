//! What a whole period came to.

use jiff::Timestamp;

use super::source::Source;
use crate::history::level::{Level, ceiling, floor};
use crate::history::stands::Stretch;
use crate::history::summary::Summary;
use crate::history::units::timestamp;

/// A period, and what it came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    /// The beginning.
    pub from: Timestamp,
    /// The end, which is not later than now.
    pub to: Timestamp,
    /// What it came to. [`FourTimes::availability`](crate::availability::FourTimes::availability) is the range of the
    /// availability.
    pub summary: Summary,
}

pub(super) fn period(source: &Source<'_>, stretch: Stretch) -> rusqlite::Result<Period> {
    let first = source.level_since(stretch.from, Level::Minutes)?;
    let last = source.level_since(stretch.until, Level::Minutes)?;
    let whole = source.until_now(Stretch {
        from: floor(stretch.from, first.unit()),
        until: ceiling(stretch.until, last.unit()),
    });
    let mut summary = Summary::default();
    add(source, Level::Days, whole, &mut summary)?;
    source.fill(whole, &mut summary);
    Ok(Period { from: timestamp(whole.from), to: timestamp(whole.until), summary })
}

/// Adds whole units of a level, and the rest before and after them in finer ones.
fn add(source: &Source<'_>, level: Level, within: Stretch, sum: &mut Summary) -> rusqlite::Result<()> {
    let finer = Level::ALL.into_iter().rev().find(|finer| *finer < level);
    let inner = match finer {
        None => within,
        Some(_) => {
            Stretch { from: ceiling(within.from, level.unit()), until: floor(within.until, level.unit()) }
        }
    };
    if inner.from >= inner.until {
        return finer.map_or(Ok(()), |finer| add(source, finer, within, sum));
    }
    for summary in source.summaries(level, inner)?.values() {
        sum.merge(summary);
    }
    if let Some(finer) = finer {
        let rests = [
            Stretch { from: within.from, until: inner.from },
            Stretch { from: inner.until, until: within.until },
        ];
        for rest in rests.into_iter().filter(|rest| rest.from < rest.until) {
            add(source, finer, rest, sum)?;
        }
    }
    Ok(())
}
