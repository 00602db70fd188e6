//! How often a time server may be queried (its poll interval).

use std::net::IpAddr;
use std::time::Duration;

use url::Host;

use super::source::ReferenceSource;
use crate::probe::address_overrides::AddressOverrides;
use crate::probe::resolve::is_local_name;
use crate::text::figures::limit;

/// Somebody else's server is never asked more often: RFC 4330 section 10 forbids less than 15 s, and NTP counts in powers
/// of two.
const SHORTEST_PERIOD: Duration = Duration::from_secs(16);

/// Nor is one's own: a round may send it three packets.
const SHORTEST_PERIOD_OF_ONES_OWN: Duration = Duration::from_secs(1);

/// Why rounds cannot be held that often.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TooFrequent {
    /// There is no time between them.
    #[error("the period must be more than zero")]
    NoPeriod,
    /// A time server would be asked too often.
    #[error("rounds must be at least {} apart with {reference} as a reference", limit(*least))]
    TimeServer {
        /// Which one.
        reference: ReferenceSource,
        /// The shortest period in which it may be asked.
        least: Duration,
        /// Whether it may be somebody else's.
        is_foreign: bool,
    },
}

/// Rejects a period in which a server would be asked too often.
///
/// # Errors
/// Names the server.
pub fn must_be_rare_enough(
    period: Duration,
    references: &[ReferenceSource],
    addresses: &AddressOverrides,
) -> Result<(), TooFrequent> {
    if period.is_zero() {
        return Err(TooFrequent::NoPeriod);
    }
    for reference in references {
        let Some(host) = reference.host() else { continue };
        let too_frequent = |least, is_foreign| {
            Err(TooFrequent::TimeServer { reference: reference.clone(), least, is_foreign })
        };
        if period < SHORTEST_PERIOD_OF_ONES_OWN {
            return too_frequent(SHORTEST_PERIOD_OF_ONES_OWN, false);
        }
        if period < SHORTEST_PERIOD && !is_ones_own(host, addresses) {
            return too_frequent(SHORTEST_PERIOD, true);
        }
    }
    Ok(())
}

/// Whether a server is certainly not a public one.
fn is_ones_own(host: &Host<String>, addresses: &AddressOverrides) -> bool {
    let mut given = addresses.of(host).peekable();
    if given.peek().is_some() {
        return given.all(is_private);
    }
    match host {
        Host::Domain(name) => is_local_name(name),
        Host::Ipv4(address) => is_private((*address).into()),
        Host::Ipv6(address) => is_private((*address).into()),
    }
}

fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_loopback() || address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_server_of_ones_own_may_be_asked_each_second() {
        let parse = |text: &str| text.parse::<ReferenceSource>().unwrap();
        let given = ["a.example:10.0.0.1", "b.example:10.0.0.1", "b.example:192.0.2.1"];
        let overrides: AddressOverrides = given.iter().map(|text| text.parse().unwrap()).collect();
        let is_allowed = |seconds, text: &str| {
            must_be_rare_enough(
                Duration::from_secs(seconds),
                &[ReferenceSource::System, parse(text)],
                &overrides,
            )
            .is_ok()
        };
        for own in [
            "ntp:127.0.0.1:4001",
            "ntp:[::1]",
            "ntp:192.168.1.1",
            "ntp:169.254.169.123",
            "ntp:[fd00::1]",
            "ntp:[::ffff:10.0.0.1]",
            "ntp:localhost",
            "ntp:ntp1",
            "ntp:ntp.default.svc.cluster.local",
            "ntp:a.example",
        ] {
            assert!(is_allowed(1, own), "{own}");
        }
        for elses in
            ["ntp:time.example", "ntp:192.0.2.1", "ntp:[2001:db8::1]", "ntp:b.example", "ntp:local.example"]
        {
            assert!(!is_allowed(15, elses), "{elses}");
            assert!(is_allowed(16, elses), "{elses}");
        }
        let none = AddressOverrides::default();
        assert!(must_be_rare_enough(Duration::from_millis(1), &[ReferenceSource::System], &none).is_ok());
        let zero = must_be_rare_enough(Duration::ZERO, &[ReferenceSource::System], &none);
        assert_eq!(zero, Err(TooFrequent::NoPeriod));
        let own = [parse("ntp:127.0.0.1")];
        assert!(must_be_rare_enough(Duration::from_millis(999), &own, &none).is_err());
    }
}
