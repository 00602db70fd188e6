//! For whom requests are: a page of another site must not read a dashboard that has no password (DNS rebinding).
//!
//! Such a page calls the monitor by a name of its own site, which it has pointed to the loopback address meanwhile; for the
//! browser, the monitor is then a part of that site. Nobody can point an address or `localhost` elsewhere.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{PoisonError, RwLock};

use http::HeaderMap;
use http::header::HOST;
use http::uri::Authority;
use url::Url;

/// The hosts that requests may name; all, unless it listens on loopback.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    /// Elsewhere it has names that it does not know itself.
    is_on_loopback: bool,
    /// The host of `external_url`.
    external: RwLock<Option<String>>,
}

impl Hosts {
    /// Of a monitor that listens here.
    pub(super) fn new(listen: SocketAddr) -> Self {
        Self { is_on_loopback: listen.ip().to_canonical().is_loopback(), external: RwLock::default() }
    }

    /// People reach it there from now on.
    pub(super) fn replace(&self, external_url: Option<&Url>) {
        let host = external_url.and_then(Url::host_str);
        let host = host.map(|host| host.strip_suffix('.').unwrap_or(host).to_owned());
        *self.external.write().unwrap_or_else(PoisonError::into_inner) = host;
    }

    /// Whether a request may be for this monitor. Only programs name no host; browsers always do.
    pub(super) fn include(&self, headers: &HeaderMap) -> bool {
        !self.is_on_loopback
            || headers.get_all(HOST).iter().all(|host| host.to_str().is_ok_and(|host| self.has(host)))
    }

    fn has(&self, host: &str) -> bool {
        let Ok(authority) = host.parse::<Authority>() else { return false };
        let host = authority.host();
        let literal = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        if literal.is_some_and(|host| host.parse::<Ipv6Addr>().is_ok()) || host.parse::<Ipv4Addr>().is_ok() {
            return true;
        }
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let external = self.external.read().unwrap_or_else(PoisonError::into_inner);
        host == "localhost" || host.ends_with(".localhost") || external.as_ref() == Some(&host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naming(host: &str) -> HeaderMap {
        HeaderMap::from_iter([(HOST, host.parse().unwrap())])
    }

    #[test]
    fn a_name_that_somebody_else_may_have_made_is_not_one_of_it() {
        let hosts = Hosts::new("127.0.0.1:9464".parse().unwrap());
        hosts.replace(Some(&"https://now.example/monitor/".parse().unwrap()));
        for right in [
            "127.0.0.1:9464",
            "192.0.2.7",
            "[::1]:9464",
            "localhost:8080",
            "LocalHost",
            "localhost.",
            "a.localhost:1",
            "now.example",
            "Now.Example:443",
        ] {
            assert!(hosts.include(&naming(right)), "{right}");
        }
        for wrong in [
            "evil.test:9464",
            "localhost.evil.test",
            "notlocalhost",
            "127.0.0.1.evil.test",
            "now.example.evil.test",
            "::1",
            "[evil]",
            "",
        ] {
            assert!(!hosts.include(&naming(wrong)), "{wrong}");
        }
        assert!(hosts.include(&HeaderMap::new()));
        let mut both = naming("localhost");
        both.append(HOST, "evil.test".parse().unwrap());
        assert!(!hosts.include(&both));
        hosts.replace(Some(&"https://dotted.example./".parse().unwrap()));
        assert!(hosts.include(&naming("dotted.example.")) && hosts.include(&naming("dotted.example")));
        hosts.replace(None);
        assert!(!hosts.include(&naming("now.example")));
    }

    #[test]
    fn where_others_reach_it_it_has_any_name() {
        for listen in ["0.0.0.0:9464", "[::]:9464", "192.0.2.7:9464"] {
            assert!(Hosts::new(listen.parse().unwrap()).include(&naming("now.example")), "{listen}");
        }
        for listen in ["127.0.0.2:9464", "[::1]:9464", "[::ffff:127.0.0.1]:9464"] {
            assert!(!Hosts::new(listen.parse().unwrap()).include(&naming("now.example")), "{listen}");
        }
    }
}
