//! What several pages show in the same way.

use std::time::Duration;

use clock_offset::{Interval, Offset};
use jiff::Timestamp;
use maud::{Markup, html};
use nowcheck::text::figures;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::figures::rough;
use crate::incident::OffsetBounds;
use crate::status::CheckStatus;
use crate::timestamps::elapsed;
use crate::web::query::written;

/// A status, with a sign that tells it without its color.
pub(in crate::web) fn status(status: &str) -> Markup {
    // One class, however many words: `fault` alone is another thing on these pages.
    html! { span class={ "status " (status.replace(' ', "-")) } { (status) } }
}

/// A time of day: `14:02:11 UTC`.
pub(super) fn clock_time(at: Timestamp) -> Markup {
    html! { time datetime=(at) { (at.strftime("%H:%M:%S UTC")) } }
}

/// How long ago something began: `3 min`. The script keeps it up to date.
pub(super) fn ago(at: Timestamp, now: Timestamp) -> Markup {
    let title = at.strftime("%Y-%m-%d %H:%M:%S UTC");
    html! { time datetime=(at) title=(title) data-ago=(at.as_millisecond()) { (rough(elapsed(at, now))) } }
}

/// How soon something is due: `in 7 s`. The script keeps it up to date.
pub(super) fn until(at: Timestamp, now: Timestamp) -> Markup {
    let left = elapsed(now, at);
    let text = if left < Duration::from_secs(1) { "now".to_owned() } else { format!("in {}", rough(left)) };
    html! { time datetime=(at) data-until=(at.as_millisecond()) { (text) } }
}

/// An offset with its bound: `-20 µs ± 92 µs`.
pub(in crate::web) fn offset(bounds: OffsetBounds) -> String {
    figures::offset(&Interval::new(Offset::from_nanos(bounds.lower), Offset::from_nanos(bounds.upper)))
}

/// What can stand in a path, whatever a name has in it.
pub(in crate::web) fn encoded(name: &str) -> String {
    utf8_percent_encode(name, NON_ALPHANUMERIC).to_string()
}

/// How deep the path of a page is. Links are relative, so that they lead to the monitor behind a proxy that serves it below a
/// path, and without the proxy, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum Depth {
    /// `/` or `/incidents`.
    Top,
    /// `/checks/NAME` or `/incidents/ID`.
    Below,
}

impl Depth {
    /// The overview.
    pub(super) fn root(self) -> &'static str {
        match self {
            Self::Top => "./",
            Self::Below => "../",
        }
    }

    /// The page of a check.
    pub(super) fn check(self, name: &str) -> String {
        format!("{}checks/{}", self.root(), encoded(name))
    }

    /// All incidents.
    pub(super) fn incidents(self) -> String {
        format!("{}incidents", self.root())
    }

    /// The page of an incident.
    pub(super) fn incident(self, id: &str) -> String {
        format!("{}incidents/{}", self.root(), encoded(id))
    }

    /// What happens, of one check or of all.
    pub(super) fn events(self, check: Option<&str>) -> String {
        format!("{}events{}", self.root(), written(&[("check", check.unwrap_or_default())]))
    }
}

/// What is more than a warning has to be read first.
pub(super) fn is_bad(status: CheckStatus) -> bool {
    status > CheckStatus::Warning
}
