//! For any clock: the window says exactly what all pairs of observations prove, and the truth is inside.

use std::cmp::Ordering;
use std::num::NonZeroUsize;
use std::time::Duration;

use clock_offset::{
    Drift, DriftWindow, Forecast, Interval, MonotonicInstant, Observation, Offset, Span, Trend, WindowSize,
};
use proptest::prelude::*;

const MILLI: i128 = 1_000_000;
const SECOND: i128 = 1_000 * MILLI;

fn duration(nanos: i128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).expect("a length is not negative"))
}

fn observation(at: i128, lower: i128, upper: i128) -> Observation {
    let offset = Interval::new(Offset::from_nanos(lower), Offset::from_nanos(upper));
    Observation { at: MonotonicInstant::after_origin(duration(at)), offset }
}

fn window(ppm: u32, observations: usize) -> DriftWindow {
    let observations = NonZeroUsize::new(observations).expect("a window holds something");
    DriftWindow::new(Drift::from_ppm(ppm), WindowSize { length: WindowSize::LONGEST, observations })
}

fn window_of(ppm: u32, observations: &[Observation]) -> DriftWindow {
    let mut window = window(ppm, 10_000);
    for observation in observations {
        window.record(*observation).expect("they are in order");
    }
    window
}

// -------------------------------------------------------------------------------- all pairs

/// A rate as a fraction, whose denominator is positive.
#[derive(Debug, Clone, Copy)]
struct Fraction(i128, i128);

impl Fraction {
    fn compare(self, other: Self) -> Ordering {
        (self.0 * other.1).cmp(&(other.0 * self.1))
    }

    fn greater(self, other: Self) -> Self {
        if self.compare(other).is_gt() { self } else { other }
    }

    fn negated(self) -> Self {
        Self(-self.0, self.1)
    }

    #[expect(clippy::cast_precision_loss, reason = "compared with a tolerance")]
    fn is_about(self, ratio: f64) -> bool {
        let exact = self.0 as f64 / self.1 as f64;
        (exact - ratio).abs() <= exact.abs() * 1e-14
    }
}

fn ends(observation: &Observation) -> (i128, i128, i128) {
    let Observation { at, offset } = observation;
    (at.as_nanos(), offset.earliest().as_nanos(), offset.latest().as_nanos())
}

fn negated(observation: &Observation) -> Observation {
    let (at, lower, upper) = ends(observation);
    self::observation(at, -upper, -lower)
}

/// The least rate that the pairs allow; `None` where two of one instant contradict each other.
fn least_rate(ppm: u32, observations: &[Observation]) -> Option<Fraction> {
    let mut least = Fraction(-i128::from(ppm), 1_000_000);
    for (place, earlier) in observations.iter().enumerate() {
        for later in &observations[place + 1..] {
            let ((from, lower, upper), (to, later_lower, later_upper)) = (ends(earlier), ends(later));
            if from < to {
                least = least.greater(Fraction(later_lower - upper, to - from));
            } else if later_lower > upper || lower > later_upper {
                return None;
            }
        }
    }
    Some(least)
}

/// The rates that the pairs allow, the least and the greatest; `None` if there are none.
fn rates(ppm: u32, observations: &[Observation]) -> Option<(Fraction, Fraction)> {
    let mirrored: Vec<Observation> = observations.iter().map(negated).collect();
    let least = least_rate(ppm, observations)?;
    let greatest = least_rate(ppm, &mirrored)?.negated();
    least.compare(greatest).is_le().then_some((least, greatest))
}

/// The offset of the lowest line with this rate that is above all lower ends, rounded towards −∞.
fn lowest_at(at: i128, rate: Fraction, observations: &[Observation]) -> i128 {
    let through = |observation: &Observation| {
        let (from, lower, _) = ends(observation);
        lower + (rate.0 * (at - from)).div_euclid(rate.1)
    };
    observations.iter().map(through).max().expect("there are observations")
}

fn is_step(ppm: u32, earlier: &Observation, later: &Observation) -> bool {
    let ((from, lower, upper), (to, later_lower, later_upper)) = (ends(earlier), ends(later));
    let apart = (later_lower - upper).max(lower - later_upper);
    apart * 1_000_000 > i128::from(ppm) * (to - from)
}

/// The step with the latest beginning, and of these the one with the earliest end: the places of the two.
fn step(ppm: u32, observations: &[Observation]) -> Option<(usize, usize)> {
    (0..observations.len()).rev().find_map(|earlier| {
        let proves = |&later: &usize| is_step(ppm, &observations[earlier], &observations[later]);
        (earlier + 1..observations.len()).find(proves).map(|later| (earlier, later))
    })
}

/// That the window says what all pairs of these observations do.
fn assert_is_exact(window: &DriftWindow, ppm: u32, observations: &[Observation]) {
    let trend = window.trend().expect("there are observations");
    let fits = |&first: &usize| rates(ppm, &observations[first..]).is_some();
    let first = (0..observations.len()).rev().take_while(fits).last().expect("one observation has lines");
    let fitted = &observations[first..];
    assert_eq!(trend.observations, fitted.len(), "{observations:?}");
    assert_eq!((trend.since, Some(trend.until)), (fitted[0].at, fitted.last().map(|last| last.at)));
    assert_eq!(trend.break_after, first.checked_sub(1).map(|before| observations[before].at));

    let (least, greatest) = rates(ppm, fitted).expect("one observation has lines");
    let drift = trend.drift();
    assert!(least.is_about(drift.earliest().as_ratio()), "{least:?} {drift:?} {fitted:?}");
    assert!(greatest.is_about(drift.latest().as_ratio()), "{greatest:?} {drift:?} {fitted:?}");
    let mirrored: Vec<Observation> = fitted.iter().map(negated).collect();
    for elapsed in [0, 1, 7, SECOND] {
        let offset = trend.offset_after(duration(elapsed));
        let at = trend.until.as_nanos() + elapsed;
        assert_eq!(offset.earliest().as_nanos(), lowest_at(at, least, fitted), "{fitted:?}");
        assert_eq!(offset.latest().as_nanos(), -lowest_at(at, greatest.negated(), &mirrored), "{fitted:?}");
    }

    let found = window.step().map(|step| (step.after, step.until));
    let expected = step(ppm, observations);
    assert_eq!(found, expected.map(|(after, until)| (observations[after].at, observations[until].at)));
}

// -------------------------------------------------------------------------------- any observations

/// Small numbers, so that many points are on one line, at one instant or at one end.
fn few_values() -> impl Strategy<Value = Vec<Observation>> {
    prop::collection::vec((0..4_i128, -9..9_i128, 0..9_i128), 1..24).prop_map(|steps| {
        let mut at = 0;
        let next = |(gap, lower, width)| {
            at += gap;
            observation(at, lower, lower + width)
        };
        steps.into_iter().map(next).collect()
    })
}

/// Around a line that bends or is stepped now and then.
fn around_lines() -> impl Strategy<Value = Vec<Observation>> {
    let change = prop_oneof![20 => Just((0, 0)), 1 => (-600..600_i128, -20..20_i128)];
    let round = (0..40 * SECOND, 0..3 * MILLI, 0..3 * MILLI, change);
    prop::collection::vec(round, 1..60).prop_map(|rounds| {
        let (mut at, mut offset, mut rate) = (0, 0, 0);
        let next = |(gap, below, above, (turn, step))| {
            at += gap;
            offset += rate * gap / 1_000_000 + step * MILLI;
            rate += turn;
            observation(at, offset - below, offset + above)
        };
        rounds.into_iter().map(next).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn few_values_prove_what_all_their_pairs_do(
        observations in few_values(),
        ppm in prop::sample::select(vec![0, 1, 500_000, 1_000_000, 3_000_000, u32::MAX]),
    ) {
        assert_is_exact(&window_of(ppm, &observations), ppm, &observations);
    }

    #[test]
    fn lines_that_bend_prove_what_all_their_pairs_do(
        observations in around_lines(),
        ppm in prop::sample::select(vec![0, 20, 500, 1_000]),
    ) {
        assert_is_exact(&window_of(ppm, &observations), ppm, &observations);
    }

    #[test]
    fn a_forecast_is_when_the_lines_exceed_the_limit(
        observations in prop_oneof![few_values(), around_lines()],
        ppm in prop::sample::select(vec![0, 20, 500, 1_000_000]),
        limit in prop_oneof![0..20_i128, 0..200 * MILLI],
    ) {
        let trend = window_of(ppm, &observations).trend().expect("there are observations");
        assert_forecast(&trend, limit);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_full_window_proves_what_the_pairs_in_it_do_after_each_observation(
        observations in prop_oneof![few_values(), around_lines()],
        capacity in 1..20_usize,
    ) {
        let mut window = window(500, capacity);
        for (place, observation) in observations.iter().enumerate() {
            window.record(*observation).expect("they are in order");
            let recorded = place + 1;
            prop_assert!(window.len() <= capacity);
            prop_assert!(window.len() >= recorded.min(capacity - capacity / 8));
            assert_is_exact(&window, 500, &observations[recorded - window.len()..recorded]);
        }
    }
}

/// That the limit is exceeded first, and by all, when the forecast says so.
fn assert_forecast(trend: &Trend, limit: i128) {
    let (earliest, latest) = match trend.forecast(duration(limit)) {
        Forecast::Never => (None, None),
        Forecast::NotBefore(earliest) => (Some(earliest), None),
        Forecast::Within(when) => (Some(when.earliest()), Some(when.latest())),
    };
    let within = Interval::new(Offset::from_nanos(-limit), Offset::from_nanos(limit));
    let offset_at = |at: MonotonicInstant, later: u64| {
        trend.offset_after(at.since(trend.until) + Duration::from_nanos(later))
    };
    let all_exceed = |offset: &Interval<Offset>| offset.intersection(&within).is_none();
    let year = trend.until + Duration::from_hours(365 * 24);
    match earliest {
        Some(at) => {
            assert!(at == trend.until || offset_at(at, 0).is_within(&within));
            assert!(at > year || (0..=2).any(|later| !offset_at(at, later).is_within(&within)));
        }
        None => assert!(offset_at(year, 0).is_within(&within)),
    }
    match latest {
        Some(at) => {
            // At the instant itself the last line may be exactly at the limit.
            let offset = offset_at(at, 0);
            assert!(
                offset.earliest() >= within.latest() || offset.latest() <= within.earliest(),
                "{trend:?}"
            );
            let before = at.since(trend.until).checked_sub(Duration::from_nanos(1));
            assert!(before.is_none_or(|before| !all_exceed(&trend.offset_after(before))), "{trend:?}");
        }
        None => assert!(!all_exceed(&offset_at(year, 0)), "{trend:?}"),
    }
}

// -------------------------------------------------------------------------------- clocks

const POSSIBLE: u32 = 500;

/// A clock of one rate, in parts per billion, and what was observed of it.
#[derive(Debug, Clone)]
struct Clock {
    offset: i128,
    ppb: i128,
    /// Time before each observation, and by how much its interval goes beyond the truth below and above.
    rounds: Vec<(i128, i128, i128)>,
}

impl Clock {
    fn observations(&self) -> Vec<Observation> {
        let mut at = 0;
        let next = |&(gap, below, above): &(i128, i128, i128)| {
            at += gap;
            let floor = self.offset + (self.ppb * at).div_euclid(SECOND);
            observation(at, floor - below, floor + 1 + above)
        };
        self.rounds.iter().map(next).collect()
    }

    /// The first instant at which the offset is above the limit or below it on the other side, rounded down.
    fn exceeds(&self, limit: i128, since: i128) -> Option<i128> {
        let offset = self.offset * SECOND + self.ppb * since;
        let exceeded = offset.abs() > limit * SECOND;
        let distance = if self.ppb > 0 { limit - self.offset } else { limit + self.offset };
        let moves = self.ppb != 0;
        if exceeded { Some(since) } else { moves.then(|| (distance * SECOND).div_euclid(self.ppb.abs())) }
    }
}

fn widths() -> impl Strategy<Value = i128> {
    prop_oneof![Just(0), 0..MILLI, 0..SECOND]
}

fn rounds() -> impl Strategy<Value = Vec<(i128, i128, i128)>> {
    prop::collection::vec((0..90 * SECOND, widths(), widths()), 2..30)
}

fn clocks() -> impl Strategy<Value = Clock> {
    let ppb = prop_oneof![Just(0), Just(500_000), -500_000..=500_000_i128, -1_000..=1_000_i128];
    (-SECOND..SECOND, ppb, rounds()).prop_map(|(offset, ppb, rounds)| Clock { offset, ppb, rounds })
}

/// A clock whose rate changes before each observation, as one that is slewed, and that is stepped once.
fn slewed(
    rounds: &[(i128, i128, i128)],
    rates_ppm: &[i128],
    stepped_before: usize,
    step: i128,
) -> Vec<Observation> {
    let (mut at, mut millionths) = (0, 0);
    let next = |(place, (gap, below, above)): (usize, &(i128, i128, i128))| {
        at += gap;
        millionths += rates_ppm[place % rates_ppm.len()] * gap;
        let floor = millionths.div_euclid(1_000_000) + if place < stepped_before { 0 } else { step };
        observation(at, floor - below, floor + 1 + above)
    };
    rounds.iter().enumerate().map(next).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_true_drift_and_the_true_crossing_are_within_the_bounds(
        clock in clocks(),
        limit in prop_oneof![0..MILLI, 0..3 * SECOND],
    ) {
        let observations = clock.observations();
        let window = window_of(POSSIBLE, &observations);
        prop_assert_eq!(window.step(), None);
        let trend = window.trend().expect("there are observations");
        prop_assert_eq!(trend.observations, observations.len());
        prop_assert_eq!(trend.break_after, None);
        let ppb = i64::try_from(clock.ppb).expect("a small rate");
        prop_assert!(trend.drift().contains(clock_offset::DriftRate::from_ppb(ppb)));

        let crossing = clock.exceeds(limit, trend.until.as_nanos());
        match (trend.forecast(duration(limit)), crossing) {
            (Forecast::Never, crossing) => prop_assert_eq!(crossing, None),
            (Forecast::NotBefore(earliest), Some(at)) => prop_assert!(earliest.as_nanos() <= at),
            (Forecast::NotBefore(_), None) => {}
            (Forecast::Within(when), Some(at)) => {
                prop_assert!(when.earliest().as_nanos() <= at && at <= when.latest().as_nanos());
            }
            (Forecast::Within(when), None) => prop_assert!(false, "{when:?} of a clock that stays"),
        }
    }

    #[test]
    fn no_step_is_claimed_of_a_clock_that_is_slewed(
        rounds in rounds(),
        rates_ppm in prop::collection::vec(prop_oneof![Just(500), Just(-500), -500..=500_i128], 1..30),
    ) {
        let window = window_of(POSSIBLE, &slewed(&rounds, &rates_ppm, 0, 0));
        prop_assert_eq!(window.step(), None);
    }

    #[test]
    fn a_step_is_found_if_drift_does_not_explain_it_and_contains_the_true_one(
        rounds in rounds(),
        rates_ppm in prop::collection::vec(-500..=500_i128, 1..30),
        place in any::<prop::sample::Index>(),
        step in prop_oneof![-4 * SECOND..4 * SECOND, -40 * MILLI..40 * MILLI],
    ) {
        let stepped = 1 + place.index(rounds.len() - 1);
        let observations = slewed(&rounds, &rates_ppm, stepped, step);
        let found = window_of(POSSIBLE, &observations).step();
        // What the intervals around it and twice the drift between them can hide, and a rounding on each side.
        let (gap, below, above) = rounds[stepped];
        let (_, below_before, above_before) = rounds[stepped - 1];
        let hidden = gap / 1_000 + 2 + below.max(above) + below_before.max(above_before);
        prop_assert!(found.is_some() || step.abs() <= hidden + 2, "{} is above {}", step, hidden);
        if let Some(found) = found {
            prop_assert!(found.after <= observations[stepped - 1].at && observations[stepped].at <= found.until);
            prop_assert!(found.size.contains(Span::from_nanos(step)), "{:?} {}", found, step);
        }
    }
}
