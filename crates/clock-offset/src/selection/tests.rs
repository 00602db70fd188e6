use core::time::Duration;

use super::*;

const MILLI: i128 = 1_000_000;

fn claim(earliest: i128, latest: i128) -> BoundedTime {
    let shows = Interval::new(UnixInstant::from_nanos(earliest), UnixInstant::from_nanos(latest));
    BoundedTime { at: MonotonicInstant::ORIGIN, shows }
}

fn select_among(claims: &[BoundedTime]) -> Selection {
    select(claims, MonotonicInstant::ORIGIN, Drift::DISCIPLINED)
}

#[test]
fn of_no_claims_nothing_is_selected_and_of_one_that_one() {
    assert_eq!(select_among(&[]), Selection::NoClaims);
    let alone = claim(3, 9);
    let agreed = Agreement { bounds: alone, truechimers: vec![0], falsetickers: vec![] };
    assert_eq!(select_among(&[alone]), Selection::Agreed(agreed));
}

#[test]
fn half_of_the_claims_are_no_majority() {
    let Selection::NoMajority { largest } = select_among(&[claim(8, 9), claim(0, 5)]) else {
        panic!("one of two was believed");
    };
    let expected =
        [Clique { bounds: claim(0, 5), members: vec![1] }, Clique { bounds: claim(8, 9), members: vec![0] }];
    assert_eq!(largest, expected);
    let two_of_four = [claim(0, 5), claim(20, 21), claim(4, 9), claim(30, 31)];
    let Selection::NoMajority { largest } = select_among(&two_of_four) else {
        panic!("two of four were believed")
    };
    assert_eq!(largest, [Clique { bounds: claim(4, 5), members: vec![0, 2] }]);
}

#[test]
fn a_majority_prevails_over_a_falseticker() {
    let agreed = Agreement { bounds: claim(4, 6), truechimers: vec![0, 2], falsetickers: vec![1] };
    assert_eq!(select_among(&[claim(0, 6), claim(10, 90), claim(4, 9)]), Selection::Agreed(agreed));
}

#[test]
fn where_the_truth_can_be_in_two_regions_the_bounds_hold_both_and_nobody_is_blamed() {
    // The first meets the second, and the second the third; no instant belongs to all.
    let claims = [claim(0, 5), claim(3, 20), claim(15, 30)];
    let agreed = Agreement { bounds: claim(3, 20), truechimers: vec![0, 1, 2], falsetickers: vec![] };
    assert_eq!(select_among(&claims), Selection::Agreed(agreed));
}

#[test]
fn a_liar_who_still_meets_the_others_cannot_push_the_truth_out_of_the_bounds() {
    // The first two may be right, and the time 5.
    let agreed = Agreement { bounds: claim(0, 10), truechimers: vec![0, 1, 2], falsetickers: vec![] };
    assert_eq!(select_among(&[claim(0, 10), claim(0, 10), claim(9, 20)]), Selection::Agreed(agreed));
}

#[test]
fn claims_that_touch_agree_on_one_instant_and_those_a_nanosecond_apart_on_none() {
    let agreed = Agreement { bounds: claim(5, 5), truechimers: vec![0, 1], falsetickers: vec![] };
    assert_eq!(select_among(&[claim(0, 5), claim(5, 9)]), Selection::Agreed(agreed));
    assert!(matches!(select_among(&[claim(0, 5), claim(6, 9)]), Selection::NoMajority { .. }));
}

#[test]
fn claims_are_carried_to_the_instant_of_the_selection_and_widened_by_the_drift() {
    // The second was made 10 ms later, and says 10 ms more.
    let later = BoundedTime {
        at: MonotonicInstant::ORIGIN + Duration::from_millis(10),
        shows: claim(10 * MILLI, 10 * MILLI).shows,
    };
    let at = MonotonicInstant::ORIGIN + Duration::from_millis(20);
    let Selection::Agreed(agreement) = select(&[claim(0, 0), later], at, Drift::DISCIPLINED) else {
        panic!("they say the same");
    };
    assert_eq!(agreement.bounds.at, at);
    assert_eq!(agreement.bounds.shows, claim(20 * MILLI - 5_000, 20 * MILLI + 5_000).shows);
}
