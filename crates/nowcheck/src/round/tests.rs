use std::time::Duration;

use clock_offset::{Interval, Offset, Span, Verdict};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::outcome::{
    BackendOutcome, Cause, ConnectionFault, Doubt, Failure, Finding, NameFault, Phase, Reason, Spread, Status,
};
use crate::text::figures::rfc3339;

pub(super) fn backend(instance: Option<&str>, verdict: Verdict) -> BackendOutcome {
    BackendOutcome {
        instance: instance.map(Into::into),
        verdict,
        offset: Interval::point(Offset::ZERO),
        tick: Duration::ZERO,
        step: Duration::ZERO,
        samples: 1,
        round_trip: Spread::default(),
        clock: None,
    }
}

pub(super) fn found(address: &str, finding: Finding) -> TargetOutcome {
    let bare = TargetOutcome::new("http://time.example/now", Some(address.parse().unwrap()), finding);
    TargetOutcome { connections: 1, requests: 1, ..bare }
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

#[test]
fn a_silent_dns_server_is_a_fault_on_this_side() {
    let reason = |fault| {
        let cause = Cause::Name { name: "time.example".to_owned(), fault };
        let failure = Failure { phase: Phase::Resolve, cause, elapsed: Duration::ZERO };
        Finding::of_failure(failure, Vec::new()).reason()
    };
    assert_eq!(reason(NameFault::Silent(None)), Reason::CheckerFault);
    assert_eq!(reason(NameFault::NotFound), Reason::Down);
}

/// A service whose clock is this machine's; each answer closes its connection.
async fn serve(clock: Clock) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut request = [0; 1_024];
            let _ = connection.read(&mut request).await;
            let now = rfc3339(clock.read_wall().shown.shows.earliest(), 9);
            let body = format!("{{\"datetime\":\"{now}\",\"instance\":\"one\"}}");
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close", body.len());
            let _ = connection.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).await;
        }
    });
    url
}

async fn query(check: &Check, clock: Clock) -> RoundReference {
    let patience = Patience::until(clock.now() + Duration::from_secs(1));
    check.references(None).query(check.limits.max_offset, clock, patience).await
}

#[tokio::test]
async fn many_checks_share_one_answer_of_the_references() {
    let clock = Clock::start();
    // Whether a kernel vouches for the clock of the machine that runs this is not known.
    let check = |url| Arc::new(Check::of([url]).trust_system_clock(true).build().unwrap());
    let checks = [serve(clock).await, serve(clock).await].map(check);
    let reference = query(&checks[0], clock).await;
    for check in &checks {
        let outcome = hold_against(check, &reference, clock).await;
        assert_eq!((outcome.status(), outcome.reason()), (Status::Ok, Reason::InSync), "{outcome:?}");
        assert_eq!(outcome.reference, reference.outcome);
    }
}

#[tokio::test]
async fn instances_that_are_ignored_are_no_names_of_backends() {
    let clock = Clock::start();
    let check = Check::of([serve(clock).await]).trust_system_clock(true).build().unwrap();
    for (check, name) in [(check.clone(), Some("one")), (check.ignoring_instances(), None)] {
        let check = Arc::new(check);
        let reference = query(&check, clock).await;
        let outcome = hold_against(&check, &reference, clock).await;
        let names: Vec<Option<&str>> =
            outcome.targets[0].backends().iter().map(|backend| backend.instance.as_deref()).collect();
        assert_eq!((names, outcome.status()), (vec![name], Status::Ok), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_clock_that_was_stepped_since_the_references_were_queried_proves_nothing() {
    let clock = Clock::start();
    let check = Arc::new(Check::of([serve(clock).await]).build().unwrap());
    let mut reference = query(&check, clock).await;
    let hour = Span::from(Duration::from_hours(1));
    reference.wall.shown.shows = reference.wall.shown.shows.moved_by(hour);
    let outcome = hold_against(&check, &reference, clock).await;
    let doubt = outcome.targets[0].finding.doubt();
    assert!(matches!(doubt, Some(Doubt::WallClockStepped { .. })), "{outcome:?}");
}

/// Permits no address at all.
struct NoAddress;

impl crate::check::DestinationRule for NoAddress {
    fn permits(&self, _: &url::Url) -> bool {
        true
    }

    fn permits_address(&self, _: &url::Url, _: std::net::IpAddr) -> bool {
        false
    }
}

#[tokio::test]
async fn a_name_with_an_address_that_is_not_permitted_is_not_asked() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let clock = Clock::start();
    let of = |host: &str| {
        let check = Check::of([format!("http://{host}:{port}")]).timeout(Duration::from_secs(1));
        Arc::new(check.build().unwrap().connecting_only_to(Arc::new(NoAddress)))
    };
    let check = of("localhost");
    let outcome = hold(&check, &mut check.references(None), clock).await;
    assert_eq!((outcome.targets[0].requests, outcome.reason()), (0, Reason::CheckerFault));
    let sentence = outcome.targets[0].finding.failure().unwrap().to_string();
    assert!(sentence.contains("127.0.0.1") && sentence.contains("may not be asked"), "{sentence}");
    // What stands in the URL was permitted with it.
    let check = of("127.0.0.1");
    let asking = tokio::spawn(async move { hold(&check, &mut check.references(None), clock).await });
    tokio::time::timeout(Duration::from_secs(5), listener.accept()).await.unwrap().unwrap();
    asking.abort();
}
