//! The report as a table (RFC 4180): a line for each check and stretch of time.

use std::time::Duration;

use jiff::Timestamp;
use nowcheck::text::figures::{decimal_duration, decimal_seconds};

use super::Report;
use crate::history::Point;
use crate::plot::HIGH_QUANTILE;
use crate::status::CheckStatus;

/// The columns. Offsets are server minus reference. What is not known is empty.
const COLUMNS: [&str; 17] = [
    "check",
    "from",
    "to",
    "ok_seconds",
    "wrong_seconds",
    "down_seconds",
    "unknown_seconds",
    "rounds_ok",
    "rounds_warning",
    "rounds_wrong",
    "rounds_down",
    "rounds_unknown",
    "offset_lower_seconds",
    "offset_upper_seconds",
    "round_trip_median_seconds",
    "round_trip_p95_seconds",
    "max_offset_seconds",
];

/// The course of all checks. Stretches in which a check was not watched have no line.
#[must_use]
pub fn csv(report: &Report) -> String {
    let mut table = heading();
    for check in &report.checks {
        let watched = check.points.iter().filter(|point| !point.summary.times.total().is_zero());
        watched.for_each(|point| add_line(&mut table, &check.name, point, check.limit()));
    }
    table
}

/// The course of one check, whose clock may be off by so much.
pub(crate) fn csv_of(check: &str, points: &[Point], limit: Duration) -> String {
    let mut table = heading();
    for point in points {
        add_line(&mut table, check, point, Some(limit));
    }
    table
}

fn heading() -> String {
    COLUMNS.join(",") + "\r\n"
}

fn add_line(table: &mut String, check: &str, point: &Point, limit: Option<Duration>) {
    let summary = &point.summary;
    let (times, offset) = (&summary.times, summary.offset);
    let quantile = |share: f64| known(summary.round_trips.quantile(share));
    let mut cells = vec![quoted(check), instant(point.from), instant(point.to)];
    cells.extend([times.ok, times.wrong, times.down, times.unknown].map(decimal_duration));
    cells.extend(CheckStatus::ALL.map(|status| summary.rounds.of(status).to_string()));
    cells.extend([
        offset.map(|offset| decimal_seconds(offset.lower)).unwrap_or_default(),
        offset.map(|offset| decimal_seconds(offset.upper)).unwrap_or_default(),
        quantile(0.5),
        quantile(HIGH_QUANTILE),
        known(limit),
    ]);
    table.push_str(&cells.join(","));
    table.push_str("\r\n");
}

fn known(length: Option<Duration>) -> String {
    length.map(decimal_duration).unwrap_or_default()
}

fn instant(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// A text in quotes if it has to be.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
