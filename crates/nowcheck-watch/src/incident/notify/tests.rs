use super::super::{Maintenance, Observation, Place, Round, Trouble, TroubleKind, Window};
use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_521_600 + second).unwrap()
}

fn address() -> Place {
    Place::Address("192.0.2.1:80".to_owned())
}

fn down() -> Observation {
    Observation::of_trouble([(address(), Trouble::new(TroubleKind::Down, "down"))])
}

fn right() -> Observation {
    Observation::of_proof([address()])
}

#[derive(Default)]
struct Watch {
    incidents: Incidents,
    alerts: Alerts,
    policy: Policy,
}

impl Watch {
    fn new(receivers: &[(&str, u64, Option<u64>)]) -> Self {
        let receivers = receivers.iter().map(|(name, after, remind)| Receiver {
            name: (*name).to_owned(),
            after: Duration::from_secs(*after),
            remind: remind.map(Duration::from_secs),
        });
        Self { policy: Policy { receivers: receivers.collect(), ..Policy::default() }, ..Self::default() }
    }

    fn check(mut self, name: &str, alert: Option<&str>, needs: &[&str]) -> Self {
        let policy = CheckPolicy {
            alert: alert.map(|receiver| [receiver.to_owned()].into()),
            needs: needs.iter().map(|need| (*need).to_owned()).collect(),
        };
        self.policy.checks.insert(name.to_owned(), policy);
        self
    }

    fn hold(&mut self, check: &str, observation: &Observation, second: i64) -> Vec<String> {
        let (summary, stands_for) = (String::new(), Duration::from_mins(10));
        let changes = self
            .incidents
            .observe(&Round { check, observation, summary, stands_for, took: Duration::ZERO }, at(second));
        self.decide(&changes, second)
    }

    fn decide(&mut self, changes: &[Change], second: i64) -> Vec<String> {
        let messages = self.alerts.decide(&self.incidents, changes, &self.policy, at(second));
        messages.iter().map(|message| format!("{} {:?}", message.receiver, message.event)).collect()
    }

    fn wait(&mut self, second: i64) -> Vec<String> {
        self.decide(&[], second)
    }
}

const NOTHING: [&str; 0] = [];

#[test]
fn an_alert_waits_for_the_time_of_its_receiver_and_what_ends_before_is_not_mentioned() {
    let mut watch = Watch::new(&[("day", 60, None), ("night", 0, None)]);
    assert_eq!(watch.hold("shop", &down(), 0), ["night Opened"]);
    assert_eq!(watch.wait(59), NOTHING);
    assert_eq!(watch.wait(60), ["day Opened"]);
    assert_eq!(watch.hold("shop", &right(), 70), ["day Closed", "night Closed"]);
    assert_eq!(watch.hold("shop", &down(), 80), ["night Opened"]);
    assert_eq!(watch.hold("shop", &right(), 90), ["night Closed"]);
    assert_eq!(watch.alerts, Alerts::default(), "nothing is kept of what is over");
}

#[test]
fn what_was_seen_before_the_monitor_was_off_alerts_nobody_until_it_is_seen_again() {
    for (then, expected) in [(down(), vec!["day Opened"]), (right(), vec![])] {
        let mut watch = Watch::new(&[("day", 300, None)]);
        assert_eq!(watch.hold("shop", &down(), 0), NOTHING);
        assert_eq!(watch.wait(3_600), NOTHING, "a result stands for ten minutes here");
        assert_eq!(watch.hold("shop", &then, 3_601), expected);
    }
}

#[test]
fn a_reminder_comes_after_each_pause_and_a_clock_that_goes_back_does_not_put_it_off() {
    let mut watch = Watch::new(&[("day", 0, Some(100))]);
    assert_eq!(watch.hold("shop", &down(), 0), ["day Opened"]);
    assert_eq!(watch.wait(99), NOTHING);
    assert_eq!(watch.wait(100), ["day Reminder"]);
    assert_eq!(watch.wait(100), NOTHING);
    assert_eq!(watch.wait(-5_000), NOTHING);
    assert_eq!(watch.wait(-4_900), ["day Reminder"]);
}

#[test]
fn needs_keep_an_alert_from_being_opened_and_from_nothing_else() {
    let mut watch = Watch::new(&[("day", 0, None)]).check("shop", None, &["network"]);
    watch.hold("network", &down(), 0);
    assert_eq!(watch.hold("shop", &down(), 1), NOTHING);
    // It may have recovered together with the network, so it has to be seen again.
    assert_eq!(watch.hold("network", &right(), 2), ["day Closed"]);
    assert_eq!(watch.hold("shop", &down(), 3), ["day Opened"]);
    watch.hold("network", &down(), 4);
    assert_eq!(watch.hold("shop", &right(), 5), ["day Closed"]);
}

#[test]
fn what_is_needed_has_to_be_seen_ok_after_the_trouble_was_found() {
    let mut watch = Watch::new(&[("day", 0, None)]).check("shop", None, &["network"]);
    watch.hold("network", &right(), 0);
    assert_eq!(watch.hold("shop", &down(), 1), NOTHING, "the network may have failed, too");
    assert_eq!(watch.hold("network", &down(), 2), ["day Opened"]);
    assert_eq!(watch.hold("network", &right(), 3), ["day Closed"]);
    assert_eq!(watch.hold("shop", &right(), 4), NOTHING);
    assert_eq!(watch.hold("shop", &down(), 5), NOTHING);
    assert_eq!(watch.hold("network", &right(), 6), ["day Opened"]);
}

#[test]
fn maintenance_holds_back_what_opens_and_what_is_open_afterwards_is_alerted_then() {
    let mut watch = Watch::new(&[("day", 0, None)]);
    watch.hold("blog", &down(), 5);
    let window = Window::Once { from: at(10), until: at(100) };
    watch.policy.maintenance = vec![Maintenance { name: String::new(), window, checks: None }];
    assert_eq!(watch.hold("shop", &down(), 10), NOTHING);
    assert_eq!(watch.hold("shop", &right(), 20), NOTHING);
    assert_eq!(watch.hold("blog", &right(), 30), ["day Closed"]);
    watch.hold("shop", &down(), 40);
    assert_eq!(watch.wait(99), NOTHING);
    assert_eq!(watch.wait(100), NOTHING, "it may have been repaired meanwhile");
    assert_eq!(watch.hold("shop", &down(), 101), ["day Opened"]);
}

#[test]
fn a_receiver_gets_the_checks_that_it_is_for_and_is_not_told_of_its_own_failure() {
    let mut watch = Watch::new(&[("day", 0, None), ("night", 0, None)]).check("shop", Some("night"), &[]);
    assert_eq!(watch.hold("shop", &down(), 0), ["night Opened"]);
    let part = MonitorPart::Receiver("night".to_owned());
    let changes = watch.incidents.report_fault(&part, "it answers 500", at(1));
    assert_eq!(watch.decide(&changes, 1), ["day Opened"]);
}

#[test]
fn a_receiver_that_a_check_no_longer_has_still_gets_the_close() {
    let mut watch = Watch::new(&[("day", 0, None), ("night", 0, None)]);
    assert_eq!(watch.hold("shop", &down(), 0), ["day Opened", "night Opened"]);
    watch = watch.check("shop", Some("night"), &[]);
    assert_eq!(watch.hold("shop", &right(), 1), ["day Closed", "night Closed"]);
    watch.hold("shop", &down(), 2);
    watch.policy.receivers.pop();
    assert_eq!(watch.hold("shop", &right(), 3), NOTHING);
}

#[test]
fn the_fifth_opening_is_told_and_that_it_flaps() {
    let mut watch = Watch::new(&[("day", 0, None)]);
    for round in 0..4 {
        watch.hold("shop", &down(), round * 20);
        watch.hold("shop", &right(), round * 20 + 10);
    }
    let round = Round {
        check: "shop",
        observation: &down(),
        summary: String::new(),
        stands_for: Duration::from_mins(1),
        took: Duration::ZERO,
    };
    let changes = watch.incidents.observe(&round, at(100));
    let messages = watch.alerts.decide(&watch.incidents, &changes, &watch.policy, at(100));
    let events: Vec<Event> = messages.iter().map(|message| message.event).collect();
    assert_eq!(events, [Event::Opened, Event::Flapping]);
    assert!(messages.iter().all(|message| message.is_flapping));
    assert_eq!(watch.hold("shop", &right(), 110), NOTHING, "it stays open until half an hour of calm");
}

#[test]
fn growth_is_a_change_for_those_who_know_of_the_incident() {
    let mut watch = Watch::new(&[("day", 0, None), ("night", 60, None)]);
    watch.hold("shop", &down(), 0);
    let other = Place::Address("192.0.2.2:80".to_owned());
    let both = down().with_trouble(other, Trouble::new(TroubleKind::Down, "down"));
    assert_eq!(watch.hold("shop", &both, 10), ["day Changed"]);
    assert_eq!(watch.wait(60), ["night Opened"]);
}

#[test]
fn a_machine_that_hesitates_is_alerted_when_its_next_round_fails_too_or_when_it_flaps() {
    let late = || Observation::of_fault(MonitorPart::Machine);
    let mut watch = Watch::new(&[("day", 0, None)]);
    assert_eq!(watch.hold("shop", &late(), 0), NOTHING);
    assert_eq!(watch.hold("shop", &right(), 30), NOTHING, "it was a moment");
    assert_eq!(watch.hold("shop", &late(), 60), NOTHING);
    assert_eq!(watch.wait(659), NOTHING);
    assert_eq!(watch.wait(660), ["day Opened"], "the round before stood for ten minutes");
    assert_eq!(watch.hold("shop", &right(), 670), ["day Closed"]);
    for second in [680, 700] {
        assert_eq!(watch.hold("shop", &late(), second), NOTHING);
        watch.hold("shop", &right(), second + 10);
    }
    assert_eq!(watch.hold("shop", &late(), 720), ["day Opened", "day Flapping"]);
    let mut watch = Watch::new(&[("day", 0, None)]);
    assert_eq!(watch.hold("shop", &late(), 0), NOTHING);
    assert_eq!(watch.hold("blog", &late(), 10), NOTHING, "another check may have met the same moment");
    assert_eq!(
        watch.hold("blog", &late(), 20),
        ["day Opened"],
        "however long the period of the first one is"
    );
    let mut watch = Watch::new(&[("day", 0, None)]);
    assert_eq!(watch.hold("shop", &Observation::of_fault(MonitorPart::Network), 0), ["day Opened"]);
}

#[test]
fn a_clock_that_goes_back_does_not_put_off_what_needs_another_check() {
    let mut watch = Watch::new(&[("day", 0, None)]).check("shop", None, &["network"]);
    watch.hold("network", &right(), 7_200);
    watch.hold("shop", &right(), 7_201);
    watch.hold("network", &right(), 10);
    assert_eq!(watch.hold("shop", &down(), 20), NOTHING, "the network may have failed, too");
    assert_eq!(watch.hold("network", &right(), 30), ["day Opened"]);
}

#[test]
fn what_is_kept_for_a_receiver_is_sent_to_others_and_to_it_when_it_is_kept_no_more() {
    let mut watch = Watch::new(&[("day", 0, None), ("night", 0, None)]);
    watch.policy.kept = [("shop".to_owned(), ["night".to_owned()].into())].into();
    assert_eq!(watch.hold("shop", &down(), 0), ["day Opened"]);
    assert_eq!(watch.hold("blog", &down(), 1), ["day Opened", "night Opened"], "another check");
    watch.policy.kept.clear();
    assert_eq!(watch.wait(2), ["night Opened"]);
}
