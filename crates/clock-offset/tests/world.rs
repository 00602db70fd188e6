//! A world in which everything is known: server clocks, a network, a balancer, a reference; and rounds held
//! in it by the plan itself, without any real clock.
#![allow(dead_code, reason = "each of the test programs uses a part of it")]

use std::sync::Arc;
use std::time::Duration;

use clock_offset::{
    Action, BoundedTime, Drift, Interval, JudgedBackend, Limits, MAX_CONNECTIONS, MonotonicInstant,
    NewConnections, Plan, Reading, ReferenceClock, Rules, Sample, Shown, TimeOfDay, UnixInstant,
};

pub(crate) const SECOND: i128 = 1_000_000_000;
pub(crate) const DAY: i128 = 86_400 * SECOND;
pub(crate) const NOON: i128 = 1_795_521_600 * SECOND;

/// A server clock: at the origin of the round it is off by `offset`, and it runs fast by `rate_ppm`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ServerClock {
    pub(crate) offset: i128,
    pub(crate) rate_ppm: i128,
}

impl ServerClock {
    /// True offset at a monotonic instant.
    pub(crate) fn offset_at(self, nanos: i128) -> i128 {
        self.offset + nanos * self.rate_ppm / 1_000_000
    }
}

#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) clocks: Vec<ServerClock>,
    pub(crate) named: bool,
    pub(crate) turns: Turns,
    /// How long it takes to open a connection, in nanoseconds.
    pub(crate) connecting: u64,
    /// Delay to the server and back of the nth request, in nanoseconds, modulo its length.
    pub(crate) delays: Vec<(u64, u64)>,
    pub(crate) step: i128,
    /// The longest time that a reading is kept, and how long the nth one was, in parts of 255.
    pub(crate) may_lag: u64,
    pub(crate) lags: Vec<u8>,
    pub(crate) date_is_said: bool,
    pub(crate) keeps_open: bool,
    pub(crate) phase: i128,
    /// How far the reference's bounds lie below and above the truth.
    pub(crate) reference_slack: (i128, i128),
    /// By how much it runs fast, in ppm.
    pub(crate) reference_rate_ppm: i32,
    pub(crate) limit: u64,
    pub(crate) requests_per_connection: u32,
    pub(crate) max_requests: u32,
}

/// Whose turn it is to answer, as numbers of clocks; the list begins anew at its end.
#[derive(Debug, Clone)]
pub(crate) enum Turns {
    /// The balancer decides for each request.
    OfRequests(Vec<usize>),
    /// It decides for each connection.
    OfConnections(Vec<usize>),
}

impl Turns {
    fn of(&self, nth_request: usize, connection: u32) -> usize {
        match self {
            Self::OfRequests(turns) => turns[nth_request % turns.len()],
            Self::OfConnections(turns) => turns[connection as usize % turns.len()],
        }
    }
}

/// A linear congruential generator (Knuth's MMIX): what is drawn is the same each time.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl From<u64> for Random {
    fn from(seed: u64) -> Self {
        Self(seed)
    }
}

impl Random {
    /// From 0, and less than that.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

impl World {
    pub(crate) fn reference(&self) -> ReferenceClock {
        let truth = NOON + self.phase;
        let shows = Interval::new(
            UnixInstant::from_nanos(truth - self.reference_slack.0),
            UnixInstant::from_nanos(truth + self.reference_slack.1),
        );
        let bounds = BoundedTime { at: MonotonicInstant::ORIGIN, shows };
        ReferenceClock { bounds, drift: Drift::from_ppm(self.reference_rate_ppm.unsigned_abs()) }
    }

    /// The offset of a clock from the reference, which does not run as fast as the monotonic clock either.
    pub(crate) fn truth(&self, which: usize, at: MonotonicInstant) -> i128 {
        let reference = ServerClock { offset: 0, rate_ppm: self.reference_rate_ppm.into() };
        self.clocks[which].offset_at(at.as_nanos()) - reference.offset_at(at.as_nanos())
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits { max_offset: Duration::from_nanos(self.limit), warn_offset: None }
    }

    /// The nth request, sent at an instant; also which clock gave the answer.
    pub(crate) fn answer(&self, nth: usize, sent: MonotonicInstant, connection: u32) -> (Sample, usize) {
        let (out, back) = self.delays[nth % self.delays.len()];
        let which = self.turns.of(nth, connection) % self.clocks.len();
        let read_at = sent.as_nanos() + i128::from(out);
        let lag = self.may_lag / 255 * u64::from(self.lags[nth % self.lags.len()]);
        let taken_at = read_at - i128::from(lag);
        let shown = NOON + self.phase + taken_at + self.clocks[which].offset_at(taken_at);
        let earliest = shown.div_euclid(self.step) * self.step;
        let shown = if self.date_is_said {
            let (from, to) =
                (UnixInstant::from_nanos(earliest), UnixInstant::from_nanos(earliest + self.step));
            Shown::Instant(Interval::new(from, to))
        } else {
            let of_day = earliest.rem_euclid(DAY);
            let (from, to) = (TimeOfDay::from_nanos(of_day), TimeOfDay::from_nanos(of_day + self.step));
            Shown::TimeOfDay(Interval::new(from, to))
        };
        let step = Duration::from_nanos(u64::try_from(self.step).expect("steps are positive"));
        let sample = Sample {
            sent,
            received: sent + Duration::from_nanos(out) + Duration::from_nanos(back),
            reading: Reading { shown, step, may_lag: Duration::from_nanos(self.may_lag) },
            instance: self.named.then(|| Arc::from(format!("instance-{which}"))),
            connection,
        };
        (sample, which)
    }

    /// Holds a round; returns the plan and, for each sample, the clock that gave it.
    pub(crate) fn round(&self) -> (Plan, Vec<usize>) {
        let rules = Rules {
            limits: self.limits(),
            drift: Drift::DISCIPLINED,
            requests_per_connection: self.requests_per_connection,
            miss_probability: 0.01,
            expected_backends: None,
            max_requests: self.max_requests,
            max_connections: MAX_CONNECTIONS,
            last_start: MonotonicInstant::after_origin(Duration::from_millis(7_500)),
        };
        let mut plan = Plan::new(rules, self.reference());
        let mut now = MonotonicInstant::ORIGIN;
        let (mut opened, mut givers) = (0, Vec::new());
        loop {
            let action = plan.next(now);
            let (connections, requests, at) = match action {
                Action::Stop(_) => return (plan, givers),
                Action::Open(NewConnections { count, requests, at, .. }) => {
                    opened += count;
                    (opened - count..opened, requests, at)
                }
                Action::Ask { connection, at } => (connection..connection + 1, 1, at),
            };
            // Opening comes first: the request is what has to be on time.
            let sent = match action {
                Action::Open(_) => at.max(now + Duration::from_nanos(self.connecting)),
                _ => at,
            };
            assert!(at >= now && at <= rules.last_start && givers.len() < self.max_requests as usize);
            let mut answers = Vec::new();
            for connection in connections {
                let mut sent = sent;
                for _ in 0..if self.keeps_open { requests } else { 1 } {
                    let answer = self.answer(givers.len() + answers.len(), sent, connection);
                    sent = answer.0.received;
                    answers.push(answer);
                    // The performer begins no request later than that either.
                    if sent > rules.last_start {
                        break;
                    }
                }
            }
            answers.sort_by_key(|(sample, _)| sample.received);
            for (sample, giver) in answers {
                now = sample.received;
                givers.push(giver);
                plan.record(sample, self.keeps_open);
            }
            if let Action::Open(NewConnections { count, keep: false, .. }) = action {
                (opened - count..opened).for_each(|connection| plan.connection_was_closed(connection));
            }
        }
    }
}

/// A time of day says nothing about whole days: the truth on the day that was taken.
pub(crate) fn to_the_nearest_day(truth: i128, judged: &JudgedBackend) -> i128 {
    let days = (judged.offset.midpoint().as_nanos() - truth + DAY / 2).div_euclid(DAY);
    truth + days * DAY
}

pub(crate) fn is_within(offset: i128, limit: u64) -> bool {
    offset.abs() <= i128::from(limit)
}
