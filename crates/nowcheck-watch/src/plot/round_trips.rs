//! Round trips: the median, and up to the quantile that most of them do not exceed.

use maud::html;
use nowcheck::text::figures;

use super::course::{area, line, runs};
use super::frame::{Frame, Scale};
use super::offset::gaps;
use super::ticks::ticks;
use super::{Plot, Size};
use crate::history::{Point, Range, Sketch};

const HEIGHT: f64 = 100.0;

/// The share of round trips that the upper end of the band does not exceed.
pub const HIGH_QUANTILE: f64 = 0.95;

/// The round trips over time: a line at the median, and a band from there to the 95th percentile.
#[must_use]
pub fn round_trips(points: &[Point], range: Range, size: Size) -> Plot {
    let frame = Frame::new(size, range, HEIGHT);
    let at = |point: &Point, share: f64| {
        point.summary.round_trips.quantile(share).map(|length| length.as_secs_f64() * 1e9)
    };
    let highest = points.iter().filter_map(|point| at(point, HIGH_QUANTILE)).fold(0.0, f64::max);
    let scale = Scale::new(&frame, 0.0, highest);
    let spreads = runs(points, |point| Some((at(point, 0.5)?, at(point, HIGH_QUANTILE)?)));
    let medians = runs(points, |point| at(point, 0.5));
    let body = html! {
        (gaps(&frame, points))
        (scale.axis(&frame, &ticks(scale.low, scale.high, 4)))
        (frame.time_axis())
        @for spread in &spreads { path.spread d=(area(&frame, &scale, spread)) {} }
        @for median in &medians { path.median d=(line(&frame, &scale, median)) {} }
    };
    Plot { title: "Round trips", description: description(points), frame, body }
}

fn description(points: &[Point]) -> String {
    let mut all = Sketch::default();
    for point in points {
        all.merge(&point.summary.round_trips);
    }
    match (all.quantile(0.5), all.quantile(HIGH_QUANTILE)) {
        (Some(median), Some(high)) => {
            let [median, high] = [median, high].map(figures::length);
            format!("Half of the round trips take at most {median}, 95 % of them at most {high}.")
        }
        _ => "No round trip is known in this time.".to_owned(),
    }
}
