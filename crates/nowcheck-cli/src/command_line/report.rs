//! The arguments of `nowcheck report`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use nowcheck_watch::config::parse_duration;

pub(super) const AFTER_HELP: &str = "\
Examples:
  nowcheck report > report.html                                    all checks, the last seven days
  nowcheck report --check shop --since 30d --output svg > shop.svg   the plots alone
  nowcheck report --since 1y --output csv > year.csv               for a spreadsheet
  nowcheck report --output json | jq .checks[].availability        for programs

It only reads the history. It measures nothing.";

/// What the report is about.
#[derive(Debug, Args)]
pub(crate) struct ReportArguments {
    /// The history file. Default, as for `nowcheck watch`: nowcheck.db in `$STATE_DIRECTORY`, `$XDG_STATE_HOME/nowcheck` or
    /// `~/.local/state/nowcheck`.
    #[arg(long, value_name = "FILE")]
    pub(crate) history: Option<PathBuf>,

    /// Report on this check only.
    #[arg(long, value_name = "NAME")]
    pub(crate) check: Option<String>,

    /// How far to look back, such as 12h, 7d, 4w or 1y.
    #[arg(long, value_name = "DURATION", value_parser = length, default_value = "7d")]
    pub(crate) since: Duration,

    /// The format of the report, which goes to standard output.
    #[arg(long, value_enum, default_value_t = ReportFormat::Html)]
    pub(crate) output: ReportFormat,
}

/// The form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// A page that needs no network and can be printed.
    Html,
    /// The plots as one drawing.
    Svg,
    /// One line for each check and period.
    Csv,
    /// Everything as one object; its schema is contract/nowcheck-report.schema.json.
    Json,
}

/// A hundred years are more than any history has.
const LONGEST: Duration = Duration::from_hours(100 * 365 * 24);

fn length(text: &str) -> Result<Duration, String> {
    match parse_duration(text) {
        Some(length) if length > Duration::ZERO && length <= LONGEST => Ok(length),
        _ => Err("write a duration of at most 100y, such as 12h, 7d or 1y".to_owned()),
    }
}
