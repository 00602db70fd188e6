//! What a check or a round is: one of the four kinds of time, and the warning, which is ok too.

use std::cmp::Ordering;

use crate::incident::ServiceStatus;

/// What a check is, or what a round came to. A warning is time in which the service was ok.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CheckStatus {
    /// Up, and the clock right.
    Ok,
    /// Up, and less is proven than was asked for.
    Warning,
    /// Up, and the clock wrong or the answer old.
    Wrong,
    /// Down.
    Down,
    /// Nothing is proven, or the round was missed.
    Unknown,
}

impl CheckStatus {
    /// All of them. Their places are their numbers in the history.
    pub const ALL: [Self; 5] = [Self::Ok, Self::Warning, Self::Wrong, Self::Down, Self::Unknown];

    /// As the contract writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            other => other.service().name(),
        }
    }

    /// Whether the service answers, whatever its clock is.
    #[must_use]
    pub fn is_up(self) -> bool {
        matches!(self, Self::Ok | Self::Warning | Self::Wrong)
    }

    /// Which kind of time it is.
    #[must_use]
    pub fn service(self) -> ServiceStatus {
        match self {
            Self::Ok | Self::Warning => ServiceStatus::Ok,
            Self::Wrong => ServiceStatus::Wrong,
            Self::Down => ServiceStatus::Down,
            Self::Unknown => ServiceStatus::Unknown,
        }
    }
}

impl From<ServiceStatus> for CheckStatus {
    fn from(status: ServiceStatus) -> Self {
        match status {
            ServiceStatus::Ok => Self::Ok,
            ServiceStatus::Unknown => Self::Unknown,
            ServiceStatus::Wrong => Self::Wrong,
            ServiceStatus::Down => Self::Down,
        }
    }
}

/// The order is that in which somebody must know, the worst last.
impl Ord for CheckStatus {
    fn cmp(&self, other: &Self) -> Ordering {
        let severity = |status: &Self| (status.service(), *status == Self::Warning);
        severity(self).cmp(&severity(other))
    }
}

impl PartialOrd for CheckStatus {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_worse_than_not_knowing_and_that_than_a_warning() {
        let mut sorted = CheckStatus::ALL;
        sorted.sort_unstable();
        assert_eq!(sorted.map(CheckStatus::name), ["ok", "warning", "unknown", "wrong", "down"]);
    }

    #[test]
    fn the_place_of_each_is_its_number() {
        for (number, status) in CheckStatus::ALL.into_iter().enumerate() {
            assert_eq!(status as usize, number);
        }
    }
}
