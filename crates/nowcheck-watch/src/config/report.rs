//! Collects what is wrong with one file, with the line of each.

use std::cell::RefCell;
use std::ops::Range;

use nowcheck::text::printable;

use super::problem::{ConfigError, ConfigErrors, Problem};

/// More than anybody corrects at once, and few enough to look for the closest name for each.
const MOST_ERRORS: usize = 100;

/// The file, and what is wrong with it so far.
#[derive(Debug)]
pub(super) struct Report<'a> {
    file: &'a str,
    text: &'a str,
    /// Where each line begins.
    lines: Vec<usize>,
    errors: RefCell<Vec<ConfigError>>,
}

impl<'a> Report<'a> {
    /// Nothing is wrong yet.
    pub(super) fn new(file: &'a str, text: &'a str) -> Self {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { file, text, lines, errors: RefCell::default() }
    }

    /// The line of a place, counted from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        self.lines.partition_point(|begin| *begin <= at)
    }

    /// What is written there, made printable and cut off.
    pub(super) fn written(&self, span: Range<usize>) -> String {
        printable(self.text.get(span).unwrap_or_default().as_bytes(), 60)
    }

    /// Notes an error.
    pub(super) fn add(&self, line: Option<usize>, table: &str, problem: Problem) {
        let error = ConfigError { file: self.file.to_owned(), line, table: table.to_owned(), problem };
        self.errors.borrow_mut().push(error);
    }

    /// Whether there are so many errors that suggestions would cost more than they help.
    pub(super) fn is_full(&self) -> bool {
        self.errors.borrow().len() >= MOST_ERRORS
    }

    /// Whether nothing is wrong.
    pub(super) fn is_empty(&self) -> bool {
        self.errors.borrow().is_empty()
    }

    /// Everything that is wrong, in the order of lines; what concerns the whole file comes last. `torn` are the lines at which
    /// the file is not TOML.
    pub(super) fn into_errors(self, torn: &[usize]) -> ConfigErrors {
        let is_told = |error: &ConfigError| {
            torn.is_empty()
                || matches!(error.problem, Problem::Syntax(_) | Problem::DuplicateKey(_))
                // After a heading that cannot be read, keys seem to stand at the top.
                || !error.table.is_empty()
                    && error.problem.is_certain_in_a_torn_file()
                    && error.line.is_none_or(|line| !torn.contains(&line))
        };
        let mut errors = self.errors.into_inner();
        errors.retain(is_told);
        errors.sort_by_key(|error| error.line.unwrap_or(usize::MAX));
        errors.dedup();
        let further = errors.len().saturating_sub(MOST_ERRORS);
        errors.truncate(MOST_ERRORS);
        if further > 0 {
            let problem = Problem::More(further);
            errors.push(ConfigError {
                file: self.file.to_owned(),
                line: None,
                table: String::new(),
                problem,
            });
        }
        ConfigErrors(errors)
    }
}
