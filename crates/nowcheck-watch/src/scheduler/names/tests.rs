use std::net::SocketAddr;

use clock_offset::Verdict;
use nowcheck::outcome::{Cause, ExchangeFault, Failure, Finding, Phase};

use super::*;
use crate::incident::testing::{backend, outcome};

fn round(names: impl IntoIterator<Item = u32>) -> Outcome {
    let backends = names.into_iter().map(|name| backend(&format!("name-{name}"), Verdict::InSync)).collect();
    let address: SocketAddr = "192.0.2.1:80".parse().unwrap();
    outcome(vec![TargetOutcome::new(
        "http://shop.example/now",
        Some(address),
        Finding::of_backends(backends),
    )])
}

fn second(nth: u64) -> MonotonicInstant {
    MonotonicInstant::after_origin(Duration::from_secs(nth))
}

/// Whether names are ignored after full rounds that met these.
fn are_ignored_after(rounds: impl IntoIterator<Item = Vec<u32>>) -> bool {
    let mut names = Names::default();
    rounds.into_iter().for_each(|met| {
        names.meet(&mut round(met), second(0));
    });
    names.are_ignored(second(0))
}

#[test]
fn more_names_at_one_address_than_a_check_may_have_backends_are_ignored_for_a_day() {
    let (mut few, mut many) = (round(0..100), round(0..101));
    let mut names = Names::default();
    assert!(!names.meet(&mut few, second(0)) && !names.are_ignored(second(0)));
    assert_eq!(few.targets[0].backends().len(), 100);
    assert!(names.meet(&mut many, second(1)));
    let [one] = many.targets[0].backends() else { panic!("{many:?}") };
    assert_eq!((one.instance.as_deref(), one.samples), (None, 101));
    assert!(names.are_ignored(second(86_400)) && !names.are_ignored(second(86_401)));
}

#[test]
fn names_of_which_ten_rounds_in_a_row_meet_no_earlier_one_are_ignored() {
    let others = |rounds: u32| (0..rounds).map(|nth| vec![2 * nth, 2 * nth + 1]);
    assert!(!are_ignored_after(others(10)));
    assert!(are_ignored_after(others(11)));
    // Rounds that failed say nothing of names.
    assert!(are_ignored_after(others(11).flat_map(|names| [names, Vec::new()])));
}

#[test]
fn names_of_backends_that_are_replaced_one_after_the_other_are_not_ignored() {
    assert!(!are_ignored_after((0..100).map(|nth| vec![nth, nth + 1, nth + 2])));
    // All at once, now and then.
    assert!(!are_ignored_after((0..100).map(|nth| vec![nth / 2, nth / 2 + 1_000])));
}

#[test]
fn a_steady_round_shows_that_names_last() {
    let mut names = Names::default();
    for nth in 0..100 {
        names.meet(&mut round([nth]), second(0));
        if nth % 5 == 0 {
            names.have_lasted();
        }
    }
    assert!(!names.are_ignored(second(0)));
}

#[test]
fn rounds_that_failed_after_a_few_of_many_backends_say_nothing_of_names() {
    let mut names = Names::default();
    for nth in 0..20 {
        let mut cut_short = round([nth]);
        let failure = Failure {
            phase: Phase::Wait,
            cause: Cause::Exchange(ExchangeFault::Silent),
            elapsed: Duration::ZERO,
        };
        let met = cut_short.targets[0].backends().to_vec();
        cut_short.targets[0].finding = Finding::of_failure(failure, met);
        assert_eq!(cut_short.targets[0].backends().len(), 1, "it met one");
        names.meet(&mut cut_short, second(0));
    }
    assert!(!names.are_ignored(second(0)));
}
