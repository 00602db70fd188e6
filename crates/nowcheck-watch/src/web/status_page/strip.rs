//! The last days of a service, a column for each.

use std::fmt::Write as _;

use maud::{Markup, html};
use nowcheck::text::figures;

use super::published::{DAYS, Day, PublicService};
use crate::incident::ServiceStatus;
use crate::report::words;

const COLUMN: f64 = 6.0;
const STEP: f64 = 8.0;
const HEIGHT: f64 = 32.0;
/// Even a second of trouble in a day is to be seen.
const LEAST: f64 = 5.0;

/// What is not ok, from the top of a column.
const TROUBLE: [ServiceStatus; 3] = [ServiceStatus::Down, ServiceStatus::Wrong, ServiceStatus::Unknown];

/// The days as a picture, whose name says what it shows.
pub(super) fn strip(service: &PublicService) -> Markup {
    let times = service.times(usize::from(DAYS));
    let label =
        format!("The last {DAYS} days of {}: {} available", service.name, words::availability(&times));
    let width = STEP * f64::from(DAYS) - (STEP - COLUMN);
    let first = usize::from(DAYS).saturating_sub(service.days.len());
    let mut whole = Whole::default();
    whole.ends(first, Kind::Empty);
    let (mut ok, mut parts) = (String::new(), Vec::new());
    for (day, nth) in service.days.iter().zip(first..) {
        if day.times.total().is_zero() {
            whole.ends(nth + 1, Kind::Empty);
        } else if has_trouble(day) {
            let heights = heights(day);
            let top: f64 = heights.iter().sum();
            if top < HEIGHT {
                bar(&mut ok, column(nth), top, HEIGHT - top);
            }
            whole.ends(nth + 1, Kind::Parts);
            parts.push((day, column(nth), heights));
        } else {
            whole.ends(nth + 1, Kind::Ok);
        }
    }
    let (empty, all_ok) = whole.paths();
    html! {
        svg.strip viewBox={ "0 0 " (width) " " (HEIGHT) } preserveAspectRatio="none" role="img" aria-label=(label) {
            @for (kind, path) in [("empty", empty), ("ok", all_ok)] { @if !path.is_empty() { path class={ "whole " (kind) } d=(path) {} } }
            @if !ok.is_empty() { path.ok d=(ok) {} }
            @for (day, x, heights) in &parts {
                g {
                    title { (said(day)) }
                    @for (nth, (kind, height)) in TROUBLE.iter().zip(heights).enumerate() {
                        @if *height > 0.0 {
                            @let top: f64 = heights[..nth].iter().sum();
                            rect class=(kind.name()) x=(x) y=(rounded(top)) width=(COLUMN) height=(rounded(*height)) {}
                        }
                    }
                }
            }
        }
    }
}

/// Where a column begins.
fn column(nth: usize) -> f64 {
    // At most 90.
    STEP * f64::from(u32::try_from(nth).unwrap_or_default())
}

/// What fills a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Empty,
    Ok,
    Parts,
}

/// Columns that are filled by one kind. Neighbors are one dashed line, because most days are ok, and a page has many.
#[derive(Debug, Default)]
struct Whole {
    /// Of each run its kind, and where it ends.
    runs: Vec<(Kind, usize)>,
}

impl Whole {
    /// From where the last run ended until there, it is this.
    fn ends(&mut self, until: usize, kind: Kind) {
        match self.runs.last_mut() {
            Some((last, end)) if *last == kind => *end = until,
            _ if until > 0 => self.runs.push((kind, until)),
            _ => {}
        }
    }

    /// The lines of empty columns, and of those that are ok.
    fn paths(&self) -> (String, String) {
        let (mut empty, mut ok) = (String::new(), String::new());
        let mut from = 0;
        for (kind, until) in &self.runs {
            let path = match kind {
                Kind::Empty => Some(&mut empty),
                Kind::Ok => Some(&mut ok),
                Kind::Parts => None,
            };
            if let Some(path) = path {
                // Writing to a String cannot fail.
                let _ =
                    write!(path, "M{} {}H{}", column(from), HEIGHT / 2.0, column(*until) - (STEP - COLUMN));
            }
            from = *until;
        }
        (empty, ok)
    }
}

/// How high each kind of trouble stands in the column of a day: by its share of the time that was watched.
fn heights(day: &Day) -> [f64; 3] {
    let total = day.times.total().as_secs_f64();
    let share = |kind: ServiceStatus| day.times.of(kind).as_secs_f64() / total;
    let mut heights = TROUBLE.map(|kind| {
        let share = share(kind);
        if share > 0.0 { (share * HEIGHT).max(LEAST) } else { 0.0 }
    });
    let sum: f64 = heights.iter().sum();
    // A day of which something was ok shows that, too.
    let most = if day.times.ok.is_zero() { HEIGHT } else { HEIGHT - LEAST };
    if sum > most {
        heights = heights.map(|height| height * most / sum);
    }
    heights
}

fn bar(path: &mut String, x: f64, top: f64, height: f64) {
    // Writing to a String cannot fail.
    let _ = write!(path, "M{x} {}h{COLUMN}v{}h-{COLUMN}z", rounded(top), rounded(height));
}

fn rounded(length: f64) -> f64 {
    (length * 10.0).round() / 10.0
}

/// `2026-11-20: down 2 h 5 min, unknown 30.0 s`.
pub(super) fn said(day: &Day) -> String {
    let kinds = TROUBLE.into_iter().filter(|kind| !day.times.of(*kind).is_zero());
    let parts = kinds.map(|kind| format!("{} {}", kind.name(), figures::length(day.times.of(kind))));
    format!("{}: {}", day.from.strftime("%Y-%m-%d"), parts.collect::<Vec<_>>().join(", "))
}

/// Whether something was not ok.
pub(super) fn has_trouble(day: &Day) -> bool {
    TROUBLE.into_iter().any(|kind| !day.times.of(kind).is_zero())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::availability::FourTimes;

    #[test]
    fn neighbors_that_are_alike_are_one_line_that_ends_with_its_last_column() {
        let mut whole = Whole::default();
        whole.ends(2, Kind::Empty);
        for nth in 2..90 {
            whole.ends(nth + 1, if nth == 50 { Kind::Parts } else { Kind::Ok });
        }
        assert_eq!(whole.paths(), ("M0 16H14".to_owned(), "M16 16H398M408 16H718".to_owned()));
        let mut whole = Whole::default();
        whole.ends(0, Kind::Empty);
        whole.ends(1, Kind::Ok);
        assert_eq!(whole.paths(), (String::new(), "M0 16H6".to_owned()));
    }

    proptest! {
        #[test]
        fn a_column_is_never_overfull_and_shows_every_kind_of_time(
            ok in 0..86_400_u64, wrong in 0..86_400_u64, down in 0..86_400_u64, unknown in 0..86_400_u64,
        ) {
            prop_assume!(ok + wrong + down + unknown > 0);
            let [ok, wrong, down, unknown] = [ok, wrong, down, unknown].map(Duration::from_secs);
            let day = Day { from: jiff::Timestamp::UNIX_EPOCH, times: FourTimes { ok, wrong, down, unknown } };
            let heights = heights(&day);
            let sum: f64 = heights.iter().sum();
            prop_assert!(sum <= HEIGHT + 1e-9, "{sum}");
            prop_assert_eq!(sum < HEIGHT - 1.0, !ok.is_zero());
            for (kind, height) in TROUBLE.into_iter().zip(heights) {
                prop_assert_eq!(height > 1.0, !day.times.of(kind).is_zero(), "{:?}", heights);
            }
        }
    }
}
