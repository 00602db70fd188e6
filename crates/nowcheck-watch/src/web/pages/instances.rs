//! Other instances: who they are, and how they see a check.

use maud::{Markup, html};

use super::parts::{self, status};
use crate::figures::{nanoseconds, rough};
use crate::incident::{MonitorPart, OffsetBounds, Scope};
use crate::peers::view::{CheckView, Reading};
use crate::peers::{PeerStanding, SeenFrom};
use crate::web::Served;

/// What an incident about references that contradict each other is about.
const AGREEMENT: Scope = Scope::Monitor(MonitorPart::Agreement);

/// All instances in one line, and whether their references agree.
pub(super) fn all(served: &Served) -> Markup {
    let peers = served.results.peers();
    if peers.is_alone() {
        return html! { div #instances {} };
    }
    // Above, as a fault of this monitor.
    let is_told = served.results.faults().iter().any(|fault| *fault.scope() == AGREEMENT);
    let others: Vec<PeerStanding> = peers.standings().into_iter().filter(|peer| !peer.is_this).collect();
    html! {
        div #instances {
            p { "Instances: " strong { (peers.name()) } " (this one)" @for peer in &others { ", " (standing(peer)) } "." }
            @if !is_told { @if let Some(found) = peers.contradiction() { p.fault { (found.summary()) "." } } }
        }
    }
}

fn standing(peer: &PeerStanding) -> Markup {
    html! {
        (peer.name)
        @match (&peer.problem, peer.lives) {
            (None, true) => {}
            (None, false) => " (not asked yet)",
            (Some(problem), true) => { " (heard of through others: " (problem) ")" }
            (Some(problem), false) => { strong { " (not heard of: " (problem) ")" } }
        }
    }
}

/// How the other instances see a check.
pub(super) fn of_check(served: &Served, check: &str) -> Markup {
    let peers = served.results.peers();
    if peers.is_alone() {
        return html! {};
    }
    let views = peers.views_of(check);
    html! {
        section #instances {
            h2 { "Seen from elsewhere" }
            @if let Some(quorum) = peers.needs_more_for_down(check) {
                p { "This instance alerts nobody: “down” has to be seen by " (quorum) " instances ([quorum] in the configuration)." }
            }
            @if let Some(found) = peers.contradiction() { p.fault { (found.summary()) "." } }
            @if views.is_empty() { p { "No other instance that is heard of watches a check of this name." } }
            @else { div.scroll { table {
                caption.hidden { "How other instances see this check" }
                thead { tr { @for name in ["Instance", "Status", "Why", "Clocks", "Heard"] { th scope="col" { (name) } } } }
                tbody { @for view in &views { (row(view)) } }
            } } }
        }
    }
}

fn row(view: &SeenFrom) -> Markup {
    let check: &CheckView = &view.check;
    html! {
        tr {
            th scope="row" { (view.instance) }
            td data-name="Status" { (status(known(&check.status))) }
            td data-name="Why" { (check.reason) @if check.incident.as_ref().is_some_and(|one| !one.told.is_empty()) { ", has alerted" } }
            td.figure data-name="Clocks" {
                @if check.backends.is_empty() { "–" }
                @for clock in &check.backends { (clock.instance) " " (parts::offset(bounds(clock))) br; }
            }
            td.figure data-name="Heard" { (rough(view.age)) " ago" }
        }
    }
}

/// Of another program only what this one knows can be part of the page's own words.
fn known(status: &str) -> &str {
    ["ok", "warning", "wrong", "down"].into_iter().find(|known| *known == status).unwrap_or("unknown")
}

fn bounds(reading: &Reading) -> OffsetBounds {
    OffsetBounds { lower: nanoseconds(reading.lower), upper: nanoseconds(reading.upper) }
}
