//! Where a plot is: from instants and values to coordinates.

use jiff::Timestamp;
use maud::{Markup, html};

use super::Size;
use super::ticks::Tick;
use super::time_axis;
use crate::history::Range;

/// The room below a plot for the labels of its time axis.
const AXIS_HEIGHT: f64 = 26.0;
/// The room above and at the right.
const MARGIN: f64 = 10.0;

/// The rectangle that holds what is drawn, and the time that it covers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    pub(super) size: Size,
}

impl Frame {
    /// A frame of that height, for the part of the range that is over.
    pub(super) fn new(size: Size, range: Range, height: f64) -> Self {
        let (width, left) = match size {
            Size::Wide => (760.0, 78.0),
            Size::Narrow => (360.0, 66.0),
        };
        Self {
            left,
            right: width - MARGIN,
            top: MARGIN,
            bottom: MARGIN + height,
            from: range.from,
            to: range.to.min(range.now).max(range.from),
            size,
        }
    }

    /// The whole plot with its labels.
    pub(super) fn extent(&self) -> (f64, f64) {
        (self.right + MARGIN, self.bottom + AXIS_HEIGHT)
    }

    /// Where an instant is. One that is outside is at the edge.
    pub(super) fn x(&self, at: Timestamp) -> f64 {
        let milliseconds = |later: Timestamp, earlier: Timestamp| later.duration_since(earlier).as_secs_f64();
        let whole = milliseconds(self.to, self.from).max(f64::MIN_POSITIVE);
        let share = (milliseconds(at, self.from) / whole).clamp(0.0, 1.0);
        self.left + share * (self.right - self.left)
    }

    /// The labels below, and a line for each.
    pub(super) fn time_axis(&self) -> Markup {
        let most = match self.size {
            Size::Wide => 8,
            Size::Narrow => 4,
        };
        let y = px(self.bottom + 19.0);
        html! {
            @for tick in time_axis::ticks(self.from, self.to, most) {
                @let x = self.x(tick.at);
                path.grid d={ "M" (px(x)) " " (px(self.top)) "V" (px(self.bottom)) } {}
                // A label that would be cut off is left out.
                @if x < self.right - 16.0 && x > self.left + 24.0 {
                    text x=(px(x)) y=(y) text-anchor="middle" { (tick.label) }
                }
            }
            text x=(px(self.left - 8.0)) y=(y) text-anchor="end" { "UTC" }
        }
    }
}

/// The values that a plot covers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    pub(super) low: f64,
    pub(super) high: f64,
    top: f64,
    bottom: f64,
}

impl Scale {
    /// A scale that holds both values, with some room beyond them.
    pub(super) fn new(frame: &Frame, low: f64, high: f64) -> Self {
        let room = ((high - low) * 0.06).max(1.0);
        let low = if low < 0.0 { low - room } else { low };
        Self { low, high: high + room, top: frame.top, bottom: frame.bottom }
    }

    /// Where a value is. One that is outside is at the edge.
    pub(super) fn y(&self, value: f64) -> f64 {
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        self.bottom - share * (self.bottom - self.top)
    }

    /// The labels at the left, and a line for each.
    pub(super) fn axis(&self, frame: &Frame, ticks: &[Tick]) -> Markup {
        html! {
            @for tick in ticks {
                @let y = self.y(tick.at);
                path.grid d={ "M" (px(frame.left)) " " (px(y)) "H" (px(frame.right)) } {}
                text x=(px(frame.left - 8.0)) y=(px(y + 4.0)) text-anchor="end" { (tick.label) }
            }
        }
    }
}

/// A coordinate with one decimal at most.
pub(super) fn px(coordinate: f64) -> String {
    let text = format!("{coordinate:.1}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}
