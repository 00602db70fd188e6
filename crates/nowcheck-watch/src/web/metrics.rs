//! `/metrics`: the metrics of the monitor, in the format that the client wants.

use http::HeaderMap;

use super::Served;
use super::accept::{Offer, preferred};
use crate::metrics::{self, Family};

const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The formats. Who wants neither gets the first one, as from other exporters.
const FORMATS: [Offer; 2] = [
    Offer { name: "text/plain", parameters: &[("version", "0.0.4")] },
    Offer { name: "application/openmetrics-text", parameters: &[("version", "1.0.0")] },
];

/// The metrics and their type.
pub(super) fn text(served: &Served, headers: &HeaderMap) -> (&'static str, String) {
    in_format(served.metrics.read(), headers)
}

/// These metrics and their type.
pub(super) fn in_format(families: Vec<Family>, headers: &HeaderMap) -> (&'static str, String) {
    match preferred(headers, &FORMATS) {
        Some(1) => (OPEN_METRICS, metrics::open_metrics(families)),
        _ => (PROMETHEUS, metrics::prometheus(families)),
    }
}
