//! When the rounds of a check begin: on a grid of the monotonic clock that the name of the check determines.

use std::time::Duration;

use clock_offset::MonotonicInstant;

/// The first rounds of all checks are spread over this time for each of them, so that a monitor that starts shows
/// something at once and still does not ask everything at the same time.
const APART_AT_FIRST: Duration = Duration::from_millis(5);

/// The slots of a check: one begins each period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slots {
    start: MonotonicInstant,
    /// Where in each period.
    phase: Duration,
    period: Duration,
}

impl Slots {
    /// The slots of a check by that name, counted from the start of the monitor.
    pub(crate) fn new(name: &str, period: Duration, start: MonotonicInstant) -> Self {
        let period = period.max(Duration::from_millis(1));
        Self { start, phase: period.mul_f64(fraction(name)), period }
    }

    /// The same, that much later in each period.
    pub(crate) fn later_by(self, shift: Duration) -> Self {
        let phase = (self.phase + shift).as_nanos() % self.period.as_nanos();
        Self { phase: Duration::from_nanos(u64::try_from(phase).unwrap_or_default()), ..self }
    }

    /// When the first round of all begins: earlier than the grid says where there are few checks.
    pub(crate) fn first(&self, name: &str, checks: usize) -> MonotonicInstant {
        let all = APART_AT_FIRST * u32::try_from(checks).unwrap_or(u32::MAX);
        self.start + self.phase.min(all.mul_f64(fraction(name)))
    }

    /// The first slot after an instant.
    pub(crate) fn after(&self, now: MonotonicInstant) -> MonotonicInstant {
        let grid = self.start + self.phase;
        if now < grid {
            return grid;
        }
        let begun = now.since(grid).as_nanos() / self.period.as_nanos() + 1;
        grid + Duration::from_nanos(u64::try_from(begun * self.period.as_nanos()).unwrap_or(u64::MAX))
    }

    /// The slot to wait for instead of one of another grid. One that is due stays: it has to be held, or counted as missed.
    pub(crate) fn instead_of(&self, slot: MonotonicInstant, now: MonotonicInstant) -> MonotonicInstant {
        if slot <= now { slot } else { self.after(now) }
    }

    /// The last slot up to and with an instant. There has to be one.
    pub(crate) fn latest(&self, now: MonotonicInstant) -> MonotonicInstant {
        let grid = self.start + self.phase;
        let begun = now.since(grid).as_nanos() / self.period.as_nanos();
        grid + Duration::from_nanos(u64::try_from(begun * self.period.as_nanos()).unwrap_or(u64::MAX))
    }

    /// How many slots began after one instant, up to and with another one.
    pub(crate) fn between(&self, slot: MonotonicInstant, now: MonotonicInstant) -> u64 {
        let next = self.after(slot);
        if now < next {
            return 0;
        }
        u64::try_from(now.since(next).as_nanos() / self.period.as_nanos())
            .unwrap_or(u64::MAX)
            .saturating_add(1)
    }
}

/// A number from 0 to 1 that a name determines, evenly spread over names: the hash FNV-1a, whose low bits differ most,
/// stirred as in `SplitMix64`. It is the same in each run, so that a restart does not move the rounds.
fn fraction(name: &str) -> f64 {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let stirred = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let stirred = (stirred ^ (stirred >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let upper = u32::try_from((stirred ^ (stirred >> 31)) >> 32).unwrap_or_default();
    f64::from(upper) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> MonotonicInstant {
        MonotonicInstant::after_origin(Duration::from_millis(millis))
    }

    #[test]
    fn checks_are_spread_evenly_over_their_period_and_stay_where_they_are() {
        let period = Duration::from_secs(30);
        let mut seconds = [0; 30];
        for number in 0..3_000 {
            let slots = Slots::new(&format!("check {number}"), period, at(0));
            assert_eq!(slots, Slots::new(&format!("check {number}"), period, at(0)));
            seconds[usize::try_from(slots.phase.as_secs()).unwrap()] += 1;
        }
        // A hundred each on average; five standard deviations are fifty.
        assert!(seconds.iter().all(|&count| (50..=150).contains(&count)), "{seconds:?}");
    }

    #[test]
    fn the_latest_slot_is_the_one_before_the_next() {
        let slots = Slots::new("shop", Duration::from_millis(40), at(0));
        let first = slots.after(at(0));
        assert_eq!(slots.latest(first), first);
        assert_eq!(slots.latest(first + Duration::from_millis(39)), first);
        assert_eq!(slots.latest(first + Duration::from_millis(81)), first + Duration::from_millis(80));
    }

    #[test]
    fn a_slot_that_is_due_when_the_configuration_changes_is_not_skipped() {
        let slots = Slots { start: at(0), phase: Duration::from_millis(300), period: Duration::from_secs(1) };
        assert_eq!(slots.instead_of(at(900), at(899)), at(1_300));
        for late in [900, 901, 1_500] {
            assert_eq!(slots.instead_of(at(900), at(late)), at(900));
        }
    }

    #[test]
    fn the_first_rounds_of_few_checks_begin_at_once() {
        let slots = Slots::new("shop", Duration::from_hours(1), at(7));
        assert!(slots.first("shop", 6) <= at(7 + 30));
        assert!(slots.first("shop", 1_000_000) <= slots.start + slots.phase);
    }

    #[test]
    fn slots_are_a_period_apart_however_late_a_round_ends() {
        let slots = Slots { start: at(0), phase: Duration::from_millis(300), period: Duration::from_secs(1) };
        assert_eq!(slots.after(at(0)), at(300));
        assert_eq!(slots.after(at(300)), at(1_300));
        assert_eq!(slots.after(at(1_299)), at(1_300));
        assert_eq!(slots.after(at(5_000)), at(5_300));
    }

    #[test]
    fn slots_may_be_moved_within_their_period() {
        let slots = Slots { start: at(0), phase: Duration::from_millis(300), period: Duration::from_secs(1) };
        assert_eq!(slots.later_by(Duration::from_millis(500)).after(at(0)), at(800));
        assert_eq!(slots.later_by(Duration::from_millis(2_800)).after(at(0)), at(100));
    }

    #[test]
    fn a_slot_that_began_while_a_round_was_under_way_is_counted() {
        let slots = Slots { start: at(0), phase: Duration::ZERO, period: Duration::from_secs(1) };
        assert_eq!(slots.between(at(1_000), at(1_999)), 0);
        assert_eq!(slots.between(at(1_000), at(2_000)), 1);
        assert_eq!(slots.between(at(1_000), at(4_500)), 3);
        // The first round began before the grid.
        assert_eq!(slots.between(at(10), at(999)), 0);
    }
}
