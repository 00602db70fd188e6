//! Which time servers have refused to be queried, and how long they are left alone (kiss-o'-death, RFC 5905 section 7.4).
//!
//! Nothing here reads a clock: instants are handed in.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use clock_offset::MonotonicInstant;

use crate::outcome::Restraint;

/// A server that was asked too often is not left alone for longer, unless rounds are that rare.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// The servers that have refused, by a kiss-o'-death (RFC 5905 section 7.4), since the program began.
#[derive(Debug, Clone)]
pub(super) struct Refusals {
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

impl Refusals {
    /// Nobody has refused yet. Servers are queried once in a `period`; without one, only once.
    #[must_use]
    pub(super) fn new(period: Option<Duration>) -> Self {
        Self { period: period.unwrap_or(LONGEST_PAUSE), servers: BTreeMap::new() }
    }

    /// What keeps a server from being asked now.
    #[must_use]
    pub(super) fn restraint(&self, server: SocketAddr, now: MonotonicInstant) -> Option<Restraint> {
        match self.servers.get(&server)? {
            Refusal::ForEver { code } => Some(Restraint::NeverAgain { code: code.clone() }),
            Refusal::TooOften { pause, next } => {
                (now < *next).then_some(Restraint::LessOften { pause: *pause })
            }
        }
    }

    /// A server was asked in the round that began then.
    pub(super) fn was_asked(&mut self, server: SocketAddr, began: MonotonicInstant) {
        let tolerance = self.tolerance();
        if let Some(Refusal::TooOften { pause, next }) = self.servers.get_mut(&server) {
            *next = began + *pause - tolerance;
        }
    }

    /// It refused. Other codes than these three do not bind whoever asks.
    pub(super) fn has_refused(&mut self, server: SocketAddr, code: &str, began: MonotonicInstant) {
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

    const PERIOD: Duration = Duration::from_mins(1);

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
}
