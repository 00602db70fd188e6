//! Addresses that the user gave for hosts.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use url::Host;

use super::resolve::comparable;
use crate::zone::{self, Zone};

/// An address as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Literal {
    pub(super) address: IpAddr,
    pub(super) zone: Option<Zone>,
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

/// An address to use for a host, instead of those that the DNS has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressOverride {
    /// In lower case, without the final dot.
    name: String,
    address: Literal,
}

/// Why a text is not an [`AddressOverride`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write HOST:ADDR, such as time.example:192.0.2.7 or time.example:[2001:db8::7]")]
pub struct AddressOverrideError;

impl FromStr for AddressOverride {
    type Err = AddressOverrideError;

    /// Reads `HOST:ADDR`, an IPv6 address with or without its brackets, and with or without a zone.
    fn from_str(text: &str) -> Result<Self, AddressOverrideError> {
        let read = || {
            let (host, address) = text.split_once(':')?;
            let address = address.strip_prefix('[').map_or(Some(address), |rest| rest.strip_suffix(']'))?;
            let address = match zone::of_address(address) {
                Some((address, zone)) => Literal { address: address.into(), zone: Some(zone) },
                None => Literal { address: address.parse().ok()?, zone: None },
            };
            let Ok(Host::Domain(host)) = Host::parse(host) else { return None };
            Some(Self { name: comparable(&host), address })
        };
        read().ok_or(AddressOverrideError)
    }
}

impl AddressOverride {
    /// The host, in lower case and without the final dot.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.name
    }
}

/// All [`AddressOverride`]s of a check.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressOverrides(Vec<AddressOverride>);

impl FromIterator<AddressOverride> for AddressOverrides {
    fn from_iter<I: IntoIterator<Item = AddressOverride>>(all: I) -> Self {
        Self(all.into_iter().collect())
    }
}

impl AddressOverrides {
    /// The first host that is none of these.
    #[must_use]
    pub fn unused(&self, hosts: &[&Host<String>]) -> Option<&str> {
        let is_used = |name: &str| hosts.iter().any(|host| concerns(name, host));
        self.0.iter().map(|one| one.name.as_str()).find(|name| !is_used(name))
    }

    /// The addresses that were given for a host, if any were.
    pub fn of(&self, host: &Host<String>) -> impl Iterator<Item = IpAddr> {
        self.literals(host).map(|literal| literal.address)
    }

    pub(super) fn literals(&self, host: &Host<String>) -> impl Iterator<Item = &Literal> {
        self.0.iter().filter(|one| concerns(&one.name, host)).map(|one| &one.address)
    }
}

fn concerns(name: &str, host: &Host<String>) -> bool {
    matches!(host, Host::Domain(host) if comparable(host) == name)
}
