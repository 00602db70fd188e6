//! The true time, from a server that says it by NTP: what one exchange proves.

use core::time::Duration;

use crate::interval::{BoundedTime, Interval};
use crate::time::{Drift, MonotonicInstant, Span, UnixInstant};

/// The timestamps of a time server in one exchange (RFC 5905 section 7.3), and how far it vouches for its
/// clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerTimestamps {
    /// T2: what the server's clock showed when the request arrived.
    pub receive: UnixInstant,
    /// T3: what it showed when the answer was made.
    pub transmit: UnixInstant,
    /// The round trip from the server, through the servers that it asks itself, to the source of the time.
    pub root_delay: Duration,
    /// The most by which the server's clock may be off because of errors on that path.
    pub root_dispersion: Duration,
    /// The most by which either timestamp may miss what the clock showed: its resolution, and the rounding to
    /// nanoseconds.
    pub precision: Duration,
}

/// Bounds on the true time that one exchange proves, at `received`.
///
/// The server read T2 after the request had left (T1, `sent`), and T3 before its answer had arrived (T4,
/// `received`), whatever the network did to either packet. So at T4 its clock showed
///
/// * at least T3, because the answer was stamped before it left, and
/// * at most T2 + (T4 − T1), because no more time than that has passed since the request was stamped.
///
/// The bounds are widened on both sides by the sum of these, each rounded up to a nanosecond:
///
/// * `precision`. A timestamp is a reading, as coarse as the clock is read. `ntpd` fills what is below its
///   precision with random bits, so a timestamp may be late as well as early.
/// * The drift during T4 − T1. It is needed for the upper bound, because our own clock may have been slow
///   while it measured that length. It is needed for the lower bound when a server states its dispersion as
///   of the start of the exchange. Dispersion grows by 15 ppm (`PHI` in RFC 5905 section 7.2), which the
///   drift covers.
/// * `root_delay` / 2 + `root_dispersion`: how far the server's clock may be from the true time, by its own
///   statement. This is the root distance of RFC 5905 appendix A.5.5.2 without the path from the server to
///   us, which is the distance of the two bounds here. The statement has to be believed;
///   [`select`](crate::select) protects against servers whose statement is wrong.
///
/// If this machine pauses before the request leaves or after the answer arrived, T4 − T1 is longer. Then the
/// bounds are wider, and still true.
///
/// Returns `None` when the timestamps contradict themselves: T3 is before T2, or more time passed between the
/// two than the whole exchange took. Also when `received` is before `sent`.
///
/// ```
/// use std::time::Duration;
///
/// use clock_offset::{Drift, MonotonicInstant, ServerTimestamps, UnixInstant, exchange_bounds};
///
/// let millis = Duration::from_millis;
/// let noon = 1_795_521_600_000_000_000;
/// let timestamps = ServerTimestamps {
///     receive: UnixInstant::from_nanos(noon + 20_000_000),
///     transmit: UnixInstant::from_nanos(noon + 30_000_000),
///     root_delay: millis(4),
///     root_dispersion: millis(1),
///     precision: Duration::ZERO,
/// };
/// // The exchange took 40 ms, of which the request and the answer had 30 ms together.
/// let (sent, received) = (MonotonicInstant::ORIGIN, MonotonicInstant::after_origin(millis(40)));
/// let bounds = exchange_bounds(sent, received, &timestamps, Drift::from_ppm(0)).expect("plausible");
/// // From 30 ms to 20 + 40 ms after noon; and 3 ms on both sides that the server does not vouch for.
/// assert_eq!(bounds.shows.earliest(), UnixInstant::from_nanos(noon + 27_000_000));
/// assert_eq!(bounds.shows.latest(), UnixInstant::from_nanos(noon + 63_000_000));
/// ```
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
    // The ends are in order, because the two margins together are at least the slack of the comparison above.
    let shows = Interval::new(timestamps.transmit - margin, timestamps.receive + round_trip + margin);
    Some(BoundedTime { at: received, shows })
}

/// Half of a length, rounded up.
fn half(length: Duration) -> Span {
    Span::from_nanos((Span::from(length).as_nanos() + 1) / 2)
}

#[cfg(test)]
mod tests;
