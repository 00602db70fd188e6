//! `nowcheck report`: what the library of the monitor says of a history, on standard output.

use std::io::{IsTerminal, stdout};
use std::process::ExitCode;

use anyhow::{Context, anyhow, bail};
use nowcheck::clock::Clock;
use nowcheck_watch::history::{HistoryError, HistoryPlace, HistoryReader, Range};
use nowcheck_watch::report::{self, Report, ReportError};
use nowcheck_watch::timestamps::now;

use crate::command_line::report::{ReportArguments, ReportFormat};
use crate::diagnostics::Diagnostics;
use crate::history_file;
use crate::terminal::Stdout;

/// Writes a report; exit code 0 then, whatever it says.
pub(crate) fn run(arguments: &ReportArguments, diagnostics: Diagnostics, clock: Clock) -> ExitCode {
    match text(arguments, clock) {
        Ok(text) => match Stdout::new().write(&text) {
            Ok(_) => ExitCode::SUCCESS,
            Err(error) => diagnostics.unknown(&format!("standard output cannot be written: {error}")).into(),
        },
        Err(error) => diagnostics.usage(&format!("{error:#}")).into(),
    }
}

fn text(arguments: &ReportArguments, clock: Clock) -> anyhow::Result<String> {
    if arguments.output == ReportFormat::Html && stdout().is_terminal() {
        bail!("a page is not written to a terminal: say > report.html, or --output csv");
    }
    let file = match &arguments.history {
        Some(file) => file.clone(),
        None => history_file::default()
            .ok_or_else(|| anyhow!("there is no default history: say --history FILE"))?,
    };
    let reader = HistoryReader::open(&HistoryPlace::file(&file)).map_err(explained)?;
    let range = Range::last(arguments.since, now(clock));
    let report = match Report::read(&reader, arguments.check.as_deref(), range) {
        Ok(report) => report,
        Err(error @ ReportError::NoCheck { .. }) => return Err(error).context("--check"),
        Err(error) => return Err(error.into()),
    };
    Ok(match arguments.output {
        ReportFormat::Html => report::html(&report),
        ReportFormat::Svg => report::svg(&report),
        ReportFormat::Csv => report::csv(&report),
        ReportFormat::Json => report::json(&report),
    })
}

/// What to do about a history that cannot be opened.
fn explained(error: HistoryError) -> anyhow::Error {
    match error {
        HistoryError::NoFile { .. } => {
            anyhow!("{error}: say --history FILE, or start `nowcheck watch`, which writes one")
        }
        HistoryError::NotWritable { path } => {
            anyhow!("the history {} cannot be read; run this as a user who may read it", path.display())
        }
        error => error.into(),
    }
}
