//! What is printed of a round, a file for each format.

mod color;
mod human;
mod nagios;

use clap::ValueEnum;
use nowcheck::outcome::Outcome;
use nowcheck::report::json;

use crate::setting_names::words;

/// The format of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Human,
    /// One JSON object a round, on one line.
    Json,
    /// A monitoring plugin's line, with performance data.
    Nagios,
}

/// A single round in the wanted format.
///
/// # Errors
/// When a figure is not a JSON number, which would be a mistake in this crate.
pub(crate) fn single(outcome: &Outcome, output: Output) -> anyhow::Result<String> {
    Ok(match output {
        Output::Human => human::lines(outcome),
        Output::Json => json::line(outcome, words())? + "\n",
        Output::Nagios => nagios::line(outcome) + "\n",
    })
}

/// One of many rounds: one line.
///
/// # Errors
/// As [`single`].
pub(crate) fn one_of_many(outcome: &Outcome, output: Output) -> anyhow::Result<String> {
    match output {
        Output::Human => Ok(human::line(outcome)),
        Output::Json | Output::Nagios => single(outcome, output),
    }
}

#[cfg(test)]
#[expect(clippy::needless_raw_string_hashes, reason = "the snapshots are written by a tool")]
mod tests;
