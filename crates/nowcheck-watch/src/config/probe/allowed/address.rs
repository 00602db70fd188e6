//! Addresses that a name may not lead to by itself: behind them is what trusts everybody who can reach it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address belongs to this machine, its link, a group or nobody; also where it is written into an IPv6 address
/// (RFC 4291 section 2.5.5, RFC 6052, RFC 3056). The metadata of cloud machines is at link-local addresses, and of AWS at
/// `fd00:ec2::254` too.
pub(super) fn is_special(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_special_v4(address),
        IpAddr::V6(address) => is_special_v6(address),
    }
}

fn is_special_v4(address: Ipv4Addr) -> bool {
    address.octets()[0] == 0
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
}

fn is_special_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_special_v4(Ipv4Addr::new(a, b, c, d))
    };
    let holds_special_v4 = match segments {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => v4(high, low),
        _ => false,
    };
    holds_special_v4
        || address.is_unspecified()
        || address.is_loopback()
        || address.is_unicast_link_local()
        || address.is_multicast()
        || segments[..2] == [0xfd00, 0x0ec2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_this_machine_its_link_and_groups_are_special_however_they_are_written() {
        for (address, expected) in [
            ("127.0.0.1", true),
            ("127.255.0.9", true),
            ("0.0.0.0", true),
            ("0.1.2.3", true),
            ("169.254.169.254", true),
            ("224.0.0.1", true),
            ("255.255.255.255", true),
            ("10.0.0.1", false),
            ("192.0.2.1", false),
            ("::", true),
            ("::1", true),
            ("fe80::1", true),
            ("ff02::1", true),
            ("fd00:ec2::254", true),
            ("fd00:ec3::254", false),
            ("::127.0.0.1", true),
            ("::ffff:169.254.169.254", true),
            ("64:ff9b::127.0.0.1", true),
            ("64:ff9b::192.0.2.1", false),
            ("2002:7f00:1::", true),
            ("2001:db8::1", false),
        ] {
            assert_eq!(is_special(address.parse().unwrap()), expected, "{address}");
        }
    }
}
