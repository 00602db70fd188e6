use super::*;
use crate::time::Span;

const SECOND: i128 = 1_000_000_000;

fn at(seconds: u64) -> MonotonicInstant {
    MonotonicInstant::after_origin(Duration::from_secs(seconds))
}

fn offset(lower: i128, upper: i128) -> Interval<Offset> {
    Interval::new(Offset::from_nanos(lower), Offset::from_nanos(upper))
}

fn window(length: Duration, observations: usize) -> DriftWindow {
    let observations = NonZeroUsize::new(observations).unwrap();
    DriftWindow::new(Drift::DISCIPLINED, WindowSize { length, observations })
}

fn window_of(observations: &[(u64, i128, i128)]) -> DriftWindow {
    let mut window = window(WindowSize::LONGEST, 1_000);
    for &(seconds, lower, upper) in observations {
        window.record(Observation { at: at(seconds), offset: offset(lower, upper) }).unwrap();
    }
    window
}

fn rates(window: &DriftWindow) -> (DriftRate, DriftRate) {
    let drift = window.trend().unwrap().drift();
    (drift.earliest(), drift.latest())
}

#[test]
fn an_empty_window_proves_nothing() {
    let window = window_of(&[]);
    assert!(window.trend().is_none());
    assert!(window.step().is_none());
    assert!(window.is_empty());
}

#[test]
fn one_observation_leaves_every_drift_that_is_possible() {
    let window = window_of(&[(0, -10, 10)]);
    assert_eq!(rates(&window), (DriftRate::from_ppb(-500_000), DriftRate::from_ppb(500_000)));
    let trend = window.trend().unwrap();
    assert_eq!(trend.offset_after(Duration::ZERO), offset(-10, 10));
    assert_eq!(trend.offset_after(Duration::from_secs(1)), offset(-500_010, 500_010));
    // 1 s away at 500 µs a second.
    assert_eq!(trend.forecast(Duration::from_nanos(1_000_000_010)), Forecast::NotBefore(at(2_000)));
}

#[test]
fn two_observations_bound_the_drift_by_the_lines_between_opposite_ends() {
    let window = window_of(&[(0, 0, 1_000), (10, 3_000, 5_000)]);
    assert_eq!(rates(&window), (DriftRate::from_ppb(200), DriftRate::from_ppb(500)));
}

#[test]
fn an_observation_at_the_same_instant_narrows_the_one_before_it() {
    let window = window_of(&[(0, 0, 1_000), (0, 500, 2_000), (10, 3_000, 3_000)]);
    assert_eq!(rates(&window), (DriftRate::from_ppb(200), DriftRate::from_ppb(250)));
}

#[test]
fn two_offsets_at_one_instant_are_a_step() {
    let window = window_of(&[(5, 0, 10), (5, 20, 30)]);
    let size = Interval::new(Span::from_nanos(10), Span::from_nanos(30));
    assert_eq!(window.step(), Some(Step { after: at(5), until: at(5), size, rate_instead: None }));
    assert_eq!(window.trend().unwrap().observations, 1);
}

#[test]
fn a_rate_that_changes_ends_the_trend_and_proves_no_step() {
    // 100 ppm for a minute, then −100 ppm.
    let window = window_of(&[(0, 0, 0), (30, 3_000_000, 3_000_000), (60, 6_000_000, 6_000_000)]);
    assert_eq!(window.trend().unwrap().observations, 3);
    let window = window_of(&[(0, 0, 0), (60, 6_000_000, 6_000_000), (90, 3_000_000, 3_000_000)]);
    let trend = window.trend().unwrap();
    assert_eq!((trend.since, trend.observations, trend.break_after), (at(60), 2, Some(at(0))));
    assert_eq!(rates(&window), (DriftRate::from_ppb(-100_000), DriftRate::from_ppb(-100_000)));
    assert_eq!(window.step(), None);
}

#[test]
fn a_clock_that_runs_faster_than_possible_looks_stepped_and_its_rate_is_named() {
    let window = window_of(&[(0, 0, 0), (100, 60_000_000, 60_000_000)]);
    let step = window.step().unwrap();
    assert_eq!(step.rate_instead.unwrap(), Interval::point(DriftRate::from_ppb(600_000)));
    assert_eq!(step.size, Interval::new(Span::from_nanos(10_000_000), Span::from_nanos(110_000_000)));
}

#[test]
fn a_step_is_found_between_wide_observations_that_hide_it() {
    // Whole seconds, and a step of 5 s while nothing was known.
    let window = window_of(&[(0, 0, SECOND), (30, -9 * SECOND, 9 * SECOND), (60, -5 * SECOND, -4 * SECOND)]);
    let step = window.step().unwrap();
    assert_eq!((step.after, step.until), (at(0), at(60)));
    assert!(step.size.latest() < Span::ZERO);
    // The observation between them says nothing against the trend.
    assert_eq!(window.trend().unwrap().observations, 2);
}

#[test]
fn a_drift_that_the_limits_contain_exactly_is_possible() {
    let window = window_of(&[(0, 0, 0), (60, 30_000_000, 30_000_000)]);
    assert_eq!(window.step(), None);
    assert_eq!(rates(&window), (DriftRate::from_ppb(500_000), DriftRate::from_ppb(500_000)));
}

#[test]
fn a_forecast_counts_from_the_last_observation() {
    // 100 ppm: from 10 ms at 100 s to 1 s.
    let window = window_of(&[(0, 0, 0), (100, 10_000_000, 10_000_000)]);
    let trend = window.trend().unwrap();
    assert_eq!(trend.forecast(Duration::from_secs(1)), Forecast::Within(Interval::point(at(10_000))));
    // Exactly the limit does not exceed it, but the next instant does.
    assert_eq!(trend.forecast(Duration::from_millis(10)), Forecast::Within(Interval::point(at(100))));
    assert_eq!(trend.forecast(Duration::from_millis(1)), Forecast::Within(Interval::point(at(100))));
}

#[test]
fn a_clock_that_does_not_drift_never_exceeds_the_limit() {
    let trend = window_of(&[(0, 7, 7), (100, 7, 7)]).trend().unwrap();
    assert_eq!(trend.forecast(Duration::from_nanos(7)), Forecast::Never);
    assert_eq!(trend.forecast(Duration::from_nanos(6)), Forecast::Within(Interval::point(at(100))));
}

#[test]
fn a_forecast_of_a_clock_that_falls_is_that_of_one_that_rises() {
    let rising = window_of(&[(0, 0, 1_000), (10, 3_000, 5_000)]).trend().unwrap();
    let falling = window_of(&[(0, -1_000, 0), (10, -5_000, -3_000)]).trend().unwrap();
    let limit = Duration::from_secs(1);
    assert_eq!(rising.forecast(limit), falling.forecast(limit));
    assert!(matches!(rising.forecast(limit), Forecast::Within(_)));
}

#[test]
fn a_full_window_forgets_an_eighth_of_its_observations() {
    let mut window = window(WindowSize::LONGEST, 16);
    for seconds in 0..17 {
        window.record(Observation { at: at(seconds), offset: offset(0, 0) }).unwrap();
    }
    assert_eq!((window.len(), window.trend().unwrap().since), (15, at(2)));
}

#[test]
fn observations_that_are_too_old_are_forgotten_and_so_is_their_step() {
    let mut window = window(Duration::from_secs(80), 1_000);
    for seconds in 0..=80 {
        let error = if seconds < 10 { SECOND } else { 0 };
        window.record(Observation { at: at(seconds), offset: offset(error, error) }).unwrap();
    }
    assert_eq!((window.len(), window.step().unwrap().until), (81, at(10)));
    window.record(Observation { at: at(81), offset: offset(0, 0) }).unwrap();
    assert_eq!((window.trend().unwrap().since, window.step()), (at(11), None));
    // After a long silence only the new one is left.
    window.record(Observation { at: at(1_000), offset: offset(0, 0) }).unwrap();
    assert_eq!(window.len(), 1);
}

#[test]
fn what_cannot_be_used_is_rejected_and_changes_nothing() {
    let mut window = window_of(&[(10, 0, 5)]);
    let earlier = window.record(Observation { at: at(9), offset: offset(0, 5) }).unwrap_err();
    assert_eq!(earlier, ObservationError::Earlier { last: at(10) });
    for absurd in [offset(i128::MIN, 0), offset(0, i128::MAX), offset(0, GREATEST_OFFSET + 1)] {
        let error = window.record(Observation { at: at(11), offset: absurd }).unwrap_err();
        assert_eq!(error, ObservationError::OffsetTooLarge);
    }
    assert_eq!((window.len(), window.trend().unwrap().until), (1, at(10)));
}

#[test]
fn the_greatest_numbers_are_counted_with() {
    for possible in [0, 500, u32::MAX] {
        let observations = NonZeroUsize::new(1_000).unwrap();
        let size = WindowSize { length: Duration::MAX, observations };
        let mut window = DriftWindow::new(Drift::from_ppm(possible), size);
        for step in 0..40_u32 {
            let end = if step % 3 == 0 { GREATEST_OFFSET } else { -GREATEST_OFFSET };
            let long = WindowSize::LONGEST / 20;
            let at = MonotonicInstant::ORIGIN + Duration::MAX / 2 + long * step;
            let offset = offset(end.min(0), end.max(i128::from(step)));
            window.record(Observation { at, offset }).unwrap();
            let trend = window.trend().unwrap();
            for limit in [Duration::ZERO, Duration::from_secs(1), Duration::MAX] {
                let _ = trend.forecast(limit);
            }
            assert!(trend.offset_after(Duration::ZERO).earliest() >= Offset::from_nanos(-GREATEST_OFFSET));
            let _ = trend.offset_after(Duration::MAX);
        }
    }
}
