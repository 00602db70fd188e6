//! The time that a page shows, as its query asks for it.

use std::time::Duration;

use jiff::Timestamp;

use crate::history::Range;
use crate::web::query::{Query, written};

/// Lengths of time that a page offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum Length {
    Hour,
    Day,
    Week,
    Quarter,
    Year,
}

impl Length {
    pub(in crate::web) const ALL: [Self; 5] = [Self::Hour, Self::Day, Self::Week, Self::Quarter, Self::Year];

    pub(in crate::web) fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Quarter => "quarter",
            Self::Year => "year",
        }
    }

    fn duration(self) -> Duration {
        let days = |days: u64| Duration::from_hours(24 * days);
        match self {
            Self::Hour => Duration::from_hours(1),
            Self::Day => days(1),
            Self::Week => days(7),
            Self::Quarter => days(91),
            Self::Year => days(365),
        }
    }
}

/// The time that a page shows: the last hour, day, …, or from an instant to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) struct Shown {
    pub(in crate::web) range: Range,
    /// None for a stretch of its own.
    pub(in crate::web) length: Option<Length>,
}

/// No shorter stretch is shown, and no longer one.
const SHORTEST: i64 = 10;
const LONGEST: i64 = 10 * 365 * 86_400;

impl Shown {
    /// What `range`, or `from` and `to` in seconds since 1970, ask for; a day if they are not there or cannot be read.
    pub(in crate::web) fn asked(query: &Query, now: Timestamp) -> Self {
        let second = |name: &str| query.get(name)?.parse::<i64>().ok();
        if let (Some(from), Some(to)) = (second("from"), second("to"))
            && let Some(range) = between(from, to, now)
        {
            return Self { range, length: None };
        }
        let name = query.get("range").unwrap_or_default();
        let length = Length::ALL.into_iter().find(|length| length.name() == name).unwrap_or(Length::Day);
        Self { range: Range::last(length.duration(), now), length: Some(length) }
    }

    /// The query of another stretch of this one: from a share of its length to another one, from 0 to 1 inside of it.
    pub(in crate::web) fn part(range: Range, from: f64, to: f64) -> Option<String> {
        let (begin, end) = (range.from.as_second(), range.to.min(range.now).as_second());
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "at most ten years")]
        let at = |share: f64| begin + (share * (end - begin) as f64).round() as i64;
        let range = between(at(from), at(to), range.now)?;
        let [from, to] = [range.from, range.to].map(|at| at.as_second().to_string());
        Some(written(&[("from", &from), ("to", &to)]))
    }
}

/// A stretch that is long enough, and has something in it that is over.
fn between(from: i64, to: i64, now: Timestamp) -> Option<Range> {
    let to = to.min(now.as_second() + 1);
    if from < 0 || !(SHORTEST..=LONGEST).contains(&to.checked_sub(from)?) {
        return None;
    }
    Some(Range { from: Timestamp::from_second(from).ok()?, to: Timestamp::from_second(to).ok()?, now })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-28T12:00:00Z".parse().unwrap()
    }

    fn asked(text: &str) -> Shown {
        Shown::asked(&Query::parse(Some(text)), now())
    }

    #[test]
    fn a_range_is_asked_for_by_name_or_by_its_ends() {
        assert_eq!(asked("range=week").range, Range::last(Duration::from_hours(168), now()));
        let shown = asked("from=1764000000&to=1764003600");
        assert_eq!((shown.range.from.as_second(), shown.length), (1_764_000_000, None));
        let absurd = [
            "",
            "range=decade",
            "from=1&to=x",
            "from=5&to=5",
            "from=9&to=1",
            "from=-5&to=100",
            "from=0&to=99999999999999999999",
            "from=-9223372036854775808&to=9223372036854775807",
        ];
        for text in absurd {
            assert_eq!(asked(text).length, Some(Length::Day), "{text}");
        }
    }

    #[test]
    fn the_middle_of_a_stretch_and_its_surroundings_can_be_asked_for() {
        let range = asked("from=1764000000&to=1764003600").range;
        assert_eq!(Shown::part(range, 0.25, 0.75).unwrap(), "?from=1764000900&to=1764002700");
        assert_eq!(Shown::part(range, -0.5, 0.5).unwrap(), "?from=1763998200&to=1764001800");
        let short = asked("from=1764000000&to=1764000015").range;
        assert_eq!(Shown::part(short, 0.25, 0.75), None, "it is short enough");
    }
}
