//! Errors as clients get them: problem details (RFC 9457).

use hyper::StatusCode;
use serde_json::json;

use crate::readiness::NotReady;

/// Why a request is rejected. The text is the `detail` of the problem, and says what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    #[error("nothing is at {}: ask for /now, or see /openapi.json for all paths", Quoted(.path))]
    NotFound { path: String },
    #[error("{} is not allowed here: use GET or HEAD", Quoted(.method))]
    MethodNotAllowed { method: String },
    #[error("a request of HTTP/1.1 has exactly one Host header (RFC 9112, section 3.2): send one")]
    Host,
    #[error(
        "the Host header is not a host and an optional port (RFC 9110, section 7.2): send the one of the URL"
    )]
    HostSyntax,
    #[error("this server does not support this form of request target: ask for a path, such as /now")]
    Target,
    #[error("this server accepts no request body: send the request without one")]
    Body,
    #[error(
        "the head of the request is malformed (RFC 9112): check its syntax, and percent-encode what a URL \
         cannot have, such as spaces, quotes and angle brackets"
    )]
    Malformed,
    #[error("this begins like TLS, and plain HTTP is spoken here: ask with http:// instead of https://")]
    Tls,
    #[error(
        "the head of the request has more than {bytes} bytes (--max-head-bytes) or {headers} headers \
         (--max-headers): send fewer or shorter headers, or a shorter target"
    )]
    HeadTooLarge { bytes: usize, headers: usize },
    #[error("the target of the request is too long: ask for a path, such as /now")]
    TargetTooLong,
    #[error("this server speaks HTTP/1.1 and HTTP/1.0: use one of them")]
    Version,
    #[error("the query is not well-formed: percent-encode it as UTF-8, such as ?tz=Europe%2FMadrid")]
    QueryEncoding,
    #[error("there is no parameter {}: write tz, in lower case", Quoted(.name))]
    ZoneSpelling { name: String },
    #[error("tz is empty: name a zone of the IANA time zone database, such as ?tz=Europe/Madrid")]
    ZoneEmpty,
    #[error("tz is given more than once: ask for one zone at a time")]
    ZoneTwice,
    #[error(
        "no time zone is called {}: names come from the IANA time zone database, such as Europe/Madrid \
         or UTC",
        Quoted(.name)
    )]
    ZoneUnknown { name: String },
    #[error("this process has reached its limit of connections (--max-connections): try again later")]
    Full,
    #[error(transparent)]
    NotReady(#[from] NotReady),
}

impl Problem {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::NotFound { .. } => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::Body => StatusCode::PAYLOAD_TOO_LARGE,
            Self::HeadTooLarge { .. } => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::Host
            | Self::HostSyntax
            | Self::Target
            | Self::Malformed
            | Self::Tls
            | Self::QueryEncoding
            | Self::ZoneSpelling { .. }
            | Self::ZoneEmpty
            | Self::ZoneTwice
            | Self::ZoneUnknown { .. } => StatusCode::BAD_REQUEST,
            Self::Full | Self::NotReady(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The last part of the `type`, for logs.
    pub(crate) fn name(&self) -> &'static str {
        self.kind().0.trim_start_matches("urn:nowd:problem:")
    }

    /// The same for all problems of one type.
    pub(crate) fn title(&self) -> &'static str {
        self.kind().1
    }

    /// The `type`, for programs, and the `title`, the same for all problems of that type.
    fn kind(&self) -> (&'static str, &'static str) {
        match self {
            Self::NotFound { .. } => ("urn:nowd:problem:not-found", "Not found"),
            Self::MethodNotAllowed { .. } => ("urn:nowd:problem:method-not-allowed", "Method not allowed"),
            Self::Host | Self::HostSyntax => {
                ("urn:nowd:problem:host", "Host header missing, repeated or malformed")
            }
            Self::Target | Self::Malformed | Self::Tls => {
                ("urn:nowd:problem:malformed-request", "Malformed request")
            }
            Self::Body => ("urn:nowd:problem:body", "Request with a body"),
            Self::HeadTooLarge { .. } => ("urn:nowd:problem:head-too-large", "Request head too large"),
            Self::TargetTooLong => ("urn:nowd:problem:target-too-long", "Request target too long"),
            Self::Version => ("urn:nowd:problem:version", "HTTP version not supported"),
            Self::QueryEncoding | Self::ZoneSpelling { .. } | Self::ZoneEmpty | Self::ZoneTwice => {
                ("urn:nowd:problem:malformed-query", "Malformed query")
            }
            Self::ZoneUnknown { .. } => ("urn:nowd:problem:unknown-time-zone", "Unknown time zone"),
            Self::NotReady(NotReady::Draining) => ("urn:nowd:problem:draining", "About to stop"),
            Self::Full => ("urn:nowd:problem:full", "Too many connections"),
            Self::NotReady(NotReady::ClockRecovering { .. } | NotReady::ClockNotTrusted { .. }) => {
                ("urn:nowd:problem:clock-not-trusted", "Clock not trusted")
            }
        }
    }

    /// The body, as `application/problem+json`.
    pub(crate) fn body(&self) -> String {
        let (kind, title) = self.kind();
        let status = self.status().as_u16();
        format!("{}\n", json!({"type": kind, "title": title, "status": status, "detail": self.to_string()}))
    }
}

/// Displays what a client sent: in quotes, on one line, truncated.
struct Quoted<'a>(&'a str);

impl std::fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const MAX_CHARACTERS: usize = 64;
        let more = if self.0.chars().nth(MAX_CHARACTERS).is_some() { "…" } else { "" };
        write!(f, "“{}{more}”", self.0.chars().take(MAX_CHARACTERS).collect::<String>().escape_debug())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::status::ClockStatus;

    #[test]
    fn what_a_client_sent_is_shown_in_quotes_on_one_line_and_cut_off() {
        assert_eq!(Quoted("Mars/Base").to_string(), "“Mars/Base”");
        assert_eq!(Quoted("a\r\nb\u{1b}").to_string(), "“a\\r\\nb\\u{1b}”");
        assert_eq!(Quoted(&"é".repeat(64)).to_string(), format!("“{}”", "é".repeat(64)));
        assert_eq!(Quoted(&"é".repeat(65)).to_string(), format!("“{}…”", "é".repeat(64)));
    }

    #[test]
    fn the_body_is_json_whatever_the_client_sent() {
        let problem = Problem::ZoneUnknown { name: "\"\\\u{0}\u{2028}</script>".into() };
        let body: serde_json::Value = serde_json::from_str(&problem.body()).unwrap();
        assert_eq!(body["status"], 400);
        assert_eq!(body["type"], "urn:nowd:problem:unknown-time-zone");
        assert_eq!(body["title"], "Unknown time zone");
        assert!(body["detail"].as_str().unwrap().contains("IANA time zone database"));
    }

    #[test]
    fn every_problem_is_in_the_description_with_its_type_and_its_status() {
        let openapi = include_str!("../../../../contract/openapi.json");
        let openapi: serde_json::Value = serde_json::from_str(openapi).unwrap();
        let described = &openapi["components"]["schemas"]["Problem"]["properties"];
        let limit = Duration::ZERO;
        let all = [
            Problem::NotFound { path: String::new() },
            Problem::MethodNotAllowed { method: String::new() },
            Problem::Host,
            Problem::HostSyntax,
            Problem::Target,
            Problem::Body,
            Problem::Malformed,
            Problem::Tls,
            Problem::HeadTooLarge { bytes: 16_384, headers: 100 },
            Problem::TargetTooLong,
            Problem::Version,
            Problem::QueryEncoding,
            Problem::ZoneSpelling { name: String::new() },
            Problem::ZoneEmpty,
            Problem::ZoneTwice,
            Problem::ZoneUnknown { name: String::new() },
            Problem::Full,
            NotReady::Draining.into(),
            NotReady::ClockRecovering { limit }.into(),
            NotReady::ClockNotTrusted { clock: ClockStatus::Unknown, limit }.into(),
        ];
        for problem in all {
            let body: serde_json::Value = serde_json::from_str(&problem.body()).unwrap();
            for member in ["type", "status"] {
                let values = described[member]["enum"].as_array().unwrap();
                assert!(values.contains(&body[member]), "{body}");
            }
        }
    }
}
