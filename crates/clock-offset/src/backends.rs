//! Which samples came from one clock, and how likely it is that a backend was never met.

use core::time::Duration;
use std::sync::Arc;

use crate::interval::{BoundedTime, Interval, ReferenceClock};
use crate::renewal::{self, Renewal};
use crate::sample::Sample;
use crate::tick;
use crate::time::{Drift, MonotonicInstant, Offset, Span};
use crate::verdict::{Limits, Verdict};

/// What ties the samples of one [`Backend`] together, and so how far they may be combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// They name the same instance, or do not contradict each other: one clock can have given all of them.
    OneClock,
    /// Other samples that should have come from the same clock contradict these. So there are several clocks,
    /// or one that was stepped, and which of them gave a sample is only inferred.
    ToldApart,
    /// They repeat a reading for longer than a clock ticks, and go on then: it is renewed now and then. The bounds hold
    /// the clock, and also what the answers say before they are renewed.
    Renewed,
    /// So do they, but what they say goes back and forth: several caches take turns, and which gave a sample is only
    /// inferred.
    SeveralCaches,
}

/// A clock behind an address, as far as the samples tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backend {
    /// The name that its answers give, if they give one.
    pub instance: Option<Arc<str>>,
    /// Why the samples are attributed to one clock.
    pub evidence: Evidence,
    /// The intersection of what its samples prove, at the end of the last sample of the address.
    pub bounds: BoundedTime,
    /// The hull of what each of its samples alone proves, at the same instant. It holds even if the samples
    /// came from several clocks.
    pub bounds_each: BoundedTime,
    /// How much later than its answers the clock may be, because it ticks more coarsely than they are printed, or because
    /// they are renewed now and then. Zero when no sample shows that. It is part of both bounds.
    pub tick: Duration,
    /// Its samples, as indices into the samples that were grouped, oldest first.
    pub samples: Vec<usize>,
}

impl Backend {
    /// Bounds on its offset from the reference.
    #[must_use]
    pub fn offset(&self, reference: &ReferenceClock) -> Interval<Offset> {
        self.bounds.offset_from(reference)
    }

    /// What the samples prove about this clock.
    ///
    /// Where answers are renewed now and then, the clock behind them is judged, and what they say as well: the clock alone
    /// proves that it is wrong, and only both together that it is in sync.
    ///
    /// Where samples were told apart only because they contradict each other, one of another clock may be
    /// among them. An intersection that is wholly beyond the limit still proves a clock beyond it, because
    /// the sample with the extreme bound came from one. An intersection within the limit proves nothing about
    /// the others, so then each sample alone has to be within the limit.
    #[must_use]
    pub fn verdict(&self, reference: &ReferenceClock, limits: &Limits) -> Verdict {
        let together = limits.verdict(&self.offset(reference));
        match (self.evidence, together) {
            (Evidence::Renewed, _) => match limits.verdict(&self.behind_its_answers().offset_from(reference))
            {
                Verdict::Desynchronized => Verdict::Desynchronized,
                _ => together,
            },
            (Evidence::OneClock, _) | (_, Verdict::Desynchronized) => together,
            (Evidence::ToldApart | Evidence::SeveralCaches, _) => {
                match limits.verdict(&self.bounds_each.offset_from(reference)) {
                    Verdict::Desynchronized => Verdict::Undetermined,
                    each => each,
                }
            }
        }
    }
}

impl Backend {
    /// The bounds on the offset that such a verdict rests on.
    #[must_use]
    pub(crate) fn offset_behind(&self, verdict: Verdict, reference: &ReferenceClock) -> Interval<Offset> {
        match (self.evidence, verdict) {
            (Evidence::Renewed, Verdict::Desynchronized) => self.behind_its_answers().offset_from(reference),
            _ => self.offset(reference),
        }
    }

    /// The clock behind answers that are renewed now and then: it is not earlier than the latest of them.
    fn behind_its_answers(&self) -> BoundedTime {
        let earliest = self.bounds.shows.earliest() + Span::from(self.tick);
        BoundedTime { shows: Interval::new(earliest, self.bounds.shows.latest()), ..self.bounds }
    }
}

/// Groups samples of one address into the fewest clocks that explain them all. A time of day is put on the
/// day that brings it nearest to `expected`.
///
/// Samples that name an instance are grouped by it. Samples of one name, or without a name, that no single
/// clock can have given are split. The fewest instants that pierce all intervals are found from the left, by
/// the classic greedy algorithm for stabbing intervals, and each instant stands for one clock. Without
/// samples there is no backend.
///
/// # Coarse ticks
///
/// A contradiction of at most 20 ms is not taken for a second clock, but for a clock that ticks coarsely and prints fine
/// digits; of at most 110 ms, when a reading was seen to repeat that long. A reading r of a clock with a tick of at most T
/// proves that the clock shows between r and r + T, so T is added to the upper bound of each sample. What stays proven:
///
/// * *One clock with a tick of at most T.* Each widened interval holds it, so their intersection does.
/// * *Several clocks without names, closer together than T.* A lower bound is not widened, so an intersection above the
///   limit still proves a clock above it. One below the limit, with T added, proves a clock below it. An intersection
///   within the limit proves nothing; that is why the plan asks for answers that are within the limit each on its own,
///   with T added, before it says "in sync" of a nameless backend.
/// * *One named process whose clock was stepped by less than T.* Its bounds are the hull of all of its parts.
///
/// A tick is also assumed when many answers repeat a reading although their requests were sent apart and answered apart,
/// and when all readings are multiples of one coarse step apart. Neither proves a tick, but a tick that is assumed in vain
/// only widens the bounds.
///
/// Not proven is the bound for a clock whose few samples show none of these signs and do not contradict each other: they
/// can miss the true reading by the tick.
#[must_use]
pub fn group_by_clock(samples: &[Sample], expected: &BoundedTime, drift: Drift) -> Vec<Backend> {
    let Some(at) = samples.iter().map(|sample| sample.received).max() else {
        return Vec::new();
    };
    let mut names: Vec<Option<Arc<str>>> = Vec::new();
    for sample in samples {
        if !names.contains(&sample.instance) {
            names.push(sample.instance.clone());
        }
    }
    let mut backends = Vec::new();
    for name in names {
        let members: Vec<(usize, BoundedTime)> = samples
            .iter()
            .enumerate()
            .filter(|(_, sample)| sample.instance == name)
            .map(|(index, sample)| (index, sample.bounds(expected, drift).carried_to(at, drift)))
            .collect();
        let of_it: Vec<&Sample> = samples.iter().filter(|sample| sample.instance == name).collect();
        let clocks = if let Some(renewal) = renewal::of(&of_it, expected, drift) {
            with_their_renewal(name.as_ref(), at, &members, &renewal)
        } else {
            let (ticks, is_shown) = tick::candidates(of_it.iter().copied(), drift);
            with_their_tick(name.as_ref(), at, &members, &ticks, is_shown)
        };
        // One process has one clock: when its answers contradict each other, that clock was stepped.
        backends.extend(if name.is_some() { as_one_that_was_stepped(clocks) } else { clocks });
    }
    backends
}

/// Merges the parts of one clock that was stepped. What it shows now is what its latest sample says. The hull
/// of all parts holds whenever it was stepped.
fn as_one_that_was_stepped(clocks: Vec<Backend>) -> Vec<Backend> {
    let latest = |clock: &Backend| clock.samples.iter().max().copied();
    let Some(now) = clocks.iter().max_by_key(|clock| latest(clock)).cloned() else {
        return clocks;
    };
    let each = clocks.iter().fold(now.bounds_each.shows, |all, clock| all.hull(&clock.bounds_each.shows));
    let mut samples: Vec<usize> = clocks.iter().flat_map(|clock| clock.samples.iter().copied()).collect();
    samples.sort_unstable();
    vec![Backend { bounds_each: BoundedTime { shows: each, ..now.bounds_each }, samples, ..now }]
}

/// Splits samples into the clocks that contradict each other by more than a tick. The tick is the finest of `ticks` that
/// leaves the fewest clocks; none, when it explains no contradiction and no answer shows it.
fn with_their_tick(
    instance: Option<&Arc<str>>,
    at: MonotonicInstant,
    members: &[(usize, BoundedTime)],
    ticks: &[Duration],
    is_shown: bool,
) -> Vec<Backend> {
    let strict = split_contradictions(instance, at, members.to_vec());
    if strict.len() == 1 && !is_shown {
        return strict;
    }
    let by_tick = ticks.iter().map(|&tick| {
        let later = |bounds: &BoundedTime| {
            let shows = Interval::new(bounds.shows.earliest(), bounds.shows.latest() + Span::from(tick));
            BoundedTime { shows, ..*bounds }
        };
        let widened = members.iter().map(|(index, bounds)| (*index, later(bounds))).collect();
        let clocks = split_contradictions(instance, at, widened);
        clocks.into_iter().map(|clock| Backend { tick, ..clock }).collect::<Vec<_>>()
    });
    let Some(mut clocks) = by_tick.min_by_key(Vec::len) else { return strict };
    if clocks.len() == strict.len() && !is_shown {
        return strict;
    }
    if let ([clock], true) = (&mut clocks[..], instance.is_some()) {
        clock.bounds.shows = strict.iter().fold(clock.bounds.shows, |all, part| all.hull(&part.bounds.shows));
    }
    clocks
}

/// The clocks behind answers that are renewed now and then. The bounds of one begin a period before the clock's, because
/// its answers say so until they are renewed. So does of several what their answers prove each.
fn with_their_renewal(
    instance: Option<&Arc<str>>,
    at: MonotonicInstant,
    members: &[(usize, BoundedTime)],
    renewal: &Renewal,
) -> Vec<Backend> {
    let later = |bounds: &BoundedTime, age: Duration| {
        let latest = bounds.shows.latest() + Span::from(age);
        BoundedTime { shows: Interval::new(bounds.shows.earliest(), latest), ..*bounds }
    };
    let widened = |ages: &[Duration]| -> Vec<(usize, BoundedTime)> {
        members.iter().zip(ages).map(|((index, bounds), age)| (*index, later(bounds, *age))).collect()
    };
    let earlier = |bounds: BoundedTime, age: Duration| {
        let earliest = bounds.shows.earliest() - Span::from(age);
        BoundedTime { shows: Interval::new(earliest, bounds.shows.latest()), ..bounds }
    };
    let ages = match renewal {
        Renewal::OneCache { period, ages } => {
            let clocks = split_contradictions(instance, at, widened(ages));
            if let [clock] = &clocks[..] {
                let (bounds, bounds_each) =
                    (earlier(clock.bounds, *period), earlier(clock.bounds_each, *period));
                let evidence = Evidence::Renewed;
                return vec![Backend { evidence, tick: *period, bounds, bounds_each, ..clock.clone() }];
            }
            // A cache whose clock was stepped.
            vec![None; members.len()]
        }
        Renewal::SeveralCaches { ages } => ages.clone(),
    };
    let longest = ages.iter().flatten().max().copied().unwrap_or(renewal::UNKNOWN_AGE);
    let of_a_cache = |clock: Backend| {
        // Answers from before its renewal say only what they say, and without one that came after it, nothing is known.
        let of_it = || members.iter().zip(&ages).filter(|((index, _), _)| clock.samples.contains(index));
        let was_renewed = of_it().any(|(_, age)| age.is_some());
        let unseen = if was_renewed { Duration::ZERO } else { renewal::UNKNOWN_AGE };
        let said = of_it().map(|((_, bounds), age)| later(bounds, age.unwrap_or(unseen)).shows);
        let shows = said.reduce(|all, one| all.hull(&one)).unwrap_or(clock.bounds_each.shows);
        let bounds_each = earlier(BoundedTime { shows, ..clock.bounds_each }, longest);
        Backend { evidence: Evidence::SeveralCaches, tick: longest, bounds_each, ..clock }
    };
    let at_most: Vec<Duration> = ages.iter().map(|age| age.unwrap_or(renewal::UNKNOWN_AGE)).collect();
    split_contradictions(instance, at, widened(&at_most)).into_iter().map(of_a_cache).collect()
}

fn split_contradictions(
    instance: Option<&Arc<str>>,
    at: MonotonicInstant,
    mut members: Vec<(usize, BoundedTime)>,
) -> Vec<Backend> {
    members.sort_by_key(|(index, bounds)| (bounds.shows.latest(), *index));
    let mut groups: Vec<Vec<(usize, BoundedTime)>> = Vec::new();
    let mut piercings = Vec::new();
    for (index, bounds) in members {
        // Sorted by upper end, so a sample either holds the last piercing instant or lies beyond it.
        if piercings.last().is_some_and(|&instant| bounds.shows.contains(instant)) {
            if let Some(group) = groups.last_mut() {
                group.push((index, bounds));
            }
        } else {
            piercings.push(bounds.shows.latest());
            groups.push(vec![(index, bounds)]);
        }
    }
    let evidence = if groups.len() > 1 { Evidence::ToldApart } else { Evidence::OneClock };
    groups
        .into_iter()
        .map(|group| {
            // A sample that fits two clocks must not shrink either. The first of each group fits one only.
            let fits_one = |(_, bounds): &&(usize, BoundedTime)| {
                piercings.iter().filter(|&&instant| bounds.shows.contains(instant)).count() == 1
            };
            let first = group[0].1.shows;
            let together = group
                .iter()
                .filter(fits_one)
                .fold(first, |all, (_, b)| all.intersection(&b.shows).unwrap_or(all));
            let each = group.iter().fold(first, |all, (_, bounds)| all.hull(&bounds.shows));
            let mut samples: Vec<usize> = group.iter().map(|(index, _)| *index).collect();
            samples.sort_unstable();
            Backend {
                instance: instance.cloned(),
                evidence,
                bounds: BoundedTime { at, shows: together },
                bounds_each: BoundedTime { at, shows: each },
                tick: Duration::ZERO,
                samples,
            }
        })
        .collect()
}

/// An upper bound on the chance that `connections` fresh connections met only `seen` backends although there
/// is one more, when a balancer spreads them evenly and independently.
///
/// With n = seen + 1 equal backends, one given backend is missed with probability ((n − 1)/n)^connections,
/// and any of the n may be the missed one (union bound). With a round-robin balancer the chance is smaller.
/// It is 1 when none was seen.
#[must_use]
pub fn miss_probability(seen: usize, connections: u32) -> f64 {
    if seen == 0 {
        return 1.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "a count of backends, far below 2^52")]
    let (seen, all) = (seen as f64, seen as f64 + 1.0);
    (all * (seen / all).powf(f64::from(connections))).min(1.0)
}

/// How many fresh connections make [`miss_probability`] at most `probability`, which is between 0 and 1,
/// exclusive. At most 10,000.
#[must_use]
pub fn connections_needed(seen: usize, probability: f64) -> u32 {
    let mut connections = 1;
    while seen > 0 && connections < 10_000 && miss_probability(seen, connections) > probability {
        connections += 1;
    }
    connections
}

#[cfg(test)]
mod tests;
