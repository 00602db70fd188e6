//! One table of the file: hands out its values by their keys, and notes every one that is wrong.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::closest::closest;
use super::keys::{Key, Shape, TABLES, Table};
use super::problem::Problem;
use super::report::Report;

/// A value, and the line of its key; no line for a default.
#[derive(Debug, Clone)]
pub(super) struct Given<T> {
    pub(super) value: T,
    pub(super) line: Option<usize>,
}

/// Why a value cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    /// Follows the value in the message.
    pub(super) must: String,
    /// What may be meant.
    pub(super) closest: Option<String>,
    /// What is shown instead of what is written; an empty text hides the value.
    pub(super) shown: Option<String>,
}

impl Wrong {
    /// What a value has to be.
    pub(super) fn must(must: impl Into<String>) -> Self {
        Self { must: must.into(), closest: None, shown: None }
    }

    /// With what may be meant.
    pub(super) fn or(self, closest: Option<String>) -> Self {
        Self { closest, ..self }
    }

    /// With another text in place of the value.
    pub(super) fn showing(self, shown: impl Into<String>) -> Self {
        Self { shown: Some(shown.into()), ..self }
    }
}

/// A table of the file.
#[derive(Debug)]
pub(super) struct Section<'r> {
    pub(super) report: &'r Report<'r>,
    pub(super) table: &'static Table,
    /// Such as `check "shop"`.
    pub(super) called: String,
    /// Where it begins; none if it is not in the file.
    pub(super) line: Option<usize>,
    values: Option<&'r DeTable<'r>>,
    /// Whether keys that are not given have their defaults.
    has_defaults: bool,
}

impl<'r> Section<'r> {
    /// A table that is not in the file: every key has its default.
    pub(super) fn absent(report: &'r Report<'r>, table: &'static Table) -> Self {
        Self { report, table, called: table.name.to_owned(), line: None, values: None, has_defaults: true }
    }

    /// A table of the file. Notes its unknown keys.
    pub(super) fn open(
        report: &'r Report<'r>,
        table: &'static Table,
        called: String,
        (values, span): (&'r DeTable<'r>, Range<usize>),
    ) -> Self {
        let line = Some(report.line(span.start));
        let section = Self { report, table, called, line, values: Some(values), has_defaults: true };
        for key in values.keys() {
            section.must_be_known(key);
        }
        section
    }

    /// This table, with nothing for keys that are not given.
    pub(super) fn without_defaults(self) -> Self {
        Self { has_defaults: false, ..self }
    }

    /// Notes an error about this table.
    pub(super) fn wrong(&self, line: Option<usize>, problem: Problem) {
        self.report.add(line.or(self.line), &self.called, problem);
    }

    /// Its `type`, if it has a valid one.
    pub(super) fn kind(&self) -> Option<&'static str> {
        let (_, value) = self.entry("type")?;
        let text = value.get_ref().as_str()?;
        self.table.types().iter().find(|kind| **kind == text).copied()
    }

    /// Whether a key is given.
    pub(super) fn has(&self, name: &str) -> bool {
        self.entry(name).is_some()
    }

    /// The line of a key, if it is given.
    pub(super) fn line_of(&self, name: &str) -> Option<usize> {
        self.entry(name).map(|(line, _)| line)
    }

    /// Notes that a key is missing.
    pub(super) fn is_missing(&self, name: &str) {
        let key = self.table.keys().find(|key| key.name == name && key.goes_with(self.kind()));
        let advice = match key {
            Some(Key { shape: Shape::Secret, .. }) => {
                format!("write {name}_file = \"PATH\" or {name}_env = \"VARIABLE\"")
            }
            Some(Key { shape: Shape::Choice(words), .. }) => {
                format!("write {name} = {}", in_words(words.iter().map(|word| format!("\"{word}\""))))
            }
            Some(Key { example, .. }) => format!("write {name} = {example}"),
            None => "add it".to_owned(),
        };
        self.wrong(None, Problem::Missing { key: name.to_owned(), advice });
    }

    /// A key and its value as they are written.
    pub(super) fn entry(&self, name: &str) -> Option<(usize, &'r Spanned<DeValue<'r>>)> {
        let (key, value) = self.values?.get_key_value(name)?;
        Some((self.report.line(key.span().start), value))
    }

    /// The value of a key. What `read` says about it is noted.
    pub(super) fn value<T>(
        &self,
        name: &str,
        read: impl Fn(&'static Key, &DeValue<'_>) -> Result<T, Wrong>,
    ) -> Option<Given<T>> {
        let key = self.table.key(name);
        debug_assert!(key.is_some(), "{name} is not described in {}", self.table.name);
        let key = key?;
        match self.entry(name) {
            Some((line, written)) => match read(key, written.get_ref()) {
                Ok(value) => Some(Given { value, line: Some(line) }),
                Err(wrong) => {
                    self.value_is_wrong(name, (line, written.span()), wrong);
                    None
                }
            },
            None if key.is_required => {
                self.is_missing(name);
                None
            }
            None if self.has_defaults && !key.default.is_empty() => {
                let parsed = DeValue::parse(key.default).ok()?;
                let value = read(key, parsed.get_ref());
                debug_assert!(value.is_ok(), "the default of {name} is wrong");
                Some(Given { value: value.ok()?, line: None })
            }
            None => None,
        }
    }

    fn value_is_wrong(&self, name: &str, (line, span): (usize, Range<usize>), wrong: Wrong) {
        let key = name.to_owned();
        let value = wrong.shown.unwrap_or_else(|| self.report.written(span));
        let problem = if value.is_empty() {
            Problem::Hidden { key, must: wrong.must }
        } else {
            Problem::Value { key, value, must: wrong.must, closest: wrong.closest }
        };
        self.wrong(Some(line), problem);
    }

    fn must_be_known(&self, key: &Spanned<std::borrow::Cow<'_, str>>) {
        let line = Some(self.report.line(key.span().start));
        let text = key.get_ref().as_ref();
        let kind = self.kind();
        if self.table.keys().any(|known| known.goes_with(kind) && is_spelled(known, text)) {
            return;
        }
        let secret =
            |known: &&Key| known.shape == Shape::Secret && known.goes_with(kind) && known.name == text;
        if self.table.keys().any(|known| secret(&known)) {
            return self.wrong(line, Problem::LiteralSecret { key: text.to_owned() });
        }
        let problem = match self.table.spelled(text).or_else(|| self.table.secret(text)) {
            Some(known) => Problem::NotForType {
                key: text.to_owned(),
                types: in_words(known.only_for.iter().map(|kind| format!("\"{kind}\""))),
                kind: format!("\"{}\"", kind.unwrap_or_default()),
            },
            None => unknown_key(self.report, self.table, kind, text),
        };
        self.wrong(line, problem);
    }
}

fn is_spelled(key: &Key, text: &str) -> bool {
    match key.shape {
        Shape::Secret => {
            let rest = text.strip_prefix(key.name);
            rest.is_some_and(|rest| rest == "_file" || rest == "_env")
        }
        _ => key.name == text,
    }
}

/// A key that a table does not have: what is meant, or where it belongs.
fn unknown_key(report: &Report<'_>, table: &'static Table, kind: Option<&str>, text: &str) -> Problem {
    let key = nowcheck::text::printable(text.as_bytes(), 60);
    if report.is_full() {
        return Problem::UnknownKey { key, closest: None };
    }
    let synonym = table.keys().find(|known| known.goes_with(kind) && known.synonyms.contains(&text));
    if let Some(known) = synonym {
        let closest = known.spellings().into_iter().next();
        return Problem::UnknownKey { key, closest };
    }
    let spellings: Vec<String> =
        table.keys().filter(|known| known.goes_with(kind)).flat_map(Key::spellings).collect();
    let candidates = spellings.iter().map(String::as_str);
    match closest(text, candidates) {
        Some(known) => Problem::UnknownKey { key, closest: Some(known.to_owned()) },
        None => match places_of(text) {
            Some(place) => Problem::Misplaced { key, place },
            None => Problem::UnknownKey { key, closest: None },
        },
    }
}

/// The tables that have a key, in words.
pub(super) fn places_of(text: &str) -> Option<String> {
    let tables = TABLES.iter().filter(|table| table.spelled(text).is_some());
    let headings: Vec<String> = tables.map(|table| table.heading()).collect();
    (!headings.is_empty()).then(|| in_words(headings.into_iter()))
}

/// `a, b or c`.
pub(super) fn in_words(words: impl Iterator<Item = String>) -> String {
    let mut words: Vec<String> = words.collect();
    match words.pop() {
        Some(last) if words.is_empty() => last,
        Some(last) => format!("{} or {last}", words.join(", ")),
        None => String::new(),
    }
}
