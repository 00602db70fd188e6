//! Readings of coarse steps that may be truncated or rounded, as `1.795406461e+09` is.

mod round;

use std::time::Duration;

use clock_offset::{
    Action, BoundedTime, Drift, Interval, MonotonicInstant, NewConnections, Plan, Reading, ReferenceClock,
    Sample, Shown, UnixInstant, Verdict,
};

const SECOND: i128 = 1_000_000_000;
const NOON: i128 = 1_795_521_600 * SECOND;
const ROUND_TRIP: Duration = Duration::from_millis(1);

/// What a clock shows that is off by `offset`: the reading covers truncation and rounding.
fn answer(sent: MonotonicInstant, connection: u32, offset: i128, rounds: bool) -> Sample {
    let now = NOON + sent.as_nanos() + offset;
    let said = (now + if rounds { SECOND / 2 } else { 0 }).div_euclid(SECOND) * SECOND;
    let shown =
        Interval::new(UnixInstant::from_nanos(said - SECOND / 2), UnixInstant::from_nanos(said + SECOND));
    let step = Duration::from_secs(1);
    Sample {
        sent,
        received: sent + ROUND_TRIP,
        reading: Reading { shown: Shown::Instant(shown), step, may_lag: Duration::ZERO },
        instance: Some("one".into()),
        connection,
    }
}

/// The verdict of a round, and how many requests it took.
fn round(phase: i128, offset: i128, rounds: bool) -> (Vec<Verdict>, usize) {
    let shows = Interval::point(UnixInstant::from_nanos(NOON + phase));
    let bounds = BoundedTime { at: MonotonicInstant::ORIGIN, shows };
    let mut plan =
        Plan::new(round::rules(Duration::from_secs(1)), ReferenceClock { bounds, drift: Drift::from_ppm(0) });
    let (mut now, mut opened) = (MonotonicInstant::ORIGIN, 0);
    loop {
        let (connections, requests, at, keep) = match plan.next(now) {
            Action::Stop(_) => break,
            Action::Open(NewConnections { count, requests, at, keep }) => {
                opened += count;
                (opened - count..opened, requests, at, keep)
            }
            Action::Ask { connection, at } => (connection..connection + 1, 1, at, true),
        };
        let mut sent = at.max(now);
        for _ in 0..requests {
            for connection in connections.clone() {
                plan.record(answer(sent, connection, phase + offset, rounds), true);
            }
            sent = sent + ROUND_TRIP;
        }
        now = sent;
        if !keep {
            connections.for_each(|connection| plan.connection_was_closed(connection));
        }
    }
    (plan.conclusion().backends.iter().map(|judged| judged.verdict).collect(), plan.samples().len())
}

#[test]
fn a_right_clock_that_names_itself_is_in_sync_whether_its_readings_are_truncated_or_rounded() {
    for rounds in [false, true] {
        for phase in (0..SECOND).step_by(50_000_000) {
            let (verdicts, requests) = round(phase, 0, rounds);
            assert_eq!(verdicts, [Verdict::InSync], "rounds: {rounds}, phase: {phase}, {requests} requests");
        }
    }
}

#[test]
fn a_clock_that_is_two_seconds_off_is_never_in_sync() {
    for rounds in [false, true] {
        for offset in [-2 * SECOND, 2 * SECOND] {
            for phase in (0..SECOND).step_by(50_000_000) {
                let (verdicts, _) = round(phase, offset, rounds);
                assert_eq!(verdicts, [Verdict::Desynchronized], "rounds: {rounds}, phase: {phase}");
            }
        }
    }
}
