//! For any references: the bounds of an exchange hold the truth, and so do those of a selection under its
//! assumption.

use std::time::Duration;

use clock_offset::{
    Agreement, BoundedTime, Clique, Drift, Interval, MonotonicInstant, Selection, ServerTimestamps,
    UnixInstant, exchange_bounds, select,
};
use proptest::prelude::*;

const NOON: i128 = 1_795_521_600_000_000_000;
const SECOND: i128 = 1_000_000_000;

fn mono(nanos: i128) -> MonotonicInstant {
    MonotonicInstant::after_origin(duration(nanos))
}

fn duration(nanos: i128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).expect("a length is not negative"))
}

fn between(earliest: i128, latest: i128) -> Interval<UnixInstant> {
    Interval::new(UnixInstant::from_nanos(earliest), UnixInstant::from_nanos(latest))
}

fn claim(earliest: i128, latest: i128) -> BoundedTime {
    BoundedTime { at: MonotonicInstant::ORIGIN, shows: between(earliest, latest) }
}

fn select_at_origin(claims: &[BoundedTime]) -> Selection {
    select(claims, MonotonicInstant::ORIGIN, Drift::from_ppm(0))
}

// -------------------------------------------------------------------------------- one exchange

/// An exchange in which everything that may go wrong does, as far as it is allowed to.
#[derive(Debug, Clone)]
struct World {
    /// When the request was sent, by the checker's clock, which is slow by `slow_ppm`.
    sent: i128,
    slow_ppm: i128,
    /// How long the three parts took, in true nanoseconds: there, in the server, and back.
    parts: (i128, i128, i128),
    root_delay: i128,
    root_dispersion: i128,
    /// How far the server's clock is off, in thousandths of what it admits.
    off: i128,
    precision: i128,
    /// How far each stamp misses the clock, in thousandths of the precision.
    misses: (i128, i128),
}

impl World {
    fn true_round_trip(&self) -> i128 {
        self.parts.0 + self.parts.1 + self.parts.2
    }

    fn received(&self) -> i128 {
        // Rounded up, so that a clock is slow by no more than it may be also over a few nanoseconds.
        self.sent - (self.true_round_trip() * (self.slow_ppm - 1_000_000)).div_euclid(1_000_000)
    }

    /// What the server stamps when the true time is that.
    fn stamp(&self, truth: i128, miss: i128) -> UnixInstant {
        let admitted = self.root_delay / 2 + self.root_dispersion;
        UnixInstant::from_nanos(truth + admitted * self.off / 1_000 + self.precision * miss / 1_000)
    }

    fn bounds(&self) -> Option<BoundedTime> {
        let stamps = ServerTimestamps {
            receive: self.stamp(NOON + self.parts.0, self.misses.0),
            transmit: self.stamp(NOON + self.parts.0 + self.parts.1, self.misses.1),
            root_delay: duration(self.root_delay),
            root_dispersion: duration(self.root_dispersion),
            precision: duration(self.precision),
        };
        exchange_bounds(mono(self.sent), mono(self.received()), &stamps, Drift::from_ppm(500))
    }
}

/// A length that is often nothing, and often long.
fn length(most: i128) -> impl Strategy<Value = i128> {
    prop_oneof![Just(0), 0..1_000_i128, 0..most]
}

fn thousandths() -> impl Strategy<Value = i128> {
    prop_oneof![Just(-1_000), Just(0), Just(1_000), -1_000..=1_000_i128]
}

prop_compose! {
    fn worlds()(
        sent in length(20 * SECOND),
        // One that is slow by 500 ppm of the true time is slow by a little more than that of its own.
        slow_ppm in -499..=499_i128,
        parts in (length(2 * SECOND), length(SECOND), length(2 * SECOND)),
        root_delay in length(SECOND),
        root_dispersion in length(SECOND),
        off in thousandths(),
        precision in length(SECOND / 64),
        misses in (thousandths(), thousandths()),
    ) -> World {
        World { sent, slow_ppm, parts, root_delay, root_dispersion, off, precision, misses }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn the_true_time_is_always_within_the_bounds_of_an_exchange(world in worlds()) {
        let truth = UnixInstant::from_nanos(NOON + world.true_round_trip());
        match world.bounds() {
            Some(bounds) => {
                prop_assert!(bounds.shows.contains(truth), "{:?} lacks {truth:?}", bounds.shows);
                prop_assert_eq!(bounds.at, mono(world.received()));
            }
            // Only where the two stamps miss the clock so that they are in the wrong order.
            None => prop_assert!(world.parts.1 < 2 * world.precision),
        }
    }

    #[test]
    fn an_exchange_is_as_narrow_as_its_doubts_allow(world in worlds()) {
        // So that no stamp is in the wrong order.
        let world = World { precision: 0, ..world };
        let bounds = world.bounds();
        prop_assert!(bounds.is_some());
        let doubts = world.root_delay / 2 + 1 + world.root_dispersion;
        let round_trip = world.received() - world.sent;
        let most = round_trip - world.parts.1 + 2 * doubts + round_trip / 1_000 + 2;
        let width = bounds.map(|bounds| bounds.shows.width().as_nanos().cast_signed()).unwrap_or_default();
        prop_assert!(width <= most, "{width} > {most}");
    }
}

// ------------------------------------------------------------------------------- the selection

/// Claims over so few instants that every one of them can be tried.
const FEW: std::ops::Range<i128> = 0..40;

fn few_claims() -> impl Strategy<Value = Vec<BoundedTime>> {
    prop::collection::vec(
        (FEW, 0..12_i128).prop_map(|(earliest, width)| claim(earliest, earliest + width)),
        0..8,
    )
}

/// How many claims hold each instant, found by trying all.
fn depths(claims: &[BoundedTime]) -> Vec<(UnixInstant, usize)> {
    (FEW.start..FEW.end + 12)
        .map(UnixInstant::from_nanos)
        .map(|instant| (instant, claims.iter().filter(|claim| claim.shows.contains(instant)).count()))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn a_selection_is_what_trying_every_instant_finds(claims in few_claims()) {
        let depths = depths(&claims);
        let most = depths.iter().map(|&(_, depth)| depth).max().unwrap_or_default();
        let held_by = |least: usize| {
            let held = depths.iter().filter(move |&&(_, depth)| depth >= least);
            held.map(|&(instant, _)| instant).collect::<Vec<UnixInstant>>()
        };
        let deepest = held_by(most);
        match select_at_origin(&claims) {
            Selection::NoClaims => prop_assert!(claims.is_empty()),
            Selection::NoMajority { largest } => {
                prop_assert!(most * 2 <= claims.len());
                for &instant in &deepest {
                    let holding: Vec<&Clique> =
                        largest.iter().filter(|clique| clique.bounds.shows.contains(instant)).collect();
                    prop_assert_eq!(holding.len(), 1);
                    for (index, claim) in claims.iter().enumerate() {
                        let is_member = holding[0].members.contains(&index);
                        prop_assert_eq!(is_member, claim.shows.contains(instant));
                    }
                }
                for clique in &largest {
                    prop_assert_eq!(clique.members.len(), most);
                    prop_assert!(deepest.contains(&clique.bounds.shows.earliest()));
                    prop_assert!(deepest.contains(&clique.bounds.shows.latest()));
                }
                prop_assert!(largest.is_sorted_by_key(|clique| clique.bounds.shows.earliest()));
            }
            Selection::Agreed(Agreement { bounds, truechimers, falsetickers }) => {
                prop_assert!(most * 2 > claims.len());
                let possible = held_by(claims.len() / 2 + 1);
                prop_assert_eq!(bounds.shows.earliest(), possible[0]);
                prop_assert_eq!(bounds.shows.latest(), possible[possible.len() - 1]);
                let takes_part = |&index: &usize| {
                    possible.iter().any(|&instant| claims[index].shows.contains(instant))
                };
                let (expected, others): (Vec<usize>, Vec<usize>) = (0..claims.len()).partition(takes_part);
                prop_assert_eq!(truechimers, expected);
                prop_assert_eq!(falsetickers, others);
            }
        }
    }

    #[test]
    fn the_order_of_the_claims_does_not_matter(
        (claims, order) in few_claims().prop_flat_map(|claims| {
            let order: Vec<usize> = (0..claims.len()).collect();
            (Just(claims), Just(order).prop_shuffle())
        })
    ) {
        let shuffled: Vec<BoundedTime> = order.iter().map(|&index| claims[index]).collect();
        let back = |members: &[usize]| {
            let mut members: Vec<usize> = members.iter().map(|&member| order[member]).collect();
            members.sort_unstable();
            members
        };
        let expected = select_at_origin(&claims);
        let found = match select_at_origin(&shuffled) {
            Selection::NoClaims => Selection::NoClaims,
            Selection::NoMajority { largest } => {
                let largest = largest
                    .into_iter()
                    .map(|clique| Clique { members: back(&clique.members), ..clique })
                    .collect();
                Selection::NoMajority { largest }
            }
            Selection::Agreed(agreement) => Selection::Agreed(Agreement {
                truechimers: back(&agreement.truechimers),
                falsetickers: back(&agreement.falsetickers),
                ..agreement
            }),
        };
        prop_assert_eq!(found, expected);
    }
}

/// A reference of a random world: when it was asked, how fast its claim goes stale, and what it claims.
#[derive(Debug, Clone)]
struct Reference {
    asked_at: i128,
    /// By how much the checker's clock was fast between then and the selection.
    rate_ppm: i128,
    /// How far its bounds lie below and above the truth; an end on the wrong side of the truth makes it
    /// wrong.
    slack: (i128, i128),
}

const SELECTED_AT: i128 = 10 * SECOND;

impl Reference {
    fn is_right(&self) -> bool {
        self.slack.0 >= 0 && self.slack.1 >= 0
    }

    fn claim(&self) -> BoundedTime {
        let elapsed = SELECTED_AT - self.asked_at;
        let truth_then = NOON - (elapsed + elapsed * self.rate_ppm / 1_000_000);
        BoundedTime {
            at: mono(self.asked_at),
            shows: between(truth_then - self.slack.0, truth_then + self.slack.1),
        }
    }
}

fn references() -> impl Strategy<Value = Vec<Reference>> {
    // Right ones, liars who lie so little that they meet the others, and liars who are far off.
    let slack = prop_oneof![
        4 => (length(SECOND / 10), length(SECOND / 10)),
        1 => (1..SECOND / 20).prop_flat_map(|gap| (Just(-gap), gap..SECOND / 10)),
        1 => (1..SECOND / 20).prop_flat_map(|gap| (gap..SECOND / 10, Just(-gap))),
        1 => (SECOND..60 * SECOND).prop_map(|gap| (-gap, gap + SECOND / 50)),
    ];
    let reference = (0..=2 * SELECTED_AT, -499..=499_i128, slack)
        .prop_map(|(asked_at, rate_ppm, slack)| Reference { asked_at, rate_ppm, slack });
    prop::collection::vec(reference, 1..9)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8_000))]

    #[test]
    fn when_a_majority_is_right_the_agreement_holds_the_truth_and_blames_none_of_them(
        references in references(),
    ) {
        let claims: Vec<BoundedTime> = references.iter().map(Reference::claim).collect();
        let right: Vec<usize> = (0..claims.len()).filter(|&index| references[index].is_right()).collect();
        if right.len() * 2 <= claims.len() {
            return Ok(());
        }
        let Selection::Agreed(agreement) = select(&claims, mono(SELECTED_AT), Drift::DISCIPLINED) else {
            return Err(TestCaseError::fail("those who are right meet"));
        };
        prop_assert!(agreement.bounds.shows.contains(UnixInstant::from_nanos(NOON)));
        for index in &right {
            prop_assert!(agreement.truechimers.contains(index), "{index} is right, and was blamed");
        }
    }
}
