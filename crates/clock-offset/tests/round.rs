//! A whole round of one plan: what it asks is answered at once, and nothing fails.
#![allow(dead_code, reason = "as a test program of its own it uses nothing")]

use std::time::Duration;

use clock_offset::{
    Action, Drift, Limits, MAX_CONNECTIONS, MonotonicInstant, NewConnections, Plan, ReferenceClock, Rules,
    Sample,
};

/// The usual rules.
pub(crate) fn rules(max_offset: Duration) -> Rules {
    Rules {
        limits: Limits { max_offset, warn_offset: None },
        drift: Drift::DISCIPLINED,
        requests_per_connection: 2,
        miss_probability: 0.01,
        expected_backends: None,
        max_requests: 464,
        max_connections: MAX_CONNECTIONS,
        last_start: MonotonicInstant::after_origin(Duration::from_millis(7_500)),
    }
}

/// Holds a round. `answer` is given the number of the request, when it is sent, and over which connection.
pub(crate) fn held(
    max_offset: Duration,
    reference: ReferenceClock,
    mut answer: impl FnMut(usize, MonotonicInstant, u32) -> Sample,
) -> Plan {
    let mut plan = Plan::new(rules(max_offset), reference);
    let (mut now, mut opened, mut nth) = (MonotonicInstant::ORIGIN, 0, 0);
    loop {
        let (connections, requests, at, keep) = match plan.next(now) {
            Action::Stop(_) => return plan,
            Action::Open(NewConnections { count, requests, at, keep }) => {
                opened += count;
                (opened - count..opened, requests, at, keep)
            }
            Action::Ask { connection, at } => (connection..connection + 1, 1, at, true),
        };
        let mut answers = Vec::new();
        for connection in connections.clone() {
            let mut sent = at.max(now);
            for _ in 0..requests {
                let answer = answer(nth, sent, connection);
                (sent, nth) = (answer.received, nth + 1);
                answers.push(answer);
            }
        }
        answers.sort_by_key(|answer| answer.received);
        for answer in answers {
            now = answer.received;
            plan.record(answer, true);
        }
        if !keep {
            connections.for_each(|connection| plan.connection_was_closed(connection));
        }
    }
}
