//! Where something can be wrong: at a service, and in the monitor.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where trouble is. As text, which is how it is serialized, it is `service`, `name`, `address A`, `backend B` or `check C`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Place {
    /// The service as a whole: fewer backends answer than there must be.
    Service,
    /// The name of the service: it has no address.
    Name,
    /// One address.
    Address(String),
    /// One backend, as it names itself.
    Backend(String),
    /// A check that a fault of the monitor blinds.
    Check(String),
}

/// A part of the monitor. As text, which is how it is serialized, it is one word, or `receiver NAME`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum MonitorPart {
    /// Its network: no route to an address.
    Network,
    /// Its name resolution.
    Dns,
    /// What clocks are compared with.
    Reference,
    /// The machine: it was suspended, its clock was stepped, it has too little of something.
    Machine,
    /// What is set, or what it supports: a client certificate is missing, a service has no address of the IP version.
    Setup,
    /// The history cannot be written.
    History,
    /// An alert receiver takes no message.
    Receiver(String),
    /// Nobody hears of another instance.
    Peer(String),
    /// The references of several instances contradict each other.
    Agreement,
}

impl MonitorPart {
    /// What to do next.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Network => {
                "on the monitor's machine look at `ip route` and its interfaces: does it reach anything?"
            }
            Self::Dns => {
                "on the monitor's machine look up a name with `getent hosts`: do the servers in /etc/resolv.conf answer?"
            }
            Self::Reference => {
                "on the monitor's machine look at `chronyc tracking` or `timedatectl`, and whether it reaches the time servers in references"
            }
            Self::Machine => {
                "look whether the monitor's machine was suspended, its clock was set, or it lacks memory, open files or processor time"
            }
            Self::Setup => "correct what the summary names in the configuration, and send SIGHUP",
            Self::History => {
                "look at the disk and the folder of [history] path: is there room, may the monitor write there, does another program hold the file?"
            }
            Self::Receiver(_) => {
                "correct the receiver, then try `nowcheck alert test NAME`; messages are kept for a day"
            }
            Self::Peer(_) => {
                "look whether that instance runs, and whether its URL in [[peer]] can be reached from here"
            }
            Self::Agreement => {
                "on the machine of the instance that is wrong look at `chronyc tracking`, and at references in its configuration"
            }
        }
    }

    /// Whether rounds show that it is at fault, and that it works again.
    pub(super) fn is_seen_by_rounds(&self) -> bool {
        !matches!(self, Self::History | Self::Receiver(_) | Self::Peer(_) | Self::Agreement)
    }
}

/// A text that names no place and no part of the monitor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no place and no part of the monitor")]
pub struct UnknownName(String);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service => f.write_str("service"),
            Self::Name => f.write_str("name"),
            Self::Address(address) => write!(f, "address {address}"),
            Self::Backend(instance) => write!(f, "backend {instance}"),
            Self::Check(check) => write!(f, "check {check}"),
        }
    }
}

impl FromStr for Place {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        match text.split_once(' ') {
            None if text == "service" => Ok(Self::Service),
            None if text == "name" => Ok(Self::Name),
            Some(("address", address)) => Ok(Self::Address(address.to_owned())),
            Some(("backend", instance)) => Ok(Self::Backend(instance.to_owned())),
            Some(("check", check)) => Ok(Self::Check(check.to_owned())),
            _ => Err(UnknownName(text.to_owned())),
        }
    }
}

impl fmt::Display for MonitorPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network => f.write_str("network"),
            Self::Dns => f.write_str("dns"),
            Self::Reference => f.write_str("reference"),
            Self::Machine => f.write_str("machine"),
            Self::Setup => f.write_str("setup"),
            Self::History => f.write_str("history"),
            Self::Receiver(name) => write!(f, "receiver {name}"),
            Self::Peer(name) => write!(f, "peer {name}"),
            Self::Agreement => f.write_str("agreement"),
        }
    }
}

impl FromStr for MonitorPart {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        match (text, text.split_once(' ')) {
            ("network", _) => Ok(Self::Network),
            ("dns", _) => Ok(Self::Dns),
            ("reference", _) => Ok(Self::Reference),
            ("machine", _) => Ok(Self::Machine),
            ("setup", _) => Ok(Self::Setup),
            ("history", _) => Ok(Self::History),
            ("agreement", _) => Ok(Self::Agreement),
            (_, Some(("receiver", name))) => Ok(Self::Receiver(name.to_owned())),
            (_, Some(("peer", name))) => Ok(Self::Peer(name.to_owned())),
            _ => Err(UnknownName(text.to_owned())),
        }
    }
}

macro_rules! as_text {
    ($name:ty) => {
        impl From<$name> for String {
            fn from(named: $name) -> Self {
                named.to_string()
            }
        }

        impl TryFrom<String> for $name {
            type Error = UnknownName;

            fn try_from(text: String) -> Result<Self, UnknownName> {
                text.parse()
            }
        }
    };
}

as_text!(Place);
as_text!(MonitorPart);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written_whatever_a_backend_calls_itself() {
        for name in ["", "a", "two words", "address x", "ü\n"] {
            let of = |make: fn(String) -> Place| make(name.to_owned());
            for place in
                [Place::Service, Place::Name, of(Place::Address), of(Place::Backend), of(Place::Check)]
            {
                assert_eq!(place.to_string().parse(), Ok(place));
            }
            for part in [MonitorPart::Receiver(name.to_owned()), MonitorPart::Peer(name.to_owned())] {
                assert_eq!(part.to_string().parse(), Ok(part));
            }
        }
        assert!("elsewhere".parse::<Place>().is_err());
        assert!("elsewhere".parse::<MonitorPart>().is_err());
    }
}
