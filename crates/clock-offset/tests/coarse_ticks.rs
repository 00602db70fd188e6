//! A clock that ticks coarsely and prints fine digits is one clock, and its tick is its resolution.
//!
//! Sources of the ticks: dotnet/docs#2623 (15.6 ms on Windows), a kernel's coarse clock (1, 4 and 10 ms).

use std::time::Duration;

use clock_offset::{
    Action, BoundedTime, Drift, Interval, Limits, MAX_CONNECTIONS, MonotonicInstant, NewConnections, Offset,
    Plan, Reading, ReferenceClock, Rules, Sample, Shown, UnixInstant, Verdict,
};
use proptest::prelude::*;

const MILLI: i128 = 1_000_000;
const SECOND: i128 = 1_000_000_000;
const NOON: i128 = 1_795_521_600 * SECOND;
const LIMIT: i128 = SECOND;

/// Clocks that tick, and a network between them and the check.
#[derive(Debug, Clone)]
struct World {
    offsets: Vec<i128>,
    tick: i128,
    step: i128,
    phase: i128,
    /// There and back, of the nth request.
    delays: Vec<(u64, u64)>,
    /// Which clock answers over the nth connection.
    turns: Vec<usize>,
    is_named: bool,
}

impl World {
    fn answer(&self, nth: usize, sent: MonotonicInstant, connection: u32) -> Sample {
        let (out, back) = self.delays[nth % self.delays.len()];
        let which = self.turns[connection as usize % self.turns.len()] % self.offsets.len();
        let now = NOON + self.phase + sent.as_nanos() + i128::from(out) + self.offsets[which];
        let ticked = now.div_euclid(self.tick) * self.tick;
        let earliest = ticked.div_euclid(self.step) * self.step;
        let shown =
            Interval::new(UnixInstant::from_nanos(earliest), UnixInstant::from_nanos(earliest + self.step));
        let step = Duration::from_nanos(u64::try_from(self.step).expect("steps are positive"));
        Sample {
            sent,
            received: sent + Duration::from_nanos(out + back),
            reading: Reading { shown: Shown::Instant(shown), step, may_lag: Duration::ZERO },
            instance: self.is_named.then(|| format!("instance-{which}").into()),
            connection,
        }
    }

    fn round(&self) -> Plan {
        let shows = Interval::point(UnixInstant::from_nanos(NOON + self.phase));
        let reference = ReferenceClock {
            bounds: BoundedTime { at: MonotonicInstant::ORIGIN, shows },
            drift: Drift::from_ppm(0),
        };
        let rules = Rules {
            limits: Limits { max_offset: Duration::from_secs(1), warn_offset: None },
            drift: Drift::DISCIPLINED,
            requests_per_connection: 2,
            miss_probability: 0.01,
            expected_backends: None,
            max_requests: 464,
            max_connections: MAX_CONNECTIONS,
            last_start: MonotonicInstant::after_origin(Duration::from_millis(7_500)),
        };
        let mut plan = Plan::new(rules, reference);
        let (mut now, mut opened, mut nth) = (MonotonicInstant::ORIGIN, 0, 0);
        loop {
            let (connections, requests, at, keep) = match plan.next(now) {
                Action::Stop(_) => return plan,
                Action::Open(NewConnections { count, requests, at, keep }) => {
                    opened += count;
                    (opened - count..opened, requests, at, keep)
                }
                Action::Ask { connection, at } => (connection..connection + 1, 1, at, true),
            };
            let mut answers = Vec::new();
            for connection in connections.clone() {
                let mut sent = at.max(now);
                for _ in 0..requests {
                    let answer = self.answer(nth, sent, connection);
                    (sent, nth) = (answer.received, nth + 1);
                    answers.push(answer);
                }
            }
            answers.sort_by_key(|answer| answer.received);
            for answer in answers {
                now = answer.received;
                plan.record(answer, true);
            }
            if !keep {
                connections.for_each(|connection| plan.connection_was_closed(connection));
            }
        }
    }
}

fn offset() -> impl Strategy<Value = i128> {
    let near = prop_oneof![-30 * MILLI..30 * MILLI, -100_000..100_000_i128];
    prop_oneof![
        (prop_oneof![Just(LIMIT), Just(-LIMIT)], near).prop_map(|(limit, near)| limit + near),
        -3 * SECOND..3 * SECOND,
    ]
}

prop_compose! {
    fn worlds(clocks: std::ops::Range<usize>)(
        offsets in prop::collection::vec(offset(), clocks),
        tick in prop_oneof![Just(15_625_000), Just(4 * MILLI), Just(10 * MILLI), MILLI..20 * MILLI],
        step in prop_oneof![Just(1_i128), Just(1_000), Just(100_000)],
        phase in 0..1_000 * SECOND,
        delays in prop::collection::vec((0..3_000_000_u64, 0..3_000_000_u64), 1..9),
        turns in prop::collection::vec(0..4_usize, 1..9),
        is_named in any::<bool>(),
    ) -> World {
        World { offsets, tick, step, phase, delays, turns, is_named }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 3_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_clock_that_ticks_coarsely_is_one_clock_and_its_tick_is_its_resolution(world in worlds(1..2)) {
        let plan = world.round();
        let conclusion = plan.conclusion();
        prop_assert_eq!(conclusion.backends.len(), 1);
        prop_assert!(conclusion.standstill.is_none());
        let judged = &conclusion.backends[0];
        let truth = world.offsets[0];
        // Where no answer shows the tick, the clock can be later than its answers by it.
        let unseen = if judged.backend.tick.is_zero() { world.tick } else { 0 };
        let offset = judged.offset;
        prop_assert!(offset.earliest() <= Offset::from_nanos(truth), "{truth} {offset:?}");
        prop_assert!(Offset::from_nanos(truth - unseen) <= offset.latest(), "{truth} {offset:?}");
        match judged.verdict {
            Verdict::InSync => prop_assert!(-LIMIT <= truth && truth <= LIMIT + unseen),
            Verdict::Desynchronized => prop_assert!(truth > LIMIT || truth < -LIMIT + unseen),
            _ => {}
        }
        // Away from the limit the tick costs nothing.
        if (truth.abs() - LIMIT).abs() > 60 * MILLI {
            prop_assert_ne!(judged.verdict, Verdict::Undetermined);
            prop_assert!(plan.samples().len() <= 40, "{} requests", plan.samples().len());
        }
    }

    #[test]
    fn clocks_without_names_that_tick_coarsely_are_never_all_in_sync_when_one_that_answered_often_is_not(
        mut world in worlds(2..3),
    ) {
        world.is_named = false;
        world.turns = vec![0, 1];
        let conclusion = world.round().conclusion();
        let beyond = |truth: &i128| truth.abs() > LIMIT + world.tick;
        if conclusion.backends.iter().all(|judged| judged.verdict == Verdict::InSync) {
            prop_assert!(!world.offsets.iter().any(beyond), "{conclusion:?}");
        }
        if conclusion.backends.iter().any(|judged| judged.verdict == Verdict::Desynchronized) {
            prop_assert!(world.offsets.iter().any(|truth| truth.abs() > LIMIT - world.tick), "{conclusion:?}");
        }
    }
}

#[test]
fn a_clock_of_windows_takes_no_more_requests_than_a_fine_one() {
    let of = |tick: i128, is_named| {
        let world = World {
            offsets: vec![0],
            tick,
            step: 1_000,
            phase: 7 * MILLI,
            delays: vec![(150_000, 100_000), (2_000_000, 300_000), (400_000, 200_000)],
            turns: vec![0],
            is_named,
        };
        let plan = world.round();
        let conclusion = plan.conclusion();
        assert_eq!(conclusion.backends.len(), 1, "{tick}");
        assert_eq!(conclusion.backends[0].verdict, Verdict::InSync, "{tick}");
        plan.samples().len()
    };
    for is_named in [false, true] {
        // One more may be needed to tell a tick from a standstill.
        assert!(of(15_625_000, is_named) <= of(1_000, is_named) + 2);
    }
}
