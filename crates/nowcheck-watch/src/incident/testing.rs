//! What tests of incidents make rounds of.

use std::time::Duration;

use clock_offset::{Interval, Offset, Verdict};
use nowcheck::outcome::{BackendOutcome, Spread};

/// A clock behind an address, which is 60 s ahead if it is wrong. One with an empty name names no instance.
pub(super) fn backend(name: &str, verdict: Verdict) -> BackendOutcome {
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
