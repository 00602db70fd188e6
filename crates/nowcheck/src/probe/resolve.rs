//! From the name in a URL to every address that has to be checked.

mod system;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use clock_offset::MonotonicInstant;
use tokio::sync::oneshot;
use tokio::time::{sleep_until, timeout_at};
use url::Host;

use super::address_overrides::{AddressOverrides, Literal};
use crate::clock::Clock;
use crate::endpoint::Endpoint;
use crate::outcome::{Cause, Failure, FailureKind, NameFault, Phase};
use crate::zone::Zone;

use system::{Question, ask};

/// The addresses of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// Each address once, in the resolver's order, with the port that was asked for.
    pub all: Vec<SocketAddr>,
    /// The name means "this machine" (RFC 6761 section 6.3): then these are two ways to it and not two
    /// servers, and one that refuses is no fault while the other answers.
    pub are_one_machine: bool,
    /// Why the addresses of one family are not known, when the DNS did not answer for it.
    pub unknown: Option<Cause>,
    /// How long the system took to resolve the name, if it was asked.
    pub took: Option<Duration>,
}

/// A version of the Internet Protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IpVersion {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl IpVersion {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }

    fn has(self, address: IpAddr) -> bool {
        address.is_ipv4() == (self == Self::V4)
    }
}

/// A name as it is compared: in lower case, without the final dot.
pub(super) fn comparable(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// By what rules hosts are resolved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resolution {
    /// Addresses to use for some hosts, instead of those that the system knows.
    pub given: AddressOverrides,
    /// The only version to use.
    pub version: Option<IpVersion>,
}

impl Resolution {
    /// Resolves a host. An IP address is itself. A name is what the system says it is; `localhost` and names below it are
    /// the loopback addresses if the system knows nothing of them (RFC 6761 section 6.3).
    ///
    /// # Errors
    /// [`FailureKind::NoSuchName`] when the system says that there is nothing to connect to, [`FailureKind::DnsFailure`]
    /// when the DNS fails, [`FailureKind::Timeout`] when it is silent, [`FailureKind::Local`] when this machine cannot ask.
    pub async fn addresses(
        &self,
        endpoint: Endpoint<'_>,
        clock: Clock,
        deadline: MonotonicInstant,
    ) -> Result<Addresses, Failure> {
        let begin = clock.now();
        let of_literal = |address: IpAddr| Literal { address, zone: endpoint.zone.cloned() };
        let given: Vec<Literal> = match endpoint.host {
            Host::Ipv4(address) => vec![of_literal((*address).into())],
            Host::Ipv6(address) => vec![of_literal((*address).into())],
            Host::Domain(_) => self.given.literals(endpoint.host).cloned().collect(),
        };
        let system = System { version: self.version, clock, deadline };
        let found = match endpoint.host {
            Host::Domain(name) if given.is_empty() => system.of_name(name).await,
            host => system.of_literals(host, &given).await,
        };
        let mut addresses = found.map_err(|cause| Failure {
            phase: Phase::Resolve,
            cause,
            elapsed: clock.now().since(begin),
        })?;
        addresses.all.iter_mut().for_each(|address| address.set_port(endpoint.port));
        addresses.took = given.is_empty().then(|| clock.now().since(begin));
        Ok(addresses)
    }
}

/// How the system is asked.
#[derive(Debug, Clone, Copy)]
struct System {
    version: Option<IpVersion>,
    clock: Clock,
    deadline: MonotonicInstant,
}

impl System {
    /// Addresses that were typed, each once. The system knows the number of a zone's interface.
    async fn of_literals(self, host: &Host<String>, literals: &[Literal]) -> Result<Addresses, Cause> {
        let is_wanted = |address: IpAddr| self.version.is_none_or(|version| version.has(address));
        let mut all: Vec<SocketAddr> = Vec::new();
        for Literal { address, zone } in literals.iter().filter(|literal| is_wanted(literal.address)) {
            let found = match zone {
                None => vec![SocketAddr::new(*address, 0)],
                Some(zone) => self.of_zone(*address, zone).await?,
            };
            all.extend(found.into_iter().filter(|one| !all.contains(one)).collect::<Vec<_>>());
        }
        match self.version {
            Some(version) if all.is_empty() => {
                let has = literals.iter().map(|literal| literal.address).collect();
                let fault = NameFault::OtherVersion { wanted: version.name(), has };
                Err(Cause::Name { name: host.to_string(), fault })
            }
            _ => Ok(Addresses { all, are_one_machine: false, unknown: None, took: None }),
        }
    }

    async fn of_zone(self, address: IpAddr, zone: &Zone) -> Result<Vec<SocketAddr>, Cause> {
        let interface = zone.interface();
        let asked = ask(&format!("{address}%{interface}"), Question::Zone, self.clock);
        self.answer(asked).await.map_err(|fault| Cause::Name {
            name: address.to_string(),
            fault: match fault {
                NameFault::Local(_) | NameFault::Silent(_) => fault,
                _ if !is_link_local(address) => NameFault::NeedlessZone { zone: interface.to_owned() },
                _ => NameFault::UnknownZone { zone: interface.to_owned() },
            },
        })
    }

    async fn of_name(self, name: &str) -> Result<Addresses, Cause> {
        let cause = |fault| Cause::Name { name: name.to_owned(), fault };
        if is_loopback_name(name) {
            return Ok(self.of_loopback_name(name).await);
        }
        let (all, unknown) = match self.version {
            None => self.of_both_versions(name).await.map_err(cause)?,
            Some(version) => (self.of_one_version(name, version).await.map_err(cause)?, None),
        };
        Ok(Addresses { all, are_one_machine: false, unknown: unknown.map(cause), took: None })
    }

    /// The DNS has nothing to say of these names, so it is not waited for.
    async fn of_loopback_name(self, name: &str) -> Addresses {
        let hasty = Self { deadline: self.in_part(6), ..self };
        let found = hasty.answer(ask(name, Question::Name(self.version), self.clock)).await;
        let mut all = found.unwrap_or_default();
        if all.is_empty() {
            all = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
                .into_iter()
                .filter(|&address: &IpAddr| self.version.is_none_or(|version| version.has(address)))
                .map(|address| SocketAddr::new(address, 0))
                .collect();
        }
        let are_one_machine = all.iter().all(|address| address.ip().is_loopback());
        Addresses { all, are_one_machine, unknown: None, took: None }
    }

    /// A name that has addresses of the other version only is no name that does not exist.
    async fn of_one_version(self, name: &str, version: IpVersion) -> Result<Vec<SocketAddr>, NameFault> {
        let found = self.answer(ask(name, Question::Name(Some(version)), self.clock)).await;
        match found {
            Err(fault) if fault.kind() == FailureKind::NoSuchName => {
                let others =
                    self.answer(ask(name, Question::Name(None), self.clock)).await.unwrap_or_default();
                let has: Vec<IpAddr> = others.iter().map(SocketAddr::ip).collect();
                if has.is_empty() {
                    return Err(fault);
                }
                Err(NameFault::OtherVersion { wanted: version.name(), has })
            }
            found => found,
        }
    }

    /// Asks for both versions at once. When that takes long it also asks for each on its own, because one that is not
    /// answered must not cost the other: some servers never answer for IPv6.
    async fn of_both_versions(self, name: &str) -> Result<(Vec<SocketAddr>, Option<NameFault>), NameFault> {
        let mut both = ask(name, Question::Name(None), self.clock);
        if let Ok(found) = timeout_at(self.clock.deadline(self.in_part(6)), &mut both).await {
            return lone(found).map(|all| (all, None));
        }
        let of = |version| ask(name, Question::Name(Some(version)), self.clock);
        let (mut v4, mut v6) = (of(IpVersion::V4), of(IpVersion::V6));
        let half_way = self.in_part(2);
        let (mut known, mut silent) = (Vec::new(), [Some("A"), Some("AAAA")]);
        loop {
            // Who has an answer for one version waits for the other, but not to the end.
            let until = if known.is_empty() { self.deadline } else { half_way };
            let found = tokio::select! {
                biased;
                found = &mut both => return lone(found).map(|all| (all, None)),
                found = &mut v4, if silent[0].is_some() => {
                    silent[0] = None;
                    lone(found)
                }
                found = &mut v6, if silent[1].is_some() => {
                    silent[1] = None;
                    lone(found)
                }
                () = sleep_until(self.clock.deadline(until)) => break,
            };
            known.extend(found.unwrap_or_default());
        }
        let [a, aaaa] = silent;
        let unanswered = a.or(aaaa).map(|record| NameFault::Silent(Some(record)));
        if known.is_empty() { Err(NameFault::Silent(None)) } else { Ok((known, unanswered)) }
    }

    async fn answer(self, asked: oneshot::Receiver<system::Answer>) -> system::Answer {
        match timeout_at(self.clock.deadline(self.deadline), asked).await {
            Ok(found) => lone(found),
            Err(_) => Err(NameFault::Silent(None)),
        }
    }

    /// When a part of the time that is left is over.
    fn in_part(self, parts: u32) -> MonotonicInstant {
        let now = self.clock.now();
        if now >= self.deadline { self.deadline } else { now + self.deadline.since(now) / parts }
    }
}

fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

/// What a resolver's thread said before it ended.
fn lone(found: Result<system::Answer, oneshot::error::RecvError>) -> system::Answer {
    let found = found.unwrap_or_else(|_| Err(NameFault::Local("its thread ended".to_owned())))?;
    if found.is_empty() { Err(NameFault::NoAddress) } else { Ok(found) }
}

fn is_loopback_name(name: &str) -> bool {
    let name = comparable(name);
    name == "localhost" || name.ends_with(".localhost")
}

/// Whether a name can only be known in the network that this machine is in: it has no dot, or ends in what is reserved for
/// such names (RFC 6762 section 3, RFC 8375; `internal` by ICANN).
#[must_use]
pub fn is_local_name(name: &str) -> bool {
    let comparable = comparable(name);
    is_loopback_name(name)
        || !comparable.contains('.')
        || [".local", ".home.arpa", ".internal"].iter().any(|end| comparable.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone;

    fn resolution(given: &[&str], version: Option<IpVersion>) -> Resolution {
        Resolution { given: given.iter().map(|text| text.parse().unwrap()).collect(), version }
    }

    async fn resolved(resolution: &Resolution, host: &str) -> Result<Vec<String>, String> {
        let clock = Clock::start();
        let (host, zone) = match zone::taken_out(host) {
            Some((host, zone)) => (host, Some(zone)),
            None => (host.to_owned(), None),
        };
        let host = Host::parse(&host).unwrap();
        let endpoint = Endpoint { host: &host, zone: zone.as_ref(), port: 80 };
        let until = clock.now() + Duration::from_secs(5);
        let found =
            resolution.addresses(endpoint, clock, until).await.map_err(|failure| failure.to_string())?;
        Ok(found.all.iter().map(ToString::to_string).collect())
    }

    #[tokio::test]
    async fn only_addresses_of_the_wanted_version_are_used() {
        let given = ["a.example:192.0.2.1", "a.example:[2001:db8::1]", "a.example:192.0.2.1"];
        for (version, addresses) in [
            (None, &["192.0.2.1:80", "[2001:db8::1]:80"][..]),
            (Some(IpVersion::V4), &["192.0.2.1:80"]),
            (Some(IpVersion::V6), &["[2001:db8::1]:80"]),
        ] {
            assert_eq!(resolved(&resolution(&given, version), "a.example").await.unwrap(), addresses);
        }
        let v6 = resolution(&[], Some(IpVersion::V6));
        let error = resolved(&v6, "192.0.2.1").await.unwrap_err();
        assert_eq!(error, "192.0.2.1 is an IPv4 address, and only IPv6 addresses are checked");
        let v4 = resolution(&[], Some(IpVersion::V4));
        let error = resolved(&v4, "[::1]").await.unwrap_err();
        assert_eq!(error, "[::1] is an IPv6 address, and only IPv4 addresses are checked");
    }

    #[tokio::test]
    async fn a_zone_is_the_number_of_an_interface() {
        let any = resolution(&["a.example:fe80::1%lo", "b.example:[fe80::1%nope]"], None);
        for host in ["[fe80::1%25lo]", "[fe80::1%lo]", "[fe80::1%1]", "a.example"] {
            assert_eq!(resolved(&any, host).await.unwrap(), ["[fe80::1%1]:80"], "{host}");
        }
        for host in ["[fe80::1%25nope]", "[fe80::1%nope]", "b.example"] {
            let error = resolved(&any, host).await.unwrap_err();
            assert!(error.contains("this machine has no interface `nope`"), "{host}: {error}");
        }
        for (host, address) in [("[::1%25lo]", "::1"), ("[2001:db8::1%25nope]", "2001:db8::1")] {
            let error = resolved(&any, host).await.unwrap_err();
            assert!(error.contains(&format!("{address} is not a link-local address")), "{host}: {error}");
        }
    }

    #[test]
    fn localhost_and_names_below_it_are_this_machine() {
        for name in ["localhost", "LOCALHOST", "localhost.", "nowd-1.elb.localhost"] {
            assert!(is_loopback_name(name), "{name}");
        }
        for name in ["localhost.example", "notlocalhost", "example.com"] {
            assert!(!is_loopback_name(name), "{name}");
        }
    }

    #[test]
    fn a_name_that_no_public_dns_knows_is_local() {
        for name in ["chrony", "ntp.Internal.", "router.home.arpa", "ntp.cluster.local", "x.localhost"] {
            assert!(is_local_name(name), "{name}");
        }
        for name in ["pool.ntp.org", "local.example", "notlocal.home", "arpa.example"] {
            assert!(!is_local_name(name), "{name}");
        }
    }
}
