//! Summaries beside a count of every millisecond, for any rounds, restarts and pauses.

use proptest::prelude::*;

use super::super::level::HOUR;
use super::super::rows::CheckRow;
use super::super::stands::Stretch;
use super::super::units::{milliseconds, timestamp};
use super::*;
use crate::availability::FourTimes;
use crate::incident::ServiceStatus;
use crate::status::CheckStatus;

/// What happens to a check.
#[derive(Debug, Clone)]
enum Happening {
    Round(CheckStatus, u64),
    Restart,
    Unwatched,
}

/// Mostly a regular pace, now and then hours or days in which the monitor is off.
fn pause() -> impl Strategy<Value = i64> {
    prop_oneof![6 => 1..90_000_i64, 2 => 0..3 * HOUR, 1 => 0..3 * 24 * HOUR]
}

fn happening() -> impl Strategy<Value = Happening> {
    let status = prop::sample::select(CheckStatus::ALL.to_vec());
    let stands_for = prop_oneof![4 => 1_000..100_000_u64, 1 => 0..20_000_000_u64];
    prop_oneof![
        12 => (status, stands_for).prop_map(|(status, stands_for)| Happening::Round(status, stands_for)),
        1 => Just(Happening::Restart),
        1 => Just(Happening::Unwatched),
    ]
}

/// What is known at each instant: from when to when a check was what, in the order of recording.
#[derive(Debug, Default)]
struct Truth {
    rounds: Vec<RoundRecord>,
    unwatched: Vec<(i64, Option<i64>)>,
}

impl Truth {
    fn record(&mut self, round: RoundRecord) {
        if let Some((since, until @ None)) = self.unwatched.last_mut() {
            *until = Some(milliseconds(round.start).max(*since));
        }
        self.rounds.push(round);
    }

    fn unwatched(&mut self, at: i64) {
        if !self.rounds.is_empty() && self.unwatched.last().is_none_or(|(_, until)| until.is_some()) {
            self.unwatched.push((at, None));
        }
    }

    /// Looks at one instant after the other where anything can change.
    fn times(&self, from: i64, to: i64) -> FourTimes {
        let starts = self.rounds.iter().map(|round| milliseconds(round.start));
        let ends = self.rounds.iter().map(|round| milliseconds(round.start) + stands_for(round));
        let pauses = self.unwatched.iter().flat_map(|(since, until)| [Some(*since), *until]).flatten();
        let mut instants: Vec<i64> = starts
            .chain(ends)
            .chain(pauses)
            .chain([from, to])
            .filter(|at| from <= *at && *at <= to)
            .collect();
        instants.sort_unstable();
        let mut times = FourTimes::default();
        for two in instants.windows(2) {
            if let Some(status) = self.status(two[0]) {
                times.count(status, Duration::from_millis(u64::try_from(two[1] - two[0]).unwrap()));
            }
        }
        times
    }

    fn status(&self, at: i64) -> Option<ServiceStatus> {
        let last = self.rounds.iter().rev().find(|round| milliseconds(round.start) <= at)?;
        let is_unwatched =
            |(since, until): &(i64, Option<i64>)| *since <= at && until.is_none_or(|until| at < until);
        if self.unwatched.iter().any(is_unwatched) {
            return None;
        }
        let stands = at < milliseconds(last.start) + stands_for(last);
        Some(if stands { last.status.service() } else { ServiceStatus::Unknown })
    }
}

fn stands_for(round: &RoundRecord) -> i64 {
    i64::try_from(round.stands_for.as_millis()).unwrap()
}

const ORIGIN: i64 = 1_795_521_600_000;

/// Short enough for everything to be removed in the course of a test, but days.
fn short() -> Retention {
    let hours = Duration::from_hours;
    Retention { rounds: hours(30), minutes: hours(72), hours: hours(240) }
}

/// Lets it happen; returns the truth and the present.
fn live(folder: &std::path::Path, course: Vec<(Happening, i64)>) -> (History, Truth, i64) {
    let place = HistoryPlace::file(&folder.join("nowcheck.db"));
    let settings = HistorySettings { retention: short(), ..settings(place) };
    let (mut history, _) = History::start(settings.clone()).unwrap();
    let (mut truth, mut now) = (Truth::default(), ORIGIN);
    for (happening, pause) in course {
        match happening {
            Happening::Round(status, stands_for) => {
                let stands_for = Duration::from_millis(stands_for);
                let round = RoundRecord { stands_for, ..round("shop", timestamp(now), status) };
                history.record(round.clone(), None);
                truth.record(round);
                // Each is a batch of its own, so that hours are packed whenever they can be.
                assert!(history.flush(SOON));
            }
            Happening::Restart => {
                assert!(history.close(SOON));
                history = History::start(settings.clone()).unwrap().0;
            }
            Happening::Unwatched => {
                history.forget("shop", timestamp(now));
                truth.unwatched(now);
                assert!(history.flush(SOON));
            }
        }
        now += pause;
    }
    (history, truth, now)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn summaries_equal_what_happened_and_their_times_sum_to_the_whole(
        course in prop::collection::vec((happening(), pause()), 1..60),
        from in 0.0..1.0_f64, length in 0.0..1.0_f64, points in 1..400_usize,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (history, truth, now) = live(folder.path(), course);
        if truth.rounds.is_empty() {
            return Ok(());
        }
        let reader = history.reader().unwrap();
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "any instants will do")]
        let at = |share: f64| ORIGIN - HOUR + ((now - ORIGIN + 2 * HOUR) as f64 * share) as i64;
        let (from, to) = (at(from), at(from + (1.0 - from) * length));
        let range = Range { from: timestamp(from), to: timestamp(to), now: timestamp(now) };

        let period = reader.period("shop", range).unwrap().unwrap();
        let exact = truth.times(milliseconds(period.from), milliseconds(period.to));
        prop_assert_eq!(period.summary.times, exact);
        prop_assert!(period.from <= range.from && (range.to <= period.to || milliseconds(period.to) >= now));

        let series = reader.series("shop", range, points).unwrap();
        prop_assert!(series.len() <= points);
        for point in &series {
            let (from, to) = (milliseconds(point.from), milliseconds(point.to));
            let count = |status: CheckStatus| {
                let counted = |round: &&RoundRecord| {
                    round.status == status && (from..to).contains(&milliseconds(round.start))
                };
                truth.rounds.iter().filter(counted).count() as u64
            };
            prop_assert_eq!(point.summary.times, truth.times(from.min(now), to.min(now)));
            for status in CheckStatus::ALL {
                prop_assert_eq!(point.summary.rounds.of(status), count(status));
            }
        }
        let kept = Range::last(short().rounds, timestamp(now));
        let expected: Vec<_> = truth.rounds.iter().filter(|round| kept.from <= round.start).cloned().collect();
        prop_assert_eq!(reader.rounds("shop", kept, usize::MAX).unwrap(), expected);
        let all = reader.rounds("shop", range, usize::MAX).unwrap();
        let last = &all[all.len().saturating_sub(points / 20)..];
        prop_assert_eq!(reader.rounds("shop", range, points / 20).unwrap(), last);
    }
}

#[test]
fn a_result_that_stands_into_hours_without_a_round_is_counted_there() {
    let place = HistoryPlace::memory();
    let (history, _) = History::start(settings(place)).unwrap();
    let hours = |hours: i64| second(3_600 * hours);
    for (start, status) in
        [(0, CheckStatus::Ok), (3, CheckStatus::Down), (8, CheckStatus::Ok), (12, CheckStatus::Ok)]
    {
        let stands_for = Duration::from_hours(4);
        history.record(RoundRecord { stands_for, ..round("shop", hours(start), status) }, None);
        assert!(history.flush(SOON));
    }
    let range = Range { from: hours(0), to: hours(12), now: hours(13) };
    let reader = history.reader().unwrap();
    let times = reader.period("shop", range).unwrap().unwrap().summary.times;
    let hours = Duration::from_hours;
    assert_eq!(times, FourTimes { ok: hours(7), wrong: hours(0), down: hours(4), unknown: hours(1) });
}

#[test]
fn the_last_rounds_are_read_without_the_hours_before_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nowcheck.db");
    let (history, _) = History::start(settings(HistoryPlace::file(&path))).unwrap();
    let starts: Vec<_> = (0..8).map(|half_hour| second(1_800 * half_hour)).collect();
    for start in &starts {
        history.record(round("shop", *start, CheckStatus::Ok), None);
        assert!(history.flush(SOON));
    }
    // At least two of the four hours are packed by now, and none more while this reads.
    let connection = rusqlite::Connection::open(&path).unwrap();
    let connection = connection.unchecked_transaction().unwrap();
    let check = CheckRow::named(&connection, "shop").unwrap().unwrap();
    let mut read = Vec::new();
    let take = |hour, rounds: Vec<RoundRecord>| {
        read.push((hour, rounds.len()));
        std::ops::ControlFlow::Break(())
    };
    let all = Stretch { from: 0, until: i64::MAX };
    check.blocks_backwards(&connection, all, take).unwrap();
    let hours: Vec<i64> = check.blocks(&connection, all).unwrap().into_keys().collect();
    assert!(hours.len() >= 2, "{hours:?}");
    assert_eq!(read, [(hours[hours.len() - 1], 2)]);
}

#[test]
fn rounds_after_a_clock_that_was_ahead_is_corrected_are_summarized_at_once() {
    let place = HistoryPlace::memory();
    let (history, _) = History::start(settings(place)).unwrap();
    let minutes = |minutes: i64| second(60 * minutes);
    // An hour is packed when the next one is under way: it was ahead until minute 425.
    for (minute, status) in [
        (0, CheckStatus::Ok),
        (305, CheckStatus::Down),
        (365, CheckStatus::Down),
        (425, CheckStatus::Down),
        (125, CheckStatus::Ok),
        (126, CheckStatus::Ok),
    ] {
        let stands_for = Duration::from_mins(2);
        history.record(RoundRecord { stands_for, ..round("shop", minutes(minute), status) }, None);
        assert!(history.flush(SOON));
    }
    let reader = history.reader().unwrap();
    let times = |from: i64, to: i64, now: i64| {
        let range = Range { from: minutes(from), to: minutes(to), now: minutes(now) };
        reader.period("shop", range).unwrap().unwrap().summary.times
    };
    assert_eq!(times(120, 127, 127).ok, Duration::from_mins(2));
    // What was measured meanwhile is not lost either.
    assert_eq!(times(300, 420, 430).down, Duration::from_mins(4));
    let range = Range { from: minutes(120), to: minutes(127), now: minutes(127) };
    let rounds = |range, points| {
        let series = reader.series("shop", range, points).unwrap();
        series.iter().map(|one| one.summary.rounds.total()).sum::<u64>()
    };
    assert_eq!(rounds(range, 7), 2);
    let days = Range { from: minutes(-5_000), to: minutes(430), now: minutes(430) };
    assert_eq!(rounds(days, 5), 6, "none is counted twice in the day that is not over");
}

#[test]
fn a_result_that_is_not_packed_yet_stands_in_an_hour_that_is_shown_by_seconds() {
    let place = HistoryPlace::memory();
    let (history, _) = History::start(settings(place)).unwrap();
    let minutes = |minutes: i64| second(60 * minutes);
    // The first one would stand until minute 136, but the second one takes its place.
    for (start, status, stands_for) in [(0, CheckStatus::Ok, 136), (62, CheckStatus::Down, 63)] {
        let stands_for = Duration::from_mins(stands_for);
        history.record(RoundRecord { stands_for, ..round("shop", minutes(start), status) }, None);
        assert!(history.flush(SOON));
    }
    let reader = history.reader().unwrap();
    let range = Range { from: minutes(120), to: minutes(130), now: minutes(137) };
    let points = reader.series("shop", range, 200).unwrap();
    let time = |status| points.iter().map(|point| point.summary.times.of(status)).sum::<Duration>();
    assert!(points.len() > 100, "they are made of rounds");
    assert_eq!(time(ServiceStatus::Down), Duration::from_mins(5));
    assert_eq!(time(ServiceStatus::Unknown), Duration::from_mins(5));
    assert_eq!(time(ServiceStatus::Ok), Duration::ZERO);
}
