//! Everything that one instance knows of itself and of the others. Nothing here reads a clock or asks anybody.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clock_offset::MonotonicInstant;

use super::agreement::{Contradiction, Measured, Measurements};
use super::duty::{self, Rank, Situation, Trouble};
use super::known::{Heard, Known, When};
use super::view::{Answer, CheckView, InstanceView, Kind, Reading, SCHEMA_VERSION};

/// An instance that nobody has heard of for so long is a fault that people are told of. A restart is none.
const MISSED_AFTER: Duration = Duration::from_mins(1);

/// What an instance knows.
#[derive(Debug)]
pub(super) struct State {
    id: String,
    name: String,
    /// How many instances must see that a service is down.
    pub(super) quorum: u32,
    asked: BTreeMap<String, Asked>,
    /// Whether another instance has asked this one.
    pub(super) is_read: bool,
    known: Known,
    measurements: Measurements,
    /// The instances whose references others show to be wrong, by name.
    wrong_references: BTreeSet<String>,
    rounds: BTreeMap<String, OwnRound>,
    /// The trouble that this instance sees, by the name of the check.
    troubled: BTreeMap<String, OwnTrouble>,
}

/// What became of asking a peer.
#[derive(Debug)]
struct Asked {
    since: MonotonicInstant,
    /// When the latest question was begun that has an end, good or bad.
    latest: Option<MonotonicInstant>,
    /// When it answered last.
    answered: Option<MonotonicInstant>,
    /// Who answered: its id and its name.
    who: Option<(String, String)>,
    /// Why it did not answer the latest question.
    problem: Option<String>,
}

/// The latest round of a check.
#[derive(Debug)]
struct OwnRound {
    when: When,
    backends: Vec<Bounds>,
}

/// An open incident of a check.
#[derive(Debug)]
struct OwnTrouble {
    incident: String,
    /// How the service fails at the moment.
    kinds: BTreeSet<Kind>,
    /// How it has failed since the incident began.
    seen: BTreeSet<Kind>,
    /// When this instance saw the latest of these for the first time.
    since: MonotonicInstant,
}

/// Bounds on the offset of a clock that names itself, in seconds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bounds {
    pub(super) backend: String,
    pub(super) lower: f64,
    pub(super) upper: f64,
}

/// How it stands with a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PeerStanding {
    /// Its name in the configuration.
    pub(crate) name: String,
    /// Whether it was heard of lately, directly or through others.
    pub(crate) lives: bool,
    /// Whether it is this instance itself.
    pub(crate) is_this: bool,
    /// Why it did not answer when it was asked last.
    pub(crate) problem: Option<String>,
}

/// How another instance sees a check.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SeenFrom {
    /// The name of the instance.
    pub(crate) instance: String,
    pub(crate) check: CheckView,
    /// How old that is.
    pub(crate) age: Duration,
}

/// What this instance has to tell people about others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PeerNews {
    /// Nobody hears of a peer.
    Missing { peer: String, summary: String },
    /// It is there.
    There { peer: String },
    /// The references contradict each other.
    Contradiction { summary: String },
    /// They do not.
    Agreement,
}

impl State {
    /// Of an instance that knows nobody.
    pub(super) fn new(id: String, name: &str) -> Self {
        Self {
            id,
            name: name.to_owned(),
            quorum: 1,
            asked: BTreeMap::new(),
            is_read: false,
            known: Known::default(),
            measurements: Measurements::default(),
            wrong_references: BTreeSet::new(),
            rounds: BTreeMap::new(),
            troubled: BTreeMap::new(),
        }
    }

    /// A peer is asked from now on.
    pub(super) fn begins_to_ask(&mut self, peer: &str, now: MonotonicInstant) {
        let asked = Asked { since: now, latest: None, answered: None, who: None, problem: None };
        self.asked.insert(peer.to_owned(), asked);
    }

    /// A peer is not asked any more.
    pub(super) fn asks_no_more(&mut self, peer: &str) {
        self.asked.remove(peer);
    }

    /// Whether no peer is asked.
    pub(super) fn is_alone(&self) -> bool {
        self.asked.is_empty()
    }

    /// Only these checks are watched.
    pub(super) fn watches(&mut self, is_watched: impl Fn(&str) -> bool) {
        self.rounds.retain(|check, _| is_watched(check));
        self.troubled.retain(|check, _| is_watched(check));
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Takes what a round of this instance found of the clocks that name themselves.
    pub(super) fn round_held(&mut self, check: &str, when: When, backends: Vec<Bounds>) {
        for Bounds { backend, lower, upper } in &backends {
            let measured = Measured { when, lower: *lower, upper: *upper };
            self.measurements.add(check, backend, &self.name, measured);
        }
        self.rounds.insert(check.to_owned(), OwnRound { when, backends });
    }

    /// Takes an answer, or why there is none, to a question that was under way in that time.
    pub(super) fn answered(&mut self, peer: &str, told: When, result: Result<Answer, String>) {
        let Some(asked) = self.asked.get_mut(peer) else { return };
        asked.latest = Some(told.earliest);
        let answer = match result {
            Ok(answer) => answer,
            Err(problem) => {
                asked.problem = Some(problem);
                return;
            }
        };
        asked.problem = None;
        asked.answered = Some(told.latest);
        asked.who = Some((answer.instance.id.clone(), answer.instance.name.clone()));
        for view in std::iter::once(answer.instance).chain(answer.heard) {
            if view.id == self.id {
                continue;
            }
            let then = told.earlier(view.age_seconds);
            for (check, seen) in &view.checks {
                for reading in seen.backends.iter().filter(|reading| reading.lower <= reading.upper) {
                    let when = then.earlier(reading.age_seconds);
                    let measured = Measured { when, lower: reading.lower, upper: reading.upper };
                    self.measurements.add(check, &reading.instance, &view.name, measured);
                }
            }
            self.known.take(view, told);
        }
        // Before an alert is decided that rests on it.
        self.contradiction(told.latest);
    }

    /// What this instance tells others, with what it says of its checks and its receivers.
    pub(super) fn answer(
        &self,
        mut checks: BTreeMap<String, CheckView>,
        receivers: BTreeSet<String>,
        now: MonotonicInstant,
    ) -> Answer {
        for (name, check) in &mut checks {
            let Some(round) = self.rounds.get(name) else { continue };
            check.round_age_seconds = Some(now.since(round.when.earliest).as_secs_f64());
            let age_seconds = now.since(round.when.latest).as_secs_f64();
            let reading = |bounds: &Bounds| Reading {
                instance: bounds.backend.clone(),
                lower: bounds.lower,
                upper: bounds.upper,
                age_seconds,
            };
            check.backends = round.backends.iter().map(reading).collect();
        }
        let (id, name) = (self.id.clone(), self.name.clone());
        let instance = InstanceView { id, name, age_seconds: 0.0, receivers, checks };
        Answer { schema_version: SCHEMA_VERSION, instance, heard: self.known.retold(now) }
    }

    /// Takes note of an open incident of a check, and how the service fails. Whether that is new. One that began as “down”
    /// and is of a wrong clock later is: others have to look for that, too.
    pub(super) fn sees_trouble(
        &mut self,
        check: &str,
        incident: &str,
        kinds: BTreeSet<Kind>,
        now: MonotonicInstant,
    ) -> bool {
        let Some(known) = self.troubled.get_mut(check).filter(|known| known.incident == incident) else {
            let seen = kinds.clone();
            let trouble = OwnTrouble { incident: incident.to_owned(), kinds, seen, since: now };
            self.troubled.insert(check.to_owned(), trouble);
            return true;
        };
        let is_new = !kinds.is_subset(&known.seen);
        if is_new {
            known.seen.extend(&kinds);
            known.since = now;
        }
        known.kinds = kinds;
        is_new
    }

    /// Forgets the trouble of all other checks.
    pub(super) fn sees_trouble_only_of(&mut self, is_open: impl Fn(&str) -> bool) {
        self.troubled.retain(|check, _| is_open(check));
    }

    /// The receivers, of these, that this instance must not alert of an incident: it is the duty of another one, or it may
    /// be, or too few see it, or the reference of this instance is what is wrong, or may be.
    pub(super) fn keeps_from_alerting<'a>(
        &self,
        check: &str,
        receivers: impl Iterator<Item = &'a str>,
        now: MonotonicInstant,
    ) -> BTreeSet<String> {
        let Some(trouble) = self.trouble(check) else { return BTreeSet::new() };
        // Whoever can be asked is asked first. Each question ends, if need be because it takes too long.
        let is_asking = |asked: &Asked| asked.latest.is_none_or(|latest| latest < trouble.since);
        let situation = self.situation(now);
        let may_not = self.asked.values().any(is_asking) || !situation.may_alert(trouble, &self.name);
        let keeps = |receiver: &&str| may_not || situation.is_with_another(trouble, receiver, self.rank());
        receivers.filter(keeps).map(str::to_owned).collect()
    }

    /// Whether nothing but that too few instances see it keeps a service that is down from being alerted; if so, how many
    /// there must be.
    pub(super) fn needs_more_for_down(&self, check: &str, now: MonotonicInstant) -> Option<u32> {
        let trouble = self.trouble(check)?;
        let lacks_agreement = self.situation(now).only_lacks_agreement(trouble, &self.name);
        lacks_agreement.then_some(self.quorum)
    }

    fn trouble<'a>(&'a self, check: &'a str) -> Option<Trouble<'a>> {
        let OwnTrouble { kinds, since, .. } = self.troubled.get(check)?;
        Some(Trouble { check, kinds, since: *since })
    }

    fn situation(&self, now: MonotonicInstant) -> Situation<'_> {
        Situation {
            living: self.known.living(now).collect(),
            quorum: self.quorum,
            wrong_references: &self.wrong_references,
            now,
        }
    }

    /// Each peer, by its name.
    pub(super) fn standings(&self, now: MonotonicInstant) -> Vec<PeerStanding> {
        let standing = |(name, asked): (&String, &Asked)| PeerStanding {
            name: name.clone(),
            lives: self.lives(name, asked, now),
            is_this: asked.is(&self.id),
            problem: asked.problem.clone(),
        };
        self.asked.iter().map(standing).collect()
    }

    /// How the others see a check, by their names.
    pub(super) fn views_of(&self, check: &str, now: MonotonicInstant) -> Vec<SeenFrom> {
        let seen = |heard: &Heard| {
            Some(SeenFrom {
                instance: heard.view.name.clone(),
                check: heard.view.checks.get(check)?.clone(),
                age: now.since(heard.when.earliest),
            })
        };
        let mut views: Vec<SeenFrom> = self.known.living(now).filter_map(seen).collect();
        views.sort_by(|one, other| one.instance.cmp(&other.instance));
        views
    }

    /// Whether references contradict each other.
    pub(super) fn contradiction(&mut self, now: MonotonicInstant) -> Option<Contradiction> {
        self.measurements.retain(now);
        let found = self.measurements.contradiction();
        self.wrong_references = found.as_ref().map(|found| found.wrong.clone()).unwrap_or_default();
        found
    }

    /// What this instance has to tell people about the others. An instance that is missing is told of by the first of those
    /// that live; a wrong reference by the instance whose it is, or by the first if nobody can tell.
    pub(super) fn news(&mut self, now: MonotonicInstant) -> Vec<PeerNews> {
        let contradiction = self.contradiction(now);
        let living: Vec<&Heard> = self.known.living(now).collect();
        let is_first = duty::is_first(self.rank(), &living);
        let mut news = Vec::new();
        for (name, asked) in &self.asked {
            let peer = name.clone();
            if self.lives(name, asked, now) || asked.is(&self.id) {
                news.push(PeerNews::There { peer });
            } else if is_first && now.since(asked.answered.unwrap_or(asked.since)) > MISSED_AFTER {
                let why = asked.problem.as_deref().unwrap_or("no answer");
                let summary = format!("no instance hears of the peer {name} ({why})");
                news.push(PeerNews::Missing { peer, summary });
            }
        }
        match contradiction {
            None => news.push(PeerNews::Agreement),
            Some(found) if found.wrong.contains(&self.name) || (found.wrong.is_empty() && is_first) => {
                news.push(PeerNews::Contradiction { summary: found.summary() });
            }
            Some(_) => {}
        }
        news
    }

    /// Whether a peer was heard of lately: under its id, or under its name.
    fn lives(&self, name: &str, asked: &Asked, now: MonotonicInstant) -> bool {
        self.known.living(now).any(|heard| match &asked.who {
            Some((id, called)) => heard.view.id == *id || heard.view.name == *called,
            None => heard.view.name == name,
        })
    }

    fn rank(&self) -> Rank<'_> {
        (&self.name, &self.id)
    }
}

impl Asked {
    fn is(&self, id: &str) -> bool {
        self.who.as_ref().is_some_and(|(who, _)| who == id)
    }
}

#[cfg(test)]
mod tests;
