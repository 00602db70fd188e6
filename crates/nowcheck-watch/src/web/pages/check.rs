//! One check: what it is now, its course, its clocks and its incidents.

use std::sync::Arc;

use jiff::Timestamp;
use maud::{Markup, html};
use nowcheck::check::MOST_BACKENDS;
use nowcheck::text::figures;

use super::parts::{self, Depth, ago, encoded, status, until};
use super::shown::{Length, Shown};
use super::{Page, RELOAD, incidents, instances};
use crate::board::{BackendState, CheckState, LatestRound};
use crate::figures::{bounds, rough};
use crate::history::{History, Point};
use crate::incident::ServiceStatus;
use crate::plot::Size;
use crate::report::svg::plots;
use crate::report::{CheckReport, Clock, Report, ReportError, words};
use crate::timestamps::elapsed;
use crate::web::Served;
use crate::web::query::Query;

/// The page at `/checks/NAME`; none if there is no such check.
pub(in crate::web) async fn check(
    served: &Arc<Served>,
    name: &str,
    query: &Query,
    now: Timestamp,
) -> Option<Markup> {
    let state = served.board.check(name)?;
    let shown = Shown::asked(query, now);
    let (history, of) = (served.results.history().clone(), name.to_owned());
    // The disk may be slow, and other pages and alerts must not wait for it.
    let read = tokio::task::spawn_blocking(move || read(&history, &of, shown)).await;
    let report = read.unwrap_or_else(|error| Err(error.to_string()));
    let title = format!("{}: {}", name, state.status_at(now).name());
    let page = Page {
        title: &title,
        mark: state.status_at(now),
        depth: Depth::Below,
        events: Some(Depth::Below.events(Some(name))),
        reload: if state.latest.is_none() { 1 } else { RELOAD },
        content: content(served, &state, &report, shown, now),
    };
    Some(page.render(served, now))
}

/// What the history says; none if it has no rounds yet, and a sentence if it cannot be read.
pub(super) type Read = Result<Option<Report>, String>;

fn read(history: &History, name: &str, shown: Shown) -> Read {
    let reader = history.reader().map_err(|error| error.to_string())?;
    match Report::read(&reader, Some(name), shown.range) {
        Ok(report) => Ok(Some(report).filter(|report| !report.checks.is_empty())),
        Err(ReportError::NoCheck { .. }) => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

pub(super) fn content(
    served: &Served,
    state: &CheckState,
    report: &Read,
    shown: Shown,
    now: Timestamp,
) -> Markup {
    let of = report.as_ref().ok().and_then(Option::as_ref);
    let check = of.and_then(|report| report.checks.first().map(|check| (check, report)));
    html! {
        (now_it_is(served, state, now))
        (ranges(state, shown, check.map(|(_, report)| report)))
        @match (check, report) {
            (Some((check, report)), _) => (course(check, report)),
            (None, Err(problem)) => section #course { h2 { "Course" } p.fault { "The history cannot be read: " (problem) } },
            (None, Ok(_)) => section #course { h2 { "Course" } p { "Nothing is stored of this time yet." } },
        }
        (backends(state, check.map(|(check, _)| check), now))
        (instances::of_check(served, &state.identity.name))
        @if let Some((_, report)) = check { (incidents::of_check(&report.incidents, now)) }
        (explanation())
    }
}

/// What it is at the moment, in words and figures.
fn now_it_is(served: &Served, state: &CheckState, now: Timestamp) -> Markup {
    let identity = &state.identity;
    let kind = state.status_at(now);
    let latest = state.latest.as_ref();
    let is_overdue = latest.is_some() && now >= state.stands_until;
    html! {
        section #now class={ "now " (kind.name()) } {
            h1 { (identity.name) }
            p.verdict {
                (status(kind.name())) @if latest.is_some() { " for " (ago(state.since_at(now), now)) }
            }
            @match latest {
                None => p { "No round has had a result yet." },
                Some(_) if is_overdue => p { "No round has had a result since then, so nothing is known. The last one found:" },
                Some(_) => {},
            }
            @if let Some(latest) = latest {
                p.found { (latest.summary) }
                @if let Some(advice) = &latest.advice { p { strong { "Next: " } (advice) } }
            }
            @if let Some(id) = served.results.incident_of(&identity.name) { p { a href=(Depth::Below.incident(&id)) { "The incident, with its evidence" } } }
            (facts(state, now))
        }
    }
}

fn facts(state: &CheckState, now: Timestamp) -> Markup {
    let identity = &state.identity;
    html! {
        dl {
            div { dt { "URL" } dd { (identity.url) } }
            @if !identity.labels.is_empty() {
                div { dt { "Labels" } dd { @for (name, value) in &identity.labels { (name) "=" (value) " " } } }
            }
            div { dt { "Rounds" } dd {
                "every " (figures::limit(identity.every))
                @if let Some(next) = state.next_round { ", next " (until(next, now)) }
            } }
            @if let Some(latest) = &state.latest { (latest_facts(state, latest, now)) }
            @if let Some(within) = state.found_within.filter(|_| state.backends.len() > 1) {
                div { dt { "A faulty clock" } dd { "of these " (state.backends.len()) " is found within " (figures::limit(within)) } }
            }
        }
    }
}

fn latest_facts(state: &CheckState, latest: &LatestRound, now: Timestamp) -> Markup {
    html! {
        div { dt { "Offset" } dd.figure {
            @match latest.offset { Some(bounds) => (parts::offset(bounds)), None => "not known" }
            ", limit ±" (figures::limit(state.identity.max_offset))
        } }
        @if let Some(took) = latest.round_trip { div { dt { "Round trip" } dd.figure { (figures::length(took)) } } }
        div { dt { "Last round" } dd {
            (ago(latest.at, now)) " ago, took " (figures::length(latest.duration)) ", "
            (latest.requests) @if latest.requests == 1 { " request" } @else { " requests" }
        } }
        @if latest.phases.named().next().is_some() { div { dt { "Its first request" } dd.figure { (phases(latest)) } } }
        div { dt { "Compared with" } dd { (latest.reference) } }
        @if let Some(expiry) = latest.certificate_expires_at {
            div { dt { "Certificate" } dd { (words::certificate(expiry, now)) } }
        }
    }
}

/// How long each phase took: `connect 210 µs, wait 340 µs`.
fn phases(latest: &LatestRound) -> String {
    let phases = latest.phases.named().map(|(name, took)| format!("{name} {}", figures::length(took)));
    phases.collect::<Vec<_>>().join(", ")
}

/// Links to other stretches of time.
fn ranges(state: &CheckState, shown: Shown, report: Option<&Report>) -> Markup {
    let path = Depth::Below.check(&state.identity.name);
    let range = report.map_or(shown.range, |report| report.range);
    let moves =
        [("Earlier", -0.5, 0.5), ("Later", 0.5, 1.5), ("Zoom in", 0.25, 0.75), ("Zoom out", -0.5, 1.5)];
    html! {
        nav #ranges aria-label="Time that is shown" {
            @for length in Length::ALL {
                a href={ (path) "?range=" (length.name()) } aria-current=[(shown.length == Some(length)).then_some("true")] { (length.name()) }
            }
            span.moves {
                @for (name, from, to) in moves {
                    @let is_later = name == "Later" && range.to >= range.now;
                    @if let Some(query) = Shown::part(range, from, to).filter(|_| !is_later) { a href={ (path) (query) } { (name) } }
                }
            }
        }
    }
}

/// The plots, and the same in figures.
fn course(check: &CheckReport, report: &Report) -> Markup {
    let range = report.range;
    let [wide, narrow] = [Size::Wide, Size::Narrow].map(|size| plots(check, report, size));
    let times = &check.period.summary.times;
    html! {
        section #course data-plots {
            h2 { "Course" }
            p.dim {
                time datetime=(range.from) { (words::instant(range.from)) } " – "
                time datetime=(range.to) { (words::instant(range.to.min(range.now))) }
            }
            p { "Available " strong { (words::availability(times)) }
                @if !times.unknown.is_zero() { ". The range is as wide as the time that is unknown: " (figures::length(times.unknown)) }
                "." }
            @for (nth, (wide, narrow)) in wide.iter().zip(&narrow).enumerate() {
                figure {
                    figcaption { b { (wide.title()) } " " span.dim { (wide.description()) } }
                    (wide.inline(&format!("plot-{nth}"), "wide"))
                    (narrow.inline(&format!("plot-{nth}-narrow"), "narrow"))
                }
            }
            @if !check.jumps.is_empty() {
                h3 { "Jumps of the offset" }
                ul { @for jump in &check.jumps { li { (words::jump(jump)) } } }
            }
            details #figures { summary { "The same in figures" } (figures_table(&check.points)) }
        }
    }
}

/// What the plots draw. The script reads it out.
fn figures_table(points: &[Point]) -> Markup {
    let known = points.iter().filter(|point| !point.summary.times.total().is_zero());
    html! {
        div.scroll tabindex="0" role="region" aria-labelledby="figures-caption" { table {
            caption #figures-caption { "The course in figures, the latest last" }
            thead { tr { th scope="col" { "From" } th scope="col" { "State" } th scope="col" { "Offset" } th scope="col" { "Round trip (median)" } } }
            tbody { @for point in known {
                tr data-from=(point.from.as_second()) data-to=(point.to.as_second()) {
                    th scope="row" { (point.from.strftime("%Y-%m-%d %H:%M:%S")) }
                    td { (kinds(point)) }
                    td { (point.summary.offset.map_or("not known".to_owned(), bounds)) }
                    td { (point.summary.round_trips.quantile(0.5).map_or("–".to_owned(), figures::length)) }
                }
            } }
        } }
    }
}

/// What it was in a stretch: `ok`, or `down 20 s, ok 40 s`.
fn kinds(point: &Point) -> String {
    let times = &point.summary.times;
    let kinds = [ServiceStatus::Down, ServiceStatus::Wrong, ServiceStatus::Unknown, ServiceStatus::Ok];
    let some: Vec<ServiceStatus> = kinds.into_iter().filter(|kind| !times.of(*kind).is_zero()).collect();
    if let [only] = some[..] {
        return only.name().to_owned();
    }
    let parts = some.into_iter().map(|kind| format!("{} {}", kind.name(), figures::length(times.of(kind))));
    parts.collect::<Vec<_>>().join(", ")
}

/// The clocks behind it: those of the last rounds, and where their offsets go.
pub(super) fn backends(state: &CheckState, report: Option<&CheckReport>, now: Timestamp) -> Markup {
    let clocks = report.map_or(&[][..], |report| &report.clocks);
    let of = |backend: &BackendState| clocks.iter().find(|clock| clock.instance == backend.instance);
    let is_met = |clock: &&Clock| !state.backends.iter().any(|backend| backend.instance == clock.instance);
    let mut others: Vec<&Clock> = clocks.iter().filter(is_met).collect();
    // Of a service that renames its instances there are as many as there were answers.
    others.sort_by_key(|clock| std::cmp::Reverse(clock.last));
    others.truncate(MOST_BACKENDS);
    let limit = Some(state.identity.max_offset);
    html! {
        section #backends {
            h2 { "Clocks" }
            @if let Some(why) = state.unlisted { p { (why.sentence()) } }
            @if state.backends.is_empty() && clocks.is_empty() { p { "None has answered yet." } }
            @else { div.scroll { table {
                caption.hidden { "The clocks behind this check" }
                thead { tr {
                    @for name in ["Clock", "Status", "Offset", "Last heard", "Drift of the last two days, and forecast"] { th scope="col" { (name) } }
                } }
                tbody {
                    @for backend in &state.backends { tr id={ "clock-" (encoded(backend.instance.as_deref().unwrap_or(&backend.address))) } {
                        th scope="row" { (backend.instance.as_deref().unwrap_or("without a name")) br; small { (backend.address) } }
                        td data-name="Status" { (status(backend.status.name())) }
                        td.figure data-name="Offset" { (parts::offset(backend.offset)) }
                        td.figure data-name="Last heard" { (ago(backend.last_heard, now)) " ago" }
                        td.words data-name="Drift" { (of(backend).map_or("not known yet".to_owned(), |clock| words::drift(clock, limit, now))) }
                    } }
                    @for clock in &others { tr {
                        th scope="row" { (clock.instance.as_deref().unwrap_or("all, without a name")) }
                        td data-name="Status" { "–" }
                        td.figure data-name="Offset" { (parts::offset(clock.offset)) }
                        td.figure data-name="Last heard" { (rough(elapsed(clock.last, now))) " ago" }
                        td.words data-name="Drift" { (words::drift(clock, limit, now)) }
                    } }
                }
            } } }
        }
    }
}

fn explanation() -> Markup {
    html! {
        section #reading.dim {
            h2 { "How to read it" }
            p { "The offset is the service's time minus the reference. The band holds the offset of every clock that answered; it is
                proven, not estimated. A gray stretch is time in which the check was watched and no offset was proven: no line is
                drawn through it. A triangle marks a jump that is faster than clocks drift." }
            p { "Each moment is ok, wrong (the clock is off by more than the limit, or the answer is old), down, or unknown (the
                monitor was off, or could not tell). Availability is a range: its ends are what it is if all of the unknown time was
                bad, and if all of it was ok." }
        }
    }
}
