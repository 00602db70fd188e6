use proptest::prelude::*;

use super::*;
use crate::peers::view::IncidentView;

const RECEIVER: &str = "night";
const CHECK: &str = "shop";
const EVERY: u64 = 10_000;

fn at(millis: u64) -> MonotonicInstant {
    MonotonicInstant::after_origin(Duration::from_millis(millis))
}

fn within(earliest: u64, latest: u64) -> When {
    When { earliest: at(earliest), latest: at(latest) }
}

/// How wrong the clock of the faulty backend is while there is trouble, in seconds: by less than a wrong reference, so that
/// the step of it does not hide for a while that the reference is wrong.
const WRONG_CLOCK: f64 = 2.0;

/// How far a wrong reference is from the truth, in seconds.
const WRONG_REFERENCE: f64 = 5.0;

/// An instance as it would run: it holds rounds, asks, and alerts when it may. Times are milliseconds.
#[derive(Debug)]
struct Instance {
    state: State,
    /// When its rounds are, within each period.
    phase: u64,
    /// What its rounds find of the service, from the beginning of the trouble on.
    finds: BTreeSet<Kind>,
    /// How far its reference is from the truth.
    reference: f64,
    incident: Option<(u64, BTreeSet<Kind>)>,
    told: Option<u64>,
    lives: bool,
}

impl Instance {
    fn new(name: &str, id: usize, phase: u64) -> Self {
        let state = State::new(format!("{id}"), name);
        let finds = BTreeSet::from([Kind::Down]);
        Self { state, phase, finds, reference: 0.0, incident: None, told: None, lives: true }
    }

    fn since(&self) -> Option<u64> {
        self.incident.as_ref().map(|(since, _)| *since)
    }

    /// What a round measures: those that meet the faulty backend measure it, and others measure another one.
    fn measures(&self, trouble: bool) -> Vec<Bounds> {
        let meets_the_faulty_one = self.finds.contains(&Kind::ClockWrong);
        if trouble && self.finds.contains(&Kind::Down) && !meets_the_faulty_one {
            return Vec::new();
        }
        let backend = if meets_the_faulty_one { "i-1" } else { "i-2" };
        let clock = if trouble && meets_the_faulty_one { WRONG_CLOCK } else { 0.0 };
        let offset = clock - self.reference;
        vec![Bounds { backend: backend.to_owned(), lower: offset - 0.1, upper: offset + 0.1 }]
    }

    fn answer(&self, now: u64) -> Answer {
        let incident = self.incident.as_ref().map(|(since, kinds)| IncidentView {
            id: since.to_string(),
            is_down: kinds.contains(&Kind::Down),
            kinds: Some(kinds.clone()),
            is_held_back: false,
            told: self.told.iter().map(|_| RECEIVER.to_owned()).collect(),
        });
        let check = CheckView {
            status: "ok".to_owned(),
            reason: "in_sync".to_owned(),
            stands_seconds: 16.0,
            round_age_seconds: None,
            alert: None,
            incident,
            backends: Vec::new(),
        };
        let checks = BTreeMap::from([(CHECK.to_owned(), check)]);
        self.state.answer(checks, BTreeSet::from([RECEIVER.to_owned()]), at(now))
    }

    fn step(&mut self, now: u64, trouble: std::ops::Range<u64>) {
        if now % EVERY == self.phase {
            let is_trouble = trouble.contains(&now);
            let bounds = self.measures(is_trouble);
            let mut kinds = if is_trouble { self.finds.clone() } else { BTreeSet::new() };
            if bounds.iter().any(|bounds| bounds.lower > 1.0 || bounds.upper < -1.0) {
                kinds.insert(Kind::ClockWrong);
            }
            self.state.round_held(CHECK, within(now, now), bounds);
            let since = self.since().unwrap_or(now);
            self.incident = (!kinds.is_empty()).then_some((since, kinds));
            if self.incident.is_none() {
                self.told = None;
            }
        }
        self.state.contradiction(at(now));
        if let Some((since, kinds)) = &self.incident {
            self.state.sees_trouble(CHECK, &since.to_string(), kinds.clone(), at(now));
            if self.told.is_none() && !keeps_its_alert(&self.state, at(now)) {
                self.told = Some(now);
            }
        }
    }
}

/// Whether the one receiver there is must not be alerted.
fn keeps_its_alert(state: &State, now: MonotonicInstant) -> bool {
    !state.keeps_from_alerting(CHECK, std::iter::once(RECEIVER), now).is_empty()
}

/// Several instances, and which of them reach each other.
#[derive(Debug)]
struct World {
    instances: Vec<Instance>,
    links: BTreeSet<(usize, usize)>,
    now: u64,
}

impl World {
    fn new(phases: &[u64], links: BTreeSet<(usize, usize)>) -> Self {
        let mut instances: Vec<Instance> = phases
            .iter()
            .enumerate()
            .map(|(nth, &phase)| Instance::new(&format!("name{}", nth / 2 * 2), nth, phase))
            .collect();
        for (nth, instance) in instances.iter_mut().enumerate() {
            for peer in (0..phases.len()).filter(|peer| *peer != nth) {
                instance.state.begins_to_ask(&peer.to_string(), at(0));
            }
        }
        Self { instances, links, now: 0 }
    }

    /// All see a wrong clock, and one of them has a wrong reference. What they measure is told apart by their names.
    fn with_a_wrong_reference(mut self, wrong: usize, reference: f64) -> Self {
        for (nth, instance) in self.instances.iter_mut().enumerate() {
            instance.state.name = format!("name{nth}");
            instance.finds = BTreeSet::from([Kind::ClockWrong]);
        }
        self.instances[wrong].reference = reference;
        self
    }

    fn reach(&self, one: usize, other: usize) -> bool {
        let is_linked = self.links.contains(&(one.min(other), one.max(other)));
        is_linked && self.instances[one].lives && self.instances[other].lives
    }

    /// Questions take 100 ms, and are asked every two seconds; so is one after each incident, as in a hurry.
    fn run_until(&mut self, end: u64, trouble: &std::ops::Range<u64>) {
        while self.now < end {
            let now = self.now;
            for nth in 0..self.instances.len() {
                let is_in_hurry = self.instances[nth].since().is_some_and(|since| now == since + 200);
                if !self.instances[nth].lives || !(now % 2_000 == 100 * nth as u64 || is_in_hurry) {
                    continue;
                }
                for peer in (0..self.instances.len()).filter(|peer| *peer != nth) {
                    let result = if self.reach(nth, peer) {
                        Ok(self.instances[peer].answer(now))
                    } else {
                        Err("connection refused".to_owned())
                    };
                    self.instances[nth].state.answered(
                        &peer.to_string(),
                        within(now - now.min(100), now),
                        result,
                    );
                }
            }
            for instance in self.instances.iter_mut().filter(|instance| instance.lives) {
                instance.step(now, trouble.clone());
            }
            self.now += 100;
        }
    }

    /// The groups of those that can hear of each other.
    fn groups(&self) -> Vec<BTreeSet<usize>> {
        let mut groups: Vec<BTreeSet<usize>> = Vec::new();
        for nth in (0..self.instances.len()).filter(|nth| self.instances[*nth].lives) {
            let (joined, mut others): (Vec<_>, Vec<_>) =
                groups.into_iter().partition(|group| group.iter().any(|other| self.reach(nth, *other)));
            others.push(joined.into_iter().flatten().chain([nth]).collect());
            groups = others;
        }
        groups
    }

    fn told_of(&self, group: &BTreeSet<usize>) -> usize {
        group.iter().filter(|nth| self.instances[**nth].told.is_some()).count()
    }
}

fn worlds() -> impl Strategy<Value = (Vec<u64>, BTreeSet<(usize, usize)>)> {
    (2..6_usize).prop_flat_map(|count| {
        let pairs: Vec<(usize, usize)> =
            (0..count).flat_map(|one| (one + 1..count).map(move |other| (one, other))).collect();
        let links = proptest::sample::subsequence(pairs.clone(), 0..=pairs.len());
        let phases = proptest::collection::vec((0..EVERY / 100).prop_map(|phase| phase * 100), count);
        (phases, links.prop_map(|links| links.into_iter().collect()))
    })
}

proptest! {
    #[test]
    fn of_all_that_hear_of_each_other_exactly_one_alerts((phases, links) in worlds(), start in 200..300_u64) {
        let mut world = World::new(&phases, links);
        let trouble = start * 100..u64::MAX;
        world.run_until(trouble.start + 2 * EVERY, &trouble);
        for group in world.groups() {
            prop_assert_eq!(world.told_of(&group), 1, "{:?} of {:#?}", group, world);
        }
    }

    #[test]
    fn when_the_one_whose_duty_it_is_dies_another_one_alerts((phases, links) in worlds(), start in 200..300_u64) {
        let mut world = World::new(&phases, links);
        let first = world.instances.iter().enumerate().min_by_key(|(_, one)| (one.state.name.clone(), one.state.id.clone()));
        let first = first.map_or(0, |(nth, _)| nth);
        world.run_until(start * 100, &(u64::MAX..u64::MAX));
        world.instances[first].lives = false;
        let trouble = start * 100..u64::MAX;
        world.run_until(trouble.start + 4 * EVERY, &trouble);
        for group in world.groups() {
            prop_assert_eq!(world.told_of(&group), 1, "{:?} of {:#?}", group, world);
        }
    }

    #[test]
    fn down_is_alerted_if_and_only_if_the_quorum_sees_it(
        phases in proptest::collection::vec((0..EVERY / 100).prop_map(|phase| phase * 100), 3),
        seeing in proptest::collection::vec(any::<bool>(), 3),
        quorum in 1..4_u32,
    ) {
        let mut world = World::new(&phases, BTreeSet::from([(0, 1), (1, 2)]));
        for (instance, sees_it) in world.instances.iter_mut().zip(&seeing) {
            instance.finds.retain(|_| *sees_it);
            instance.state.quorum = quorum;
        }
        let trouble = 20_000..u64::MAX;
        world.run_until(trouble.start + 5 * EVERY, &trouble);
        let count = seeing.iter().filter(|sees_it| **sees_it).count();
        let is_due = count > 0 && count >= quorum as usize;
        let all = BTreeSet::from([0, 1, 2]);
        prop_assert_eq!(world.told_of(&all), usize::from(is_due), "{:#?}", world);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn whatever_each_instance_sees_exactly_one_alerts_if_one_is_entitled_to(
        (phases, links) in worlds(),
        finds in proptest::collection::vec(proptest::sample::subsequence(vec![Kind::Down, Kind::ClockWrong, Kind::Stale], 0..3), 5),
        quorum in 1..4_u32,
        start in 300..400_u64,
    ) {
        let mut world = World::new(&phases, links);
        for (instance, finds) in world.instances.iter_mut().zip(finds) {
            (instance.finds, instance.state.quorum) = (finds.into_iter().collect(), quorum);
        }
        let trouble = start * 100..u64::MAX;
        world.run_until(trouble.start + 6 * EVERY, &trouble);
        for group in world.groups() {
            let see = |kind| group.iter().filter(|nth| world.instances[**nth].finds.contains(&kind)).count();
            let is_due = see(Kind::ClockWrong) + see(Kind::Stale) > 0
                || see(Kind::Down) >= group.len().min(quorum as usize);
            prop_assert_eq!(world.told_of(&group), usize::from(is_due), "{:?} of {:#?}", group, world);
        }
    }

    #[test]
    fn a_wrong_clock_is_alerted_exactly_once_whichever_instance_has_a_wrong_reference(
        (phases, links) in worlds(),
        wrong in any::<proptest::sample::Index>(),
        reference in proptest::sample::select(vec![-WRONG_REFERENCE, WRONG_REFERENCE]),
        start in 600..700_u64,
    ) {
        let wrong = wrong.index(phases.len());
        let mut world = World::new(&phases, links).with_a_wrong_reference(wrong, reference);
        let trouble = start * 100..u64::MAX;
        world.run_until(trouble.start, &trouble);
        // Rounds at the same instant never lie between others, so that they contradict nobody.
        let apart = |one: &u64, other: &u64| one == other || (500..EVERY - 500).contains(&one.abs_diff(*other));
        let is_shown = phases.iter().all(|phase| apart(phase, &phases[wrong]));
        let is_shown = is_shown && phases.iter().filter(|phase| **phase == phases[wrong]).count() == 1;
        for group in world.groups().iter().filter(|group| is_shown && group.len() > 2) {
            prop_assert_eq!(world.told_of(group), 0, "the service is right: {:?} of {:#?}", group, world);
        }
        world.run_until(trouble.start + 6 * EVERY, &trouble);
        for group in world.groups() {
            prop_assert_eq!(world.told_of(&group), 1, "{:?} of {:#?}", group, world);
        }
    }
}

fn three() -> World {
    World::new(&[0, 3_000, 6_000], BTreeSet::from([(0, 1), (0, 2), (1, 2)]))
}

#[test]
fn a_wrong_clock_does_not_wait_for_an_earlier_instance_whose_down_the_quorum_does_not_see() {
    for at_the_first in [vec![Kind::Down], vec![Kind::Down, Kind::ClockWrong]] {
        let mut world = three();
        for instance in &mut world.instances {
            (instance.finds, instance.state.quorum) = (BTreeSet::from([Kind::ClockWrong]), 2);
        }
        let alone = at_the_first.len() == 1;
        world.instances[0].finds = at_the_first.into_iter().collect();
        world.run_until(80_000, &(20_000..u64::MAX));
        let told: Vec<bool> = world.instances.iter().map(|one| one.told.is_some()).collect();
        assert_eq!(told, [!alone, alone, false], "{world:#?}");
    }
}

#[test]
fn a_wrong_clock_does_not_wait_for_an_earlier_instance_whose_reference_is_wrong() {
    let mut world = three().with_a_wrong_reference(0, WRONG_REFERENCE);
    world.run_until(120_000, &(60_000..u64::MAX));
    let told: Vec<bool> = world.instances.iter().map(|one| one.told.is_some()).collect();
    assert_eq!(told, [false, true, false], "{world:#?}");
}

#[test]
fn a_wrong_clock_that_follows_on_down_waits_for_the_others_to_contradict_it() {
    let other = Instance::new("z", 0, 0);
    let mut state = State::new("1".to_owned(), "b");
    state.quorum = 2;
    state.begins_to_ask("z", at(0));
    let mut keeps = |kind: Kind, millis: u64| {
        state.sees_trouble(CHECK, "x", BTreeSet::from([kind]), at(millis));
        state.answered("z", within(millis + 10, millis + 50), Ok(other.answer(millis + 20)));
        (keeps_its_alert(&state, at(millis + 60)), state.needs_more_for_down(CHECK, at(millis + 60)))
    };
    assert_eq!(keeps(Kind::Down, 1_000), (true, Some(2)));
    assert_eq!(keeps(Kind::ClockWrong, 60_000), (true, None), "the first of it is new");
    assert_eq!(keeps(Kind::Down, 90_000), (true, Some(2)));
    assert_eq!(keeps(Kind::ClockWrong, 95_000), (false, None), "it is known since 35 s");
}

#[test]
fn what_an_older_or_a_newer_version_says_of_an_incident_is_understood() {
    let read = |text: &str| serde_json::from_str::<IncidentView>(text).expect("it can be read");
    let older = read(r#"{"id": "x", "is_down": true, "is_held_back": false, "told": []}"#);
    assert_eq!(
        [Kind::Down, Kind::ClockWrong, Kind::Stale].map(|kind| older.is_of(kind)),
        [true, false, false]
    );
    let older = read(r#"{"id": "x", "is_down": false, "is_held_back": false, "told": []}"#);
    assert_eq!(
        [Kind::Down, Kind::ClockWrong, Kind::Stale].map(|kind| older.is_of(kind)),
        [false, true, false]
    );
    let newer = read(
        r#"{"id": "x", "is_down": false, "kinds": ["clock_wrong", "melted"], "is_held_back": false, "told": []}"#,
    );
    assert_eq!(
        [Kind::Down, Kind::ClockWrong, Kind::Stale].map(|kind| newer.is_of(kind)),
        [false, true, true]
    );
    let kinds = newer.kinds.as_ref().map(|kinds| serde_json::to_string(kinds).expect("it can be written"));
    assert_eq!(kinds.as_deref(), Some(r#"["clock_wrong","stale"]"#));
}

#[test]
fn an_instance_that_comes_back_leaves_an_open_alert_to_who_has_sent_it() {
    let mut world = three();
    world.instances[0].lives = false;
    let trouble = 20_000..u64::MAX;
    world.run_until(40_000, &trouble);
    let told: Vec<bool> = world.instances.iter().map(|one| one.told.is_some()).collect();
    assert_eq!(told, [false, true, false]);
    world.instances[0].lives = true;
    world.run_until(80_000, &trouble);
    assert_eq!(world.told_of(&BTreeSet::from([0, 1, 2])), 1);
}

#[test]
fn the_first_of_those_that_live_tells_of_one_that_nobody_hears_of() {
    let mut world = three();
    world.run_until(10_000, &(0..0));
    world.instances[1].lives = false;
    world.run_until(60_000, &(0..0));
    let missing = |world: &mut World, nth: usize| {
        let now = at(world.now);
        let news = world.instances[nth].state.news(now);
        news.into_iter().any(|one| matches!(one, PeerNews::Missing { peer, .. } if peer == "1"))
    };
    assert!(!missing(&mut world, 0), "a restart takes no minute");
    world.run_until(80_000, &(0..0));
    assert!(missing(&mut world, 0) && !missing(&mut world, 2));
    world.instances[1].lives = true;
    world.run_until(90_000, &(0..0));
    let now = at(world.now);
    let there = PeerNews::There { peer: "1".to_owned() };
    assert!(world.instances[0].state.news(now).contains(&there));
}

#[test]
fn nobody_waits_for_one_that_would_not_alert() {
    type Change = fn(&mut Answer);
    let cases: [(&str, Change); 4] = [
        ("it has no such receiver", |answer| answer.instance.receivers.clear()),
        ("it watches no such check", |answer| answer.instance.checks.clear()),
        ("the check alerts others", |answer| {
            for check in answer.instance.checks.values_mut() {
                check.alert = Some(BTreeSet::from(["day".to_owned()]));
            }
        }),
        ("it holds its alert back", |answer| {
            for incident in answer.instance.checks.values_mut().filter_map(|check| check.incident.as_mut()) {
                incident.is_held_back = true;
            }
        }),
    ];
    for (why, change) in cases {
        let mut first = Instance::new("a", 0, 0);
        first.incident = Some((1_000, BTreeSet::from([Kind::Down])));
        let mut state = State::new("1".to_owned(), "b");
        state.begins_to_ask("a", at(0));
        state.sees_trouble(CHECK, "x", BTreeSet::from([Kind::Down]), at(1_000));
        let told = within(1_100, 1_200);
        state.answered("a", told, Ok(first.answer(1_200)));
        assert!(keeps_its_alert(&state, at(1_300)), "it is the duty of a");
        let mut answer = first.answer(1_200);
        change(&mut answer);
        let mut state = State::new("1".to_owned(), "b");
        state.begins_to_ask("a", at(0));
        state.sees_trouble(CHECK, "x", BTreeSet::from([Kind::Down]), at(1_000));
        state.answered("a", told, Ok(answer));
        assert!(!keeps_its_alert(&state, at(1_300)), "{why}");
    }
}

#[test]
fn an_instance_whose_reference_is_wrong_by_all_others_alerts_nobody_of_a_wrong_clock() {
    let measures = |state: &mut State, millis: u64, offset: f64| {
        let bounds = Bounds { backend: "i-1".to_owned(), lower: offset - 0.1, upper: offset + 0.1 };
        state.round_held(CHECK, within(millis, millis + 10), vec![bounds]);
    };
    let mut others = [Instance::new("a", 0, 0), Instance::new("b", 1, 0)];
    let mut state = State::new("2".to_owned(), "c");
    for name in ["a", "b"] {
        state.begins_to_ask(name, at(0));
    }
    for other in &mut others {
        measures(&mut other.state, 600, 0.0);
    }
    measures(&mut state, 1_000, -5.0);
    let ask = |state: &mut State, others: &[Instance; 2], millis: u64| {
        for other in others {
            let told = within(millis, millis + 50);
            state.answered(&other.state.name, told, Ok(other.answer(millis + 20)));
        }
        [Kind::ClockWrong, Kind::Down, Kind::Stale].map(|kind| {
            // As if it had seen all of that from the start.
            state.sees_trouble_only_of(|_| false);
            state.sees_trouble(CHECK, "x", BTreeSet::from([kind]), at(1_010));
            keeps_its_alert(state, at(millis + 60))
        })
    };
    // They have not looked since, and those that come first in the order wait for nobody.
    assert_eq!(ask(&mut state, &others, 1_100), [true, true, true]);
    for other in &mut others {
        measures(&mut other.state, 11_000, 0.0);
    }
    assert_eq!(ask(&mut state, &others, 11_100), [true, false, false], "they have, and see nothing");
    measures(&mut state, 30_000, -5.0);
    assert_eq!(ask(&mut state, &others, 31_000), [true, false, false]);
    assert!(state.news(at(11_200)).iter().any(|news| matches!(news, PeerNews::Contradiction { .. })));
}

#[test]
fn a_wrong_clock_that_others_do_not_see_is_alerted_when_they_had_the_time_to_contradict() {
    let other = Instance::new("z", 0, 0);
    let mut state = State::new("1".to_owned(), "b");
    state.begins_to_ask("z", at(0));
    state.sees_trouble(CHECK, "x", BTreeSet::from([Kind::ClockWrong]), at(1_000));
    let mut keeps = |millis: u64| {
        state.answered("z", within(millis, millis + 50), Ok(other.answer(millis + 20)));
        keeps_its_alert(&state, at(millis + 60))
    };
    assert!(keeps(1_100) && keeps(20_000));
    assert!(!keeps(27_000), "a result stands for 16 s, and an instance lives for 10 s");
}

#[test]
fn a_wrong_clock_that_another_instance_sees_too_waits_for_nobody() {
    let mut later = Instance::new("z", 0, 0);
    later.incident = Some((900, BTreeSet::from([Kind::ClockWrong])));
    let mut state = State::new("1".to_owned(), "b");
    state.begins_to_ask("z", at(0));
    state.sees_trouble(CHECK, "x", BTreeSet::from([Kind::ClockWrong]), at(1_000));
    state.answered("z", within(1_100, 1_150), Ok(later.answer(1_120)));
    assert!(!keeps_its_alert(&state, at(1_200)));
}

#[test]
fn an_instance_that_is_its_own_peer_is_none() {
    let mut world = World::new(&[0], BTreeSet::new());
    world.instances[0].state.begins_to_ask("self", at(0));
    let answer = world.instances[0].answer(0);
    let state = &mut world.instances[0].state;
    state.answered("self", within(0, 100), Ok(answer));
    assert!(state.standings(at(200)).iter().all(|standing| standing.is_this && !standing.lives));
    assert_eq!(state.news(at(100_000)), [PeerNews::There { peer: "self".to_owned() }, PeerNews::Agreement]);
}
