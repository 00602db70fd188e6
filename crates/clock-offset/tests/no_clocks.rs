//! Numbers that are read as times and are none: uptime, counters, ids. A round asks for few of them, and says what they are.

mod round;

use std::time::Duration;

use clock_offset::{
    Action, BoundedTime, Drift, Interval, MonotonicInstant, NewConnections, NotAClock, Plan, Reading,
    ReferenceClock, Sample, Shown, StopReason, UnixInstant, Verdict,
};
use proptest::prelude::*;

const SECOND: i128 = 1_000_000_000;
const DAY: i128 = 86_400 * SECOND;
const NOON: i128 = 1_795_521_600 * SECOND;

/// The most requests that a number that is no time may cost.
const MOST_REQUESTS: usize = 16;

/// What a service says: after so many nanoseconds, in its nth answer; in nanoseconds since 1970 as they are read, and how
/// wide one is.
type Says = Box<dyn Fn(i128, usize) -> (i128, i128)>;

struct World {
    says: Says,
    /// There and back, of the nth request.
    delays: Vec<(u64, u64)>,
    keeps_open: bool,
}

impl World {
    fn answer(&self, nth: usize, sent: MonotonicInstant, connection: u32) -> Sample {
        let (out, back) = self.delays[nth % self.delays.len()];
        let (earliest, step) = (self.says)(sent.as_nanos() + i128::from(out), nth);
        let shown =
            Interval::new(UnixInstant::from_nanos(earliest), UnixInstant::from_nanos(earliest + step));
        let step = Duration::from_nanos(u64::try_from(step).expect("steps are positive"));
        Sample {
            sent,
            received: sent + Duration::from_nanos(out + back),
            reading: Reading { shown: Shown::Instant(shown), step, may_lag: Duration::ZERO },
            instance: None,
            connection,
        }
    }

    fn round(&self) -> (StopReason, Plan) {
        let shows = Interval::point(UnixInstant::from_nanos(NOON));
        let bounds = BoundedTime { at: MonotonicInstant::ORIGIN, shows };
        let mut plan = Plan::new(
            round::rules(Duration::from_secs(1)),
            ReferenceClock { bounds, drift: Drift::from_ppm(0) },
        );
        let (mut now, mut opened, mut asked) = (MonotonicInstant::ORIGIN, 0, 0);
        loop {
            let (connections, requests, at) = match plan.next(now) {
                Action::Stop(reason) => return (reason, plan),
                Action::Open(NewConnections { count, requests, at, .. }) => {
                    opened += count;
                    (opened - count..opened, requests, at)
                }
                Action::Ask { connection, at } => (connection..connection + 1, 1, at),
            };
            let mut answers = Vec::new();
            for connection in connections {
                let mut sent = at;
                for _ in 0..if self.keeps_open { requests } else { 1 } {
                    let answer = self.answer(asked, sent, connection);
                    asked += 1;
                    sent = answer.received;
                    answers.push(answer);
                }
            }
            answers.sort_by_key(|answer| answer.received);
            for answer in answers {
                now = answer.received;
                plan.record(answer, self.keeps_open);
            }
        }
    }
}

/// A number that counts in `unit` and began at `began`; read as if it counted in `read_as`.
fn uptime(began: i128, unit: i128, read_as: i128) -> Says {
    Box::new(move |elapsed, _| {
        let number = (began + elapsed) / unit;
        (number * read_as, read_as)
    })
}

fn delays() -> impl Strategy<Value = Vec<(u64, u64)>> {
    let way = || prop_oneof![20_000_u64..400_000, 1_000_000_u64..60_000_000];
    proptest::collection::vec((way(), way()), 1..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn uptime_in_another_unit_is_told_by_its_speed_after_a_handful_of_requests(
        (unit, read_as) in prop_oneof![
            Just((SECOND / 1_000, SECOND)),
            Just((SECOND / 1_000_000, SECOND)),
            Just((SECOND / 1_000_000, SECOND / 1_000)),
            Just((1, SECOND)),
            Just((1, SECOND / 1_000)),
            Just((1, SECOND / 1_000_000)),
            Just((SECOND / 100, SECOND)),
        ],
        began in 0..30 * DAY,
        delays in delays(),
        keeps_open in any::<bool>(),
    ) {
        // For some minutes of its life it looks like a time of these days, and is judged as one.
        prop_assume!((began / unit * read_as - NOON).abs() > 4 * DAY);
        let (reason, plan) = World { says: uptime(began, unit, read_as), delays, keeps_open }.round();
        prop_assert_eq!(reason, StopReason::NotAClock);
        let Some(NotAClock::Pace(pace)) = plan.conclusion().not_a_clock else {
            return Err(TestCaseError::fail("it was not noticed"));
        };
        #[expect(clippy::cast_precision_loss, reason = "a power of ten")]
        let speed = (read_as / unit) as f64;
        prop_assert!(pace.at_least <= speed && speed <= pace.at_most, "{} in {:?}", speed, pace);
        prop_assert!(plan.samples().len() <= 6, "{} requests", plan.samples().len());
    }

    #[test]
    fn whatever_a_number_counts_it_costs_few_requests(
        steps in proptest::collection::vec(-4_000_000_000_i128..4_000_000_000, 20),
        scale in prop_oneof![Just(1_i128), Just(SECOND / 1_000), Just(SECOND)],
        width in prop_oneof![Just(1_i128), Just(SECOND / 1_000), Just(SECOND)],
        delays in delays(),
        keeps_open in any::<bool>(),
    ) {
        let says: Says = Box::new(move |_, nth| (NOON + 3_000 * DAY + steps[nth % steps.len()] * scale, width));
        let (_, plan) = World { says, delays, keeps_open }.round();
        let conclusion = plan.conclusion();
        prop_assert!(
            plan.samples().len() <= MOST_REQUESTS + 2,
            "{} requests, {} backends", plan.samples().len(), conclusion.backends.len()
        );
        prop_assert!(conclusion.backends.iter().all(|judged| judged.verdict != Verdict::InSync));
    }

    #[test]
    fn a_clock_that_is_years_off_is_still_a_clock(
        offset in prop_oneof![-NOON..-3 * DAY, 3 * DAY..NOON],
        step in prop_oneof![Just(1_i128), Just(SECOND / 1_000), Just(SECOND)],
        delays in delays(),
        keeps_open in any::<bool>(),
    ) {
        let says: Says =
            Box::new(move |elapsed, _| ((NOON + elapsed + offset).div_euclid(step) * step, step));
        let (_, plan) = World { says, delays, keeps_open }.round();
        let conclusion = plan.conclusion();
        prop_assert_eq!(conclusion.not_a_clock, None);
        prop_assert_eq!(conclusion.backends.len(), 1);
        prop_assert_eq!(conclusion.backends[0].verdict, Verdict::Desynchronized);
    }
}

#[test]
fn a_counter_of_requests_is_told_by_its_speed() {
    let says: Says = Box::new(|_, nth| (i128::try_from(nth).unwrap() * SECOND, SECOND));
    let (_, plan) = World { says, delays: vec![(100_000, 100_000)], keeps_open: true }.round();
    assert!(plan.conclusion().not_a_clock.is_some());
    assert!(plan.samples().len() <= MOST_REQUESTS, "{} requests", plan.samples().len());
}

#[test]
fn clocks_near_now_of_which_no_two_agree_are_all_wrong_and_no_more_are_looked_for() {
    let says: Says = Box::new(|elapsed, nth| (NOON + elapsed + i128::try_from(nth).unwrap() * 5 * SECOND, 1));
    let (reason, plan) = World { says, delays: vec![(100_000, 100_000)], keeps_open: true }.round();
    assert_eq!(reason, StopReason::Decided);
    assert!(plan.samples().len() <= MOST_REQUESTS, "{} requests", plan.samples().len());
    assert!(plan.conclusion().backends.iter().any(|judged| judged.verdict == Verdict::Desynchronized));
}
