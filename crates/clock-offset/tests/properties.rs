//! For any network, resolution, drift and offset: the interval holds the truth, and a verdict is never wrong.
//!
//! A random world is drawn, whole rounds are held in it by the plan itself, and what it concludes is compared
//! with what only the world knows.

use std::sync::Arc;
use std::time::Duration;

use clock_offset::{
    Action, BoundedTime, Drift, Interval, JudgedBackend, Limits, MonotonicInstant, Offset, Plan, Reading,
    Reference, Rules, Sample, Shown, TimeOfDay, UnixInstant, Verdict,
};
use proptest::prelude::*;

const SECOND: i128 = 1_000_000_000;
const DAY: i128 = 86_400 * SECOND;
const NOON: i128 = 1_795_521_600 * SECOND;

/// A server clock: at the origin of the round it is off by `offset`, and it runs fast by `rate_ppm`.
#[derive(Debug, Clone, Copy)]
struct ServerClock {
    offset: i128,
    rate_ppm: i128,
}

impl ServerClock {
    /// True offset at a monotonic instant.
    fn offset_at(self, nanos: i128) -> i128 {
        self.offset + nanos * self.rate_ppm / 1_000_000
    }
}

#[derive(Debug, Clone)]
struct World {
    clocks: Vec<ServerClock>,
    named: bool,
    /// Which clock answers the nth request, modulo its length.
    turns: Vec<usize>,
    /// Delay to the server and back of the nth request, in nanoseconds, modulo its length.
    delays: Vec<(u64, u64)>,
    step: i128,
    /// The longest time that a reading is kept, and how long the nth one was, in parts of 255.
    may_lag: u64,
    lags: Vec<u8>,
    date_is_said: bool,
    keeps_open: bool,
    phase: i128,
    /// How far the reference's bounds lie below and above the truth.
    reference_slack: (i128, i128),
    /// By how much it runs fast, in ppm.
    reference_rate_ppm: i32,
    limit: u64,
    requests_per_connection: u32,
}

impl World {
    fn reference(&self) -> Reference {
        let truth = NOON + self.phase;
        let shows = Interval::between(
            UnixInstant::from_nanos(truth - self.reference_slack.0),
            UnixInstant::from_nanos(truth + self.reference_slack.1),
        );
        let bounds = BoundedTime { at: MonotonicInstant::ORIGIN, shows };
        Reference { bounds, drift: Drift::from_ppm(self.reference_rate_ppm.unsigned_abs()) }
    }

    /// The offset of a clock from the reference, which does not run as fast as the monotonic clock either.
    fn truth(&self, which: usize, at: MonotonicInstant) -> i128 {
        let reference = ServerClock { offset: 0, rate_ppm: self.reference_rate_ppm.into() };
        self.clocks[which].offset_at(at.as_nanos()) - reference.offset_at(at.as_nanos())
    }

    fn limits(&self) -> Limits {
        Limits { max_offset: Duration::from_nanos(self.limit), warn_offset: None }
    }

    /// The nth request, sent at an instant; also which clock gave the answer.
    fn answer(&self, nth: usize, sent: MonotonicInstant, connection: u32) -> (Sample, usize) {
        let (out, back) = self.delays[nth % self.delays.len()];
        let which = self.turns[nth % self.turns.len()] % self.clocks.len();
        let read_at = sent.as_nanos() + i128::from(out);
        let lag = self.may_lag / 255 * u64::from(self.lags[nth % self.lags.len()]);
        let taken_at = read_at - i128::from(lag);
        let shown = NOON + self.phase + taken_at + self.clocks[which].offset_at(taken_at);
        let earliest = shown.div_euclid(self.step) * self.step;
        let shown = if self.date_is_said {
            let (from, to) =
                (UnixInstant::from_nanos(earliest), UnixInstant::from_nanos(earliest + self.step));
            Shown::Instant(Interval::between(from, to))
        } else {
            let of_day = earliest.rem_euclid(DAY);
            let (from, to) = (TimeOfDay::from_nanos(of_day), TimeOfDay::from_nanos(of_day + self.step));
            Shown::TimeOfDay(Interval::between(from, to))
        };
        let step = Duration::from_nanos(u64::try_from(self.step).expect("steps are positive"));
        let sample = Sample {
            sent,
            received: sent + Duration::from_nanos(out) + Duration::from_nanos(back),
            reading: Reading { shown, step, may_lag: Duration::from_nanos(self.may_lag) },
            instance: self.named.then(|| Arc::from(format!("instance-{which}"))),
            connection,
        };
        (sample, which)
    }

    /// Holds a round; returns the plan and, for each sample, the clock that gave it.
    fn round(&self) -> (Plan, Vec<usize>) {
        let rules = Rules {
            limits: self.limits(),
            drift: Drift::DISCIPLINED,
            requests_per_connection: self.requests_per_connection,
            miss_probability: 0.01,
            expected_backends: 0,
            max_requests: 64,
            last_start: MonotonicInstant::after_origin(Duration::from_millis(7_500)),
        };
        let mut plan = Plan::new(rules, self.reference());
        let mut now = MonotonicInstant::ORIGIN;
        let (mut opened, mut givers) = (0, Vec::new());
        loop {
            let (connections, requests, at) = match plan.next(now) {
                Action::Stop(_) => return (plan, givers),
                Action::Open { connections, requests, at } => {
                    opened += connections;
                    (opened - connections..opened, requests, at)
                }
                Action::Ask { connection, at } => (connection..connection + 1, 1, at),
            };
            assert!(at >= now && at <= rules.last_start && givers.len() < 64);
            let mut answers = Vec::new();
            for connection in connections {
                let mut sent = at;
                for _ in 0..if self.keeps_open { requests } else { 1 } {
                    let answer = self.answer(givers.len() + answers.len(), sent, connection);
                    sent = answer.0.received;
                    answers.push(answer);
                    // The performer begins no request later than that either.
                    if sent > rules.last_start {
                        break;
                    }
                }
            }
            answers.sort_by_key(|(sample, _)| sample.received);
            for (sample, giver) in answers {
                now = sample.received;
                givers.push(giver);
                plan.record(sample, self.keeps_open);
            }
        }
    }
}

/// Delays from none to half a minute, most of them short, in each direction on its own.
fn delay() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0..2_000_000_u64, 3 => 0..200_000_000_u64, 1 => 0..30_000_000_000_u64]
}

/// Offsets anywhere, and again and again close to the limit, where a mistake would show.
fn offset(limit: u64) -> impl Strategy<Value = i128> {
    let limit = i128::from(limit);
    let near = prop_oneof![Just(0_i128), -1_000..1_000_i128, -50_000_000..50_000_000_i128];
    prop_oneof![
        (prop_oneof![Just(1_i128), Just(-1)], near).prop_map(move |(side, near)| side * limit + near),
        -5 * SECOND..5 * SECOND,
        -13 * 3_600 * SECOND..13 * 3_600 * SECOND,
        Just(DAY / 2),
        Just(-DAY / 2),
    ]
}

fn step() -> impl Strategy<Value = i128> {
    prop_oneof![Just(1_i128), Just(1_000), Just(1_000_000), Just(100_000_000), Just(SECOND)]
}

prop_compose! {
    fn worlds(clocks: std::ops::Range<usize>)(
        limit in prop_oneof![3 => Just(1_000_000_000_u64), 1 => 1_000..3_000_000_000_u64],
    )(
        clocks in prop::collection::vec((offset(limit), -500..=500_i128), clocks.clone()),
        named in any::<bool>(),
        turns in prop::collection::vec(0..4_usize, 1..9),
        delays in prop::collection::vec((delay(), delay()), 1..9),
        step in step(),
        may_lag in prop_oneof![3 => Just(0), 1 => 0..2_000_000_000_u64],
        lags in prop::collection::vec(any::<u8>(), 1..9),
        (date_is_said, keeps_open) in any::<(bool, bool)>(),
        phase in 0..DAY,
        reference_slack in prop_oneof![2 => Just((0, 0)), 1 => (0..SECOND, 0..SECOND)],
        reference_rate_ppm in prop_oneof![Just(0), -500..=500],
        requests_per_connection in 1..4_u32,
        limit in Just(limit),
    ) -> World {
        let clocks = clocks.into_iter().map(|(offset, rate_ppm)| ServerClock { offset, rate_ppm }).collect();
        World {
            clocks, named, turns, delays, step, may_lag, lags, date_is_said, keeps_open, phase, reference_slack,
            reference_rate_ppm, limit,
            requests_per_connection,
        }
    }
}

/// A time of day says nothing about whole days: the truth on the day that was taken.
fn to_the_nearest_day(truth: i128, judged: &JudgedBackend) -> i128 {
    let days = (judged.offset.midpoint().as_nanos() - truth + DAY / 2).div_euclid(DAY);
    truth + days * DAY
}

fn is_within(offset: i128, limit: u64) -> bool {
    offset.abs() <= i128::from(limit)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_interval_of_a_single_clock_always_holds_the_truth_and_its_verdict_is_never_wrong(world in worlds(1..2)) {
        let (plan, _) = world.round();
        let conclusion = plan.conclusion();
        prop_assert_eq!(conclusion.backends.len(), 1, "one clock never looks like two");
        prop_assert!(conclusion.standstill.is_none(), "a moving clock never looks frozen");
        let judged = &conclusion.backends[0];
        let truth = world.truth(0, judged.backend.bounds.at);
        let truth = if world.date_is_said { truth } else { to_the_nearest_day(truth, judged) };
        prop_assert!(judged.offset.contains(Offset::from_nanos(truth)), "{} not in {:?}", truth, judged.offset);
        match judged.verdict {
            Verdict::InSync => prop_assert!(is_within(truth, world.limit)),
            Verdict::Desynchronised => prop_assert!(!is_within(truth, world.limit)),
            Verdict::Undetermined => {}
            Verdict::NotWithinWarning => prop_assert!(false, "no warning limit was set"),
        }
    }

    #[test]
    fn backends_with_names_are_each_judged_rightly(mut world in worlds(1..5)) {
        world.named = true;
        let (plan, givers) = world.round();
        for judged in plan.conclusion().backends {
            let truth = world.truth(givers[judged.backend.samples[0]], judged.backend.bounds.at);
            let truth = if world.date_is_said { truth } else { to_the_nearest_day(truth, &judged) };
            prop_assert!(judged.offset.contains(Offset::from_nanos(truth)));
            prop_assert!(judged.verdict != Verdict::InSync || is_within(truth, world.limit));
            prop_assert!(judged.verdict != Verdict::Desynchronised || !is_within(truth, world.limit));
        }
    }

    #[test]
    fn without_names_a_verdict_of_desynchronised_still_means_that_one_clock_is(mut world in worlds(2..5)) {
        world.named = false;
        let (plan, givers) = world.round();
        let conclusion = plan.conclusion();
        if conclusion.backends.iter().any(|judged| judged.verdict == Verdict::Desynchronised) {
            let at = conclusion.backends[0].backend.bounds.at;
            prop_assert!(givers.iter().any(|&giver| !is_within(world.truth(giver, at), world.limit)));
        }
    }

    #[test]
    fn once_nameless_clocks_contradict_each_other_all_in_sync_means_that_all_are(mut world in worlds(2..5)) {
        world.named = false;
        let (plan, givers) = world.round();
        let conclusion = plan.conclusion();
        let all_in_sync = conclusion.backends.iter().all(|judged| judged.verdict == Verdict::InSync);
        if conclusion.backends.len() > 1 && all_in_sync {
            let at = conclusion.backends[0].backend.bounds.at;
            prop_assert!(givers.iter().all(|&giver| is_within(world.truth(giver, at), world.limit)));
        }
    }

    #[test]
    fn exactly_the_limit_is_never_called_desynchronised(mut world in worlds(1..2), ahead in any::<bool>()) {
        let limit = i128::from(world.limit);
        world.clocks[0] = ServerClock { offset: if ahead { limit } else { -limit }, rate_ppm: 0 };
        world.reference_rate_ppm = 0;
        let (plan, _) = world.round();
        prop_assert_ne!(plan.conclusion().backends[0].verdict, Verdict::Desynchronised);
    }

    #[test]
    fn more_samples_never_widen_what_was_known_at_their_instant(world in worlds(1..2)) {
        let (plan, _) = world.round();
        let reference = world.reference();
        let whole = plan.conclusion().backends[0].backend.bounds;
        // The day of a time of day is that of the first sample.
        let expected = plan.samples()[0].bounds(&reference.bounds, Drift::DISCIPLINED);
        for sample in plan.samples() {
            let alone = sample.bounds(&expected, Drift::DISCIPLINED).carried_to(whole.at, Drift::DISCIPLINED);
            prop_assert!(whole.shows.is_within(&alone.shows));
        }
    }
}

/// Two clocks that name themselves never and are drawn at random for each connection. Their whole seconds may never
/// contradict each other, and yet “in sync” must not be said of the pair when one of them is not: not oftener than
/// the chance of never meeting it, which is at most 1 %.
#[test]
fn nameless_clocks_of_whole_seconds_are_not_called_in_sync_when_one_of_them_is_not() {
    // A linear congruential generator (Knuth's MMIX): the rounds are the same each time.
    let mut state = 20_261_123_u64;
    let mut random = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let (mut wrong, mut ok, rounds) = (0, 0, 3_000);
    for _ in 0..rounds {
        let right = i128::from(random(2_000)) - 1_000;
        let beyond = 1_010 + i128::from(random(900));
        let clock = |millis: i128| ServerClock { offset: millis * 1_000_000, rate_ppm: 0 };
        let world = World {
            clocks: vec![clock(right), clock(if random(2) == 0 { beyond } else { -beyond })],
            named: false,
            turns: (0..64).map(|_| usize::try_from(random(2)).unwrap_or_default()).collect(),
            delays: vec![(100_000 + random(200_000), 100_000)],
            step: SECOND,
            may_lag: 0,
            lags: vec![0],
            date_is_said: random(2) == 0,
            keeps_open: false,
            phase: i128::from(random(1_000)) * 1_000_000,
            reference_slack: (0, 0),
            reference_rate_ppm: 0,
            limit: 1_000_000_000,
            requests_per_connection: 1,
        };
        let (plan, _) = world.round();
        let in_sync = plan.conclusion().backends.iter().all(|judged| judged.verdict == Verdict::InSync);
        wrong += usize::from(in_sync);
        let same = World { clocks: vec![clock(right)], turns: vec![0], ..world };
        let (plan, _) = same.round();
        ok += usize::from(plan.conclusion().backends.iter().all(|judged| judged.verdict == Verdict::InSync));
    }
    assert!(wrong * 100 <= rounds, "{wrong} of {rounds}");
    // And that is no reason to say nothing at all: alone, the right clock is nearly always found right.
    assert!(ok * 100 >= rounds * 95, "{ok} of {rounds}");
}
