//! What a round found, without words and without a format: reports turn it into bytes.

mod note;
mod reference;

use std::net::SocketAddr;
use std::time::Duration;

use clock_offset::{Interval, Limits, Offset, Span, UnixInstant, Verdict};
use std::sync::Arc;

use crate::probe::failure::Failure;
use crate::probe::server_time::StatedClock;

pub use note::Note;
pub use reference::{ReferenceOutcome, SYSTEM, SourceFacts, SourceOutcome, SourceStanding, Standing};

/// The verdict, in the words and exit codes of the monitoring plugins' guidelines. The order is that of severity, and not
/// that of the exit codes: a proven fault, then not knowing, then a warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Up, and the clock is proven to be right.
    Ok,
    /// Right, but not proven to be within the warning limit.
    Warning,
    /// Nothing could be proven.
    Unknown,
    /// Down, or proven to be wrong.
    Critical,
}

impl Status {
    /// The exit code.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// Why the status is what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The clock is right.
    InSync,
    /// The clock is off by more than a limit.
    Desynchronised,
    /// No time came.
    Down,
    /// The bounds straddle the limit.
    Undetermined,
    /// An old answer came: from a cache, or from a clock that stands still.
    StaleCache,
    /// Fewer backends were met than are known to be there.
    BackendsMissing,
    /// The references contradict each other, and no majority tells which of them is right.
    ReferencesDisagree,
    /// The checker itself cannot judge: its network, its clock, its reference.
    CheckerFault,
}

impl Reason {
    /// Its name in the contract.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::InSync => "in_sync",
            Self::Desynchronised => "desynchronised",
            Self::Down => "down",
            Self::Undetermined => "undetermined",
            Self::StaleCache => "stale_cache",
            Self::BackendsMissing => "backends_missing",
            Self::ReferencesDisagree => "references_disagree",
            Self::CheckerFault => "checker_fault",
        }
    }
}

/// A round over all targets.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Its begin, by this machine's wall clock.
    pub checked_at: UnixInstant,
    /// Its length.
    pub duration: Duration,
    /// What was judged.
    pub limits: Limits,
    /// What the clocks were compared with.
    pub reference: ReferenceOutcome,
    /// One for each address of each URL.
    pub targets: Vec<TargetOutcome>,
}

impl Outcome {
    /// The target that decides the status: the first of the worst.
    #[must_use]
    pub fn worst(&self) -> Option<&TargetOutcome> {
        self.targets.iter().reduce(|worst, target| if target.status > worst.status { target } else { worst })
    }

    /// The status of the worst target.
    #[must_use]
    pub fn status(&self) -> Status {
        self.worst().map_or(Status::Unknown, |target| target.status)
    }

    /// The reason of the worst target.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.worst().map_or(Reason::CheckerFault, |target| target.reason)
    }
}

/// What a server proved its name with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CertificateOutcome {
    /// The end of its validity.
    pub expires_at: UnixInstant,
    /// How far away that is by the reference; negative afterwards.
    pub left: Span,
}

/// Answers that were not used, because the measurement itself was disturbed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Discarded {
    /// This machine was suspended meanwhile.
    pub suspended: u32,
    /// This machine's clock, which is the reference, was stepped meanwhile.
    pub clock_step: u32,
    /// This machine was too busy to let the program run.
    pub scheduling: u32,
}

/// One address of one URL.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetOutcome {
    /// The URL.
    pub url: String,
    /// The address; none when the name did not resolve.
    pub address: Option<SocketAddr>,
    /// The verdict on it.
    pub status: Status,
    /// Why.
    pub reason: Reason,
    /// The request that failed, if one did.
    pub failure: Option<Failure>,
    /// How long each phase of the first request took.
    pub phases: Phases,
    /// What the server proved its name with.
    pub certificate: Option<CertificateOutcome>,
    /// Connections that were opened.
    pub connections: u32,
    /// Requests that were begun.
    pub requests: u32,
    /// Answers that were not used.
    pub discarded: Discarded,
    /// Bound on the chance that another backend was missed; none when nothing answered.
    pub miss_probability: Option<f64>,
    /// The clocks behind the address.
    pub backends: Vec<BackendOutcome>,
    /// An old answer, if one came.
    pub stale: Option<Stale>,
    /// What a reader should know besides.
    pub notes: Vec<Note>,
}

/// How long each phase took; none for one that did not happen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Phases {
    /// From the name to the addresses.
    pub resolve: Option<Duration>,
    /// TCP.
    pub connect: Option<Duration>,
    /// TLS.
    pub tls: Option<Duration>,
    /// From the request to the first byte.
    pub wait: Option<Duration>,
    /// From the first byte to the last.
    pub transfer: Option<Duration>,
}

impl Phases {
    /// Those that happened, by their names, in order.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, Duration)> {
        let all = [
            ("resolve", self.resolve),
            ("connect", self.connect),
            ("tls", self.tls),
            ("wait", self.wait),
            ("transfer", self.transfer),
        ];
        all.into_iter().filter_map(|(name, took)| took.map(|took| (name, took)))
    }
}

/// Evidence of an old answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stale {
    /// A cache says so (`Age`, RFC 9111 section 5.1).
    Age {
        /// Seconds.
        seconds: u64,
    },
    /// The same time was said again although time had passed.
    Standstill {
        /// How much, at least.
        elapsed: Duration,
    },
}

/// One clock behind an address.
#[derive(Debug, Clone, PartialEq)]
pub struct BackendOutcome {
    /// As it names itself.
    pub instance: Option<Arc<str>>,
    /// What is proven about it.
    pub verdict: Verdict,
    /// Bounds on its offset.
    pub offset: Interval<Offset>,
    /// Answers of it.
    pub samples: usize,
    /// Their round trips.
    pub round_trip: Spread,
    /// What it says of its own clock.
    pub clock: Option<StatedClock>,
}

/// Least, median and greatest of some durations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spread {
    /// The least.
    pub min: Duration,
    /// The median (the lower one of two).
    pub median: Duration,
    /// The greatest.
    pub max: Duration,
}

impl Spread {
    /// Of any durations; zeros when there are none.
    #[must_use]
    pub fn of(durations: impl IntoIterator<Item = Duration>) -> Self {
        let mut sorted: Vec<Duration> = durations.into_iter().collect();
        sorted.sort_unstable();
        let Some((&min, &max)) = sorted.first().zip(sorted.last()) else {
            return Self::default();
        };
        Self { min, median: sorted[(sorted.len() - 1) / 2], max }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proven_fault_outranks_not_knowing_and_that_a_warning() {
        assert_eq!(Status::Unknown.max(Status::Critical), Status::Critical);
        assert_eq!(Status::Unknown.max(Status::Warning), Status::Unknown);
        assert_eq!(Status::Warning.max(Status::Ok), Status::Warning);
    }

    #[test]
    fn a_spread_of_nothing_is_zero_and_the_median_is_a_value_that_was_measured() {
        assert_eq!(Spread::of([]), Spread::default());
        let spread = Spread::of([4, 1, 3, 2].map(Duration::from_millis));
        assert_eq!(spread.median, Duration::from_millis(2));
    }
}
