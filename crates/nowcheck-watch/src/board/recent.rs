//! The last hour of a check, as it is drawn beside its name: a point a minute.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

use crate::availability::FourTimes;
use crate::history::{Point, Range, Summary};
use crate::incident::OffsetBounds;
use crate::status::CheckStatus;
use crate::timestamps::elapsed;

/// How long it reaches back.
pub const RECENT: Duration = Duration::from_hours(1);

/// Rounds that began within this time of each other are one point.
const TOGETHER: Duration = Duration::from_mins(1);

/// The rounds of the last hour, those of a minute together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recent {
    stretches: VecDeque<Stretch>,
    /// Whether what was before the start of the monitor is in it.
    is_restored: bool,
}

/// What rounds of a minute found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    from: Timestamp,
    /// Until when the last of them stands if no other one follows.
    stands_until: Timestamp,
    worst: CheckStatus,
    offset: Option<OffsetBounds>,
}

impl Recent {
    /// Takes the result of a round.
    pub(crate) fn add(
        &mut self,
        at: Timestamp,
        stands_until: Timestamp,
        status: CheckStatus,
        offset: Option<OffsetBounds>,
    ) {
        self.stretches.retain(|stretch| elapsed(stretch.from, at) < RECENT && stretch.from <= at);
        match self.stretches.back_mut().filter(|last| elapsed(last.from, at) < TOGETHER) {
            Some(last) => {
                last.stands_until = stands_until;
                last.worst = last.worst.max(status);
                last.offset = last.offset.into_iter().chain(offset).reduce(OffsetBounds::hull);
            }
            None => self.stretches.push_back(Stretch { from: at, stands_until, worst: status, offset }),
        }
    }

    /// Whether the time before the start of the monitor has not been looked up yet.
    pub(crate) fn lacks_the_past(&self) -> bool {
        !self.is_restored
    }

    /// Adds what the history says of the time before its first round.
    pub(crate) fn restore(&mut self, past: &[Point]) {
        if std::mem::replace(&mut self.is_restored, true) {
            return;
        }
        let first = self.stretches.front().map(|first| first.from);
        for point in past.iter().rev().filter(|point| first.is_none_or(|first| point.from < first)) {
            let times = &point.summary.times;
            let kinds = [CheckStatus::Down, CheckStatus::Wrong, CheckStatus::Ok];
            let worst = kinds.into_iter().find(|kind| !times.of(kind.service()).is_zero());
            // Unknown time needs no stretch: it is what is between two of them.
            let Some(worst) = worst else { continue };
            let known = times.total().saturating_sub(times.unknown);
            let stands_until = point.from.checked_add(known).unwrap_or(point.to).min(point.to);
            let offset = point.summary.offset;
            self.stretches.push_front(Stretch { from: point.from, stands_until, worst, offset });
        }
    }

    /// The time that is drawn: the last hour, however little of it is known.
    #[must_use]
    pub fn range(now: Timestamp) -> Range {
        Range::last(RECENT, now)
    }

    /// Its course. What nothing is known of is a point without an offset.
    #[must_use]
    pub fn points(&self, now: Timestamp) -> Vec<Point> {
        let mut points = Vec::with_capacity(self.stretches.len());
        let nexts = self.stretches.iter().skip(1).map(|next| next.from).chain([now]);
        for (stretch, next) in self.stretches.iter().zip(nexts) {
            let next = next.min(now);
            let until = stretch.stands_until.min(next);
            points.extend(point(stretch.from, until, stretch.worst, stretch.offset));
            points.extend(point(until, next, CheckStatus::Unknown, None));
        }
        points
    }
}

fn point(from: Timestamp, to: Timestamp, status: CheckStatus, offset: Option<OffsetBounds>) -> Option<Point> {
    let mut times = FourTimes::default();
    times.count(status.service(), elapsed(from, to));
    let is_some_time = from < to;
    is_some_time.then(|| Point { from, to, summary: Summary { times, offset, ..Summary::default() } })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_521_600 + second).unwrap()
    }

    fn offset(lower: i128) -> OffsetBounds {
        OffsetBounds { lower, upper: lower + 1 }
    }

    #[test]
    fn rounds_of_a_minute_are_one_point_and_a_round_that_is_missing_is_unknown_time() {
        let mut recent = Recent::default();
        recent.add(second(0), second(45), CheckStatus::Ok, Some(offset(1)));
        recent.add(second(30), second(75), CheckStatus::Wrong, Some(offset(5)));
        recent.add(second(200), second(245), CheckStatus::Ok, Some(offset(2)));
        let points = recent.points(second(210));
        let shown: Vec<_> = points
            .iter()
            .map(|point| (point.from, point.to, point.summary.offset.map(|offset| offset.upper)))
            .collect();
        assert_eq!(
            shown,
            [
                (second(0), second(75), Some(6)),
                (second(75), second(200), None),
                (second(200), second(210), Some(3))
            ]
        );
        assert_eq!(points[0].summary.times.wrong, Duration::from_secs(75), "the worst of them");
        assert_eq!(points[1].summary.times.unknown, Duration::from_secs(125));
    }

    #[test]
    fn the_past_is_added_once_and_only_what_was_before_the_first_round() {
        let mut recent = Recent::default();
        recent.add(second(600), second(645), CheckStatus::Ok, Some(offset(9)));
        let past: Vec<Point> =
            [(480, CheckStatus::Ok), (540, CheckStatus::Unknown), (600, CheckStatus::Down)]
                .into_iter()
                .filter_map(|(from, kind)| point(second(from), second(from + 60), kind, Some(offset(1))))
                .collect();
        recent.restore(&past);
        recent.restore(&past);
        let shown: Vec<_> =
            recent.points(second(610)).iter().map(|point| (point.from, point.summary.times.ok)).collect();
        let seconds = Duration::from_secs;
        assert_eq!(
            shown,
            [(second(480), seconds(60)), (second(540), seconds(0)), (second(600), seconds(10))]
        );
    }

    #[test]
    fn what_is_older_than_an_hour_is_forgotten_and_no_more_is_kept() {
        let mut recent = Recent::default();
        for nth in 0..10_000 {
            recent.add(second(nth), second(nth + 2), CheckStatus::Ok, None);
        }
        assert!(recent.stretches.len() <= 60);
    }
}
