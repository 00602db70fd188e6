use super::*;
use crate::interval::Interval;
use crate::sample::Reading;
use crate::time::UnixInstant;

const MICROSECOND: i128 = 1_000;
const MILLISECOND: i128 = 1_000_000;
const TICK: i128 = 15_625_000;

/// A clock that ticks every `tick` nanoseconds and prints multiples of `step`, read `read` microseconds after the origin
/// by a request that was sent `before` earlier and answered `after` later.
fn sample(tick: i128, step: i128, read: u64, before: u64, after: u64) -> Sample {
    let ticked = (i128::from(read) * MICROSECOND).div_euclid(tick) * tick;
    let earliest = ticked.div_euclid(step) * step;
    let [earliest, latest] = [earliest, earliest + step].map(UnixInstant::from_nanos);
    let at = |micros| MonotonicInstant::after_origin(Duration::from_micros(micros));
    Sample {
        sent: at(read - before),
        received: at(read + after),
        reading: Reading {
            shown: Shown::Instant(Interval::new(earliest, latest)),
            step: Duration::from_nanos(u64::try_from(step).unwrap()),
            may_lag: Duration::ZERO,
        },
        instance: None,
        connection: 0,
    }
}

/// Eight requests side by side, twice: each takes 12 ms there and 12 ms back, more or less.
fn side_by_side(tick: i128, step: i128) -> Vec<Sample> {
    let at = |burst: u64, number: u64| 20_000 + burst * 30_000 + number * 300;
    (0..2)
        .flat_map(|burst| (0..8).map(move |number| (burst, number)))
        .map(|(burst, number)| {
            sample(tick, step, at(burst, number), 12_000 - number * 53, 12_000 + number * 37)
        })
        .collect()
}

fn shows_a_tick(samples: &[Sample]) -> bool {
    candidates(samples.iter(), Drift::DISCIPLINED).1
}

#[test]
fn a_reading_that_came_before_the_next_request_was_sent_proves_a_tick() {
    let [early, late] = [1_000, 6_000].map(|read| sample(TICK, MICROSECOND, read, 100, 100));
    let (ticks, is_shown) = candidates([&early, &late].into_iter(), Drift::DISCIPLINED);
    assert!(is_shown);
    assert_eq!(ticks.first(), Some(&PLAUSIBLE));
}

#[test]
fn requests_side_by_side_that_get_the_same_reading_again_and_again_show_a_tick() {
    assert!(shows_a_tick(&side_by_side(TICK, MICROSECOND)));
    assert!(shows_a_tick(&side_by_side(10 * MILLISECOND, MICROSECOND)));
}

#[test]
fn answers_that_take_longer_than_the_tick_show_it_by_the_step_that_they_are_apart() {
    for tick in [TICK, 10 * MILLISECOND, 4 * MILLISECOND] {
        let samples = [60_000, 131_000, 222_000, 303_000]
            .map(|read| sample(tick, MICROSECOND, read, 20_000 + read % 7_000, 20_000));
        let (ticks, is_shown) = candidates(samples.iter(), Drift::DISCIPLINED);
        assert!(is_shown, "{tick}");
        assert_eq!(ticks.first().unwrap().as_nanos() % tick.unsigned_abs(), 0, "{tick}");
    }
}

#[test]
fn two_readings_show_no_step() {
    let samples = [60_000, 131_000].map(|read| sample(TICK, MICROSECOND, read, 20_000, 20_000));
    assert!(!shows_a_tick(&samples));
}

#[test]
fn a_clock_that_prints_milliseconds_does_not_tick_in_them() {
    let samples =
        [60_000, 131_000, 222_000, 303_000].map(|read| sample(1, MILLISECOND, read, 20_000, 20_000));
    assert!(!shows_a_tick(&samples));
}

#[test]
fn a_clock_as_fine_as_it_is_printed_shows_no_tick() {
    for step in [MICROSECOND, 10 * MICROSECOND, 100 * MICROSECOND, MILLISECOND, 1_000 * MILLISECOND] {
        assert!(!shows_a_tick(&side_by_side(1, step)), "{step}");
    }
}

#[test]
fn two_equal_readings_among_many_are_a_coincidence() {
    let mut samples = side_by_side(1, MICROSECOND);
    let again = sample(1, MICROSECOND, 20_000, 9_000, 9_000);
    samples.push(again);
    assert!(!shows_a_tick(&samples));
}

#[test]
fn readings_that_requests_got_at_the_same_moment_show_no_tick() {
    // They waited for each other: sent apart, read in one microsecond, answered together.
    let samples: Vec<Sample> =
        (0..16).map(|number| sample(1, MICROSECOND, 20_000, 100 * number, 50)).collect();
    assert!(!shows_a_tick(&samples));
}

#[test]
fn a_reading_whose_last_digits_are_zeros_is_as_fine_as_the_others() {
    // Seven read `.375`, which is taken for milliseconds; another shows that there are more digits.
    let mut samples: Vec<Sample> = (0..7)
        .map(|number| sample(TICK, MILLISECOND, 376_000 + number * 40, 1_000, 1_000 + number * 500))
        .collect();
    assert!(!shows_a_tick(&samples));
    samples.push(sample(TICK, 10 * MICROSECOND, 345_000, 1_000, 1_000));
    assert!(shows_a_tick(&samples));
}
