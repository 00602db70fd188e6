//! An outcome to bytes, a file for each format. Nothing here reads or writes anything.

pub mod advice;
pub mod human;
pub mod json;
pub mod nagios;
pub mod references;
pub mod words;

use crate::cli::Output;
use crate::outcome::Outcome;

/// A single round in the wanted format.
///
/// # Errors
/// When a figure is not a JSON number, which would be a mistake in this crate.
pub fn single(outcome: &Outcome, output: Output) -> anyhow::Result<String> {
    Ok(match output {
        Output::Human => human::lines(outcome),
        Output::Json => json::line(outcome)? + "\n",
        Output::Nagios => nagios::line(outcome) + "\n",
    })
}

/// One of many rounds: one line.
///
/// # Errors
/// As [`single`].
pub fn one_of_many(outcome: &Outcome, output: Output) -> anyhow::Result<String> {
    match output {
        Output::Human => Ok(human::line(outcome)),
        Output::Json | Output::Nagios => single(outcome, output),
    }
}

#[cfg(test)]
#[expect(clippy::needless_raw_string_hashes, reason = "the snapshots are written by a tool")]
mod tests;
