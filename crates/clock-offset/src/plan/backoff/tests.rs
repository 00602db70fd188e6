use super::*;

fn batch(connections: Range<u32>, rejections: &[RejectionKind], began: u64, ended: u64) -> Batch {
    let answered = connections.len() > rejections.len();
    let rejections = rejections.iter().map(|&kind| Rejection { kind, retry_after: None }).collect();
    let took = answered.then_some(Duration::from_millis(1));
    Batch {
        connections,
        beside_others: false,
        began: at(began),
        ended: at(ended),
        rejections,
        answers: answered.into(),
        fastest: took,
        slowest: took,
    }
}

fn at(millis: u64) -> MonotonicInstant {
    MonotonicInstant::after_origin(Duration::from_millis(millis))
}

const REFUSED: RejectionKind = RejectionKind::Connection;

#[test]
fn a_service_that_never_answered_is_asked_once_more_and_is_down_then() {
    for kind in [REFUSED, RejectionKind::Unavailable, RejectionKind::Overload] {
        let mut backoff = Backoff::new(8);
        backoff.record(&batch(0..1, &[kind], 0, 1));
        assert_eq!((backoff.resort(), backoff.not_before()), (Resort::Ask, at(26)), "{kind:?}");
        backoff.record(&batch(1..2, &[kind], 26, 27));
        assert_eq!(backoff.resort(), Resort::Rejected, "{kind:?}");
    }
}

#[test]
fn a_time_that_the_service_names_is_waited_for_once() {
    let mut backoff = Backoff::new(8);
    let busy = Rejection { kind: RejectionKind::Unavailable, retry_after: Some(Duration::from_secs(2)) };
    let once = Batch { rejections: vec![busy], ..batch(0..1, &[], 0, 1) };
    let once = Batch { answers: 0, ..once };
    backoff.record(&once);
    assert_eq!((backoff.resort(), backoff.not_before()), (Resort::Ask, at(2_001)));
    backoff.record(&once);
    assert_eq!(backoff.resort(), Resort::Rejected);
}

#[test]
fn asked_too_often_is_never_down() {
    let mut backoff = Backoff::new(8);
    for nth in 0..20 {
        backoff.record(&batch(nth..nth + 1, &[RejectionKind::TooManyRequests], 0, 1));
        assert_eq!(backoff.resort(), Resort::Ask);
    }
    assert_eq!(backoff.answers_lacking(0.01), 0, "a broken backend does not say that");
}

#[test]
fn as_many_connections_are_asked_as_were_answered_and_half_of_them_when_few_failed() {
    for (rejected, most) in [(6, 1), (5, 2), (4, 3), (3, 4), (2, 5), (1, 3)] {
        let mut backoff = Backoff::new(8);
        backoff.record(&batch(0..1, &[], 0, 1));
        backoff.record(&batch(1..8, &vec![REFUSED; rejected], 1, 2));
        assert_eq!(backoff.most(), most, "{rejected} of 7");
        assert_eq!(backoff.resort(), Resort::Ask);
    }
}

#[test]
fn a_service_that_answered_and_then_takes_no_connection_may_limit_how_often_it_is_asked() {
    let mut backoff = Backoff::new(8);
    backoff.record(&batch(0..1, &[], 0, 1));
    for nth in 1..20 {
        let now = backoff.not_before();
        let refused = Batch { began: now, ended: now, ..batch(nth..nth + 1, &[REFUSED], 0, 0) };
        backoff.record(&refused);
        assert_eq!(backoff.resort(), Resort::Ask, "failure {nth}");
    }
    let gentleness = backoff.gentleness(0.01);
    assert!(!gentleness.limits_rate, "that was not seen: {gentleness:?}");
}

#[test]
fn what_this_machine_lacks_says_nothing_about_the_service() {
    let mut backoff = Backoff::new(8);
    backoff.record(&batch(0..1, &[], 0, 1));
    backoff.record(&batch(1..8, &[RejectionKind::LocalShortage; 3], 1, 2));
    assert_eq!((backoff.most(), backoff.resort()), (4, Resort::Ask));
    let gentleness = backoff.gentleness(0.01);
    assert_eq!((gentleness.connections, gentleness.rejected), (None, 0));
    assert!(gentleness.broken_backend_is_ruled_out && !gentleness.limits_rate);
    for nth in 8..8 + MOST_SHORTAGES {
        assert_eq!(backoff.resort(), Resort::Ask);
        backoff.record(&batch(nth..nth + 1, &[RejectionKind::LocalShortage], 2, 3));
    }
    assert_eq!(backoff.resort(), Resort::Rejected, "it does not end");
}

#[test]
fn the_pause_is_what_the_service_gives_in_the_time_that_it_names() {
    let mut backoff = Backoff::new(8);
    for nth in 0..4_u64 {
        let id = u32::try_from(nth).unwrap();
        backoff.record(&batch(id..id + 1, &[], nth * 10, nth * 10 + 1));
    }
    let too_often =
        Rejection { kind: RejectionKind::TooManyRequests, retry_after: Some(Duration::from_secs(1)) };
    backoff.record(&Batch { rejections: vec![too_often], answers: 0, ..batch(4..5, &[], 40, 41) });
    assert_eq!(backoff.not_before(), at(1_041));
    backoff.record(&batch(5..6, &[], 1_041, 1_042));
    assert_eq!(backoff.gentleness(0.01).pause, Duration::from_micros(1_041_000 / 4));
    let limited = backoff.gentleness(0.01);
    assert!(limited.limits_rate && limited.connections.is_none());
}

#[test]
fn a_time_that_is_named_before_the_first_answer_is_no_pause() {
    let mut backoff = Backoff::new(8);
    let starting = Rejection { kind: RejectionKind::Unavailable, retry_after: Some(Duration::from_secs(1)) };
    backoff.record(&Batch { rejections: vec![starting], answers: 0, ..batch(0..1, &[], 0, 1) });
    backoff.record(&batch(1..2, &[], 1_001, 1_002));
    assert_eq!(backoff.gentleness(0.01).pause, FIRST_PAUSE);
}

#[test]
fn fewer_connections_are_a_fact_once_they_were_answered() {
    let mut backoff = Backoff::new(8);
    backoff.record(&batch(0..1, &[], 0, 1));
    backoff.record(&batch(1..8, &[REFUSED; 3], 1, 2));
    assert_eq!(backoff.gentleness(0.01).connections, None);
    backoff.record(&batch(8..12, &[], 30, 31));
    assert_eq!(backoff.gentleness(0.01).connections, Some(4));
}

#[test]
fn a_first_failure_beside_other_addresses_is_asked_again_alone() {
    let mut backoff = Backoff::new(8);
    let beside_others = Batch { beside_others: true, ..batch(0..1, &[REFUSED], 0, 1) };
    backoff.record(&beside_others);
    assert_eq!((backoff.resort(), backoff.most()), (Resort::Ask, 8), "the others may be the reason");
    backoff.record(&batch(1..2, &[REFUSED], 30, 31));
    assert_eq!(backoff.resort(), Resort::Rejected);
}

/// A bucket of one request in 200 ms, asked by a program that gets to run late.
#[test]
fn a_bucket_is_never_down_however_late_the_checker_gets_to_run() {
    const EACH: i64 = 200;
    let mut random = 20_261_128_u64;
    for round in 0..3_000 {
        let mut late = || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // Seldom very late.
            let most = if (random >> 20).is_multiple_of(4) { 120 } else { 20 };
            (random >> 33) % most
        };
        let mut backoff = Backoff::new(1);
        // When the bucket has room for a whole request again.
        let (mut free_at, mut now) = (-4 * EACH, 0_u64);
        for nth in 0..60 {
            let began = now.max(u64::try_from(backoff.not_before().as_nanos() / 1_000_000).unwrap()) + late();
            let asked = began + late();
            now = asked + late();
            let at_server = i64::try_from(asked).unwrap();
            let is_answered = free_at <= at_server;
            free_at = if is_answered { (free_at + EACH).max(at_server - 3 * EACH) } else { free_at };
            let rejections: &[_] = if is_answered { &[] } else { &[RejectionKind::Unavailable] };
            backoff.record(&batch(nth..nth + 1, rejections, began, now));
            assert_eq!(backoff.resort(), Resort::Ask, "{round}: {backoff:?}");
        }
    }
}
