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
        }
    }

    /// What becomes of one request.
    fn ask(&mut self, at: MonotonicInstant) -> Fate {
        match self {
            Self::Device { took, .. } | Self::Queue { took, .. } => Fate::Answered { took: *took },
            Self::Balancer { .. } => Fate::Answered { took: TRAVEL },
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

const KINDS: [RejectionKind; 2] = [RejectionKind::Connection, RejectionKind::Unavailable];

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
    let kinds = [RejectionKind::TooManyRequests, RejectionKind::Unavailable, RejectionKind::Connection];
    for says in kinds {
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
        for kind in KINDS {
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
            assert!(missed * 100 <= met, "{backends} {kind:?}: {missed} of {met}");
        }
    }
}
