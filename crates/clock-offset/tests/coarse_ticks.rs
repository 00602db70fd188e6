//! A clock that ticks coarsely and prints fine digits is one clock, and its tick is its resolution.
//!
//! Sources of the ticks: dotnet/docs#2623 (15.6 ms on Windows), a kernel's coarse clock (1, 4 and 10 ms).

mod round;

use std::time::Duration;

use clock_offset::{
    BoundedTime, Drift, Interval, MonotonicInstant, Offset, Plan, Reading, ReferenceClock, Sample, Shown,
    UnixInstant, Verdict,
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
    /// By how much its ticks are later than whole ones.
    ticks_late: i128,
    step: i128,
    /// Zeros at the end of what it prints are taken for less resolution, as nowcheck does.
    zeros_prove_nothing: bool,
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
        let ticked = (now - self.ticks_late).div_euclid(self.tick) * self.tick + self.ticks_late;
        let earliest = ticked.div_euclid(self.step) * self.step;
        let step = if self.zeros_prove_nothing { without_zeros(earliest, self.step) } else { self.step };
        let shown =
            Interval::new(UnixInstant::from_nanos(earliest), UnixInstant::from_nanos(earliest + step));
        let step = Duration::from_nanos(u64::try_from(step).expect("steps are positive"));
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
        round::held(Duration::from_secs(1), reference, |nth, sent, connection| {
            self.answer(nth, sent, connection)
        })
    }
}

/// What the last place of a reading is worth that is not a zero, up to a second.
fn without_zeros(reading: i128, step: i128) -> i128 {
    let mut step = step;
    while step < SECOND && reading % (step * 10) == 0 {
        step *= 10;
    }
    step
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
        World { offsets, tick, ticks_late: 0, step, zeros_prove_nothing: false, phase, delays, turns, is_named }
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
    fn a_tick_is_seen_whatever_zeros_its_readings_end_in(
        world in worlds(1..2),
        tick in prop::sample::select(vec![20, 25, 40, 50, 60, 100, 125, 200, 250, 500]),
        ticks_late in prop::sample::select(vec![0, 12_345_700]),
        near in -450 * MILLI..450 * MILLI,
        is_ahead in any::<bool>(),
    ) {
        let truth = if is_ahead { LIMIT } else { -LIMIT } + near;
        let world = World {
            tick: tick * MILLI,
            ticks_late,
            step: 1_000,
            zeros_prove_nothing: true,
            offsets: vec![truth],
            ..world
        };
        let plan = world.round();
        let conclusion = plan.conclusion();
        prop_assert!(conclusion.standstill.is_none());
        for judged in &conclusion.backends {
            // A round that took no longer than the last digit that is no zero cannot see a tick.
            let unseen = if judged.backend.tick.is_zero() { world.tick } else { 0 };
            let offset = judged.offset;
            prop_assert!(offset.earliest() <= Offset::from_nanos(truth), "{truth} {judged:?}");
            prop_assert!(Offset::from_nanos(truth - unseen) <= offset.latest(), "{truth} {judged:?}");
            match judged.verdict {
                Verdict::InSync => prop_assert!(-LIMIT <= truth && truth <= LIMIT + unseen, "{judged:?}"),
                Verdict::Desynchronized => prop_assert!(truth > LIMIT || truth < -LIMIT + unseen, "{judged:?}"),
                _ => {}
            }
        }
        if near.abs() > 60 * MILLI {
            prop_assert!(plan.samples().len() <= 160, "{} requests", plan.samples().len());
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
            ticks_late: 0,
            step: 1_000,
            zeros_prove_nothing: false,
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
