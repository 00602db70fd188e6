use clock_offset::Verdict;

use super::*;
use crate::outcome::{Cause, ConnectionFault, Reason, Status};
use crate::round::tests::{backend, healthy};

fn expecting_two() -> Check {
    Check::of(["http://time.example"]).expected_backends(NonZeroUsize::new(2)).build().unwrap()
}

fn verdict(target: &TargetOutcome) -> (Status, Reason) {
    (target.status(), target.reason())
}

#[test]
fn fewer_named_backends_than_expected_are_critical_over_all_addresses_together() {
    let with = |names: [Option<&str>; 2], missed: f64| {
        let mut targets = vec![healthy("192.0.2.1:80"), healthy("192.0.2.2:80")];
        for (target, name) in targets.iter_mut().zip(names) {
            target.finding = Finding::of_backends(vec![backend(name, Verdict::InSync)]);
            target.miss_probability = Some(missed);
        }
        miss_backends(&mut targets, &expecting_two());
        verdict(&targets[1])
    };
    assert_eq!(with([Some("a"), Some("b")], 0.001), (Status::Ok, Reason::InSync));
    assert_eq!(with([Some("a"), Some("a")], 0.000_000_9), (Status::Critical, Reason::BackendsMissing));
    // Not looked for long enough, or not to be counted: nobody knows.
    assert_eq!(with([Some("a"), Some("a")], 0.001), (Status::Unknown, Reason::Undetermined));
    assert_eq!(with([Some("a"), None], 0.000_000_9), (Status::Unknown, Reason::Undetermined));
}

#[test]
fn backends_that_stand_where_this_machine_cannot_ask_are_not_said_to_be_missing() {
    let check = expecting_two();
    let mut targets = vec![healthy("192.0.2.1:80")];
    targets[0].finding = Finding::of_backends(vec![backend(Some("a"), Verdict::InSync)]);
    targets[0].miss_probability = Some(0.0);
    let address = "[2001:db8::1]:80".parse().unwrap();
    let fault = ConnectionFault::NoRoute("no route".to_owned());
    targets[0].notes.push(Note::AddressSkipped { address, cause: Cause::Connection { address, fault } });
    miss_backends(&mut targets, &check);
    assert_eq!(verdict(&targets[0]), (Status::Unknown, Reason::Undetermined));
}

#[test]
fn missing_backends_are_the_finding_where_no_clock_is_proven_to_be_wrong() {
    for (verdict, expected) in [
        (Verdict::Undetermined, (Status::Critical, Reason::BackendsMissing)),
        (Verdict::Desynchronized, (Status::Critical, Reason::Desynchronized)),
    ] {
        let mut targets = vec![healthy("192.0.2.1:80")];
        targets[0].finding = Finding::of_backends(vec![backend(Some("a"), verdict)]);
        targets[0].miss_probability = Some(0.0);
        miss_backends(&mut targets, &expecting_two());
        assert_eq!((targets[0].status(), targets[0].reason()), expected, "{verdict:?}");
        assert!(targets[0].all_notes().any(|note| matches!(note, Note::BackendsMissing(_))));
    }
}
