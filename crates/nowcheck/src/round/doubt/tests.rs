use std::time::Duration;

use clock_offset::{BoundedTime, Drift, Interval, MonotonicInstant, ReferenceClock, UnixInstant};

use super::*;
use crate::clock::{Synchronization, WallReading};
use crate::outcome::{Cause, CertificateFault, Reason, SourceOutcome, TlsFault, ValidityBreach};
use crate::round::tests::{backend, failed, healthy, refused};

fn check() -> Check {
    Check::of(["http://time.example"]).build().unwrap()
}

fn strict() -> Check {
    Check::of(["http://time.example"]).strict(true).build().unwrap()
}

fn source(name: &str, standing: SourceStanding) -> SourceOutcome {
    SourceOutcome { name: name.to_owned(), address: None, standing, offset: None, facts: None }
}

fn round_reference(standing: Standing, sources: &[(&str, SourceStanding)]) -> RoundReference {
    let at = MonotonicInstant::ORIGIN;
    let bounds = BoundedTime { at, shows: Interval::point(UnixInstant::from_nanos(0)) };
    RoundReference {
        reference: ReferenceClock { bounds, drift: Drift::DISCIPLINED },
        outcome: ReferenceOutcome {
            standing,
            system: Synchronization::Unsynchronized,
            max_error: (standing == Standing::Agreed).then_some(Duration::from_millis(1)),
            local_offset: None,
            sources: sources.iter().map(|(name, standing)| source(name, standing.clone())).collect(),
        },
        wall: WallReading { shown: bounds, synchronization: Synchronization::Unsynchronized },
        suspended: Duration::ZERO,
        rests_on_wall_clock: true,
    }
}

fn healthy_and_dead() -> Vec<TargetOutcome> {
    vec![healthy("192.0.2.1:80"), refused("192.0.2.2:80")]
}

fn verdict(target: &TargetOutcome) -> (Status, Reason) {
    (target.status(), target.reason())
}

fn is_unvouched_note(note: &Note) -> bool {
    *note == Note::Doubt(Doubt::ReferenceNotVouchedFor)
}

const SYSTEM: (&str, SourceStanding) = ("system", SourceStanding::NotVouchedFor);

#[test]
fn references_that_disagree_are_an_outcome_of_their_own_and_hide_no_outage() {
    let mut targets = healthy_and_dead();
    let undecided = [("ntp:a", SourceStanding::Undecided), ("ntp:b", SourceStanding::Undecided)];
    doubt_the_reference(&mut targets, &round_reference(Standing::Disagreement, &undecided), &check());
    assert_eq!(verdict(&targets[0]), (Status::Unknown, Reason::ReferencesDisagree));
    let of_backend = targets[0].finding.of_backend(&targets[0].backends()[0]);
    assert_eq!(of_backend, (Status::Unknown, Reason::ReferencesDisagree));
    assert_eq!(verdict(&targets[1]), (Status::Critical, Reason::Down));
}

#[test]
fn without_any_reference_nothing_is_judged() {
    let mut targets = healthy_and_dead();
    let silent = [("ntp:a", SourceStanding::Silent)];
    doubt_the_reference(&mut targets, &round_reference(Standing::Unreachable, &silent), &check());
    assert_eq!(verdict(&targets[0]), (Status::Unknown, Reason::CheckerFault));
    assert_eq!(targets[0].finding.doubt(), Some(&Doubt::NoReference));
}

#[test]
fn what_agrees_with_a_clock_that_nothing_vouches_for_is_a_warning_and_unknown_to_a_strict_check() {
    let warning = (Status::Warning, Reason::ReferenceNotVouchedFor);
    for (check, expected) in [(check(), warning), (strict(), (Status::Unknown, Reason::CheckerFault))] {
        let mut targets = healthy_and_dead();
        doubt_the_reference(&mut targets, &round_reference(Standing::OnlyUnvouched, &[SYSTEM]), &check);
        assert_eq!(verdict(&targets[0]), expected);
        assert_eq!(targets[0].all_notes().filter(is_unvouched_note).count(), 1);
        assert_eq!(verdict(&targets[1]), (Status::Critical, Reason::Down));
    }
}

#[test]
fn against_a_clock_that_nothing_vouches_for_no_verdict_hides_that() {
    for (verdict_on_clock, expected) in [
        (Verdict::InSync, (Status::Warning, Reason::ReferenceNotVouchedFor)),
        (Verdict::NotWithinWarning, (Status::Warning, Reason::ReferenceNotVouchedFor)),
        (Verdict::Undetermined, (Status::Unknown, Reason::Undetermined)),
        (Verdict::Desynchronized, (Status::Critical, Reason::Desynchronized)),
    ] {
        let mut targets = healthy_and_dead();
        targets[0].finding = Finding::of_backends(vec![backend(None, verdict_on_clock)]);
        doubt_the_reference(&mut targets, &round_reference(Standing::OnlyUnvouched, &[SYSTEM]), &check());
        assert_eq!(verdict(&targets[0]), expected);
        assert_eq!(targets[0].all_notes().filter(is_unvouched_note).count(), 1);
    }
}

#[test]
fn a_clock_that_the_user_trusts_is_good_enough() {
    let trusted = round_reference(Standing::Trusted, &[("system", SourceStanding::Trusted)]);
    let mut targets = healthy_and_dead();
    doubt_the_reference(&mut targets, &trusted, &check());
    assert_eq!(verdict(&targets[0]), (Status::Ok, Reason::InSync));
    assert_eq!(targets[0].all_notes().count(), 0);
}

#[test]
fn strictness_wants_most_of_the_references_to_answer() {
    for (answering, expected) in [(1, Status::Unknown), (2, Status::Ok)] {
        let mut sources = vec![("ntp:a", SourceStanding::Silent); 3];
        sources[..answering].fill(("ntp:b", SourceStanding::Truechimer));
        let mut targets = healthy_and_dead();
        doubt_the_reference(&mut targets, &round_reference(Standing::Agreed, &sources), &strict());
        assert_eq!(targets[0].status(), expected, "{answering} of 3");
    }
}

#[test]
fn this_machine_s_clock_is_a_fault_only_where_it_was_given_as_a_reference_and_hides_no_wrong_target() {
    let hour = Offset::from_nanos(3_600_000_000_000);
    for (sources, expected) in [
        (&[("ntp:a", SourceStanding::Truechimer)][..], (Status::Ok, Reason::InSync)),
        (&[("ntp:a", SourceStanding::Truechimer), SYSTEM], (Status::Unknown, Reason::CheckerFault)),
        (
            &[("ntp:a", SourceStanding::Truechimer), ("system", SourceStanding::Falseticker)],
            (Status::Unknown, Reason::CheckerFault),
        ),
    ] {
        let mut round_reference = round_reference(Standing::Agreed, sources);
        round_reference.outcome.local_offset = Some(Interval::point(hour));
        let mut targets = healthy_and_dead();
        doubt_the_reference(&mut targets, &round_reference, &check());
        assert_eq!(verdict(&targets[0]), expected);
        // By the others a target can still be proven wrong.
        let mut targets = healthy_and_dead();
        targets[0].finding = Finding::of_backends(vec![backend(None, Verdict::Desynchronized)]);
        doubt_the_reference(&mut targets, &round_reference, &check());
        assert_eq!(verdict(&targets[0]), (Status::Critical, Reason::Desynchronized));
    }
}

#[test]
fn a_reference_that_is_known_too_poorly_is_the_checkers_fault() {
    let mut targets = healthy_and_dead();
    targets[0].finding = Finding::of_backends(vec![backend(None, Verdict::Undetermined)]);
    let mut round_reference = round_reference(Standing::Agreed, &[("system", SourceStanding::Truechimer)]);
    round_reference.outcome.max_error = Some(Duration::from_secs(2));
    doubt_the_reference(&mut targets, &round_reference, &check());
    assert_eq!(targets[0].reason(), Reason::CheckerFault);
}

#[test]
fn a_certificate_that_only_this_machine_s_clock_finds_expired_is_no_outage_when_time_servers_were_to_judge() {
    let expired = CertificateFault::OutOfTime { breach: ValidityBreach::Expired { not_after: 1 }, time: 2 };
    for (fault, expected) in [
        (expired, (Status::Unknown, Reason::CheckerFault)),
        (CertificateFault::UnknownAuthority, (Status::Critical, Reason::Down)),
    ] {
        let cause = Cause::Tls(TlsFault::Certificate { fault, suspect: None });
        let mut targets = vec![failed("192.0.2.1:443", cause)];
        let silent = [("ntp:a", SourceStanding::Silent)];
        doubt_the_reference(&mut targets, &round_reference(Standing::Unreachable, &silent), &check());
        assert_eq!(verdict(&targets[0]), expected);
    }
}

#[test]
fn what_rests_on_a_minority_of_the_references_says_so() {
    let sources = [
        ("ntp:a", SourceStanding::Silent),
        ("ntp:b", SourceStanding::Silent),
        ("ntp:c", SourceStanding::Truechimer),
    ];
    let mut targets = healthy_and_dead();
    doubt_the_reference(&mut targets, &round_reference(Standing::Agreed, &sources), &check());
    assert_eq!(verdict(&targets[0]), (Status::Ok, Reason::InSync));
    assert!(targets[0].notes.contains(&Note::FewReferences { answered: 1, asked: 3 }));
}
