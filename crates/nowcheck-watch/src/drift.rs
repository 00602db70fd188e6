//! Where the offset of a clock goes: the rates that explain the offsets of many rounds.

use std::time::Duration;

use clock_offset::{DriftWindow, Interval, MonotonicInstant, Observation, Offset, Trend, WindowSize};

use crate::incident::OffsetBounds;

/// The rate that is thought possible for a clock and its reference together, in either direction: twenty times what NTP
/// corrects, because a clock that is watched may be broken. Bounds as wide as this say nothing.
const POSSIBLE: clock_offset::Drift = clock_offset::Drift::from_ppm(10_000);

/// The same in parts per million.
pub(crate) const POSSIBLE_PPM: f64 = 10_000.0;

/// So few offsets on one line after a break do not show that the clock has a rate at all.
const TOO_FEW: usize = 2;

/// Bounds on the rate of a clock, as ratios. They are positive when the clock gains.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DriftBounds {
    /// The least rate.
    pub lower: f64,
    /// The greatest rate.
    pub upper: f64,
}

impl DriftBounds {
    /// The rates of these lines.
    pub(crate) fn of(trend: &Trend) -> Self {
        let rates = trend.drift();
        Self { lower: rates.earliest().as_ratio(), upper: rates.latest().as_ratio() }
    }

    /// Whether any rate that is thought possible is ruled out.
    pub(crate) fn rules_anything_out(self) -> bool {
        let possible = POSSIBLE_PPM * 1e-6;
        self.lower > -possible || self.upper < possible
    }

    /// The least bounds that hold both.
    pub(crate) fn hull(self, other: Self) -> Self {
        Self { lower: self.lower.min(other.lower), upper: self.upper.max(other.upper) }
    }
}

/// A clock whose offsets are followed from round to round.
#[derive(Debug, Clone)]
pub(crate) struct FollowedClock(DriftWindow);

impl FollowedClock {
    pub(crate) fn new(size: WindowSize) -> Self {
        Self(DriftWindow::new(POSSIBLE, size))
    }

    /// Takes the offset that a round found. The clock was observed at some instant of the round, which began `at`.
    pub(crate) fn observe(&mut self, at: MonotonicInstant, round: Duration, offset: OffsetBounds) {
        let room = POSSIBLE.during(round).as_nanos();
        let [lower, upper] = [offset.lower - room, offset.upper + room].map(Offset::from_nanos);
        // An absurd offset says nothing about a rate.
        let _ = self.0.record(Observation { at, offset: Interval::new(lower, upper) });
    }

    /// The lines through the latest offsets. None while the clock jumps, or drifts faster than is thought possible: each offset
    /// contradicts the one before it then.
    pub(crate) fn trend(&self) -> Option<Trend> {
        self.0.trend().filter(|trend| trend.break_after.is_none() || trend.observations > TOO_FEW)
    }
}
