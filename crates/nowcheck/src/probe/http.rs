//! One connection to one address, and requests over it; every phase is timed and ends at the deadline.

use std::future::pending;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clock_offset::MonotonicInstant;
use http::header::{ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONNECTION, HOST, USER_AGENT};
use http::{HeaderMap, Method, Request, StatusCode, Version};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::error::Elapsed;
use tokio::time::{timeout, timeout_at};
use tokio_rustls::TlsConnector;
use url::Host;

use crate::clock::Clock;
use crate::outcome::{Cause, ConnectionFault, ExchangeFault, Failure, Phase, TlsFault};
use crate::probe::cause;
use crate::probe::certificate_validity::{self, Certificate};
use crate::probe::content_coding::{CodingFault, decode};
use crate::probe::head_repair::HeadRepair;
use crate::probe::other_protocol::speaks_plain_http;
use crate::probe::timed_io::{ExchangeInstants, TimedIo};
use crate::probe::tls::identity::{ClientAuthentication, ConnectionConfig};
use crate::probe::tls_end::EndsWithoutGoodbye;
use crate::run_delay::RunDelay;
use crate::target::Target;

/// The most that is read of an answer; a time needs a thousandth of it.
const MOST_OF_A_BODY: usize = 64 * 1024;

/// The most that is read of an answer's head, as of curl (`CURL_MAX_HTTP_HEADER`, three times).
const MOST_OF_A_HEAD: usize = 300 * 1024;

/// The most headers of an answer. curl takes 5,000 of them, browsers as many as fit.
const MOST_HEADERS: usize = 1_000;

/// How long a body that nobody wants is waited for.
const PATIENCE_FOR_A_BODY: Duration = Duration::from_millis(50);

/// After that part of the time that is left, silence in a handshake is looked into.
const PATIENCE_FOR_A_HANDSHAKE: u32 = 4;

/// How long it takes to read what lies in the kernel already, on a machine that is not idle.
const TO_READ_WHAT_IS_THERE: Duration = Duration::from_millis(10);

const USER_AGENT_NAME: &str = concat!("nowcheck/", env!("CARGO_PKG_VERSION"));

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

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

/// Why a connection could not be opened.
#[derive(Debug)]
pub struct NoConnection {
    /// What is reported.
    pub failure: Failure,
    /// How far it came.
    pub opened: Option<Opened>,
}

/// The other side of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer<'a> {
    /// What is asked there.
    pub target: &'a Target,
    /// One of the addresses of the target's host.
    pub address: SocketAddr,
    /// How TLS is spoken over this connection, for a target that wants it.
    pub tls: Option<&'a ConnectionConfig>,
}

/// How a connection opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// How long TCP took.
    pub connect: Duration,
    /// How long TLS took, if it came to be.
    pub tls: Option<Duration>,
    /// What the server proved its name with.
    pub certificate: Option<Certificate>,
}

/// Opens a connection to one address of the target.
///
/// # Errors
/// Names the phase ([`Phase::Connect`] or [`Phase::Tls`]) and the cause.
pub async fn connect(
    peer: &Peer<'_>,
    clock: Clock,
    deadline: MonotonicInstant,
) -> Result<HttpConnection, NoConnection> {
    let begin = clock.now();
    let tcp = open_tcp(peer.address, clock, deadline).await.map_err(|fault| NoConnection {
        failure: connection_failure(peer.address, fault, clock.now().since(begin)),
        opened: None,
    })?;
    let connected = clock.now();
    let mut opened = Opened { connect: connected.since(begin), tls: None, certificate: None };
    let stream: Box<dyn Stream> = if let Some(tls) = peer.tls {
        let stream =
            handshake(peer.target, tls, tcp, clock, deadline).await.map_err(|fault| NoConnection {
                failure: Failure {
                    phase: Phase::Tls,
                    cause: Cause::Tls(fault),
                    elapsed: clock.now().since(connected),
                },
                opened: Some(opened),
            })?;
        let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
        opened.certificate = chain.first().and_then(certificate_validity::read);
        opened.tls = Some(clock.now().since(connected));
        Box::new(EndsWithoutGoodbye(stream))
    } else {
        Box::new(tcp)
    };
    let instants = ExchangeInstants::default();
    let io =
        TokioIo::new(HeadRepair::new(TimedIo::new(stream, clock, instants.clone(), begin), MOST_OF_A_HEAD));
    let (requests, connection) = as_clients_do().handshake(io).await.map_err(|error| NoConnection {
        failure: connection_failure(peer.address, ConnectionFault::Setup(error.to_string()), opened.connect),
        opened: None,
    })?;
    // Its errors reach the request that they end.
    let driver = tokio::spawn(async move {
        let _ = connection.await;
    });
    let run_delay = RunDelay::of_this_thread();
    let client = peer.tls.map(ConnectionConfig::authentication).unwrap_or_default();
    Ok(HttpConnection { requests, instants, driver, clock, run_delay, client, opened })
}

/// Reads the heads that curl and browsers read, and writes names as they do: some small servers know no `host`.
fn as_clients_do() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .max_buf_size(MOST_OF_A_HEAD)
        .max_headers(MOST_HEADERS)
        .allow_spaces_after_header_name_in_responses(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .ignore_invalid_headers_in_responses(true)
        .title_case_headers(true);
    builder
}

fn connection_failure(address: SocketAddr, fault: ConnectionFault, elapsed: Duration) -> Failure {
    Failure { phase: Phase::Connect, cause: Cause::Connection { address, fault }, elapsed }
}

async fn open_tcp(
    address: SocketAddr,
    clock: Clock,
    deadline: MonotonicInstant,
) -> Result<TcpStream, ConnectionFault> {
    let tcp = match by(deadline, clock, TcpStream::connect(address)).await {
        Ok(Ok(tcp)) => tcp,
        Ok(Err(error)) => return Err(cause::of_no_connection(address, &error)),
        Err(_) => return Err(ConnectionFault::Silent),
    };
    // Best effort: without it a request could wait for the acknowledgement of the last one.
    let _ = tcp.set_nodelay(true);
    Ok(tcp)
}

async fn handshake(
    target: &Target,
    tls: &ConnectionConfig,
    tcp: TcpStream,
    clock: Clock,
    deadline: MonotonicInstant,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, TlsFault> {
    let host = &target.host;
    let name = match host {
        Host::Domain(name) => {
            ServerName::try_from(name.clone()).map_err(|_| TlsFault::InvalidName { host: name.clone() })?
        }
        Host::Ipv4(address) => ServerName::from(std::net::IpAddr::from(*address)),
        Host::Ipv6(address) => ServerName::from(std::net::IpAddr::from(*address)),
    };
    let address = tcp.peer_addr().ok();
    let handshake = TlsConnector::from(Arc::clone(&tls.tls)).connect(name, tcp);
    let answered = async {
        tokio::select! {
            answered = handshake => Some(answered),
            () = is_plain_http(address, tls, clock, deadline) => None,
        }
    };
    match by(deadline, clock, answered).await {
        Ok(None) => Err(TlsFault::SpeaksHttp),
        Ok(Some(Ok(stream))) => Ok(stream),
        Ok(Some(Err(error))) => Err(cause::of_no_handshake(&host.to_string(), &error, tls.authentication())),
        Err(_) => Err(TlsFault::Silent),
    }
}

/// Ends when a port that is silent to TLS turns out to speak plain HTTP: its server waits for the end of a request. Only one
/// connection to an address asks that.
async fn is_plain_http(
    address: Option<SocketAddr>,
    tls: &ConnectionConfig,
    clock: Clock,
    deadline: MonotonicInstant,
) {
    tokio::time::sleep(deadline.since(clock.now()) / PATIENCE_FOR_A_HANDSHAKE).await;
    let Some(address) = address.filter(|_| tls.is_first_in_doubt()) else { return pending().await };
    if !speaks_plain_http(address, clock, deadline).await {
        pending::<()>().await;
    }
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

/// An exchange that ended too early.
#[derive(Debug)]
pub struct BrokenOff {
    /// The library's reason.
    pub error: hyper::Error,
    /// Bytes of the body that came, and those that were announced, if that is known.
    pub bytes: Option<(u64, u64)>,
}

impl From<hyper::Error> for BrokenOff {
    fn from(error: hyper::Error) -> Self {
        Self { error, bytes: None }
    }
}

/// The body without its content codings, whether it goes on, and why it is still encoded.
fn decoded(headers: &HeaderMap, body: Vec<u8>, is_cut: bool) -> (Vec<u8>, bool, Option<CodingFault>) {
    // Of an encoded body that was not read to its end nothing can be said but that it is large.
    if is_cut {
        return (body, true, None);
    }
    match decode(headers, &body, MOST_OF_A_BODY) {
        Ok(decoded) => (decoded.body, decoded.is_cut, None),
        Err(fault) => (body, false, Some(fault)),
    }
}

/// Reads as much of a body as a time can need; says whether it went on.
async fn read_body(incoming: &mut Incoming) -> Result<(Vec<u8>, bool), BrokenOff> {
    let announced = incoming.size_hint().exact();
    let mut body = Vec::new();
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|error| BrokenOff {
            error,
            bytes: announced.map(|announced| (body.len() as u64, announced)),
        })?;
        if let Ok(data) = frame.into_data() {
            let room = MOST_OF_A_BODY - body.len();
            body.extend_from_slice(&data[..data.len().min(room)]);
            if data.len() > room {
                return Ok((body, true));
            }
        }
    }
    Ok((body, false))
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
