use std::time::Duration;

use clock_offset::{Interval, Offset, UnixInstant};

use super::*;
use crate::clock::Synchronisation;
use crate::outcome::{BackendOutcome, Spread};

fn outcome(address: &str, failure: Option<Kind>) -> TargetOutcome {
    let failure = failure.map(|kind| Failure {
        phase: Phase::Connect,
        kind,
        message: "it failed".to_owned(),
        elapsed: Duration::ZERO,
    });
    let (status, reason) = failure.as_ref().map_or((Status::Ok, Reason::InSync), status_of_failure);
    let offset = Interval::point(Offset::ZERO);
    let backend = BackendOutcome {
        instance: None,
        verdict: Verdict::InSync,
        offset,
        samples: 1,
        round_trip: Spread::default(),
        clock: None,
    };
    TargetOutcome {
        url: "http://time.example/now".to_owned(),
        address: Some(address.parse().unwrap()),
        status,
        reason,
        backends: if failure.is_none() { vec![backend] } else { Vec::new() },
        failure,
        phases: Phases::default(),
        connections: 1,
        requests: 1,
        miss_probability: None,
        stale: None,
        notes: Vec::new(),
    }
}

fn addresses(are_one_machine: bool) -> Addresses {
    Addresses { all: Vec::new(), are_one_machine, unknown: None }
}

fn reading(at_secs: u64, shown_secs: i128, synchronisation: Synchronisation) -> WallReading {
    let shows = Interval::point(UnixInstant::from_nanos(shown_secs * 1_000_000_000));
    let at = MonotonicInstant::after_origin(Duration::from_secs(at_secs));
    WallReading { shown: BoundedTime { at, shows }, synchronisation }
}

const ONE_SECOND: Limits = Limits { max_offset: Duration::from_secs(1), warn_offset: None };

#[test]
fn a_dead_address_is_not_hidden_by_a_healthy_one() {
    let both = vec![outcome("192.0.2.1:80", None), outcome("192.0.2.2:80", Some(Kind::Refused))];
    let kept = without_skipped(both, &addresses(false));
    assert_eq!(kept.len(), 2);
    assert_eq!(kept[1].status, Status::Critical);
}

#[test]
fn the_other_way_to_this_machine_may_refuse_but_not_both() {
    let both = vec![outcome("127.0.0.1:80", None), outcome("[::1]:80", Some(Kind::Refused))];
    let kept = without_skipped(both, &addresses(true));
    assert_eq!(kept.len(), 1);
    assert!(matches!(kept[0].notes[..], [Note::AddressSkipped { .. }]));
    let none = vec![outcome("127.0.0.1:80", Some(Kind::Refused)), outcome("[::1]:80", Some(Kind::Refused))];
    assert_eq!(without_skipped(none, &addresses(true)).len(), 2);
}

#[test]
fn a_machine_without_ipv6_judges_by_ipv4_and_says_so() {
    let both = vec![outcome("[2001:db8::1]:80", Some(Kind::NoRoute)), outcome("192.0.2.1:80", None)];
    let kept = without_skipped(both, &addresses(false));
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].status, Status::Ok);
    let only = vec![outcome("[2001:db8::1]:80", Some(Kind::NoRoute))];
    let kept = without_skipped(only, &addresses(false));
    assert_eq!((kept[0].status, kept[0].reason), (Status::Unknown, Reason::CheckerFault));
}

#[test]
fn a_wall_clock_that_was_stepped_in_the_round_takes_the_verdict_back() {
    let mut targets = [outcome("192.0.2.1:80", None), outcome("192.0.2.2:80", Some(Kind::Refused))];
    let (begin, end) = (
        reading(0, 100, Synchronisation::Unsynchronized),
        reading(1, 3_701, Synchronisation::Unsynchronized),
    );
    doubt_the_reference(&mut targets, &begin, &end, &ONE_SECOND);
    assert_eq!((targets[0].status, targets[0].reason), (Status::Unknown, Reason::CheckerFault));
    let step = Offset::from(Duration::from_secs(3_600));
    assert!(targets[0].notes.contains(&Note::WallClockStepped { step }));
    // That an address refuses is true whatever the clock.
    assert_eq!(targets[1].status, Status::Critical);
}

#[test]
fn a_reference_that_is_known_too_poorly_is_the_checkers_fault() {
    let mut targets = [outcome("192.0.2.1:80", None)];
    (targets[0].status, targets[0].reason) = (Status::Unknown, Reason::Undetermined);
    let vague = Synchronisation::Synchronized { max_error: Duration::from_secs(2) };
    doubt_the_reference(&mut targets, &reading(0, 100, vague), &reading(1, 101, vague), &ONE_SECOND);
    assert_eq!(targets[0].reason, Reason::CheckerFault);
}

#[test]
fn a_silent_dns_server_is_a_fault_on_this_side() {
    let failure =
        |kind| Failure { phase: Phase::Resolve, kind, message: "x".to_owned(), elapsed: Duration::ZERO };
    assert_eq!(status_of_failure(&failure(Kind::Timeout)).1, Reason::CheckerFault);
    assert_eq!(status_of_failure(&failure(Kind::NoSuchName)).1, Reason::Down);
}

#[test]
fn redirects_are_followed_five_times_and_no_further() {
    let target = Target::parse("http://time.example/now", "/now").unwrap();
    let redirect = Kind::Redirect { status: 302, location: Some("/other".to_owned()) };
    let redirected = outcome("192.0.2.1:80", Some(redirect));
    assert_eq!(destination(&redirected, &target, 4).unwrap().to_string(), "http://time.example/other");
    assert_eq!(destination(&redirected, &target, 5), None);
    assert_eq!(destination(&outcome("192.0.2.1:80", None), &target, 0), None);
}

#[tokio::test]
async fn results_come_in_the_order_of_their_futures_and_not_of_their_ends() {
    let futures = [30_u64, 10, 20].map(|millis| async move {
        tokio::time::sleep(Duration::from_millis(millis)).await;
        millis
    });
    assert_eq!(in_parallel(futures.into_iter()).await, [30, 10, 20]);
}
