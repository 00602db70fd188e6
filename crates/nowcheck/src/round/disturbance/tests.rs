use super::*;
use crate::outcome::{Reason, Status};
use crate::round::tests::{healthy, refused};

fn healthy_and_dead() -> Vec<TargetOutcome> {
    vec![healthy("192.0.2.1:80"), refused("192.0.2.2:80")]
}

fn verdict(target: &TargetOutcome) -> (Status, Reason) {
    (target.status(), target.reason())
}

#[test]
fn a_clock_step_at_the_end_of_a_round_takes_verdicts_on_clocks_back_and_no_others() {
    let step = Offset::from_nanos(3_600_000_000_000);
    let mut targets = healthy_and_dead();
    Disturbance::ClockStep { step }.take_back(&mut targets);
    assert_eq!(verdict(&targets[0]), (Status::Unknown, Reason::CheckerFault));
    assert_eq!(targets[0].finding.doubt(), Some(&Doubt::WallClockStepped { step }));
    // That an address refuses is true whatever the clock.
    assert_eq!(verdict(&targets[1]), (Status::Critical, Reason::Down));
}

#[test]
fn a_suspension_takes_failures_back_too_because_connections_die_of_it() {
    let mut targets = healthy_and_dead();
    Disturbance::Suspended.take_back(&mut targets);
    for target in &targets {
        assert_eq!(verdict(target), (Status::Unknown, Reason::CheckerFault));
        assert_eq!(target.finding.doubt(), Some(&Doubt::Suspended));
    }
}

#[test]
fn what_was_discarded_is_told_of_the_address_that_it_came_from() {
    let mut discarded = DiscardedAnswers::default();
    discarded.count(Disturbance::Suspended, &healthy_and_dead());
    discarded.count(Disturbance::ClockStep { step: Offset::ZERO }, &healthy_and_dead());
    let mut targets = healthy_and_dead();
    discarded.add_to(&mut targets);
    assert_eq!(targets[0].discarded, Discarded { suspended: 1, clock_step: 1, scheduling: 0 });
    assert_eq!(targets[1].discarded, Discarded::default());
}
