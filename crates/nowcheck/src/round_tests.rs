use std::time::Duration;

use clock_offset::{Interval, Offset, Span};

use super::*;
use crate::outcome::{BackendOutcome, Spread};

pub(super) fn outcome(address: &str, failure: Option<Kind>) -> TargetOutcome {
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
        certificate: None,
        connections: 1,
        requests: 1,
        discarded: Discarded::default(),
        miss_probability: None,
        stale: None,
        notes: Vec::new(),
    }
}

fn addresses(are_one_machine: bool) -> Addresses {
    Addresses { all: Vec::new(), are_one_machine, unknown: None }
}

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

#[test]
fn what_is_to_be_known_of_an_address_that_redirects_is_kept_but_for_what_is_said_of_its_time() {
    let mut redirected = outcome("192.0.2.1:80", None);
    let kept = Note::CertificateEndsSoon { left: Span::from(Duration::from_secs(86_400)) };
    redirected.notes = vec![Note::BackendsUncounted, kept.clone(), Note::WholeDaysUnseen];
    let url = redirected.url.clone();
    let notes: Vec<Note> = notes_on_the_way(redirected).collect();
    assert_eq!(notes, [Note::OnTheWay { url, note: Box::new(kept) }]);
}
