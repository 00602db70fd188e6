//! All checks, the worst first.

use std::cmp::Reverse;
use std::sync::Arc;

use jiff::Timestamp;
use maud::{Markup, html};
use nowcheck::text::figures;

use super::filter::{Filter, ON_A_PAGE, label, with_text};
use super::parts::{self, Depth, ago, encoded, is_bad, status, until};
use super::{Page, RELOAD, instances, past};
use crate::board::{CheckState, NOT_CHECKED_YET, Recent};
use crate::incident::{Incident, Scope};
use crate::plot::sparkline;
use crate::status::CheckStatus;
use crate::web::Served;
use crate::web::query::Query;

/// The page at `/`.
pub(in crate::web) fn overview(served: &Served, query: &Query, now: Timestamp) -> Markup {
    let all = served.board.checks();
    let worst = all.iter().map(|check| check.status_at(now)).max().unwrap_or(CheckStatus::Unknown);
    let title = title(&all, now);
    let content = if all.is_empty() { nothing_yet() } else { content(served, &all, query, &title, now) };
    // Soon there is something to show.
    let is_new = all.iter().any(|check| check.latest.is_none());
    let page = Page {
        title: &title,
        mark: worst,
        depth: Depth::Top,
        events: Some(Depth::Top.events(None)),
        reload: if is_new { 1 } else { RELOAD },
        content,
    };
    page.render(served, now)
}

/// The one sentence that has to be read.
fn title(checks: &[Arc<CheckState>], now: Timestamp) -> String {
    let bad = checks.iter().filter(|check| is_bad(check.status_at(now))).count();
    let new = checks.iter().filter(|check| check.latest.is_none()).count();
    match (bad, checks.len()) {
        (_, 0) => "Nothing is watched yet".to_owned(),
        (_, 1) if new == 1 => "The first round is under way".to_owned(),
        (_, all) if new == all => format!("The first rounds of {all} checks are under way"),
        (0, 1) => "The check is ok".to_owned(),
        (0, all) => format!("All {all} checks are ok"),
        (1, 1) => "The check is not ok".to_owned(),
        (1, all) => format!("1 of {all} checks is not ok"),
        (bad, all) => format!("{bad} of {all} checks are not ok"),
    }
}

fn content(served: &Served, all: &[Arc<CheckState>], query: &Query, title: &str, now: Timestamp) -> Markup {
    let filter = Filter::asked(query);
    let mut found: Vec<&Arc<CheckState>> = all.iter().filter(|check| filter.has_words(check)).collect();
    let counts = counts(&filter, &found, now);
    found.retain(|check| filter.has_status(check, now));
    found.sort_by_cached_key(|check| (Reverse(check.status_at(now)), check.identity.name.clone()));
    let first = (filter.page - 1).saturating_mul(ON_A_PAGE).min(found.len());
    let shown = &found[first..found.len().min(first + ON_A_PAGE)];
    past::look_up(served, shown, now);
    html! {
        div #summary { h1 { (title) } (counts) }
        (faults(served, now))
        form #filter role="search" action=(Depth::Top.root()) method="get" data-keep {
            label for="q" { "Filter" }
            input #q type="search" name="q" value=(filter.text) placeholder="name, URL or label=value" autocomplete="off" spellcheck="false";
            @if let Some(status) = filter.status { input type="hidden" name="status" value=(status.name()); }
            button { "Filter" }
        }
        @if shown.is_empty() { (no_match(&filter, found.len())) }
        ol #checks data-rows { @for check in shown { (row(served, check, now)) } }
        (pages(&filter, first, shown.len(), found.len()))
        (instances::all(served))
    }
}

/// How many checks have which status: links to those.
fn counts(filter: &Filter, found: &[&Arc<CheckState>], now: Timestamp) -> Markup {
    let mut kinds = CheckStatus::ALL;
    kinds.sort_by_key(|kind| Reverse(*kind));
    let count = |kind: CheckStatus| found.iter().filter(|check| check.status_at(now) == kind).count();
    html! {
        nav.counts aria-label="Checks by status" {
            @for kind in kinds {
                @let count = count(kind);
                @if count > 0 || filter.status == Some(kind) {
                    a class={ "status " (kind.name()) } href=(filter.with_status(Some(kind)))
                        aria-current=[(filter.status == Some(kind)).then_some("true")] { (count) " " (kind.name()) }
                }
            }
            @if filter.is_set() { a href=(Depth::Top.root()) { "show all" } }
        }
    }
}

/// What is wrong with the monitor itself.
fn faults(served: &Served, now: Timestamp) -> Markup {
    let faults = served.results.faults();
    html! {
        div #faults { @for fault in &faults { (monitor_fault(fault, now)) } }
    }
}

fn monitor_fault(fault: &Incident, now: Timestamp) -> Markup {
    let Scope::Monitor(part) = fault.scope() else { return html! {} };
    html! {
        p.fault {
            strong { "The monitor itself: " (part) } " – " (fault.evidence().summary) ". Since " (ago(fault.since(), now)) ". "
            a href=(Depth::Top.incident(fault.id().as_str())) { "Incident" }
        }
    }
}

fn row(served: &Served, check: &CheckState, now: Timestamp) -> Markup {
    let identity = &check.identity;
    let kind = check.status_at(now);
    html! {
        li class={ "check " (kind.name()) } id={ "check-" (encoded(&identity.name)) } {
            p.what { (status(kind.name())) " " @if check.reason_at(now) != NOT_CHECKED_YET { (ago(check.since_at(now), now)) } }
            div.who {
                h2 { a href=(Depth::Top.check(&identity.name)) { (identity.name) } }
                p.dim {
                    (identity.url)
                    @for (name, value) in &identity.labels { " " (label_link(name, value)) }
                }
            }
            p.offset {
                @match check.offset_at(now) { Some(bounds) => (parts::offset(bounds)), None => "no offset" }
                small { "limit ±" (figures::limit(identity.max_offset)) }
            }
            (sparkline(&check.recent.points(now), identity.max_offset, Recent::range(now)))
            p.next.dim { @if let Some(next) = check.next_round { "next " (until(next, now)) } }
            @if kind != CheckStatus::Ok { (trouble(served, check, now)) }
        }
    }
}

fn label_link(name: &str, value: &str) -> Markup {
    let label = label(name, value);
    html! { a.label href=(with_text(&label)) { (label) } }
}

/// What was found, and what to do next.
fn trouble(served: &Served, check: &CheckState, now: Timestamp) -> Markup {
    let latest = check.latest.as_ref();
    let is_overdue = latest.is_some() && now >= check.stands_until;
    let incident = served.results.incident_of(&check.identity.name);
    html! {
        div.found {
            p {
                @match latest {
                    None => "not checked yet",
                    Some(_) if is_overdue => "No round has had a result since then, so nothing is known.",
                    Some(latest) => (latest.summary),
                }
            }
            @if let Some(advice) = latest.and_then(|latest| latest.advice.as_ref()) { p { "Next: " (advice) } }
            @if let Some(id) = incident { p { a href=(Depth::Top.incident(&id)) { "Incident" } } }
        }
    }
}

fn no_match(filter: &Filter, found: usize) -> Markup {
    html! {
        p #none {
            @if found > 0 { "This page has no checks. " }
            @else if filter.text.is_empty() { "No check has this status. " }
            @else { "No check matches “" (filter.text) "”. The name, the URL or a label such as team=web has to contain each word. " }
            a href=(Depth::Top.root()) { "Show all checks" }
        }
    }
}

fn pages(filter: &Filter, first: usize, shown: usize, found: usize) -> Markup {
    html! {
        nav #pages aria-label="Pages of checks" {
            @if shown < found && shown > 0 {
                (first + 1) "–" (first + shown) " of " (found)
                @if first > 0 { " " a href=(filter.with_page(filter.page - 1)) rel="prev" { "previous" } }
                @if first + shown < found { " " a href=(filter.with_page(filter.page + 1)) rel="next" { "next" } }
            }
        }
    }
}

pub(super) const FILE: &str = "\
[[check]]
name = \"shop\"
url = \"https://shop.example/now\"
every = \"10s\"
max_offset = \"1s\"
labels = { team = \"web\" }

[[alert]]
name = \"night\"
type = \"webhook\"
url_file = \"/run/secrets/hook\"
";

/// What there is to do before there is anything to see.
fn nothing_yet() -> Markup {
    html! {
        div #summary { h1 { "Nothing is watched yet" } }
        ol.steps {
            li { p { "Put into a file, for example " code { "nowcheck.toml" } ", what is to be watched and who is to be told:" }
                pre tabindex="0" { code { (FILE) } }
                p.dim { "Only " code { "name" } " and " code { "url" } " of a check have to be there. The URL is of anything that answers
                    with the time: a body, or just the header " code { "Date" } "." } }
            li { p { "Look for mistakes, and start with the file:" }
                pre tabindex="0" { code { "nowcheck config check nowcheck.toml\nnowcheck watch --config nowcheck.toml" } } }
            li { p { "This page then shows each check, the worst first. The first result is there within a second." } }
        }
        p.dim { code { "nowcheck config example" } " prints a file with every key. For a try, " code { "nowcheck watch URL…" } " needs no file." }
    }
}
