//! Where a round may connect to, when somebody else names what is checked.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use url::Url;

/// Says where a round may connect to. The URLs have no credentials, fragment or zone.
pub trait DestinationRule: Send + Sync {
    /// Whether a URL may be asked, be it the first one or one that a redirect leads to.
    fn permits(&self, url: &Url) -> bool;

    /// Whether it may be asked at an address that the system resolved its name to.
    fn permits_address(&self, url: &Url, address: IpAddr) -> bool;
}

/// The rule of a check; without one, every destination is permitted.
#[derive(Clone, Default)]
pub(crate) struct Destinations(Option<Arc<dyn DestinationRule>>);

impl Destinations {
    pub(super) fn by(rule: Arc<dyn DestinationRule>) -> Self {
        Self(Some(rule))
    }

    pub(crate) fn permit(&self, url: &Url) -> bool {
        self.0.as_ref().is_none_or(|rule| rule.permits(url))
    }

    /// Those of the addresses that may not be asked.
    pub(crate) fn not_permitted(&self, url: &Url, addresses: impl Iterator<Item = IpAddr>) -> Vec<IpAddr> {
        self.0.as_ref().map_or_else(Vec::new, |rule| {
            addresses.filter(|address| !rule.permits_address(url, *address)).collect()
        })
    }
}

impl fmt::Debug for Destinations {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.0.is_some() { "Destinations(by a rule)" } else { "Destinations(all)" })
    }
}
