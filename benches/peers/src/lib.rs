//! What the servers share: the answer, and the listener.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};

use anyhow::Context as _;
use hyper::HeaderMap;
use hyper::body::Bytes;
use hyper::header::{CONTENT_LENGTH, DATE, HeaderName, HeaderValue};

/// For how long a connection may rest: with many of them each asks seldom, and some servers would close them after 5 s.
pub const IDLE_SECONDS: u16 = 75;

/// The answer to every request, but for what hyper adds to it: `Date` and `Content-Length`.
#[derive(Clone, Debug)]
pub struct Answer {
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// Reads the response from the file that the command line names.
    ///
    /// # Errors
    ///
    /// There is no such file, or no response in it.
    pub fn read() -> anyhow::Result<Self> {
        let path = std::env::args_os().nth(1).context("usage: PROGRAM RESPONSE_FILE")?;
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read the response to send from {}", path.display()))?;
        let (head, body) = text.split_once("\r\n\r\n").context("the response has no empty line")?;
        let mut headers = HeaderMap::new();
        for line in head.split("\r\n").skip(1) {
            let (name, value) = line.split_once(": ").context("a line of the response is no header")?;
            headers.append(name.parse::<HeaderName>()?, value.parse::<HeaderValue>()?);
        }
        headers.remove(DATE);
        headers.remove(CONTENT_LENGTH);
        Ok(Self { headers, body: body.to_owned().into() })
    }
}

/// Listens on a free port of the loopback interface, as nowd does, and prints the URL.
///
/// # Errors
///
/// The system has no port left, or standard output is closed.
pub fn listen_std() -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
        .context("cannot listen on the loopback interface")?;
    listener.set_nonblocking(true)?;
    // Where the kernel has none of that name, the default is as good.
    let _ = socket2::SockRef::from(&listener).set_tcp_congestion(b"reno");
    writeln!(std::io::stdout(), "http://{}", listener.local_addr()?)?;
    Ok(listener)
}

/// The same for tokio. Call it in a runtime.
///
/// # Errors
///
/// As [`listen_std`].
pub fn listen() -> anyhow::Result<tokio::net::TcpListener> {
    Ok(tokio::net::TcpListener::from_std(listen_std()?)?)
}
