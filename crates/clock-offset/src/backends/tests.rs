use core::time::Duration;

use super::*;
use crate::sample::{Reading, Shown};
use crate::time::UnixInstant;

const SECOND: i128 = 1_000_000_000;
const NOON: i128 = 1_795_521_600 * SECOND;

fn reference() -> ReferenceClock {
    ReferenceClock { bounds: noon(), drift: Drift::from_ppm(0) }
}

fn noon() -> BoundedTime {
    BoundedTime { at: MonotonicInstant::ORIGIN, shows: Interval::point(UnixInstant::from_nanos(NOON)) }
}

/// A sample taken `at_millis` after noon whose clock, truncated to `step`, is ahead by `ahead_millis`.
fn sample(at_millis: u64, ahead_millis: i128, step: Duration, instance: Option<&str>) -> Sample {
    let step_nanos = i128::try_from(step.as_nanos()).unwrap();
    let sent = MonotonicInstant::after_origin(Duration::from_millis(at_millis));
    let shown = NOON + sent.as_nanos() + ahead_millis * 1_000_000 + 100_000;
    let earliest = shown.div_euclid(step_nanos) * step_nanos;
    let shown =
        Interval::new(UnixInstant::from_nanos(earliest), UnixInstant::from_nanos(earliest + step_nanos));
    Sample {
        sent,
        received: sent + Duration::from_micros(200),
        reading: Reading { shown: Shown::Instant(shown), step, may_lag: Duration::ZERO },
        instance: instance.map(Arc::from),
        connection: 0,
    }
}

const ONE_SECOND: Limits = Limits { max_offset: Duration::from_secs(1), warn_offset: None };

#[test]
fn named_instances_are_kept_apart_even_when_their_clocks_agree() {
    let fine = Duration::from_nanos(1);
    let samples =
        [sample(0, 0, fine, Some("a")), sample(1, 0, fine, Some("b")), sample(2, 0, fine, Some("a"))];
    let backends = group_by_clock(&samples, &noon(), Drift::DISCIPLINED);
    assert_eq!(backends.len(), 2);
    assert_eq!(backends[0].samples, [0, 2]);
    assert!(backends.iter().all(|backend| backend.evidence == Evidence::OneClock));
}

#[test]
fn two_clocks_without_names_are_told_apart_and_not_averaged() {
    let fine = Duration::from_nanos(1);
    let samples: Vec<Sample> =
        (0..6).map(|i| sample(i, if i % 2 == 0 { 0 } else { 3_000 }, fine, None)).collect();
    let backends = group_by_clock(&samples, &noon(), Drift::DISCIPLINED);
    assert_eq!(backends.len(), 2);
    assert_eq!(backends[0].samples, [0, 2, 4]);
    assert_eq!(backends[0].verdict(&reference(), &ONE_SECOND), Verdict::InSync);
    assert_eq!(backends[1].samples, [1, 3, 5]);
    assert_eq!(backends[1].verdict(&reference(), &ONE_SECOND), Verdict::Desynchronized);
}

#[test]
fn a_vague_sample_that_fits_two_clocks_shrinks_neither() {
    let fine = Duration::from_nanos(1);
    let mut vague = sample(2, 0, Duration::from_secs(10), None);
    vague.sent = vague.sent - Duration::from_secs(9);
    let samples = [sample(0, 0, fine, None), sample(1, 3_000, fine, None), vague];
    let backends = group_by_clock(&samples, &noon(), Drift::DISCIPLINED);
    assert_eq!(backends.len(), 2);
    assert!(backends.iter().all(|backend| backend.bounds.shows.width() < Duration::from_millis(1)));
}

#[test]
fn once_two_nameless_clocks_are_known_a_vague_group_is_no_proof_of_being_in_sync() {
    // Whole seconds: 0.5 s ahead and 1.4 s ahead overlap in part, and a third clock proves that there are
    // several. The overlap alone would say “0.9 to 1.0 s ahead, OK”, which is true of neither.
    let whole = Duration::from_secs(1);
    let samples =
        [sample(500, 500, whole, None), sample(500, 1_400, whole, None), sample(500, 9_000, whole, None)];
    for backend in group_by_clock(&samples, &noon(), Drift::DISCIPLINED) {
        assert_ne!(backend.verdict(&reference(), &ONE_SECOND), Verdict::InSync, "{backend:?}");
    }
}

#[test]
fn one_process_whose_clock_was_stepped_contradicts_itself() {
    let fine = Duration::from_nanos(1);
    let samples = [sample(0, 0, fine, Some("a")), sample(1, 3_000, fine, Some("a"))];
    let backends = group_by_clock(&samples, &noon(), Drift::DISCIPLINED);
    let [stepped] = &backends[..] else { panic!("{backends:?}") };
    assert_eq!(stepped.evidence, Evidence::ToldApart);
    assert_eq!(stepped.samples, [0, 1]);
    // It is three seconds ahead now; that it was right a moment ago does not help.
    assert_eq!(stepped.verdict(&reference(), &ONE_SECOND), Verdict::Desynchronized);
    let samples = [sample(0, 3_000, fine, Some("a")), sample(1, 0, fine, Some("a"))];
    let backends = group_by_clock(&samples, &noon(), Drift::DISCIPLINED);
    assert_eq!(backends[0].verdict(&reference(), &ONE_SECOND), Verdict::Undetermined);
}

#[test]
fn eight_connections_to_one_backend_leave_less_than_one_percent_for_a_second() {
    assert_eq!(connections_needed(1, 0.01), 8);
    assert!(miss_probability(1, 8) < 0.01 && miss_probability(1, 7) > 0.01);
    assert_eq!(connections_needed(4, 0.01), 28);
    assert!((miss_probability(0, 100) - 1.0).abs() < f64::EPSILON);
}
