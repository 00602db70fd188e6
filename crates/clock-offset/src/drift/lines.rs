//! All lines of bounded rate through intervals, which are added one after the other.

use core::cmp::Ordering;
use std::collections::VecDeque;

use super::rate::DriftRate;
use crate::time::Drift;

/// One end of an interval, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) at: i128,
    pub(super) offset: i128,
}

impl Point {
    /// The point mirrored at the axis of time.
    fn negated(self) -> Self {
        Self { offset: -self.offset, ..self }
    }

    /// Whether the middle point is on or above the line from this one to the last.
    fn is_under_or_on(self, middle: Self, last: Self) -> bool {
        let rise = |to: Self| (to.offset - self.offset, to.at - self.at);
        let ((middle_rise, middle_run), (last_rise, last_run)) = (rise(middle), rise(last));
        middle_rise * last_run >= last_rise * middle_run
    }
}

/// A line through a point.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    pub(super) through: Point,
    pub(super) rate: DriftRate,
}

impl Line {
    /// How the point lies to the line: `Less` is below it. It is not earlier than that of the line.
    fn position_of(&self, point: Point) -> Ordering {
        self.rate.cmp_change(point.offset - self.through.offset, point.at - self.through.at).reverse()
    }

    /// The offset at an instant that is not earlier than the point, rounded towards −∞.
    pub(super) fn floor_at(&self, at: i128) -> i128 {
        self.through.offset + self.rate.during(at - self.through.at)
    }

    /// The same, rounded towards ∞.
    pub(super) fn ceil_at(&self, at: i128) -> i128 {
        -self.negated().floor_at(at)
    }

    /// The line mirrored at the axis of time.
    pub(super) fn negated(&self) -> Self {
        Self { through: self.through.negated(), rate: -self.rate }
    }
}

/// The lines with a rate between −d and d that pass through all intervals so far.
///
/// Each added interval is at the same instant as the one before it or at a later one. The lines are kept as
/// the two that bound all of them from the last interval on: the lowest has the least rate, the highest the
/// greatest.
///
/// An interval costs amortized O(1), because each of its ends enters a hull once and leaves it once.
#[derive(Debug, Clone)]
pub(super) struct Lines {
    lowest: LowestLine,
    /// The highest line is the lowest one where all offsets are negated.
    negated_highest: LowestLine,
}

impl Lines {
    /// Through one interval, by its ends.
    pub(super) fn through(lower: Point, upper: Point, possible: Drift) -> Self {
        Self {
            lowest: LowestLine::through(lower, upper, possible),
            negated_highest: LowestLine::through(upper.negated(), lower.negated(), possible),
        }
    }

    /// Adds an interval. Returns false, and changes nothing, when none of the lines passes through it.
    ///
    /// The offsets of the lines at its instant are all those from the lowest line to the highest, because the
    /// set of lines is convex. So the ends of the interval need to be compared with these two only.
    pub(super) fn add(&mut self, lower: Point, upper: Point) -> bool {
        let is_reached = self.lowest.line.position_of(upper).is_ge()
            && self.negated_highest.line.position_of(lower.negated()).is_ge();
        if is_reached {
            self.lowest.add(lower, upper);
            self.negated_highest.add(upper.negated(), lower.negated());
        }
        is_reached
    }

    /// From the last interval on no line is below this one, and none has a lower rate.
    pub(super) fn lowest(&self) -> Line {
        self.lowest.line
    }

    /// From the last interval on no line is above this one, and none has a higher rate.
    pub(super) fn highest(&self) -> Line {
        self.negated_highest.line.negated()
    }
}

/// The line of the least rate, and what is needed to find the next one.
///
/// The least rate is the maximum of −d and of the slopes from the upper end of one interval to the lower end
/// of a later one. Only an interval whose lower end is above the line raises it. Then the line passes through
/// that end, and touches the convex hull of the upper ends before it from below.
#[derive(Debug, Clone)]
struct LowestLine {
    line: Line,
    /// The lower convex hull of the upper ends (the monotone chain of A. M. Andrew, 1979), without the ends
    /// before the one where a line of this rate touches it.
    ///
    /// Those cannot be touched again, as J. O'Rourke showed (An On-Line Algorithm for Fitting Straight Lines
    /// Between Data Ranges, CACM 24(9), 1981). Let d be the height of an upper end above the line and e that
    /// of a new lower end. The slope between them is that of the line plus (e − d) divided by the time
    /// between them. It raises the line only if e > d. An end before the touched one has a d at least as
    /// great and the longer time, so it adds less.
    upper_ends: VecDeque<Point>,
}

impl LowestLine {
    fn through(lower: Point, upper: Point, possible: Drift) -> Self {
        let line = Line { through: lower, rate: -DriftRate::greatest(possible) };
        Self { line, upper_ends: VecDeque::from([upper]) }
    }

    fn add(&mut self, lower: Point, upper: Point) {
        if self.line.position_of(lower).is_gt() {
            self.raise_to(lower);
        }
        self.push(upper);
        while self.upper_ends.len() > 1 && self.is_passed(self.upper_ends[0], self.upper_ends[1]) {
            self.upper_ends.pop_front();
        }
    }

    /// Turns the line up to the lower end of a later interval, around the hull.
    fn raise_to(&mut self, lower: Point) {
        let slope = |from: Point| DriftRate::new(lower.offset - from.offset, lower.at - from.at);
        // Along the hull the slopes rise to that of the tangent, and fall from there on.
        while self.upper_ends.len() > 1
            && slope(self.upper_ends[1]).is_some_and(|next| Some(next) >= slope(self.upper_ends[0]))
        {
            self.upper_ends.pop_front();
        }
        let steepest = slope(self.upper_ends[0]).unwrap_or(self.line.rate);
        self.line = Line { through: lower, rate: self.line.rate.max(steepest) };
    }

    fn push(&mut self, upper: Point) {
        if let Some(last) = self.upper_ends.back().filter(|last| last.at == upper.at) {
            if last.offset <= upper.offset {
                return;
            }
            self.upper_ends.pop_back();
        }
        while let count @ 2.. = self.upper_ends.len()
            && self.upper_ends[count - 2].is_under_or_on(self.upper_ends[count - 1], upper)
        {
            self.upper_ends.pop_back();
        }
        self.upper_ends.push_back(upper);
    }

    /// Whether a line of the least rate that touches the hull at the second end is not above the first.
    fn is_passed(&self, first: Point, second: Point) -> bool {
        let (change, elapsed) = (second.offset - first.offset, second.at - first.at);
        self.line.rate.cmp_change(change, elapsed).is_ge()
    }
}
