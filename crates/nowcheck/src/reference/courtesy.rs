//! What a time server may expect of whoever asks it: not to be asked too often, and not again when it has refused.
//!
//! Nothing here has a clock: whoever asks says when.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use clock_offset::MonotonicInstant;
use url::Host;

use super::source::ReferenceSource;
use crate::probe::resolve::{AddressOverrides, is_local_name};
use crate::probe::sntp::advice;
use crate::text::figures::limit;

/// Somebody else's server is never asked more often: RFC 4330 section 10 forbids less than 15 s, and NTP counts in powers
/// of two.
const SHORTEST_PERIOD: Duration = Duration::from_secs(16);

/// Nor is one's own: a round may send it three packets.
const SHORTEST_PERIOD_OF_ONES_OWN: Duration = Duration::from_secs(1);

/// A server that was asked too often is not left alone for longer, unless rounds are that rare.
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);

/// A time server would be asked too often.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rounds must be at least {} apart with {reference} as a reference", limit(*self.least()))]
pub struct TooFrequent {
    /// The server.
    pub reference: ReferenceSource,
    /// Whether it may be somebody else's.
    pub is_foreign: bool,
}

impl TooFrequent {
    /// The shortest period in which it may be asked.
    #[must_use]
    pub fn least(&self) -> &'static Duration {
        if self.is_foreign { &SHORTEST_PERIOD } else { &SHORTEST_PERIOD_OF_ONES_OWN }
    }
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
    for reference in references {
        let Some(host) = reference.host() else { continue };
        let too_frequent = |is_foreign| TooFrequent { reference: reference.clone(), is_foreign };
        if period < SHORTEST_PERIOD_OF_ONES_OWN {
            return Err(too_frequent(false));
        }
        if period < SHORTEST_PERIOD && !is_ones_own(host, addresses) {
            return Err(too_frequent(true));
        }
    }
    Ok(())
}

/// Whether a server is certainly not a public one.
fn is_ones_own(host: &Host<String>, addresses: &AddressOverrides) -> bool {
    if let Some(given) = addresses.of(host) {
        return given.all.into_iter().all(is_private);
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

/// The servers that have refused, by a kiss-o'-death (RFC 5905 section 7.4), since the program began.
#[derive(Debug, Clone)]
pub struct Refusals {
    period: Duration,
    servers: BTreeMap<SocketAddr, Refusal>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Refusal {
    /// DENY or RSTR.
    ForEver { code: String },
    /// RATE.
    TooOften { pause: Duration, next: MonotonicInstant },
}

/// Why a server is not asked. Begins in lower case and ends without a full stop, to stand behind the server's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Restraint {
    /// It does not want to be asked at all.
    #[error(
        "the server refused to say the time (kiss code {code}) and is not asked any more: {}",
        advice(code)
    )]
    NeverAgain {
        /// Its code.
        code: String,
    },
    /// It wants to be asked less often.
    #[error(
        "the server was asked too often (kiss code RATE) and is asked only every {} now: name another one, or write a \
         longer --every",
        limit(*pause)
    )]
    LessOften {
        /// How often it is asked.
        pause: Duration,
    },
}

impl Refusals {
    /// Nobody has refused yet. Rounds come once in a `period`; without one there is only one round.
    #[must_use]
    pub fn new(period: Option<Duration>) -> Self {
        Self { period: period.unwrap_or(LONGEST_PAUSE), servers: BTreeMap::new() }
    }

    /// What keeps a server from being asked now.
    #[must_use]
    pub fn restraint(&self, server: SocketAddr, now: MonotonicInstant) -> Option<Restraint> {
        match self.servers.get(&server)? {
            Refusal::ForEver { code } => Some(Restraint::NeverAgain { code: code.clone() }),
            Refusal::TooOften { pause, next } => {
                (now < *next).then_some(Restraint::LessOften { pause: *pause })
            }
        }
    }

    /// A server was asked in the round that began then.
    pub fn was_asked(&mut self, server: SocketAddr, began: MonotonicInstant) {
        let tolerance = self.tolerance();
        if let Some(Refusal::TooOften { pause, next }) = self.servers.get_mut(&server) {
            *next = began + *pause - tolerance;
        }
    }

    /// It refused. Other codes than these three do not bind whoever asks.
    pub fn has_refused(&mut self, server: SocketAddr, code: &str, began: MonotonicInstant) {
        let refusal = match code {
            "DENY" | "RSTR" => Refusal::ForEver { code: code.to_owned() },
            "RATE" => {
                let pause = match self.servers.get(&server) {
                    Some(Refusal::TooOften { pause, .. }) => *pause,
                    _ => self.period,
                };
                // Rounds that are rarer than that are made rarer still, once.
                let pause = (pause * 2).min(LONGEST_PAUSE.max(self.period * 2));
                Refusal::TooOften { pause, next: began + pause - self.tolerance() }
            }
            _ => return,
        };
        self.servers.insert(server, refusal);
    }

    /// A round may begin a little earlier in its period than the one before did.
    fn tolerance(&self) -> Duration {
        self.period / 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(60);

    fn server() -> SocketAddr {
        "192.0.2.1:123".parse().unwrap()
    }

    /// Some milliseconds late, and never the same.
    fn begin(round: u32, period: Duration) -> MonotonicInstant {
        let late = Duration::from_millis(u64::from(round * 7 % 13));
        MonotonicInstant::after_origin(Duration::from_secs(5) + period * round + late)
    }

    /// In which of 40 rounds the server is asked, when it says `code` to the first `refused` questions.
    fn asked(period: Duration, code: &str, refused: usize) -> Vec<u32> {
        let mut refusals = Refusals::new(Some(period));
        let mut asked = Vec::new();
        for round in 0..40 {
            let began = begin(round, period);
            if refusals.restraint(server(), began).is_none() {
                asked.push(round);
                refusals.was_asked(server(), began);
                if asked.len() <= refused {
                    refusals.has_refused(server(), code, began);
                }
            }
        }
        asked
    }

    #[test]
    fn a_server_that_denies_or_restricts_is_asked_never_again() {
        for code in ["DENY", "RSTR"] {
            assert_eq!(asked(PERIOD, code, 1), [0]);
        }
    }

    #[test]
    fn a_server_that_was_asked_too_often_is_asked_half_as_often_each_time_that_it_says_so() {
        assert_eq!(asked(PERIOD, "RATE", 1)[..4], [0, 2, 4, 6]);
        assert_eq!(asked(PERIOD, "RATE", 2)[..4], [0, 2, 6, 10]);
        assert_eq!(asked(PERIOD, "RATE", 40), [0, 2, 6, 14, 30]);
    }

    #[test]
    fn it_is_left_alone_for_an_hour_and_no_longer_unless_rounds_are_rarer() {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        assert_eq!(asked(minutes(20), "RATE", 40)[..5], [0, 2, 5, 8, 11]);
        assert_eq!(asked(minutes(50), "RATE", 40)[..4], [0, 2, 4, 6]);
        assert_eq!(asked(minutes(300), "RATE", 40)[..4], [0, 2, 4, 6]);
    }

    #[test]
    fn a_code_that_asks_for_nothing_and_another_server_change_nothing() {
        assert_eq!(asked(PERIOD, "STEP", 40).len(), 40);
        assert_eq!(asked(PERIOD, "XFOO", 40).len(), 40);
        let mut refusals = Refusals::new(None);
        refusals.has_refused(server(), "DENY", begin(0, PERIOD));
        let other = "192.0.2.1:124".parse().unwrap();
        assert_eq!(refusals.restraint(other, begin(1, PERIOD)), None);
    }

    #[test]
    fn a_round_that_is_held_again_does_not_ask_again() {
        let mut refusals = Refusals::new(None);
        refusals.has_refused(server(), "RATE", begin(0, PERIOD));
        let again = refusals.restraint(server(), begin(0, PERIOD) + Duration::from_secs(5));
        assert!(matches!(again, Some(Restraint::LessOften { .. })), "{again:?}");
    }

    #[test]
    fn it_is_said_what_to_do() {
        let mut refusals = Refusals::new(Some(PERIOD));
        refusals.has_refused(server(), "RATE", begin(0, PERIOD));
        let words = refusals.restraint(server(), begin(1, PERIOD)).unwrap().to_string();
        assert!(words.contains("every 2 min") && words.contains("--every"), "{words}");
        refusals.has_refused(server(), "DENY", begin(2, PERIOD));
        let words = refusals.restraint(server(), begin(3, PERIOD)).unwrap().to_string();
        assert!(words.contains("DENY") && words.contains("name another one"), "{words}");
    }

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
        let own = [parse("ntp:127.0.0.1")];
        assert!(must_be_rare_enough(Duration::from_millis(999), &own, &none).is_err());
    }
}
