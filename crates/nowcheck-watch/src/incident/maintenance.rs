//! When no alert is opened, because somebody works on a service.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use crate::timestamps::elapsed;

/// A time of maintenance. It only keeps alerts from being opened: rounds are held, and incidents are recorded. What is
/// still open afterwards is alerted then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maintenance {
    /// Its name.
    pub name: String,
    /// When.
    pub window: Window,
    /// Of which checks, by name; none for all.
    pub checks: Option<BTreeSet<String>>,
}

impl Maintenance {
    /// Whether it is now, and of this check.
    #[must_use]
    pub fn covers(&self, check: &str, now: Timestamp) -> bool {
        self.checks.as_ref().is_none_or(|checks| checks.contains(check)) && self.window.contains(now)
    }
}

/// A window of time. Its beginning is inside, its end is not.
///
/// ```
/// use std::time::Duration;
///
/// use jiff::civil::{Weekday, time};
/// use jiff::tz::TimeZone;
/// use nowcheck_watch::incident::Window;
///
/// let zone = TimeZone::get("Europe/Madrid").expect("the zones are in the program");
/// let window = Window::Weekly {
///     weekday: Weekday::Sunday,
///     at: time(2, 0, 0, 0),
///     zone,
///     length: Duration::from_hours(2),
/// };
/// // In summer, 02:00 in Madrid is 00:00 UTC.
/// assert!(window.contains("2026-07-05T00:00:00Z".parse().expect("RFC 3339")));
/// assert!(!window.contains("2026-07-05T02:00:00Z".parse().expect("RFC 3339")));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Window {
    /// Once.
    Once {
        /// The beginning.
        from: Timestamp,
        /// The end.
        until: Timestamp,
    },
    /// Each week.
    Weekly {
        /// The day of its beginning, in the zone.
        weekday: Weekday,
        /// The time of day of its beginning, in the zone. If the clock skips it, the window begins as much later; if it
        /// comes twice, with the first.
        at: Time,
        /// The zone.
        zone: TimeZone,
        /// How much time passes from beginning to end, whatever clocks show.
        length: Duration,
    },
}

impl Window {
    /// Whether the instant is inside.
    #[must_use]
    pub fn contains(&self, now: Timestamp) -> bool {
        match self {
            Self::Once { from, until } => *from <= now && now < *until,
            Self::Weekly { weekday, at, zone, length } => {
                // The last beginning decides. It is at most eight days ago: a week, and a clock that was changed.
                let today = now.to_zoned(zone.clone()).date();
                let last = (-1_i64..=8).filter_map(|days| {
                    let date = today.checked_sub(Span::new().days(days)).ok()?;
                    let start = || Some(date.to_datetime(*at).to_zoned(zone.clone()).ok()?.timestamp());
                    (date.weekday() == *weekday).then(start).flatten().filter(|start| *start <= now)
                });
                let last = last.max();
                last.is_some_and(|start| elapsed(start, now) < *length)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::time;

    use super::*;

    fn weekly(at: Time, zone: &str, length: u64) -> Window {
        let zone = TimeZone::get(zone).unwrap();
        Window::Weekly { weekday: Weekday::Sunday, at, zone, length: Duration::from_secs(length) }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Checks that the window holds the first instant and no longer the second.
    fn spans(window: &Window, from: &str, until: &str) {
        let moment = Duration::from_nanos(1);
        assert!(window.contains(at(from)), "{from}");
        assert!(!window.contains(at(from) - moment), "before {from}");
        assert!(window.contains(at(until) - moment), "before {until}");
        assert!(!window.contains(at(until)), "{until}");
    }

    #[test]
    fn a_window_that_is_once_holds_its_beginning_and_not_its_end() {
        let (from, until) = ("2026-12-06T01:00:00Z", "2026-12-06T03:00:00Z");
        spans(&Window::Once { from: at(from), until: at(until) }, from, until);
    }

    #[test]
    fn a_weekly_window_begins_by_the_clock_of_its_zone_in_winter_and_summer() {
        let window = weekly(time(2, 0, 0, 0), "Europe/Madrid", 7_200);
        spans(&window, "2026-12-06T01:00:00Z", "2026-12-06T03:00:00Z");
        spans(&window, "2026-07-05T00:00:00Z", "2026-07-05T02:00:00Z");
    }

    #[test]
    fn a_beginning_that_the_clock_skips_is_as_much_later_and_one_that_comes_twice_the_first() {
        let window = weekly(time(2, 30, 0, 0), "Europe/Madrid", 3_600);
        spans(&window, "2026-03-29T01:30:00Z", "2026-03-29T02:30:00Z");
        spans(&window, "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z");
    }

    #[test]
    fn a_weekly_window_reaches_over_midnight_and_over_days() {
        spans(&weekly(time(23, 0, 0, 0), "UTC", 7_200), "2026-12-06T23:00:00Z", "2026-12-07T01:00:00Z");
        let days = 6 * 86_400;
        spans(&weekly(time(12, 0, 0, 0), "Asia/Tokyo", days), "2026-12-06T03:00:00Z", "2026-12-12T03:00:00Z");
        assert!(weekly(time(0, 0, 0, 0), "UTC", 7 * 86_400).contains(at("2026-12-05T23:59:59Z")));
    }

    #[test]
    fn a_window_of_some_checks_says_nothing_about_others() {
        let window = weekly(time(0, 0, 0, 0), "UTC", 86_400);
        let some = Maintenance { name: String::new(), window, checks: Some(["shop".to_owned()].into()) };
        let all = Maintenance { checks: None, ..some.clone() };
        let sunday = at("2026-12-06T12:00:00Z");
        assert!(some.covers("shop", sunday) && !some.covers("blog", sunday) && all.covers("blog", sunday));
        assert!(!all.covers("blog", at("2026-12-07T12:00:00Z")));
    }
}
