//! What the samples of one backend have in common: how fine, how late and how fast its answers are.

use core::time::Duration;

use crate::backends::Backend;
use crate::sample::Sample;
use crate::time::Span;

use super::Plan;

/// The samples of one backend, oldest first.
///
/// Each figure is that of the backend and not of one sample. It comes from the sample that tells the most
/// about the question for which the figure is used.
#[derive(Debug, Clone, Copy)]
pub(super) struct BackendSamples<'a> {
    all: &'a [Sample],
    indices: &'a [usize],
}

impl<'a> BackendSamples<'a> {
    /// The samples themselves.
    pub(super) fn iter(self) -> impl Iterator<Item = &'a Sample> {
        self.indices.iter().map(move |&index| &self.all[index])
    }

    /// The least step of its readings. A backend reads one clock; where its answers differ in resolution, the
    /// finest shows how that clock can be read.
    pub(super) fn finest_step(self) -> Duration {
        self.iter().map(|sample| sample.reading.step).min().unwrap_or_default()
    }

    /// The most by which its readings reach below and above the step that they name.
    pub(super) fn beyond_their_step(self) -> (Span, Span) {
        let both = self.iter().map(|sample| sample.reading.beyond_its_step());
        both.fold((Span::ZERO, Span::ZERO), |most, one| (most.0.max(one.0), most.1.max(one.1)))
    }

    /// The most by which a reading may lag the clock. A bound for all of the samples has to allow for the
    /// worst one.
    pub(super) fn greatest_lag(self) -> Duration {
        self.iter().map(|sample| sample.reading.may_lag).max().unwrap_or_default()
    }

    /// The least round trip: the path without queues, which is the best guess for the next request.
    pub(super) fn shortest_round_trip(self) -> Duration {
        self.iter().map(Sample::round_trip).min().unwrap_or_default()
    }
}

impl Plan {
    pub(super) fn samples_of<'a>(&'a self, backend: &'a Backend) -> BackendSamples<'a> {
        BackendSamples { all: &self.samples, indices: &backend.samples }
    }
}
