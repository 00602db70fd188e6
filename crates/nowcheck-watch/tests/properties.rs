//! What holds for any rounds, in any order, at any times.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use nowcheck_watch::availability::Account;
use nowcheck_watch::incident::{
    Alerts, Change, ChangeKind, CheckPolicy, Event, Incident, IncidentId, Incidents, Maintenance, Message,
    MonitorPart, Observation, Place, Policy, Proof, Receiver, Round, Scope, ServiceStatus, Trouble,
    TroubleKind, Window,
};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

/// One round: of which check, what it saw, and how long after the one before.
#[derive(Debug, Clone)]
struct Drawn {
    check: usize,
    round: Observation,
    later: i64,
}

const CHECKS: [&str; 2] = ["shop", "blog"];
const STANDS_FOR: Duration = Duration::from_mins(1);

fn place() -> impl Strategy<Value = Place> {
    let named = prop::sample::select(vec!["a", "b", "c"]);
    prop_oneof![
        4 => named.clone().prop_map(|name| Place::Backend(name.to_owned())),
        3 => named.prop_map(|name| Place::Address(name.to_owned())),
        1 => Just(Place::Service),
        1 => Just(Place::Name),
    ]
}

fn trouble() -> impl Strategy<Value = Trouble> {
    prop_oneof![
        Just(Trouble::new(TroubleKind::Wrong, "desynchronized")),
        Just(Trouble::new(TroubleKind::Down, "down"))
    ]
}

fn part() -> impl Strategy<Value = MonitorPart> {
    prop::sample::select(vec![MonitorPart::Network, MonitorPart::Dns, MonitorPart::Reference])
}

fn proofs() -> impl Strategy<Value = Observation> {
    prop::collection::vec(place(), 0..4).prop_map(Observation::of_proof)
}

/// Anything that a round can say, also what no service does.
fn observation() -> impl Strategy<Value = Observation> {
    let troubles = prop::collection::vec((place(), trouble()), 1..3);
    prop_oneof![
        3 => (proofs(), prop_oneof![Just(1.0), Just(0.01), Just(0.0)])
            .prop_map(|(round, missed)| round.with_miss_probability(missed)),
        3 => (proofs(), troubles).prop_map(|(round, troubles)| {
            troubles.into_iter().fold(round, |round, (place, trouble)| round.with_trouble(place, trouble))
        }),
        1 => part().prop_map(Observation::of_fault),
        1 => (proofs(), part()).prop_map(|(round, part)| round.with_fault(part)),
        1 => place().prop_map(|place| Observation::default().with_doubt_about(place)),
    ]
}

/// Mostly as rounds follow each other, now and then much later, and with a clock that goes back.
fn later() -> impl Strategy<Value = i64> {
    prop_oneof![8 => 0..60_i64, 2 => 0..2_000_i64, 1 => -500..0_i64]
}

fn rounds() -> impl Strategy<Value = Vec<Drawn>> {
    let drawn = (0..CHECKS.len(), observation(), later());
    prop::collection::vec(drawn.prop_map(|(check, round, later)| Drawn { check, round, later }), 1..40)
}

fn policy() -> Policy {
    let receiver = |name: &str, after, remind| Receiver {
        name: name.to_owned(),
        after: Duration::from_secs(after),
        remind: Option::map(remind, Duration::from_secs),
    };
    let needs = ["shop".to_owned()].into();
    let blog = CheckPolicy { alert: Some(["day".to_owned(), "late".to_owned()].into()), needs };
    Policy {
        receivers: vec![
            receiver("day", 0, None),
            receiver("late", 90, Some(200)),
            receiver("night", 0, Some(0)),
        ],
        checks: BTreeMap::from([("blog".to_owned(), blog)]),
        maintenance: vec![Maintenance {
            name: "patch day".to_owned(),
            window: Window::Once { from: second(100), until: second(400) },
            checks: None,
        }],
        ..Policy::default()
    }
}

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_521_600 + second).expect("a time of this century")
}

/// The whole monitor, as far as it is here.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
struct State {
    incidents: Incidents,
    alerts: Alerts,
}

impl State {
    fn hold(&mut self, drawn: &Drawn, now: Timestamp) -> (Vec<Change>, Vec<Message>) {
        let summary = format!("{now}");
        let (check, observation) = (CHECKS[drawn.check], &drawn.round);
        let changes = self.incidents.observe(
            &Round { check, observation, summary, stands_for: STANDS_FOR, took: Duration::ZERO },
            now,
        );
        let messages = self.alerts.decide(&self.incidents, &changes, &policy(), now);
        (changes, messages)
    }

    fn restarted(&self) -> Self {
        let stored = serde_json::to_string(self).expect("the state can be stored");
        serde_json::from_str(&stored).expect("what was stored can be restored")
    }
}

/// Holds the rounds one after the other.
fn all(rounds: &[Drawn]) -> impl Iterator<Item = (&Drawn, Timestamp)> {
    rounds.iter().scan(0, |now, drawn| {
        *now += drawn.later;
        Some((drawn, second(*now)))
    })
}

proptest! {
    #[test]
    fn nothing_opens_twice_without_a_close_and_every_close_has_an_open(rounds in rounds()) {
        let mut state = State::default();
        let mut open: BTreeMap<Scope, IncidentId> = BTreeMap::new();
        let mut ever = BTreeSet::new();
        for (drawn, now) in all(&rounds) {
            for change in state.hold(drawn, now).0 {
                match change.kind {
                    ChangeKind::Opened => {
                        prop_assert!(ever.insert(change.incident.clone()), "no name is used twice");
                        prop_assert!(open.insert(change.scope.clone(), change.incident.clone()).is_none());
                        prop_assert!(!change.evidence.places.is_empty());
                    }
                    ChangeKind::Closed(_) => {
                        prop_assert_eq!(open.remove(&change.scope), Some(change.incident.clone()));
                    }
                    _ => prop_assert_eq!(open.get(&change.scope), Some(&change.incident)),
                }
                prop_assert!(change.since <= change.at);
            }
            let is_open: BTreeSet<_> = state.incidents.open().map(|incident| incident.id().clone()).collect();
            prop_assert_eq!(is_open, open.values().cloned().collect());
        }
    }

    #[test]
    fn a_service_has_an_incident_opened_only_by_proof_in_that_round(rounds in rounds()) {
        let mut state = State::default();
        for (drawn, now) in all(&rounds) {
            for change in state.hold(drawn, now).0 {
                if let (Scope::Check(check), ChangeKind::Opened) = (&change.scope, change.kind) {
                    prop_assert_eq!(check.as_str(), CHECKS[drawn.check]);
                    prop_assert_eq!(&change.evidence.places, drawn.round.troubles());
                }
            }
        }
    }

    #[test]
    fn a_checker_at_fault_opens_and_closes_nothing_for_a_service(rounds in rounds(), part in part()) {
        let mut state = State::default();
        for (mut drawn, now) in all(&rounds).map(|(drawn, now)| (drawn.clone(), now)) {
            state.hold(&drawn, now);
            drawn.round = Observation::of_fault(part.clone());
            let changes = state.hold(&drawn, now).0;
            prop_assert!(changes.iter().all(|change| matches!(change.scope, Scope::Monitor(_))));
            prop_assert_eq!(state.incidents.status(CHECKS[drawn.check], now), ServiceStatus::Unknown);
        }
    }

    #[test]
    fn each_receiver_gets_one_opened_and_then_one_closed_of_an_incident(rounds in rounds()) {
        let mut state = State::default();
        let mut open = BTreeSet::new();
        let (mut ids, mut over) = (BTreeSet::new(), BTreeSet::new());
        for (drawn, now) in all(&rounds) {
            for message in state.hold(drawn, now).1 {
                prop_assert!(ids.insert(message.id.clone()), "a message is made twice");
                let about = (message.receiver.clone(), message.change.incident.clone());
                prop_assert!(!over.contains(&about), "it was closed");
                match message.event {
                    Event::Opened => prop_assert!(open.insert(about)),
                    Event::Closed => {
                        prop_assert!(open.remove(&about));
                        over.insert(about);
                    }
                    _ => prop_assert!(open.contains(&about)),
                }
            }
            let incidents: BTreeSet<_> = state.incidents.open().map(Incident::id).collect();
            prop_assert!(open.iter().all(|(_, incident)| incidents.contains(incident)));
        }
    }

    #[test]
    fn a_restart_after_any_round_changes_no_message(rounds in rounds()) {
        let (mut lasting, mut restarted) = (State::default(), State::default());
        for (drawn, now) in all(&rounds) {
            prop_assert_eq!(lasting.hold(drawn, now), restarted.hold(drawn, now));
            restarted = restarted.restarted();
            prop_assert_eq!(&lasting, &restarted);
        }
    }

    #[test]
    fn the_four_kinds_of_time_agree_with_incidents_and_sum_to_the_whole(rounds in rounds()) {
        let mut state = State::default();
        let mut account = Account::new(second(0));
        let mut total = Duration::ZERO;
        let mut before = second(0);
        for (drawn, now) in all(&rounds).filter(|(drawn, _)| drawn.check == 0) {
            state.hold(drawn, now);
            let status = state.incidents.status(CHECKS[0], now);
            let incident = state.incidents.of_check(CHECKS[0]);
            let is_bad = matches!(status, ServiceStatus::Wrong | ServiceStatus::Down);
            prop_assert!(!is_bad || incident.is_some(), "trouble without an incident");
            let is_calm = incident.is_none_or(Incident::is_flapping);
            prop_assert!(status != ServiceStatus::Ok || is_calm, "ok during an incident");
            account.record(status, STANDS_FOR, now);
            total += Duration::try_from(now.duration_since(before)).unwrap_or_default();
            before = now;
            prop_assert_eq!(account.until(now).total(), total);
        }
    }

    #[test]
    fn whatever_came_before_proof_of_calm_ends_every_incident(rounds in rounds()) {
        let mut state = State::default();
        let mut now = second(0);
        for (drawn, at) in all(&rounds) {
            state.hold(drawn, at);
            now = at;
        }
        let proven = ["a", "b", "c"].map(str::to_owned);
        let proven = proven.clone().map(Place::Backend).into_iter().chain(proven.map(Place::Address));
        let round = Observation::of_proof(proven.chain([Place::Service, Place::Name]));
        for _ in 0..=61 {
            now += Duration::from_secs(30);
            for check in 0..CHECKS.len() {
                state.hold(&Drawn { check, round: round.clone(), later: 0 }, now);
            }
        }
        prop_assert_eq!(state.incidents.open().count(), 0);
    }
}

/// A service of which everything is known: the state of each backend, and which of them each round meets.
fn world() -> impl Strategy<Value = Vec<(BTreeSet<usize>, BTreeSet<usize>)>> {
    let backends = || prop::collection::btree_set(0..3_usize, 0..=3);
    prop::collection::vec((backends(), backends()), 1..60)
}

proptest! {
    #[test]
    fn what_is_open_is_what_was_wrong_when_it_was_met_last(rounds in world()) {
        let mut state = State::default();
        let mut known: BTreeSet<String> = BTreeSet::new();
        for (round, (wrong, met)) in (0..).zip(rounds) {
            let mut observation = Observation::default();
            for backend in &met {
                let (name, place) = (backend.to_string(), Place::Backend(backend.to_string()));
                if wrong.contains(backend) {
                    let trouble = Trouble::new(TroubleKind::Wrong, "desynchronized");
                    observation = observation.with_trouble(place, trouble);
                    known.insert(name);
                } else {
                    observation = observation.with_proof(place, Proof::Right);
                    known.remove(&name);
                }
            }
            state.hold(&Drawn { check: 0, round: observation, later: 0 }, second(round * 1_000));
            let incident = state.incidents.of_check(CHECKS[0]);
            let places = incident.into_iter().flat_map(|incident| incident.places().keys());
            let open: BTreeSet<String> = places
                .map(|place| place.to_string().trim_start_matches("backend ").to_owned())
                .collect();
            prop_assert_eq!(&open, &known);
            prop_assert!(incident.is_none_or(|incident| incident.is_flapping() || !known.is_empty()));
        }
    }
}
