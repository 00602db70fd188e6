//! One request to a URL that may be a secret. Redirects are not followed, and answers are read up to a limit.

mod fault;
mod hidden;
#[cfg(test)]
pub(crate) mod sink;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clock_offset::MonotonicInstant;
use http::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use nowcheck::clock::Clock;
use nowcheck::endpoint::Endpoint;
use nowcheck::outcome::{CertificateFault, FailureKind, ValidityBreach};
use nowcheck::probe::resolve::Resolution;
use nowcheck::probe::tls::{CertificateTime, Trust, certificate_fault};
use nowcheck::request_headers::basic;
use percent_encoding::percent_decode_str;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout_at;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{CertificateError, Error as TlsError};
use url::{Host, Position, Url};

use crate::config::{Hook, Secret, UnusableSetting};
use crate::timestamps::now;
pub use fault::HttpFault;
pub(crate) use fault::quoted;
pub(crate) use hidden::Hidden;

/// The most that is read of an answer that only matters when it says what is wrong.
pub(crate) const MOST_OF_A_BODY: usize = 16 * 1024;

/// How much of an answer is quoted.
const EXCERPT: usize = 200;

const USER_AGENT_NAME: &str = concat!("nowcheck/", env!("CARGO_PKG_VERSION"));

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// What is sent.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Message {
    /// JSON, by POST.
    pub(crate) fn json(body: impl Into<Bytes>) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Self { method: Method::POST, headers, body: body.into() }
    }
}

/// Where messages are sent.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    url: Url,
    trust: Trust,
    clock: Clock,
    hidden: Arc<Hidden>,
}

impl Client {
    /// A client for a hook.
    ///
    /// # Errors
    /// When its URL cannot be used.
    pub(crate) fn new(hook: &Hook, clock: Clock) -> Result<Self, HttpFault> {
        let given = hook.ca_file.as_ref().map(|file| file.trust.clone());
        let trust = given.unwrap_or_else(Trust::of_this_machine);
        Self::with_trust(&hook.url, trust, clock)
    }

    /// A client that trusts these authorities.
    pub(crate) fn with_trust(url: &Secret, trust: Trust, clock: Clock) -> Result<Self, HttpFault> {
        let url = Url::parse(url.expose()).map_err(|error| UnusableSetting("url", error.to_string()))?;
        let hidden = Arc::new(Hidden::of_url(&url));
        Ok(Self { url, trust, clock, hidden })
    }

    /// The same receiver, with more texts that it must not be quoted with.
    pub(crate) fn hiding<'a>(mut self, texts: impl IntoIterator<Item = &'a str>) -> Self {
        self.hidden = Arc::new(self.hidden.with(texts));
        self
    }

    /// The path of its URL.
    pub(crate) fn path(&self) -> &str {
        self.url.path()
    }

    /// The same receiver, below a path.
    pub(crate) fn below(mut self, segments: &[&str]) -> Self {
        if let Ok(mut path) = self.url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        self
    }

    /// Sends a message. Any 2xx is success.
    ///
    /// # Errors
    /// Why it was not taken.
    pub(crate) async fn send(&self, message: Message, longest: Duration) -> Result<(), HttpFault> {
        self.exchange(message, longest, async |_| ()).await
    }

    /// Sends a message, and returns what the answer holds, of which no more than that many bytes are read. Any 2xx is success.
    ///
    /// # Errors
    /// Why it was not taken. An answer that breaks off, or is too long, is none.
    pub(crate) async fn ask(
        &self,
        message: Message,
        longest: Duration,
        most: usize,
    ) -> Result<Bytes, HttpFault> {
        let read = async |body| Limited::new(body, most).collect().await;
        let body = self.exchange(message, longest, read).await?;
        Ok(body.map_err(|_| HttpFault::NoAnswer("its body broke off or is too long"))?.to_bytes())
    }

    async fn exchange<T>(
        &self,
        message: Message,
        longest: Duration,
        read: impl AsyncFnOnce(Incoming) -> T,
    ) -> Result<T, HttpFault> {
        let deadline = self.clock.now() + longest;
        let exchange = self.connect_and_exchange(message, deadline, read);
        match timeout_at(self.clock.deadline(deadline), exchange).await {
            Ok(done) => done,
            Err(_) => Err(HttpFault::Silent(longest)),
        }
    }

    async fn connect_and_exchange<T>(
        &self,
        message: Message,
        deadline: MonotonicInstant,
        read: impl AsyncFnOnce(Incoming) -> T,
    ) -> Result<T, HttpFault> {
        let stream = self.connect(deadline).await?;
        let (mut requests, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|_| HttpFault::NoAnswer("the connection was closed"))?;
        let request = self.request(message);
        // The connection ends with the exchange, however that ends.
        tokio::select! {
            biased;
            answered = async {
                let answer = requests.send_request(request).await.map_err(|error| no_answer(&error))?;
                Ok(read(self.judged(answer).await?).await)
            } => answered,
            () = async { let _ = connection.await; std::future::pending().await } => unreachable!("it is pending"),
        }
    }

    async fn connect(&self, deadline: MonotonicInstant) -> Result<Box<dyn Stream>, HttpFault> {
        let host = self.url.host().map(|host| host.to_owned());
        let (Some(host), Some(port)) = (host, self.url.port_or_known_default()) else {
            return Err(UnusableSetting("url", "it has no host".to_owned()).into());
        };
        let endpoint = Endpoint { host: &host, zone: None, port };
        let found = Resolution::default().addresses(endpoint, self.clock, deadline).await;
        let addresses = found.map_err(|failure| HttpFault::Name(of_name(failure.cause.kind())))?.all;
        let mut why = HttpFault::Name("it has no address");
        for (nth, address) in addresses.iter().enumerate() {
            let now = self.clock.now();
            let left = u32::try_from(addresses.len() - nth).unwrap_or(u32::MAX);
            // One address that is silent leaves time for the others.
            let until = now + deadline.since(now) / left;
            match timeout_at(self.clock.deadline(until), TcpStream::connect(address)).await {
                Ok(Ok(tcp)) => return self.secured(tcp, &host).await,
                Ok(Err(error)) => why = HttpFault::Connection(error.kind().to_string()),
                Err(_) => why = HttpFault::Connection("connection timed out".to_owned()),
            }
        }
        Err(why)
    }

    async fn secured(&self, tcp: TcpStream, host: &Host<String>) -> Result<Box<dyn Stream>, HttpFault> {
        if self.url.scheme() != "https" {
            return Ok(Box::new(tcp));
        }
        let name = match host {
            Host::Domain(name) => ServerName::try_from(name.clone())
                .map_err(|_| UnusableSetting("url", "its host is no valid name".to_owned()))?,
            Host::Ipv4(address) => ServerName::from(std::net::IpAddr::from(*address)),
            Host::Ipv6(address) => ServerName::from(std::net::IpAddr::from(*address)),
        };
        let connector = TlsConnector::from(self.trust.client_config(CertificateTime::ThisMachine));
        let stream = connector.connect(name, tcp).await.map_err(|error| of_tls(&error))?;
        Ok(Box::new(stream))
    }

    fn request(&self, message: Message) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(message.body));
        *request.method_mut() = message.method;
        // What stands between host and fragment of a parsed URL is always a request target.
        if let Ok(target) = self.url[Position::BeforePath..Position::AfterQuery].parse() {
            *request.uri_mut() = target;
        }
        let headers = request.headers_mut();
        *headers = message.headers;
        if let Ok(host) = self.url[Position::BeforeHost..Position::AfterPort].parse() {
            headers.insert(HOST, host);
        }
        headers.insert(USER_AGENT, HeaderValue::from_static(USER_AGENT_NAME));
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        if !self.url.username().is_empty() || self.url.password().is_some() {
            let mut credentials: Vec<u8> = percent_decode_str(self.url.username()).collect();
            credentials.push(b':');
            credentials.extend(percent_decode_str(self.url.password().unwrap_or_default()));
            headers.insert(AUTHORIZATION, basic(&credentials));
        }
        request
    }

    /// The body of an answer that says yes.
    async fn judged(&self, answer: http::Response<Incoming>) -> Result<Incoming, HttpFault> {
        let (head, body) = answer.into_parts();
        if head.status.is_success() {
            return Ok(body);
        }
        if head.status.is_redirection() {
            return Err(HttpFault::Redirect(head.status));
        }
        let body = Limited::new(body, MOST_OF_A_BODY).collect().await;
        let excerpt = body.ok().and_then(|body| self.hidden.excerpt(&body.to_bytes(), EXCERPT));
        let retry_after = retry_after(&head.headers, self.clock);
        Err(HttpFault::Status { status: head.status, excerpt, retry_after })
    }
}

/// RFC 9110 section 10.2.3: seconds, or a date.
fn retry_after(headers: &HeaderMap, clock: Clock) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    let now = Duration::from_secs(u64::try_from(now(clock).as_second()).ok()?);
    Some(date.saturating_sub(now))
}

fn of_name(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::NoSuchName => "there is no such name",
        FailureKind::Timeout => "the DNS does not answer",
        FailureKind::DnsFailure => "the DNS fails",
        _ => "this machine cannot ask",
    }
}

fn of_tls(error: &std::io::Error) -> HttpFault {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>());
    match inner {
        Some(TlsError::InvalidCertificate(fault)) => HttpFault::Certificate(of_certificate(fault)),
        // Their texts hold no name of a host.
        Some(TlsError::AlertReceived(alert)) => {
            HttpFault::Tls(format!("the server sent the alert {alert:?}"))
        }
        Some(TlsError::InvalidMessage(_)) => HttpFault::Tls("the server does not speak TLS".to_owned()),
        Some(_) => HttpFault::Tls("the two sides have nothing in common".to_owned()),
        None => HttpFault::Tls(error.kind().to_string()),
    }
}

/// The sentences of a check name the host, which may be secret here.
fn of_certificate(error: &CertificateError) -> &'static str {
    match certificate_fault("", error) {
        CertificateFault::OutOfTime { breach: ValidityBreach::Expired { .. }, .. } => {
            "it has expired; renew it, or set this machine's clock right"
        }
        CertificateFault::OutOfTime { .. } => "it is not valid yet; set this machine's clock right",
        CertificateFault::SelfSigned => "it is signed by itself; name it with ca_file",
        CertificateFault::MissingIntermediate { .. } => {
            "this machine does not know its authority, or the receiver leaves out an intermediate certificate; \
             name the authority with ca_file"
        }
        CertificateFault::OtherName { .. } | CertificateFault::AddressAsName { .. } => {
            "it is for another name; correct the host in the URL"
        }
        CertificateFault::UnknownAuthority => {
            "this machine does not know its authority; name the authority with ca_file"
        }
        _ => "it cannot be verified; name its authority with ca_file, or renew it",
    }
}

fn no_answer(error: &hyper::Error) -> HttpFault {
    HttpFault::NoAnswer(if error.is_parse() {
        "it is not HTTP"
    } else if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        "the connection was closed before the response"
    } else {
        "the connection broke off"
    })
}

#[cfg(test)]
mod tests;
