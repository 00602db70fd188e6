//! One request to the task metadata endpoint.

use std::ffi::OsString;
use std::io;
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONNECTION, HOST, USER_AGENT};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The variable with the URL of the endpoint. Amazon ECS sets it in each container.
pub(crate) const VARIABLE: &str = "ECS_CONTAINER_METADATA_URI_V4";

/// For the whole exchange. The endpoint is on the same host.
const TIMEOUT: Duration = Duration::from_secs(2);

/// In bytes. An answer has some kilobytes for each container of the task.
const MAX_ANSWER: usize = 1 << 20;

/// Why there is no endpoint to ask.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EndpointError {
    #[error(
        "--clock-source ecs-metadata needs the environment variable {VARIABLE}, which is not set: Amazon ECS \
         sets it in each container; elsewhere, choose another --clock-source"
    )]
    NotSet,
    #[error("the environment variable {VARIABLE} is not an http URL: leave it as Amazon ECS sets it")]
    NotAnUrl,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    #[error("it cannot be reached: {0}")]
    Connect(#[from] io::Error),
    #[error("the exchange failed: {0}")]
    Exchange(#[from] hyper::Error),
    #[error("it answers {0}")]
    Status(StatusCode),
    #[error("its answer is incomplete, or longer than {MAX_ANSWER} bytes")]
    Body,
    #[error("it does not answer within {TIMEOUT:?}")]
    Timeout,
}

/// Where the task metadata is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    host: String,
    port: u16,
    /// For the header.
    authority: String,
    path: String,
}

impl Endpoint {
    /// From the value of [`VARIABLE`].
    pub(crate) fn new(value: Option<OsString>) -> Result<Self, EndpointError> {
        let value = value.filter(|value| !value.is_empty()).ok_or(EndpointError::NotSet)?;
        let uri: Uri = value
            .to_str()
            .and_then(|text| text.trim_end_matches('/').parse().ok())
            .ok_or(EndpointError::NotAnUrl)?;
        let authority = uri.authority().filter(|_| uri.scheme_str() == Some("http"));
        let authority = authority.filter(|authority| !authority.host().is_empty());
        let authority = authority.ok_or(EndpointError::NotAnUrl)?;
        Ok(Self {
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port: authority.port_u16().unwrap_or(80),
            authority: authority.as_str().to_owned(),
            path: format!("{}/task", uri.path().trim_end_matches('/')),
        })
    }

    /// The body of the answer.
    pub(crate) async fn ask(&self) -> Result<Bytes, AskError> {
        timeout(TIMEOUT, self.exchange()).await.unwrap_or(Err(AskError::Timeout))
    }

    async fn exchange(&self) -> Result<Bytes, AskError> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let request = Request::get(&self.path)
            .header(HOST, &self.authority)
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, concat!("nowd/", env!("CARGO_PKG_VERSION")))
            .header(CONNECTION, "close")
            .body(Empty::<Bytes>::new());
        // Its parts come from a valid URL.
        let Ok(request) = request else { return Err(AskError::Body) };
        let mut answer = Box::pin(async move {
            let answer = sender.send_request(request).await?;
            if answer.status() != StatusCode::OK {
                return Err(AskError::Status(answer.status()));
            }
            let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
            body.map(http_body_util::Collected::to_bytes).map_err(|_| AskError::Body)
        });
        tokio::select! {
            biased;
            answer = &mut answer => answer,
            // It is over once the whole answer was handed on.
            _ = connection => answer.await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(text: &str) -> Result<Endpoint, EndpointError> {
        Endpoint::new(Some(text.into()))
    }

    #[test]
    fn the_url_is_that_of_the_task() {
        let found = endpoint("http://169.254.170.2/v4/0123-456").unwrap();
        let expected = Endpoint {
            host: "169.254.170.2".into(),
            port: 80,
            authority: "169.254.170.2".into(),
            path: "/v4/0123-456/task".into(),
        };
        assert_eq!(found, expected);
        assert_eq!(endpoint("http://169.254.170.2/v4/0123-456/"), Ok(expected));
        let ipv6 = endpoint("http://[fd00:ec2::23]:8080").unwrap();
        assert_eq!((ipv6.host.as_str(), ipv6.port, ipv6.path.as_str()), ("fd00:ec2::23", 8080, "/task"));
        assert_eq!(ipv6.authority, "[fd00:ec2::23]:8080");
    }

    #[test]
    fn what_is_no_http_url_is_refused_at_the_start() {
        for text in
            ["nonsense", "/v4/x", "https://169.254.170.2/v4/x", "http://", "http:///v4", "169.254.170.2:80"]
        {
            assert_eq!(endpoint(text), Err(EndpointError::NotAnUrl), "{text}");
        }
        assert_eq!(Endpoint::new(None), Err(EndpointError::NotSet));
        assert_eq!(endpoint(""), Err(EndpointError::NotSet));
    }
}
