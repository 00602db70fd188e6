//! The three levels of summaries: minutes, hours and days, all in UTC. A row of the file holds many of them.

use super::units::LAST_MILLISECOND;

/// A level of summaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// Minutes; a row is an hour.
    Minutes,
    /// Hours; a row is a day.
    Hours,
    /// Days; a row is 32 of them.
    Days,
}

pub(super) const MINUTE: i64 = 60_000;
pub(super) const HOUR: i64 = 60 * MINUTE;
pub(super) const DAY: i64 = 24 * HOUR;

impl Level {
    pub(super) const ALL: [Self; 3] = [Self::Minutes, Self::Hours, Self::Days];

    /// The length of what one summary is about, in milliseconds.
    pub(super) fn unit(self) -> i64 {
        match self {
            Self::Minutes => MINUTE,
            Self::Hours => HOUR,
            Self::Days => DAY,
        }
    }

    /// The length of what one row is about.
    pub(super) fn row(self) -> i64 {
        match self {
            Self::Minutes => HOUR,
            Self::Hours => DAY,
            Self::Days => 32 * DAY,
        }
    }

    /// The table, as it stands in a statement.
    pub(super) fn table(self) -> &'static str {
        match self {
            Self::Minutes => "minutes",
            Self::Hours => "hours",
            Self::Days => "days",
        }
    }
}

/// The key of the row of a check that holds this instant, if a row is so long.
pub(super) fn key(check: i64, at: i64, row: i64) -> i64 {
    (check << 24) | (at.clamp(0, LAST_MILLISECOND) / row)
}

/// The instant at which the row with this key begins.
pub(super) fn start_of(key: i64, row: i64) -> i64 {
    (key & ((1 << 24) - 1)) * row
}

/// The last instant that is a multiple, and not after this one.
pub(super) fn floor(at: i64, unit: i64) -> i64 {
    at - at.rem_euclid(unit)
}

/// The first instant that is a multiple, and not before this one.
pub(super) fn ceiling(at: i64, unit: i64) -> i64 {
    floor(at + unit - 1, unit)
}
