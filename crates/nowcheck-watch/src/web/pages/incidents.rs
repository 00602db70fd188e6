//! Incidents in words, with the evidence that they rest on.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use maud::{Markup, html};

use super::parts::{self, Depth, status};
use super::{Page, RELOAD};
use crate::history::{History, HistoryError, HistoryReader, PastIncident, Range};
use crate::incident::{Change, Scope};
use crate::plot::Size;
use crate::report::svg::plots;
use crate::report::{Report, words};
use crate::status::CheckStatus;
use crate::timestamps::elapsed;
use crate::web::Served;

/// Incidents that are listed, at most.
const LISTED: usize = 200;
/// Incidents of that time are listed.
const LISTED_OF: Duration = Duration::from_hours(90 * 24);
/// Changes of an incident that are told, at most: the first ones and the last ones.
const TOLD: usize = 40;
/// Evidence is shown of so many changes.
const SHOWN: usize = 10;
/// A round that changed something began at most so long before.
const LONGEST_ROUND: Duration = Duration::from_mins(10);

/// The page at `/incidents`.
///
/// # Errors
/// The history cannot be read, in a sentence.
pub(in crate::web) async fn incidents(served: &Arc<Served>, now: Timestamp) -> Result<Markup, String> {
    let found = read(served, move |reader| reader.incidents(Range::last(LISTED_OF, now), LISTED)).await?;
    let open = found.iter().filter(|incident| incident.until.is_none()).count();
    let title = match open {
        0 => "No incident is open".to_owned(),
        1 => "1 incident is open".to_owned(),
        open => format!("{open} incidents are open"),
    };
    let content = html! {
        h1 { (title) }
        @if found.is_empty() { p { "There was none in the last 90 days, as far as was watched." } }
        @else { p.dim { "Those of the last 90 days, the latest first." } }
        div #incidents { @for incident in &found { (article(incident, now, Depth::Top)) } }
    };
    let mark = if open == 0 { CheckStatus::Ok } else { CheckStatus::Down };
    let depth = Depth::Top;
    let page = Page { title: &title, mark, depth, events: Some(depth.events(None)), reload: RELOAD, content };
    Ok(page.render(served, now))
}

/// The page at `/incidents/ID`; none if there is no such incident.
///
/// # Errors
/// The history cannot be read, in a sentence.
pub(in crate::web) async fn incident(
    served: &Arc<Served>,
    id: &str,
    now: Timestamp,
) -> Result<Option<Markup>, String> {
    let id = id.to_owned();
    let found = read(served, move |reader| {
        let Some(incident) = reader.incident(&id)? else { return Ok(None) };
        let evidence = evidence(reader, &incident)?;
        let course = course(reader, &incident, now);
        Ok(Some((incident, evidence, course)))
    });
    let Some((incident, evidence, course)) = found.await? else { return Ok(None) };
    let title = format!("{}: {}", words::whose(&incident), words::state(&incident));
    let is_open = incident.until.is_none();
    let depth = Depth::Below;
    let content = html! {
        p.dim { a href=(depth.incidents()) { "Incidents" } }
        (head(&incident, now))
        @if is_open { (advice(served, &incident)) }
        @if let Some(report) = &course { (plots_of(report)) }
        (story(&incident, &evidence))
    };
    let events = match &incident.scope {
        Scope::Check(check) if is_open => Some(depth.events(Some(check))),
        Scope::Monitor(_) if is_open => Some(depth.events(None)),
        _ => None,
    };
    let mark = if is_open { CheckStatus::Down } else { CheckStatus::Ok };
    let page = Page { title: &title, mark, depth, events, reload: RELOAD, content };
    Ok(Some(page.render(served, now)))
}

/// Reads beside everything else.
async fn read<T: Send + 'static>(
    served: &Arc<Served>,
    read: impl FnOnce(&HistoryReader) -> Result<T, HistoryError> + Send + 'static,
) -> Result<T, String> {
    let history: History = served.results.history().clone();
    let reading = tokio::task::spawn_blocking(move || history.reader().and_then(|reader| read(&reader)));
    reading.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
}

/// What the rounds found that changed an incident, as JSON; none where it is not kept any more.
fn evidence(reader: &HistoryReader, incident: &PastIncident) -> Result<Vec<Option<String>>, HistoryError> {
    let Scope::Check(check) = &incident.scope else { return Ok(Vec::new()) };
    let of = |change: &Change| {
        let from = change.at.checked_sub(LONGEST_ROUND).unwrap_or(Timestamp::MIN);
        let range = Range { from, to: change.at, now: change.at };
        let round = reader.rounds(check, range, 1)?.pop();
        Ok(match round {
            Some(round) => reader.outcome(check, round.start)?.map(|json| indented(&json)),
            None => None,
        })
    };
    incident.changes.iter().take(SHOWN).map(of).collect()
}

fn indented(json: &str) -> String {
    let value = serde_json::from_str::<serde_json::Value>(json);
    value.and_then(|value| serde_json::to_string_pretty(&value)).unwrap_or_else(|_| json.to_owned())
}

/// The incidents on the page of a check.
pub(super) fn of_check(incidents: &[PastIncident], now: Timestamp) -> Markup {
    html! {
        section #incidents {
            h2 { "Incidents" }
            @if incidents.is_empty() { p { "None in this time." } }
            @for incident in incidents { (article(incident, now, Depth::Below)) }
        }
    }
}

fn article(incident: &PastIncident, now: Timestamp, depth: Depth) -> Markup {
    let title = html! {
        a href=(depth.incident(&incident.id)) { (words::whose(incident)) } " " (status(words::state(incident)))
        @if incident.until.is_none() { " " span.open { "open" } }
    };
    html! {
        article id={ "incident-" (parts::encoded(&incident.id)) } {
            @if depth == Depth::Top { h2 { (title) } } @else { h3 { (title) } }
            p { (words::summary(incident)) }
            p.dim { (words::when(incident, now)) }
        }
    }
}

/// What has to be read first.
pub(super) fn head(incident: &PastIncident, now: Timestamp) -> Markup {
    html! {
        section #incident {
            h1 { (words::whose(incident)) " " (status(words::state(incident))) @if incident.until.is_none() { " " span.open { "open" } } }
            p.verdict { (words::summary(incident)) }
            p { (words::when(incident, now)) }
            @if let Scope::Check(check) = &incident.scope { p { a href=(page_around(check, incident, now)) { "The page of " (check) " at that time" } } }
        }
    }
}

/// All that happened, from the beginning.
pub(super) fn story(incident: &PastIncident, evidence: &[Option<String>]) -> Markup {
    let changes = &incident.changes;
    let left_out = changes.len().saturating_sub(TOLD);
    let first = if left_out > 0 { TOLD / 2 } else { changes.len() };
    html! {
        section #story {
            h2 { "What happened" }
            ol.story {
                @for (nth, change) in changes.iter().enumerate().take(first) { (step(change, evidence.get(nth))) }
                @if left_out > 0 {
                    li.dim { (left_out) " more changes" }
                    @for change in &changes[first + left_out..] { (step(change, None)) }
                }
            }
        }
    }
}

/// What to do next, as the latest round says it.
fn advice(served: &Served, incident: &PastIncident) -> Markup {
    let Scope::Check(check) = &incident.scope else { return html! {} };
    let state = served.board.check(check);
    let advice = state.as_ref().and_then(|state| state.latest.as_ref()?.advice.as_ref());
    html! { section #next { @if let Some(advice) = advice { p { strong { "Next: " } (advice) } } } }
}

/// The course of the check around an incident; none if it is not kept, or the incident is about the monitor.
fn course(reader: &HistoryReader, incident: &PastIncident, now: Timestamp) -> Option<Report> {
    let Scope::Check(check) = &incident.scope else { return None };
    let (from, to) = around(incident, now);
    let [from, to] = [from, to].map(|second| Timestamp::from_second(second).ok());
    let report = Report::read(reader, Some(check), Range { from: from?, to: to?, now }).ok()?;
    Some(report).filter(|report| !report.checks.is_empty())
}

fn plots_of(report: &Report) -> Markup {
    let check = &report.checks[0];
    let [wide, narrow] = [Size::Wide, Size::Narrow].map(|size| plots(check, report, size));
    // Round trips say little about what was wrong.
    let both = wide.iter().zip(&narrow).take(2).enumerate();
    html! {
        section #course {
            h2 { "The course around it" }
            @for (nth, (wide, narrow)) in both {
                figure {
                    figcaption { b { (wide.title()) } " " span.dim { (wide.description()) } }
                    (wide.inline(&format!("plot-{nth}"), "wide"))
                    (narrow.inline(&format!("plot-{nth}-narrow"), "narrow"))
                }
            }
        }
    }
}

/// The page of the check, with the time of the incident and as much before and after it.
fn page_around(check: &str, incident: &PastIncident, now: Timestamp) -> String {
    let (from, to) = around(incident, now);
    format!("{}?from={from}&to={to}", Depth::Below.check(check))
}

/// The time of the incident and as much before and after it, in seconds since 1970.
fn around(incident: &PastIncident, now: Timestamp) -> (i64, i64) {
    let until = incident.until.unwrap_or(now);
    let length = elapsed(incident.since, until).as_secs().clamp(300, 86_400 * 90);
    let length = i64::try_from(length).unwrap_or(300);
    let (from, to) = (incident.since.as_second() - length, until.as_second() + length);
    (from.max(0), to.min(now.as_second()))
}

fn step(change: &Change, json: Option<&Option<String>>) -> Markup {
    let evidence = &change.evidence;
    html! {
        li {
            p { strong { time datetime=(change.at) { (words::instant(change.at)) } " " (words::change(change.kind)) } }
            p { (evidence.summary) }
            @if let Some(offset) = evidence.offset { p.dim { "Offset: " (parts::offset(offset)) } }
            @if !evidence.places.is_empty() {
                ul { @for (place, trouble) in &evidence.places {
                    li { (place.to_string()) ": " (trouble.reason)
                        @if let Some(offset) = trouble.offset { ", " (parts::offset(offset)) } }
                } }
            }
            @if let Some(Some(json)) = json {
                details { summary { "Everything that the round found, as JSON" } pre tabindex="0" { code { (json) } } }
            }
        }
    }
}
