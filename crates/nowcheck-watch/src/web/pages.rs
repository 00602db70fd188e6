//! Pages for people. Each is complete without the script, and reloads by itself then.

pub(super) mod check;
mod filter;
pub(super) mod incidents;
mod instances;
pub(super) mod overview;
pub(super) mod parts;
mod past;
mod shown;

use jiff::Timestamp;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use self::parts::Depth;
use super::Served;
use super::assets::{SCRIPT, STYLE};
use crate::status::CheckStatus;

/// A page: what stands in its head, and its content.
struct Page<'a> {
    title: &'a str,
    /// The worst that it shows, as the sign of its tab.
    mark: CheckStatus,
    depth: Depth,
    /// What the script follows; nothing on a page that does not change.
    events: Option<String>,
    /// After how many seconds it reloads without the script.
    reload: u32,
    content: Markup,
}

/// How often a page reloads without the script, in seconds.
const RELOAD: u32 = 10;

impl Page<'_> {
    fn render(&self, served: &Served, now: Timestamp) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    @if self.events.is_some() {
                        noscript { meta http-equiv="refresh" content=(self.reload); }
                    }
                    title { (self.title) " – nowcheck" }
                    link rel="icon" href=(icon(self.mark));
                    style { (PreEscaped(STYLE.as_str())) }
                }
                body data-now=(now.as_millisecond()) data-events=[&self.events] {
                    a.skip href="#content" { "Skip to the content" }
                    header.top {
                        nav aria-label="Pages" {
                            a href=(self.depth.root()) { "Checks" } " " a href=(self.depth.incidents()) { "Incidents" }
                        }
                        p #contact { "as of " (parts::clock_time(now)) }
                    }
                    main #content tabindex="-1" { (self.content) }
                    p.hidden #news role="status" {}
                    footer { "nowcheck " (env!("CARGO_PKG_VERSION")) " on " (served.monitor) ". All times are in UTC." }
                    script { (PreEscaped(SCRIPT)) }
                }
            }
        }
    }
}

/// A disk in the color of a status, with a sign in it that tells it without the color.
pub(super) fn icon(status: CheckStatus) -> String {
    let (color, sign) = match status {
        CheckStatus::Ok => ("1a7f37", "M4 8.5l3 3 5-6"),
        CheckStatus::Warning => ("9a6700", "M8 4v5M8 11v1"),
        CheckStatus::Wrong | CheckStatus::Down => ("b91c28", "M5 5l6 6M11 5l-6 6"),
        CheckStatus::Unknown => ("5b6470", "M4 8h8"),
    };
    format!(
        "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Ccircle cx='8' cy='8' r='8' \
         fill='%23{color}'/%3E%3Cpath d='{sign}' fill='none' stroke='white' stroke-width='2'/%3E%3C/svg%3E"
    )
}

/// There is nothing at this address.
pub(super) fn not_found(served: &Served, now: Timestamp, depth: Depth, what: &str) -> Markup {
    let content = html! {
        h1 { (what) }
        p { a href=(depth.root()) { "All checks" } " · " a href=(depth.incidents()) { "All incidents" } }
    };
    let mark = CheckStatus::Unknown;
    let page = Page { title: "Not found", mark, depth, events: None, reload: RELOAD, content };
    page.render(served, now)
}

#[cfg(test)]
mod tests;
