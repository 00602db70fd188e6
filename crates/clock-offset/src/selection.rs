//! The true time, from several servers that say it: what they agree on.
//!
//! NTP answers this question with its selection algorithm (RFC 5905 section 11.2.1).

use crate::interval::{BoundedTime, Interval};
use crate::time::{Drift, MonotonicInstant, UnixInstant};

/// What a majority of the claims agrees on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// Bounds on the true time.
    pub bounds: BoundedTime,
    /// The claims that can be true: their indices in what was given, ascending.
    pub truechimers: Vec<usize>,
    /// The claims that cannot be true if the agreement is: their indices, ascending.
    pub falsetickers: Vec<usize>,
}

/// Claims that can all be true at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clique {
    /// What they have in common.
    pub bounds: BoundedTime,
    /// Their indices in what was given, ascending.
    pub members: Vec<usize>,
}

/// The result of [`select`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// More than half of the claims can be true at once.
    Agreed(Agreement),
    /// No more than half of the claims can be true at once, so it is unknown which of them to believe.
    NoMajority {
        /// The largest cliques. All have the same size; the one with the earliest time comes first.
        largest: Vec<Clique>,
    },
    /// There was no claim.
    NoClaims,
}

/// Finds out what the claims agree on at the instant `at`, to which each is carried, widened by the drift.
///
/// An instant that more than half of the claims contain may be the true time. The bounds are the smallest
/// interval that contains all such instants; a falseticker is a claim that contains none of them. The
/// overlaps are counted as in the algorithm of K. Marzullo and S. Owicki (Maintaining the Time in a
/// Distributed System, 1983), from which that of RFC 5905 section 11.2.1 is derived.
///
/// **If more than half of the claims are true, the bounds contain the true time, and no true claim is called
/// a falseticker**: the true time itself is such an instant.
///
/// The intersection of as many claims as possible is narrower, but does not keep that promise. For `[0, 10]`,
/// `[0, 10]` and `[9, 20]` it is `[9, 10]`, although the first two may be true, and the time 5. Then the
/// third is wrong by so little that it still overlaps the others.
///
/// ```
/// use clock_offset::{BoundedTime, Drift, Interval, MonotonicInstant, Selection, UnixInstant, select};
///
/// let at = MonotonicInstant::ORIGIN;
/// let claim = |earliest, latest| {
///     let (earliest, latest) = (UnixInstant::from_nanos(earliest), UnixInstant::from_nanos(latest));
///     BoundedTime { at, shows: Interval::new(earliest, latest) }
/// };
/// let claims = [claim(0, 6), claim(10, 90), claim(4, 9)];
/// let selection = select(&claims, at, Drift::DISCIPLINED);
/// let Selection::Agreed(agreement) = selection else { panic!("two of three agree") };
/// assert_eq!(agreement.bounds, claim(4, 6));
/// assert_eq!(agreement.falsetickers, [1]);
///
/// // One of two is no majority.
/// assert!(matches!(select(&claims[..2], at, Drift::DISCIPLINED), Selection::NoMajority { .. }));
/// ```
#[must_use]
pub fn select(claims: &[BoundedTime], at: MonotonicInstant, drift: Drift) -> Selection {
    let claims: Vec<Interval<UnixInstant>> =
        claims.iter().map(|claim| claim.carried_to(at, drift).shows).collect();
    let majority = claims.len() / 2 + 1;
    let has_majority =
        |instant: &UnixInstant| claims.iter().filter(|claim| claim.contains(*instant)).count() >= majority;
    // Where a majority begins, one of its members does; and where it ends, one of them ends.
    let begins: Vec<UnixInstant> = claims.iter().map(Interval::earliest).filter(has_majority).collect();
    let ends = claims.iter().map(Interval::latest).filter(has_majority);
    let (Some(&earliest), Some(latest)) = (begins.iter().min(), ends.max()) else {
        let largest = largest_cliques(&claims, at);
        return if largest.is_empty() { Selection::NoClaims } else { Selection::NoMajority { largest } };
    };
    let (truechimers, falsetickers) =
        (0..claims.len()).partition(|&claim| begins.iter().any(|&begin| claims[claim].contains(begin)));
    let bounds = BoundedTime { at, shows: Interval::new(earliest, latest) };
    Selection::Agreed(Agreement { bounds, truechimers, falsetickers })
}

/// The cliques with the most members, in the order of their time. A clique begins where one of its members
/// does, so only these instants have to be looked at.
fn largest_cliques(claims: &[Interval<UnixInstant>], at: MonotonicInstant) -> Vec<Clique> {
    let mut begins: Vec<UnixInstant> = claims.iter().map(Interval::earliest).collect();
    begins.sort_unstable();
    begins.dedup();
    let mut largest: Vec<Clique> = Vec::new();
    for begin in begins {
        let members: Vec<usize> = (0..claims.len()).filter(|&claim| claims[claim].contains(begin)).collect();
        let most = largest.first().map_or(0, |clique| clique.members.len());
        if members.len() < most {
            continue;
        }
        if members.len() > most {
            largest.clear();
        }
        let end = members.iter().map(|&member| claims[member].latest()).min().unwrap_or(begin);
        let shows = Interval::new(begin, end);
        largest.push(Clique { bounds: BoundedTime { at, shows }, members });
    }
    largest
}

#[cfg(test)]
mod tests;
