//! Which URLs may be probed.

mod address;

use std::net::IpAddr;

use url::{Host, Url};

/// A URL in which `*` stands for any text, within the host or within the rest.
///
/// ```
/// use nowcheck_watch::config::AllowedUrl;
///
/// let allowed = AllowedUrl::parse("https://*.example/*").expect("a scheme, a host and a path");
/// assert!(allowed.covers("https://shop.example/now"));
/// assert!(!allowed.covers("https://evil.test/?.example/"), "the host counts, and not the text");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedUrl {
    scheme: String,
    host: String,
    /// None for the default port of the scheme; `*` for any.
    port: Option<String>,
    rest: String,
}

impl AllowedUrl {
    /// Reads `SCHEME://HOST[:PORT]/REST`. None if it is no such text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, after) = text.split_once("://")?;
        let is_http = matches!(scheme, "http" | "https" | "*");
        let (authority, rest) = match after.find('/') {
            Some(at) => after.split_at(at),
            None => (after, "/*"),
        };
        if !is_http
            || authority.contains(['@', '?', '#', '\\'])
            || text.chars().any(|one| one.is_control() || one == ' ')
        {
            return None;
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port.to_owned())),
            _ => (authority, None),
        };
        let is_port = |port: &String| port == "*" || port.parse::<u16>().is_ok_and(|port| port > 0);
        let is_bracketed = host.starts_with('[') && host.ends_with(']');
        let has_name = !host.is_empty() && (is_bracketed || !host.contains([':', '[', ']']));
        if !has_name || !port.as_ref().is_none_or(is_port) {
            return None;
        }
        Some(Self { scheme: scheme.to_owned(), host: host.to_lowercase(), port, rest: rest.to_owned() })
    }

    /// Whether it may be probed. A URL with credentials may not.
    #[must_use]
    pub fn covers(&self, url: &str) -> bool {
        Url::parse(url).is_ok_and(|url| self.covers_url(&url))
    }

    /// The same of a URL that is taken apart already.
    pub(super) fn covers_url(&self, url: &Url) -> bool {
        if !matches!(url.scheme(), "http" | "https") || !url.username().is_empty() || url.password().is_some()
        {
            return false;
        }
        let Some(host) = url.host_str() else { return false };
        let has_port = match self.port.as_deref() {
            None => url.port().is_none(),
            Some("*") => true,
            Some(port) => url.port_or_known_default().is_some_and(|known| known.to_string() == port),
        };
        let rest = &url[url::Position::BeforePath..url::Position::AfterQuery];
        has_port
            && matches(&self.scheme, url.scheme())
            && matches(&self.host, host.trim_end_matches('.'))
            && matches(&self.rest, rest)
    }

    /// Whether a covered URL may be asked at an address that its name was resolved to. Who owns a name decides what it is
    /// resolved to. So addresses of this machine, of its link and of nobody have to be in the pattern: as the name, written
    /// without `*`, or by themselves.
    pub(super) fn covers_address(&self, url: &Url, address: IpAddr) -> bool {
        if !self.covers_url(url) {
            return false;
        }
        if !address::is_special(address) || !self.host.contains('*') {
            return true;
        }
        let host = match address {
            IpAddr::V4(address) => Host::<String>::Ipv4(address),
            IpAddr::V6(address) => Host::Ipv6(address),
        };
        let mut by_address = url.clone();
        by_address.set_host(Some(&host.to_string())).is_ok() && self.covers_url(&by_address)
    }
}

/// Whether a text is a pattern with something in the place of each `*`.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((begin, pattern)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut rest) = text.strip_prefix(begin) else { return false };
    let mut parts: Vec<&str> = pattern.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        // The first place that fits leaves the most for what follows.
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_leads_to_this_machine_has_to_be_written_out() {
        for (pattern, address, is_covered) in [
            ("http://*.example/*", "192.0.2.7", true),
            ("http://*.example/*", "10.0.0.7", true),
            ("http://*.example/*", "2001:db8::7", true),
            ("http://*.example/*", "127.0.0.1", false),
            ("http://*.example/*", "169.254.169.254", false),
            ("http://*.example/*", "::1", false),
            ("http://*.example/*", "::ffff:127.0.0.1", false),
            ("http://shop.example/*", "127.0.0.1", true),
            ("http://other.example/*", "192.0.2.7", false),
            ("http://*/*", "127.0.0.1", true),
            ("http://*/*", "::1", true),
        ] {
            let url = Url::parse("http://shop.example/now").unwrap();
            let allowed = AllowedUrl::parse(pattern).unwrap();
            assert_eq!(
                allowed.covers_address(&url, address.parse().unwrap()),
                is_covered,
                "{pattern} {address}"
            );
        }
    }

    #[test]
    fn only_urls_of_the_scheme_host_port_and_path_are_covered() {
        for (pattern, url, is_covered) in [
            ("https://*.example/*", "https://shop.example/now", true),
            ("https://*.example/*", "https://a.shop.example/now?tz=UTC", true),
            ("https://*.example/*", "HTTPS://SHOP.EXAMPLE./now", true),
            ("https://*.example/*", "https://example/now", false),
            ("https://*.example/*", "http://shop.example/now", false),
            ("https://*.example/*", "https://shop.example:8443/now", false),
            ("https://*.example/*", "https://shop.example.evil.test/now", false),
            ("https://*.example/*", "https://evil.test/.example/now", false),
            ("https://*.example/*", "https://evil.test?.example/", false),
            ("https://*.example/*", "https://evil.test#.example/", false),
            ("https://*.example/*", "https://me:pw@shop.example/", false),
            ("https://*.example/*", "https://evil.test\\.example/", false),
            ("https://*.example:*/now", "https://shop.example:8443/now", true),
            ("https://*.example:8443/now", "https://shop.example/now", false),
            ("http://shop.example", "http://shop.example/any", true),
            ("http://shop.example/a*c", "http://shop.example/abc", true),
            ("http://shop.example/a*c", "http://shop.example/ab", false),
            ("http://[::1]:8080/*", "http://[::1]:8080/now", true),
            ("*://127.0.0.1:*/*", "http://127.0.0.1:9/now", true),
            ("http://127.0.0.1/*", "http://127.1/now", true),
            ("*://*/*", "file:///etc/passwd", false),
        ] {
            assert_eq!(AllowedUrl::parse(pattern).unwrap().covers(url), is_covered, "{pattern} {url}");
        }
        for pattern in [
            "",
            "*",
            "shop.example",
            "ftp://a/*",
            "http:///x",
            "http://a:0/",
            "http://a:b/",
            "http://a@b/",
            "http://a b/",
        ] {
            assert_eq!(AllowedUrl::parse(pattern), None, "{pattern}");
        }
    }
}
