//! The line of a monitoring plugin: status, sentence, performance data.
//!
//! After the Monitoring Plugins Development Guidelines: values have a unit and no exponent, ranges are `-x:x`
//! (alert outside), labels with other than letters, digits and `_` are quoted.

use std::fmt::Write;
use std::time::Duration;

use nowcheck::outcome::{Outcome, Status, TargetOutcome};
use nowcheck::text::figures;

use crate::setting_names::words;

/// The outcome as one line, without its line feed.
#[must_use]
pub(crate) fn line(outcome: &Outcome) -> String {
    // A bar would begin the performance data.
    let sentence = words().summary(outcome).replace('|', "/");
    // Of several addresses the sentence names the one that it is about.
    let address = match outcome.targets[..] {
        [ref only] if only.status() != Status::Ok => only.address.map(|address| format!("{address}: ")),
        _ => None,
    };
    let address = address.unwrap_or_default();
    format!("NOWCHECK {} - {address}{sentence} | {}", outcome.status().name(), performance_data(outcome))
}

/// One series for each address, of its farthest backend: instances are new at each start, and a series that
/// is named after one would end with it. Then how long each phase took there, and the days that are left of its
/// certificate.
fn performance_data(outcome: &Outcome) -> String {
    let mut data = format!("time={}s;;;0;", figures::decimal_duration(outcome.duration));
    for (index, target) in outcome.targets.iter().enumerate() {
        let suffix = if outcome.targets.len() == 1 { String::new() } else { suffix(index, outcome) };
        // An offset from a clock that is no reference is no measurement.
        if outcome.reference.measures() {
            offset_data(&mut data, target, outcome, &suffix);
        }
        // Writing to a string cannot fail.
        if let Some(missed) = target.miss_probability {
            let _ = write!(data, " {}={missed:.9};;;0;1", label("miss_probability", &suffix));
        }
        for (name, took) in target.phases.named() {
            let took = figures::decimal_duration(took);
            let _ = write!(data, " {}={took}s;;;0;", label(name, &suffix));
        }
        if let Some(certificate) = target.certificate {
            let days = certificate.left.as_nanos().div_euclid(86_400_000_000_000);
            let _ = write!(data, " {}={days};;;;", label("certificate_days", &suffix));
        }
    }
    data
}

fn offset_data(data: &mut String, target: &TargetOutcome, outcome: &Outcome, suffix: &str) {
    let farthest = target.backends().iter().max_by_key(|backend| backend.offset.midpoint().magnitude());
    let Some(backend) = farthest else { return };
    let warn = outcome.limits.warn_offset.map(range).unwrap_or_default();
    let critical = range(outcome.limits.max_offset);
    let estimate = figures::decimal_seconds(backend.offset.midpoint().as_nanos());
    let bound = figures::decimal_duration(backend.offset.half_width());
    let round_trip = figures::decimal_duration(backend.round_trip.median);
    let _ = write!(
        data,
        " {}={estimate}s;{warn};{critical};; {}={bound}s;;;0; {}={round_trip}s;;;0;",
        label("offset", suffix),
        label("offset_bound", suffix),
        label("round_trip", suffix),
    );
}

fn range(limit: Duration) -> String {
    let limit = figures::decimal_duration(limit);
    format!("-{limit}:{limit}")
}

/// Tells addresses apart; the number is for an address that stands behind two URLs.
fn suffix(index: usize, outcome: &Outcome) -> String {
    let address = outcome.targets[index].address;
    let times = outcome.targets.iter().filter(|target| target.address == address).count();
    let number = if times > 1 { format!("_{}", index + 1) } else { String::new() };
    address.map_or_else(|| format!("_unresolved{number}"), |address| format!("_{address}{number}"))
}

fn label(name: &str, suffix: &str) -> String {
    let label: String = format!("{name}{suffix}").replace(['=', '\'', '|'], "_");
    let is_plain = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_plain { label } else { format!("'{label}'") }
}
