//! The report as a page. It needs no network and runs no scripts.

use jiff::Timestamp;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use nowcheck::text::figures;

use super::svg::plots;
use super::words;
use super::{CheckReport, Report};
use crate::figures::bounds;
use crate::history::PastIncident;
use crate::incident::Change;
use crate::plot::{self, HIGH_QUANTILE, Size};
use crate::status::CheckStatus;

const STYLE: &str = include_str!("html/style.css");
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/// Changes of an incident that are listed, at most.
const CHANGES: usize = 12;

/// The whole report as a page.
#[must_use]
pub fn html(report: &Report) -> String {
    let title = match report.checks.as_slice() {
        [check] => format!("{}: report", check.name),
        checks => format!("Report on {} checks", checks.len()),
    };
    page(&title, &content(&title, report)).into_string()
}

fn page(title: &str, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " – nowcheck" }
                style { (PreEscaped(STYLE)) (PreEscaped(plot::STYLE)) }
            }
            body {
                main { (content) }
                footer { "nowcheck " (env!("CARGO_PKG_VERSION")) }
            }
        }
    }
}

fn content(title: &str, report: &Report) -> Markup {
    let range = &report.range;
    html! {
        header {
            h1 { (title) }
            p.dim { (moment(range.from)) " – " (moment(range.to.min(range.now))) ", all times in UTC" }
        }
        @if report.checks.is_empty() { p { "The history has no rounds yet." } }
        @if report.checks.len() > 1 { (overview(report)) }
        @for (nth, check) in report.checks.iter().enumerate() { (section(nth, check, report)) }
        (incidents(report))
        (explanation())
    }
}

fn moment(at: Timestamp) -> Markup {
    html! { time datetime=(at) { (at.strftime("%Y-%m-%d %H:%M")) } }
}

fn overview(report: &Report) -> Markup {
    html! {
        div.scroll { table {
            thead { tr { th { "Check" } th { "Available" } th { "Wrong" } th { "Down" } th { "Unknown" } th { "Offset" } } }
            tbody { @for (nth, check) in report.checks.iter().enumerate() {
                @let summary = &check.period.summary;
                tr {
                    th scope="row" { a href={ "#check-" (nth) } { (check.name) } }
                    td.figure { (words::availability(&summary.times)) }
                    @for time in [summary.times.wrong, summary.times.down, summary.times.unknown] {
                        td.figure { (figures::length(time)) }
                    }
                    td.figure { (summary.offset.map_or("–".to_owned(), bounds)) }
                }
            } }
        } }
    }
}

fn section(nth: usize, check: &CheckReport, report: &Report) -> Markup {
    html! {
        section id={ "check-" (nth) } {
            h2 { (check.name) }
            @if let Some(watched) = &check.watched {
                p.dim { (watched.url) ", every " (figures::limit(watched.every)) }
            }
            (facts(check, report))
            @let [wide, narrow] = [Size::Wide, Size::Narrow].map(|size| plots(check, report, size));
            @for (mth, (wide, narrow)) in wide.iter().zip(&narrow).enumerate() {
                figure {
                    figcaption { b { (wide.title()) } " " span.dim { (wide.description()) } }
                    (wide.inline(&format!("plot-{nth}-{mth}"), "wide"))
                    (narrow.inline(&format!("plot-{nth}-{mth}-narrow"), "narrow"))
                }
            }
            @if !check.clocks.is_empty() { (clocks(check, report)) }
        }
    }
}

fn facts(check: &CheckReport, report: &Report) -> Markup {
    let summary = &check.period.summary;
    let rounds = CheckStatus::ALL.into_iter().map(|status| (status, summary.rounds.of(status)));
    let counted: Vec<String> = rounds
        .filter(|(_, count)| *count > 0)
        .map(|(status, count)| format!("{count} {}", status.name()))
        .collect();
    let quantile = |share: f64| summary.round_trips.quantile(share).map(figures::length);
    html! {
        dl {
            dt { "Available" } dd { strong { (words::availability(&summary.times)) } }
            @if !summary.times.unknown.is_zero() {
                dt { "Unknown" } dd { (figures::length(summary.times.unknown)) ", which is why availability is a range" }
            }
            dt { "Offset" } dd {
                (summary.offset.map_or("not known".to_owned(), bounds))
                @if let Some(limit) = check.limit() { ", limits ±" (figures::limit(limit)) }
            }
            @if let Some((median, high)) = quantile(0.5).zip(quantile(HIGH_QUANTILE)) {
                dt { "Round trip" } dd { "median " (median) ", 95th percentile " (high) }
            }
            dt { "Rounds" } dd { (if counted.is_empty() { "none".to_owned() } else { counted.join(", ") }) }
            @if let Some(expiry) = check.certificate_expiry {
                dt { "Certificate" } dd { (words::certificate(expiry, report.range.now)) }
            }
        }
    }
}

fn clocks(check: &CheckReport, report: &Report) -> Markup {
    html! {
        h3 { "Clocks of the last two days" }
        div.scroll { table {
            thead { tr { th { "Clock" } th { "Last heard" } th { "Rounds" } th { "Offset" } th { "Drift" } } }
            tbody { @for clock in &check.clocks { tr {
                th scope="row" { (clock.instance.as_deref().unwrap_or("all, without a name")) }
                td.figure { (moment(clock.last)) }
                td.figure { (clock.rounds) }
                td.figure { (bounds(clock.offset)) }
                td.words { (words::drift(clock, check.limit(), report.range.now)) }
            } } }
        } }
    }
}

fn incidents(report: &Report) -> Markup {
    html! {
        section id="incidents" {
            h2 { "Incidents" }
            @if report.incidents.is_empty() { p { "None in this time." } }
            @for past in &report.incidents { (incident(past, report.range.now)) }
        }
    }
}

fn incident(incident: &PastIncident, now: Timestamp) -> Markup {
    let later = incident.changes.get(1..).unwrap_or_default();
    html! {
        article {
            h3 { (words::whose(incident)) " " span class={ "state " (words::state(incident)) } { (words::state(incident)) } }
            p { (words::summary(incident)) }
            p.dim { (words::when(incident, now)) }
            @if !later.is_empty() {
                ul { @for change in later.iter().take(CHANGES) { li { (line(change)) } } }
                @if later.len() > CHANGES { p.dim { "and " (later.len() - CHANGES) " more changes" } }
            }
        }
    }
}

fn line(change: &Change) -> Markup {
    html! {
        span.figure { (words::instant(change.at)) } " " (words::change(change.kind)) ": " (change.evidence.summary)
    }
}

fn explanation() -> Markup {
    html! {
        section.dim {
            h2 { "How to read it" }
            p { "The offset is server minus reference. The band holds the offset of every clock that answered; it is proven,
                not estimated. A gray stretch is time in which the check was watched and no offset was proven." }
            p { "Each moment is ok, wrong (the clock is off by more than the limit, or the answer is old), down, or unknown
                (the monitor was off, or could not tell). Availability is a range: its ends are what it is if all of the unknown
                time was bad, and if all of it was ok." }
            p { "A drift is proven only if one rate explains all offsets since the clock was set or its rate changed last. A
                forecast holds as long as the clock goes on at that rate." }
        }
    }
}
