//! From points of the history to what is drawn: runs without a gap, and paths along them.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::frame::{Frame, Scale, px};
use crate::history::Point;

/// A value that holds from an instant to another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<T> {
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    pub(super) value: T,
}

/// Values that follow each other without a gap.
pub(super) type Run<T> = Vec<Piece<T>>;

/// The runs of points that have a value.
pub(super) fn runs<T>(points: &[Point], value: impl Fn(&Point) -> Option<T>) -> Vec<Run<T>> {
    let mut runs: Vec<Run<T>> = Vec::new();
    let pieces = points
        .iter()
        .filter_map(|point| Some(Piece { from: point.from, to: point.to, value: value(point)? }));
    for piece in pieces {
        match runs.last_mut() {
            Some(run) if run.last().is_some_and(|last| last.to == piece.from) => run.push(piece),
            _ => runs.push(vec![piece]),
        }
    }
    runs
}

/// A line of steps: each value holds for its piece.
pub(super) fn line(frame: &Frame, scale: &Scale, run: &Run<f64>) -> String {
    let steps = run.iter().map(|piece| (frame.x(piece.from), frame.x(piece.to), scale.y(piece.value)));
    stairs(steps, 'M')
}

/// An area between two lines of steps.
pub(super) fn area(frame: &Frame, scale: &Scale, run: &Run<(f64, f64)>) -> String {
    let x = |piece: &Piece<(f64, f64)>| (frame.x(piece.from), frame.x(piece.to));
    let upper = run.iter().map(|piece| (x(piece).0, x(piece).1, scale.y(piece.value.1)));
    let lower = run.iter().rev().map(|piece| (x(piece).1, x(piece).0, scale.y(piece.value.0)));
    stairs(upper, 'M') + &stairs(lower, 'L') + "Z"
}

/// Steps from one place to another at a height. Steps of the same height are one.
fn stairs(steps: impl Iterator<Item = (f64, f64, f64)>, begin: char) -> String {
    let mut path = String::new();
    let mut at: Option<(String, String)> = None;
    for (from, to, y) in steps {
        let (to, y) = (px(to), px(y));
        match &at {
            None => path = format!("{begin}{} {y}", px(from)),
            Some((x, height)) if *height != y => {
                // Writing to a String cannot fail.
                let _ = write!(path, "H{x}V{y}");
            }
            Some(_) => {}
        }
        at = Some((to, y));
    }
    if let Some((x, _)) = at {
        path.push('H');
        path.push_str(&x);
    }
    path
}
