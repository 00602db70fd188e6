use super::*;
use crate::interval::BoundedTime;
use crate::sample::Reading;
use crate::time::{Drift, MonotonicInstant};

const MILLI: i128 = 1_000_000;
const NOON: i128 = 1_795_521_600_000 * MILLI;

/// A reading of one nanosecond that is asked for at `at_millis`.
fn sample(at_millis: i128, shows: i128, instance: Option<&str>) -> Sample {
    let sent = MonotonicInstant::after_origin(Duration::from_millis(u64::try_from(at_millis).unwrap()));
    let reads = UnixInstant::from_nanos(shows);
    Sample {
        sent,
        received: sent + Duration::from_micros(300),
        reading: Reading {
            shown: Shown::Instant(Interval::point(reads)),
            step: Duration::from_nanos(1),
            may_lag: Duration::ZERO,
        },
        instance: instance.map(Into::into),
        connection: 0,
    }
}

/// A counter that starts at 4000 s and advances at `speed`, asked every 30 ms.
fn counter(speed: i128) -> Vec<Sample> {
    (0..4).map(|nth| sample(nth * 30, 4_000_000 * MILLI + nth * 30 * MILLI * speed, None)).collect()
}

fn reference() -> ReferenceClock {
    let shows = Interval::point(UnixInstant::from_nanos(NOON));
    ReferenceClock { bounds: BoundedTime { at: MonotonicInstant::ORIGIN, shows }, drift: Drift::from_ppm(0) }
}

#[test]
fn the_speed_of_a_counter_is_in_its_bounds_and_is_not_that_of_a_clock() {
    for speed in [1_000, 1_000_000, 5, -1, -1_000] {
        let Some(NotAClock::Pace(pace)) = not_a_clock(&counter(speed), false) else { panic!("{speed}") };
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        let speed = speed as f64;
        assert!(pace.at_least <= speed && speed <= pace.at_most, "{speed}: {pace:?}");
    }
}

#[test]
fn a_clock_that_runs_and_one_that_stands_still_are_clocks() {
    for speed in [0, 1] {
        assert_eq!(not_a_clock(&counter(speed), false), None, "{speed}");
    }
}

#[test]
fn clocks_that_answer_in_turn_have_no_common_speed() {
    // The second one is a year ahead: the readings jump there and stay.
    let year = 365 * 86_400_000 * MILLI;
    let turns: Vec<Sample> =
        (0..4).map(|nth| sample(nth * 30, nth * 30 * MILLI + if nth < 2 { 0 } else { year }, None)).collect();
    assert_eq!(not_a_clock(&turns, false), None);
}

#[test]
fn answers_that_follow_each_other_too_closely_show_no_speed() {
    let close: Vec<Sample> = (0..4).map(|nth| sample(nth, nth * 1_000 * MILLI, None)).collect();
    assert_eq!(not_a_clock(&close, false), None);
    assert_eq!(answers_lacking(&close), 2);
}

#[test]
fn only_nameless_readings_nowhere_near_now_are_suspected() {
    assert!(may_be_no_times(&counter(1_000), &reference()));
    assert!(!may_be_no_times(&[sample(0, NOON + 86_400_000 * MILLI, None)], &reference()), "a day off");
    assert!(!may_be_no_times(&[sample(0, 0, Some("a"))], &reference()), "it names itself");
    assert!(!may_be_no_times(&[sample(0, 0, None), sample(1, NOON, None)], &reference()), "one is near");
}

#[test]
fn many_answers_of_which_none_agree_are_no_clock_whatever_they_jump() {
    let random: Vec<Sample> = [7, 3, 9, 1, 5]
        .iter()
        .enumerate()
        .map(|(nth, &shows)| sample(30 * i128::try_from(nth).unwrap(), shows * 1_000_000 * MILLI, None))
        .collect();
    assert_eq!(not_a_clock(&random, true), Some(NotAClock::NoTwoAgree));
    assert_eq!(not_a_clock(&random[..4], true), None, "too few");
}
