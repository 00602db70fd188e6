//! A name that gave no address.

use std::net::IpAddr;

use super::FailureKind;

/// Why a name gave no address. The texts are the resolver's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameFault {
    /// The DNS says that there is no such name (NXDOMAIN).
    NotFound,
    /// The name exists, but has no address.
    NoAddress,
    /// The name servers answer with a failure (SERVFAIL and the like) or cannot be reached: the system tells neither
    /// from the other.
    ServerFailure(String),
    /// The DNS did not answer; for this record, if one was asked for.
    Silent(Option<&'static str>),
    /// This machine cannot ask: no free descriptor, no memory.
    Local(String),
    /// It is an address with a zone, and this machine has no such interface.
    UnknownZone {
        /// As it was typed.
        zone: String,
    },
    /// It is an address with a zone, and only link-local addresses have zones (RFC 4007 section 6).
    NeedlessZone {
        /// As it was typed.
        zone: String,
    },
    /// It has addresses, but none of the only IP version that is to be checked.
    OtherVersion {
        /// The version that is to be checked.
        wanted: &'static str,
        /// Its addresses.
        has: Vec<IpAddr>,
    },
    /// It has addresses that the rule of the check does not permit.
    NotPermitted {
        /// These.
        has: Vec<IpAddr>,
    },
}

impl NameFault {
    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::NotFound | Self::NoAddress => FailureKind::NoSuchName,
            Self::ServerFailure(_) => FailureKind::DnsFailure,
            Self::Silent(_) => FailureKind::Timeout,
            Self::Local(_)
            | Self::UnknownZone { .. }
            | Self::NeedlessZone { .. }
            | Self::OtherVersion { .. }
            | Self::NotPermitted { .. } => FailureKind::Local,
        }
    }

    pub(super) fn sentence(&self, name: &str) -> String {
        match self {
            Self::NotFound => format!("this machine's resolver does not find the name {name}"),
            Self::NoAddress => format!("this machine's resolver finds no address for {name}"),
            Self::ServerFailure(error) => format!(
                "this machine could not resolve {name} ({error}): its name servers answer with a failure, or \
                 cannot be reached"
            ),
            Self::Silent(None) => format!("the DNS gave no usable answer for {name}"),
            Self::Silent(Some(record)) => format!("the DNS gave no answer for {name} ({record})"),
            Self::Local(error) => format!("this machine cannot resolve {name} ({error})"),
            Self::UnknownZone { zone } => {
                format!("{name}%{zone} cannot be used: this machine has no interface `{zone}`")
            }
            Self::NeedlessZone { zone } => format!(
                "{name}%{zone} cannot be used: {name} is not a link-local address, and only those have a zone"
            ),
            Self::OtherVersion { wanted, has } if is_literal(name) => {
                let version =
                    has.first().map_or("another", |one| if one.is_ipv4() { "an IPv4" } else { "an IPv6" });
                format!("{name} is {version} address, and only {wanted} addresses are checked")
            }
            Self::OtherVersion { wanted, has } => {
                format!("{name} has no {wanted} address, and only those are checked; it has {}", listed(has))
            }
            Self::NotPermitted { has } => {
                format!("{name} is {} in the DNS, which may not be asked", listed(has))
            }
        }
    }
}

fn listed(addresses: &[IpAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Whether a host is an address itself, with or without the brackets of a URL.
pub(crate) fn is_literal(host: &str) -> bool {
    host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok()
}
