//! What one source replies: this machine's clock, or a time server that is asked until its claim is narrow enough.

use std::net::SocketAddr;
use std::time::Duration;

use clock_offset::{BoundedTime, Drift, MonotonicInstant};
use tokio::task::JoinSet;

use crate::clock::{Clock, WallReading};
use crate::outcome::{NtpError, SYSTEM, SourceFacts, SourceStanding, Unusable};
use crate::probe::resolve::Resolution;
use crate::probe::sntp::{self, NtpAnswer};

use super::refusals::Refusals;
use super::source::ReferenceSource;

/// Packets that one server is sent in a round, at most: against loss, and for a shorter round trip.
const MOST_PACKETS: usize = 3;

/// Addresses of one name that are tried, at most. They are taken for ways to one server, which has one vote.
const MOST_ADDRESSES: usize = 4;

/// How long time servers are waited for. A slow DNS and a silent server are two things: who resolves slowly may still
/// reply at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// A name that is not resolved by then is left out.
    pub names_until: MonotonicInstant,
    /// How long a server that is resolved may take to reply.
    pub reply: Duration,
    /// No reply counts after that.
    pub until: MonotonicInstant,
}

impl Patience {
    /// All the time until then, for names and replies.
    #[must_use]
    pub fn until(until: MonotonicInstant) -> Self {
        Self { names_until: until, reply: Duration::MAX, until }
    }
}

/// How the sources of a round are queried.
#[derive(Debug, Clone, Copy)]
pub(super) struct Query {
    /// A claim with a greater error is worth another packet.
    pub(super) wide: Duration,
    pub(super) clock: Clock,
    pub(super) patience: Patience,
}

/// What one source replied.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) name: String,
    /// Which address of a server replied, or was tried last.
    pub(super) address: Option<SocketAddr>,
    /// Bounds on the true time, if it made a claim.
    pub(super) claim: Option<BoundedTime>,
    pub(super) facts: Option<SourceFacts>,
    pub(super) standing: SourceStanding,
    /// The addresses that were asked.
    pub(super) asked: Vec<SocketAddr>,
    /// Which of them refused, and with which code.
    pub(super) refused: Option<(SocketAddr, String)>,
}

impl Reply {
    fn of(name: String) -> Self {
        Self {
            name,
            address: None,
            claim: None,
            facts: None,
            standing: SourceStanding::Undecided,
            asked: Vec::new(),
            refused: None,
        }
    }

    /// This machine's clock. When its kernel does not vouch for it, it makes no claim, unless the user trusts it: then the
    /// true time is what it shows.
    pub(super) fn of_this_machine(wall: &WallReading, is_trusted: bool) -> Self {
        let claim = wall.claim().or(is_trusted.then_some(wall.shown));
        let standing = match claim {
            Some(_) => SourceStanding::Undecided,
            None => SourceStanding::NotVouchedFor,
        };
        Self { claim, standing, ..Self::of(SYSTEM.to_owned()) }
    }

    fn unusable(&mut self, address: Option<SocketAddr>, why: Unusable) {
        self.address = address;
        self.standing = SourceStanding::Unusable(why);
    }

    fn take(&mut self, address: SocketAddr, answer: &NtpAnswer) {
        self.address = Some(address);
        self.facts = Some(facts(answer));
        self.claim = Some(narrowed(self.claim, answer));
        self.standing = SourceStanding::Undecided;
    }
}

impl Query {
    /// Asks a time server, at those of its addresses that have not refused.
    pub(super) async fn ask(
        self,
        source: ReferenceSource,
        resolution: &Resolution,
        refusals: &Refusals,
    ) -> Reply {
        let mut reply = Reply::of(source.to_string());
        let Some(endpoint) = source.endpoint() else { return reply };
        let addresses = match resolution.addresses(endpoint, self.clock, self.patience.names_until).await {
            Ok(addresses) => addresses.all,
            Err(failure) => {
                reply.unusable(None, Unusable::Unresolved(failure));
                return reply;
            }
        };
        let now = self.clock.now();
        for address in addresses {
            match refusals.restraint(address, now) {
                None => reply.asked.push(address),
                Some(restraint) => reply.unusable(Some(address), Unusable::Refused(restraint)),
            }
        }
        reply.asked.truncate(MOST_ADDRESSES);
        self.until_answered(&mut reply).await;
        if let Some(facts) = &mut reply.facts {
            facts.smears |= sntp::known_to_smear(&endpoint.host.to_string());
        }
        reply
    }

    /// Sends one packet after the other until one is answered, each to the next of the addresses; then further ones if
    /// that makes the claim narrow enough. An answer that comes late counts too.
    async fn until_answered(self, reply: &mut Reply) {
        let Self { clock, patience: Patience { reply: longest, until, .. }, .. } = self;
        if reply.asked.is_empty() {
            return;
        }
        let tries = MOST_PACKETS.max(reply.asked.len());
        let begin = clock.now();
        let left = until.since(begin).min(longest);
        let until = begin + left;
        let patience = left / u32::try_from(tries).unwrap_or(u32::MAX);
        let mut attempts = JoinSet::new();
        for (nth, &address) in (0_u32..).zip(reply.asked.iter().cycle().take(tries)) {
            attempts.spawn(async move {
                tokio::time::sleep_until(clock.deadline(begin + patience * nth)).await;
                (address, sntp::ask(address, clock, until).await)
            });
        }
        while let Some(Ok((address, answer))) = attempts.join_next().await {
            match answer {
                Ok(answer) => {
                    attempts.abort_all();
                    reply.take(address, &answer);
                    return self.until_narrow(reply, address, until).await;
                }
                Err(NtpError::Silent) => {
                    reply.address = Some(address);
                    reply.standing = SourceStanding::Silent;
                }
                // A server that refuses must not be asked again (RFC 5905 section 7.4).
                Err(NtpError::KissOfDeath { code }) => {
                    reply.refused = Some((address, code.clone()));
                    return reply.unusable(Some(address), Unusable::Ntp(NtpError::KissOfDeath { code }));
                }
                Err(error) => reply.unusable(Some(address), Unusable::Ntp(error)),
            }
        }
    }

    /// While its claim is wide, a server that answers is asked again: the next round trip may be shorter.
    async fn until_narrow(self, reply: &mut Reply, address: SocketAddr, until: MonotonicInstant) {
        for _ in 1..MOST_PACKETS {
            let is_wide = reply.claim.is_some_and(|claim| claim.shows.width() / 2 > self.wide);
            if !is_wide || self.clock.now() >= until {
                return;
            }
            match sntp::ask(address, self.clock, until).await {
                Ok(answer) => reply.take(address, &answer),
                Err(NtpError::KissOfDeath { code }) => {
                    reply.refused = Some((address, code));
                    return;
                }
                // That a further packet was lost takes nothing from the claim.
                Err(_) => return,
            }
        }
    }
}

/// A claim and a further answer of the same server: what they have in common. When they contradict each other its
/// clock jumped, and what it says last stands.
fn narrowed(known: Option<BoundedTime>, answer: &NtpAnswer) -> BoundedTime {
    let carried = known.map(|known| known.carried_to(answer.bounds.at, Drift::DISCIPLINED));
    let together = carried.and_then(|known| known.shows.intersection(&answer.bounds.shows));
    BoundedTime { shows: together.unwrap_or(answer.bounds.shows), ..answer.bounds }
}

fn facts(answer: &NtpAnswer) -> SourceFacts {
    SourceFacts {
        stratum: answer.stratum,
        leap: answer.leap,
        root_delay: answer.root_delay,
        root_dispersion: answer.root_dispersion,
        round_trip: answer.received.since(answer.sent),
        smears: answer.smears,
    }
}
