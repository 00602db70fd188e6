//! The metrics in OpenTelemetry's protocol (OTLP 1.x), as protobuf over HTTP.
//!
//! Counters are cumulative, so a collector that was away for a while misses points and no counts. Names have neither
//! unit nor suffix: collectors that speak to Prometheus add them, and get the names of `/metrics`.

mod protobuf;

use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method};
use jiff::Timestamp;
use nowcheck::clock::Clock;
use nowcheck::request_headers::RequestHeaders;
use nowcheck::text::printable;
use prost::Message as _;

use crate::config::Hook;
use crate::http_client::{Client, HttpFault, MOST_OF_A_BODY, Message};
use crate::metrics::{Counted, Family, Histogram, Labels, Sample, Samples, Unit};
use protobuf as wire;

/// How much of a collector's words is told.
const EXCERPT: usize = 200;

/// Shorter words of a header are no secrets, and would hide almost everything.
const SHORTEST_SECRET: usize = 6;

/// A collector.
#[derive(Debug)]
pub(super) struct Collector {
    /// Or why it cannot be asked.
    client: Result<Client, HttpFault>,
    headers: RequestHeaders,
    resource: wire::Resource,
}

impl Collector {
    pub(super) fn new(hook: &Hook, headers: RequestHeaders, monitor: &str, clock: Clock) -> Self {
        let resource = [
            ("service.name", "nowcheck"),
            ("service.version", env!("CARGO_PKG_VERSION")),
            ("service.instance.id", monitor),
        ];
        let mut sent = HeaderMap::new();
        headers.put_into(&mut sent);
        // Whole values, and what stands behind a word such as Bearer.
        let values = sent.values().filter_map(|value| value.to_str().ok());
        let secrets = values.flat_map(|value| value.split(' ').chain([value]));
        let secrets = secrets.filter(|text| text.len() >= SHORTEST_SECRET);
        Self {
            client: Client::new(hook, clock).map(|client| of_metrics(client).hiding(secrets)),
            headers,
            resource: wire::Resource { attributes: attributes(resource) },
        }
    }

    /// Sends these metrics.
    ///
    /// # Errors
    /// Why the collector did not take all of them.
    pub(super) async fn send(
        &self,
        families: Vec<Family>,
        now: Timestamp,
        longest: Duration,
    ) -> Result<(), String> {
        let client = self.client.as_ref().map_err(ToString::to_string)?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        self.headers.put_into(&mut headers);
        let body = request(self.resource.clone(), families, now).encode_to_vec().into();
        let message = Message { method: Method::POST, headers, body };
        let answer = client.ask(message, longest, MOST_OF_A_BODY).await.map_err(|fault| fault.to_string())?;
        judged(&answer)
    }
}

/// A URL without a path is that of a collector; one with a path may be that of a gateway in front of it.
fn of_metrics(client: Client) -> Client {
    if client.path().ends_with("/v1/metrics") { client } else { client.below(&["v1", "metrics"]) }
}

/// A success may be partial, and tells so in its body.
fn judged(answer: &[u8]) -> Result<(), String> {
    // Some collectors answer JSON, or nothing at all: that is success.
    let Ok(wire::Response { partial_success: Some(partial) }) = wire::Response::decode(answer) else {
        return Ok(());
    };
    if partial.rejected_data_points == 0 {
        return Ok(());
    }
    let why = printable(partial.error_message.as_bytes(), EXCERPT);
    Err(format!(
        "the collector rejected {} of the values: \"{why}\"; look at its log",
        partial.rejected_data_points
    ))
}

fn request(resource: wire::Resource, families: Vec<Family>, now: Timestamp) -> wire::Request {
    let scope = wire::Scope { name: "nowcheck".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() };
    let metrics = families.into_iter().map(|family| metric(family, nanos(now))).collect();
    let scopes = vec![wire::ScopeMetrics { scope: Some(scope), metrics }];
    wire::Request { resources: vec![wire::ResourceMetrics { resource: Some(resource), scopes }] }
}

fn metric(family: Family, now: u64) -> wire::Metric {
    let data = match family.samples {
        Samples::Gauge(samples) => {
            let points = samples.into_iter().map(|sample| gauge_point(&sample, now)).collect();
            wire::Data::Gauge(wire::Gauge { points })
        }
        Samples::Counter(samples) => {
            let points = samples.into_iter().map(|sample| counter_point(&sample, now)).collect();
            wire::Data::Sum(wire::Sum { points, temporality: wire::CUMULATIVE, is_monotonic: true })
        }
        Samples::Histogram(samples) => {
            let points = samples.into_iter().map(|sample| histogram_point(sample, now)).collect();
            wire::Data::Histogram(wire::Histogram { points, temporality: wire::CUMULATIVE })
        }
        Samples::Info(labels) => {
            let point = gauge_point(&Sample { labels, value: 1.0 }, now);
            wire::Data::Gauge(wire::Gauge { points: vec![point] })
        }
    };
    let unit = family.unit.map(|unit| match unit {
        Unit::Seconds => "s",
        Unit::Ratio => "1",
    });
    wire::Metric {
        name: family.name.to_owned(),
        description: family.help.to_owned(),
        unit: unit.unwrap_or_default().to_owned(),
        data: Some(data),
    }
}

fn gauge_point(sample: &Sample<f64>, now: u64) -> wire::NumberPoint {
    let is_known = !sample.value.is_nan();
    wire::NumberPoint {
        attributes: attributes(sample.labels.all()),
        start: 0,
        time: now,
        value: is_known.then_some(wire::Number::Double(sample.value)),
        flags: if is_known { 0 } else { wire::NO_RECORDED_VALUE },
    }
}

fn counter_point(sample: &Sample<Counted<u64>>, now: u64) -> wire::NumberPoint {
    let Sample { labels, value: Counted { since, value } } = sample;
    wire::NumberPoint {
        attributes: attributes(labels.all()),
        start: nanos(*since),
        time: now,
        value: Some(wire::Number::Int(i64::try_from(*value).unwrap_or(i64::MAX))),
        flags: 0,
    }
}

fn histogram_point(sample: Sample<Counted<Histogram>>, now: u64) -> wire::HistogramPoint {
    let Sample { labels, value: Counted { since, value: Histogram { limits, counts, sum } } } = sample;
    wire::HistogramPoint {
        attributes: labelled(&labels),
        start: nanos(since),
        time: now,
        count: counts.iter().sum(),
        sum: Some(sum),
        counts,
        limits,
    }
}

fn labelled(labels: &Labels) -> Vec<wire::KeyValue> {
    attributes(labels.all())
}

fn attributes<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<wire::KeyValue> {
    let one = |(key, value): (&str, &str)| wire::KeyValue {
        key: key.to_owned(),
        value: Some(wire::AnyValue { value: Some(wire::Any::Text(value.to_owned())) }),
    };
    pairs.into_iter().map(one).collect()
}

fn nanos(at: Timestamp) -> u64 {
    u64::try_from(at.as_nanosecond()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
