//! What the clocks are compared with: this machine's clock, time servers, or what most of them agree on.
//!
//! Each of them makes a claim, an interval that holds the true time, on the monotonic clock. With time servers the
//! wall clock of this machine is only one more claim, or none at all: it may be an hour wrong, or be stepped in the
//! middle of a round, and nothing changes.

pub mod courtesy;
pub mod source;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clock_offset::{BoundedTime, Drift, MonotonicInstant, Offset, ReferenceClock, Selection, select};
use courtesy::Refusals;
use source::Source;
use tokio::task::JoinSet;

use crate::clock::{Clock, WallReading};
use crate::outcome::{ReferenceOutcome, SourceFacts, SourceOutcome, SourceStanding, Standing};
use crate::parallel::in_parallel;
use crate::probe::resolve::resolve;
use crate::probe::sntp::{self, NtpAnswer, NtpFailure};
use crate::settings::Settings;

/// Packets that one server is sent in a round, at most: against loss, and for a shorter round trip.
const MOST_PACKETS: usize = 3;

/// Addresses of one name that are tried, at most. They are taken for ways to one server, which has one vote.
const MOST_ADDRESSES: usize = 4;

/// The reference of a round.
#[derive(Debug, Clone, PartialEq)]
pub struct Anchor {
    /// What the clocks are compared with. When nobody knows better, this machine's clock as it stands, so that the
    /// rest of the round has its evidence; [`ReferenceOutcome::standing`] says whether it may be judged by.
    pub reference: ReferenceClock,
    /// What is told of it.
    pub outcome: ReferenceOutcome,
    /// This machine's clock at the begin.
    pub wall: WallReading,
    /// Whether this machine's clock had a part in it: then a step of that clock matters.
    pub rests_on_wall_clock: bool,
}

/// What came of one source.
struct Heard {
    name: String,
    address: Option<SocketAddr>,
    claim: Option<BoundedTime>,
    facts: Option<SourceFacts>,
    /// Why there is no claim.
    standing: SourceStanding,
    message: Option<String>,
    /// The addresses that were asked.
    asked: Vec<SocketAddr>,
    /// Which of them refused, and with which code.
    refused: Option<(SocketAddr, String)>,
}

/// Asks all references side by side, and finds out what most of them agree on. Whoever is silent until then is
/// left out, and so is whoever has refused in an earlier round.
pub async fn anchor(
    settings: &Arc<Settings>,
    refusals: &mut Refusals,
    clock: Clock,
    until: MonotonicInstant,
) -> Anchor {
    let wall = clock.read_wall();
    let began = clock.now();
    let known = Arc::new(refusals.clone());
    let asked = settings.references.iter().cloned().map(|source| {
        let (settings, known) = (Arc::clone(settings), Arc::clone(&known));
        async move { hear(source, &settings, &known, wall, clock, until).await }
    });
    let mut heard = in_parallel(asked).await;
    for one in &heard {
        for &server in &one.asked {
            refusals.was_asked(server, began);
        }
        if let Some((server, code)) = &one.refused {
            refusals.has_refused(*server, code, began);
        }
    }
    drop_duplicates(&mut heard);
    let at = clock.now();
    let voters: Vec<usize> = (0..heard.len()).filter(|&index| heard[index].claim.is_some()).collect();
    let claims: Vec<BoundedTime> = heard.iter().filter_map(|one| one.claim).collect();
    let lists_system = settings.references.contains(&Source::System);
    let has_servers = settings.references.iter().any(|source| *source != Source::System);
    let as_it_stands = ReferenceClock { bounds: wall.shown, drift: Drift::from_ppm(0) };
    let (standing, reference) = match select(&claims, at, Drift::DISCIPLINED) {
        Selection::Agreed(agreement) => {
            for &index in &agreement.truechimers {
                heard[voters[index]].standing = SourceStanding::Truechimer;
            }
            for &index in &agreement.falsetickers {
                heard[voters[index]].standing = SourceStanding::Falseticker;
            }
            (Standing::Agreed, ReferenceClock { bounds: agreement.bounds, drift: Drift::DISCIPLINED })
        }
        Selection::NoMajority { .. } => (Standing::Disagreement, as_it_stands),
        // Nobody vouches for this machine's clock, but there is nothing else.
        Selection::NoClaims if lists_system => (Standing::OnlyUnvouched, as_it_stands),
        Selection::NoClaims => (Standing::Unreachable, as_it_stands),
    };
    let is_agreed = standing == Standing::Agreed;
    let sources = heard.into_iter().map(|one| SourceOutcome {
        name: one.name,
        address: one.address,
        standing: one.standing,
        offset: one.claim.map(|claim| claim.offset_from(&reference)),
        facts: one.facts,
        message: one.message,
    });
    Anchor {
        rests_on_wall_clock: !is_agreed || (lists_system && wall.claim().is_some()),
        outcome: ReferenceOutcome {
            standing,
            system: wall.synchronisation,
            max_error: is_agreed.then(|| reference.bounds.shows.width() / 2),
            local_offset: (has_servers && is_agreed).then(|| wall.shown.offset_from(&reference)),
            sources: sources.collect(),
        },
        reference,
        wall,
    }
}

/// A server that was given under two names has one vote.
fn drop_duplicates(heard: &mut [Heard]) {
    for later in 1..heard.len() {
        let (before, rest) = heard.split_at_mut(later);
        let one = &mut rest[0];
        let same = |other: &&Heard| other.claim.is_some() && other.address == one.address;
        if one.claim.is_some()
            && one.address.is_some()
            && let Some(first) = before.iter().find(same)
        {
            one.message = Some(format!("it is the same server as {}, and has one vote", first.name));
            (one.claim, one.standing) = (None, SourceStanding::Duplicate);
        }
    }
}

/// What one source says.
async fn hear(
    source: Source,
    settings: &Settings,
    refusals: &Refusals,
    wall: WallReading,
    clock: Clock,
    until: MonotonicInstant,
) -> Heard {
    let mut heard = Heard {
        name: source.to_string(),
        address: None,
        claim: None,
        facts: None,
        standing: SourceStanding::Undecided,
        message: None,
        asked: Vec::new(),
        refused: None,
    };
    let Source::Ntp { host, port } = source else {
        heard.claim = wall.claim();
        // Whom nobody vouches for has no vote.
        if heard.claim.is_none() {
            heard.standing = SourceStanding::NotVouchedFor;
        }
        return heard;
    };
    let addresses = match settings.overrides.of(&host) {
        Some(given) => Ok(given),
        None => resolve(&host, &clock, until).await,
    };
    let addresses = match addresses {
        Ok(addresses) => addresses.all.into_iter().map(|ip| SocketAddr::new(ip, port)),
        Err(failure) => {
            (heard.standing, heard.message) = (SourceStanding::Unusable, Some(failure.message));
            return heard;
        }
    };
    let now = clock.now();
    for address in addresses {
        match refusals.restraint(address, now) {
            None => heard.asked.push(address),
            Some(restraint) => {
                heard.address = Some(address);
                (heard.standing, heard.message) = (SourceStanding::Unusable, Some(restraint.to_string()));
            }
        }
    }
    heard.asked.truncate(MOST_ADDRESSES);
    heard.ask(settings.limits.max_offset, clock, until).await;
    if let Some(facts) = &mut heard.facts {
        facts.smears |= sntp::known_to_smear(&host.to_string());
    }
    heard
}

impl Heard {
    /// Asks a server, one packet after the other until it answers, each at the next of its addresses; further ones
    /// if that makes its claim narrow enough. An answer that comes late counts too.
    async fn ask(&mut self, limit: Duration, clock: Clock, until: MonotonicInstant) {
        if self.asked.is_empty() {
            return;
        }
        let tries = MOST_PACKETS.max(self.asked.len());
        let begin = clock.now();
        let patience = until.since(begin) / u32::try_from(tries).unwrap_or(u32::MAX);
        let mut attempts = JoinSet::new();
        for (nth, &address) in (0_u32..).zip(self.asked.iter().cycle().take(tries)) {
            attempts.spawn(async move {
                tokio::time::sleep_until(clock.deadline(begin + patience * nth)).await;
                (address, sntp::ask(address, clock, until).await)
            });
        }
        while let Some(Ok((address, said))) = attempts.join_next().await {
            match said {
                Ok(answer) => {
                    attempts.abort_all();
                    self.take(address, &answer);
                    return self.ask_again(address, limit, clock, until).await;
                }
                Err(failure) => {
                    self.address = Some(address);
                    self.standing = match failure {
                        NtpFailure::Silent => SourceStanding::Silent,
                        _ => SourceStanding::Unusable,
                    };
                    self.message = Some(failure.to_string());
                    // Whoever refuses must not be asked again (RFC 5905 section 7.4).
                    if let NtpFailure::KissOfDeath { code } = failure {
                        self.refused = Some((address, code));
                        return;
                    }
                }
            }
        }
    }

    /// While its claim is wide, a server that answers is asked again: the next round trip may be shorter.
    async fn ask_again(
        &mut self,
        address: SocketAddr,
        limit: Duration,
        clock: Clock,
        until: MonotonicInstant,
    ) {
        for _ in 1..MOST_PACKETS {
            let is_wide = self.claim.is_some_and(|claim| claim.shows.width() / 2 > limit / 8);
            if !is_wide || clock.now() >= until {
                return;
            }
            match sntp::ask(address, clock, until).await {
                Ok(answer) => self.take(address, &answer),
                Err(NtpFailure::KissOfDeath { code }) => {
                    self.refused = Some((address, code));
                    return;
                }
                // That a further packet was lost takes nothing from the claim.
                Err(_) => return,
            }
        }
    }

    fn take(&mut self, address: SocketAddr, answer: &NtpAnswer) {
        self.address = Some(address);
        self.facts = Some(facts(answer));
        self.claim = Some(narrowed(self.claim, answer));
        (self.standing, self.message) = (SourceStanding::Undecided, None);
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

impl Anchor {
    /// By how much this machine's clock was stepped since, if that matters.
    #[must_use]
    pub fn step_until(&self, later: &WallReading) -> Option<Offset> {
        if self.rests_on_wall_clock { self.wall.step_until(later) } else { None }
    }
}
