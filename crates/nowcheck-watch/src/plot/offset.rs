//! The offset: the band that holds it, and the limits.

use std::time::Duration;

use clock_offset::Offset;
use maud::{Markup, html};
use nowcheck::text::figures;

use super::course::{Run, area, runs};
use super::frame::{Frame, Scale, px};
use super::ticks::ticks;
use super::{Plot, Size};
use crate::history::{Point, Range};
use crate::incident::OffsetBounds;
use crate::jumps::Jump;

const HEIGHT: f64 = 150.0;
/// The room at the top for the note on limits that are far away, so that it does not lie on the band.
const NOTE_HEIGHT: f64 = 20.0;

/// The limits are part of the scale as soon as the offset comes this close to them.
const CLOSE: f64 = 0.2;

/// The bounds on the offset over time, and where it jumped. A shaded stretch is one in which the check was watched and no offset was proven.
#[must_use]
pub fn offset(points: &[Point], jumps: &[Jump], limit: Option<Duration>, range: Range, size: Size) -> Plot {
    let frame = Frame::new(size, range, HEIGHT);
    let hull = points.iter().filter_map(|point| point.summary.offset).reduce(OffsetBounds::hull);
    let (low, high) = hull.map_or((0.0, 0.0), |hull| (nanos(hull.lower), nanos(hull.upper)));
    let shown_limit = shown_limit(hull, limit);
    let reach = shown_limit.unwrap_or(0.0);
    let (low, high) = (low.min(-reach), high.max(reach));
    let has_note = limit.is_some() && shown_limit.is_none();
    let note = if has_note { (high - low) * NOTE_HEIGHT / (HEIGHT - NOTE_HEIGHT) } else { 0.0 };
    let scale = Scale::new(&frame, low, high + note);
    let bands = bands(points);
    let body = html! {
        (gaps(&frame, points))
        (scale.axis(&frame, &ticks(scale.low, scale.high, 5)))
        (frame.time_axis())
        path.zero d={ "M" (px(frame.left)) " " (px(scale.y(0.0))) "H" (px(frame.right)) } {}
        @for band in &bands { path.band d=(area(&frame, &scale, band)) {} }
        (marks(&frame, jumps))
        @if let Some(limit) = limit { (limits(&frame, &scale, limit, shown_limit)) }
    };
    Plot { title: "Offset of the clock", description: description(hull, limit, jumps), frame, body }
}

/// The bounds in nanoseconds, in runs without a gap.
pub(super) fn bands(points: &[Point]) -> Vec<Run<(f64, f64)>> {
    runs(points, |point| point.summary.offset.map(|offset| (nanos(offset.lower), nanos(offset.upper))))
}

/// The limit in nanoseconds, if it is to be part of the scale.
pub(super) fn shown_limit(hull: Option<OffsetBounds>, limit: Option<Duration>) -> Option<f64> {
    let size = hull.map_or(0.0, |hull| nanos(hull.upper).max(-nanos(hull.lower)));
    let nanos = limit.map(|limit| limit.as_secs_f64() * 1e9);
    nanos.filter(|limit| size >= limit * CLOSE || hull.is_none())
}

/// A line and a sign where the offset jumped.
fn marks(frame: &Frame, jumps: &[Jump]) -> Markup {
    html! {
        @for jump in jumps.iter().filter(|jump| frame.from <= jump.until && jump.until <= frame.to) {
            @let x = frame.x(jump.until).clamp(frame.left + 5.0, frame.right - 5.0);
            path.jump d={ "M" (px(x)) " " (px(frame.top)) "V" (px(frame.bottom)) } {}
            path.jump-sign d={ "M" (px(x - 5.0)) " " (px(frame.top)) "H" (px(x + 5.0)) "L" (px(x)) " " (px(frame.top + 8.0)) "Z" } {}
        }
    }
}

/// Both limits, or a note that they are far away.
fn limits(frame: &Frame, scale: &Scale, limit: Duration, shown: Option<f64>) -> Markup {
    let name = figures::limit(limit);
    let x = px(frame.right - 4.0);
    html! {
        @match shown {
            Some(nanos) => {
                @for (sign, nanos, below) in [("+", nanos, 14.0), ("-", -nanos, -6.0)] {
                    @let y = scale.y(nanos);
                    path.limit d={ "M" (px(frame.left)) " " (px(y)) "H" (px(frame.right)) } {}
                    text.limit-name x=(x) y=(px(y + below)) text-anchor="end" { "limit " (sign) (name) }
                }
            }
            None => {
                text.limit-name x=(x) y=(px(frame.top + 14.0)) text-anchor="end" { "limits ±" (name) " are outside" }
            }
        }
    }
}

/// Stretches in which the check was watched, and no offset is known.
pub(super) fn gaps(frame: &Frame, points: &[Point]) -> Markup {
    let unknown = |point: &Point| {
        let is_gap = point.summary.offset.is_none() && !point.summary.times.total().is_zero();
        is_gap.then_some(())
    };
    let runs = runs(points, unknown);
    let ends = runs.iter().filter_map(|run| Some((run.first()?.from, run.last()?.to)));
    html! {
        @for (from, to) in ends {
            @let (left, right) = (frame.x(from), frame.x(to));
            rect.gap x=(px(left)) y=(px(frame.top)) width=(px(right - left)) height=(px(frame.bottom - frame.top)) {}
        }
    }
}

fn description(hull: Option<OffsetBounds>, limit: Option<Duration>, jumps: &[Jump]) -> String {
    let limit = limit.map(|limit| format!(" The limits are ±{}.", figures::limit(limit))).unwrap_or_default();
    match hull {
        None => format!("No offset is known in this time.{limit}"),
        Some(hull) => {
            let [lower, upper] = [hull.lower, hull.upper].map(|end| figures::signed(Offset::from_nanos(end)));
            let jumps = match jumps.len() {
                0 => String::new(),
                1 => " It jumped once.".to_owned(),
                times => format!(" It jumped {times} times."),
            };
            format!("Where it is known, the offset is between {lower} and {upper}.{limit}{jumps}")
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a tenth of a pixel is enough")]
pub(super) fn nanos(nanos: i128) -> f64 {
    nanos as f64
}
