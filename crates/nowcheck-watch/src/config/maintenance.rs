//! `[[maintenance]]`: when no alert is opened.

use std::time::Duration;

use super::problem::Problem;
use super::section::Section;
use crate::incident::Window;

/// A time in which no alert is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaintenanceConfig {
    /// Its name.
    pub name: String,
    /// When; the end of `Once` is later than its beginning, and `Weekly` is shorter than a week.
    pub window: Window,
    /// The names of its checks; none for all.
    pub checks: Option<Vec<String>>,
    /// The line of its beginning.
    pub(super) line: usize,
    /// The line of `checks`.
    pub(super) checks_line: Option<usize>,
}

const WEEK: Duration = Duration::from_hours(7 * 24);

/// Reads a time of maintenance.
pub(super) fn read(section: &Section<'_>) -> Option<MaintenanceConfig> {
    let name = section.name("name");
    let checks = section.list("checks");
    let checks_line = checks.as_ref().and_then(|given| given.line);
    let window = window(section);
    Some(MaintenanceConfig {
        name: name?.value,
        window: window?,
        checks: checks.map(|given| given.value),
        line: section.line.unwrap_or_default(),
        checks_line,
    })
}

fn window(section: &Section<'_>) -> Option<Window> {
    for (key, other) in [("weekly", "from"), ("weekly", "until"), ("for", "until")] {
        if section.has(key) && section.has(other) {
            section
                .wrong(section.line_of(key), Problem::Both { key: key.to_owned(), other: other.to_owned() });
            return None;
        }
    }
    match (section.has("from"), section.has("weekly")) {
        (_, true) => weekly(section),
        (true, false) => once(section),
        (false, false) => {
            section.is_missing("from");
            None
        }
    }
}

fn once(section: &Section<'_>) -> Option<Window> {
    if !section.has("until") && !section.has("for") {
        section.is_missing("for");
    }
    let zone = section.zone("zone");
    let [from, until] = ["from", "until"].map(|key| section.moment(key));
    let length = section.duration("for");
    let zone = zone?.value;
    let from = from?.value.instant(&zone)?;
    if let Some(length) = length {
        let Ok(until) = from.checked_add(length.value) else {
            let problem = Problem::Value {
                key: "for".to_owned(),
                value: format!("\"{}\"", super::duration::written(length.value)),
                must: "ends later than any date".to_owned(),
                closest: None,
            };
            section.wrong(length.line, problem);
            return None;
        };
        return Some(Window::Once { from, until });
    }
    let until = until?;
    let end = until.value.instant(&zone)?;
    if end <= from {
        let problem = Problem::Value {
            key: "until".to_owned(),
            value: format!("\"{end}\""),
            must: format!("must be later than from (\"{from}\")"),
            closest: None,
        };
        section.wrong(until.line, problem);
        return None;
    }
    Some(Window::Once { from, until: end })
}

fn weekly(section: &Section<'_>) -> Option<Window> {
    if !section.has("for") {
        section.is_missing("for");
    }
    let zone = section.zone("zone");
    let begin = section.weekly("weekly");
    let length = section.duration("for")?;
    if length.value >= WEEK {
        let problem = Problem::Value {
            key: "for".to_owned(),
            value: format!("\"{}\"", super::duration::written(length.value)),
            must: "must be less than a week with weekly".to_owned(),
            closest: None,
        };
        section.wrong(length.line, problem);
        return None;
    }
    let (weekday, at, named) = begin?.value;
    Some(Window::Weekly { weekday, at, zone: named.unwrap_or(zone?.value), length: length.value })
}
