use super::*;
use crate::outcome::{ConnectionFault, Reason, Status};
use crate::round::tests::{healthy, refused, unconnected};

fn without_route(address: &str) -> TargetOutcome {
    unconnected(address, ConnectionFault::NoRoute("no route".to_owned()))
}

fn addresses(are_one_machine: bool) -> Addresses {
    Addresses { all: Vec::new(), are_one_machine, unknown: None, took: None }
}

#[test]
fn a_dead_address_is_not_hidden_by_a_healthy_one() {
    let both = vec![healthy("192.0.2.1:80"), refused("192.0.2.2:80")];
    let kept = without_skipped(both, &addresses(false));
    assert_eq!(kept.len(), 2);
    assert_eq!(kept[1].status(), Status::Critical);
}

#[test]
fn the_other_way_to_this_machine_may_refuse_but_not_both() {
    let both = vec![healthy("127.0.0.1:80"), refused("[::1]:80")];
    let kept = without_skipped(both, &addresses(true));
    assert_eq!(kept.len(), 1);
    assert!(matches!(kept[0].notes[..], [Note::AddressSkipped { .. }]));
    let none = vec![refused("127.0.0.1:80"), refused("[::1]:80")];
    assert_eq!(without_skipped(none, &addresses(true)).len(), 2);
}

#[test]
fn a_machine_without_ipv6_judges_by_ipv4_and_says_so() {
    let both = vec![without_route("[2001:db8::1]:80"), healthy("192.0.2.1:80")];
    let kept = without_skipped(both, &addresses(false));
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].status(), Status::Ok);
    let only = vec![without_route("[2001:db8::1]:80")];
    let kept = without_skipped(only, &addresses(false));
    assert_eq!((kept[0].status(), kept[0].reason()), (Status::Unknown, Reason::CheckerFault));
}
