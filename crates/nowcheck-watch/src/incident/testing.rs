//! What tests make rounds of.

use std::time::Duration;

use clock_offset::{Interval, Limits, Offset, UnixInstant, Verdict};
use nowcheck::clock::Synchronization;
use nowcheck::outcome::{BackendOutcome, Outcome, ReferenceOutcome, Spread, Standing, TargetOutcome};

/// A clock behind an address, which is 60 s ahead if it is wrong. One with an empty name names no instance.
pub(crate) fn backend(name: &str, verdict: Verdict) -> BackendOutcome {
    let seconds = if verdict == Verdict::Desynchronized { 60_000_000_000 } else { 0 };
    BackendOutcome {
        instance: (!name.is_empty()).then(|| name.into()),
        verdict,
        offset: Interval::point(Offset::from_nanos(seconds)),
        tick: Duration::ZERO,
        step: Duration::ZERO,
        samples: 1,
        round_trip: Spread::default(),
        clock: None,
    }
}

/// A round of a limit of 1 s, against a reference that is agreed on.
pub(crate) fn outcome(targets: Vec<TargetOutcome>) -> Outcome {
    Outcome {
        checked_at: UnixInstant::from_nanos(0),
        duration: Duration::ZERO,
        limits: Limits { max_offset: Duration::from_secs(1), warn_offset: None },
        reference: ReferenceOutcome {
            standing: Standing::Agreed,
            system: Synchronization::Unsynchronized,
            max_error: None,
            local_offset: None,
            sources: Vec::new(),
        },
        targets,
    }
}
