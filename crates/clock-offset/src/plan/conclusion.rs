//! What a round proves.

use super::Gentleness;
use crate::backends::Backend;
use crate::interval::Interval;
use crate::pace::NotAClock;
use crate::staleness::Standstill;
use crate::time::Offset;
use crate::verdict::Verdict;

/// What a round proves about one address.
#[derive(Debug, Clone, PartialEq)]
pub struct Conclusion {
    /// The clocks behind the address.
    pub backends: Vec<JudgedBackend>,
    /// That one clock gave all answers of a backend is assumed and not proven. The backend has no name and is
    /// in sync, but its answers are so coarse that this may be the overlap of several clocks.
    pub one_clock_is_believed: bool,
    /// Whether the number of backends is known: they name themselves, or [`Rules::expected_backends`](super::Rules::expected_backends) is set.
    /// Otherwise backends whose clocks agree look like one, and [`miss_probability`](Self::miss_probability)
    /// is what it would be with one or two backends.
    pub backends_are_counted: bool,
    /// A clock that stands still, if one was seen.
    pub standstill: Option<Standstill>,
    /// Why the answers are no readings of clocks. Then no verdict on the backends counts.
    pub not_a_clock: Option<NotAClock>,
    /// The number of connections over which an answer came.
    pub connections: u32,
    /// An upper bound on the chance that one more backend was never met; see [`miss_probability`](crate::backends::miss_probability).
    pub miss_probability: f64,
    /// How gently the service had to be asked.
    pub gentleness: Gentleness,
}

/// A clock, its offset and the verdict on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgedBackend {
    /// The clock and its samples.
    pub backend: Backend,
    /// Bounds on its offset from the reference.
    pub offset: Interval<Offset>,
    /// What these bounds prove.
    pub verdict: Verdict,
}
