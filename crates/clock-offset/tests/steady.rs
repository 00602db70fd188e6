//! Steady rounds against services in which everything is known: clocks that drift and are stepped, instances that come
//! and go, answers in whole seconds, balancers that lead each request anywhere. Whatever a steady round proves is true,
//! and one wrong backend of several is found within the rounds that [`rounds_to_meet`] claims.

mod world;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use clock_offset::steady::rounds_to_meet;
use clock_offset::{
    BoundedTime, Drift, Interval, Limits, Memory, MonotonicInstant, Offset, Reading, ReferenceClock, Sample,
    Shown, SteadyAction, SteadyDoubt, SteadyProof, SteadyRound, SteadyRules, UnixInstant,
};
use proptest::prelude::*;
use world::{NOON, Random, SECOND};

const PERIOD: i128 = 30 * SECOND;

fn at(nanos: i128) -> MonotonicInstant {
    MonotonicInstant::after_origin(Duration::from_nanos(
        u64::try_from(nanos).expect("small and not negative"),
    ))
}

/// A clock that is off by that much at the origin, and runs fast.
#[derive(Debug, Clone)]
struct Instance {
    name: Option<Arc<str>>,
    offset: i128,
    rate_ppm: i128,
}

impl Instance {
    fn offset_at(&self, nanos: i128) -> i128 {
        self.offset + nanos * self.rate_ppm / 1_000_000
    }
}

/// What leads to the instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Balancer {
    /// Each connection anywhere.
    OfConnections,
    /// Each request anywhere.
    OfRequests,
    /// The first request of each connection to the first instance, the second one to the second, and so on.
    InTurn,
}

/// A service, and the path to it.
#[derive(Debug, Clone)]
struct Service {
    instances: Vec<Instance>,
    step: i128,
    limit: i128,
    balancer: Balancer,
    slowest: u64,
}

impl Service {
    fn reference() -> ReferenceClock {
        let noon = Interval::point(UnixInstant::from_nanos(NOON));
        let bounds = BoundedTime { at: at(0), shows: noon };
        ReferenceClock { bounds, drift: Drift::from_ppm(0) }
    }

    /// The answer of an instance, and its true offset when its clock was read.
    fn answer(&self, instance: &Instance, sent: MonotonicInstant, random: &mut Random) -> (Sample, i128) {
        let way = |random: &mut Random| i128::from(random.below(self.slowest) + 1);
        let read = sent.as_nanos() + way(random);
        let offset = instance.offset_at(read);
        let shown = (NOON + read + offset).div_euclid(self.step) * self.step;
        let shown = Interval::new(UnixInstant::from_nanos(shown), UnixInstant::from_nanos(shown + self.step));
        let step = Duration::from_nanos(u64::try_from(self.step).expect("small and not negative"));
        let sample = Sample {
            sent,
            received: at(read + way(random)),
            reading: Reading { shown: Shown::Instant(shown), step, may_lag: Duration::ZERO },
            instance: instance.name.clone(),
            connection: 0,
        };
        (sample, offset)
    }

    /// Holds a round. Returns how it ended, and the true offsets of the clocks that answered.
    fn hold(
        &self,
        memories: &BTreeMap<Option<Arc<str>>, Memory>,
        begin: i128,
        random: &mut Random,
    ) -> (Result<SteadyProof, SteadyDoubt>, Vec<i128>) {
        let max_offset = Duration::from_nanos(u64::try_from(self.limit).expect("small and not negative"));
        let rules = SteadyRules {
            limits: Limits { max_offset, warn_offset: None },
            drift: Drift::DISCIPLINED,
            last_start: at(begin + 8 * SECOND),
            max_requests: 3,
        };
        let aim = memories.values().next().cloned();
        let mut round = SteadyRound::new(rules, Self::reference(), aim, random.below(2) == 0);
        let (mut now, mut offsets) = (at(begin), Vec::new());
        let pick = |random: &mut Random| {
            let count = u64::try_from(self.instances.len()).expect("a few");
            &self.instances[usize::try_from(random.below(count)).expect("a few")]
        };
        let mut instance = if self.balancer == Balancer::InTurn { &self.instances[0] } else { pick(random) };
        loop {
            match round.next(now) {
                SteadyAction::Doubt(doubt) => return (Err(doubt), offsets),
                SteadyAction::Proven(proof) => return (Ok(*proof), offsets),
                SteadyAction::Ask { at } => {
                    let (sample, offset) = self.answer(instance, at, random);
                    if round.samples().is_empty()
                        && let Some(known) = memories.get(&sample.instance)
                    {
                        round.recall(known.clone());
                    }
                    now = sample.received;
                    offsets.push(offset);
                    round.record(sample);
                    match self.balancer {
                        Balancer::OfConnections => {}
                        Balancer::OfRequests => instance = pick(random),
                        Balancer::InTurn => instance = &self.instances[offsets.len() % self.instances.len()],
                    }
                }
            }
        }
    }

    /// What a full round would remember of an instance, at an instant.
    fn memory_of(&self, instance: &Instance, nanos: i128) -> Memory {
        let shows = Interval::point(UnixInstant::from_nanos(NOON + nanos + instance.offset_at(nanos)));
        let slowest = i128::from(self.slowest);
        Memory {
            bounds: BoundedTime {
                at: at(nanos),
                shows: shows.widened_by(clock_offset::Span::from_nanos(slowest)),
            },
            step: Duration::from_nanos(u64::try_from(self.step).expect("small and not negative")),
            round_trip: Duration::from_nanos(self.slowest),
            tick: Duration::ZERO,
            reading: None,
            is_within_warning: true,
        }
    }

    fn memories(&self, nanos: i128) -> BTreeMap<Option<Arc<str>>, Memory> {
        self.instances.iter().map(|one| (one.name.clone(), self.memory_of(one, nanos))).collect()
    }
}

fn instance() -> impl Strategy<Value = Instance> {
    (prop::option::of(0..4_u8), -2_500..2_500_i128, -300..300_i128).prop_map(|(name, millis, rate_ppm)| {
        Instance { name: name.map(|name| Arc::from(name.to_string())), offset: millis * 1_000_000, rate_ppm }
    })
}

fn service() -> impl Strategy<Value = Service> {
    let step = prop::sample::select(vec![1_i128, 1_000, 1_000_000, 100_000_000, SECOND]);
    let limit = prop::sample::select(vec![50_000_000_i128, 500_000_000, SECOND, 2 * SECOND]);
    // Answers of two clocks without a name that follow each other over one connection are the premise, not the proof.
    let balancer = Balancer::OfConnections;
    (prop::collection::vec(instance(), 1..4), step, limit, 1_000..40_000_000_u64).prop_map(
        move |(instances, step, limit, slowest)| Service { instances, step, limit, balancer, slowest },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever is remembered, of whichever clocks, at whatever time.
    #[test]
    fn a_proof_of_one_clock_is_true_whatever_was_remembered(
        service in service(),
        remembered in service(),
        seed in any::<u64>(),
        begin in 1..40_i128,
    ) {
        let mut random = Random::from(seed);
        let begin = begin * PERIOD;
        let (ended, offsets) = service.hold(&remembered.memories(begin - PERIOD), begin, &mut random);
        if let Ok(proof) = ended {
            let truth = offsets[offsets.len() - 1];
            prop_assert!(truth.abs() <= service.limit, "{truth} is proven to be within the limit");
            // The clock drifts while the answer travels.
            let drift = i128::from(service.slowest) * 300 / 1_000_000 + 1;
            let (lower, upper) = (Offset::from_nanos(truth - drift), Offset::from_nanos(truth + drift));
            let near = Interval::new(lower, upper);
            prop_assert!(near.intersection(&proof.offset).is_some(), "{truth} is not in {:?}", proof.offset);
        }
    }

    /// A right clock that is remembered rightly is proven with three requests at most, round after round.
    #[test]
    fn a_right_clock_stays_proven(
        offset in -20..20_i128,
        rate_ppm in -30..30_i128,
        step in prop::sample::select(vec![1_i128, 1_000_000, SECOND]),
        seed in any::<u64>(),
    ) {
        let one = Instance { name: None, offset: offset * 1_000_000, rate_ppm };
        let service = Service {
            instances: vec![one],
            step,
            limit: 200_000_000,
            balancer: Balancer::OfConnections,
            slowest: 2_000_000,
        };
        let mut random = Random::from(seed);
        let mut memories = service.memories(0);
        for number in 1..50 {
            let (ended, _) = service.hold(&memories, number * PERIOD, &mut random);
            let proof = ended.map_err(|doubt| TestCaseError::fail(format!("round {number}: {doubt:?}")))?;
            memories.insert(None, proof.memory);
        }
    }
}

/// One of N backends is stepped to 3 s ahead. The rounds until a doubt are counted; with 1 % of doubt, at most about 1 % of
/// the services may take longer than is claimed.
#[test]
fn a_wrong_backend_of_several_is_found_within_the_rounds_that_are_claimed() {
    for (named, step) in [(true, 1), (false, 1), (false, SECOND)] {
        for count in 2..=6_usize {
            let claimed = rounds_to_meet(count, 0.01);
            let mut late = 0;
            let services = 2_000;
            for seed in 0..services {
                let mut random = Random::from(seed * 7_919 + 1);
                let name = |number: usize| named.then(|| Arc::from(number.to_string()));
                let right = |number| Instance { name: name(number), offset: 1_000_000, rate_ppm: 0 };
                let mut service = Service {
                    instances: (0..count).map(right).collect(),
                    step,
                    limit: SECOND,
                    balancer: if seed % 2 == 0 { Balancer::OfRequests } else { Balancer::OfConnections },
                    slowest: 1_000_000,
                };
                let memories = service.memories(0);
                service.instances[0].offset = 3 * SECOND;
                let is_found =
                    |round: u32| service.hold(&memories, PERIOD + i128::from(round), &mut random).0.is_err();
                late += u32::from(!(0..claimed).any(is_found));
            }
            // 20 are expected; five standard deviations are 22.
            assert!(
                late <= 42,
                "{count} backends, named: {named}, step {step}: {late} of {services} took longer"
            );
        }
    }
}

/// A balancer that leads the two requests of each connection to two clocks, always in this order: each clock is tested at
/// both limits nevertheless, because the order of the tests is drawn.
#[test]
fn coarse_answers_of_two_alternating_clocks_do_not_hide_each_other() {
    for (first, second) in [(300_000_000, -300_000_000), (-300_000_000, 300_000_000), (300_000_000, 0)] {
        let mut longest = 0;
        for seed in 0..500 {
            let mut random = Random::from(seed);
            let of = |offset| Instance { name: None, offset, rate_ppm: 0 };
            let service = Service {
                instances: vec![of(first), of(second)],
                step: SECOND,
                limit: 100_000_000,
                balancer: Balancer::InTurn,
                slowest: 1_000_000,
            };
            let right = Service { instances: vec![of(0)], ..service.clone() };
            let memories = right.memories(0);
            let found = (0..40).find(|round| service.hold(&memories, PERIOD + round, &mut random).0.is_err());
            longest = longest.max(found.expect("within 40 rounds"));
        }
        assert!(longest < 40, "{longest}");
    }
}
