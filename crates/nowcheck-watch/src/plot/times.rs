//! The four kinds of time, a lane for each: the place tells which kind it is, also without colors.

use std::time::Duration;

use maud::{Markup, html};
use nowcheck::text::figures;

use super::course::runs;
use super::frame::{Frame, px};
use super::{Plot, Size};
use crate::availability::FourTimes;
use crate::history::{Point, Range};
use crate::incident::ServiceStatus;

/// The lanes, from the top.
const KINDS: [ServiceStatus; 4] =
    [ServiceStatus::Ok, ServiceStatus::Wrong, ServiceStatus::Down, ServiceStatus::Unknown];

const LANE: f64 = 14.0;
const SPACE: f64 = 8.0;
/// Even a second of trouble in a day is to be seen.
const LEAST_HEIGHT: f64 = 3.0;
const LEAST_WIDTH: f64 = 1.5;

/// When the check was what. The height of a bar is the share of its time.
#[must_use]
pub fn times(points: &[Point], range: Range, size: Size) -> Plot {
    let frame = Frame::new(size, range, 4.0 * (LANE + SPACE));
    let body = html! {
        (frame.time_axis())
        @for (nth, kind) in (0_u8..).zip(KINDS) {
            @let bottom = frame.top + f64::from(nth) * (LANE + SPACE) + LANE + SPACE / 2.0;
            path.grid d={ "M" (px(frame.left)) " " (px(bottom)) "H" (px(frame.right)) } {}
            text x=(px(frame.left - 8.0)) y=(px(bottom - 2.0)) text-anchor="end" { (kind.name()) }
            (bars(&frame, points, kind, bottom))
        }
    };
    Plot { title: "What it was when", description: description(points), frame, body }
}

/// The bars of one kind. Neighbors of the same height are one.
fn bars(frame: &Frame, points: &[Point], kind: ServiceStatus, bottom: f64) -> Markup {
    let height = |point: &Point| {
        let (time, total) = (point.summary.times.of(kind), point.summary.times.total());
        let share = time.as_secs_f64() / total.as_secs_f64();
        (!time.is_zero()).then(|| px((share * LANE).clamp(LEAST_HEIGHT, LANE)))
    };
    let runs = runs(points, height);
    html! {
        @for run in &runs {
            @for same in run.chunk_by(|one, next| one.value == next.value) {
                @if let [first, ..] = same && let [.., last] = same {
                    @let (left, right) = (frame.x(first.from), frame.x(last.to));
                    @let left = left.min(frame.right - LEAST_WIDTH);
                    @let width = (right - left).max(LEAST_WIDTH);
                    @let top = bottom - first.value.parse().unwrap_or(LANE);
                    rect class=(kind.name()) x=(px(left)) y=(px(top)) width=(px(width)) height=(first.value) {}
                }
            }
        }
    }
}

fn description(points: &[Point]) -> String {
    let times = points.iter().fold(FourTimes::default(), |sum, point| sum + point.summary.times);
    let parts: Vec<String> = KINDS
        .into_iter()
        .map(|kind| (kind, times.of(kind)))
        .filter(|(_, time)| *time > Duration::ZERO)
        .map(|(kind, time)| format!("{} for {}", kind.name(), figures::length(time)))
        .collect();
    if parts.is_empty() { "It was not watched in this time.".to_owned() } else { parts.join(", ") + "." }
}
