//! Metric lines: once a minute, one line of JSON on standard output, in Amazon's embedded metric format (EMF).
//!
//! A log agent that knows the format (such as the target of the `awslogs` driver) turns them into metrics. So the
//! container needs no agent of its own, no credentials and no network. Log lines go to standard error.

use serde_json::{Map, Value, json};

use crate::clock::UnixTime;
use crate::clock::status::ClockStatus;
use crate::metrics::latency::{LatencyTotals, upper_limit};
use crate::metrics::snapshot::Snapshot;

/// The namespace of the metrics in CloudWatch.
const NAMESPACE: &str = "nowd";

/// Formats one line a minute; counts are those since the previous line.
#[derive(Debug)]
pub(crate) struct EmfWriter {
    environment: String,
    before: Counts,
}

/// Counts since the start.
#[derive(Clone, Debug, Default)]
struct Counts {
    requests: u64,
    server_errors: u64,
    refused_connections: u64,
    dropped_lines: u64,
    latencies: LatencyTotals,
}

impl Counts {
    fn of(Snapshot { totals, dropped_lines, .. }: &Snapshot) -> Self {
        Self {
            requests: totals.requests(),
            server_errors: totals.server_errors(),
            refused_connections: totals.refused_connections(),
            dropped_lines: *dropped_lines,
            latencies: totals.latencies.clone(),
        }
    }
}

impl EmfWriter {
    /// `environment` is the dimension that tells the metrics of one deployment from those of another.
    pub(crate) fn new(environment: String) -> Self {
        Self { environment, before: Counts::default() }
    }

    /// The line for now, with its line feed.
    ///
    /// `ClockMaxError` is present only while the clock is synchronized: a number without a guarantee would look like
    /// a good one in a graph. `ClockSynchronized` is always present, so that its absence means that the service is
    /// gone.
    pub(crate) fn line(&mut self, time: UnixTime, read: &Snapshot) -> String {
        let Snapshot { clock, connections, instance, .. } = read;
        let now = Counts::of(read);
        let before = std::mem::replace(&mut self.before, now.clone());
        let mut values = Map::new();
        let mut metrics = Vec::new();
        let mut add = |name: &str, unit: &str, value: Value| {
            metrics.push(json!({ "Name": name, "Unit": unit }));
            values.insert(name.to_owned(), value);
        };
        add("ClockSynchronized", "Count", json!(u8::from(matches!(clock, ClockStatus::Synchronized { .. }))));
        if let ClockStatus::Synchronized { max_error_micros } = clock {
            add("ClockMaxError", "Seconds", json!(f64::from(*max_error_micros) / 1e6));
        }
        add("Requests", "Count", json!(now.requests - before.requests));
        add("ServerErrors", "Count", json!(now.server_errors - before.server_errors));
        add("Connections", "Count", json!(connections));
        add("ConnectionsRefused", "Count", json!(now.refused_connections - before.refused_connections));
        add("LinesDropped", "Count", json!(now.dropped_lines - before.dropped_lines));
        // A minute without requests has no durations, and a list without values is not a valid metric.
        if let Some(durations) = durations(&before.latencies, &now.latencies) {
            add("RequestDuration", "Seconds", durations);
        }

        let milliseconds = time.seconds * 1_000 + u64::from(time.nanos / 1_000_000);
        let directive = json!({
            "Namespace": NAMESPACE,
            "Dimensions": [["Environment"]],
            "Metrics": metrics,
        });
        values.insert(
            "_aws".to_owned(),
            json!({ "Timestamp": milliseconds, "CloudWatchMetrics": [directive] }),
        );
        values.insert("Environment".to_owned(), json!(self.environment));
        values.insert("instance".to_owned(), json!(instance));
        format!("{}\n", Value::Object(values))
    }
}

/// The durations between two moments in the form of EMF: values, and how often each occurred. A value is the upper
/// limit of its bucket, so that percentiles are never better than the truth.
fn durations(before: &LatencyTotals, now: &LatencyTotals) -> Option<Value> {
    let (mut values, mut counts) = (Vec::new(), Vec::new());
    for (bucket, (now, before)) in now.counts.iter().zip(before.counts).enumerate() {
        if *now > before {
            values.push(upper_limit(bucket));
            counts.push(now - before);
        }
    }
    (!values.is_empty()).then(|| json!({ "Values": values, "Counts": counts }))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hyper::StatusCode;

    use super::*;
    use crate::metrics::{CountedEvent, Counters, Route, Totals};

    const NOON: UnixTime = UnixTime { seconds: 1_795_521_600, nanos: 123_456_789 };
    const GOOD: ClockStatus = ClockStatus::Synchronized { max_error_micros: 312 };

    fn read(counters: &[Arc<Counters>], clock: ClockStatus) -> Snapshot {
        Snapshot {
            totals: Totals::of(counters),
            clock,
            is_ready: true,
            connections: 5,
            max_connections: 10,
            dropped_lines: 2,
            instance: "3f9c2a7d".to_owned(),
        }
    }

    fn parsed(line: &str) -> Value {
        assert!(line.ends_with('\n') && line.matches('\n').count() == 1, "{line:?}");
        serde_json::from_str(line).unwrap()
    }

    #[test]
    fn a_line_names_each_metric_with_its_unit_and_carries_its_value() {
        let counters = [Arc::new(Counters::default())];
        counters[0].count_response(Route::Now, StatusCode::OK);
        counters[0].count_response(Route::Readiness, StatusCode::SERVICE_UNAVAILABLE);
        counters[0].count_response(Route::Page, StatusCode::INTERNAL_SERVER_ERROR);
        counters[0].count_event(CountedEvent::ClosedUnheard);
        counters[0].latency.count(3_000, 2);
        counters[0].latency.count(900_000, 1);
        let mut writer = EmfWriter::new("staging".to_owned());
        let line = parsed(&writer.line(NOON, &read(&counters, GOOD)));
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(line["_aws"]["Timestamp"], json!(1_795_521_600_123_u64));
        assert_eq!(directive["Namespace"], "nowd");
        assert_eq!(directive["Dimensions"], json!([["Environment"]]));
        assert_eq!(line["Environment"], "staging");
        let described = directive["Metrics"].as_array().unwrap();
        let names: Vec<&str> = described.iter().map(|metric| metric["Name"].as_str().unwrap()).collect();
        assert_eq!(
            names,
            [
                "ClockSynchronized",
                "ClockMaxError",
                "Requests",
                "ServerErrors",
                "Connections",
                "ConnectionsRefused",
                "LinesDropped",
                "RequestDuration"
            ]
        );
        for name in &names[..7] {
            assert!(line[name].is_number(), "{name}");
        }
        assert_eq!((&line["Connections"], &line["ConnectionsRefused"]), (&json!(5), &json!(1)));
        assert_eq!(line["LinesDropped"], json!(2));
        assert_eq!(line["RequestDuration"], json!({"Values": [0.000_004, 0.001_024], "Counts": [2, 1]}));
        assert_eq!(line["ClockMaxError"], json!(0.000_312));
        assert_eq!((&line["Requests"], &line["ServerErrors"]), (&json!(3), &json!(1)));
    }

    #[test]
    fn counts_are_those_since_the_last_line() {
        let counters = [Arc::new(Counters::default())];
        let mut writer = EmfWriter::new("nowd".to_owned());
        counters[0].count_response(Route::Now, StatusCode::OK);
        writer.line(NOON, &read(&counters, GOOD));
        counters[0].count_response(Route::Now, StatusCode::OK);
        counters[0].count_response(Route::Now, StatusCode::OK);
        let second = parsed(&writer.line(NOON, &read(&counters, GOOD)));
        assert_eq!((&second["Requests"], &second["LinesDropped"]), (&json!(2), &json!(0)));
        assert!(second.get("RequestDuration").is_none(), "{second}");
    }

    #[test]
    fn a_clock_that_nobody_vouches_for_has_no_error_bound() {
        for status in [ClockStatus::Unsynchronized, ClockStatus::Unknown] {
            let line = parsed(&EmfWriter::new("nowd".to_owned()).line(NOON, &read(&[], status)));
            assert_eq!(line["ClockSynchronized"], json!(0));
            assert!(line.get("ClockMaxError").is_none());
        }
    }
}
