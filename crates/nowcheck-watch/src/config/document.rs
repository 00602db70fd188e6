//! The whole file: its tables, each read by the module that knows it.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use nowcheck::text::printable;

use super::check::Defaults;
use super::closest::closest;
use super::keys::{self, TABLES, Table};
use super::problem::{ConfigErrors, Problem};
use super::relations::{self, Names};
use super::report::Report;
use super::section::{Section, in_words, places_of};
use super::values::Secrets;
use super::{Config, Fingerprint, alert, check, export, maintenance, probe, process};

/// Reads a file. Everything that is wrong with it is an error.
pub(super) fn read(file: &str, text: &str, secrets: Secrets<'_>) -> Result<Config, ConfigErrors> {
    let (root, errors) = DeTable::parse_recoverable(text);
    let report = Report::new(file, text);
    let document = Document { report: &report, root: root.get_ref() };
    let mut torn = Vec::new();
    for error in errors {
        let line = error.span().map(|span| report.line(span.start));
        torn.extend(line);
        let table = line.map_or_else(String::new, |line| document.table_at(line));
        report.add(line, &table, syntax(&report, &error));
    }
    let config = document.config(secrets);
    match config {
        Some(config) if report.is_empty() => Ok(config),
        _ => Err(report.into_errors(&torn)),
    }
}

fn syntax(report: &Report<'_>, error: &toml::de::Error) -> Problem {
    let message = error.message();
    if message.starts_with("duplicate key") {
        return Problem::DuplicateKey(error.span().map(|span| report.written(span)).unwrap_or_default());
    }
    let lines: Vec<&str> = message.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    Problem::Syntax(printable(lines.join(", ").as_bytes(), 200))
}

/// The tables of a file.
struct Document<'r> {
    report: &'r Report<'r>,
    root: &'r DeTable<'r>,
}

type Place<'r> = (&'r DeTable<'r>, Range<usize>);

impl<'r> Document<'r> {
    fn config(&self, secrets: Secrets<'_>) -> Option<Config> {
        self.must_be_known();
        let server = process::server(&self.one(&keys::SERVER), secrets);
        let history = process::history(&self.one(&keys::HISTORY), secrets);
        let defaults = Defaults::read(self.report, self.given(&keys::DEFAULTS), secrets);
        let [checks, alerts, maintenances, peers, probes] =
            [&keys::CHECK, &keys::ALERT, &keys::MAINTENANCE, &keys::PEER, &keys::PROBE]
                .map(|table| self.names(table));
        if self.places(&keys::CHECK).is_empty() && self.places(&keys::PROBE).is_empty() {
            self.report.add(None, "", Problem::NoCheck);
        }
        let config = Config {
            checks: self.each(&keys::CHECK, |section| check::read(section, &defaults, secrets)),
            alerts: self.each(&keys::ALERT, |section| alert::alert(&section, secrets)),
            maintenance: self.each(&keys::MAINTENANCE, |section| maintenance::read(&section)),
            heartbeat: self.given(&keys::HEARTBEAT).and_then(|section| alert::heartbeat(&section, secrets)),
            peers: self.each(&keys::PEER, |section| process::peer(&section, secrets)),
            quorum_down: process::quorum(&self.one(&keys::QUORUM), self.places(&keys::PEER).len()),
            exports: self.each(&keys::EXPORT, |section| export::read(&section, secrets)),
            probes: self.each(&keys::PROBE, |section| probe::read(section, &defaults, secrets)),
            server: server?,
            history: history?,
            fingerprint: Fingerprint::default(),
        };
        for (names, what) in [
            (&checks, "check"),
            (&alerts, "alert"),
            (&maintenances, "maintenance"),
            (&peers, "peer"),
            (&probes, "probe"),
        ] {
            names.must_differ(self.report, what);
        }
        relations::validate(self.report, &config, &checks, &alerts);
        Some(config)
    }

    /// Notes what stands at the top and is no table of this program.
    fn must_be_known(&self) {
        for (key, value) in self.root {
            let line = Some(self.report.line(key.span().start));
            let name = key.get_ref().as_ref();
            let shown = printable(name.as_bytes(), 60);
            let Some(table) = TABLES.iter().find(|table| table.name == name) else {
                self.report.add(line, "", unknown(self.report, (name, shown), value.get_ref()));
                continue;
            };
            let has_its_form = match value.get_ref() {
                DeValue::Table(_) => !table.is_list,
                DeValue::Array(items) => table.is_list && items.iter().all(|item| item.get_ref().is_table()),
                _ => false,
            };
            if !has_its_form {
                self.report.add(line, "", Problem::NotThisForm { name: shown, heading: table.heading() });
            }
        }
    }

    /// The tables of a kind, with their places.
    fn places(&self, table: &Table) -> Vec<Place<'r>> {
        let Some(value) = self.root.get(table.name) else { return Vec::new() };
        match value.get_ref() {
            DeValue::Table(values) => vec![(values, value.span())],
            DeValue::Array(items) => {
                items.iter().filter_map(|item| Some((item.get_ref().as_table()?, item.span()))).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The only table of a kind, if it is in the file.
    fn given(&self, table: &'static Table) -> Option<Section<'r>> {
        let place = self.places(table).into_iter().next()?;
        Some(Section::open(self.report, table, table.name.to_owned(), place))
    }

    /// The only table of a kind, or its defaults.
    fn one(&self, table: &'static Table) -> Section<'r> {
        self.given(table).unwrap_or_else(|| Section::absent(self.report, table))
    }

    fn each<T>(&self, table: &'static Table, read: impl Fn(Section<'r>) -> Option<T>) -> Vec<T> {
        let places = self.places(table).into_iter().enumerate();
        places
            .filter_map(|(nth, place)| {
                let called = called(table, nth, place.0);
                read(Section::open(self.report, table, called, place))
            })
            .collect()
    }

    fn names(&self, table: &Table) -> Names {
        let mut names = Names::default();
        for (values, span) in self.places(table) {
            if let Some(name) = values.get(table.named_by).and_then(|name| name.get_ref().as_str()) {
                names.add(name, self.report.line(span.start));
            }
        }
        names
    }

    /// What messages call the table in which a line is.
    fn table_at(&self, line: usize) -> String {
        let tables = TABLES.iter().flat_map(|table| {
            let places = self.places(table).into_iter().enumerate();
            places.map(|(nth, place)| (self.report.line(place.1.start), called(table, nth, place.0)))
        });
        let before = tables.filter(|(begin, _)| *begin <= line);
        before.max_by_key(|(begin, _)| *begin).map_or_else(String::new, |(_, called)| called)
    }
}

/// What messages call a table: `server`, `check "shop"`, or `check 2`, as long as it has no name.
fn called(table: &Table, nth: usize, values: &DeTable<'_>) -> String {
    if !table.is_list {
        return table.name.to_owned();
    }
    match values.get(table.named_by).and_then(|name| name.get_ref().as_str()) {
        Some(name) if !name.is_empty() => relations::called(table.name, name),
        _ => format!("{} {}", table.name, nth + 1),
    }
}

/// What somebody may have meant at the top of the file.
fn unknown(report: &Report<'_>, (name, shown): (&str, String), value: &DeValue<'_>) -> Problem {
    let is_table = match value {
        DeValue::Table(_) => true,
        DeValue::Array(items) => items.iter().any(|item| item.get_ref().is_table()),
        _ => false,
    };
    if !is_table {
        if let Some(place) = places_of(name) {
            return Problem::Misplaced { key: shown, place };
        }
        return Problem::UnknownKey { key: shown, closest: None };
    }
    if report.is_full() {
        return Problem::UnknownTable { name: shown, closest: None };
    }
    let meant = closest(name, TABLES.iter().map(|table| table.name));
    let plural = TABLES.iter().find(|table| name.strip_suffix('s') == Some(table.name));
    let meant = plural.or_else(|| TABLES.iter().find(|table| Some(table.name) == meant));
    let closest = meant.map(|table| table.heading());
    if closest.is_none() {
        let headings = in_words(TABLES.iter().map(|table| table.heading()));
        return Problem::UnknownTable { name: format!("{shown} (there are {headings})"), closest: None };
    }
    Problem::UnknownTable { name: shown, closest }
}
