//! A sparkline: the band that holds the offset, as small as a word.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use maud::{Markup, html};

use super::Size;
use super::course::{area, runs};
use super::frame::{Frame, Scale, px};
use super::offset::{bands, gaps, nanos, shown_limit};
use crate::availability::FourTimes;
use crate::figures::{bounds, rough};
use crate::history::{Point, Range};
use crate::incident::{OffsetBounds, ServiceStatus};
use crate::timestamps::elapsed;

const WIDTH: f64 = 140.0;
const HEIGHT: f64 = 26.0;
/// The strip below the band, in which trouble is marked.
const STRIP: f64 = 4.0;

/// The bounds on the offset over time, with trouble below it and unknown time shaded. It has no labels: a text says what it
/// shows to people who do not see it.
pub(crate) fn sparkline(points: &[Point], limit: Duration, range: Range) -> Markup {
    let frame = Frame {
        left: 0.0,
        right: WIDTH,
        top: 1.0,
        bottom: HEIGHT - STRIP - 1.0,
        from: range.from,
        to: range.to,
        size: Size::Narrow,
    };
    let hull = points.iter().filter_map(|point| point.summary.offset).reduce(OffsetBounds::hull);
    let (low, high) = hull.map_or((0.0, 0.0), |hull| (nanos(hull.lower), nanos(hull.upper)));
    let shown = shown_limit(hull, Some(limit)).filter(|_| hull.is_some());
    let reach = shown.unwrap_or(0.0);
    let scale = Scale::new(&frame, low.min(-reach), high.max(reach));
    html! {
        svg.plot.spark viewBox={ "0 0 " (px(WIDTH)) " " (px(HEIGHT)) } role="img" aria-label=(description(points, hull, range)) {
            (gaps(&frame, points))
            @if hull.is_some() { path.zero d={ "M0 " (px(scale.y(0.0))) "H" (px(WIDTH)) } {} }
            @for band in &bands(points) { path.band d=(area(&frame, &scale, band)) {} }
            @if let Some(limit) = shown {
                @for limit in [limit, -limit] { path.limit d={ "M0 " (px(scale.y(limit))) "H" (px(WIDTH)) } {} }
            }
            @for kind in [ServiceStatus::Wrong, ServiceStatus::Down] { (trouble(&frame, points, kind)) }
        }
    }
}

/// When it was wrong or down: marks in the strip.
fn trouble(frame: &Frame, points: &[Point], kind: ServiceStatus) -> Markup {
    let is_so = |point: &Point| (!point.summary.times.of(kind).is_zero()).then_some(());
    let ends = |from: Timestamp, to: Timestamp| (frame.x(from), (frame.x(to) - frame.x(from)).max(1.5));
    html! {
        @for run in runs(points, is_so) {
            @if let (Some(first), Some(last)) = (run.first(), run.last()) {
                @let (left, width) = ends(first.from, last.to);
                rect class=(kind.name()) x=(px(left)) y=(px(HEIGHT - STRIP)) width=(px(width)) height=(px(STRIP)) {}
            }
        }
    }
}

fn description(points: &[Point], hull: Option<OffsetBounds>, range: Range) -> String {
    let times = points.iter().fold(FourTimes::default(), |sum, point| sum + point.summary.times);
    let offset = hull.map_or("not known".to_owned(), bounds);
    let mut text = format!("Offset of the last {}: {offset}", rough(elapsed(range.from, range.to)));
    for kind in [ServiceStatus::Wrong, ServiceStatus::Down, ServiceStatus::Unknown] {
        let time = times.of(kind);
        if !time.is_zero() {
            // Writing to a String cannot fail.
            let _ = write!(text, ", {} for {}", kind.name(), rough(time));
        }
    }
    text
}
