//! One connection: opened, and asked a few times in a row. Several of them run side by side.

use std::net::SocketAddr;

use clock_offset::{MonotonicInstant, NewConnections, SLOW};
use http::Method;

use crate::answer::Field;
use crate::outcome::{Cause, Failure, FailureKind, Phase, TlsFault};
use crate::probe::clock_suspect::clock_suspect;
use crate::probe::http::{Answer, HttpConnection, NoConnection, Opened, Peer, Wanted, connect};
use crate::target::Target;

use super::RoundContext;

/// What came over one connection.
#[derive(Debug, Default)]
pub(super) struct Burst {
    /// Which connection, counted from 0 in the order of their opening.
    pub(super) id: u32,
    /// How it opened, when it was opened for this.
    pub(super) opened: Option<Opened>,
    /// The answers, in order.
    pub(super) answers: Vec<Answer>,
    /// Requests that were begun.
    pub(super) requests: u32,
    /// The server had closed the connection, as it may, before one of them but the first.
    pub(super) was_lost: bool,
    /// What ended it.
    pub(super) failure: Option<Failure>,
    /// The connection, while the server keeps it open.
    pub(super) connection: Option<HttpConnection>,
}

/// Opens a connection and asks over it.
pub(super) async fn over_a_fresh_one(
    round: RoundContext,
    target: Target,
    address: SocketAddr,
    id: u32,
    new: NewConnections,
) -> Burst {
    let RoundContext { clock, deadline, judging_clock, .. } = &round;
    let tls = target.tls.then(|| round.tls(&target));
    let peer = Peer { target: &target, address, tls: tls.as_ref() };
    match connect(&peer, *clock, *deadline).await {
        Ok(connection) => {
            let opened = connection.opened;
            let requests = Requests { count: new.requests, at: new.at, was_kept: false };
            let mut burst = over(&round, &target, connection, id, requests).await;
            burst.opened = Some(opened);
            if !new.keep {
                // Here, and not when all that run side by side have ended: the server may be waiting for it.
                burst.connection = None;
            }
            burst
        }
        Err(NoConnection { mut failure, opened }) => {
            let mut requests = 0;
            if let Cause::Tls(TlsFault::Certificate { fault, suspect }) = &mut failure.cause
                && let Some(breach) = fault.breach()
            {
                let found = clock_suspect(&peer, breach, *judging_clock, *clock, *deadline).await;
                (*suspect, requests) = (Some(found.suspect), found.requests);
            }
            let failure = Some(round.without_blame_for_silence(failure));
            Burst { id, opened, requests, failure, ..Burst::default() }
        }
    }
}

impl RoundContext {
    /// Silence is the other side's fault only when it had a fair time to answer, and when this program was there to
    /// listen: a machine that was paused finds the deadline long over when it goes on.
    fn without_blame_for_silence(&self, mut failure: Failure) -> Failure {
        if failure.kind() != FailureKind::Timeout || failure.phase == Phase::Transfer {
            return failure;
        }
        if let Some(pause) = self.pause() {
            failure.cause = pause.cause();
        } else if failure.elapsed < self.check.timeout / 5 {
            failure.cause = Cause::TooLittleTime(Box::new(failure.cause));
        }
        failure
    }
}

/// Asks once over a connection that was kept.
pub(super) async fn over_a_kept_one(
    round: &RoundContext,
    target: &Target,
    connection: HttpConnection,
    id: u32,
    at: MonotonicInstant,
) -> Burst {
    over(round, target, connection, id, Requests { count: 1, at, was_kept: true }).await
}

/// What is asked over one connection.
#[derive(Debug, Clone, Copy)]
struct Requests {
    count: u32,
    /// When the first one is sent.
    at: MonotonicInstant,
    /// Decides what it means that the server closed the connection before the first answer: of a kept one that is its
    /// right (RFC 9112 section 9.5), of a fresh one it is a failure.
    was_kept: bool,
}

/// Asks over a connection that is open.
async fn over(
    round: &RoundContext,
    target: &Target,
    mut connection: HttpConnection,
    id: u32,
    requests: Requests,
) -> Burst {
    let mut burst = Burst { id, ..Burst::default() };
    let wanted = match round.check.time.field {
        Field::Header(_) => Wanted::Head,
        _ => Wanted::Whole,
    };
    // Opening came first: the request is what has to be on time.
    if requests.at > round.clock.now() {
        tokio::time::sleep_until(round.clock.deadline(requests.at)).await;
    }
    for nth in 0..requests.count {
        let was_slow = burst.answers.last().is_some_and(|answer| answer.received.since(answer.sent) > SLOW);
        if nth > 0 && (was_slow || round.clock.now() > round.last_start) {
            break;
        }
        burst.requests += 1;
        match connection.ask(Method::GET, target, wanted, round.deadline).await {
            Ok(answer) => {
                // Who is turned away does not insist.
                let goes_on = answer.stays_open && answer.status.is_success();
                burst.answers.push(answer);
                if !goes_on {
                    return burst;
                }
            }
            Err(lost) if (requests.was_kept || nth > 0) && lost.closed_before_answer => {
                burst.was_lost = true;
                return burst;
            }
            Err(no_answer) => {
                burst.failure = Some(round.without_blame_for_silence(no_answer.failure));
                return burst;
            }
        }
    }
    burst.connection = Some(connection);
    burst
}
