//! What the tables say about each other: names that are used twice, that nothing has, and checks that need each other.

use std::collections::{HashMap, HashSet};

use super::Config;
use super::closest::closest;
use super::duration::written;
use super::problem::Problem;
use super::report::Report;

use nowcheck::reference::References;
use nowcheck::reference::poll_interval::TooFrequent;
use nowcheck::text::printable;

use crate::references::RENEWED_AFTER;

/// The names of every table of a kind, with the lines: also of those that are wrong otherwise, so that nothing is missed twice.
#[derive(Debug, Default)]
pub(super) struct Names(Vec<(String, usize)>);

impl Names {
    /// Adds one.
    pub(super) fn add(&mut self, name: &str, line: usize) {
        self.0.push((name.to_owned(), line));
    }

    /// Notes each that is there already.
    pub(super) fn must_differ(&self, report: &Report<'_>, what: &'static str) {
        let mut first: HashMap<&str, usize> = HashMap::new();
        for (name, line) in &self.0 {
            match first.get(name.as_str()) {
                Some(first) => {
                    let table = called(what, name);
                    report.add(Some(*line), &table, Problem::DuplicateName { first: *first, what });
                }
                None => {
                    first.insert(name, *line);
                }
            }
        }
    }
}

/// How messages call a table: `check "shop"`.
pub(super) fn called(what: &str, name: &str) -> String {
    format!("{what} \"{}\"", printable(name.as_bytes(), 100))
}

/// A list of names in some table.
struct Use<'a> {
    table: String,
    key: &'static str,
    line: Option<usize>,
    names: &'a [String],
}

impl Use<'_> {
    fn must_exist(&self, report: &Report<'_>, what: &'static str, known: &HashSet<&str>) {
        for name in self.names.iter().filter(|name| !known.contains(name.as_str())) {
            let meant = if report.is_full() { None } else { closest(name, known.iter().copied()) };
            let quoted = |name: &str| format!("\"{}\"", printable(name.as_bytes(), 100));
            let problem = Problem::UnknownName {
                key: self.key.to_owned(),
                what,
                name: quoted(name),
                closest: meant.map(quoted),
            };
            report.add(self.line, &self.table, problem);
        }
    }
}

/// Notes names that nothing has, and circles.
pub(super) fn validate(report: &Report<'_>, config: &Config, checks: &Names, alerts: &Names) {
    let known = |names: &Names| names.0.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let (checks, alerts) = (known(checks), known(alerts));
    let checks: HashSet<&str> = checks.iter().map(String::as_str).collect();
    let alerts: HashSet<&str> = alerts.iter().map(String::as_str).collect();
    for check in &config.checks {
        let table = called("check", &check.name);
        let needs = Use { table: table.clone(), key: "needs", line: check.lines.needs, names: &check.needs };
        needs.must_exist(report, "check", &checks);
        let names = check.alert.as_deref().unwrap_or_default();
        Use { table, key: "alert", line: check.lines.alert, names }.must_exist(report, "alert", &alerts);
    }
    for one in &config.maintenance {
        let table = called("maintenance", &one.name);
        let names = one.checks.as_deref().unwrap_or_default();
        Use { table, key: "checks", line: one.checks_line, names }.must_exist(report, "check", &checks);
    }
    must_not_be_circular(report, config);
    must_write_to_different_files(report, config);
    must_not_ask_too_often(report, config);
}

/// Each set of sources is queried for itself, so a time server that stands in many of them is queried often.
fn must_not_ask_too_often(report: &Report<'_>, config: &Config) {
    let mut sets: Vec<References> = Vec::new();
    let mut sets_with: HashMap<String, u32> = HashMap::new();
    for check in config.checks.iter().filter(|check| check.check.time_servers().next().is_some()) {
        let asks = check.check.references(Some(RENEWED_AFTER));
        if report.is_full() || sets.iter().any(|set| set.query_the_same_as(&asks)) {
            continue;
        }
        sets.push(asks);
        for server in check.check.time_servers().map(ToString::to_string).collect::<HashSet<_>>() {
            let count = sets_with.entry(server.clone()).or_default();
            *count += 1;
            let Err(TooFrequent::TimeServer { reference, least, .. }) =
                check.check.may_be_held_every(RENEWED_AFTER / *count)
            else {
                continue;
            };
            if reference.to_string() == server {
                let must = format!(
                    "would ask the time server {server} more often than once in {}, the most that courtesy allows (RFC 4330 section \
                     10): it stands in {count} different sets of references, each of which is asked once in {}s. Give checks the same \
                     references, resolve, ip_version and trust_system_clock, and they share one answer",
                    written(least),
                    RENEWED_AFTER.as_secs(),
                );
                let line = check.lines.references.or(Some(check.line));
                report.add(
                    line,
                    &called("check", &check.name),
                    Problem::Hidden { key: "references".to_owned(), must },
                );
            }
        }
    }
}

/// Follows `needs` from every check, each of them once, without recursion: a file may have thousands in a row.
fn must_not_be_circular(report: &Report<'_>, config: &Config) {
    let index: HashMap<&str, usize> =
        config.checks.iter().enumerate().map(|(nth, check)| (check.name.as_str(), nth)).collect();
    let mut is_done = vec![false; config.checks.len()];
    for start in 0..config.checks.len() {
        // The way from the start, and which of its needs is followed next.
        let mut way: Vec<(usize, usize)> = vec![(start, 0)];
        let mut on_way = HashSet::from([start]);
        while let Some((at, next)) = way.last_mut().filter(|(at, _)| !is_done[*at]) {
            let needed = config.checks[*at].needs.get(*next).map(|name| index.get(name.as_str()).copied());
            *next += 1;
            match needed {
                None => {
                    is_done[*at] = true;
                    on_way.remove(at);
                    way.pop();
                }
                Some(Some(needed)) if on_way.contains(&needed) => {
                    let begin = way.iter().position(|(at, _)| *at == needed).unwrap_or_default();
                    note_circle(report, config, way[begin..].iter().map(|(at, _)| *at));
                }
                Some(Some(needed)) if !is_done[needed] => {
                    on_way.insert(needed);
                    way.push((needed, 0));
                }
                Some(_) => {}
            }
        }
    }
}

fn note_circle(report: &Report<'_>, config: &Config, checks: impl Iterator<Item = usize>) {
    let mut checks: Vec<usize> = checks.collect();
    // Told from the first in the file, wherever it was found.
    let first = checks.iter().enumerate().min_by_key(|(_, check)| **check).map_or(0, |(nth, _)| nth);
    checks.rotate_left(first);
    let Some(begin) = checks.first().map(|nth| &config.checks[*nth]) else { return };
    let quoted = |nth: &usize| format!("\"{}\"", printable(config.checks[*nth].name.as_bytes(), 100));
    let mut names: Vec<String> = checks.iter().take(10).map(quoted).collect();
    if checks.len() > names.len() {
        names.push("…".to_owned());
    }
    names.push(quoted(&checks[0]));
    let line = begin.lines.needs.or(Some(begin.line));
    report.add(line, &called("check", &begin.name), Problem::Circle(names.join(" → ")));
}

fn must_write_to_different_files(report: &Report<'_>, config: &Config) {
    let mut first: HashMap<&std::path::PathBuf, usize> = HashMap::new();
    for (nth, export) in config.exports.iter().enumerate() {
        let Some(path) = export.destination.path() else { continue };
        if let Some(line) = first.insert(path, export.line) {
            let must = format!("is the file of the export in line {line} too; write to another one");
            let table = format!("export {}", nth + 1);
            report.add(Some(export.line), &table, Problem::Hidden { key: "path".to_owned(), must });
        }
    }
}
