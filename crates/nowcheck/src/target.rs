//! What is checked: a URL, taken apart.

mod bare;
mod location;
mod user_info;

use std::borrow::Cow;

use std::fmt;
use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Uri};
use url::{Host, ParseError, Url};

use crate::endpoint::Endpoint;
use crate::request_headers::RequestHeaders;
use crate::text::{Secrets, printable};
use crate::zone::{self, Zone};

pub use location::shown_location;
pub use user_info::masked;

/// A URL to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    url: Url,
    /// Name or address of the host.
    pub host: Host<String>,
    /// On which interface, for a link-local address.
    pub zone: Option<Zone>,
    /// TCP port.
    pub port: u16,
    /// Whether TLS is spoken.
    pub tls: bool,
    /// What stands in the request line.
    pub path_and_query: PathAndQuery,
    /// What stands in the `Host` header.
    pub authority: String,
    /// From the URL (Basic). It is sent to this origin only.
    credentials: Option<HeaderValue>,
    /// What the user adds to requests; nothing, if the user did not name this origin.
    own_headers: Option<Arc<RequestHeaders>>,
}

/// Why a text is not a URL that can be checked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TargetError(String);

/// Why it is no URL, and what to write.
fn what_to_correct(error: ParseError) -> String {
    let what_to_do = match error {
        ParseError::IdnaError => {
            "its host has a character or a length that no name may have; write the name as the DNS has it, such as xn--bcher-kva.example"
        }
        ParseError::InvalidPort => "write a port from 1 to 65535, or none",
        ParseError::InvalidIpv4Address => "write four numbers from 0 to 255, such as 192.0.2.1",
        ParseError::InvalidIpv6Address => "write it in brackets, such as http://[2001:db8::1]",
        ParseError::InvalidDomainCharacter => "write the host in letters, digits, hyphens and dots",
        ParseError::EmptyHost => "write a host after the slashes",
        _ => return error.to_string(),
    };
    format!("{error}: {what_to_do}")
}

impl Target {
    /// Takes a URL apart. With `/now` as the default path, `http://host` and `http://host/`, which are the same
    /// URL (RFC 3986 section 6.2.3), mean `/now`, and `http://host?tz=UTC` means `/now?tz=UTC`; `http://host/.`
    /// (and `http://host/?`) is the root itself.
    ///
    /// # Errors
    /// Says what is wrong and how a URL looks.
    pub fn parse(text: &str, default_path: &str) -> Result<Self, TargetError> {
        let quoted = printable(masked(text).as_bytes(), 200);
        let (text, zone) = with_zone_apart(text);
        let text = text.as_ref();
        let fail = |why: &str| TargetError(format!("`{quoted}` is not a URL to check: {why}"));
        if bare::lacks_slash(text) {
            return Err(fail("a slash is missing, write two of them: http://"));
        }
        let written = bare::with_scheme(text).ok_or_else(|| {
            fail("write a host, or a URL such as http://time.example or https://time.example")
        })?;
        let mut url = Url::parse(&written).map_err(|error| fail(&what_to_correct(error)))?;
        let tls = match url.scheme() {
            "http" => false,
            "https" => true,
            other => {
                return Err(fail(&format!("its scheme is `{other}`; write http:// or https://")));
            }
        };
        if url.path() == "/" && !names_root(&written) && (url.query().is_none() || !has_path(&written)) {
            url.set_path(default_path);
        }
        if url.domain().is_some_and(has_empty_label) {
            return Err(fail("its host has an empty label: a dot too many"));
        }
        Self::of(url, zone, tls).ok_or_else(|| fail("it names no host"))
    }

    /// What a URL without a path means: any web server has headers, but only a service of time has `/now`.
    #[must_use]
    pub fn default_path(reads_header: bool) -> &'static str {
        if reads_header { "/" } else { "/now" }
    }

    /// This target, with what the user adds to requests to it.
    #[must_use]
    pub fn with_headers(self, headers: Arc<RequestHeaders>) -> Self {
        Self { own_headers: Some(headers), ..self }
    }

    /// Whether the user named this server, so that it may see what is meant for it: headers, a client certificate.
    #[must_use]
    pub fn is_named_by_user(&self) -> bool {
        self.own_headers.is_some()
    }

    fn of(mut url: Url, zone: Option<Zone>, tls: bool) -> Option<Self> {
        url.set_fragment(None);
        let credentials = user_info::take(&mut url);
        let host = url.host()?.to_owned();
        let port = url.port_or_known_default()?;
        let path_and_query = url[url::Position::BeforePath..url::Position::AfterQuery].parse().ok()?;
        // The final dot is for the resolver; servers know themselves without it.
        let name = host.to_string();
        let name = name.strip_suffix('.').filter(|name| !name.is_empty()).unwrap_or(&name);
        let authority = match url.port() {
            Some(port) => format!("{name}:{port}"),
            None => name.to_owned(),
        };
        Some(Self { url, host, zone, port, tls, path_and_query, authority, credentials, own_headers: None })
    }

    /// Where a redirect from here points; nothing when it points at no HTTP URL.
    #[must_use]
    pub fn redirected_to(&self, location: &str) -> Option<Self> {
        let (location, zone) = with_zone_apart(location);
        let url = self.url.join(&location).ok()?;
        let stays = url.host() == self.url.host();
        let zone = zone.or_else(|| self.zone.clone().filter(|_| stays));
        let tls = match url.scheme() {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        let mut next = Self::of(url, zone, tls)?;
        if (&next.host, next.port, next.tls) == (&self.host, self.port, self.tls) {
            next.own_headers.clone_from(&self.own_headers);
            next.credentials = next.credentials.or_else(|| self.credentials.clone());
        }
        Some(next)
    }

    /// The URL as it is asked, without credentials, fragment and zone.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Whether credentials stand in the URL.
    #[must_use]
    pub fn has_credentials(&self) -> bool {
        self.credentials.is_some()
    }

    /// What is resolved.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint<'_> {
        Endpoint { host: &self.host, zone: self.zone.as_ref(), port: self.port }
    }

    /// The root of the same server, without anything that the user wrote in the path or query, and without secrets.
    #[must_use]
    pub fn root(&self) -> Self {
        let path_and_query = PathAndQuery::from_static("/");
        Self { path_and_query, credentials: None, own_headers: None, ..self.clone() }
    }

    /// Puts credentials and what the user adds into the headers of a request.
    pub fn put_headers_into(&self, request: &mut HeaderMap) {
        if let Some(headers) = &self.own_headers {
            headers.put_into(request);
        }
        // What stands in one URL is more to the point than what is said of all.
        if let Some(credentials) = &self.credentials {
            request.insert(AUTHORIZATION, credentials.clone());
        }
    }

    /// Whether the URL has credentials, and the headers of the user have others.
    #[must_use]
    pub fn has_two_credentials(&self) -> bool {
        self.credentials.is_some()
            && self.own_headers.as_ref().is_some_and(|headers| headers.has_credentials())
    }

    /// Adds what is sent to this server and must not be shown to what is kept secret.
    pub fn tell_secrets(&self, secrets: &mut Secrets) {
        if let Some(headers) = &self.own_headers {
            headers.tell_secrets(secrets);
        }
        if let Some(credentials) = &self.credentials {
            secrets.add_header(credentials.as_bytes());
        }
    }

    /// Adds the longer values of the query. Those of a URL that a user wrote are no secrets, but those of a redirect are
    /// shown to nobody.
    pub(crate) fn tell_values(&self, secrets: &mut Secrets) {
        const SHORTEST: usize = 8;
        for (_, value) in self.url.query_pairs().filter(|(_, value)| value.len() >= SHORTEST) {
            secrets.add(value.as_bytes());
        }
    }

    /// The request target in origin form (RFC 9112 section 3.2.1).
    #[must_use]
    pub fn request_target(&self) -> Uri {
        Uri::from(self.path_and_query.clone())
    }
}

/// Whether there is nothing between two dots of a name or before the first one. A final dot is the root of the DNS.
fn has_empty_label(name: &str) -> bool {
    name.strip_suffix('.').unwrap_or(name).split('.').any(str::is_empty)
}

/// Whether a URL as it was typed has the path `/.`, which is the root (RFC 3986 section 5.2.4).
fn names_root(text: &str) -> bool {
    let after_scheme = text.split_once("://").map_or(text, |(_, rest)| rest);
    after_scheme
        .split(['?', '#'])
        .next()
        .is_some_and(|path| path.split_once('/').is_some_and(|(_, path)| path == "."))
}

/// Whether a slash follows the host, in a URL as it was typed.
fn has_path(text: &str) -> bool {
    let after_scheme = text.split_once("://").map_or(text, |(_, rest)| rest);
    after_scheme.find(['/', '?', '#']).is_some_and(|end| after_scheme[end..].starts_with('/'))
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.zone {
            None => self.url.fmt(formatter),
            Some(zone) => formatter.write_str(&zone::put_back(self.url.as_str(), zone)),
        }
    }
}

/// A URL, and the zone that stood in it, which the URL library does not read.
fn with_zone_apart(text: &str) -> (Cow<'_, str>, Option<Zone>) {
    match zone::taken_out(text) {
        Some((text, zone)) => (Cow::Owned(text), Some(zone)),
        None => (Cow::Borrowed(text), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_url_says_what_to_write() {
        for (text, advice) in [
            ("http://xn--a-ecp.example\u{200d}x", "write the name as the DNS has it"),
            ("http://a.example:70000", "write a port from 1 to 65535"),
            ("http://1.2.3.400", "write four numbers"),
            ("http://[::1::2]", "write it in brackets"),
            ("http://a b.example", "a character or a length that no name may have"),
        ] {
            let error = Target::parse(text, "/now").unwrap_err().to_string();
            assert!(error.contains(advice), "{text}: {error}");
        }
    }

    #[test]
    fn a_url_without_a_path_means_now() {
        for (text, url) in [
            ("http://time.example", "http://time.example/now"),
            ("http://time.example/", "http://time.example/now"),
            ("http://time.example?tz=UTC", "http://time.example/now?tz=UTC"),
            ("http://time.example/?", "http://time.example/?"),
            ("http://time.example/.", "http://time.example/"),
            ("http://time.example/?tz=UTC", "http://time.example/?tz=UTC"),
            ("https://time.example/v1/time?x=1#top", "https://time.example/v1/time?x=1"),
            ("http://[::1]:8080", "http://[::1]:8080/now"),
            ("time.example", "http://time.example/now"),
            ("localhost:8080", "http://localhost:8080/now"),
            ("time.example/x", "http://time.example/x"),
            ("time.example?tz=UTC", "http://time.example/now?tz=UTC"),
            ("http://me:secret@time.example", "http://time.example/now"),
        ] {
            assert_eq!(Target::parse(text, "/now").unwrap().to_string(), url, "{text}");
        }
    }

    #[test]
    fn with_the_root_as_the_default_path_a_url_means_itself() {
        for (text, url) in [
            ("http://time.example", "http://time.example/"),
            ("http://time.example/x", "http://time.example/x"),
        ] {
            assert_eq!(Target::parse(text, "/").unwrap().to_string(), url, "{text}");
        }
    }

    #[test]
    fn the_host_header_names_the_port_only_when_it_is_not_the_usual_one() {
        assert_eq!(Target::parse("http://time.example:80", "/now").unwrap().authority, "time.example");
        assert_eq!(Target::parse("http://time.example:8080", "/now").unwrap().authority, "time.example:8080");
        assert_eq!(Target::parse("https://[::1]", "/now").unwrap().authority, "[::1]");
    }

    #[test]
    fn a_zone_stands_in_the_url_and_not_in_the_host_header() {
        for text in ["http://[fe80::1%25eth0]:8080", "http://[fe80::1%eth0]:8080/now"] {
            let target = Target::parse(text, "/now").unwrap();
            assert_eq!(target.to_string(), "http://[fe80::1%25eth0]:8080/now");
            assert_eq!(target.authority, "[fe80::1]:8080");
            assert_eq!(target.zone.as_ref().map(Zone::interface), Some("eth0"));
            assert_eq!(target.redirected_to("/v2").unwrap().to_string(), "http://[fe80::1%25eth0]:8080/v2");
            assert_eq!(target.redirected_to("http://[fe80::2]/").unwrap().zone, None);
        }
    }

    #[test]
    fn the_host_header_has_no_final_dot() {
        let target = Target::parse("http://time.example.:8080", "/now").unwrap();
        assert_eq!(target.to_string(), "http://time.example.:8080/now");
        assert_eq!(target.authority, "time.example:8080");
    }

    #[test]
    fn what_is_not_a_url_is_refused_with_advice() {
        for (text, advice) in [
            ("/now", "write a host, or a URL such as"),
            ("mailto:me", "write a host, or a URL such as"),
            ("ftp://time.example", "its scheme is `ftp`"),
            ("http://", "empty host"),
            ("http://me:s3cret@time.example:99999", "invalid port"),
            ("http://me:s3/cret@time.example", "invalid port"),
            ("me:s3/cret@time.example", "write a host"),
            ("ftp://me:s3cret@time.example", "its scheme is `ftp`"),
            ("http://time.example:99999", "invalid port"),
            ("http:/localhost:8080", "a slash is missing"),
            ("HTTPS:/time.example/now", "a slash is missing"),
            ("http://a..b", "an empty label"),
            ("http://.example", "an empty label"),
            ("time.example..", "an empty label"),
            ("", "write a host"),
        ] {
            let error = Target::parse(text, "/now").unwrap_err().to_string();
            assert!(error.contains(advice) && !error.contains("s3"), "{text}: {error}");
        }
    }

    #[test]
    fn a_redirect_may_be_relative_and_must_stay_with_http() {
        let target = Target::parse("http://time.example/now", "/now").unwrap();
        assert_eq!(target.redirected_to("/v2/now").unwrap().to_string(), "http://time.example/v2/now");
        assert_eq!(
            target.redirected_to("https://other.example/").unwrap().to_string(),
            "https://other.example/"
        );
        assert_eq!(target.redirected_to("file:///etc/passwd"), None);
    }

    fn sent(target: &Target) -> (bool, bool) {
        let mut request = HeaderMap::new();
        target.put_headers_into(&mut request);
        (request.contains_key(AUTHORIZATION), request.contains_key("x-key"))
    }

    #[test]
    fn what_the_user_adds_goes_to_no_other_origin() {
        let mut headers = RequestHeaders::default();
        headers.add("X-Key: secret").unwrap();
        let target = Target::parse("http://me:secret@time.example/now", "/now").unwrap();
        let target = target.with_headers(Arc::new(headers));
        assert_eq!(sent(&target), (true, true));
        assert!(!format!("{target} {target:?}").contains("secret"), "{target:?}");
        for (location, is_sent) in [
            ("/v2/now", (true, true)),
            ("http://TIME.example:80/v2", (true, true)),
            ("http://time.example:81/now", (false, false)),
            ("https://time.example/now", (false, false)),
            ("//other.example/now", (false, false)),
            // The other server's own credentials are no secret of the user's.
            ("http://its:own@other.example/now", (true, false)),
        ] {
            let next = target.redirected_to(location).unwrap();
            assert_eq!(sent(&next), is_sent, "{location}");
            assert_eq!(next.is_named_by_user(), is_sent.1, "{location}");
            assert!(!next.to_string().contains('@'), "{next}");
        }
        assert_eq!(sent(&target.root()), (false, false));
    }
}
