use std::time::Duration;

use clock_offset::{Interval, Offset, Span, Verdict};
use http::StatusCode;

use super::*;
use crate::outcome::{BackendOutcome, Cause, ConnectionFault, NameFault, Phase, Reason, Spread, Status};

pub(super) fn backend(instance: Option<&str>, verdict: Verdict) -> BackendOutcome {
    BackendOutcome {
        instance: instance.map(Into::into),
        verdict,
        offset: Interval::point(Offset::ZERO),
        samples: 1,
        round_trip: Spread::default(),
        clock: None,
    }
}

pub(super) fn found(address: &str, finding: Finding) -> TargetOutcome {
    TargetOutcome {
        url: "http://time.example/now".to_owned(),
        address: Some(address.parse().unwrap()),
        finding,
        phases: Phases::default(),
        certificate: None,
        connections: 1,
        requests: 1,
        discarded: Discarded::default(),
        miss_probability: None,
        notes: Vec::new(),
    }
}

pub(super) fn healthy(address: &str) -> TargetOutcome {
    found(address, Finding::of_backends(vec![backend(None, Verdict::InSync)]))
}

pub(super) fn failed(address: &str, cause: Cause) -> TargetOutcome {
    let failure = Failure { phase: Phase::Connect, cause, elapsed: Duration::ZERO };
    found(address, Finding::of_failure(failure, Vec::new()))
}

pub(super) fn unconnected(address: &str, fault: ConnectionFault) -> TargetOutcome {
    failed(address, Cause::Connection { address: address.parse().unwrap(), fault })
}

pub(super) fn refused(address: &str) -> TargetOutcome {
    unconnected(address, ConnectionFault::Refused)
}

fn without_route(address: &str) -> TargetOutcome {
    unconnected(address, ConnectionFault::NoRoute("no route".to_owned()))
}

fn addresses(are_one_machine: bool) -> Addresses {
    Addresses { all: Vec::new(), are_one_machine, unknown: None }
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

#[test]
fn a_silent_dns_server_is_a_fault_on_this_side() {
    let reason = |fault| {
        let failure = Failure { phase: Phase::Resolve, cause: Cause::Name(fault), elapsed: Duration::ZERO };
        Finding::of_failure(failure, Vec::new()).reason()
    };
    let name = || "time.example".to_owned();
    assert_eq!(reason(NameFault::Silent { name: name(), record: None }), Reason::CheckerFault);
    assert_eq!(reason(NameFault::NotFound { name: name() }), Reason::Down);
}

#[test]
fn redirects_are_followed_five_times_and_no_further() {
    let target = Target::parse("http://time.example/now", "/now").unwrap();
    let fault = AnswerFault::Redirect {
        status: StatusCode::FOUND,
        location: Some("/other".to_owned()),
        limit: Some(MOST_REDIRECTS),
    };
    let redirected = failed("192.0.2.1:80", Cause::Answer(Box::new(fault)));
    assert_eq!(destination(&redirected, &target, 4).unwrap().to_string(), "http://time.example/other");
    assert_eq!(destination(&redirected, &target, 5), None);
    assert_eq!(destination(&healthy("192.0.2.1:80"), &target, 0), None);
}

#[test]
fn what_is_to_be_known_of_an_address_that_redirects_is_kept_but_for_what_is_said_of_its_time() {
    let mut redirected = healthy("192.0.2.1:80");
    let kept = Note::CertificateEndsSoon { left: Span::from(Duration::from_secs(86_400)) };
    redirected.notes = vec![Note::BackendsUncounted, kept.clone(), Note::WholeDaysUnseen];
    let url = redirected.url.clone();
    let notes: Vec<Note> = notes_on_the_way(redirected).collect();
    assert_eq!(notes, [Note::OnTheWay { url, note: Box::new(kept) }]);
}
