use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_521_600 + second).unwrap()
}

fn backend(name: &str) -> Place {
    Place::Backend(name.to_owned())
}

fn address() -> Place {
    Place::Address("192.0.2.1:80".to_owned())
}

fn wrong(names: &[&str]) -> Observation {
    let trouble = Trouble::new(TroubleKind::Wrong, "desynchronized");
    Observation::of_trouble(names.iter().map(|name| (backend(name), trouble.clone())))
}

fn down() -> Observation {
    Observation::of_trouble([(address(), Trouble::new(TroubleKind::Down, "down"))])
}

fn right(names: &[&str]) -> Observation {
    Observation::of_proof(names.iter().map(|name| backend(name)).chain([address()]))
}

fn unknown() -> Observation {
    Observation::default().with_doubt_about(address())
}

#[derive(Default)]
struct Watch(Incidents);

impl Watch {
    fn hold(&mut self, check: &str, observation: &Observation, second: i64) -> Vec<ChangeKind> {
        let summary = format!("round at {second}");
        let round =
            Round { check, observation, summary, stands_for: Duration::from_mins(1), took: Duration::ZERO };
        self.0.observe(&round, at(second)).into_iter().map(|change| change.kind).collect()
    }

    fn shop(&mut self, observation: &Observation, second: i64) -> Vec<ChangeKind> {
        self.hold("shop", observation, second)
    }

    fn subject(&self) -> Subject {
        self.0.of_check("shop").unwrap().subject().clone()
    }

    fn status(&self, second: i64) -> ServiceStatus {
        self.0.status("shop", at(second))
    }
}

use ChangeKind::{Closed, Flapping, Grew, Opened, Shifted, Shrank};

const RECOVERED: ChangeKind = Closed(Ending::Recovered);

#[test]
fn an_incident_opens_with_the_round_that_proved_it_and_closes_with_the_one_that_proved_recovery() {
    let mut watch = Watch::default();
    assert_eq!(watch.shop(&down(), 0), [Opened]);
    assert_eq!(watch.shop(&down(), 10), []);
    assert_eq!(watch.shop(&right(&[]), 20), [RECOVERED]);
    assert_eq!(watch.shop(&right(&[]), 30), []);
}

#[test]
fn an_unknown_round_neither_opens_nor_closes() {
    let mut watch = Watch::default();
    assert_eq!(watch.shop(&unknown(), 0), []);
    assert_eq!(watch.shop(&down(), 10), [Opened]);
    assert_eq!(watch.shop(&unknown(), 20), []);
    assert_eq!(watch.status(20), ServiceStatus::Unknown);
    assert_eq!(watch.shop(&right(&[]), 30), [RECOVERED]);
}

#[test]
fn an_incident_is_about_one_backend_until_it_grows() {
    let mut watch = Watch::default();
    assert_eq!(watch.shop(&wrong(&["b"]).with_proof(backend("a"), Proof::Right), 0), [Opened]);
    let instance = "b".to_owned();
    assert_eq!(watch.subject(), Subject::Backend { check: "shop".to_owned(), instance });
    assert_eq!(watch.shop(&wrong(&["a"]), 10), [Grew]);
    assert_eq!(watch.subject(), Subject::Check("shop".to_owned()));
    assert_eq!(watch.shop(&right(&["b"]), 20), [Shrank]);
    assert_eq!(watch.shop(&wrong(&["b"]).with_proof(backend("a"), Proof::Right), 30), [Shifted]);
    assert_eq!(watch.shop(&right(&["b"]), 40), [RECOVERED]);
}

#[test]
fn an_incident_of_a_service_with_other_names_in_each_answer_rests_on_so_many_as_can_be_expected() {
    let mut watch = Watch::default();
    let names: Vec<String> = (0..500).map(|nth| format!("name-{nth:03}")).collect();
    for (nth, met) in (0..).zip(names.chunks(60)) {
        let met: Vec<&str> = met.iter().map(String::as_str).collect();
        watch.shop(&wrong(&met).with_miss_probability(0.9), nth * 10);
        let incident = watch.0.of_check("shop").unwrap();
        assert!(incident.places().len() <= 100, "{}", incident.places().len());
        assert!(met.iter().all(|name| incident.places().contains_key(&backend(name))), "{met:?}");
        assert_eq!(incident.evidence().backends().count(), incident.places().len());
    }
    // All of them at once.
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    watch.shop(&wrong(&all), 100);
    assert_eq!(watch.0.of_check("shop").unwrap().places().len(), 100);
    let mut other = Watch::default();
    other.shop(&wrong(&all), 0);
    assert_eq!(other.0.of_check("shop").unwrap().places().len(), 100);
}

#[test]
fn a_round_that_met_other_backends_does_not_close_and_the_check_stays_wrong() {
    let mut watch = Watch::default();
    watch.shop(&wrong(&["b"]), 0);
    assert_eq!(watch.shop(&right(&["a"]), 10), []);
    assert_eq!(watch.status(10), ServiceStatus::Wrong);
    assert_eq!(watch.shop(&right(&["a", "b"]), 20), [RECOVERED]);
    assert_eq!(watch.status(20), ServiceStatus::Ok);
}

#[test]
fn a_backend_that_was_replaced_leaves_once_a_missed_one_is_a_millionth() {
    let mut watch = Watch::default();
    let full = right(&["a"]).with_miss_probability(0.01);
    watch.shop(&wrong(&["b"]), 0);
    assert_eq!(watch.shop(&full, 10), []);
    assert_eq!(watch.shop(&full, 20), []);
    // Met again: the chance is whole once more.
    assert_eq!(watch.shop(&wrong(&["b"]).with_miss_probability(0.01), 30), []);
    assert_eq!(watch.shop(&full, 40), []);
    assert_eq!(watch.shop(&full, 50), []);
    assert_eq!(watch.shop(&full, 60), [Closed(Ending::Gone)]);
    // Rounds that do not look for others prove nothing of the kind.
    watch.shop(&wrong(&["b"]), 70);
    assert!((8..2_000).all(|round| watch.shop(&right(&["a"]), round * 10).is_empty()));
}

#[test]
fn a_backend_that_is_met_and_not_judged_is_still_there() {
    let mut watch = Watch::default();
    let full = right(&["a"]).with_miss_probability(0.01);
    watch.shop(&wrong(&["b"]), 0);
    for second in 1..20 {
        assert_eq!(watch.shop(&full, second * 10), []);
        assert_eq!(watch.shop(&full, second * 10 + 1), []);
        assert_eq!(watch.shop(&full.clone().with_doubt_about(backend("b")), second * 10 + 2), []);
    }
}

#[test]
fn a_clock_that_nothing_vouches_for_proves_that_a_service_is_up_and_not_that_it_is_right() {
    let up = Observation::default().with_proof(address(), Proof::Up).with_proof(backend("a"), Proof::Up);
    let mut watch = Watch::default();
    watch.shop(&wrong(&["a"]), 0);
    assert_eq!(watch.shop(&up, 10), []);
    assert_eq!(watch.shop(&right(&["a"]), 20), [RECOVERED]);
    watch.shop(&down(), 30);
    assert_eq!(watch.shop(&up, 40), [RECOVERED]);
}

#[test]
fn an_address_that_the_name_no_longer_has_is_gone() {
    let other = Place::Address("192.0.2.2:80".to_owned());
    let mut watch = Watch::default();
    watch.shop(&down(), 0);
    assert_eq!(watch.shop(&Observation::of_fault(MonitorPart::Dns), 10), [Opened]);
    let without = Observation::of_proof([other]);
    assert_eq!(watch.shop(&without, 20), [RECOVERED], "of the monitor");
    assert_eq!(watch.shop(&without, 200), []);
    // A lookup has it again: the name server answers with some of many.
    assert_eq!(watch.shop(&down(), 310), []);
    for second in [320, 400, 619] {
        assert_eq!(watch.shop(&without, second), []);
    }
    assert_eq!(watch.shop(&without, 620), [Closed(Ending::Gone)]);
}

#[test]
fn an_address_is_not_gone_by_few_lookups_however_long_ago_the_first_was() {
    let without = Observation::of_proof([Place::Address("192.0.2.2:80".to_owned())]);
    let mut watch = Watch::default();
    watch.shop(&down(), 0);
    assert_eq!(watch.shop(&without, 10), []);
    assert_eq!(watch.shop(&without, 5_000), []);
    assert_eq!(watch.shop(&without, 5_010), [Closed(Ending::Gone)]);
}

#[test]
fn a_service_that_is_down_shows_nothing_of_the_reference() {
    let mut watch = Watch::default();
    assert_eq!(watch.shop(&Observation::of_fault(MonitorPart::Reference), 0), [Opened]);
    assert_eq!(watch.shop(&down(), 10), [Opened], "of the check");
    assert_eq!(watch.shop(&right(&["a"]).with_proof(address(), Proof::Right), 20), [RECOVERED, RECOVERED]);
}

#[test]
fn incidents_of_two_instances_in_the_same_second_have_other_names() {
    let names = ["aaaaaa", "bbbbbb"].map(|instance| {
        let mut watch = Watch::default();
        watch.0.tell_apart(instance);
        watch.0.tell_apart("cccccc");
        watch.shop(&down(), 0);
        watch.0.of_check("shop").unwrap().id().to_string()
    });
    assert_eq!(names, ["1795521600-aaaaaa-1", "1795521600-bbbbbb-1"]);
}

#[test]
fn a_fault_of_the_checker_is_one_incident_about_the_monitor_that_ends_with_its_last_victim() {
    let mut watch = Watch::default();
    let fault = Observation::of_fault(MonitorPart::Reference);
    assert_eq!(watch.shop(&fault, 0), [Opened]);
    assert_eq!(watch.hold("blog", &fault, 1), []);
    let incident = watch.0.open().next().unwrap();
    assert_eq!(incident.scope(), &Scope::Monitor(MonitorPart::Reference));
    assert_eq!(incident.places().len(), 2);
    assert_eq!(watch.shop(&right(&[]), 10), []);
    assert_eq!(watch.hold("blog", &right(&[]), 11), [RECOVERED]);
    assert_eq!(watch.shop(&fault, 20), [Opened]);
    assert_eq!(watch.0.forget("shop", at(30)).len(), 1);
    assert_eq!(watch.0.open().count(), 0);
}

#[test]
fn five_opens_within_an_hour_are_flapping_which_half_an_hour_of_proven_calm_ends() {
    let mut watch = Watch::default();
    for round in 0..4 {
        assert_eq!(watch.shop(&down(), round * 100), [Opened]);
        assert_eq!(watch.shop(&right(&[]), round * 100 + 50), [RECOVERED]);
    }
    assert_eq!(watch.shop(&down(), 400), [Opened, Flapping]);
    assert_eq!(watch.shop(&right(&[]), 450), []);
    assert_eq!(watch.status(450), ServiceStatus::Ok);
    assert_eq!(watch.shop(&down(), 500), []);
    // An hour without a round is not calm: of it, only the minute counts for which the last round stands.
    assert_eq!(watch.shop(&right(&[]), 550), []);
    assert_eq!(watch.shop(&right(&[]), 4_150), []);
    let calm: Vec<_> = (1..=30).flat_map(|minute| watch.shop(&right(&[]), 4_150 + minute * 60)).collect();
    assert_eq!(calm, [RECOVERED]);
    assert_eq!(watch.shop(&down(), 6_100), [Opened], "what was before the calm does not count");
}

#[test]
fn trouble_starts_the_calm_again() {
    let mut watch = Watch::default();
    for round in 0..5 {
        watch.shop(&down(), round * 10);
        watch.shop(&right(&[]), round * 10 + 5);
    }
    let calm = |watch: &mut Watch, from: i64| -> Vec<_> {
        (0..=29).flat_map(|minute| watch.shop(&right(&[]), from + minute * 60)).collect()
    };
    assert_eq!(calm(&mut watch, 60), []);
    watch.shop(&down(), 1_840);
    assert_eq!(calm(&mut watch, 1_850), []);
    assert_eq!(watch.shop(&right(&[]), 1_850 + 1_800), [RECOVERED]);
}

#[test]
fn backends_that_fail_one_after_the_other_do_not_flap_and_one_that_returns_again_and_again_does() {
    let mut watch = Watch::default();
    let names = ["a", "b", "c", "d", "e", "f"];
    let kinds: Vec<_> = (1..=6).flat_map(|many| watch.shop(&wrong(&names[..many]), 0)).collect();
    assert_eq!(kinds, [Opened, Grew, Grew, Grew, Grew, Grew]);
    let mut watch = Watch::default();
    watch.shop(&wrong(&["a", "b"]), 0);
    let comes_and_goes = |round: i64| {
        let (second, both) = (round * 20, wrong(&["a", "b"]));
        let one = wrong(&["a"]).with_proof(backend("b"), Proof::Right);
        [watch.shop(&one, second + 10), watch.shop(&both, second + 20)].concat()
    };
    let kinds: Vec<_> = (0..4).flat_map(comes_and_goes).collect();
    assert_eq!(kinds, [Shrank, Grew, Shrank, Grew, Shrank, Grew, Shrank, Flapping]);
}

#[test]
fn opens_that_are_more_than_an_hour_apart_are_no_flapping() {
    let mut watch = Watch::default();
    for round in 0..20 {
        assert_eq!(watch.shop(&down(), round * 900), [Opened]);
        assert_eq!(watch.shop(&right(&[]), round * 900 + 10), [RECOVERED]);
    }
}

#[test]
fn the_state_of_a_check_that_is_well_for_an_hour_is_as_if_nothing_had_been() {
    let (mut watch, mut never) = (Watch::default(), Watch::default());
    watch.shop(&down(), 0);
    for watch in [&mut watch, &mut never] {
        watch.shop(&right(&[]), 10);
        watch.shop(&right(&[]), 3_600);
    }
    let _ = never.0.names.next(at(0));
    assert_eq!(watch.0, never.0);
}

#[test]
fn a_part_that_no_round_shows_is_reported_and_rounds_do_not_close_it() {
    let mut watch = Watch::default();
    let part = MonitorPart::Receiver("night".to_owned());
    assert_eq!(watch.0.report_working(&part, "", at(0)), []);
    assert_eq!(watch.0.report_fault(&part, "500 for an hour", at(0))[0].kind, Opened);
    assert_eq!(watch.0.report_fault(&part, "500 for an hour", at(1)), []);
    assert_eq!(watch.shop(&right(&[]), 2), []);
    let closed = watch.0.report_working(&part, "took a message", at(3));
    assert_eq!((closed[0].kind, closed[0].reason.as_str()), (RECOVERED, "receiver night"));
}

#[test]
fn a_receiver_that_is_taken_out_of_the_file_leaves_no_incident() {
    let mut watch = Watch::default();
    let part = MonitorPart::Receiver("night".to_owned());
    assert_eq!(watch.0.forget_part(&part, at(0)), None);
    watch.0.report_fault(&part, "500 for an hour", at(0));
    let closed = watch.0.forget_part(&part, at(1)).unwrap();
    assert_eq!(closed.kind, ChangeKind::Closed(Ending::Removed));
    assert_eq!(watch.0.open().count(), 0);
    assert_eq!(watch.0.report_working(&part, "", at(2)), []);
}

#[test]
fn the_end_of_a_fault_of_the_monitor_says_nothing_of_a_service() {
    let mut watch = Watch::default();
    let blind = Observation::of_fault(MonitorPart::Network);
    watch.shop(&blind, 0);
    let observation = down();
    let round = Round {
        check: "shop",
        observation: &observation,
        summary: "down: 503".to_owned(),
        stands_for: Duration::from_mins(1),
        took: Duration::ZERO,
    };
    let changes = watch.0.observe(&round, at(10));
    let [closed] =
        changes.iter().filter(|change| matches!(change.scope, Scope::Monitor(_))).collect::<Vec<_>>()[..]
    else {
        panic!("{changes:?}");
    };
    assert_eq!(closed.evidence.summary, "shop can be checked again");
}

#[test]
fn a_status_stands_only_as_long_as_its_round() {
    let mut watch = Watch::default();
    assert_eq!(watch.status(0), ServiceStatus::Unknown);
    watch.shop(&right(&[]), 0);
    assert_eq!(watch.status(59), ServiceStatus::Ok);
    assert_eq!(watch.status(60), ServiceStatus::Unknown);
}

#[test]
fn a_status_stands_no_longer_because_the_clock_goes_back() {
    let mut watch = Watch::default();
    watch.shop(&right(&[]), 7_200);
    watch.hold("blog", &right(&[]), 0);
    assert_eq!(watch.status(59), ServiceStatus::Ok);
    assert_eq!(watch.status(60), ServiceStatus::Unknown);
}

#[test]
fn a_change_holds_its_evidence() {
    let mut watch = Watch::default();
    let offset = Some(OffsetBounds { lower: 2, upper: i128::from(i64::MAX) * 9 });
    let trouble = Trouble { offset, ..Trouble::new(TroubleKind::Wrong, "desynchronized") };
    let observation = Observation::of_trouble([(backend("b"), trouble)]);
    let summary = "1 of 2 backends is ahead".to_owned();
    let round = Round {
        check: "shop",
        observation: &observation,
        summary,
        stands_for: Duration::ZERO,
        took: Duration::ZERO,
    };
    let change = watch.0.observe(&round, at(7)).remove(0);
    assert_eq!(change.evidence.offset, offset);
    assert_eq!(change.evidence.backends().collect::<Vec<_>>(), ["b"]);
    assert_eq!(change.evidence.summary, "1 of 2 backends is ahead");
    assert_eq!((change.status, change.since, change.at), (Some(TroubleKind::Wrong), at(7), at(7)));
    let text = serde_json::to_string(&(&change, &watch.0)).unwrap();
    assert_eq!(serde_json::from_str::<(Change, Incidents)>(&text).unwrap(), (change, watch.0));
}
