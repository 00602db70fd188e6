//! Figures of a report in words.

use std::time::Duration;

use clock_offset::{Interval, Offset};
use jiff::Timestamp;
use nowcheck::text::figures;

use super::clock::{Clock, Drift, Expected};
use crate::availability::FourTimes;
use crate::drift::POSSIBLE_PPM;
use crate::history::PastIncident;
use crate::incident::{ChangeKind, Ending, Scope};
use crate::jumps::Jump;
use crate::timestamps::elapsed;

/// `99.93–99.97 %`; one figure when no time is unknown. The ends are rounded outward, and a single figure down.
pub(crate) fn availability(times: &FourTimes) -> String {
    let Some((least, greatest)) = times.availability() else { return "–".to_owned() };
    // What is a few units in the last place of a float below a round figure is that figure.
    let lower = (least * 10_000.0 * (1.0 + 4.0 * f64::EPSILON)).floor() / 100.0;
    let upper = (greatest * 10_000.0 * (1.0 - 4.0 * f64::EPSILON)).ceil() / 100.0;
    let percent = |share: f64| if share >= 100.0 { "100".to_owned() } else { format!("{share:.2}") };
    if times.unknown.is_zero() {
        format!("{} %", percent(lower))
    } else {
        format!("{}–{} %", percent(lower), percent(upper))
    }
}

/// An instant to the second: `2026-11-28 14:02:11 UTC`.
pub(crate) fn instant(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// How long a certificate is valid: `valid for 30 d 2 h, until 2026-12-28 16:00:00 UTC`.
pub(crate) fn certificate(expiry: Timestamp, now: Timestamp) -> String {
    let at = instant(expiry);
    if expiry > now {
        format!("valid for {}, until {at}", figures::length(elapsed(now, expiry)))
    } else {
        format!("expired at {at}")
    }
}

/// Where the offset of a clock goes: `gains 3.0 to 5.0 ppm; will exceed 1 s in 12 to 14 days`.
pub(crate) fn drift(clock: &Clock, limit: Option<Duration>, now: Timestamp) -> String {
    let Some(drift) = &clock.drift else { return "no offset is known".to_owned() };
    let rate = rate(drift);
    match (limit, drift.expected) {
        (Some(limit), Some(expected)) => {
            format!("{rate}; {}", forecast(expected, &figures::limit(limit), now))
        }
        _ => rate,
    }
}

fn rate(drift: &Drift) -> String {
    let [lower, upper] = [drift.rate.lower, drift.rate.upper].map(|ratio| ratio * 1e6);
    if lower > 0.0 {
        format!("gains {} to {} ppm", ppm(lower, false), ppm(upper, true))
    } else if upper < 0.0 {
        format!("loses {} to {} ppm", ppm(-upper, false), ppm(-lower, true))
    } else if lower <= -POSSIBLE_PPM && upper >= POSSIBLE_PPM {
        // The bounds would be those of the premise.
        "no drift is proven yet".to_owned()
    } else {
        let (loss, gain) = (ppm(-lower, true), ppm(upper, true));
        format!("no drift is proven (between -{loss} and +{gain} ppm)")
    }
}

/// Two digits or more, rounded down or up.
fn ppm(rate: f64, up: bool) -> String {
    let decimals: usize = match rate {
        10.0.. => 0,
        1.0.. => 1,
        _ => 3,
    };
    let scale = [1.0, 10.0, 100.0, 1_000.0][decimals];
    let rounded = if up { (rate * scale).ceil() } else { (rate * scale).floor() };
    format!("{:.decimals$}", rounded / scale)
}

fn forecast(expected: Expected, limit: &str, now: Timestamp) -> String {
    const FAR: Duration = Duration::from_hours(10 * 365 * 24);
    let after = |at: Timestamp| elapsed(now, at);
    match expected {
        Expected::Never => format!("will not exceed {limit} at this rate"),
        Expected::NotBefore(at) | Expected::Within(at, _) if after(at) > FAR => {
            format!("will not exceed {limit} within 10 years")
        }
        Expected::NotBefore(at) if after(at).is_zero() => format!("may exceed {limit} already"),
        Expected::NotBefore(at) => format!("will not exceed {limit} within {}", figures::length(after(at))),
        Expected::Within(_, latest) if after(latest).is_zero() => format!("exceeds {limit}"),
        Expected::Within(earliest, latest) => {
            format!("will exceed {limit} in {}", span(after(earliest), after(latest)))
        }
    }
}

/// `12 to 14 days`, rounded outward.
fn span(earliest: Duration, latest: Duration) -> String {
    let (unit, name) = match latest.as_secs() {
        0..7_200 => (60, "minutes"),
        7_200..172_800 => (3_600, "hours"),
        _ => (86_400, "days"),
    };
    format!("{} to {} {name}", earliest.as_secs() / unit, latest.as_secs().div_ceil(unit).max(1))
}

/// What an incident is about: `shop`, `the monitor (network)`.
pub(crate) fn whose(incident: &PastIncident) -> String {
    match &incident.scope {
        Scope::Check(name) => name.clone(),
        Scope::Monitor(part) => format!("the monitor ({part})"),
    }
}

/// What it was: the status of a check, `at fault` of the monitor.
pub(crate) fn state(incident: &PastIncident) -> &'static str {
    let worst = incident.changes.iter().filter_map(|change| change.status).max();
    match (&incident.scope, worst) {
        (Scope::Monitor(_), _) => "at fault",
        (Scope::Check(_), Some(kind)) => crate::incident::ServiceStatus::from(kind).name(),
        (Scope::Check(_), None) => "in trouble",
    }
}

/// What was found when it began.
pub(crate) fn summary(incident: &PastIncident) -> &str {
    incident.changes.first().map_or("", |change| change.evidence.summary.as_str())
}

/// `from 2026-11-28 14:02:11 UTC to 2026-11-28 16:07:30 UTC, 2 h 5 min`.
pub(crate) fn when(incident: &PastIncident, now: Timestamp) -> String {
    let length = figures::length(elapsed(incident.since, incident.until.unwrap_or(now)));
    let since = instant(incident.since);
    match incident.until {
        Some(until) => format!("from {since} to {}, {length}", instant(until)),
        None => format!("since {since}, still open after {length}"),
    }
}

/// A jump of the offset: `2026-11-28 14:02:11 UTC: the clock of 3f9c2a7d was stepped by +1.2000 s ± 5.2 ms`.
pub(crate) fn jump(jump: &Jump) -> String {
    let [lower, upper] = [jump.size.lower, jump.size.upper].map(Offset::from_nanos);
    let (at, size) = (instant(jump.until), figures::offset(&Interval::new(lower, upper)));
    match &jump.clock {
        Some(clock) => format!("{at}: the clock of {clock} was stepped by {size}"),
        None => {
            format!("{at}: the offset jumped by {size}. The clock was stepped, or another one answered")
        }
    }
}

/// What happened to it.
pub(crate) fn change(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Opened => "opened",
        ChangeKind::Grew => "grew",
        ChangeKind::Shrank => "shrank",
        ChangeKind::Shifted => "changed",
        ChangeKind::Flapping => "comes and goes",
        ChangeKind::Closed(Ending::Recovered) => "recovered",
        ChangeKind::Closed(Ending::Gone) => "gone",
        ChangeKind::Closed(Ending::Removed) => "no longer watched",
        ChangeKind::Closed(Ending::Moved) => "the URL has changed",
    }
}
