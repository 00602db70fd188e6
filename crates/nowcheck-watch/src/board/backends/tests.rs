use std::sync::Arc;

use clock_offset::Verdict;
use nowcheck::outcome::{Finding, TargetOutcome};

use super::*;
use crate::board::testing::ok_until;
use crate::incident::testing::{backend, outcome};

fn round(names: impl IntoIterator<Item = usize>, wrong: usize) -> Outcome {
    let verdict = |name| if name == wrong { Verdict::Desynchronized } else { Verdict::InSync };
    let backend = |name| backend(&format!("name-{name}"), verdict(name));
    let finding = Finding::of_backends(names.into_iter().map(backend).collect());
    outcome(vec![TargetOutcome::new("http://shop.example/now", None, finding)])
}

fn minute(nth: i64) -> Timestamp {
    Timestamp::from_second(nth * 60).unwrap()
}

fn shop() -> CheckState {
    Arc::unwrap_or_clone(ok_until(Timestamp::MAX))
}

#[test]
fn of_more_backends_than_can_be_expected_those_are_listed_that_were_heard_of_last() {
    let mut state = shop();
    state.meet(&round(0..100, usize::MAX), false, minute(0));
    assert_eq!((state.backends.len(), state.unlisted), (100, None));
    state.meet(&round(90..130, usize::MAX), false, minute(1));
    let listed: Vec<&str> = state.backends.iter().filter_map(|backend| backend.instance.as_deref()).collect();
    assert_eq!(listed.len(), 100);
    assert!((90..130).all(|name| listed.contains(&format!("name-{name}").as_str())), "{listed:?}");
    assert_eq!(state.unlisted, Some(Unlisted::Oldest(minute(0))));
    // An hour later those that are not listed would have been forgotten too.
    state.meet(&round([90], usize::MAX), false, minute(59));
    assert!(state.unlisted.is_some());
    state.meet(&round([90], usize::MAX), false, minute(60));
    assert_eq!(state.unlisted, None);
}

#[test]
fn of_backends_that_were_heard_of_in_one_round_the_wrong_one_is_listed() {
    for wrong in [0, 149] {
        let mut state = shop();
        state.meet(&round(0..150, wrong), false, minute(0));
        let name = format!("name-{wrong}");
        assert_eq!(state.backends.len(), 100);
        assert!(state.backends.iter().any(|backend| backend.instance.as_deref() == Some(&name)), "{wrong}");
    }
}

#[test]
fn backends_are_not_listed_by_names_that_are_worth_nothing() {
    let mut state = shop();
    state.meet(&round(0..10, usize::MAX), false, minute(0));
    let mut many = round(0..200, usize::MAX);
    let names_left_out = many.forget_names_beyond(MOST_BACKENDS);
    state.meet(&many, names_left_out, minute(1));
    assert_eq!((state.backends.len(), state.unlisted), (1, Some(Unlisted::Names)));
    assert!(Unlisted::Names.sentence().contains("seems to change with each answer"));
    state.meet(&round(0..10, usize::MAX), false, minute(2));
    assert_eq!((state.backends.len(), state.unlisted), (10, None));
}
