//! What the clocks are compared with: this machine's clock, time servers, or what most of them agree on.
//!
//! Each of them makes a claim: an interval that holds the true time, on the monotonic clock. With time servers the
//! wall clock of this machine is only one more claim, or none at all: it may be an hour wrong, or be stepped in the
//! middle of a round, and nothing changes.

pub mod poll_interval;
mod query;
mod refusals;
pub mod source;

use std::sync::Arc;
use std::time::Duration;

use clock_offset::{BoundedTime, Drift, MonotonicInstant, Offset, ReferenceClock, Selection, select};

use crate::clock::{Clock, WallReading};
use crate::outcome::{ReferenceOutcome, SYSTEM, SourceOutcome, SourceStanding, Standing};
use crate::parallel::in_parallel;
use crate::probe::resolve::Resolution;

use query::{Query, Reply};

pub use query::Patience;
use refusals::Refusals;
use source::ReferenceSource;

/// The reference of a round.
#[derive(Debug, Clone, PartialEq)]
pub struct RoundReference {
    /// What the clocks are compared with. When nobody knows better, this machine's clock as it stands, so that the
    /// rest of the round has its evidence; [`ReferenceOutcome::standing`] says whether it may be judged by.
    pub reference: ReferenceClock,
    /// What is reported of it.
    pub outcome: ReferenceOutcome,
    /// This machine's clock when the sources were queried.
    pub wall: WallReading,
    /// For how long this machine had been suspended by then, since it was started: what was measured before a suspension
    /// is worth nothing after it.
    pub suspended: Duration,
    /// Whether this machine's clock had a part in it: then a step of that clock matters.
    pub rests_on_wall_clock: bool,
}

impl RoundReference {
    /// By how much this machine's clock was stepped since, if that matters.
    #[must_use]
    pub fn step_until(&self, later: &WallReading) -> Option<Offset> {
        if self.rests_on_wall_clock { self.wall.step_until(later) } else { None }
    }
}

/// The sources of the reference, and which of them have refused to be queried so far.
#[derive(Debug, Clone)]
pub struct References {
    sources: Vec<ReferenceSource>,
    resolution: Arc<Resolution>,
    refusals: Refusals,
    trusts_system_clock: bool,
}

impl References {
    /// None of them has refused yet. They are queried once in a `period`; without one, only once.
    #[must_use]
    pub fn new(sources: Vec<ReferenceSource>, resolution: Resolution, period: Option<Duration>) -> Self {
        let refusals = Refusals::new(period);
        Self { sources, resolution: Arc::new(resolution), refusals, trusts_system_clock: false }
    }

    /// Whether this machine's clock, when it is one of the sources and its kernel does not vouch for it, is taken to show
    /// the true time. A bound that the kernel admits counts all the same. Default: no.
    #[must_use]
    pub fn trust_system_clock(mut self, trust: bool) -> Self {
        self.trusts_system_clock = trust;
        self
    }

    /// Whether the other ones query the same sources in the same way, so that one answer serves both.
    #[must_use]
    pub fn query_the_same_as(&self, other: &Self) -> bool {
        self.sources == other.sources
            && self.resolution == other.resolution
            && self.trusts_system_clock == other.trusts_system_clock
    }

    /// Whether a time server is one of the sources, so that a query goes over the network.
    #[must_use]
    pub fn have_time_servers(&self) -> bool {
        self.sources.iter().any(|source| *source != ReferenceSource::System)
    }

    /// Queries all sources side by side, and finds out what most of them agree on. A server that is silent longer than
    /// `patience` allows is left out, and so is one that has refused earlier.
    ///
    /// A server whose claim is wider than an eighth of `max_offset` is asked again: the next round trip may be
    /// shorter.
    pub async fn query(&mut self, max_offset: Duration, clock: Clock, patience: Patience) -> RoundReference {
        let suspended = clock.suspended();
        let wall = clock.read_wall();
        let began = clock.now();
        let query = Query { wide: max_offset / 8, clock, patience };
        let refusals = Arc::new(self.refusals.clone());
        let is_trusted = self.trusts_system_clock;
        let replies = self.sources.iter().cloned().map(|source| {
            let (resolution, refusals) = (Arc::clone(&self.resolution), Arc::clone(&refusals));
            async move {
                match source {
                    ReferenceSource::System => Reply::of_this_machine(&wall, is_trusted),
                    ReferenceSource::Ntp { .. } => query.ask(source, &resolution, &refusals).await,
                }
            }
        });
        let mut replies = in_parallel(replies).await;
        for reply in &replies {
            for &server in &reply.asked {
                self.refusals.was_asked(server, began);
            }
            if let Some((server, code)) = &reply.refused {
                self.refusals.has_refused(*server, code, began);
            }
        }
        drop_duplicates(&mut replies);
        RoundReference { suspended, ..self.agreement(replies, wall, clock.now()) }
    }

    /// What the replies agree on at the instant `at`.
    fn agreement(&self, mut replies: Vec<Reply>, wall: WallReading, at: MonotonicInstant) -> RoundReference {
        let lists_system = self.sources.contains(&ReferenceSource::System);
        let is_trusted = lists_system && self.trusts_system_clock && wall.claim().is_none();
        let has_servers = self.have_time_servers();
        let as_it_stands = ReferenceClock { bounds: wall.shown, drift: Drift::from_ppm(0) };
        let voters: Vec<usize> = (0..replies.len()).filter(|&index| replies[index].claim.is_some()).collect();
        let claims: Vec<BoundedTime> = replies.iter().filter_map(|reply| reply.claim).collect();
        let (standing, reference) = match select(&claims, at, Drift::DISCIPLINED) {
            Selection::Agreed(agreement) => {
                for &index in &agreement.truechimers {
                    let reply = &mut replies[voters[index]];
                    reply.standing = match reply.name.as_str() {
                        SYSTEM if is_trusted => SourceStanding::Trusted,
                        _ => SourceStanding::Truechimer,
                    };
                }
                for &index in &agreement.falsetickers {
                    replies[voters[index]].standing = SourceStanding::Falseticker;
                }
                match agreement.truechimers[..] {
                    // What it shows is the true time by definition, so it does not drift either.
                    [only] if replies[voters[only]].standing == SourceStanding::Trusted => {
                        (Standing::Trusted, as_it_stands)
                    }
                    _ => {
                        let bounds = agreement.bounds;
                        (Standing::Agreed, ReferenceClock { bounds, drift: Drift::DISCIPLINED })
                    }
                }
            }
            Selection::NoMajority { .. } => (Standing::Disagreement, as_it_stands),
            // Nobody vouches for this machine's clock, but there is nothing else.
            Selection::NoClaims if lists_system => (Standing::OnlyUnvouched, as_it_stands),
            Selection::NoClaims => (Standing::Unreachable, as_it_stands),
        };
        let is_agreed = standing == Standing::Agreed;
        let sources = replies.into_iter().map(|reply| SourceOutcome {
            name: reply.name,
            address: reply.address,
            standing: reply.standing,
            offset: reply.claim.map(|claim| claim.offset_from(&reference)),
            facts: reply.facts,
        });
        RoundReference {
            rests_on_wall_clock: !is_agreed || is_trusted || (lists_system && wall.claim().is_some()),
            outcome: ReferenceOutcome {
                standing,
                system: wall.synchronization,
                max_error: is_agreed.then(|| reference.bounds.shows.width() / 2),
                local_offset: (has_servers && is_agreed).then(|| wall.shown.offset_from(&reference)),
                sources: sources.collect(),
            },
            reference,
            wall,
            suspended: Duration::ZERO,
        }
    }
}

/// A server that was given under two names has one vote.
fn drop_duplicates(replies: &mut [Reply]) {
    for later in 1..replies.len() {
        let (before, rest) = replies.split_at_mut(later);
        let one = &mut rest[0];
        let same = |other: &&Reply| other.claim.is_some() && other.address == one.address;
        if one.claim.is_some()
            && one.address.is_some()
            && let Some(first) = before.iter().find(same)
        {
            one.standing = SourceStanding::Duplicate { of: first.name.clone() };
            one.claim = None;
        }
    }
}

#[cfg(test)]
mod tests;
