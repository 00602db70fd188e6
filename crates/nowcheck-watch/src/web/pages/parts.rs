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

/// The page of a check.
pub(super) fn check_path(name: &str) -> String {
    format!("/checks/{}", encoded(name))
}

/// The page of an incident.
pub(super) fn incident_path(id: &str) -> String {
    format!("/incidents/{}", encoded(id))
}

/// What is more than a warning has to be read first.
pub(super) fn is_bad(status: CheckStatus) -> bool {
    status > CheckStatus::Warning
}
