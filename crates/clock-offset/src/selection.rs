//! The true time, from several servers that say it: what they agree on.

use crate::interval::{BoundedTime, Interval};
use crate::time::{Drift, MonotonicInstant, UnixInstant};

/// What the references agree on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// Bounds on the true time.
    pub bounds: BoundedTime,
    /// The claims that can be true: their places in what was given, ascending.
    pub truechimers: Vec<usize>,
    /// The claims that cannot be true if the agreement is: their places, ascending.
    pub falsetickers: Vec<usize>,
}

/// Claims that can all be true at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What they have in common.
    pub bounds: BoundedTime,
    /// Their places in what was given, ascending.
    pub members: Vec<usize>,
}

/// How a vote ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Vote {
    /// More than half of the claims can be true at once.
    Agreed(Agreement),
    /// No more than half of them can: nobody knows whom to believe.
    Disagreement {
        /// The largest groups, all of one size, the earliest time first.
        largest: Vec<Group>,
    },
    /// There was no claim.
    Nobody,
}

/// Finds out what the claims agree on at the instant `at`, to which each is carried, widened by the drift.
///
/// An instant that more than half of the claims hold may be the true time; when there is none, nobody knows whom to
/// believe. The bounds are the smallest interval that holds all such instants, and a falseticker is only who holds
/// none of them. (The overlaps are counted as by K. Marzullo's algorithm, from which that of RFC 5905 section 11.2.1 is
/// derived.)
///
/// **If more than half of the claims are right, the bounds hold the true time, and none of the right ones is blamed**: the
/// true time itself is such an instant. The narrower intersection of as many claims as possible would not keep that
/// promise: of `[0, 10]`, `[0, 10]` and `[9, 20]` it is `[9, 10]`, though the first two may be right, and the time 5. Such
/// are liars who lie so little that they still meet the others.
#[must_use]
pub fn vote(claims: &[BoundedTime], at: MonotonicInstant, drift: Drift) -> Vote {
    let claims: Vec<Interval<UnixInstant>> =
        claims.iter().map(|claim| claim.carried_to(at, drift).shows).collect();
    let majority = claims.len() / 2 + 1;
    let has_majority =
        |instant: &UnixInstant| claims.iter().filter(|claim| claim.contains(*instant)).count() >= majority;
    // Where a majority begins one of its members does, and where it ends one of them ends.
    let begins: Vec<UnixInstant> = claims.iter().map(Interval::earliest).filter(has_majority).collect();
    let ends = claims.iter().map(Interval::latest).filter(has_majority);
    let (Some(&earliest), Some(latest)) = (begins.iter().min(), ends.max()) else {
        let largest = largest_groups(&claims, at);
        return if largest.is_empty() { Vote::Nobody } else { Vote::Disagreement { largest } };
    };
    let (truechimers, falsetickers) =
        (0..claims.len()).partition(|&claim| begins.iter().any(|&begin| claims[claim].contains(begin)));
    let bounds = BoundedTime { at, shows: Interval::new(earliest, latest) };
    Vote::Agreed(Agreement { bounds, truechimers, falsetickers })
}

/// The groups with the most members, in the order of their time. A group begins where one of its members does, so
/// only these instants have to be looked at.
fn largest_groups(claims: &[Interval<UnixInstant>], at: MonotonicInstant) -> Vec<Group> {
    let mut begins: Vec<UnixInstant> = claims.iter().map(Interval::earliest).collect();
    begins.sort_unstable();
    begins.dedup();
    let mut largest: Vec<Group> = Vec::new();
    for begin in begins {
        let members: Vec<usize> = (0..claims.len()).filter(|&claim| claims[claim].contains(begin)).collect();
        let most = largest.first().map_or(0, |group| group.members.len());
        if members.len() < most {
            continue;
        }
        if members.len() > most {
            largest.clear();
        }
        let end = members.iter().map(|&member| claims[member].latest()).min().unwrap_or(begin);
        let shows = Interval::new(begin, end);
        largest.push(Group { bounds: BoundedTime { at, shows }, members });
    }
    largest
}

#[cfg(test)]
mod tests;
