//! What a clock can be compared with: this machine's clock or a time server.

use std::fmt;
use std::str::FromStr;

use url::Host;

use crate::endpoint::Endpoint;
use crate::outcome::SYSTEM;
use crate::zone::{self, Zone};

/// UDP port of NTP.
const NTP_PORT: u16 = 123;

/// One source of the reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReferenceSource {
    /// This machine's clock.
    System,
    /// A time server.
    Ntp {
        /// Its name or address.
        host: Host<String>,
        /// On which interface, for a link-local address.
        zone: Option<Zone>,
        /// Its UDP port.
        port: u16,
    },
}

/// Why a text does not name a reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceSourceError {
    /// It is neither `system` nor begins with `ntp:`.
    #[error("write `system` or `ntp:HOST[:PORT]`, such as ntp:time.example")]
    Kind,
    /// The port is out of range or no number.
    #[error("the port is a number from 1 to 65535")]
    Port,
    /// The host is no name and no address.
    #[error("`{host}` is no host; write ntp:HOST[:PORT], an IPv6 address in brackets")]
    Host {
        /// What was written.
        host: String,
    },
}

impl FromStr for ReferenceSource {
    type Err = ReferenceSourceError;

    /// Reads `system` or `ntp:HOST[:PORT]`; an IPv6 address stands in brackets.
    fn from_str(text: &str) -> Result<Self, ReferenceSourceError> {
        if text == SYSTEM {
            return Ok(Self::System);
        }
        let rest = text.strip_prefix("ntp:").filter(|rest| !rest.is_empty());
        let rest = rest.ok_or(ReferenceSourceError::Kind)?;
        let apart = zone::taken_out(rest);
        let (rest, zone) = apart.map_or((rest.to_owned(), None), |(rest, zone)| (rest, Some(zone)));
        let (host, port) = match rest.rsplit_once(':') {
            // The colons inside of brackets are those of an address.
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (rest.as_str(), None),
        };
        let port = match port.map(str::parse) {
            None => NTP_PORT,
            Some(Ok(port @ 1..)) => port,
            Some(_) => return Err(ReferenceSourceError::Port),
        };
        match Host::parse(host) {
            Ok(host) => Ok(Self::Ntp { host, zone, port }),
            Err(_) => Err(ReferenceSourceError::Host { host: host.to_owned() }),
        }
    }
}

impl ReferenceSource {
    /// The host that is asked, if it is another one.
    #[must_use]
    pub fn host(&self) -> Option<&Host<String>> {
        match self {
            Self::System => None,
            Self::Ntp { host, .. } => Some(host),
        }
    }

    /// What is resolved, if it is another host.
    #[must_use]
    pub fn endpoint(&self) -> Option<Endpoint<'_>> {
        match self {
            Self::System => None,
            Self::Ntp { host, zone, port } => Some(Endpoint { host, zone: zone.as_ref(), port: *port }),
        }
    }
}

impl fmt::Display for ReferenceSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str(SYSTEM),
            Self::Ntp { host, zone, port } => {
                let host = host.to_string();
                let host = zone.as_ref().map_or(host.clone(), |zone| zone::put_back(&host, zone));
                match *port {
                    NTP_PORT => write!(f, "ntp:{host}"),
                    port => write!(f, "ntp:{host}:{port}"),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_with_and_without_a_port() {
        for (text, shown) in [
            ("system", "system"),
            ("ntp:time.example", "ntp:time.example"),
            ("ntp:time.example:123", "ntp:time.example"),
            ("ntp:192.0.2.1:1123", "ntp:192.0.2.1:1123"),
            ("ntp:[2001:db8::1]", "ntp:[2001:db8::1]"),
            ("ntp:[2001:db8::1]:1123", "ntp:[2001:db8::1]:1123"),
            ("ntp:[fe80::1%25eth0]", "ntp:[fe80::1%25eth0]"),
            ("ntp:[fe80::1%eth0]:1123", "ntp:[fe80::1%25eth0]:1123"),
        ] {
            assert_eq!(text.parse::<ReferenceSource>().unwrap().to_string(), shown);
        }
        for text in [
            "",
            "ntp",
            "ntp:",
            "gps",
            "ntp:a:b",
            "ntp:a:0",
            "ntp:a:70000",
            "ntp:[::1",
            "ntp:a b",
            "ntp:2001:db8::1",
        ] {
            assert!(text.parse::<ReferenceSource>().is_err(), "{text}");
        }
    }
}
