//! One connection to one address, and requests over it; every phase is timed and ends at the deadline.

mod body;
mod opening;

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use clock_offset::MonotonicInstant;
use http::header::{ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONNECTION, HOST, USER_AGENT};
use http::{HeaderMap, Method, Request, StatusCode, Version};
use http_body_util::Empty;
use hyper::client::conn::http1::SendRequest;
use tokio::task::JoinHandle;
use tokio::time::error::Elapsed;
use tokio::time::{timeout, timeout_at};

pub use body::BrokenOff;
pub use opening::{NoConnection, Opened, Peer, connect};

use crate::clock::Clock;
use crate::outcome::{Cause, ExchangeFault, Failure, Phase};
use crate::probe::cause;
use crate::probe::content_coding::CodingFault;
use crate::probe::timed_io::ExchangeInstants;
use crate::probe::tls::identity::ClientAuthentication;
use crate::run_delay::RunDelay;
use crate::target::Target;
use body::{decoded, read_body};

/// How long a body that nobody wants is waited for.
const PATIENCE_FOR_A_BODY: Duration = Duration::from_millis(50);

/// How long it takes to read what lies in the kernel already, on a machine that is not idle.
const TO_READ_WHAT_IS_THERE: Duration = Duration::from_millis(10);

const USER_AGENT_NAME: &str = concat!("nowcheck/", env!("CARGO_PKG_VERSION"));

/// An open connection.
#[derive(Debug)]
pub struct HttpConnection {
    requests: SendRequest<Empty<Bytes>>,
    instants: ExchangeInstants,
    driver: JoinHandle<()>,
    clock: Clock,
    run_delay: RunDelay,
    client: ClientAuthentication,
    /// How it opened.
    pub opened: Opened,
}

/// How much of an answer is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Head and body.
    Whole,
    /// The head, for a time that stands in a header: a body that is long or slow does not matter.
    Head,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Any status: what it means is decided elsewhere.
    pub status: StatusCode,
    /// In the order in which they came.
    pub headers: HeaderMap,
    /// Its body, or the begin of it.
    pub body: Vec<u8>,
    /// Whether the body went on.
    pub is_cut: bool,
    /// Why the body is still encoded, if it is.
    pub coding_fault: Option<CodingFault>,
    /// Whether the server keeps the connection open.
    pub stays_open: bool,
    /// Before the first byte of the request was written.
    pub sent: MonotonicInstant,
    /// After the first byte of the answer came.
    pub first_byte: MonotonicInstant,
    /// After the last byte of the answer that was read came.
    pub received: MonotonicInstant,
    /// How long of that time this program could not run, by the scheduler's account.
    pub run_delay: Duration,
}

/// A request that brought no answer.
#[derive(Debug)]
pub struct NoAnswer {
    /// Why.
    pub failure: Failure,
    /// The server closed the connection before the first byte of an answer: on a connection that was kept it
    /// may do so at any time, and the request can be repeated on another one.
    pub closed_before_answer: bool,
}

impl HttpConnection {
    /// Sends one request and reads its answer.
    ///
    /// # Errors
    /// Names the phase ([`Phase::Wait`] before the first byte, [`Phase::Transfer`] after it) and the cause.
    pub async fn ask(
        &mut self,
        method: Method,
        target: &Target,
        wanted: Wanted,
        deadline: MonotonicInstant,
    ) -> Result<Answer, NoAnswer> {
        let delayed_before = self.run_delay.total();
        let begin = self.clock.now();
        self.instants.begin();
        let clock = self.clock;
        let exchanged = by(deadline, clock, self.exchange(method, target, wanted)).await;
        let instants = self.instants.so_far();
        let sent = instants.sent.unwrap_or(begin);
        match exchanged {
            Ok(Ok(RawAnswer { head, body, is_cut, received })) => {
                let received = received.unwrap_or_else(|| clock.now());
                let stays_open = !is_cut && stays_open(&head);
                let (body, is_cut, coding_fault) = decoded(&head.headers, body, is_cut);
                Ok(Answer {
                    status: head.status,
                    stays_open,
                    headers: head.headers,
                    body,
                    is_cut,
                    coding_fault,
                    sent,
                    first_byte: instants.first_byte.unwrap_or(received),
                    received,
                    run_delay: self.run_delay.total().saturating_sub(delayed_before),
                })
            }
            Ok(Err(broken))
                if let Some(fault) =
                    cause::of_client_certificate(&target.host.to_string(), &broken, self.client) =>
            {
                let elapsed = clock.now().since(begin);
                let failure = Failure { phase: Phase::Tls, cause: Cause::Tls(fault), elapsed };
                Err(NoAnswer { failure, closed_before_answer: false })
            }
            Ok(Err(broken)) => {
                Err(self.no_answer(sent, cause::of_no_answer(&self.instants.first_bytes(), &broken)))
            }
            Err(_) => Err(self.no_answer(sent, cause::of_silence(instants.first_byte.is_some()))),
        }
    }

    fn no_answer(&self, sent: MonotonicInstant, fault: ExchangeFault) -> NoAnswer {
        let now = self.clock.now();
        let (phase, begin) = match self.instants.so_far().first_byte {
            None => (Phase::Wait, sent),
            Some(first_byte) => (Phase::Transfer, first_byte),
        };
        NoAnswer {
            closed_before_answer: phase == Phase::Wait && matches!(fault, ExchangeFault::Closed { .. }),
            failure: Failure { phase, cause: Cause::Exchange(fault), elapsed: now.since(begin) },
        }
    }

    async fn exchange(
        &mut self,
        method: Method,
        target: &Target,
        wanted: Wanted,
    ) -> Result<RawAnswer, BrokenOff> {
        let mut request = Request::new(Empty::new());
        *request.method_mut() = method;
        *request.uri_mut() = target.request_target();
        let headers = request.headers_mut();
        // An authority comes from a parsed URL: visible ASCII, so always a valid header value.
        if let Ok(host) = target.authority.parse() {
            headers.insert(HOST, host);
        }
        headers.insert(USER_AGENT, http::HeaderValue::from_static(USER_AGENT_NAME));
        headers.insert(ACCEPT, http::HeaderValue::from_static("application/json, */*;q=0.5"));
        headers.insert(ACCEPT_ENCODING, http::HeaderValue::from_static("identity"));
        headers.insert(CACHE_CONTROL, http::HeaderValue::from_static("no-cache"));
        target.put_headers_into(headers);
        self.requests.ready().await?;
        let (head, mut incoming) = self.requests.send_request(request).await?.into_parts();
        if wanted == Wanted::Head {
            let received = self.instants.so_far().last_byte;
            // A body that is there at once leaves the connection free for the next request.
            let rest = timeout(PATIENCE_FOR_A_BODY, read_body(&mut incoming)).await;
            let is_whole = matches!(rest, Ok(Ok((_, false))));
            return Ok(RawAnswer { head, body: Vec::new(), is_cut: !is_whole, received });
        }
        let (body, is_cut) = read_body(&mut incoming).await?;
        Ok(RawAnswer { head, body, is_cut, received: self.instants.so_far().last_byte })
    }
}

/// Waits until the deadline. A program that was not let run there finds two things at once: that its time is over and, in
/// the kernel, what came meanwhile. That is taken first, so that a pause does not look like the silence of the other side.
async fn by<F: Future>(deadline: MonotonicInstant, clock: Clock, what: F) -> Result<F::Output, Elapsed> {
    let mut what = pin!(what);
    match timeout_at(clock.deadline(deadline), what.as_mut()).await {
        Ok(done) => Ok(done),
        Err(_) => timeout(TO_READ_WHAT_IS_THERE, what).await,
    }
}

/// What came back, and when the last byte of it that was wanted did.
struct RawAnswer {
    head: http::response::Parts,
    body: Vec<u8>,
    is_cut: bool,
    received: Option<MonotonicInstant>,
}

impl Drop for HttpConnection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// RFC 9112 section 9.3: version 1.1 keeps the connection unless it says otherwise, 1.0 the other way round.
fn stays_open(head: &http::response::Parts) -> bool {
    let says = |option: &str| {
        head.headers
            .get_all(CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|value| value.split(',').any(|token| token.trim().eq_ignore_ascii_case(option)))
    };
    if head.version >= Version::HTTP_11 { !says("close") } else { says("keep-alive") }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn what_came_during_a_pause_is_taken_although_the_time_is_over() {
        let clock = Clock::start();
        let deadline = clock.now() + Duration::from_millis(20);
        let (sender, answer) = oneshot::channel();
        // Whoever hands the answer on wakes together with the timer, as after a pause, and takes a turn of its own.
        tokio::spawn(async move {
            tokio::time::sleep_until(clock.deadline(deadline)).await;
            tokio::task::yield_now().await;
            sender.send("it came")
        });
        assert_eq!(by(deadline, clock, answer).await, Ok(Ok("it came")));
    }

    #[tokio::test]
    async fn silence_ends_with_the_deadline() {
        let clock = Clock::start();
        let deadline = clock.now() + Duration::from_millis(20);
        assert!(by(deadline, clock, std::future::pending::<()>()).await.is_err());
        assert!(clock.now() >= deadline);
    }
}
