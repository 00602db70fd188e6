//! What is wrong with a file, as facts and as one line each.

use std::fmt;

use nowcheck::text::printable;

/// One thing that is wrong. It never holds the value of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The file, as it was named.
    pub file: String,
    /// The line, counted from 1; none if the whole file is meant.
    pub line: Option<usize>,
    /// The table, such as `check "shop"`; empty outside of tables.
    pub table: String,
    /// What is wrong.
    pub problem: Problem,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", printable(self.file.as_bytes(), 200))?;
        if let Some(line) = self.line {
            write!(formatter, ":{line}")?;
        }
        if !self.table.is_empty() {
            write!(formatter, ": {}", self.table)?;
        }
        write!(formatter, ": {}", self.problem)
    }
}

impl std::error::Error for ConfigError {}

/// Everything that is wrong with a file: at least one error, in the order of lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, error) in self.0.iter().enumerate() {
            write!(formatter, "{}{error}", if nth == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// `; did you mean max_offset?`, or nothing.
fn hint(closest: Option<&String>) -> String {
    closest.map_or_else(String::new, |closest| format!("; did you mean {closest}?"))
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// The environment variable cannot be read.
    #[error("is not set, or is not UTF-8; set this environment variable to the text of a configuration")]
    NoVariable,
    /// More than any configuration needs.
    #[error("is larger than 8 MiB, the most that a configuration may be; is this the right file?")]
    TooLarge,
    /// TOML is UTF-8.
    #[error("is not UTF-8 from here on; save the file as UTF-8")]
    NotUtf8,
    /// It is not TOML.
    #[error("is not TOML: {0}")]
    Syntax(String),
    /// A key or a table is there twice.
    #[error("{0} is given twice; leave one out")]
    DuplicateKey(String),
    /// There is no such table or key at the top of the file.
    #[error("unknown table {name}{}", hint(.closest.as_ref()))]
    UnknownTable {
        /// As it is written.
        name: String,
        /// The table that may be meant.
        closest: Option<String>,
    },
    /// There is no such key in this table.
    #[error("unknown key {key}{}", hint(.closest.as_ref()))]
    UnknownKey {
        /// As it is written.
        key: String,
        /// The key that may be meant.
        closest: Option<String>,
    },
    /// The key belongs elsewhere.
    #[error("unknown key {key}; it belongs into {place}")]
    Misplaced {
        /// As it is written.
        key: String,
        /// The tables that have it.
        place: String,
    },
    /// `[check]` instead of `[[check]]`, the other way round, or no table at all.
    #[error("{name} must be a table; write {heading}")]
    NotThisForm {
        /// The table.
        name: String,
        /// As it has to be written.
        heading: String,
    },
    /// A value cannot be.
    #[error("{key} = {value} {must}{}", hint(.closest.as_ref()))]
    Value {
        /// The key.
        key: String,
        /// As it is written, made printable.
        value: String,
        /// What it has to be.
        must: String,
        /// The value that may be meant.
        closest: Option<String>,
    },
    /// A value cannot be, and may be a secret.
    #[error("{key} {must}")]
    Hidden {
        /// The key.
        key: String,
        /// What is wrong.
        must: String,
    },
    /// A key has to be given.
    #[error("{key} is missing; {advice}")]
    Missing {
        /// The key.
        key: String,
        /// What to write.
        advice: String,
    },
    /// A secret stands in the file.
    #[error(
        "{key} is a secret and must not stand in this file; write {key}_file = \"PATH\" or {key}_env = \"VARIABLE\""
    )]
    LiteralSecret {
        /// The key.
        key: String,
    },
    /// Two keys exclude each other.
    #[error("{key} and {other} are both given; leave one out")]
    Both {
        /// One key.
        key: String,
        /// The other.
        other: String,
    },
    /// The key goes with another `type`.
    #[error("{key} goes with type = {types}, and this one is {kind}")]
    NotForType {
        /// The key.
        key: String,
        /// The types that have it.
        types: String,
        /// The type of this one.
        kind: String,
    },
    /// A name is used twice.
    #[error("the name is used twice, first in line {first}; every {what} needs a name of its own")]
    DuplicateName {
        /// The line of the first one.
        first: usize,
        /// What has the name.
        what: &'static str,
    },
    /// A name that nothing has.
    #[error("{key}: there is no {what} {name}{}", hint(.closest.as_ref()))]
    UnknownName {
        /// The key.
        key: String,
        /// What is meant.
        what: &'static str,
        /// The name, in quotes.
        name: String,
        /// The name that may be meant, in quotes.
        closest: Option<String>,
    },
    /// Checks need each other.
    #[error("needs goes in a circle: {0}; leave one of them out")]
    Circle(String),
    /// There is nothing to watch.
    #[error("has no check; add [[check]] with a name and a url, or [[probe]] for checks on request")]
    NoCheck,
    /// There were more.
    #[error("and {0} more errors; correct these first")]
    More(usize),
}

impl Problem {
    /// Whether it is certain although a part of the file cannot be read.
    pub(super) fn is_certain_in_a_torn_file(&self) -> bool {
        !matches!(
            self,
            Self::Missing { .. }
                | Self::UnknownName { .. }
                | Self::NoCheck
                | Self::Circle(_)
                | Self::Both { .. }
        )
    }
}
