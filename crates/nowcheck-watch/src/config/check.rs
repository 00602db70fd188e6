//! `[[check]]`, `[defaults]`, and what they share with `[[probe]]`: how a round measures.

mod settings;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use nowcheck::check::{Check, CheckError};

use super::duration::written;
use super::keys;
use super::problem::Problem;
use super::report::Report;
use super::section::{Given, Section};
use super::values::Secrets;

pub(super) use settings::RoundSettings;

/// A service to watch.
#[derive(Debug, Clone)]
pub struct CheckConfig {
    /// Its name, which no other check has.
    pub name: String,
    /// What a round asks of whom.
    pub check: Arc<Check>,
    /// The period of rounds.
    pub every: Duration,
    /// Labels of its metrics and messages.
    pub labels: BTreeMap<String, String>,
    /// The names of other checks: while one of them is not ok, no alert is opened for this one.
    pub needs: Vec<String>,
    /// The names of its alerts; none for all.
    pub alert: Option<Vec<String>>,
    /// Whether the status page shows it.
    pub is_public: bool,
    /// The line of its beginning.
    pub(super) line: usize,
    /// The lines of some of its keys.
    pub(super) lines: Lines,
}

/// Where keys stand that are judged together with other tables.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Lines {
    pub(super) needs: Option<usize>,
    pub(super) alert: Option<usize>,
    pub(super) references: Option<usize>,
}

impl CheckConfig {
    /// The most that a round may take, whatever has to be asked in it.
    pub(crate) fn longest_round(&self) -> Duration {
        longest_round(self.every)
    }
}

fn longest_round(every: Duration) -> Duration {
    every * 9 / 10
}

/// What a check is besides its rounds; nothing where a key is not given.
#[derive(Debug)]
struct Context {
    every: Option<Given<Duration>>,
    labels: Option<Given<BTreeMap<String, String>>>,
    needs: Option<Given<Vec<String>>>,
    alert: Option<Given<Vec<String>>>,
    public: Option<Given<bool>>,
}

impl Context {
    fn read(section: &Section<'_>) -> Self {
        Self {
            every: section.duration("every"),
            labels: section.labels("labels"),
            needs: section.list("needs"),
            alert: section.list("alert"),
            public: section.boolean("public"),
        }
    }
}

/// What a check has when it does not say so itself: the values of `[defaults]`, and those that are built in.
#[derive(Debug)]
pub(super) struct Defaults {
    context: [Context; 2],
    /// How rounds measure by default.
    pub(super) round: RoundSettings,
}

impl Defaults {
    /// Reads `[defaults]`, if the file has it.
    pub(super) fn read(report: &Report<'_>, section: Option<Section<'_>>, secrets: Secrets<'_>) -> Self {
        let built_in = Section::absent(report, &keys::DEFAULTS);
        let mut round = RoundSettings::read(&built_in, secrets);
        round.ca_file = Some(Given { value: secrets.source.authorities(), line: None });
        let given = section.unwrap_or_else(|| Section::absent(report, &keys::DEFAULTS)).without_defaults();
        Self {
            round: RoundSettings::read(&given, secrets).or(&round),
            context: [Context::read(&given), Context::read(&built_in)],
        }
    }

    /// The first that is given: by the check, by `[defaults]`, by what is built in.
    fn first<'a, T>(
        &'a self,
        own: &'a Context,
        of: impl Fn(&'a Context) -> Option<&'a Given<T>>,
    ) -> Option<&'a Given<T>> {
        [own, &self.context[0], &self.context[1]].into_iter().find_map(of)
    }
}

/// Reads a check. None if it cannot be one; why is noted.
pub(super) fn read(section: Section<'_>, defaults: &Defaults, secrets: Secrets<'_>) -> Option<CheckConfig> {
    let section = section.without_defaults();
    let name = section.name("name");
    let url = section.target("url");
    let own = Context::read(&section);
    let round = RoundSettings::read(&section, secrets).or(&defaults.round);
    let every = defaults.first(&own, |context| context.every.as_ref())?;
    must_leave_room(&section, every, round.timeout.as_ref());
    let check = build(&section, &round, url.as_ref().map(|url| url.value.as_str()))?;
    // What is silent to the end of a round must not take the next slot, too.
    let check = check.ending_within(longest_round(every.value));
    let name = name?.value;
    let mut labels = BTreeMap::new();
    for context in [&defaults.context[1], &defaults.context[0], &own] {
        labels.extend(context.labels.iter().flat_map(|labels| labels.value.clone()));
    }
    let needs = defaults.first(&own, |context| context.needs.as_ref());
    let alert = defaults.first(&own, |context| context.alert.as_ref());
    let public = defaults.first(&own, |context| context.public.as_ref());
    let lines = Lines {
        needs: needs.and_then(|given| given.line),
        alert: alert.and_then(|given| given.line),
        references: round.references.as_ref().and_then(|given| given.line),
    };
    let mut needs = needs.map(|needs| needs.value.clone()).unwrap_or_default();
    if own.needs.is_none() {
        // What every check needs does not need itself.
        needs.retain(|needed| *needed != name);
    }
    Some(CheckConfig {
        name,
        check: Arc::new(check),
        every: every.value,
        labels,
        needs,
        alert: alert.map(|alert| alert.value.clone()),
        is_public: public.is_some_and(|public| public.value),
        line: section.line.unwrap_or_default(),
        lines,
    })
}

/// A round has to end before the next one begins.
fn must_leave_room(section: &Section<'_>, every: &Given<Duration>, timeout: Option<&Given<Duration>>) {
    let Some(timeout) = timeout.filter(|timeout| timeout.value > every.value) else { return };
    let [period, longest] = [every, timeout].map(|given| written(given.value));
    let (key, value, must, line) = if every.line.is_some() {
        let default = if timeout.line.is_none() { ", the default" } else { "" };
        let must = format!(
            "must not be less than timeout ({longest}{default}); write timeout = \"{period}\" or less"
        );
        ("every", period, must, every.line)
    } else {
        let must = format!(
            "must not be more than every ({period}, the default); write every = \"{longest}\" or more"
        );
        ("timeout", longest, must, timeout.line)
    };
    let problem = Problem::Value { key: key.to_owned(), value: format!("\"{value}\""), must, closest: None };
    section.wrong(line, problem);
}

/// The check of a URL. Without a valid URL, what is wrong with the rest is noted all the same.
fn build(section: &Section<'_>, round: &RoundSettings, url: Option<&str>) -> Option<Check> {
    let limits = (round.warn_offset.as_ref(), round.max_offset.as_ref());
    if let (Some(warn), Some(max)) = limits
        && warn.value >= max.value
    {
        cannot_warn(section, warn, max);
        return None;
    }
    let headers = round.request_headers(section);
    match round.check(url?, headers?) {
        Ok(check) => Some(check),
        Err(CheckError::UnusedAddress { host }) => {
            let problem = Problem::Value {
                key: "resolve".to_owned(),
                value: format!("[\"{host}:…\"]"),
                must: "names a host that neither url nor references have".to_owned(),
                closest: None,
            };
            section.wrong(round.resolve.as_ref().and_then(|given| given.line), problem);
            None
        }
        // Every other value was checked when it was read.
        Err(error) => {
            section.wrong(
                section.line_of("url"),
                Problem::Hidden { key: "url".to_owned(), must: error.to_string() },
            );
            None
        }
    }
}

/// Notes that the warning limit is not below the maximum.
pub(super) fn cannot_warn(section: &Section<'_>, warn: &Given<Duration>, max: &Given<Duration>) {
    let problem = Problem::Value {
        key: "warn_offset".to_owned(),
        value: format!("\"{}\"", written(warn.value)),
        must: format!("must be less than max_offset ({}), or it could never warn", written(max.value)),
        closest: None,
    };
    section.wrong(warn.line.or(max.line), problem);
}
