use std::time::Duration;

use jiff::Timestamp;

use super::*;
use crate::availability::FourTimes;
use crate::history::BackendOffset;
use crate::incident::OffsetBounds;
use crate::status::CheckStatus;

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_521_600 + second).unwrap()
}

fn round(start: i64, micros: i128, instance: Option<&str>) -> RoundRecord {
    let offset = OffsetBounds { lower: (micros - 500) * 1_000, upper: (micros + 500) * 1_000 };
    let named = instance.map(|instance| BackendOffset { instance: instance.to_owned(), offset });
    RoundRecord {
        check: "shop".to_owned(),
        start: second(start),
        duration: Duration::from_millis(1),
        status: CheckStatus::Ok,
        reason: "in_sync".to_owned(),
        offset: Some(offset),
        round_trip: Some(Duration::from_millis(1)),
        cause: None,
        backends: named.into_iter().collect(),
        certificate_expiry: None,
        stands_for: Duration::from_mins(1),
    }
}

const LIMIT: Duration = Duration::from_secs(1);

/// What is said of a clock that gains so many microseconds a minute for an hour.
fn said(a_minute: i128) -> String {
    let rounds: Vec<RoundRecord> =
        (0..60).map(|minute| round(60 * minute, a_minute * i128::from(minute), None)).collect();
    let [clock] = &clock::of_rounds(&rounds, Some(LIMIT)).0[..] else { panic!("it is one clock") };
    words::drift(clock, Some(LIMIT), second(3_600))
}

#[test]
fn a_drift_is_said_with_its_direction_and_with_when_the_limit_is_exceeded() {
    assert_eq!(said(1_200), "gains 19 to 21 ppm; will exceed 1 s in 12 to 14 hours");
    assert_eq!(said(-1_200), "loses 19 to 21 ppm; will exceed 1 s in 12 to 14 hours");
    let unproven = said(0);
    assert!(unproven.starts_with("no drift is proven (between -0.2"), "{unproven}");
    assert!(unproven.contains("will not exceed 1 s within"), "{unproven}");
}

#[test]
fn each_backend_is_a_clock_of_its_own() {
    let rounds: Vec<RoundRecord> = (0..60)
        .map(|minute| {
            let is_first = minute % 2 == 0;
            round(60 * minute, if is_first { 0 } else { 900_000 }, Some(if is_first { "a" } else { "b" }))
        })
        .collect();
    let (clocks, jumps) = clock::of_rounds(&rounds, Some(LIMIT));
    let names: Vec<_> = clocks.iter().map(|clock| (clock.instance.as_deref(), clock.rounds)).collect();
    assert_eq!(names, [(Some("a"), 30), (Some("b"), 30)]);
    assert!(clocks.iter().all(|clock| clock.drift.unwrap().since == clock.first), "neither was stepped");
    assert_eq!(jumps, [], "and neither has jumped");
}

#[test]
fn availability_is_a_range_as_wide_as_the_unknown_time_and_never_rounded_up_to_perfection() {
    let times = |ok: u64, down: u64, unknown: u64| FourTimes {
        ok: Duration::from_secs(ok),
        down: Duration::from_secs(down),
        unknown: Duration::from_secs(unknown),
        ..FourTimes::default()
    };
    for (times, said) in [
        (times(9_993, 3, 4), "99.93–99.97 %"),
        (times(9_993, 7, 0), "99.93 %"),
        (times(10_000, 0, 0), "100 %"),
        (times(999_999, 1, 0), "99.99 %"),
        (times(9_990, 0, 10), "99.90–100 %"),
        (times(0, 0, 0), "–"),
    ] {
        assert_eq!(words::availability(&times), said);
    }
}
