//! The metrics in the text format of `OpenMetrics`, which Prometheus reads at `/metrics`.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use crate::clock::status::ClockStatus;
use crate::metrics::latency::{BUCKETS, upper_limit};
use crate::metrics::snapshot::Snapshot;
use crate::metrics::{CountedEvent, Route, STATUS_CLASSES};

impl Snapshot {
    /// All metrics as `OpenMetrics` 1.0.0.
    pub(crate) fn prometheus_text(self) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &registry);
        text
    }
}

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut family = encoder.encode_descriptor(
            "nowd_http_requests",
            "Answers, by route and class of status; a 5xx of /readyz, or to a client with another version of \
             HTTP, is not a failure",
            None,
            MetricType::Counter,
        )?;
        for (route, counts) in Route::ALL.iter().zip(&self.totals.answers) {
            for (class, count) in STATUS_CLASSES.iter().zip(counts) {
                let labels = [("route", route.name()), ("class", *class)];
                ConstCounter::new(*count).encode(family.encode_family(&labels)?)?;
            }
        }

        counters(
            &mut encoder,
            "nowd_server_errors",
            "Answers that report a failure of the service; base alarms on this",
            &[(None, self.totals.server_errors())],
        )?;

        let latencies = &self.totals.latencies;
        let mut buckets: Vec<(f64, u64)> =
            latencies.counts.iter().enumerate().map(|(place, &count)| (upper_limit(place), count)).collect();
        buckets[BUCKETS - 1].0 = f64::INFINITY;
        encoder
            .encode_descriptor(
                "nowd_http_request_duration",
                "From the last byte of a request's head to the last byte of its answer, which the \
                 kernel has then",
                Some(&Unit::Seconds),
                MetricType::Histogram,
            )?
            .encode_histogram::<NoLabelSet>(
                latencies.seconds,
                latencies.counts.iter().sum(),
                &buckets,
                None,
            )?;

        self.encode_events(&mut encoder)?;
        self.encode_state(&mut encoder)
    }
}

impl Snapshot {
    /// Counters of connections, heads, bodies and lines.
    fn encode_events(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let event = |event| self.totals.event_count(event);
        counters(
            encoder,
            "nowd_connections_accepted",
            "Connections that were accepted",
            &[(None, event(CountedEvent::Accepted))],
        )?;
        counters(
            encoder,
            "nowd_connections_refused",
            "Refused because of --max-connections: answered with 503, or closed to make room for newer ones",
            &[
                (Some(("how", "answered")), event(CountedEvent::TurnedAway)),
                (Some(("how", "closed")), event(CountedEvent::ClosedUnheard)),
            ],
        )?;
        counters(
            encoder,
            "nowd_connections_timed_out",
            "Ended by --head-timeout, by --idle-timeout, or because the client did not read its answer",
            &[
                (Some(("limit", "head")), event(CountedEvent::HeadTimeout)),
                (Some(("limit", "idle")), event(CountedEvent::IdleTimeout)),
                (Some(("limit", "write")), event(CountedEvent::WriteTimeout)),
            ],
        )?;
        counters(
            encoder,
            "nowd_heads_refused",
            "Request heads that were not HTTP, of another version than 1, or beyond --max-head-bytes \
             or --max-headers",
            &[
                (Some(("why", "malformed")), event(CountedEvent::HeadMalformed)),
                (Some(("why", "too_large")), event(CountedEvent::HeadTooLarge)),
                (Some(("why", "version")), event(CountedEvent::VersionRefused)),
            ],
        )?;
        counters(
            encoder,
            "nowd_bodies_refused",
            "Requests that had a body, which was not read",
            &[(None, event(CountedEvent::BodyRefused))],
        )?;
        counters(
            encoder,
            "nowd_lines_dropped",
            "Lines of log, access log and metrics that a slow reader made nowd drop",
            &[(None, self.dropped_lines)],
        )
    }

    /// Gauges.
    fn encode_state(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let synchronized = matches!(self.clock, ClockStatus::Synchronized { .. });
        for (name, help, value) in [
            ("nowd_connections", "Connections that are open", count(self.connections)),
            ("nowd_connections_limit", "What --max-connections allows", count(self.max_connections)),
            ("nowd_ready", "1 while /readyz answers 200", i64::from(self.is_ready)),
            ("nowd_clock_synchronized", "1 while something vouches for the clock", i64::from(synchronized)),
        ] {
            let gauge = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(value).encode(gauge)?;
        }
        // A number without a guarantee would look like a good one in a graph.
        if let ClockStatus::Synchronized { max_error_micros } = self.clock {
            let gauge = encoder.encode_descriptor(
                "nowd_clock_max_error",
                "Bound on the error of the clock; absent while there is none",
                Some(&Unit::Seconds),
                MetricType::Gauge,
            )?;
            ConstGauge::new(f64::from(max_error_micros) / 1e6).encode(gauge)?;
        }
        let mut build = encoder.encode_descriptor("nowd_build", "This process", None, MetricType::Info)?;
        build.encode_info(&[("version", env!("CARGO_PKG_VERSION")), ("instance", &self.instance)])
    }
}

/// A counter for each label, or one without.
fn counters(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    values: &[(Option<(&'static str, &'static str)>, u64)],
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for &(label, value) in values {
        match label {
            Some(label) => ConstCounter::new(value).encode(family.encode_family(&[label])?)?,
            None => return ConstCounter::new(value).encode(family),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hyper::StatusCode;

    use super::*;
    use crate::metrics::{Counters, Totals};

    fn snapshot(clock: ClockStatus) -> String {
        let counters = Arc::new(Counters::default());
        counters.count_response(Route::Now, StatusCode::OK);
        counters.latency.count(3_000, 1);
        counters.latency.count(60_000_000_000, 1);
        counters.count_event(CountedEvent::TurnedAway);
        let snapshot = Snapshot {
            totals: Totals::of(&[counters]),
            clock,
            is_ready: true,
            connections: 7,
            max_connections: 10,
            dropped_lines: 0,
            instance: "3f9c2a7d".to_owned(),
        };
        snapshot.prometheus_text()
    }

    #[test]
    fn every_metric_has_its_help_its_type_and_its_value() {
        let text = snapshot(ClockStatus::Synchronized { max_error_micros: 312 });
        for line in [
            "# TYPE nowd_http_requests counter",
            "nowd_http_requests_total{route=\"/now\",class=\"2xx\"} 1",
            "nowd_http_requests_total{route=\"/now\",class=\"5xx\"} 0",
            "# TYPE nowd_http_request_duration_seconds histogram",
            "nowd_http_request_duration_seconds_count 2",
            "nowd_http_request_duration_seconds_bucket{le=\"0.000002\"} 0",
            "nowd_http_request_duration_seconds_bucket{le=\"0.000004\"} 1",
            "nowd_http_request_duration_seconds_bucket{le=\"8.388608\"} 1",
            "nowd_http_request_duration_seconds_bucket{le=\"+Inf\"} 2",
            "nowd_connections_refused_total{how=\"answered\"} 1",
            "nowd_connections 7",
            "nowd_connections_limit 10",
            "nowd_ready 1",
            "nowd_clock_synchronized 1",
            "nowd_clock_max_error_seconds 0.000312",
        ] {
            assert!(text.lines().any(|other| other == line), "{line} is not in\n{text}");
        }
        assert!(text.contains("instance=\"3f9c2a7d\""), "{text}");
        assert!(text.ends_with("# EOF\n"), "{text}");
        for line in text.lines().filter(|line| line.starts_with("# TYPE ")) {
            let name = line.split(' ').nth(2).unwrap();
            assert!(text.contains(&format!("# HELP {name} ")), "{name}");
        }
    }

    #[test]
    fn a_clock_that_nobody_vouches_for_has_no_error_bound() {
        let text = snapshot(ClockStatus::Unsynchronized);
        assert!(text.contains("nowd_clock_synchronized 0\n") && !text.contains("max_error"), "{text}");
    }
}
