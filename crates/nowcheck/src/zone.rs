//! The zone of an IPv6 address: the interface that a link-local address is meant on (RFC 4007 section 11).

use std::fmt;
use std::net::Ipv6Addr;

/// Longer than the name of any interface.
const LONGEST: usize = 64;

/// The name or the number of an interface, as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(String);

impl Zone {
    /// Reads what follows the `%`. In a URL it begins with `25`, which is a percent sign (RFC 6874 section 2); typed
    /// raw it does not.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let name = text.strip_prefix("25").filter(|rest| !rest.is_empty()).unwrap_or(text);
        // What would end the address, or the host of a URL, is in no interface's name.
        let is_of_a_name = |byte: u8| byte.is_ascii_graphic() && !b"%/[]?#\\".contains(&byte);
        ((1..=LONGEST).contains(&name.len()) && name.bytes().all(is_of_a_name)).then(|| Self(name.to_owned()))
    }

    /// The interface.
    #[must_use]
    pub fn interface(&self) -> &str {
        &self.0
    }
}

/// As it stands in a URL: `%25eth0`.
impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "%25{}", self.0)
    }
}

/// Takes the zone out of an address without brackets, `fe80::1%eth0`.
#[must_use]
pub fn of_address(text: &str) -> Option<(Ipv6Addr, Zone)> {
    let (address, zone) = text.split_once('%')?;
    Some((address.parse().ok()?, Zone::parse(zone)?))
}

/// Takes the zone out of a URL, or of a host with its port: what the URL library reads has none.
///
/// ```
/// use nowcheck::zone;
///
/// let (url, zone) = zone::taken_out("http://[fe80::1%25eth0]:8080/now").expect("it has a zone");
/// assert_eq!((url.as_str(), zone.interface()), ("http://[fe80::1]:8080/now", "eth0"));
/// ```
#[must_use]
pub fn taken_out(url: &str) -> Option<(String, Zone)> {
    let begin = url.find("://").map_or(0, |at| at + 3);
    let end = url[begin..].find(['/', '?', '#', '\\']).map_or(url.len(), |at| begin + at);
    let open = begin + url[begin..end].find('[')? + 1;
    let close = open + url[open..end].find(']')?;
    let (address, zone) = of_address(&url[open..close])?;
    Some((format!("{}{address}{}", &url[..open], &url[close..]), zone))
}

/// A URL, or a host with its port, with the zone in its brackets again.
#[must_use]
pub fn put_back(url: &str, zone: &Zone) -> String {
    match url.split_once(']') {
        Some((before, after)) => format!("{before}{zone}]{after}"),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_read_as_urls_and_as_programs_write_it() {
        for (text, without, interface) in [
            // RFC 6874 section 2.
            ("http://[fe80::a%25en1]", "http://[fe80::a]", "en1"),
            ("http://[fe80::1%25eth0]:8080/now?x=[1%252]", "http://[fe80::1]:8080/now?x=[1%252]", "eth0"),
            // RFC 6874 section 3: typed as `ping6` takes it.
            ("http://[fe80::1%eth0]/", "http://[fe80::1]/", "eth0"),
            ("http://[FE80:0::1%eth0.100]/", "http://[fe80::1]/", "eth0.100"),
            ("[fe80::1%br-0a1b]:123", "[fe80::1]:123", "br-0a1b"),
            ("http://[fe80::1%252]", "http://[fe80::1]", "2"),
            ("http://[fe80::1%2]", "http://[fe80::1]", "2"),
            ("http://[fe80::1%25]", "http://[fe80::1]", "25"),
        ] {
            let (url, zone) = taken_out(text).unwrap();
            assert_eq!((url.as_str(), zone.interface()), (without, interface), "{text}");
            assert_eq!(taken_out(&put_back(&url, &zone)), Some((url, zone)), "{text}");
        }
    }

    #[test]
    fn what_has_no_zone_or_a_nonsensical_one_stays_as_it_is() {
        for text in [
            "http://[fe80::1]:8080",
            "http://time.example/[fe80::1%25eth0]",
            "http://[fe80::1%]/",
            "http://[fe80::1%25e/0]/",
            "http://[fe80::1%25a b]/",
            "http://[time%25eth0]/",
            "http://[fe80::1%25eth0",
            "",
        ] {
            assert_eq!(taken_out(text), None, "{text}");
        }
    }
}
