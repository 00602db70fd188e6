//! Notices that the machine was suspended: clocks went on, and the monotonic clock stood still.

use std::time::Duration;

use clock_offset::MonotonicInstant;

use super::{DriftBounds, Drifts, RoundRecord, State};

/// What a busy machine makes of the reading of the clocks.
const READING_NOISE: Duration = Duration::from_millis(50);

/// How long the machine had been suspended when that was noticed last.
#[derive(Debug, Default)]
pub(super) struct Suspends(Option<Duration>);

impl Suspends {
    /// Whether the machine was suspended since that was noticed last. `in_all` is for how long it was since it started.
    fn notice(&mut self, in_all: Duration) -> bool {
        let before = *self.0.get_or_insert(in_all);
        let is_longer = in_all.saturating_sub(before) > READING_NOISE;
        if is_longer {
            self.0 = Some(in_all);
        }
        is_longer
    }
}

impl State {
    /// Takes the offsets of a round. Of those before a suspend nothing is proven any more: a clock that drifts by little had
    /// hours for it, and would seem to have drifted within minutes.
    pub(super) fn follow_drift(
        &mut self,
        round: &RoundRecord,
        at: MonotonicInstant,
        suspended: Duration,
    ) -> Option<DriftBounds> {
        if self.suspends.notice(suspended) {
            self.drifts = Drifts::default();
        }
        self.drifts.meet(round, at)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::record::empty;
    use super::super::tests::configured_shop;
    use super::*;
    use crate::incident::OffsetBounds;

    const DRIFT: f64 = 20e-6;

    /// What a clock with that drift gains.
    fn gained(over: Duration) -> i128 {
        i128::try_from(over.as_nanos()).unwrap() / 50_000
    }

    #[test]
    fn eight_hours_asleep_are_not_taken_for_a_drift_of_minutes() {
        let config = configured_shop();
        let mut state = State::default();
        let mut meet = |awake: Duration, slept: Duration| {
            let (offset, spread) = (gained(awake + slept), 200_000_000);
            let offset = Some(OffsetBounds { lower: offset - spread, upper: offset + spread });
            let round = RoundRecord { offset, ..empty(&config, Timestamp::UNIX_EPOCH) };
            let bounds = state.follow_drift(&round, MonotonicInstant::after_origin(awake), slept);
            let is_true = |bounds: DriftBounds| bounds.lower <= DRIFT && DRIFT <= bounds.upper;
            assert!(bounds.is_none_or(is_true), "{awake:?} {bounds:?}");
            bounds
        };
        let (minute, night) = (Duration::from_mins(1), Duration::from_hours(8));
        let noise = Duration::from_millis(40);
        assert_eq!(meet(Duration::ZERO, Duration::ZERO), None);
        assert!(meet(minute, noise).is_some(), "noise begins nothing anew");
        assert_eq!(meet(minute * 2, night), None, "it begins anew");
        assert!(meet(minute * 3, night + noise).is_some());
    }
}
