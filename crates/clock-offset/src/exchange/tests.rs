use super::*;

const MILLI: i128 = 1_000_000;
const NOON: i128 = 1_795_521_600_000 * MILLI;

fn instant(millis: u64) -> MonotonicInstant {
    MonotonicInstant::after_origin(Duration::from_millis(millis))
}

/// Stamps that many milliseconds after noon, of a server that is perfect in everything else.
fn stamps(receive: i128, transmit: i128) -> ServerTimestamps {
    ServerTimestamps {
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
    let bounds_of = |stamps: &ServerTimestamps, ppm| {
        ends(&exchange_bounds(instant(5), instant(45), stamps, Drift::from_ppm(ppm)).unwrap())
    };
    let widened = |by: i128| (30 * MILLI - by, 60 * MILLI + by);
    assert_eq!(bounds_of(&ServerTimestamps { root_delay: nanos(7), ..plain }, 0), widened(4));
    assert_eq!(bounds_of(&ServerTimestamps { root_dispersion: nanos(7), ..plain }, 0), widened(7));
    assert_eq!(bounds_of(&ServerTimestamps { precision: nanos(7), ..plain }, 0), widened(7));
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
    let vague = ServerTimestamps { precision: Duration::from_secs(1), ..stamps(20, 20) };
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
    let coarse = ServerTimestamps { precision: Duration::from_millis(3), ..stamps(20, 66) };
    let bounds = exchange_bounds(instant(0), instant(40), &coarse, Drift::from_ppm(0)).unwrap();
    assert_eq!(ends(&bounds), (63 * MILLI, 63 * MILLI));
    let coarse = ServerTimestamps { precision: Duration::from_millis(3), ..stamps(20, 67) };
    assert_eq!(exchange_bounds(instant(0), instant(40), &coarse, Drift::from_ppm(0)), None);
}

#[test]
fn a_server_that_vouches_for_nothing_does_not_overflow() {
    let vague = ServerTimestamps {
        root_delay: Duration::MAX,
        root_dispersion: Duration::MAX,
        precision: Duration::MAX,
        ..stamps(20, 30)
    };
    let bounds = exchange_bounds(instant(0), instant(40), &vague, Drift::DISCIPLINED).unwrap();
    assert!(bounds.shows.contains(UnixInstant::from_nanos(0)));
}
