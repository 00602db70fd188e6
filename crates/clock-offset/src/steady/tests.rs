use super::*;
use crate::sample::Shown;
use crate::time::UnixInstant;

const SECOND: i128 = 1_000_000_000;
const NOON: i128 = 1_795_521_600 * SECOND;
const MILLI: i128 = 1_000_000;

fn at(nanos: i128) -> MonotonicInstant {
    MonotonicInstant::after_origin(Duration::from_nanos(u64::try_from(nanos).unwrap()))
}

fn reference() -> ReferenceClock {
    let noon = Interval::point(UnixInstant::from_nanos(NOON));
    ReferenceClock { bounds: BoundedTime { at: at(0), shows: noon }, drift: Drift::from_ppm(0) }
}

/// A server whose clock is off by `offset`, whose answers are truncated to `step`, a millisecond away.
struct Server {
    offset: i128,
    step: i128,
}

impl Server {
    fn answer(&self, sent: MonotonicInstant, instance: Option<&str>) -> Sample {
        let read = sent.as_nanos() + MILLI / 2;
        let shown = (NOON + read + self.offset).div_euclid(self.step) * self.step;
        let shown = Interval::new(UnixInstant::from_nanos(shown), UnixInstant::from_nanos(shown + self.step));
        let step = Duration::from_nanos(u64::try_from(self.step).unwrap());
        Sample {
            sent,
            received: at(read + MILLI / 2),
            reading: Reading { shown: Shown::Instant(shown), step, may_lag: Duration::ZERO },
            instance: instance.map(Arc::from),
            connection: 0,
        }
    }
}

fn rules(max_offset: i128) -> SteadyRules {
    SteadyRules {
        limits: Limits {
            max_offset: Duration::from_nanos(u64::try_from(max_offset).unwrap()),
            warn_offset: None,
        },
        drift: Drift::DISCIPLINED,
        last_start: at(1_000_000 * SECOND),
        max_requests: 3,
    }
}

fn memory(offset: i128, half_width: i128, step: i128) -> Memory {
    let shows = Interval::point(UnixInstant::from_nanos(NOON + offset));
    Memory {
        bounds: BoundedTime { at: at(0), shows: shows.widened_by(Span::from_nanos(half_width)) },
        step: Duration::from_nanos(u64::try_from(step).unwrap()),
        round_trip: Duration::from_millis(1),
        tick: Duration::ZERO,
        reading: None,
        is_within_warning: true,
    }
}

/// Holds the round; how it ended, and after how many requests.
fn hold(mut round: SteadyRound, server: &Server, mut now: MonotonicInstant) -> (SteadyAction, usize) {
    loop {
        match round.next(now) {
            SteadyAction::Ask { at } => {
                let sample = server.answer(at, None);
                now = sample.received;
                round.record(sample);
            }
            ended => return (ended, round.samples().len()),
        }
    }
}

fn round(max_offset: i128, memory: Memory, lower_first: bool) -> SteadyRound {
    SteadyRound::new(rules(max_offset), reference(), Some(memory), lower_first)
}

fn is_proven(ended: &SteadyAction, offset: i128) -> bool {
    matches!(ended, SteadyAction::Proven(proof) if proof.offset.contains(Offset::from_nanos(offset)))
}

#[test]
fn one_request_is_enough_where_answers_are_finer_than_the_path() {
    let server = Server { offset: 3 * MILLI, step: 1 };
    let (ended, requests) = hold(round(SECOND, memory(3 * MILLI, MILLI, 1), true), &server, at(10 * SECOND));
    assert!(is_proven(&ended, 3 * MILLI) && requests == 1, "{ended:?}");
}

#[test]
fn one_request_in_whole_seconds_proves_a_limit_of_a_second() {
    for offset in [-400 * MILLI, 0, 250 * MILLI] {
        let server = Server { offset, step: SECOND };
        let (ended, requests) =
            hold(round(SECOND, memory(offset, 5 * MILLI, SECOND), true), &server, at(10 * SECOND));
        assert!(is_proven(&ended, offset) && requests == 1, "{offset}: {ended:?} after {requests}");
    }
}

#[test]
fn two_requests_in_whole_seconds_prove_a_tenth_of_a_second_whichever_end_comes_first() {
    for offset in [-40 * MILLI, 0, 30 * MILLI] {
        for lower_first in [false, true] {
            let server = Server { offset, step: SECOND };
            let round = round(100 * MILLI, memory(offset, 5 * MILLI, SECOND), lower_first);
            let (ended, requests) = hold(round, &server, at(10 * SECOND));
            assert!(is_proven(&ended, offset) && requests == 2, "{offset}: {ended:?} after {requests}");
        }
    }
}

#[test]
fn a_clock_that_was_stepped_beyond_the_limit_is_never_proven_whatever_is_remembered() {
    for offset in [-5_000 * MILLI, -101 * MILLI, 101 * MILLI, 150 * MILLI, 3_000 * MILLI] {
        for (remembered, step) in [(0, 1), (0, SECOND), (90 * MILLI, SECOND), (offset, SECOND)] {
            for lower_first in [false, true] {
                let server = Server { offset, step };
                let round = round(100 * MILLI, memory(remembered, 5 * MILLI, step), lower_first);
                let (ended, _) = hold(round, &server, at(10 * SECOND));
                assert!(matches!(ended, SteadyAction::Doubt(_)), "{offset} {remembered} {step}: {ended:?}");
            }
        }
    }
}

#[test]
fn a_reading_that_has_not_moved_since_the_last_round_is_suspicious() {
    let server = Server { offset: 0, step: 1 };
    let seen = server.answer(at(SECOND), None);
    let mut round = round(
        100 * SECOND,
        Memory { reading: Some((seen.reading, seen.received)), ..memory(0, 90 * SECOND, 1) },
        true,
    );
    let again = Sample { sent: at(31 * SECOND), received: at(31 * SECOND + MILLI), ..seen };
    round.record(again);
    assert_eq!(round.next(at(32 * SECOND)), SteadyAction::Doubt(SteadyDoubt::Standstill));
}

#[test]
fn a_step_within_the_limit_deserves_a_full_round_too() {
    let server = Server { offset: 300 * MILLI, step: 1 };
    let (ended, _) = hold(round(SECOND, memory(0, MILLI, 1), true), &server, at(10 * SECOND));
    assert_eq!(ended, SteadyAction::Doubt(SteadyDoubt::Jump));
}

#[test]
fn drift_since_the_last_round_is_no_jump() {
    // 400 ppm for 100 s are 40 ms.
    let server = Server { offset: 40 * MILLI, step: 1 };
    let (ended, _) = hold(round(SECOND, memory(0, MILLI, 1), true), &server, at(100 * SECOND));
    assert!(is_proven(&ended, 40 * MILLI), "{ended:?}");
}

#[test]
fn answers_of_two_instances_prove_nothing_together() {
    let server = Server { offset: 0, step: SECOND };
    let mut round = round(100 * MILLI, memory(0, MILLI, SECOND), true);
    round.record(server.answer(at(SECOND), Some("a")));
    round.record(server.answer(at(2 * SECOND), Some("b")));
    assert_eq!(round.next(at(3 * SECOND)), SteadyAction::Doubt(SteadyDoubt::SeveralClocks));
}

#[test]
fn nothing_is_asked_after_the_time_is_over() {
    let mut late = rules(SECOND);
    late.last_start = at(SECOND);
    let round = SteadyRound::new(late, reference(), None, true);
    assert_eq!(round.next(at(2 * SECOND)), SteadyAction::Doubt(SteadyDoubt::OutOfTime));
}

#[test]
fn rounds_teach_each_other_the_step_of_the_readings_and_stay_aimed_for_ever() {
    for (limit, most) in [(100 * MILLI, 3), (SECOND, 2)] {
        let server = Server { offset: 10 * MILLI, step: SECOND };
        let mut memory = Memory { step: Duration::ZERO, ..memory(10 * MILLI, 5 * MILLI, 1) };
        let mut requests = 0;
        for number in 0..200_i32 {
            let round = round(limit, memory, number % 2 == 0);
            let begin = at(i128::from(number + 1) * 30 * SECOND + i128::from(number) * 7 * MILLI);
            let (ended, asked) = hold(round, &server, begin);
            let SteadyAction::Proven(proof) = ended else { panic!("round {number}: {ended:?}") };
            assert!(proof.offset.contains(Offset::from_nanos(server.offset)) && asked <= most, "{asked}");
            requests += asked;
            memory = proof.memory;
        }
        assert!(requests <= 500, "{requests} requests for a limit of {limit} ns");
    }
}

/// Rounds in slots that begin anywhere in a second: how many were proven, and with how many requests.
fn in_slots_that_begin_anywhere(limit: i128, last_start: i128, lower_first: bool) -> (usize, usize) {
    let server = Server { offset: 3 * MILLI, step: SECOND };
    let (mut proven, mut requests) = (0, 0);
    for begin in (0..1_000).step_by(7) {
        let begin = 10 * SECOND + begin * MILLI;
        let rules = SteadyRules { last_start: at(begin + last_start), ..rules(limit) };
        let memory = memory(3 * MILLI, 2 * MILLI, SECOND);
        let round = SteadyRound::new(rules, reference(), Some(memory), lower_first);
        let (ended, asked) = hold(round, &server, at(begin));
        proven += usize::from(is_proven(&ended, 3 * MILLI));
        requests += asked;
    }
    (proven, requests)
}

#[test]
fn whole_seconds_are_proven_in_slots_of_a_second_wherever_those_begin() {
    const SLOTS: usize = 143;
    for lower_first in [false, true] {
        // A wide limit needs no edge, and next to no waiting.
        let (proven, requests) = in_slots_that_begin_anywhere(SECOND, 270 * MILLI, lower_first);
        assert_eq!((proven, requests), (SLOTS, SLOTS), "lower first: {lower_first}");
        let (proven, requests) = in_slots_that_begin_anywhere(600 * MILLI, 850 * MILLI, lower_first);
        assert!(proven == SLOTS && requests <= 2 * SLOTS, "{proven}, {requests}");
        // A narrow one needs both edges, which may come too late.
        let (proven, requests) = in_slots_that_begin_anywhere(200 * MILLI, 850 * MILLI, lower_first);
        assert!(proven * 100 >= SLOTS * 80 && requests <= 3 * SLOTS, "{proven}, {requests}");
    }
}

#[test]
fn a_narrow_limit_needs_a_second_for_both_edges_and_no_more() {
    for lower_first in [false, true] {
        let (proven, _) = in_slots_that_begin_anywhere(20 * MILLI, 1_000 * MILLI, lower_first);
        assert_eq!(proven, 143, "lower first: {lower_first}");
    }
}
