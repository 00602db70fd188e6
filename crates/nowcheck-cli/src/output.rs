//! What is printed of a round, a file for each format.

mod color;
mod human;
mod nagios;
mod perfdata;

use clap::ValueEnum;
use nowcheck::outcome::{Outcome, Status};
use nowcheck::report::json;

use crate::charset::Charset;
use crate::setting_names::words;

pub(crate) use nagios::without_outcome as plugin_line;

/// The format of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Human,
    /// One JSON object per round, on one line.
    Json,
    /// One line as monitoring plugins print it, with performance data.
    Nagios,
}

/// What is printed of a round, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Presentation {
    /// The format.
    pub(crate) output: Output,
    /// Whether a plugin's line is followed by the details.
    pub(crate) has_details: bool,
    /// Whether nothing is printed of what is OK.
    pub(crate) is_quiet: bool,
    /// The characters that may be printed.
    pub(crate) charset: Charset,
}

impl Presentation {
    /// Whether anything is printed of what came to that status.
    #[must_use]
    pub(crate) fn shows(self, status: Status) -> bool {
        !self.is_quiet || status != Status::Ok
    }
}

/// A single round, if anything is to be printed of it.
///
/// # Errors
/// When a figure is not a JSON number, which would be a mistake in this crate.
pub(crate) fn single(outcome: &Outcome, presentation: Presentation) -> anyhow::Result<Option<String>> {
    print(outcome, presentation, human::lines)
}

/// One of many rounds, if anything is to be printed of it: one line for people and programs.
///
/// # Errors
/// As [`single`].
pub(crate) fn one_of_many(outcome: &Outcome, presentation: Presentation) -> anyhow::Result<Option<String>> {
    print(outcome, presentation, human::line)
}

fn print(
    outcome: &Outcome,
    presentation: Presentation,
    for_people: fn(&Outcome) -> String,
) -> anyhow::Result<Option<String>> {
    let charset = presentation.charset;
    if !presentation.shows(outcome.status()) {
        return Ok(None);
    }
    Ok(Some(match presentation.output {
        Output::Human => charset.encoded(&for_people(outcome)).into_owned(),
        Output::Json => charset.encoded_json(&json::line(outcome, words())?).into_owned() + "\n",
        Output::Nagios => nagios::lines(outcome, presentation.has_details, charset),
    }))
}

#[cfg(test)]
#[expect(clippy::needless_raw_string_hashes, reason = "the snapshots are written by a tool")]
mod tests;
