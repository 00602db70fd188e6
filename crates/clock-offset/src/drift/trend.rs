//! Where an offset goes: the lines through its latest intervals, and when they exceed a limit.

use core::time::Duration;

use super::lines::{Line, Lines};
use super::rate::DriftRate;
use crate::interval::Interval;
use crate::time::{MonotonicInstant, Offset, Span};

/// All lines through the latest intervals of a window.
///
/// If the clock has drifted at one rate since [`since`](Self::since), its offset is one of these lines, and
/// everything here holds for it. What is said about the future holds as long as it goes on at that rate.
#[derive(Debug, Clone, Copy)]
pub struct Trend {
    /// The instant of the first observation that the lines pass through.
    pub since: MonotonicInstant,
    /// The instant of the last one, which is the last of the window.
    pub until: MonotonicInstant,
    /// How many observations they pass through: as many of the latest as one line can.
    pub observations: usize,
    /// The observation before `since`, which none of these lines reaches. After it, the clock was stepped or
    /// its rate changed. `None` when the lines pass through the whole window.
    pub break_after: Option<MonotonicInstant>,
    /// From `until` on no line is below this one.
    lowest: Line,
    /// From `until` on no line is above this one.
    highest: Line,
}

/// When an offset will exceed a limit, if its trend goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forecast {
    /// No line ever exceeds it.
    Never,
    /// Not before this instant, and perhaps never: the evidence does not show the direction of the drift.
    NotBefore(MonotonicInstant),
    /// At an instant within this interval. Both ends are the last observation when it exceeds the limit
    /// already.
    Within(Interval<MonotonicInstant>),
}

impl Trend {
    pub(super) fn new(
        lines: &Lines,
        fitted: Interval<MonotonicInstant>,
        observations: usize,
        break_after: Option<MonotonicInstant>,
    ) -> Self {
        Self {
            since: fitted.earliest(),
            until: fitted.latest(),
            observations,
            break_after,
            lowest: lines.lowest(),
            highest: lines.highest(),
        }
    }

    /// The least and the greatest rate of the lines. Each rate between them is that of a line.
    ///
    /// An end at the drift that is possible is not from the evidence: steeper lines may fit as well.
    #[must_use]
    pub fn drift(&self) -> Interval<DriftRate> {
        Interval::new(self.lowest.rate, self.highest.rate)
    }

    /// The offsets of the lines that much later than [`until`](Self::until), rounded outwards.
    ///
    /// After the last observation the lowest of all lines is the one with the least rate, and the highest the
    /// one with the greatest. For at the rate r the lowest line through all intervals is at the instant t the
    /// maximum of lᵢ + r (t − tᵢ) over their lower ends. As t − tᵢ is not negative, that grows with r.
    #[must_use]
    pub fn offset_after(&self, elapsed: Duration) -> Interval<Offset> {
        let at = (self.until + elapsed).as_nanos();
        let (lowest, highest) = (self.lowest.floor_at(at), self.highest.ceil_at(at));
        Interval::new(Offset::from_nanos(lowest), Offset::from_nanos(highest))
    }

    /// When the offset exceeds the limit, in either direction, from the last observation on. Exactly the
    /// limit does not exceed it, as in [`Limits`](crate::Limits).
    ///
    /// No line exceeds the limit before the highest line rises above it or the lowest falls below −limit. All
    /// lines have exceeded it when the lowest has risen above it or the highest has fallen below −limit.
    /// These are the earliest and the latest instant, rounded down and up. One that is more than 5.8 × 10¹¹
    /// years away counts as never.
    #[must_use]
    pub fn forecast(&self, limit: Duration) -> Forecast {
        let limit = Span::from(limit).as_nanos();
        // Falling below −limit is rising above the limit with all offsets negated.
        let rising = [self.lowest, self.highest];
        let falling = [self.highest.negated(), self.lowest.negated()];
        let passes = [rising, falling].map(|lines| lines.map(|line| self.passing(&line, limit)));
        let earliest = passes.iter().filter_map(|[_, first]| *first).map(|pass| pass.earliest()).min();
        let latest = passes.iter().filter_map(|[last, _]| *last).map(|pass| pass.latest()).min();
        match (earliest, latest) {
            (None, _) => Forecast::Never,
            (Some(earliest), None) => Forecast::NotBefore(earliest),
            (Some(earliest), Some(latest)) => Forecast::Within(Interval::new(earliest, latest)),
        }
    }

    /// When a line rises above the limit, to the nanosecond before and after; `None` if it never does.
    fn passing(&self, line: &Line, limit: i128) -> Option<Interval<MonotonicInstant>> {
        if line.ceil_at(self.until.as_nanos()) > limit {
            return Some(Interval::point(self.until));
        }
        // The line is anchored at an interval that it passes through. There it may be above the limit only if
        // it falls, and then it never rises above it.
        let missing = limit - line.through.offset;
        let (least, most) = line.rate.time_to_grow_by(missing)?;
        let since_anchor = self.until.as_nanos() - line.through.at;
        let after = |nanos: i128| {
            let wait = Span::from_nanos(nanos - since_anchor).positive_part();
            (wait < Duration::MAX).then(|| self.until + wait)
        };
        Some(Interval::new(after(least)?, after(most)?))
    }
}
