//! From the name in a URL to every address that has to be checked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use clock_offset::MonotonicInstant;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::LookupIpStrategy;
use hickory_resolver::net::{DnsError, NetError};
use url::Host;

use crate::clock::Clock;
use crate::outcome::{Cause, Failure, FailureKind, NameFault, Phase};

/// The addresses of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// Each address once, in the resolver's order.
    pub all: Vec<IpAddr>,
    /// The name means "this machine" (RFC 6761 section 6.3): then these are two ways to it and not two
    /// servers, and one that refuses is no fault while the other answers.
    pub are_one_machine: bool,
    /// Why the addresses of one family are not known, when the DNS did not answer for it.
    pub unknown: Option<Cause>,
}

/// A name as it is compared: in lower case, without the final dot.
pub(super) fn comparable(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// Resolves a host: IP addresses are themselves, `localhost` and names below it are the loopback addresses
/// (RFC 6761 section 6.3), other names are asked of the hosts file and the DNS (A and AAAA).
///
/// # Errors
/// [`FailureKind::NoSuchName`] when the DNS says that there is nothing to connect to, [`FailureKind::DnsFailure`] when it fails,
/// [`FailureKind::Timeout`] when it is silent, [`FailureKind::Local`] when this machine cannot ask.
pub async fn resolve(
    host: &Host<String>,
    clock: &Clock,
    deadline: MonotonicInstant,
) -> Result<Addresses, Failure> {
    match host {
        Host::Ipv4(address) => {
            Ok(Addresses { all: vec![(*address).into()], are_one_machine: false, unknown: None })
        }
        Host::Ipv6(address) => {
            Ok(Addresses { all: vec![(*address).into()], are_one_machine: false, unknown: None })
        }
        Host::Domain(name) if is_loopback_name(name) => Ok(Addresses {
            all: vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
            are_one_machine: true,
            unknown: None,
        }),
        Host::Domain(name) => look_up(name, clock, deadline).await,
    }
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

/// Asks for both families at once and for each on its own, so that one that is not answered does not cost the other.
async fn look_up(name: &str, clock: &Clock, deadline: MonotonicInstant) -> Result<Addresses, Failure> {
    let begin = clock.now();
    let ask = async |strategy, record| {
        let lookup = look_up_family(name, strategy);
        let found = tokio::time::timeout_at(clock.deadline(deadline), lookup).await;
        found.unwrap_or(Err(NameFault::Silent(Some(record))))
    };
    let (v4, v6) =
        tokio::join!(ask(LookupIpStrategy::Ipv4Only, "A"), ask(LookupIpStrategy::Ipv6Only, "AAAA"));
    let cause = |fault| Cause::Name { name: name.to_owned(), fault };
    let has_no_address = |fault: &NameFault| fault.kind() == FailureKind::NoSuchName;
    let found = match (v4, v6) {
        (Ok(mut all), Ok(more)) => {
            all.extend(more);
            Ok(Addresses { all, are_one_machine: false, unknown: None })
        }
        // A family without addresses is the usual thing; one without an answer leaves a doubt.
        (Ok(all), Err(fault)) | (Err(fault), Ok(all)) => {
            let unknown = (!has_no_address(&fault)).then(|| cause(fault));
            Ok(Addresses { all, are_one_machine: false, unknown })
        }
        (Err(first), Err(other)) if has_no_address(&first) => Err(other),
        (Err(first), Err(_)) => Err(first),
    };
    found.map_err(|fault| Failure {
        phase: Phase::Resolve,
        cause: cause(fault),
        elapsed: clock.now().since(begin),
    })
}

async fn look_up_family(name: &str, strategy: LookupIpStrategy) -> Result<Vec<IpAddr>, NameFault> {
    let configuration = |error: NetError| NameFault::Configuration(error.to_string());
    let mut builder = TokioResolver::builder_tokio().map_err(configuration)?;
    builder.options_mut().ip_strategy = strategy;
    let resolver = builder.build().map_err(configuration)?;
    let found = resolver.lookup_ip(name).await.map_err(|error| fault(&error))?;
    let mut all: Vec<IpAddr> = Vec::new();
    for address in found.iter() {
        if !all.contains(&address) {
            all.push(address);
        }
    }
    if all.is_empty() { Err(NameFault::NoAddress) } else { Ok(all) }
}

fn fault(error: &NetError) -> NameFault {
    if error.is_nx_domain() {
        return NameFault::NotFound;
    }
    if error.is_no_records_found() {
        return NameFault::NoAddress;
    }
    match error {
        NetError::Dns(DnsError::ResponseCode(code)) => NameFault::ServerFailure(code.to_string()),
        NetError::Timeout => NameFault::Silent(None),
        NetError::Io(_) | NetError::NoConnections => NameFault::NoServer(error.to_string()),
        other => NameFault::Unresolvable(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
