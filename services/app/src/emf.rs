//! Metric lines: once a minute, one line of JSON on standard output, in Amazon's embedded metric format.
//!
//! A log agent that knows the format (the `awslogs` driver's target does) makes metrics of it, so that the container
//! needs no agent of its own, no credentials and no network. Lines between are log lines, on standard error.

use serde_json::{Map, Value, json};

use crate::clock::{Status, UnixTime};
use crate::metrics::Totals;

/// Where the metrics are found.
const NAMESPACE: &str = "nowd";

/// Writes one line for each minute; counts are those since the last line.
#[derive(Debug)]
pub(crate) struct Lines {
    environment: String,
    requests: u64,
    server_errors: u64,
}

impl Lines {
    /// `environment` is the dimension that tells the metrics of one deployment from those of another.
    pub(crate) fn new(environment: String) -> Self {
        Self { environment, requests: 0, server_errors: 0 }
    }

    /// The line for now, with its line feed.
    ///
    /// `ClockMaxError` stands there only while the kernel vouches for its clock: a number that nobody vouches for
    /// would look like a good one in a graph. `ClockSynchronized` is always there, so that its absence means that
    /// the service is gone.
    pub(crate) fn line(&mut self, time: UnixTime, clock: Status, totals: &Totals, instance: &str) -> String {
        let (requests, server_errors) = (totals.requests(), totals.server_errors());
        let mut values = Map::new();
        let mut metrics = Vec::new();
        let mut add = |name: &str, unit: &str, value: Value| {
            metrics.push(json!({ "Name": name, "Unit": unit }));
            values.insert(name.to_owned(), value);
        };
        add("ClockSynchronized", "Count", json!(u8::from(matches!(clock, Status::Synchronized { .. }))));
        if let Status::Synchronized { max_error_micros } = clock {
            add("ClockMaxError", "Seconds", json!(f64::from(max_error_micros) / 1e6));
        }
        add("Requests", "Count", json!(requests - self.requests));
        add("ServerErrors", "Count", json!(server_errors - self.server_errors));
        (self.requests, self.server_errors) = (requests, server_errors);

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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hyper::StatusCode;

    use super::*;
    use crate::metrics::{Counters, Route};

    const NOON: UnixTime = UnixTime { seconds: 1_795_521_600, nanos: 123_456_789 };
    const GOOD: Status = Status::Synchronized { max_error_micros: 312 };

    fn parsed(line: &str) -> Value {
        assert!(line.ends_with('\n') && line.matches('\n').count() == 1, "{line:?}");
        serde_json::from_str(line).unwrap()
    }

    #[test]
    fn a_line_names_each_metric_with_its_unit_and_carries_its_value() {
        let counters = [Arc::new(Counters::default())];
        counters[0].count(Route::Now, StatusCode::OK);
        counters[0].count(Route::Readiness, StatusCode::SERVICE_UNAVAILABLE);
        counters[0].count(Route::Page, StatusCode::INTERNAL_SERVER_ERROR);
        let mut lines = Lines::new("staging".to_owned());
        let line = parsed(&lines.line(NOON, GOOD, &Totals::of(&counters), "3f9c2a7d"));
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(line["_aws"]["Timestamp"], json!(1_795_521_600_123_u64));
        assert_eq!(directive["Namespace"], "nowd");
        assert_eq!(directive["Dimensions"], json!([["Environment"]]));
        assert_eq!(line["Environment"], "staging");
        let named = directive["Metrics"].as_array().unwrap();
        assert_eq!(named.len(), 4);
        for metric in named {
            assert!(line[metric["Name"].as_str().unwrap()].is_number(), "{metric}");
        }
        assert_eq!(line["ClockMaxError"], json!(0.000_312));
        assert_eq!((&line["Requests"], &line["ServerErrors"]), (&json!(3), &json!(1)));
    }

    #[test]
    fn counts_are_those_since_the_last_line() {
        let counters = [Arc::new(Counters::default())];
        let mut lines = Lines::new("nowd".to_owned());
        counters[0].count(Route::Now, StatusCode::OK);
        lines.line(NOON, GOOD, &Totals::of(&counters), "3f9c2a7d");
        counters[0].count(Route::Now, StatusCode::OK);
        counters[0].count(Route::Now, StatusCode::OK);
        let second = parsed(&lines.line(NOON, GOOD, &Totals::of(&counters), "3f9c2a7d"));
        assert_eq!(second["Requests"], json!(2));
    }

    #[test]
    fn a_clock_that_nobody_vouches_for_has_no_error_bound() {
        for status in [Status::Unsynchronized, Status::Unknown] {
            let line =
                parsed(&Lines::new("nowd".to_owned()).line(NOON, status, &Totals::of(&[]), "3f9c2a7d"));
            assert_eq!(line["ClockSynchronized"], json!(0));
            assert!(line.get("ClockMaxError").is_none());
        }
    }
}
