//! The line of a monitoring plugin: status, sentence, performance data.
//!
//! After the Monitoring Plugins Development Guidelines: values have a unit and no exponent, ranges are `-x:x`
//! (alert outside), labels with other than letters, digits and `_` are quoted.

use std::fmt::Write;
use std::time::Duration;

use crate::outcome::{BackendOutcome, Outcome, TargetOutcome};
use crate::report::{figures, words};

/// The outcome as one line, without its line feed.
#[must_use]
pub fn line(outcome: &Outcome) -> String {
    // A bar would begin the performance data.
    let sentence = words::summary(outcome).replace('|', "/");
    format!("NOWCHECK {} - {sentence} | {}", outcome.status().name(), performance_data(outcome))
}

fn performance_data(outcome: &Outcome) -> String {
    let mut data = format!("time={}s;;;0;", figures::decimal_duration(outcome.duration));
    let backends: Vec<(&TargetOutcome, &BackendOutcome)> = outcome
        .targets
        .iter()
        .flat_map(|target| target.backends.iter().map(move |backend| (target, backend)))
        .collect();
    let is_only_one = backends.len() == 1;
    let warn = outcome.limits.warn_offset.map(range).unwrap_or_default();
    let critical = range(outcome.limits.max_offset);
    let mut taken: Vec<String> = Vec::new();
    for (index, (target, backend)) in backends.into_iter().enumerate() {
        let mut suffix = if is_only_one { String::new() } else { suffix(index, target, backend) };
        // One process whose clock was stepped is two clocks of one name; a label stands only once.
        if taken.contains(&suffix) {
            let _ = write!(suffix, "_{}", index + 1);
        }
        taken.push(suffix.clone());
        let estimate = figures::decimal_seconds(backend.offset.midpoint().as_nanos());
        let bound = figures::decimal_duration(backend.offset.half_width());
        let round_trip = figures::decimal_duration(backend.round_trip.median);
        // Writing to a string cannot fail.
        let _ = write!(
            data,
            " {}={estimate}s;{warn};{critical};; {}={bound}s;;;0; {}={round_trip}s;;;0;",
            label("offset", &suffix),
            label("offset_bound", &suffix),
            label("round_trip", &suffix),
        );
    }
    data
}

fn range(limit: Duration) -> String {
    let limit = figures::decimal_duration(limit);
    format!("-{limit}:{limit}")
}

/// Tells backends apart; the number keeps two that do not name themselves from sharing a label.
fn suffix(index: usize, target: &TargetOutcome, backend: &BackendOutcome) -> String {
    let address = target.address.map_or_else(|| "unresolved".to_owned(), |address| address.to_string());
    let name = backend.instance.as_deref().map_or_else(|| (index + 1).to_string(), str::to_owned);
    format!("_{address}_{name}")
}

fn label(name: &str, suffix: &str) -> String {
    let label: String = format!("{name}{suffix}").replace(['=', '\''], "_");
    let is_plain = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_plain { label } else { format!("'{label}'") }
}
