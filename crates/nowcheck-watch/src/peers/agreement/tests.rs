use proptest::prelude::*;

use super::*;

fn at(millis: u64) -> MonotonicInstant {
    MonotonicInstant::after_origin(Duration::from_millis(millis))
}

fn measured(millis: u64, lower: f64, upper: f64) -> Measured {
    Measured { when: When::at(at(millis)), lower, upper }
}

/// Measures a clock every ten seconds in turn, with the error of the reference of each instance.
fn measurements(errors: &[f64], clock: impl Fn(f64) -> f64, rounds: u64) -> Measurements {
    let mut all = Measurements::default();
    for round in 0..rounds {
        for (nth, error) in (0_u64..).zip(errors) {
            let millis = 10_000 * round + 1_000 * nth;
            let offset = clock(seconds(millis)) - error;
            all.add("shop", "b1", &format!("i{nth}"), measured(millis, offset - 0.001, offset + 0.001));
        }
    }
    all
}

fn seconds(millis: u64) -> f64 {
    Duration::from_millis(millis).as_secs_f64()
}

fn wrong(found: Option<Contradiction>) -> Option<Vec<String>> {
    found.map(|found| found.wrong.into_iter().collect())
}

#[test]
fn the_majority_names_the_instance_whose_reference_is_wrong() {
    assert_eq!(
        wrong(measurements(&[0.0, 0.0, 0.5], |_| 0.2, 3).contradiction()),
        Some(vec!["i2".to_owned()])
    );
    assert_eq!(wrong(measurements(&[0.0, 0.0, 0.0], |_| 7.0, 3).contradiction()), None);
    assert_eq!(
        wrong(measurements(&[0.0, -3.0, 0.0, 2.0, 0.0], |_| 0.0, 3).contradiction()),
        Some(vec!["i1".to_owned(), "i3".to_owned()])
    );
}

#[test]
fn without_a_majority_nobody_is_named() {
    let found = measurements(&[0.0, 0.5], |_| 0.0, 3).contradiction().unwrap();
    assert!(found.wrong.is_empty());
    assert_eq!(found.parties, BTreeSet::from(["i0".to_owned(), "i1".to_owned()]));
    assert_eq!(wrong(measurements(&[0.0, 0.0, 1.0, 1.0], |_| 0.0, 3).contradiction()), Some(Vec::new()));
    assert_eq!(wrong(measurements(&[0.0, 1.0, 2.0], |_| 0.0, 3).contradiction()), Some(Vec::new()));
}

#[test]
fn two_measurements_that_no_third_one_brackets_prove_nothing() {
    let mut all = Measurements::default();
    all.add("shop", "b1", "one", measured(0, 0.0, 0.1));
    all.add("shop", "b1", "other", measured(1_000, 0.5, 0.6));
    assert_eq!(all.contradiction(), None, "the clock may have been set in between");
    all.add("shop", "b1", "one", measured(2_000, 0.01, 0.1));
    assert!(all.contradiction().is_some());
    all.retain(at(2_000) + RECENT);
    assert_eq!(all.contradiction(), None, "it is long ago");
}

#[test]
fn a_measurement_that_is_told_again_is_no_other_one() {
    let mut all = Measurements::default();
    all.add("shop", "b1", "one", measured(0, 0.0, 0.1));
    all.add("shop", "b1", "other", measured(1_000, 0.5, 0.6));
    // It is known less well when it was, so it seems to be a later one.
    all.add("shop", "b1", "one", measured(2_000, 0.0, 0.1));
    assert_eq!(all.contradiction(), None);
}

#[test]
fn of_each_check_so_many_clocks_are_compared_as_can_be_expected() {
    let mut all = Measurements::default();
    all.add("other", "b", "one", measured(0, 0.0, 0.1));
    for nth in 0..500_u32 {
        all.add("shop", &format!("b{nth}"), "one", measured(nth.into(), 0.0, 0.1));
        all.add("shop", "lasting", "one", measured(nth.into(), 0.0, f64::from(nth)));
    }
    let known: Vec<&str> = all.0.keys().map(|(_, backend)| backend.as_str()).collect();
    assert_eq!(known.len(), 1 + MOST_BACKENDS);
    assert!(["b", "lasting", "b499"].iter().all(|name| known.contains(name)), "{known:?}");
}

#[test]
fn a_contradiction_is_told_with_its_evidence() {
    let found = measurements(&[0.0, 0.0, 0.5], |_| 0.2, 3).contradiction().unwrap();
    let words = found.summary();
    assert!(
        words.starts_with("the reference of i2 is wrong: of the backend b1 of shop, i0 measures "),
        "{words}"
    );
    assert!(words.contains(" and i2 measures "), "{words}");
}

proptest! {
    #[test]
    fn right_references_never_contradict_each_other_whatever_a_clock_does_once(
        count in 2..6_usize,
        offset in -10.0..10.0,
        // A clock that is slewed: ten times what chrony does at most.
        drift in -1.0..1.0,
        step in -100.0..100.0,
        stepped_at in 0.0..60.0,
        is_drifting: bool,
    ) {
        let clock = |now: f64| {
            if is_drifting {
                offset + drift * now
            } else {
                offset + if now >= stepped_at { step } else { 0.0 }
            }
        };
        for rounds in 1..8 {
            prop_assert_eq!(measurements(&vec![0.0; count], clock, rounds).contradiction(), None);
        }
    }

    #[test]
    fn one_wrong_reference_among_three_or_more_is_named_and_no_other(
        count in 3..7_usize,
        nth in 0..7_usize,
        error in 0.01..10.0,
        drift in -0.0001..0.0001,
    ) {
        let nth = nth % count;
        let mut errors = vec![0.0; count];
        errors[nth] = error;
        let found = measurements(&errors, |now| drift * now, 4).contradiction();
        prop_assert_eq!(wrong(found), Some(vec![format!("i{nth}")]));
    }
}
