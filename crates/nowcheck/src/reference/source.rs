//! What `--reference` names.

use std::fmt;

use anyhow::bail;
use url::Host;

use crate::outcome::SYSTEM;

/// UDP port of NTP.
const NTP_PORT: u16 = 123;

/// One reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// This machine's clock.
    System,
    /// A time server.
    Ntp {
        /// Its name or address.
        host: Host<String>,
        /// Its UDP port.
        port: u16,
    },
}

impl Source {
    /// Reads `system` or `ntp:HOST[:PORT]`; an IPv6 address stands in brackets.
    ///
    /// # Errors
    /// Says how it is written.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        if text == SYSTEM {
            return Ok(Self::System);
        }
        let Some(rest) = text.strip_prefix("ntp:").filter(|rest| !rest.is_empty()) else {
            bail!("--reference {text}: write `system` or `ntp:HOST[:PORT]`, such as ntp:time.example");
        };
        let (host, port) = match rest.rsplit_once(':') {
            // The colons inside of brackets are those of an address.
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (rest, None),
        };
        let port = match port.map(str::parse) {
            None => NTP_PORT,
            Some(Ok(port @ 1..)) => port,
            Some(_) => bail!("--reference {text}: the port is a number from 1 to 65535"),
        };
        match Host::parse(host) {
            Ok(host) => Ok(Self::Ntp { host, port }),
            Err(_) => bail!(
                "--reference {text}: `{host}` is no host; write ntp:HOST[:PORT], an IPv6 address in brackets"
            ),
        }
    }

    /// The host that is asked, if it is another one.
    #[must_use]
    pub fn host(&self) -> Option<&Host<String>> {
        match self {
            Self::System => None,
            Self::Ntp { host, .. } => Some(host),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str(SYSTEM),
            Self::Ntp { host, port: NTP_PORT } => write!(f, "ntp:{host}"),
            Self::Ntp { host, port } => write!(f, "ntp:{host}:{port}"),
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
        ] {
            assert_eq!(Source::parse(text).unwrap().to_string(), shown);
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
            let error = Source::parse(text).unwrap_err().to_string();
            assert!(error.contains("--reference"), "{text}: {error}");
        }
    }
}
