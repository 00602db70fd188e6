//! Tells a network of the monitor that is lost from services that are down. While nobody answers, both look alike.
//!
//! A round that heard nothing, or nothing any more at its end, waits until one of these is known:
//!
//! | what is known | what the silence means |
//! |---|---|
//! | another check was heard since it began, and it was silent long after that | the service is down |
//! | three hosts or more are silent, all others that are watched too, and nobody was heard | the network is lost |
//! | the time to wait is over, and three hosts or more are silent | the network is lost |
//! | the time to wait is over, and fewer are | the service is down |
//! | the next round of the check is no silence | nothing: it may have been either |
//!
//! One that is known to be down does not count as silent. Neither does one that stays silent when a lost network is back: it
//! is down when the time to wait is over. Several addresses of one check are one host.
//!
//! Nothing waits while fewer than three hosts are watched, because then the two cannot be told apart. Loopback addresses say
//! nothing about the network. All times are monotonic, so that a clock that is set decides nothing.

mod contact;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use clock_offset::MonotonicInstant;
use jiff::Timestamp;

pub(crate) use contact::Contact;

/// So many hosts at once are silent for one reason: it is less likely that each of them has its own.
const HOSTS: usize = 3;

/// For so long a round waits at most. Meanwhile a check that is held once a minute has shown what it hears.
const LONGEST: Duration = Duration::from_secs(90);

/// Who was heard so much later than a silence began shows that the network worked meanwhile. Before that, it may have been the
/// last that came through.
const LATER: Duration = Duration::from_secs(1);

/// Others must have been heard in the first third of a silent round, for it to show that its service is down. In the rest, a
/// connection attempt may not have been repeated, so that the network may have come back unnoticed.
const PART: u32 = 3;

/// For so long after the first answer a network is coming back: not everybody may be reached yet.
const SETTLES: Duration = Duration::from_secs(5);

/// Rounds of so many checks are given back by one judgement. With thousands, to take all in would hold up other rounds.
const AT_ONCE: usize = 200;

/// What the round of a check means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// What its outcome says.
    AsItSays,
    /// Nothing about the service: the monitor's network is lost.
    NetworkLost(Lost),
    /// Nothing: the check was not silent any more before it was known whether anybody else was heard.
    Nothing,
}

/// A network that is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lost {
    /// So many hosts were silent when that was found.
    pub(crate) hosts: usize,
    /// Since when nobody was heard.
    pub(crate) since: Timestamp,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hosts, since } = self;
        write!(
            f,
            "none of {hosts} hosts has answered since {since:.0}: the network of this machine is lost, or all of them are down"
        )
    }
}

/// When a round was held.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    pub(crate) began: MonotonicInstant,
    pub(crate) ended: MonotonicInstant,
    /// When it began, by the wall clock.
    pub(crate) shown: Timestamp,
}

impl Held {
    /// The end of it alone.
    fn last(self, length: Duration) -> Self {
        let left_out = self.ended.since(self.began).saturating_sub(length);
        let shown = self.shown.checked_add(left_out).unwrap_or(self.shown);
        Self { began: self.began + left_out, shown, ..self }
    }
}

/// Who is silent, and the rounds that wait.
#[derive(Debug)]
pub(crate) struct Silence<R> {
    /// The checks that there are, with the hosts that each asks; none before its first round.
    watched: BTreeMap<String, Option<BTreeSet<IpAddr>>>,
    silent: BTreeMap<String, Silent<R>>,
    /// Rounds in which somebody was heard: a second apart, and not longer ago than matters. When in a round that was, is not
    /// known.
    heard: VecDeque<Held>,
    lost: Option<Lost>,
}

/// A check whose rounds hear nothing.
#[derive(Debug)]
struct Silent<R> {
    hosts: BTreeSet<IpAddr>,
    /// When the first of these rounds began; after a lost network, when somebody else was heard again.
    since: MonotonicInstant,
    shown: Timestamp,
    /// Until when somebody else must have been heard, for the latest of these rounds to show that the service is down.
    shows_until: MonotonicInstant,
    /// Whether the service is down, as far as can be known.
    is_down: bool,
    /// The lost network by which it was silent before.
    before: Option<Lost>,
    waiting: Vec<R>,
}

impl<R> Default for Silence<R> {
    fn default() -> Self {
        Self { watched: BTreeMap::new(), silent: BTreeMap::new(), heard: VecDeque::new(), lost: None }
    }
}

impl<R> Silence<R> {
    /// What is watched from now on. What is known of checks that were watched before remains.
    pub(crate) fn configure<'a>(&mut self, checks: impl Iterator<Item = &'a str>) {
        let mut before = std::mem::take(&mut self.watched);
        self.watched = checks.map(|check| (check.to_owned(), before.remove(check).flatten())).collect();
        self.silent.retain(|check, _| self.watched.contains_key(check));
        if !self.are_many_silent() {
            self.lost = None;
        }
    }

    /// What is known of a check that asks others from now on is of no use any more.
    pub(crate) fn forget(&mut self, check: &str) {
        self.silent.remove(check);
        if let Some(hosts) = self.watched.get_mut(check) {
            *hosts = None;
        }
    }

    /// Takes a round. Gives back the rounds of which it is known now what they mean, those of a check in their order; this one
    /// is kept if that is not known of it yet.
    pub(crate) fn meet(&mut self, check: &str, contact: Contact, held: Held, round: R) -> Vec<(R, Meaning)> {
        // A round that was under way when its check was taken out of the configuration means nothing to anybody.
        if !self.watched.contains_key(check) {
            return Vec::new();
        }
        let mut known = match contact {
            Contact::Heard(hosts) => {
                self.watched.insert(check.to_owned(), Some(hosts));
                self.heard(check, held)
            }
            Contact::Silent(hosts) => return self.silent(check, hosts, held, round),
            Contact::FellSilent(hosts, lasted) => {
                let mut known = self.released(check, Meaning::Nothing);
                self.silent.remove(check);
                known.extend(self.silent(check, hosts, held.last(lasted), round));
                return known;
            }
            Contact::CannotAsk => {
                // The monitor says by itself that it is at fault. The silence before was the beginning of that.
                let known = self.released(check, Meaning::Nothing);
                if let Some(Some(hosts)) = self.watched.get(check).cloned() {
                    be_silent(&mut self.silent, check, hosts, held);
                }
                known
            }
            Contact::Unclear => {
                let known = self.released(check, Meaning::Nothing);
                self.silent.remove(check);
                if let Some(hosts) = self.watched.get_mut(check) {
                    hosts.get_or_insert_default();
                }
                known
            }
        };
        known.push((round, Meaning::AsItSays));
        known
    }

    /// The rounds of which it is known by now what they mean. Call it once a second.
    pub(crate) fn judge(&mut self, now: MonotonicInstant) -> Vec<(R, Meaning)> {
        if self.silent.is_empty() {
            return Vec::new();
        }
        if self.lost.is_none() {
            self.lost = self.found_lost(now);
        }
        let can_tell = self.can_tell();
        let mut known = Vec::new();
        for silent in self.silent.values_mut() {
            if self.lost.is_none() {
                silent.is_down |= !can_tell || now.since(silent.since) >= LONGEST;
            }
            if known.len() >= AT_ONCE || !(silent.is_down || self.lost.is_some()) {
                continue;
            }
            let meaning = self.lost.map_or(Meaning::AsItSays, Meaning::NetworkLost);
            known.extend(silent.waiting.drain(..).map(|round| (round, meaning)));
        }
        known
    }

    /// All rounds that wait. Nobody will know any more what they mean.
    pub(crate) fn end(&mut self) -> Vec<R> {
        self.silent.values_mut().flat_map(|silent| silent.waiting.drain(..)).collect()
    }

    /// A check was silent.
    fn silent(&mut self, check: &str, hosts: BTreeSet<IpAddr>, held: Held, round: R) -> Vec<(R, Meaning)> {
        self.watched.insert(check.to_owned(), Some(hosts.clone()));
        let meaning = self.meaning_of_silence(check, hosts, held);
        if let Some(silent) = self.silent.get_mut(check) {
            silent.waiting.push(round);
        }
        meaning.map(|meaning| self.released(check, meaning)).unwrap_or_default()
    }

    fn meaning_of_silence(&mut self, check: &str, hosts: BTreeSet<IpAddr>, held: Held) -> Option<Meaning> {
        let can_tell = self.can_tell();
        let silent = be_silent(&mut self.silent, check, hosts, held);
        if let Some(lost) = silent.before.filter(|_| held.began.since(silent.since) < SETTLES) {
            return Some(Meaning::NetworkLost(lost));
        }
        let shows =
            |heard: &Held| heard.began.since(silent.since) >= LATER && heard.ended <= silent.shows_until;
        silent.is_down |= !can_tell || self.heard.iter().any(shows);
        let is_down = silent.is_down;
        self.lost.map(Meaning::NetworkLost).or(is_down.then_some(Meaning::AsItSays))
    }

    /// A check was heard.
    fn heard(&mut self, check: &str, held: Held) -> Vec<(R, Meaning)> {
        if self.heard.back().is_none_or(|latest| held.began.since(latest.began) >= LATER) {
            self.heard.push_back(held);
            while self.heard.front().is_some_and(|first| held.ended.since(first.ended) > 2 * LONGEST) {
                self.heard.pop_front();
            }
        }
        let mut known = self.released(check, Meaning::Nothing);
        self.silent.remove(check);
        if let Some(lost) = self.lost.take() {
            for silent in self.silent.values_mut().filter(|silent| !silent.is_down) {
                silent.before = Some(lost);
                silent.since = held.ended;
                known.extend(silent.waiting.drain(..).map(|round| (round, Meaning::NetworkLost(lost))));
            }
        }
        known
    }

    /// The rounds of a check that wait, all with this meaning.
    fn released(&mut self, check: &str, meaning: Meaning) -> Vec<(R, Meaning)> {
        let waiting = self.silent.get_mut(check).map(|silent| std::mem::take(&mut silent.waiting));
        waiting.unwrap_or_default().into_iter().map(|round| (round, meaning)).collect()
    }

    /// The checks that are silent without being known to be down.
    fn open(&self) -> impl Iterator<Item = &Silent<R>> {
        self.silent.values().filter(|silent| !silent.is_down && silent.before.is_none())
    }

    fn are_many_silent(&self) -> bool {
        are_many(self.open().map(|silent| Some(&silent.hosts)))
    }

    fn found_lost(&self, now: MonotonicInstant) -> Option<Lost> {
        let first = self.open().min_by_key(|silent| silent.since).filter(|_| self.are_many_silent())?;
        let is_silent = |(check, hosts): (&String, &Option<BTreeSet<IpAddr>>)| match hosts {
            Some(hosts) => hosts.is_empty() || self.silent.contains_key(check),
            None => false,
        };
        let is_over = now.since(first.since) >= LONGEST;
        let hosts: BTreeSet<&IpAddr> = self.open().flat_map(|silent| &silent.hosts).collect();
        (is_over || self.watched.iter().all(is_silent))
            .then_some(Lost { hosts: hosts.len(), since: first.shown })
    }

    /// Whether so many hosts are watched that silence can be told from a lost network.
    fn can_tell(&self) -> bool {
        are_many(self.watched.values().map(Option::as_ref))
    }
}

/// Whether checks ask three different hosts or more. Who was not asked yet may be one.
fn are_many<'a>(checks: impl Iterator<Item = Option<&'a BTreeSet<IpAddr>>>) -> bool {
    let (mut different, mut beyond, mut unknown) = (BTreeSet::<&IpAddr>::new(), 0, 0);
    for hosts in checks {
        match hosts {
            Some(hosts) => {
                beyond += usize::from(!hosts.is_empty());
                different.extend(hosts);
            }
            None => unknown += 1,
        }
        if different.len().min(beyond) + unknown >= HOSTS {
            return true;
        }
    }
    false
}

/// Another silent round of a check. A function of the map alone, because the rest of the state is read beside it.
fn be_silent<'a, R>(
    all: &'a mut BTreeMap<String, Silent<R>>,
    check: &str,
    hosts: BTreeSet<IpAddr>,
    held: Held,
) -> &'a mut Silent<R> {
    let shows_until = held.began + held.ended.since(held.began) / PART;
    let new = || Silent {
        hosts: BTreeSet::new(),
        since: held.began,
        shown: held.shown,
        shows_until,
        is_down: false,
        before: None,
        waiting: Vec::new(),
    };
    let silent = all.entry(check.to_owned()).or_insert_with(new);
    silent.hosts = hosts;
    silent.shows_until = shows_until;
    silent
}

#[cfg(test)]
mod tests;
