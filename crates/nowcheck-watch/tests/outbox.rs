//! Random histories of an outbox: receivers that fail, reject and recover, restarts at any instant, time that passes.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use nowcheck_watch::alerts::{Next, Outbox, Pending, Setback};
use proptest::prelude::*;

const DAY: i64 = 86_400;

/// What happens next.
#[derive(Debug, Clone)]
enum Step {
    /// An incident of a receiver goes on.
    Add { receiver: u8, incident: u8 },
    /// Time passes.
    Wait { seconds: i64 },
    /// What is due is tried, and a receiver answers like this.
    Try { answers: [Answer; 2] },
    /// What is due is tried and arrives, and the program ends before it knows.
    Crash,
}

#[derive(Debug, Clone, Copy)]
enum Answer {
    Takes,
    Fails,
    Rejects,
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![3 => Just(Answer::Takes), 2 => Just(Answer::Fails), 1 => Just(Answer::Rejects)]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0_u8..2, 0_u8..3).prop_map(|(receiver, incident)| Step::Add { receiver, incident }),
        2 => prop_oneof![0_i64..10, 0_i64..2_000, 0_i64..DAY].prop_map(|seconds| Step::Wait { seconds }),
        4 => [answer(), answer()].prop_map(|answers| Step::Try { answers }),
        1 => Just(Step::Crash),
    ]
}

/// The outbox, and everything that is known about what it should have done.
#[derive(Default)]
struct World {
    outbox: Outbox,
    second: i64,
    counters: BTreeMap<(u8, u8), u32>,
    added: BTreeMap<String, Timestamp>,
    arrived: Vec<String>,
    given_up: Vec<String>,
}

impl World {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_795_521_600 + self.second).expect("a time of this century")
    }

    fn take(&mut self, step: &Step) {
        let gone = self.outbox.expired(self.now());
        self.given_up.extend(gone.into_iter().map(|one| one.id));
        match step {
            Step::Add { receiver, incident } => {
                let counter = self.counters.entry((*receiver, *incident)).or_default();
                *counter += 1;
                let id = format!("{incident}-{receiver}-{counter}");
                self.added.insert(id.clone(), self.now());
                self.outbox.add(Pending::new(&id, &receiver.to_string(), String::new(), self.now()));
            }
            Step::Wait { seconds } => self.second += seconds,
            Step::Try { answers } => {
                for message in self.outbox.start(self.now()) {
                    self.not_too_old(&message);
                    let nth = usize::from(message.receiver == "1");
                    self.answer(&message, answers[nth]);
                }
            }
            Step::Crash => {
                for message in self.outbox.start(self.now()) {
                    self.not_too_old(&message);
                    self.arrived.push(message.id);
                }
                self.restart();
            }
        }
    }

    fn answer(&mut self, message: &Pending, answer: Answer) {
        let (receiver, id, now) = (&message.receiver, &message.id, self.now());
        let is_rejected = match answer {
            Answer::Takes => {
                self.arrived.push(id.clone());
                self.outbox.delivered(receiver, id, None, now);
                return;
            }
            Answer::Fails => false,
            Answer::Rejects => true,
        };
        let setback = Setback { is_rejected, retry_after: None };
        match self.outbox.failed(receiver, id, setback, now) {
            Next::Retry(next) => assert!(next > now && next.duration_since(now).as_secs() <= 3_600),
            Next::GaveUp => self.given_up.push(id.clone()),
        }
    }

    fn not_too_old(&self, message: &Pending) {
        let age = self.now().duration_since(self.added[&message.id]).as_secs();
        assert!(age < DAY, "{} is tried after {age} s", message.id);
    }

    /// As the rows of a store come back: in the order of nothing.
    fn restart(&mut self) {
        let mut rows = self.outbox.pending().to_vec();
        rows.sort_by(|one, other| one.id.cmp(&other.id));
        let text = serde_json::to_string(&rows).expect("rows are texts and numbers");
        self.outbox = Outbox::new(serde_json::from_str(&text).expect("what was written"));
    }

    /// The first arrival of each message about an incident is in order.
    fn assert_in_order(&self) {
        let mut last: BTreeMap<&str, u32> = BTreeMap::new();
        for (nth, id) in self.arrived.iter().enumerate() {
            if self.arrived[..nth].contains(id) {
                continue;
            }
            let (thread, counter) = id.rsplit_once('-').expect("ids end in a counter");
            let counter = counter.parse().expect("ids end in a counter");
            let before = last.insert(thread, counter).unwrap_or_default();
            assert!(before < counter, "{id} came after {before}");
        }
    }

    /// Everything arrived, was given up after a day, or is still there.
    fn assert_nothing_lost(&self) {
        let pending: Vec<&String> = self.outbox.pending().iter().map(|one| &one.id).collect();
        for id in self.added.keys() {
            let is_known = self.arrived.contains(id) || self.given_up.contains(id) || pending.contains(&id);
            assert!(is_known, "{id} is lost");
        }
        for id in &self.given_up {
            let age = self.now().duration_since(self.added[id]).as_secs();
            assert!(age >= DAY - 120, "{id} was given up after {age} s");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn messages_arrive_in_order_and_none_is_lost_whatever_happens(steps in prop::collection::vec(step(), 1..80)) {
        let mut world = World::default();
        for step in &steps {
            world.take(step);
            world.assert_in_order();
            world.assert_nothing_lost();
        }
        // When all is well again, all arrives within the longest pause.
        for _ in 0..400 {
            world.second += 60;
            world.take(&Step::Try { answers: [Answer::Takes; 2] });
        }
        prop_assert!(world.outbox.pending().is_empty(), "{:?}", world.outbox.pending());
        world.assert_in_order();
    }

    #[test]
    fn the_outbox_wakes_when_something_is_due_and_never_spins(steps in prop::collection::vec(step(), 1..40)) {
        let mut world = World::default();
        for step in &steps {
            world.take(step);
            let now = world.now();
            let was_due = world.outbox.next_try().is_some_and(|next| next <= now);
            let is_young = world.outbox.pending().iter().all(|one| now.duration_since(one.first_try).as_secs() < DAY);
            let started = world.outbox.start(now);
            if is_young {
                prop_assert_eq!(was_due, !started.is_empty());
            }
            for message in started {
                let setback = Setback { is_rejected: false, retry_after: Some(Duration::from_secs(1)) };
                if world.outbox.failed(&message.receiver, &message.id, setback, now) == Next::GaveUp {
                    world.given_up.push(message.id);
                }
            }
        }
    }
}
