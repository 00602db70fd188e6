//! The metrics of the monitor at one moment, as data. `/metrics` and all exports follow from this list.

mod checks;
mod families;
mod round;
mod source;
mod text;

pub(crate) use families::{Counted, Family, Histogram, Labels, Sample, Samples, Unit};
pub(crate) use round::of_round;
pub(crate) use source::{MetricSource, MonitorFigures};
pub(crate) use text::{open_metrics, prometheus};

/// Nanoseconds in seconds; exact for a month, which is more than any offset that is still of interest in its digits.
#[expect(clippy::cast_precision_loss, reason = "53 bits are nanoseconds for 104 days")]
pub(crate) fn seconds(nanos: i128) -> f64 {
    nanos as f64 / 1e9
}
