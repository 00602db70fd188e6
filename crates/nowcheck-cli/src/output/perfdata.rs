//! The performance data of a monitoring plugin.
//!
//! After the Monitoring Plugins Development Guidelines: values have a unit and no exponent, ranges are `-x:x`
//! (alert outside), labels with other than letters, digits and `_` are quoted.

use std::time::Duration;

use nowcheck::outcome::{Outcome, TargetOutcome};
use nowcheck::text::figures;

/// One series with its value: `label=value;warn;crit;min;max`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    /// As it is printed.
    pub(super) text: String,
    /// What is worth the most, where there is no room for all of them.
    pub(super) rank: Rank,
}

/// How much a series is worth, the greatest worth first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// How long the round took.
    Time,
    /// The offset at the address that decides the status.
    WorstOffset,
    /// The offsets at other addresses.
    Offset,
    /// How far offsets are proven.
    Bound,
    /// How long certificates are valid.
    Certificate,
    /// How long answers took.
    RoundTrip,
    /// How likely a backend was missed.
    MissProbability,
    /// How long the phases of a request took.
    Phase,
}

/// One series for each address, of its farthest backend: instances are new at each start, and a series that
/// is named after one would end with it. Then how long each phase took there, and the days that are left of its
/// certificate.
pub(super) fn items(outcome: &Outcome) -> Vec<Item> {
    let mut items = vec![item(Rank::Time, "time", &seconds(outcome.duration), ";;0;")];
    for (index, target) in outcome.targets.iter().enumerate() {
        let suffix = if outcome.targets.len() == 1 { String::new() } else { suffix(index, outcome) };
        let mut push = |rank, name: &str, value: &str, limits: &str| {
            items.push(item(rank, &format!("{name}{suffix}"), value, limits));
        };
        // An offset from a clock that is no reference is no measurement.
        if outcome.reference.measures() {
            offsets(&mut push, target, outcome);
        }
        if let Some(missed) = target.miss_probability {
            push(Rank::MissProbability, "miss_probability", &format!("{missed:.9}"), ";;0;1");
        }
        for (name, took) in target.phases.named() {
            push(Rank::Phase, name, &seconds(took), ";;0;");
        }
        if let Some(certificate) = target.certificate {
            let days = certificate.left.as_nanos().div_euclid(86_400_000_000_000);
            push(Rank::Certificate, "certificate_days", &days.to_string(), ";;;");
        }
    }
    items
}

fn offsets(push: &mut impl FnMut(Rank, &str, &str, &str), target: &TargetOutcome, outcome: &Outcome) {
    let farthest = target.backends().iter().max_by_key(|backend| backend.offset.midpoint().magnitude());
    let Some(backend) = farthest else { return };
    let is_worst = outcome.worst().is_some_and(|worst| std::ptr::eq(worst, target));
    let rank = if is_worst { Rank::WorstOffset } else { Rank::Offset };
    let warn = outcome.limits.warn_offset.map(range).unwrap_or_default();
    let critical = range(outcome.limits.max_offset);
    let estimate = format!("{}s", figures::decimal_seconds(backend.offset.midpoint().as_nanos()));
    push(rank, "offset", &estimate, &format!("{warn};{critical};;"));
    push(Rank::Bound, "offset_bound", &seconds(backend.offset.half_width()), ";;0;");
    push(Rank::RoundTrip, "round_trip", &seconds(backend.round_trip.median), ";;0;");
}

fn seconds(duration: Duration) -> String {
    format!("{}s", figures::decimal_duration(duration))
}

/// `-0.5:0.5`: no digit more than the limit has, because the line has to be short.
fn range(limit: Duration) -> String {
    let limit = figures::decimal_duration(limit);
    let limit = limit.trim_end_matches('0').trim_end_matches('.');
    format!("-{limit}:{limit}")
}

/// Tells addresses apart; the number is for an address that stands behind two URLs.
fn suffix(index: usize, outcome: &Outcome) -> String {
    let address = outcome.targets[index].address;
    let times = outcome.targets.iter().filter(|target| target.address == address).count();
    let number = if times > 1 { format!("_{}", index + 1) } else { String::new() };
    address.map_or_else(|| format!("_unresolved{number}"), |address| format!("_{address}{number}"))
}

fn item(rank: Rank, label: &str, value: &str, limits: &str) -> Item {
    let label = label.replace(['=', '\'', '|'], "_");
    let is_plain = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let label = if is_plain { label } else { format!("'{label}'") };
    Item { text: format!("{label}={value};{limits}"), rank }
}
