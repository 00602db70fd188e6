//! What was found at one address: one value that carries its evidence. Status and reason are derived from it.

use std::time::Duration;

use clock_offset::{Interval, Offset, Verdict};

use super::backend::without_names;
use super::{BackendOutcome, Backends, Failure, FailureKind, Phase, Reason, Status};

/// What was found at one address.
#[derive(Debug, Clone, PartialEq)]
pub enum Finding {
    /// Every clock is proven to be right.
    InSync(Backends),
    /// Every clock is right, but one is not proven to be within the warning limit.
    NotWithinWarning(Backends),
    /// Every clock agrees with this machine's clock to within the limit, and nothing vouches for that one.
    Unvouched(Backends),
    /// A clock is proven to be wrong.
    Desynchronized(Backends),
    /// A clock is beyond the limit from this machine's clock, and nothing vouches for that one: either may be wrong.
    ClocksDisagree(Backends),
    /// Nothing is proven, and nobody is at fault.
    Undetermined(Undetermined),
    /// Fewer backends answered than there must be, and they were looked for.
    BackendsMissing {
        /// How many.
        missing: MissingBackends,
        /// Those that answered.
        backends: Backends,
    },
    /// An old answer came. It says nothing about a clock.
    Stale(Stale),
    /// A request failed.
    Down(Interrupted),
    /// This machine cannot tell.
    CheckerFault(CheckerFault),
}

/// Why nothing is proven.
#[derive(Debug, Clone, PartialEq)]
pub enum Undetermined {
    /// The time was over before anything could be asked.
    NothingAsked,
    /// The bounds on a clock straddle the limit, or its answers name nobody and may come from two clocks.
    Open(Backends),
    /// Backends may be missing, but they could not be counted or not all be looked for.
    Uncounted {
        /// How many.
        missing: MissingBackends,
        /// Those that answered.
        backends: Backends,
    },
    /// The service answered, or said that it is asked too often, and then turned away so much that the answers prove
    /// too little.
    Limited(Interrupted),
}

/// Why this machine cannot tell.
#[derive(Debug, Clone, PartialEq)]
pub enum CheckerFault {
    /// A request failed for a reason on this machine.
    CannotAsk(Interrupted),
    /// What was found cannot be relied on.
    Doubted {
        /// Why not.
        doubt: Doubt,
        /// What was found.
        found: Box<Finding>,
    },
}

/// A failed request, and the clocks that had answered before.
#[derive(Debug, Clone, PartialEq)]
pub struct Interrupted {
    /// The request that failed.
    pub failure: Failure,
    /// The clocks that had answered.
    pub backends: Vec<BackendOutcome>,
}

/// Backends that are known to be there and did not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissingBackends {
    /// How many different ones were met, behind all addresses of the URL.
    pub met: usize,
    /// How many there must be.
    pub expected: usize,
    /// Whether some answers name no instance, so that they cannot be counted.
    pub are_nameless: bool,
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

/// Why a finding cannot be relied on: something is wrong with this machine or with the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// This machine was suspended during the round.
    Suspended,
    /// This machine's wall clock was stepped during the round, and the reference rests on it.
    WallClockStepped {
        /// By how much.
        step: Offset,
    },
    /// The references contradict each other.
    ReferencesDisagree,
    /// No time server could be used.
    NoReference,
    /// Nobody vouches for this machine's clock.
    ReferenceNotVouchedFor,
    /// Most of the references did not answer, and that is not enough for a strict check.
    TooFewReferences,
    /// This machine's clock, which is one of the references, is proven to be wrong by the others.
    LocalClockWrong {
        /// How far it is from the agreed time.
        offset: Interval<Offset>,
    },
    /// The reference's own bound is wider than the limit.
    ReferenceTooWide {
        /// That bound.
        max_error: Duration,
        /// Whether it is that of time servers, or of this machine's clock.
        is_of_servers: bool,
    },
}

impl Doubt {
    /// Whether verdicts on single clocks are worth nothing either. Otherwise the other references prove them.
    fn voids_verdicts(&self) -> bool {
        !matches!(self, Self::LocalClockWrong { .. } | Self::ReferenceTooWide { .. })
    }

    fn reason(&self) -> Reason {
        match self {
            Self::ReferencesDisagree => Reason::ReferencesDisagree,
            _ => Reason::CheckerFault,
        }
    }
}

impl Finding {
    /// What the verdicts on the clocks come to.
    #[must_use]
    pub fn of_backends(backends: Vec<BackendOutcome>) -> Self {
        let Some(backends) = Backends::of(backends) else {
            return Self::Undetermined(Undetermined::NothingAsked);
        };
        match backends.worst().verdict {
            Verdict::InSync => Self::InSync(backends),
            Verdict::NotWithinWarning => Self::NotWithinWarning(backends),
            Verdict::Undetermined => Self::Undetermined(Undetermined::Open(backends)),
            Verdict::Desynchronized => Self::Desynchronized(backends),
        }
    }

    /// What a failed request comes to.
    #[must_use]
    pub fn of_failure(failure: Failure, backends: Vec<BackendOutcome>) -> Self {
        let is_this_machines = match failure.kind() {
            FailureKind::Local
            | FailureKind::NoRoute
            // A DNS that fails may be this machine's own, or the way to it.
            | FailureKind::DnsFailure
            // The service may be well; it is this program that cannot see it.
            | FailureKind::Unsupported
            | FailureKind::ClientCertificate => true,
            // A DNS server that is silent says nothing about the service.
            FailureKind::Timeout => failure.phase == Phase::Resolve,
            // The service answers with a time, and this program was told to look for another one. Where the same setting
            // fitted an earlier answer, it is the service that is not as it should be.
            FailureKind::NotATime => backends.is_empty() && failure.elsewhere().is_some(),
            _ => false,
        };
        let interrupted = Interrupted { failure, backends };
        if is_this_machines {
            Self::CheckerFault(CheckerFault::CannotAsk(interrupted))
        } else {
            Self::Down(interrupted)
        }
    }

    /// What the answers of a service come to that turned others away, the latest of them with this failure. They prove
    /// that a clock is right only when a broken backend is ruled out as the cause.
    #[must_use]
    pub fn of_limit(failure: Failure, backends: Vec<BackendOutcome>, is_ruled_out: bool) -> Self {
        let limited = |backends| Self::Undetermined(Undetermined::Limited(Interrupted { failure, backends }));
        match Self::of_backends(backends) {
            proven @ Self::Desynchronized(_) => proven,
            proven @ (Self::InSync(_) | Self::NotWithinWarning(_)) if is_ruled_out => proven,
            open => limited(open.backends().to_vec()),
        }
    }

    /// This finding, which cannot be relied on.
    #[must_use]
    pub fn doubted(self, doubt: Doubt) -> Self {
        Self::CheckerFault(CheckerFault::Doubted { doubt, found: Box::new(self) })
    }

    /// This finding, when the clocks were compared with this machine's clock alone and nothing vouches for that one. What is
    /// no comparison of clocks stays as it is.
    #[must_use]
    pub fn unvouched(self) -> Self {
        match self {
            Self::InSync(backends) | Self::NotWithinWarning(backends) => Self::Unvouched(backends),
            Self::Desynchronized(backends) => Self::ClocksDisagree(backends),
            other => other,
        }
    }

    /// Whether it says itself that nothing vouches for the reference.
    #[must_use]
    pub fn is_unvouched(&self) -> bool {
        matches!(self, Self::Unvouched(_) | Self::ClocksDisagree(_))
    }

    /// The status that it stands for.
    #[must_use]
    pub fn status(&self) -> Status {
        match self {
            Self::InSync(_) => Status::Ok,
            Self::NotWithinWarning(_) | Self::Unvouched(_) => Status::Warning,
            Self::Undetermined(_) | Self::CheckerFault(_) => Status::Unknown,
            Self::Desynchronized(_)
            | Self::ClocksDisagree(_)
            | Self::BackendsMissing { .. }
            | Self::Stale(_)
            | Self::Down(_) => Status::Critical,
        }
    }

    /// The reason that it stands for.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::InSync(_) => Reason::InSync,
            Self::NotWithinWarning(_) | Self::Desynchronized(_) | Self::ClocksDisagree(_) => {
                Reason::Desynchronized
            }
            Self::Unvouched(_) => Reason::ReferenceNotVouchedFor,
            Self::Undetermined(_) => Reason::Undetermined,
            Self::BackendsMissing { .. } => Reason::BackendsMissing,
            Self::Stale(_) => Reason::StaleCache,
            Self::Down(_) => Reason::Down,
            Self::CheckerFault(CheckerFault::CannotAsk(_)) => Reason::CheckerFault,
            Self::CheckerFault(CheckerFault::Doubted { doubt, .. }) => doubt.reason(),
        }
    }

    /// The status and reason of one of its backends, against a reference that may be judged by.
    pub(crate) fn of_backend(&self, backend: &BackendOutcome) -> (Status, Reason) {
        match (self.doubt(), backend.verdict) {
            (Some(doubt), verdict) if doubt.voids_verdicts() || verdict == Verdict::Undetermined => {
                (Status::Unknown, doubt.reason())
            }
            (_, Verdict::InSync) => (Status::Ok, Reason::InSync),
            (_, Verdict::NotWithinWarning) => (Status::Warning, Reason::Desynchronized),
            (_, Verdict::Undetermined) => (Status::Unknown, Reason::Undetermined),
            (_, Verdict::Desynchronized) => (Status::Critical, Reason::Desynchronized),
        }
    }

    /// The clocks that answered.
    #[must_use]
    pub fn backends(&self) -> &[BackendOutcome] {
        match self {
            Self::InSync(backends)
            | Self::NotWithinWarning(backends)
            | Self::Unvouched(backends)
            | Self::Desynchronized(backends)
            | Self::ClocksDisagree(backends)
            | Self::BackendsMissing { backends, .. }
            | Self::Undetermined(Undetermined::Open(backends) | Undetermined::Uncounted { backends, .. }) => {
                backends.as_slice()
            }
            Self::Down(interrupted)
            | Self::Undetermined(Undetermined::Limited(interrupted))
            | Self::CheckerFault(CheckerFault::CannotAsk(interrupted)) => &interrupted.backends,
            Self::CheckerFault(CheckerFault::Doubted { found, .. }) => found.backends(),
            Self::Stale(_) | Self::Undetermined(Undetermined::NothingAsked) => &[],
        }
    }

    /// What the clocks with names prove is kept, and their names are not.
    pub(super) fn forget_names(&mut self) {
        match self {
            Self::InSync(backends)
            | Self::NotWithinWarning(backends)
            | Self::Unvouched(backends)
            | Self::Desynchronized(backends)
            | Self::ClocksDisagree(backends)
            | Self::BackendsMissing { backends, .. }
            | Self::Undetermined(Undetermined::Open(backends) | Undetermined::Uncounted { backends, .. }) => {
                backends.forget_names();
            }
            Self::Down(interrupted)
            | Self::Undetermined(Undetermined::Limited(interrupted))
            | Self::CheckerFault(CheckerFault::CannotAsk(interrupted)) => {
                interrupted.backends = without_names(std::mem::take(&mut interrupted.backends));
            }
            Self::CheckerFault(CheckerFault::Doubted { found, .. }) => found.forget_names(),
            Self::Stale(_) | Self::Undetermined(Undetermined::NothingAsked) => {}
        }
    }

    /// The request that failed, if one did.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Down(interrupted)
            | Self::Undetermined(Undetermined::Limited(interrupted))
            | Self::CheckerFault(CheckerFault::CannotAsk(interrupted)) => Some(&interrupted.failure),
            Self::CheckerFault(CheckerFault::Doubted { found, .. }) => found.failure(),
            _ => None,
        }
    }

    /// Why it cannot be relied on, if something is wrong with this machine or with the reference.
    #[must_use]
    pub fn doubt(&self) -> Option<&Doubt> {
        match self {
            Self::CheckerFault(CheckerFault::Doubted { doubt, .. }) => Some(doubt),
            _ => None,
        }
    }

    /// The backends that are missing, if that is what it says.
    #[must_use]
    pub fn missing(&self) -> Option<&MissingBackends> {
        match self {
            Self::BackendsMissing { missing, .. }
            | Self::Undetermined(Undetermined::Uncounted { missing, .. }) => Some(missing),
            Self::CheckerFault(CheckerFault::Doubted { found, .. }) => found.missing(),
            _ => None,
        }
    }

    /// Whether it says something about a clock, so that it is worth no more than the reference.
    #[must_use]
    pub fn rests_on_the_reference(&self) -> bool {
        match self {
            Self::InSync(_)
            | Self::NotWithinWarning(_)
            | Self::Unvouched(_)
            | Self::Desynchronized(_)
            | Self::ClocksDisagree(_) => true,
            Self::Undetermined(undetermined) => !matches!(undetermined, Undetermined::NothingAsked),
            Self::BackendsMissing { .. } | Self::Stale(_) | Self::Down(_) | Self::CheckerFault(_) => false,
        }
    }
}
