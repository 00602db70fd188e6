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
