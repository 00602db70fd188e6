//! The report as a drawing: the plots of each check below each other.

use super::words;
use super::{CheckReport, Report};
use crate::plot::{self, Plot, Size};

/// The plots of all checks as one SVG document.
#[must_use]
pub fn svg(report: &Report) -> String {
    let heading = |check: &CheckReport| {
        format!("{}: available {}", check.name, words::availability(&check.period.summary.times))
    };
    let groups: Vec<(String, Vec<Plot>)> =
        report.checks.iter().map(|check| (heading(check), plots(check, report, Size::Wide).into())).collect();
    plot::document("Report of nowcheck", &groups)
}

/// The plots of a check, in the order in which they are shown.
pub(crate) fn plots(check: &CheckReport, report: &Report, size: Size) -> [Plot; 3] {
    [
        plot::offset(&check.points, &check.jumps, check.limit(), report.range, size),
        plot::times(&check.points, report.range, size),
        plot::round_trips(&check.points, report.range, size),
    ]
}
