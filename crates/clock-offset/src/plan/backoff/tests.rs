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
fn a_service_that_never_answered_is_down_at_the_first_failure() {
    for kind in [REFUSED, RejectionKind::Unavailable, RejectionKind::Overload] {
        let mut backoff = Backoff::new(8);
        backoff.record(&batch(0..1, &[kind], 0, 1));
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
fn a_service_that_answered_and_then_takes_no_connection_for_three_seconds_is_down() {
    let mut backoff = Backoff::new(8);
    backoff.record(&batch(0..1, &[], 0, 1));
    let mut nth = 1;
    while backoff.resort() == Resort::Ask {
        let now = backoff.not_before();
        let refused = Batch { began: now, ended: now, ..batch(nth..nth + 1, &[REFUSED], 0, 0) };
        backoff.record(&refused);
        nth += 1;
    }
    assert_eq!(nth - 1, MOST_FAILURES_IN_A_ROW);
    let since = backoff.not_before().since(at(1));
    assert!(since >= Duration::from_secs(3), "{since:?}");
}

#[test]
fn a_first_failure_beside_other_addresses_is_asked_again_alone() {
    let mut backoff = Backoff::new(8);
    let beside_others = Batch { beside_others: true, ..batch(0..1, &[REFUSED], 0, 1) };
    backoff.record(&beside_others);
    assert_eq!((backoff.resort(), backoff.most()), (Resort::Ask, 1));
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
