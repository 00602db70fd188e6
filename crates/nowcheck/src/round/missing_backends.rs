//! Fewer backends than there must be.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;

use clock_offset::CERTAINTY;

use crate::check::Check;
use crate::outcome::{FailureKind, Finding, MissingBackends, Note, TargetOutcome, Undetermined};

/// Fewer backends than are known to be there.
pub(super) fn miss_backends(targets: &mut [TargetOutcome], check: &Check) {
    let Some(expected) = check.expected_backends.map(NonZeroUsize::get) else { return };
    let urls: BTreeSet<String> = targets.iter().map(|target| target.url.clone()).collect();
    for url in urls {
        let of_url: Vec<&TargetOutcome> = targets.iter().filter(|target| target.url == url).collect();
        let backends = || of_url.iter().flat_map(|target| target.backends());
        let named: BTreeSet<&str> = backends().filter_map(|backend| backend.instance.as_deref()).collect();
        // A URL that is down, or answered with something old, has a worse fault than that.
        if named.len() >= expected || backends().next().is_none() {
            continue;
        }
        let missing = MissingBackends {
            met: named.len(),
            expected,
            are_nameless: backends().any(|backend| backend.instance.is_none()),
        };
        let is_proven = !missing.are_nameless && were_looked_for(&of_url, check.miss_probability);
        for target in targets.iter_mut().filter(|target| target.url == url) {
            target.miss(missing, is_proven);
        }
    }
}

/// Whether all backends of a URL were looked for so long that chance does not explain why some were not met.
fn were_looked_for(of_url: &[&TargetOutcome], miss_probability: f64) -> bool {
    let doubt = miss_probability * CERTAINTY;
    of_url.iter().all(|target| {
        // An address that this machine could not ask may be where the rest of them are.
        let is_incomplete =
            |note: &Note| matches!(note, Note::AddressSkipped { .. } | Note::AddressesUnknown(_));
        let was_asked = match target.finding.failure() {
            Some(failure) => !matches!(failure.kind(), FailureKind::Local | FailureKind::NoRoute),
            None => target.miss_probability.is_some_and(|missed| missed <= doubt),
        };
        was_asked && !target.notes.iter().any(is_incomplete)
    })
}

impl TargetOutcome {
    /// Makes missing backends the finding, unless a worse one is proven: that a clock is wrong.
    fn miss(&mut self, missing: MissingBackends, is_proven: bool) {
        if self.finding.failure().is_some() || matches!(self.finding, Finding::Stale(_)) {
            return;
        }
        let found = std::mem::replace(&mut self.finding, Finding::Undetermined(Undetermined::NothingAsked));
        self.finding = match found {
            Finding::InSync(backends) | Finding::NotWithinWarning(backends) if !is_proven => {
                Finding::Undetermined(Undetermined::Uncounted { missing, backends })
            }
            Finding::InSync(backends)
            | Finding::NotWithinWarning(backends)
            | Finding::Undetermined(Undetermined::Open(backends))
                if is_proven =>
            {
                Finding::BackendsMissing { missing, backends }
            }
            found => {
                self.notes.push(Note::BackendsMissing(missing));
                found
            }
        };
    }
}

#[cfg(test)]
mod tests;
