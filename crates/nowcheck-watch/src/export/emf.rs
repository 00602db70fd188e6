//! Lines that CloudWatch reads: Amazon's embedded metric format (EMF). One line for each check, and one for the monitor.
//!
//! CloudWatch charges for each metric. So a line declares only what alarms need, with the check as the only dimension.
//! The rest of it can be searched in the log. Counts are those since the line before.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::board::{CheckState, Counters, DURATION_LIMITS};
use crate::figures::seconds;
use crate::metrics::MonitorFigures;
use crate::status::CheckStatus;

/// The lines of one export.
#[derive(Debug)]
pub(super) struct EmfLines {
    namespace: String,
    monitor: String,
    /// What was counted at the line before, by check, and since when.
    before: BTreeMap<String, (Timestamp, Counters)>,
    /// Rounds that the history had dropped then.
    dropped: u64,
}

/// Appends lines to a file. It is opened each time, so that it may be moved away. A named pipe that nobody reads is an error,
/// and is not waited for.
pub(super) fn append(path: &Path, lines: &str) -> io::Result<()> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)?
        .write_all(lines.as_bytes())
}

impl EmfLines {
    pub(super) fn new(namespace: String, monitor: String) -> Self {
        Self { namespace, monitor, before: BTreeMap::new(), dropped: 0 }
    }

    /// The lines of a moment.
    pub(super) fn at(
        &mut self,
        now: Timestamp,
        checks: &[Arc<CheckState>],
        monitor: MonitorFigures,
    ) -> String {
        let before = std::mem::take(&mut self.before);
        let mut lines = String::new();
        for state in checks {
            let name = &state.identity.name;
            let known = before.get(name).filter(|(since, _)| *since == state.watched_since);
            let none = Counters::default();
            let line = self.of_check(now, state, known.map_or(&none, |(_, counters)| counters));
            lines.push_str(&line);
            self.before.insert(name.clone(), (state.watched_since, state.counters.clone()));
        }
        lines.push_str(&self.of_monitor(now, monitor));
        lines
    }

    fn of_check(&self, now: Timestamp, state: &CheckState, before: &Counters) -> String {
        let status = state.status_at(now);
        let is_ok = matches!(status, CheckStatus::Ok | CheckStatus::Warning);
        let counters = &state.counters;
        let mut line = Line::default();
        line.metric("nowcheck_up", "None", u8::from(status.is_up()));
        line.metric("nowcheck_ok", "None", u8::from(is_ok));
        line.metric("nowcheck_rounds", "Count", counters.round_total().saturating_sub(before.round_total()));
        let missed = counters.missed_total().saturating_sub(before.missed_total());
        line.metric("nowcheck_rounds_missed", "Count", missed);
        line.metric("nowcheck_backends", "Count", state.backends.len());
        if let Some(durations) = durations(counters, before, state.identity.every.as_secs_f64()) {
            line.metric("nowcheck_round_duration_seconds", "Seconds", durations);
        }
        // Without a proof there is no value: 0 would look like a good one.
        if let Some(offset) = state.offset_at(now) {
            line.metric("nowcheck_clock_offset_lower_seconds", "Seconds", seconds(offset.lower));
            line.metric("nowcheck_clock_offset_upper_seconds", "Seconds", seconds(offset.upper));
        }
        if let Some(latest) = &state.latest {
            if let Some(error) = latest.reference_error {
                line.metric("nowcheck_reference_error_seconds", "Seconds", error.as_secs_f64());
            }
            if let Some(expires_at) = latest.certificate_expires_at {
                let left = expires_at.duration_since(now).as_secs_f64();
                line.metric("nowcheck_certificate_remaining_seconds", "Seconds", left);
            }
        }
        line.property("monitor", &self.monitor);
        line.property("status", status.name());
        line.property("reason", state.reason_at(now));
        line.property("labels", &state.identity.labels);
        line.text(now, &self.namespace, "check", &state.identity.name)
    }

    fn of_monitor(&mut self, now: Timestamp, figures: MonitorFigures) -> String {
        let mut line = Line::default();
        let dropped = figures.history_dropped.saturating_sub(self.dropped);
        self.dropped = figures.history_dropped;
        line.metric("nowcheck_incidents_open", "Count", figures.open_incidents);
        line.metric("nowcheck_history_queue_length", "Count", figures.history_queue_length);
        line.metric("nowcheck_history_dropped", "Count", dropped);
        line.metric("nowcheck_config_reload_success", "None", u8::from(figures.reload_succeeded));
        line.text(now, &self.namespace, "monitor", &self.monitor)
    }
}

/// A line while it is made.
#[derive(Default)]
struct Line {
    metrics: Vec<Value>,
    members: Map<String, Value>,
}

impl Line {
    fn metric(&mut self, name: &str, unit: &str, value: impl Into<Value>) {
        self.metrics.push(json!({ "Name": name, "Unit": unit }));
        self.members.insert(name.to_owned(), value.into());
    }

    fn property(&mut self, name: &str, value: impl serde::Serialize) {
        self.members.insert(name.to_owned(), json!(value));
    }

    fn text(mut self, now: Timestamp, namespace: &str, dimension: &str, value: &str) -> String {
        self.property(dimension, value);
        let directive =
            json!({ "Namespace": namespace, "Dimensions": [[dimension]], "Metrics": self.metrics });
        let about = json!({ "Timestamp": now.as_millisecond(), "CloudWatchMetrics": [directive] });
        self.property("_aws", about);
        format!("{}\n", Value::Object(self.members))
    }
}

/// The durations of the rounds since the line before: values, and how often each occurred. A value is the upper limit
/// of its class, so that percentiles are never better than the truth. No round takes longer than the period.
fn durations(now: &Counters, before: &Counters, longest: f64) -> Option<Value> {
    let limits = DURATION_LIMITS.iter().copied().chain([longest]);
    let new = limits.zip(now.durations.iter().zip(before.durations));
    let (mut values, mut counts) = (Vec::new(), Vec::new());
    for (limit, (now, before)) in new.filter(|(_, (now, before))| **now > *before) {
        values.push(limit);
        counts.push(now - before);
    }
    (!values.is_empty()).then(|| json!({ "Values": values, "Counts": counts }))
}

#[cfg(test)]
mod tests;
