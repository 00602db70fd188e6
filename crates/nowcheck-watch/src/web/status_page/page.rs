//! The page for everybody.

use jiff::Timestamp;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use nowcheck::text::figures;

use super::assets::{SCRIPT, STYLE};
use super::published::{DAYS, Happening, PublicIncident, PublicService, Published};
use super::strip;
use crate::incident::ServiceStatus;
use crate::report::words;
use crate::status::CheckStatus;
use crate::timestamps::elapsed;
use crate::web::pages::{icon, parts};

/// How often the page loads anew without the script, in seconds.
const RELOAD: u32 = 60;

/// The page at `/`.
pub(super) fn page(published: &Published) -> Markup {
    let worst = published.services.iter().map(|service| service.status).max();
    let worst = worst.unwrap_or(ServiceStatus::Unknown);
    let title = title(&published.services);
    let content = html! {
        section #summary class=(worst.name()) {
            h1 { (title) }
            p #contact { "as of " (instant(published.at)) }
        }
        @if published.services.is_empty() { p { "Nothing is published here yet." } }
        @else { (services(published)) }
        (incidents(published))
        @if !published.services.is_empty() { (explanation()) }
    };
    frame(&title, worst, true, Some("./"), &content)
}

/// There is nothing at this address. `root` is how to get to the page from there.
pub(super) fn not_found(root: Option<&str>) -> Markup {
    let content = html! {
        h1 { "There is nothing at this address" }
        @if let Some(root) = root { p { a href=(root) { "The status page" } } }
    };
    frame("Not found", ServiceStatus::Unknown, false, root, &content)
}

/// Links are relative, because only the reader knows how the page is reached: a proxy may serve it below a path.
fn frame(title: &str, mark: ServiceStatus, is_live: bool, root: Option<&str>, content: &Markup) -> Markup {
    let feed = root.map(|root| format!("{root}feed.atom"));
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                @if is_live { noscript { meta http-equiv="refresh" content=(RELOAD); } }
                title { (title) }
                link rel="icon" href=(icon(CheckStatus::from(mark)));
                @if let Some(feed) = &feed { link rel="alternate" type="application/atom+xml" title="Incidents" href=(feed); }
                style { (PreEscaped(STYLE.as_str())) }
            }
            body data-status-page[is_live] {
                main #content { (content) }
                @if is_live { p.hidden #news role="status" {} }
                footer { @if let Some(feed) = &feed { a href=(feed) { "Incidents as a feed" } ". " } "All times are in UTC." }
                @if is_live { script { (PreEscaped(SCRIPT)) } }
            }
        }
    }
}

/// The one sentence that has to be read.
fn title(services: &[PublicService]) -> String {
    let count = |is: fn(ServiceStatus) -> bool| services.iter().filter(|service| is(service.status)).count();
    let bad = count(|status| status > ServiceStatus::Unknown);
    let unknown = count(|status| status == ServiceStatus::Unknown);
    match (bad, unknown, services.len()) {
        (_, _, 0) => "Status".to_owned(),
        (0, 0, 1) => "The service works".to_owned(),
        (0, 0, all) => format!("All {all} services work"),
        (0, _, 1) => "It is not known whether the service works".to_owned(),
        (0, unknown, all) => format!("It is not known whether {unknown} of {all} services work"),
        (_, _, 1) => "The service does not work".to_owned(),
        (1, _, all) => format!("1 of {all} services does not work"),
        (bad, _, all) => format!("{bad} of {all} services do not work"),
    }
}

fn services(published: &Published) -> Markup {
    html! {
        section #services {
            h2.hidden { "Services" }
            ol { @for service in &published.services { (row(service, published)) } }
        }
    }
}

fn row(service: &PublicService, published: &Published) -> Markup {
    let times = service.times(usize::from(DAYS));
    let has_trouble = service.days.iter().any(strip::has_trouble);
    html! {
        li class={ "service " (service.status.name()) } {
            div.line {
                h3 { (service.name) }
                p { (parts::status(service.status.name())) @if let Some(since) = service.since { " " (duration(since, published.at)) } }
            }
            p.dim {
                @if service.is_maintained { strong { "Maintenance: somebody works on it. " } }
                (what_it_is(service))
            }
            @if published.knows_the_past {
                (strip::strip(service))
                div.line.dim {
                    span { (DAYS) " days ago" }
                    span.figure { (words::availability(&times)) @if times.availability().is_some() { " ok" } }
                    span { "today" }
                }
                @if has_trouble {
                    details { summary.dim { "Days with trouble" }
                        ul { @for day in service.days.iter().rev().filter(|day| strip::has_trouble(day)) { li { (strip::said(day)) } } }
                    }
                }
            }
        }
    }
}

/// What its status means at the moment.
fn what_it_is(service: &PublicService) -> String {
    match (service.status, service.off_by, service.since) {
        (ServiceStatus::Ok, Some(off_by), _) => {
            format!("Its clock is proven right to within {}.", figures::length(off_by))
        }
        (ServiceStatus::Ok, None, _) => "It answers, and its clock is right.".to_owned(),
        (ServiceStatus::Wrong, ..) => "It answers, and the time that it gives is wrong.".to_owned(),
        (ServiceStatus::Down, ..) => "It does not give the time.".to_owned(),
        (ServiceStatus::Unknown, _, None) => "It has not been checked yet.".to_owned(),
        (ServiceStatus::Unknown, ..) => "The monitor cannot tell at the moment.".to_owned(),
    }
}

/// `for 3 h`.
fn duration(since: Timestamp, now: Timestamp) -> Markup {
    html! { span.dim { "for " time datetime=(since) { (crate::figures::rough(elapsed(since, now))) } } }
}

fn incidents(published: &Published) -> Markup {
    html! {
        section #incidents {
            h2 { "Incidents" }
            @if !published.knows_the_past { p { "The past cannot be read at the moment." } }
            @else if published.incidents.is_empty() { p { "None in the last " (DAYS) " days, as far as was watched." } }
            @for incident in &published.incidents { (article(incident, published.at)) }
        }
    }
}

fn article(incident: &PublicIncident, now: Timestamp) -> Markup {
    html! {
        article id={ "incident-" (incident.key()) } {
            h3 { (incident.service) " " (parts::status(incident.status.name())) @if incident.until.is_none() { " " span.open { "open" } } }
            p.dim { (when(incident, now)) }
            ol.story { @for one in &incident.story { (happening(one, incident.since)) } }
        }
    }
}

/// `2026-11-28 14:02 UTC, for 2 h 5 min`.
fn when(incident: &PublicIncident, now: Timestamp) -> Markup {
    let length = figures::length(elapsed(incident.since, incident.until.unwrap_or(now)));
    html! { (instant(incident.since)) ", " @if incident.until.is_none() { "open for " } @else { "for " } (length) }
}

fn happening(one: &Happening, since: Timestamp) -> Markup {
    let day = |at: Timestamp| at.as_second().div_euclid(86_400);
    let format = if day(one.at) == day(since) { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" };
    html! { li { time.dim datetime=(one.at) { (one.at.strftime(format)) } " " (one.text) } }
}

fn instant(at: Timestamp) -> Markup {
    html! { time datetime=(at) { (words::instant(at)) } }
}

fn explanation() -> Markup {
    html! {
        section #reading.dim {
            h2 { "How to read it" }
            dl {
                div { dt { (parts::status("ok")) } dd { "It answers, and its clock is proven to be right." } }
                div { dt { (parts::status("wrong")) } dd { "It answers, and the time that it gives is proven to be wrong." } }
                div { dt { (parts::status("down")) } dd { "It does not give the time." } }
                div { dt { (parts::status("unknown")) } dd { "Nothing is proven: the monitor was off, or could not tell." } }
            }
            p { "A column is a day. Its colors show the shares of the day; an empty one was not watched. The figure below is how much of
                the " (DAYS) " days a service was ok. It is a range when some of that time is unknown." }
        }
    }
}
