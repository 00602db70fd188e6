use std::net::SocketAddr;
use std::time::Duration;

use clock_offset::{Interval, Offset};
use nowcheck::outcome::{Backends, ExchangeFault, MissingBackends, Phase, Stale};

use super::*;
use crate::incident::testing::backend;
use crate::incident::{OffsetBounds, ServiceStatus};

fn right(names: &[&str]) -> Finding {
    Finding::of_backends(names.iter().map(|name| backend(name, Verdict::InSync)).collect())
}

fn wrong(name: &str) -> Finding {
    Finding::of_backends(vec![backend(name, Verdict::Desynchronized), backend("a", Verdict::InSync)])
}

fn failed(phase: Phase, cause: Cause) -> Finding {
    Finding::of_failure(Failure { phase, cause, elapsed: Duration::ZERO }, Vec::new())
}

fn socket() -> SocketAddr {
    "192.0.2.1:80".parse().unwrap()
}

fn connection(fault: ConnectionFault) -> Finding {
    failed(Phase::Connect, Cause::Connection { address: socket(), fault })
}

fn name(fault: NameFault) -> Finding {
    failed(Phase::Resolve, Cause::Name { name: "shop.example".to_owned(), fault })
}

fn no_route() -> Finding {
    connection(ConnectionFault::NoRoute("no route".to_owned()))
}

fn target(port: u16, finding: Finding) -> TargetOutcome {
    let address = SocketAddr::new(socket().ip(), port);
    let bare = TargetOutcome::new("http://shop.example/now", Some(address), finding);
    TargetOutcome { miss_probability: Some(0.01), ..bare }
}

fn outcome(findings: impl IntoIterator<Item = Finding>) -> Outcome {
    let targets = (80..).zip(findings).map(|(port, finding)| target(port, finding)).collect();
    crate::incident::testing::outcome(targets)
}

fn observed(findings: impl IntoIterator<Item = Finding>) -> Observation {
    Observation::from(&outcome(findings))
}

fn address(port: u16) -> Place {
    Place::Address(format!("192.0.2.1:{port}"))
}

fn instance(name: &str) -> Place {
    Place::Backend(name.to_owned())
}

fn in_trouble(round: &Observation) -> Vec<Place> {
    round.troubles().keys().cloned().collect()
}

#[test]
fn a_named_backend_is_in_trouble_itself_and_one_without_a_name_is_its_address() {
    let round = observed([wrong("b")]);
    assert_eq!(in_trouble(&round), [instance("b")]);
    assert!(round.disproves(&instance("a"), TroubleKind::Wrong));
    assert!(round.disproves(&address(80), TroubleKind::Down));
    assert!(!round.disproves(&address(80), TroubleKind::Wrong));
    assert_eq!(round.offset(), Some(OffsetBounds { lower: 0, upper: 60_000_000_000 }));
    assert_eq!(in_trouble(&observed([wrong("")])), [address(80)]);
    assert_eq!((round.status(), round.reason()), (ServiceStatus::Wrong, "desynchronized"));
}

#[test]
fn a_backend_that_is_right_at_one_address_and_wrong_at_another_is_in_trouble() {
    for findings in [[wrong("b"), right(&["b"])], [right(&["b"]), wrong("b")]] {
        assert_eq!(in_trouble(&observed(findings)), [instance("b")]);
    }
}

#[test]
fn each_finding_is_one_of_the_four_kinds_of_time() {
    use ServiceStatus::{Down, Ok, Unknown, Wrong};
    let backends = |finding| match finding {
        Finding::InSync(backends) => backends,
        other => panic!("{other:?}"),
    };
    let a = || -> Backends { backends(right(&["a"])) };
    let missing = MissingBackends { met: 1, expected: 2, are_nameless: false };
    let stale = Finding::Stale(Stale::Age { seconds: 60 });
    let refused = connection(ConnectionFault::Refused);
    for (finding, status, reason) in [
        (right(&["a"]), Ok, "in_sync"),
        (Finding::NotWithinWarning(a()), Ok, "desynchronized"),
        (right(&["a"]).unvouched(), Ok, "reference_not_vouched_for"),
        (stale, Wrong, "stale_cache"),
        (refused, Down, "down"),
        (Finding::BackendsMissing { missing, backends: a() }, Down, "backends_missing"),
        (Finding::Undetermined(Undetermined::NothingAsked), Unknown, "undetermined"),
        (Finding::Undetermined(Undetermined::Open(a())), Unknown, "undetermined"),
        (no_route(), Unknown, "checker_fault"),
        (wrong("b").doubted(Doubt::ReferencesDisagree), Unknown, "references_disagree"),
        (wrong("b").unvouched(), Unknown, "checker_fault"),
    ] {
        let round = observed([finding.clone()]);
        assert_eq!((round.status(), round.reason()), (status, reason), "{finding:?}");
        let is_warning = matches!(finding, Finding::NotWithinWarning(_) | Finding::Unvouched(_));
        assert_eq!(round.is_warning(), is_warning, "{finding:?}");
    }
    assert_eq!(observed([]).status(), Unknown);
}

#[test]
fn each_fault_of_the_checker_is_about_a_part_of_the_monitor_and_about_no_service() {
    use MonitorPart::{Dns, Machine, Network, Reference, Setup};
    let wanted = "IPv4";
    let step = Offset::from_nanos(1);
    let offset = Interval::point(step);
    let too_wide = Doubt::ReferenceTooWide { max_error: Duration::ZERO, is_of_servers: true };
    for (finding, part) in [
        (no_route(), Network),
        (connection(ConnectionFault::NoZone), Setup),
        (connection(ConnectionFault::Forbidden("firewall".to_owned())), Machine),
        (name(NameFault::ServerFailure("SERVFAIL".to_owned())), Dns),
        (name(NameFault::Silent(None)), Dns),
        (name(NameFault::Local("no descriptor".to_owned())), Machine),
        (name(NameFault::UnknownZone { zone: "eth9".to_owned() }), Setup),
        (name(NameFault::OtherVersion { wanted, has: Vec::new() }), Setup),
        (failed(Phase::Wait, Cause::Paused { late: Duration::ZERO }), Machine),
        (wrong("b").doubted(Doubt::Suspended), Machine),
        (wrong("b").doubted(Doubt::WallClockStepped { step }), Machine),
        (wrong("b").doubted(Doubt::NoReference), Reference),
        (wrong("b").doubted(Doubt::LocalClockWrong { offset }), Reference),
        (wrong("b").doubted(too_wide), Reference),
        (wrong("b").unvouched(), Reference),
    ] {
        let round = observed([finding.clone()]);
        assert_eq!(round.faults().iter().collect::<Vec<_>>(), [&part], "{finding:?}");
        assert_eq!(in_trouble(&round), [], "{finding:?}");
    }
}

#[test]
fn silence_proves_nothing_beside_an_address_that_this_machine_cannot_ask_and_an_answer_does() {
    let silent = || connection(ConnectionFault::Silent);
    let round = observed([silent(), no_route()]);
    assert_eq!((in_trouble(&round), round.status()), (Vec::new(), ServiceStatus::Unknown));
    assert_eq!(in_trouble(&observed([silent(), right(&["a"])])), [address(80)]);
    let answered = [
        connection(ConnectionFault::Refused),
        failed(Phase::Wait, Cause::Exchange(ExchangeFault::SpeaksTls)),
        wrong(""),
    ];
    for finding in answered {
        assert_eq!(in_trouble(&observed([finding, no_route()])), [address(80)]);
    }
    let round = observed([right(&["a"]), no_route()]);
    assert_eq!(round.status(), ServiceStatus::Unknown);
    assert!(round.disproves(&address(80), TroubleKind::Wrong), "what is proven of an address counts");
}

#[test]
fn a_name_without_an_address_is_trouble_of_the_name() {
    let mut outcome = outcome([name(NameFault::NotFound)]);
    outcome.targets[0].address = None;
    assert_eq!(in_trouble(&Observation::from(&outcome)), [Place::Name]);
}

#[test]
fn down_is_the_status_of_a_service_that_is_down_here_and_wrong_there_in_any_order() {
    for findings in [[wrong("b"), no_answer()], [no_answer(), wrong("b")]] {
        let round = observed(findings);
        assert_eq!((round.status(), round.reason()), (ServiceStatus::Down, "down"));
        assert_eq!(round.troubles().len(), 2);
    }
}

fn no_answer() -> Finding {
    connection(ConnectionFault::Silent)
}

#[test]
fn the_chance_of_a_missed_backend_is_that_of_the_least_explored_address() {
    let mut outcome = outcome([right(&["a"]), right(&["b"])]);
    assert_eq!(Observation::from(&outcome).chance_missed(), 10_000_000);
    outcome.targets[1].miss_probability = Some(0.5);
    assert_eq!(Observation::from(&outcome).chance_missed(), 500_000_000);
    outcome.targets[0].miss_probability = None;
    assert_eq!(Observation::from(&outcome).chance_missed(), 1_000_000_000);
}
