//! Opens one connection: TCP, the TLS handshake, and the scheme that the port speaks.

use std::future::{pending, poll_fn};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use clock_offset::MonotonicInstant;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::Host;

use super::{HttpConnection, by};
use crate::clock::Clock;
use crate::outcome::{Cause, ConnectionFault, Failure, Phase, TlsFault};
use crate::probe::cause::{self, Origin};
use crate::probe::certificate_validity::{self, Certificate};
use crate::probe::head_repair::HeadRepair;
use crate::probe::other_protocol::speaks_plain_http;
use crate::probe::timed_io::{ExchangeInstants, TimedIo};
use crate::probe::tls::identity::ConnectionConfig;
use crate::probe::tls_end::EndsWithoutGoodbye;
use crate::run_delay::RunDelay;
use crate::target::Target;

/// The most that is read of an answer's head, as of curl (`CURL_MAX_HTTP_HEADER`, three times).
const MOST_OF_A_HEAD: usize = 300 * 1024;

/// The most headers of an answer. curl takes 5,000 of them, browsers as many as fit.
const MOST_HEADERS: usize = 1_000;

/// After that part of the time that is left, silence in a handshake is looked into.
const PATIENCE_FOR_A_HANDSHAKE: u32 = 4;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

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
    let tcp = match by(deadline, clock, connected(address)).await {
        Ok(Ok(tcp)) => tcp,
        Ok(Err((error, is_immediate))) => {
            let origin = Origin { has_route: has_route(address), is_immediate };
            return Err(cause::of_no_connection(address, &error, origin));
        }
        Err(_) => return Err(ConnectionFault::Silent),
    };
    // Best effort: without it a request could wait for the acknowledgement of the last one.
    let _ = tcp.set_nodelay(true);
    Ok(tcp)
}

/// A TCP connection; or the error, and whether connect(2) gave it itself, before it sent anything.
async fn connected(address: SocketAddr) -> Result<TcpStream, (io::Error, bool)> {
    let mut connecting = pin!(TcpStream::connect(address));
    let mut is_first = true;
    let connected = poll_fn(|context| {
        let polled = connecting.as_mut().poll(context);
        if polled.is_pending() {
            is_first = false;
        }
        polled
    });
    let connected = connected.await;
    connected.map_err(|error| (error, is_first))
}

/// Whether the kernel has a route to an address: it looks for one when a UDP socket is connected, which sends nothing. Of
/// what routers further on say it knows nothing then. A sandbox that refuses every call says nothing about routes.
fn has_route(address: SocketAddr) -> Option<bool> {
    let any: IpAddr =
        if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    if socket.connect(address).is_ok() {
        return Some(true);
    }
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
    socket.connect((Ipv4Addr::LOCALHOST, address.port())).ok()?;
    Some(false)
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
