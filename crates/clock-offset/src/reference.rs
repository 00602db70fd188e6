//! The true time, from servers that say it by NTP: what one exchange proves, and what several agree on.

use core::time::Duration;

use crate::interval::{BoundedTime, Interval};
use crate::time::{Drift, MonotonicInstant, Span, UnixInstant};

/// What a time server stamped in one exchange (RFC 5905 section 7.3), and how far it vouches for its clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerStamps {
    /// T2: what the server's clock showed when the request came.
    pub receive: UnixInstant,
    /// T3: what it showed when the answer was made.
    pub transmit: UnixInstant,
    /// The round trip from the server through its own servers to the source of the time.
    pub root_delay: Duration,
    /// The error that the server's clock has gathered on that way, at most.
    pub root_dispersion: Duration,
    /// By how much either stamp may miss what the clock showed: its resolution, and the rounding to nanoseconds.
    pub precision: Duration,
}

/// Bounds on the true time that one exchange proves, at `received`.
///
/// The server read T2 after the request had left (T1, `sent`), and T3 before its answer had come (T4, `received`),
/// whatever the network did to either packet. So at T4 its clock showed
///
/// * at least T3, because the answer was stamped before it left, and
/// * at most T2 + (T4 − T1), because no more time than that has passed since the request was stamped.
///
/// All lengths are in nanoseconds, and whatever is rounded is rounded outward. On both sides are added:
///
/// * `precision`: a stamp is a reading, as coarse as the clock is read. `ntpd` fills what is below its precision
///   with random bits, so a stamp may be late as well as early.
/// * the drift during T4 − T1. Above, our own clock may have been slow while it measured that. Below, it is for a
///   server that states its dispersion as of the begin of the exchange: dispersion grows (by 15 ppm, `PHI` of
///   RFC 5905 section 7.2), and so slowly that the drift covers it.
/// * `root_delay` / 2 + `root_dispersion`: that far the server's clock may be from the true time, by its own word
///   (the root distance of RFC 5905 appendix A.5.5.2; what that adds for the way from the server to us stands here
///   as the distance of the two ends). This is what has to be believed; [`vote`] is for servers whose word is wrong.
///
/// A pause of this machine before the request leaves or after the answer came makes T4 − T1 longer: the bounds
/// become wider, and stay true. Nothing when the stamps contradict themselves: T3 before T2, or more time
/// between the two than the whole exchange took.
#[must_use]
pub fn exchange_bounds(
    sent: MonotonicInstant,
    received: MonotonicInstant,
    stamps: &ServerStamps,
    drift: Drift,
) -> Option<BoundedTime> {
    let round_trip = received - sent;
    let inside_the_server = stamps.transmit - stamps.receive;
    if round_trip < Span::ZERO || inside_the_server < Span::ZERO {
        return None;
    }
    let drifted = drift.during(round_trip.magnitude());
    let precision = Span::from(stamps.precision);
    if inside_the_server > round_trip + drifted + precision + precision {
        return None;
    }
    let margin = drifted + precision + half(stamps.root_delay) + Span::from(stamps.root_dispersion);
    // The lower end is the lower one: both margins together are no smaller than the slack of the comparison above.
    let shows = Interval::new(stamps.transmit - margin, stamps.receive + round_trip + margin);
    Some(BoundedTime { at: received, shows })
}

/// Half of a length, rounded up.
fn half(length: Duration) -> Span {
    Span::from_nanos((Span::from(length).as_nanos() + 1) / 2)
}

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
mod tests {
    use super::*;

    const MILLI: i128 = 1_000_000;
    const NOON: i128 = 1_795_521_600_000 * MILLI;

    fn instant(millis: u64) -> MonotonicInstant {
        MonotonicInstant::after_origin(Duration::from_millis(millis))
    }

    /// Stamps that many milliseconds after noon, of a server that is perfect in everything else.
    fn stamps(receive: i128, transmit: i128) -> ServerStamps {
        ServerStamps {
            receive: UnixInstant::from_nanos(NOON + receive * MILLI),
            transmit: UnixInstant::from_nanos(NOON + transmit * MILLI),
            root_delay: Duration::ZERO,
            root_dispersion: Duration::ZERO,
            precision: Duration::ZERO,
        }
    }

    /// The ends of bounds, in nanoseconds after noon.
    fn ends(bounds: &BoundedTime) -> (i128, i128) {
        (bounds.shows.earliest().as_nanos() - NOON, bounds.shows.latest().as_nanos() - NOON)
    }

    fn claim(earliest: i128, latest: i128) -> BoundedTime {
        let shows = Interval::new(UnixInstant::from_nanos(earliest), UnixInstant::from_nanos(latest));
        BoundedTime { at: MonotonicInstant::ORIGIN, shows }
    }

    fn vote_on(claims: &[BoundedTime]) -> Vote {
        vote(claims, MonotonicInstant::ORIGIN, Drift::DISCIPLINED)
    }

    #[test]
    fn an_exchange_with_a_perfect_server_leaves_the_doubt_of_the_network_alone() {
        let bounds = exchange_bounds(instant(5), instant(45), &stamps(20, 30), Drift::from_ppm(0)).unwrap();
        // At least the 30 ms of the answer, at most the 20 ms of the request and the round trip of 40 ms.
        assert_eq!(ends(&bounds), (30 * MILLI, 60 * MILLI));
        assert_eq!(bounds.at, instant(45));
    }

    #[test]
    fn each_doubt_is_added_on_both_sides_and_rounded_outward() {
        let plain = stamps(20, 30);
        let nanos = Duration::from_nanos;
        let bounds_of = |stamps: &ServerStamps, ppm| {
            ends(&exchange_bounds(instant(5), instant(45), stamps, Drift::from_ppm(ppm)).unwrap())
        };
        let widened = |by: i128| (30 * MILLI - by, 60 * MILLI + by);
        assert_eq!(bounds_of(&ServerStamps { root_delay: nanos(7), ..plain }, 0), widened(4));
        assert_eq!(bounds_of(&ServerStamps { root_dispersion: nanos(7), ..plain }, 0), widened(7));
        assert_eq!(bounds_of(&ServerStamps { precision: nanos(7), ..plain }, 0), widened(7));
        assert_eq!(bounds_of(&plain, 500), widened(20_000));
    }

    #[test]
    fn stamps_that_contradict_themselves_prove_nothing() {
        let exact = |sent, received, receive, transmit| {
            exchange_bounds(instant(sent), instant(received), &stamps(receive, transmit), Drift::from_ppm(0))
        };
        assert_eq!(exact(0, 40, 30, 29), None, "answered before it was asked");
        assert_eq!(exact(0, 40, 20, 61), None, "held the request for longer than the exchange took");
        assert!(exact(0, 40, 20, 60).is_some(), "a network that takes no time is possible");
        assert!(exact(0, 40, 20, 20).is_some(), "a server that takes no time is possible");
        let vague = ServerStamps { precision: Duration::from_secs(1), ..stamps(20, 20) };
        let backwards = exchange_bounds(instant(40), instant(0), &vague, Drift::from_ppm(0));
        assert_eq!(backwards, None, "received before it was sent");
    }

    #[test]
    fn stamps_may_contradict_themselves_within_what_the_clocks_can_tell() {
        // 2 ms in 40.
        let drift = Drift::from_ppm(50_000);
        let bounds = exchange_bounds(instant(0), instant(40), &stamps(20, 62), drift).unwrap();
        assert_eq!(ends(&bounds), (60 * MILLI, 62 * MILLI));
        assert_eq!(exchange_bounds(instant(0), instant(40), &stamps(20, 63), drift), None);
        let coarse = ServerStamps { precision: Duration::from_millis(3), ..stamps(20, 66) };
        let bounds = exchange_bounds(instant(0), instant(40), &coarse, Drift::from_ppm(0)).unwrap();
        assert_eq!(ends(&bounds), (63 * MILLI, 63 * MILLI));
        let coarse = ServerStamps { precision: Duration::from_millis(3), ..stamps(20, 67) };
        assert_eq!(exchange_bounds(instant(0), instant(40), &coarse, Drift::from_ppm(0)), None);
    }

    #[test]
    fn a_server_that_vouches_for_nothing_does_not_overflow() {
        let vague = ServerStamps {
            root_delay: Duration::MAX,
            root_dispersion: Duration::MAX,
            precision: Duration::MAX,
            ..stamps(20, 30)
        };
        let bounds = exchange_bounds(instant(0), instant(40), &vague, Drift::DISCIPLINED).unwrap();
        assert!(bounds.shows.contains(UnixInstant::from_nanos(0)));
    }

    #[test]
    fn a_vote_of_nobody_has_no_result_and_one_of_one_is_its_own() {
        assert_eq!(vote_on(&[]), Vote::Nobody);
        let alone = claim(3, 9);
        let agreed = Agreement { bounds: alone, truechimers: vec![0], falsetickers: vec![] };
        assert_eq!(vote_on(&[alone]), Vote::Agreed(agreed));
    }

    #[test]
    fn half_of_the_claims_are_no_majority() {
        let Vote::Disagreement { largest } = vote_on(&[claim(8, 9), claim(0, 5)]) else {
            panic!("one of two was believed");
        };
        let expected = [
            Group { bounds: claim(0, 5), members: vec![1] },
            Group { bounds: claim(8, 9), members: vec![0] },
        ];
        assert_eq!(largest, expected);
        let two_of_four = [claim(0, 5), claim(20, 21), claim(4, 9), claim(30, 31)];
        let Vote::Disagreement { largest } = vote_on(&two_of_four) else {
            panic!("two of four were believed")
        };
        assert_eq!(largest, [Group { bounds: claim(4, 5), members: vec![0, 2] }]);
    }

    #[test]
    fn a_majority_outvotes_a_falseticker() {
        let agreed = Agreement { bounds: claim(4, 6), truechimers: vec![0, 2], falsetickers: vec![1] };
        assert_eq!(vote_on(&[claim(0, 6), claim(10, 90), claim(4, 9)]), Vote::Agreed(agreed));
    }

    #[test]
    fn where_the_truth_can_be_in_two_regions_the_bounds_hold_both_and_nobody_is_blamed() {
        // The first meets the second, and the second the third; no instant belongs to all.
        let claims = [claim(0, 5), claim(3, 20), claim(15, 30)];
        let agreed = Agreement { bounds: claim(3, 20), truechimers: vec![0, 1, 2], falsetickers: vec![] };
        assert_eq!(vote_on(&claims), Vote::Agreed(agreed));
    }

    #[test]
    fn a_liar_who_still_meets_the_others_cannot_push_the_truth_out_of_the_bounds() {
        // The first two may be right, and the time 5.
        let agreed = Agreement { bounds: claim(0, 10), truechimers: vec![0, 1, 2], falsetickers: vec![] };
        assert_eq!(vote_on(&[claim(0, 10), claim(0, 10), claim(9, 20)]), Vote::Agreed(agreed));
    }

    #[test]
    fn claims_that_touch_agree_on_one_instant_and_those_a_nanosecond_apart_on_none() {
        let agreed = Agreement { bounds: claim(5, 5), truechimers: vec![0, 1], falsetickers: vec![] };
        assert_eq!(vote_on(&[claim(0, 5), claim(5, 9)]), Vote::Agreed(agreed));
        assert!(matches!(vote_on(&[claim(0, 5), claim(6, 9)]), Vote::Disagreement { .. }));
    }

    #[test]
    fn claims_are_carried_to_the_instant_of_the_vote_and_widened_by_the_drift() {
        // The second was made 10 ms later, and says 10 ms more.
        let later = BoundedTime {
            at: MonotonicInstant::ORIGIN + Duration::from_millis(10),
            shows: claim(10 * MILLI, 10 * MILLI).shows,
        };
        let at = MonotonicInstant::ORIGIN + Duration::from_millis(20);
        let Vote::Agreed(agreement) = vote(&[claim(0, 0), later], at, Drift::DISCIPLINED) else {
            panic!("they say the same");
        };
        assert_eq!(agreement.bounds.at, at);
        assert_eq!(agreement.bounds.shows, claim(20 * MILLI - 5_000, 20 * MILLI + 5_000).shows);
    }
}
