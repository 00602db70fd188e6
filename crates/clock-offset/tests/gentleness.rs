//! Services that take few connections or requests, and services with a broken backend: the first are never called down,
//! the second always.

#![expect(clippy::unwrap_used, reason = "small counts")]

use std::ops::Range;
use std::time::Duration;

use clock_offset::{
    Action, Batch, BoundedTime, Conclusion, Drift, Interval, Limits, MAX_CONNECTIONS, MonotonicInstant,
    NewConnections, Plan, Reading, ReferenceClock, Rejection, RejectionKind, Rules, Sample, Shown, Span,
    StopReason, UnixInstant, Verdict,
};

const NOON: i128 = 1_795_521_600_000_000_000;

/// From the request to the answer, when nothing has to wait.
const TRAVEL: Duration = Duration::from_micros(300);

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What a service does with a request.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Answered { took: Duration },
    Rejected(RejectionKind),
}

/// A service with a right clock, and what it takes.
#[derive(Debug, Clone)]
enum Service {
    /// It serves `most` connections at a time, each answer takes it `took`, and after a connection it needs `rest` to get
    /// ready for the next one. What goes beyond is turned away.
    Device {
        most: usize,
        took: Duration,
        rest: Duration,
        beyond: RejectionKind,
        busy_until: MonotonicInstant,
    },
    /// What goes beyond waits for its turn.
    Queue { most: usize, took: Duration },
    /// A token bucket: `burst` requests at once, and one more each `each`.
    Bucket { burst: u64, each: Duration, says: RejectionKind, spent: Duration, at: MonotonicInstant },
    /// So many requests in each window of a clock.
    Window { most: u32, window: Duration, says: RejectionKind, number: i128, count: u32 },
    /// A bucket that delays requests instead.
    Shaper { each: Duration, free_at: MonotonicInstant },
    /// A balancer before backends, of which some are broken.
    Balancer { broken: Vec<bool>, turn: Turn, kind: RejectionKind },
    /// It turns the first connections away.
    Starting { failures: usize, kind: RejectionKind },
    /// A limit around another service.
    Within { limit: Box<Service>, service: Box<Service> },
}

#[derive(Debug, Clone)]
enum Turn {
    RoundRobin(usize),
    Random(u64),
}

impl Turn {
    fn next(&mut self, backends: usize) -> usize {
        match self {
            Self::RoundRobin(next) => {
                *next += 1;
                (*next - 1) % backends
            }
            Self::Random(state) => {
                *state =
                    state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                usize::try_from(*state >> 33).unwrap() % backends
            }
        }
    }
}

impl Service {
    fn device(most: usize, took: u64, rest: u64, beyond: RejectionKind) -> Self {
        let busy_until = MonotonicInstant::ORIGIN;
        Self::Device { most, took: millis(took), rest: millis(rest), beyond, busy_until }
    }

    fn bucket(burst: u64, each: Duration, says: RejectionKind) -> Self {
        Self::Bucket { burst, each, says, spent: Duration::ZERO, at: MonotonicInstant::ORIGIN }
    }

    /// What becomes of the first requests over `count` connections that begin at one instant.
    fn open(&mut self, count: usize, at: MonotonicInstant) -> Vec<Fate> {
        match self {
            Self::Device { most, took, beyond, busy_until, .. } => {
                let free = if at < *busy_until { 0 } else { *most };
                (0..count)
                    .map(
                        |nth| {
                            if nth < free { Fate::Answered { took: *took } } else { Fate::Rejected(*beyond) }
                        },
                    )
                    .collect()
            }
            Self::Queue { most, took } => {
                let turn = |nth: usize| u32::try_from(nth / *most).unwrap() + 1;
                (0..count).map(|nth| Fate::Answered { took: *took * turn(nth) }).collect()
            }
            Self::Balancer { broken, turn, kind } => (0..count)
                .map(|_| {
                    if broken[turn.next(broken.len())] {
                        Fate::Rejected(*kind)
                    } else {
                        Fate::Answered { took: TRAVEL }
                    }
                })
                .collect(),
            Self::Bucket { .. } | Self::Window { .. } | Self::Shaper { .. } => {
                (0..count).map(|_| self.ask(at)).collect()
            }
            Self::Starting { failures, kind } => (0..count)
                .map(|_| {
                    let fails = *failures > 0;
                    *failures = failures.saturating_sub(1);
                    if fails { Fate::Rejected(*kind) } else { Fate::Answered { took: TRAVEL } }
                })
                .collect(),
            Self::Within { limit, service } => (0..count)
                .map(|_| match limit.ask(at) {
                    Fate::Answered { .. } => service.open(1, at)[0],
                    rejected @ Fate::Rejected(_) => rejected,
                })
                .collect(),
        }
    }

    /// What becomes of one request.
    fn ask(&mut self, at: MonotonicInstant) -> Fate {
        match self {
            Self::Device { took, .. } | Self::Queue { took, .. } => Fate::Answered { took: *took },
            Self::Balancer { .. } | Self::Starting { .. } => Fate::Answered { took: TRAVEL },
            Self::Within { limit, service } => match limit.ask(at) {
                Fate::Answered { .. } => service.ask(at),
                rejected @ Fate::Rejected(_) => rejected,
            },
            Self::Bucket { burst, each, says, spent, at: last } => {
                *spent = spent.saturating_sub(at.since(*last));
                *last = at;
                if *spent > *each * u32::try_from(*burst).unwrap() {
                    return Fate::Rejected(*says);
                }
                *spent += *each;
                Fate::Answered { took: TRAVEL }
            }
            Self::Window { most, window, says, number, count } => {
                let now = at.as_nanos() / i128::try_from(window.as_nanos()).unwrap();
                if now != *number {
                    (*number, *count) = (now, 0);
                }
                *count += 1;
                if *count > *most { Fate::Rejected(*says) } else { Fate::Answered { took: TRAVEL } }
            }
            Self::Shaper { each, free_at } => {
                let from = at.max(*free_at);
                *free_at = from + *each;
                Fate::Answered { took: from.since(at) + TRAVEL }
            }
        }
    }

    fn close(&mut self, at: MonotonicInstant) {
        if let Self::Device { rest, busy_until, .. } = self {
            *busy_until = at + *rest;
        }
    }
}

struct Round {
    reason: StopReason,
    conclusion: Conclusion,
    requests: usize,
    took: Duration,
}

impl Round {
    fn verdict(&self) -> Option<Verdict> {
        self.conclusion.backends.iter().map(|judged| judged.verdict).max()
    }
}

fn answer(sent: MonotonicInstant, took: Duration, connection: u32) -> Sample {
    let received = sent + took;
    let step = Duration::from_micros(1);
    let shown = UnixInstant::from_nanos(NOON + (received - TRAVEL / 2).as_nanos());
    Sample {
        sent,
        received,
        reading: Reading {
            shown: Shown::Instant(Interval::new(shown, shown + Span::from(step))),
            step,
            may_lag: Duration::ZERO,
        },
        instance: None,
        connection,
    }
}

/// Holds a round that begins at a `phase` of the service's own windows.
fn round(
    mut service: Service,
    requests_per_connection: u32,
    miss_probability: f64,
    phase: Duration,
) -> Round {
    let begin = MonotonicInstant::after_origin(Duration::from_secs(10) + phase);
    let noon = UnixInstant::from_nanos(NOON + begin.as_nanos());
    let bounds = BoundedTime { at: begin, shows: Interval::point(noon) };
    let rules = Rules {
        limits: Limits { max_offset: Duration::from_secs(1), warn_offset: None },
        drift: Drift::DISCIPLINED,
        requests_per_connection,
        miss_probability,
        expected_backends: None,
        max_requests: 200,
        max_connections: MAX_CONNECTIONS,
        last_start: begin + millis(7_500),
    };
    let mut plan = Plan::new(rules, ReferenceClock { bounds, drift: Drift::DISCIPLINED });
    let (mut now, mut opened, mut requests) = (begin, 0, 0);
    loop {
        let NewConnections { count, requests: each, at, .. } = match plan.next(now) {
            Action::Stop(reason) => {
                return Round { reason, conclusion: plan.conclusion(), requests, took: now.since(begin) };
            }
            Action::Open(new) => new,
            Action::Ask { .. } => unreachable!("nothing is kept"),
        };
        assert!(at <= rules.last_start && at >= now);
        let ids = opened..opened + count;
        opened = ids.end;
        let (batch, samples) = ask(&mut service, &ids, each, at);
        requests += samples.len() + batch.rejections.len();
        now = batch.ended;
        service.close(now);
        for sample in samples {
            plan.record(sample, false);
        }
        plan.record_batch(&batch);
    }
}

/// Asks over new connections that begin at one instant.
fn ask(service: &mut Service, ids: &Range<u32>, requests: u32, at: MonotonicInstant) -> (Batch, Vec<Sample>) {
    let connections = ids.clone();
    let mut batch = Batch {
        connections,
        began: at,
        ended: at,
        beside_others: false,
        rejections: Vec::new(),
        answers: 0,
        fastest: None,
        slowest: None,
    };
    let mut alive: Vec<(u32, MonotonicInstant)> = ids.clone().map(|id| (id, at)).collect();
    let mut samples = Vec::new();
    for nth in 0..requests {
        let fates = if nth == 0 {
            service.open(ids.len(), at)
        } else {
            alive.iter().map(|(_, sent)| service.ask(*sent)).collect()
        };
        for ((id, sent), fate) in std::mem::take(&mut alive).into_iter().zip(fates) {
            let took = match fate {
                Fate::Answered { took } => took.max(TRAVEL),
                Fate::Rejected(_) => TRAVEL,
            };
            batch.ended = batch.ended.max(sent + took);
            match fate {
                Fate::Answered { .. } => {
                    batch.answers += 1;
                    samples.push(answer(sent, took, id));
                    batch.fastest = Some(batch.fastest.map_or(took, |known| known.min(took)));
                    batch.slowest = Some(batch.slowest.map_or(took, |known| known.max(took)));
                    alive.push((id, sent + took));
                }
                Fate::Rejected(kind) => batch.rejections.push(Rejection { kind, retry_after: None }),
            }
        }
    }
    samples.sort_by_key(|sample| sample.received);
    (batch, samples)
}

const KINDS: [RejectionKind; 3] =
    [RejectionKind::Connection, RejectionKind::Unavailable, RejectionKind::Overload];

#[test]
fn a_device_that_takes_few_connections_is_in_sync_and_its_number_of_connections_is_known() {
    for most in 1..8 {
        for took in [1, 40, 200] {
            for rest in [0, 10] {
                for beyond in KINDS {
                    for (each, miss) in [(2, 0.01), (1, 0.5)] {
                        let round =
                            round(Service::device(most, took, rest, beyond), each, miss, Duration::ZERO);
                        let shows = format!(
                            "{most} {took} {rest} {beyond:?} {each}: {:?}",
                            round.conclusion.gentleness
                        );
                        assert_eq!(round.reason, StopReason::Decided, "{shows}");
                        assert_eq!(round.verdict(), Some(Verdict::InSync), "{shows}");
                        let gentleness = round.conclusion.gentleness;
                        assert!(gentleness.broken_backend_is_ruled_out, "{shows}");
                        let known =
                            gentleness.connections.map(|connections| usize::try_from(connections).unwrap());
                        if gentleness.rejected > 1 {
                            assert!(known.is_some_and(|known| known <= most), "{shows}");
                        }
                        assert!(round.requests <= 90, "{shows}: {} requests", round.requests);
                    }
                }
            }
        }
    }
}

#[test]
fn a_server_that_lets_others_wait_is_in_sync() {
    for most in 1..4 {
        for took in [1, 40, 200, 400] {
            let round = round(Service::Queue { most, took: millis(took) }, 2, 0.01, Duration::ZERO);
            assert_eq!(round.verdict(), Some(Verdict::InSync), "{most} {took} {:?}", round.reason);
        }
    }
}

#[test]
fn a_limit_on_requests_is_never_called_down() {
    for says in KINDS.into_iter().chain([RejectionKind::TooManyRequests]) {
        for each in [5, 20, 33, 50, 100, 200, 500, 1_000] {
            for burst in [0, 1, 5, 12] {
                for (requests, miss) in [(2, 0.01), (1, 0.5)] {
                    for phase in (0..1_000).step_by(130) {
                        let service = Service::bucket(burst, millis(each), says);
                        let round = round(service, requests, miss, millis(phase));
                        let shows = format!(
                            "{says:?} {each} ms, {burst}, {requests} {:?}",
                            round.conclusion.gentleness
                        );
                        assert_ne!(round.reason, StopReason::Rejected, "{shows}");
                        if each <= 500 {
                            assert_eq!(round.verdict(), Some(Verdict::InSync), "{shows} {:?}", round.reason);
                        }
                        let service = Service::Window {
                            most: u32::try_from(burst).unwrap() + 1,
                            window: millis(each),
                            says,
                            number: 0,
                            count: 0,
                        };
                        let round = self::round(service, requests, miss, millis(phase));
                        let shows = format!("window {shows} {:?}", round.conclusion.gentleness);
                        assert_ne!(round.reason, StopReason::Rejected, "{shows} after {:?}", round.took);
                    }
                }
            }
        }
    }
}

#[test]
fn a_limit_that_delays_requests_is_waited_for() {
    for each in [50, 200, 500, 1_000] {
        let service = Service::Shaper { each: millis(each), free_at: MonotonicInstant::ORIGIN };
        let round = round(service, 2, 0.01, Duration::ZERO);
        assert_ne!(round.reason, StopReason::Rejected, "{each}");
        if each <= 500 {
            assert_eq!(
                round.verdict(),
                Some(Verdict::InSync),
                "{each} ms: {:?} {:?}",
                round.reason,
                round.conclusion.gentleness
            );
        }
    }
}

#[test]
fn a_broken_backend_among_two_to_eight_is_found_when_they_are_asked_in_turn() {
    for backends in 2..=8 {
        for which in 0..backends {
            for kind in KINDS {
                for requests in [1, 2] {
                    let broken = (0..backends).map(|backend| backend == which).collect();
                    let service = Service::Balancer { broken, turn: Turn::RoundRobin(0), kind };
                    let round = round(service, requests, 0.01, Duration::ZERO);
                    assert_eq!(
                        round.reason,
                        StopReason::Rejected,
                        "{which} of {backends} {kind:?}: {:?} after {:?}",
                        round.conclusion.gentleness,
                        round.took
                    );
                }
            }
        }
    }
}

#[test]
fn a_broken_backend_that_was_met_once_does_not_hide_behind_chance() {
    for backends in 2..=8 {
        for kind in KINDS.into_iter().chain([RejectionKind::TooManyRequests]) {
            let (mut met, mut missed) = (0, 0);
            for seed in 0..2_000 {
                let broken = (0..backends).map(|backend| backend == 0).collect();
                let service = Service::Balancer { broken, turn: Turn::Random(seed * 7_919 + 1), kind };
                let round = round(service, 2, 0.01, Duration::ZERO);
                if round.conclusion.gentleness.rejected > 0 {
                    met += 1;
                    let is_ok = round.conclusion.gentleness.broken_backend_is_ruled_out
                        && round.reason != StopReason::Rejected;
                    missed += u32::from(is_ok);
                }
            }
            assert!(met > 1_000, "{backends}: met in {met} rounds");
            // What says that it is asked too often is asked so rarely that the round may end first.
            let most = if kind == RejectionKind::TooManyRequests { 5 } else { 1 };
            assert!(missed * 100 <= met * most, "{backends} {kind:?}: {missed} of {met}");
        }
    }
}

/// How many rounds in a hundred leave it open whether one of the backends is broken.
fn percent_left_open(backends: u64, kind: RejectionKind, limit: Option<&Service>) -> u64 {
    let (mut met, mut open) = (0, 0);
    for seed in 0..500 {
        let broken = (0..backends).map(|backend| backend == 0).collect();
        let balancer = Service::Balancer { broken, turn: Turn::Random(seed * 7_919 + 1), kind };
        let service = match limit.cloned() {
            Some(limit) => Service::Within { limit: Box::new(limit), service: Box::new(balancer) },
            None => balancer,
        };
        let round = round(service, 2, 0.01, Duration::ZERO);
        let is_ok = round.conclusion.gentleness.broken_backend_is_ruled_out
            && round.verdict() == Some(Verdict::InSync);
        met += u64::from(round.conclusion.gentleness.rejected > 0);
        open += u64::from(round.reason != StopReason::Rejected && !is_ok);
    }
    open * 100 / met
}

#[test]
fn a_broken_backend_that_is_met_alone_is_found_in_the_time_of_a_round() {
    for kind in KINDS {
        for backends in 2..=8 {
            let open = percent_left_open(backends, kind, None);
            assert!(open <= 3, "1 of {backends} {kind:?}: {open} %");
        }
        for each in [50, 100] {
            let limit = Service::bucket(5, millis(each), RejectionKind::TooManyRequests);
            let open = percent_left_open(2, kind, Some(&limit));
            assert!(open <= 3, "behind 429, {each} ms, {kind:?}: {open} %");
            let limit = Service::bucket(5, millis(each), RejectionKind::Unavailable);
            let open = percent_left_open(2, kind, Some(&limit));
            assert!(open <= 10, "behind 503, {each} ms, {kind:?}: {open} %");
        }
    }
}

#[test]
fn a_slow_device_that_serves_one_at_a_time_is_in_sync_while_the_time_suffices_and_never_down() {
    for took in [300, 400, 500, 600, 800, 1_000, 1_500, 2_000, 3_000] {
        let mut services = vec![Service::Queue { most: 1, took: millis(took) }];
        services.extend(KINDS.map(|beyond| Service::device(1, took, 10, beyond)));
        for service in services {
            for (requests, miss) in [(2, 0.01), (1, 0.5)] {
                let shows = format!("{service:?} {requests} {miss}");
                let round = round(service.clone(), requests, miss, Duration::ZERO);
                assert_ne!(round.reason, StopReason::Rejected, "{shows}");
                // The round's first connection is asked twice.
                if took <= 900 {
                    let gentleness = round.conclusion.gentleness;
                    assert_eq!(round.verdict(), Some(Verdict::InSync), "{shows} {gentleness:?}");
                    assert!(gentleness.broken_backend_is_ruled_out, "{shows} {gentleness:?}");
                }
            }
        }
    }
}

#[test]
fn a_slow_server_that_serves_many_at_a_time_is_in_sync_and_nothing_else_is_claimed() {
    for took in [300, 500, 800, 900, 1_500, 3_000] {
        let round = round(Service::Queue { most: 100, took: millis(took) }, 2, 0.01, Duration::ZERO);
        let gentleness = round.conclusion.gentleness;
        // A round trip that is longer than the limit proves nothing here: all of it is the way to the server.
        if took < 1_000 {
            assert_eq!(round.verdict(), Some(Verdict::InSync), "{took} {:?} {gentleness:?}", round.reason);
        }
        assert_eq!(round.conclusion.connections >= 8, took < 3_000, "{took}: {:?}", round.reason);
        assert_eq!((gentleness.connections, gentleness.limits_rate), (None, false), "{took}");
    }
}

#[test]
fn a_limit_that_leaves_time_for_few_answers_is_never_called_down() {
    for says in [RejectionKind::Connection, RejectionKind::Unavailable, RejectionKind::TooManyRequests] {
        for each in [2_000, 4_000, 10_000] {
            for burst in [0, 1, 3, 12] {
                for phase in (0..each).step_by(970) {
                    let shows = format!("{says:?} {each} ms, {burst}, at {phase}");
                    let service = Service::bucket(burst, millis(each), says);
                    let round = round(service, 2, 0.01, millis(phase));
                    assert_ne!(round.reason, StopReason::Rejected, "{shows}");
                    let limits = round.conclusion.gentleness.limits_rate;
                    let is_seen = says == RejectionKind::TooManyRequests;
                    assert!(!limits || is_seen || round.reason == StopReason::Decided, "{shows}");
                }
            }
        }
    }
}

#[test]
fn an_accident_at_the_first_connection_is_not_down() {
    for kind in KINDS {
        let once = round(Service::Starting { failures: 1, kind }, 2, 0.01, Duration::ZERO);
        assert_eq!((once.reason, once.verdict()), (StopReason::Decided, Some(Verdict::InSync)), "{kind:?}");
        let down = round(Service::Starting { failures: 200, kind }, 2, 0.01, Duration::ZERO);
        assert_eq!((down.reason, down.requests), (StopReason::Rejected, 2), "{kind:?}");
    }
}
