//! What metrics are: families of series, in the terms of `OpenMetrics`.

use std::borrow::Cow;

use jiff::Timestamp;

/// The series of one name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Family {
    /// Without the unit and without what a kind adds, such as `_total`.
    pub(crate) name: &'static str,
    /// What it says, as a sentence without a full stop.
    pub(crate) help: &'static str,
    pub(crate) unit: Option<Unit>,
    pub(crate) samples: Samples,
}

impl Family {
    pub(crate) fn new(name: &'static str, help: &'static str, unit: Option<Unit>, samples: Samples) -> Self {
        Self { name, help, unit, samples }
    }

    /// Leaves out what names a check: it is known to who asked.
    pub(super) fn forget_check(&mut self) {
        if let Samples::Gauge(samples) = &mut self.samples {
            for sample in samples {
                sample.labels.check.clear();
            }
        }
    }
}

/// What values are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Seconds,
    Ratio,
}

/// The series, by their kind.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Samples {
    /// Values that go up and down; NaN while there is none.
    Gauge(Vec<Sample<f64>>),
    /// Counts that only grow.
    Counter(Vec<Sample<Counted<u64>>>),
    /// Distributions.
    Histogram(Vec<Sample<Counted<Histogram>>>),
    /// What is told by labels alone.
    Info(Labels),
}

/// The value of one series.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample<V> {
    pub(crate) labels: Labels,
    pub(crate) value: V,
}

/// The labels of a series.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Labels {
    /// Those of the check, its name first; none if it is about the monitor.
    pub(crate) check: Vec<(String, String)>,
    /// Those that tell series of one check apart.
    pub(crate) further: Vec<(&'static str, Cow<'static, str>)>,
}

impl Labels {
    /// All of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        let check = self.check.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        check.chain(self.further.iter().map(|(name, value)| (*name, value.as_ref())))
    }
}

/// What was counted, and since when.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Counted<V> {
    pub(crate) since: Timestamp,
    pub(crate) value: V,
}

/// A distribution.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Histogram {
    /// The upper limits of all classes but the last one.
    pub(crate) limits: Vec<f64>,
    /// How many values are in each class: one more than there are limits.
    pub(crate) counts: Vec<u64>,
    pub(crate) sum: f64,
}
