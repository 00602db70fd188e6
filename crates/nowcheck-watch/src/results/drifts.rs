//! The drift of the clocks behind the checks, as the rounds of the last day prove it.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use clock_offset::{MonotonicInstant, WindowSize};
use nowcheck::check::MOST_BACKENDS;

use crate::drift::{DriftBounds, FollowedClock};
use crate::history::RoundRecord;
use crate::incident::OffsetBounds;

/// How far back offsets are remembered.
const LENGTH: Duration = Duration::from_hours(24);

/// How many of a clock at the most. Bounds on a rate follow from the first and the last ones, not from their number.
const OBSERVATIONS: NonZeroUsize = NonZeroUsize::new(180).unwrap();

/// Between two offsets that are remembered.
const SPACING: Duration = Duration::from_mins(10);

/// Of a clock that was met not long ago they are closer: a part of the time since then. Some bound is soon better than none.
const EARLY_SPACINGS: u32 = 4;

/// A clock of which nothing was heard for so long is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_hours(24);

/// The clocks of all checks.
#[derive(Debug, Default)]
pub(super) struct Drifts(BTreeMap<String, BTreeMap<Option<String>, Remembered>>);

/// A clock.
#[derive(Debug)]
struct Remembered {
    clock: FollowedClock,
    /// When it was met first.
    met: MonotonicInstant,
    /// When its offset was remembered last.
    observed: Option<MonotonicInstant>,
    /// When it was heard of last.
    heard: MonotonicInstant,
}

impl Drifts {
    /// Takes the offsets of a round that began `at`. Clocks without a name are followed as one. Returns bounds on the drift of
    /// those clocks of the check of which anything is known.
    pub(super) fn meet(&mut self, round: &RoundRecord, at: MonotonicInstant) -> Option<DriftBounds> {
        let clocks = self.0.entry(round.check.clone()).or_default();
        let named = round.backends.iter().map(|backend| (Some(&backend.instance), backend.offset));
        let unnamed = round.offset.filter(|_| round.backends.is_empty()).map(|offset| (None, offset));
        for (instance, offset) in named.chain(unnamed) {
            clocks.entry(instance.cloned()).or_insert_with(|| Remembered::new(at)).meet(
                at,
                round.duration,
                offset,
            );
        }
        clocks.retain(|_, known| at.since(known.heard) < FORGOTTEN_AFTER);
        // A name is free text of the service, and each of them has a window of its own.
        if let Some(more) = clocks.len().checked_sub(MOST_BACKENDS).filter(|more| *more > 0) {
            let mut heard: Vec<MonotonicInstant> = clocks.values().map(|known| known.heard).collect();
            heard.sort_unstable();
            let (oldest, mut left) = (heard[more - 1], more);
            clocks.retain(|_, known| {
                let goes = known.heard <= oldest && left > 0;
                left -= usize::from(goes);
                !goes
            });
        }
        let trends = clocks.values().filter_map(|known| known.clock.trend());
        let bounds = trends.map(|trend| DriftBounds::of(&trend)).filter(|bounds| bounds.rules_anything_out());
        bounds.reduce(DriftBounds::hull)
    }

    /// A check that is not watched any more.
    pub(super) fn forget(&mut self, check: &str) {
        self.0.remove(check);
    }
}

impl Remembered {
    fn new(at: MonotonicInstant) -> Self {
        let size = WindowSize { length: LENGTH, observations: OBSERVATIONS };
        Self { clock: FollowedClock::new(size), met: at, observed: None, heard: at }
    }

    fn meet(&mut self, at: MonotonicInstant, round: Duration, offset: OffsetBounds) {
        self.heard = at;
        let spacing = SPACING.min(at.since(self.met) / EARLY_SPACINGS);
        if self.observed.is_none_or(|before| at.since(before) >= spacing) {
            self.observed = Some(at);
            self.clock.observe(at, round, offset);
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::history::BackendOffset;
    use crate::status::CheckStatus;

    const SPREAD: i128 = 100_000;

    fn round(offsets: &[(Option<&str>, i128)]) -> RoundRecord {
        let bounds = |offset: i128| OffsetBounds { lower: offset - SPREAD, upper: offset + SPREAD };
        let backend = |(instance, offset): &(Option<&str>, i128)| {
            Some(BackendOffset { instance: (*instance)?.to_owned(), offset: bounds(*offset) })
        };
        RoundRecord {
            check: "shop".to_owned(),
            start: Timestamp::UNIX_EPOCH,
            duration: Duration::ZERO,
            status: CheckStatus::Ok,
            reason: "in_sync".to_owned(),
            offset: offsets.iter().map(|(_, offset)| bounds(*offset)).reduce(OffsetBounds::hull),
            round_trip: None,
            cause: None,
            backends: offsets.iter().filter_map(backend).collect(),
            certificate_expiry: None,
            stands_for: Duration::from_mins(1),
        }
    }

    fn minute(nth: u64) -> MonotonicInstant {
        MonotonicInstant::after_origin(Duration::from_mins(nth))
    }

    /// What a clock with this rate in parts per million has gained.
    fn gained(ppm: i128, minutes: u64) -> i128 {
        i128::from(minutes) * 60_000 * ppm
    }

    #[test]
    fn two_days_of_a_clock_that_gains_bound_its_rate_closely() {
        let mut drifts = Drifts::default();
        let last =
            (0..2_880).filter_map(|nth| drifts.meet(&round(&[(None, gained(20, nth))]), minute(nth))).last();
        let DriftBounds { lower, upper } = last.unwrap();
        assert!(lower < 20e-6 && 20e-6 < upper && upper - lower < 1e-8, "{lower} {upper}");
    }

    #[test]
    fn the_bounds_are_those_of_all_backends_that_were_heard_of_within_a_day() {
        let mut drifts = Drifts::default();
        let mut both = None;
        for nth in (0..600).step_by(10) {
            let offsets = [(Some("a"), gained(-30, nth)), (Some("b"), gained(40, nth))];
            both = drifts.meet(&round(&offsets), minute(nth));
        }
        let DriftBounds { lower, upper } = both.unwrap();
        assert!(lower < -30e-6 && upper > 40e-6 && upper - lower < 71e-6, "{lower} {upper}");
        let mut one = None;
        for nth in (600..2_100).step_by(10) {
            one = drifts.meet(&round(&[(Some("a"), gained(-30, nth))]), minute(nth));
        }
        assert!(one.unwrap().upper < -29e-6, "{one:?}");
    }

    #[test]
    fn nothing_is_claimed_of_a_clock_that_drifts_faster_than_is_thought_possible() {
        let mut drifts = Drifts::default();
        assert_eq!(drifts.meet(&round(&[(None, 0)]), minute(0)), None, "one offset shows no rate");
        let last =
            (1..100).map(|nth| drifts.meet(&round(&[(None, gained(50_000, nth))]), minute(nth))).last();
        assert_eq!(last, Some(None));
        // What NTP would not correct any more is still bounded.
        drifts.forget("shop");
        let fast = (0..100).map(|nth| drifts.meet(&round(&[(None, gained(1_000, nth))]), minute(nth))).last();
        let DriftBounds { lower, upper } = fast.unwrap().unwrap();
        assert!(lower < 0.001 && 0.001 < upper && upper - lower < 1e-6, "{lower} {upper}");
    }

    #[test]
    fn of_a_service_with_another_name_in_each_round_no_more_clocks_are_followed_than_can_be_expected() {
        let mut drifts = Drifts::default();
        let names: Vec<String> = (0..250).map(|nth| format!("name-{nth}")).collect();
        for (nth, name) in (0..).zip(&names) {
            drifts.meet(&round(&[(Some("lasting"), gained(20, nth)), (Some(name.as_str()), 0)]), minute(nth));
        }
        let followed = &drifts.0["shop"];
        assert_eq!(followed.len(), MOST_BACKENDS);
        assert!(followed.contains_key(&Some("name-249".to_owned())), "the latest one is not followed");
        let lasting = &followed[&Some("lasting".to_owned())];
        assert!(lasting.clock.trend().is_some(), "what lasts is followed all the while");
        // Many in one round, too.
        let all: Vec<(Option<&str>, i128)> = names.iter().map(|name| (Some(name.as_str()), 0)).collect();
        drifts.meet(&round(&all), minute(250));
        assert_eq!(drifts.0["shop"].len(), MOST_BACKENDS);
    }

    #[test]
    fn a_round_without_a_proof_changes_nothing() {
        let mut drifts = Drifts::default();
        assert_eq!(drifts.meet(&round(&[]), minute(0)), None);
        drifts.meet(&round(&[(None, 0)]), minute(1));
        let before = drifts.meet(&round(&[(None, 0)]), minute(2));
        assert!(before.is_some());
        assert_eq!(drifts.meet(&round(&[]), minute(20)), before);
        drifts.forget("shop");
        assert_eq!(drifts.meet(&round(&[]), minute(30)), None);
    }
}
