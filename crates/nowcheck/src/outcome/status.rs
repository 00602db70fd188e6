//! The status of a round, and why it is that.

/// The verdict, in the words and exit codes of the monitoring plugins' guidelines. The order is that in which somebody
/// must know: a proven fault, then not knowing, then a warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Up, and the clock is proven to be right.
    Ok,
    /// Up, and nothing is wrong as far as can be seen, but less is proven than was asked for: the clock is right, but not
    /// proven to be within the warning limit, or nothing vouches for the clock that it agrees with.
    Warning,
    /// Nothing could be proven.
    Unknown,
    /// Down, or proven to be wrong.
    Critical,
}

impl Status {
    /// The exit code of a monitoring plugin: 0 to 3.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }

    /// As monitoring plugins and the contract write it, in capitals.
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The clock is right.
    InSync,
    /// The clock is off by more than a limit.
    Desynchronized,
    /// No time came.
    Down,
    /// The bounds straddle the limit.
    Undetermined,
    /// An old answer came: from a cache, or from a clock that stands still.
    StaleCache,
    /// Fewer backends were met than are known to be there.
    BackendsMissing,
    /// The clock agrees with this machine's, and nothing vouches for that one.
    ReferenceNotVouchedFor,
    /// The references contradict each other, and no majority tells which of them is right.
    ReferencesDisagree,
    /// The checker itself cannot judge: its network, its clock, its reference.
    CheckerFault,
}

impl Reason {
    /// As the contract writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::InSync => "in_sync",
            Self::Desynchronized => "desynchronized",
            Self::Down => "down",
            Self::Undetermined => "undetermined",
            Self::StaleCache => "stale_cache",
            Self::BackendsMissing => "backends_missing",
            Self::ReferenceNotVouchedFor => "reference_not_vouched_for",
            Self::ReferencesDisagree => "references_disagree",
            Self::CheckerFault => "checker_fault",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proven_fault_outranks_not_knowing_and_that_a_warning() {
        assert!(Status::Ok < Status::Warning);
        assert!(Status::Warning < Status::Unknown);
        assert!(Status::Unknown < Status::Critical);
    }
}
