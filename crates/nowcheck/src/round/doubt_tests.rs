use clap::Parser;
use clock_offset::{BoundedTime, Drift, Interval, MonotonicInstant, ReferenceClock, UnixInstant};

use super::*;
use crate::cli::Cli;
use crate::clock::{Synchronisation, WallReading};
use crate::outcome::SourceOutcome;
use crate::probe::failure::Kind;
use crate::round::tests::outcome;

fn settings(arguments: &[&str]) -> Settings {
    let line = ["nowcheck", "http://time.example"].into_iter().chain(arguments.iter().copied());
    Settings::from_cli(&Cli::try_parse_from(line).unwrap()).unwrap()
}

fn source(name: &str, standing: SourceStanding) -> SourceOutcome {
    SourceOutcome { name: name.to_owned(), address: None, standing, offset: None, facts: None, message: None }
}

fn anchor(standing: Standing, sources: &[(&str, SourceStanding)]) -> Anchor {
    let at = MonotonicInstant::ORIGIN;
    let bounds = BoundedTime { at, shows: Interval::point(UnixInstant::from_nanos(0)) };
    Anchor {
        reference: ReferenceClock { bounds, drift: Drift::DISCIPLINED },
        outcome: ReferenceOutcome {
            standing,
            system: Synchronisation::Unsynchronized,
            max_error: (standing == Standing::Agreed).then_some(Duration::from_millis(1)),
            local_offset: None,
            sources: sources.iter().map(|(name, standing)| source(name, *standing)).collect(),
        },
        wall: WallReading { shown: bounds, synchronisation: Synchronisation::Unsynchronized },
        rests_on_wall_clock: true,
    }
}

fn healthy_and_dead() -> Vec<TargetOutcome> {
    vec![outcome("192.0.2.1:80", None), outcome("192.0.2.2:80", Some(Kind::Refused))]
}

fn verdict(target: &TargetOutcome) -> (Status, Reason) {
    (target.status, target.reason)
}

const SYSTEM: (&str, SourceStanding) = ("system", SourceStanding::NotVouchedFor);

#[test]
fn a_clock_step_at_the_end_of_a_round_takes_verdicts_on_clocks_back_and_no_others() {
    let step = Offset::from_nanos(3_600_000_000_000);
    let targets = Disturbance::ClockStep { step }.take_back(healthy_and_dead());
    assert_eq!(verdict(&targets[0]), (Status::Unknown, Reason::CheckerFault));
    assert_eq!(targets[0].notes, [Note::WallClockStepped { step }]);
    // That an address refuses is true whatever the clock.
    assert_eq!(verdict(&targets[1]), (Status::Critical, Reason::Down));
}

#[test]
fn a_suspension_takes_failures_back_too_because_connections_die_of_it() {
    let targets = Disturbance::Suspended.take_back(healthy_and_dead());
    for target in &targets {
        assert_eq!(verdict(target), (Status::Unknown, Reason::CheckerFault));
        assert_eq!(target.notes, [Note::Suspended]);
    }
}

#[test]
fn what_was_discarded_is_told_of_the_address_that_it_came_from() {
    let mut tally = Tally::default();
    tally.count(Disturbance::Suspended, &healthy_and_dead());
    tally.count(Disturbance::ClockStep { step: Offset::ZERO }, &healthy_and_dead());
    let mut targets = healthy_and_dead();
    tally.tell(&mut targets);
    assert_eq!(targets[0].discarded, Discarded { suspended: 1, clock_step: 1, scheduling: 0 });
    assert_eq!(targets[1].discarded, Discarded::default());
}

#[test]
fn references_that_disagree_are_an_outcome_of_their_own_and_hide_no_outage() {
    let mut targets = healthy_and_dead();
    let undecided = [("ntp:a", SourceStanding::Undecided), ("ntp:b", SourceStanding::Undecided)];
    doubt_the_reference(&mut targets, &anchor(Standing::Disagreement, &undecided), &settings(&[]));
    assert_eq!(verdict(&targets[0]), (Status::Unknown, Reason::ReferencesDisagree));
    assert_eq!(targets[0].backends[0].verdict, Verdict::Undetermined);
    assert_eq!(verdict(&targets[1]), (Status::Critical, Reason::Down));
}

#[test]
fn without_any_reference_nothing_is_judged() {
    let mut targets = healthy_and_dead();
    let silent = [("ntp:a", SourceStanding::Silent)];
    doubt_the_reference(&mut targets, &anchor(Standing::Unreachable, &silent), &settings(&[]));
    assert_eq!(verdict(&targets[0]), (Status::Unknown, Reason::CheckerFault));
    assert_eq!(targets[0].notes, [Note::NoReference]);
}

#[test]
fn a_clock_that_nobody_vouches_for_is_good_enough_unless_strictness_is_asked_for() {
    for (arguments, expected) in
        [(&[][..], (Status::Ok, Reason::InSync)), (&["--strict"], (Status::Unknown, Reason::CheckerFault))]
    {
        let mut targets = healthy_and_dead();
        doubt_the_reference(&mut targets, &anchor(Standing::OnlyUnvouched, &[SYSTEM]), &settings(arguments));
        assert_eq!(verdict(&targets[0]), expected);
        assert!(targets[0].notes.contains(&Note::ReferenceNotVouchedFor));
    }
}

#[test]
fn strictness_wants_most_of_the_references_to_answer() {
    for (answering, expected) in [(1, Status::Unknown), (2, Status::Ok)] {
        let mut sources = vec![("ntp:a", SourceStanding::Silent); 3];
        sources[..answering].fill(("ntp:b", SourceStanding::Truechimer));
        let mut targets = healthy_and_dead();
        doubt_the_reference(&mut targets, &anchor(Standing::Agreed, &sources), &settings(&["--strict"]));
        assert_eq!(targets[0].status, expected, "{answering} of 3");
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
        let mut anchor = anchor(Standing::Agreed, sources);
        anchor.outcome.local_offset = Some(Interval::point(hour));
        let mut targets = healthy_and_dead();
        doubt_the_reference(&mut targets, &anchor, &settings(&[]));
        assert_eq!(verdict(&targets[0]), expected);
        // By the others a target can still be proven wrong.
        let mut targets = healthy_and_dead();
        (targets[0].status, targets[0].reason) = (Status::Critical, Reason::Desynchronised);
        doubt_the_reference(&mut targets, &anchor, &settings(&[]));
        assert_eq!(verdict(&targets[0]), (Status::Critical, Reason::Desynchronised));
    }
}

#[test]
fn a_reference_that_is_known_too_poorly_is_the_checkers_fault() {
    let mut targets = healthy_and_dead();
    (targets[0].status, targets[0].reason) = (Status::Unknown, Reason::Undetermined);
    let mut anchor = anchor(Standing::Agreed, &[("system", SourceStanding::Truechimer)]);
    anchor.outcome.max_error = Some(Duration::from_secs(2));
    doubt_the_reference(&mut targets, &anchor, &settings(&[]));
    assert_eq!(targets[0].reason, Reason::CheckerFault);
}

#[test]
fn fewer_named_backends_than_expected_are_critical_over_all_addresses_together() {
    let with = |names: [Option<&str>; 2], missed: f64| {
        let mut targets = vec![outcome("192.0.2.1:80", None), outcome("192.0.2.2:80", None)];
        for (target, name) in targets.iter_mut().zip(names) {
            target.backends[0].instance = name.map(Into::into);
            target.miss_probability = Some(missed);
        }
        miss_backends(&mut targets, &settings(&["--expect-backends", "2"]));
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
    let settings = settings(&["--expect-backends", "2"]);
    let mut targets = vec![outcome("192.0.2.1:80", None)];
    targets[0].backends[0].instance = Some("a".into());
    targets[0].miss_probability = Some(0.0);
    let address = "[2001:db8::1]:80".parse().unwrap();
    targets[0].notes.push(Note::AddressSkipped { address, why: "this machine has no route".to_owned() });
    miss_backends(&mut targets, &settings);
    assert_eq!(verdict(&targets[0]), (Status::Unknown, Reason::Undetermined));
}

#[test]
fn a_certificate_that_only_this_machine_s_clock_finds_expired_is_no_outage_when_time_servers_were_to_judge() {
    for (kind, expected) in [
        (Kind::Certificate { is_out_of_time: true }, (Status::Unknown, Reason::CheckerFault)),
        (Kind::Certificate { is_out_of_time: false }, (Status::Critical, Reason::Down)),
    ] {
        let mut targets = vec![outcome("192.0.2.1:443", Some(kind))];
        let silent = [("ntp:a", SourceStanding::Silent)];
        doubt_the_reference(&mut targets, &anchor(Standing::Unreachable, &silent), &settings(&[]));
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
    doubt_the_reference(&mut targets, &anchor(Standing::Agreed, &sources), &settings(&[]));
    assert_eq!(verdict(&targets[0]), (Status::Ok, Reason::InSync));
    assert!(targets[0].notes.contains(&Note::FewReferences { answered: 1, asked: 3 }));
}
