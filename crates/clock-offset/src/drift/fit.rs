//! What the observations of a window prove, found from scratch or carried on.

use std::collections::VecDeque;

use super::Observation;
use super::lines::{Lines, Point};
use super::step::{Reach, Step};
use crate::time::Drift;

/// What the observations of a window prove.
#[derive(Debug, Clone)]
pub(super) struct Fit {
    /// All lines through the last `observations`.
    pub(super) lines: Lines,
    /// As many of the last ones as one line passes through.
    pub(super) observations: usize,
    /// The latest step that is proven.
    pub(super) step: Option<Step>,
    /// Of all observations after the one with which that step begins.
    reach: Reach,
}

impl Fit {
    /// From scratch, in O(n); `None` if there are no observations.
    pub(super) fn of(observations: &VecDeque<Observation>, possible: Drift) -> Option<Self> {
        let (lines, fitted) = latest_lines(observations, possible)?;
        let since = since_step(observations, possible);
        let step = since.checked_sub(1).and_then(|before| {
            let before = &observations[before];
            observations.range(since..).find_map(|later| Step::between(before, later, possible))
        });
        let mut later = observations.range(since..);
        let mut reach = Reach::from(*later.next()?);
        for observation in later {
            reach.add(*observation, possible);
        }
        Some(Self { lines, observations: fitted, step, reach })
    }

    /// Carries on with the last of the observations, the others being those so far. That costs amortized O(1)
    /// if it goes on with the trend. If not, it costs O(k) for a trend that is left with k observations.
    /// Returns false if it proves a step; then nothing here holds any longer.
    pub(super) fn extend(&mut self, observations: &VecDeque<Observation>, possible: Drift) -> bool {
        let Some(last) = observations.back() else { return false };
        if !self.reach.add(*last, possible) {
            return false;
        }
        let (lower, upper) = ends(last);
        if self.lines.add(lower, upper) {
            self.observations += 1;
        } else if let Some(latest) = latest_lines(observations, possible) {
            (self.lines, self.observations) = latest;
        }
        true
    }
}

/// The lines through as many of the last observations as one line passes through, and how many these are.
fn latest_lines(observations: &VecDeque<Observation>, possible: Drift) -> Option<(Lines, usize)> {
    // Backward until one is missed; then forward, so that the next one can be added.
    let (_, fitted) = lines_through(observations.iter().rev(), possible, ends_backward)?;
    lines_through(observations.range(observations.len() - fitted..), possible, ends)
}

/// The lines through as many observations as possible, from the first on; and how many these are.
fn lines_through<'a>(
    observations: impl IntoIterator<Item = &'a Observation>,
    possible: Drift,
    ends: impl Fn(&Observation) -> (Point, Point),
) -> Option<(Lines, usize)> {
    let mut observations = observations.into_iter().map(ends);
    let (lower, upper) = observations.next()?;
    let mut lines = Lines::through(lower, upper, possible);
    let count = 1 + observations.take_while(|&(lower, upper)| lines.add(lower, upper)).count();
    Some((lines, count))
}

/// The place after the observation with which the last step begins; 0 if no step is proven.
fn since_step(observations: &VecDeque<Observation>, possible: Drift) -> usize {
    let mut backward = observations.iter().rev();
    let Some(last) = backward.next() else { return 0 };
    let mut reach = Reach::from(*last);
    observations.len() - 1 - backward.take_while(|observation| reach.add(**observation, possible)).count()
}

/// The lower and the upper end of an observation.
fn ends(observation: &Observation) -> (Point, Point) {
    let point = |offset| Point { at: observation.at.as_nanos(), offset };
    (point(observation.offset.earliest().as_nanos()), point(observation.offset.latest().as_nanos()))
}

/// The same with time mirrored, for lines that are fitted backward.
fn ends_backward(observation: &Observation) -> (Point, Point) {
    let (lower, upper) = ends(observation);
    let mirrored = |point: Point| Point { at: -point.at, ..point };
    (mirrored(lower), mirrored(upper))
}
