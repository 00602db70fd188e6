//! The true time, from a server that says it by NTP: what one exchange proves.

use core::time::Duration;

use crate::interval::{BoundedTime, Interval};
#[cfg(doc)]
use crate::selection::select;
use crate::time::{Drift, MonotonicInstant, Span, UnixInstant};

/// What a time server stamped in one exchange (RFC 5905 section 7.3), and how far it vouches for its clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerTimestamps {
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
///   as the distance of the two ends). This is what has to be believed; [`select`] is for servers whose word is wrong.
///
/// A pause of this machine before the request leaves or after the answer came makes T4 − T1 longer: the bounds
/// become wider, and stay true. Nothing when the stamps contradict themselves: T3 before T2, or more time
/// between the two than the whole exchange took.
#[must_use]
pub fn exchange_bounds(
    sent: MonotonicInstant,
    received: MonotonicInstant,
    timestamps: &ServerTimestamps,
    drift: Drift,
) -> Option<BoundedTime> {
    let round_trip = received - sent;
    let inside_the_server = timestamps.transmit - timestamps.receive;
    if round_trip < Span::ZERO || inside_the_server < Span::ZERO {
        return None;
    }
    let drifted = drift.during(round_trip.magnitude());
    let precision = Span::from(timestamps.precision);
    if inside_the_server > round_trip + drifted + precision + precision {
        return None;
    }
    let margin = drifted + precision + half(timestamps.root_delay) + Span::from(timestamps.root_dispersion);
    // The lower end is the lower one: both margins together are no smaller than the slack of the comparison above.
    let shows = Interval::new(timestamps.transmit - margin, timestamps.receive + round_trip + margin);
    Some(BoundedTime { at: received, shows })
}

/// Half of a length, rounded up.
fn half(length: Duration) -> Span {
    Span::from_nanos((Span::from(length).as_nanos() + 1) / 2)
}

#[cfg(test)]
mod tests;
