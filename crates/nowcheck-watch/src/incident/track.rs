//! The incidents of one check, or of one part of the monitor: at most one at a time.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use nowcheck::check::MOST_BACKENDS;
use serde::{Deserialize, Serialize};

use super::change::{Change, ChangeKind, Ending, Evidence, IncidentId, Names, Scope, Subject};
use super::flapping::{Calm, Starts, is_recent};
use super::observation::{BILLION, offset_of};
use super::{Observation, OffsetBounds, Place, Round, ServiceStatus, Trouble, TroubleKind};
use crate::timestamps::elapsed;

/// A backend that is not met is gone once the chance that it is there is at most this, in billionths: one in a million.
const GONE: u32 = 1_000;

/// An address is gone once so many lookups in a row, over such a time, did not have it. One lookup may have only some of the
/// addresses. The time is longer than most caches keep an answer.
const LOOKUPS_WITHOUT: u32 = 3;
const TIME_WITHOUT: Duration = Duration::from_mins(5);

/// An incident that is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    id: IncidentId,
    scope: Scope,
    since: Timestamp,
    /// Empty only while it is flapping, and nothing is wrong at the moment.
    places: BTreeMap<Place, Trouble>,
    /// What it was when something was wrong last.
    last: (Subject, TroubleKind, String),
    /// How likely it is, in billionths, that a backend which was not met lately is still there.
    there: BTreeMap<Place, u32>,
    /// The addresses that lookups leave out: since when, and how many.
    #[serde(default)]
    left_out: BTreeMap<Place, (Timestamp, u32)>,
    flapping: Option<Calm>,
    /// How long nobody needs to know: until the next round can tell whether it was a moment.
    #[serde(default)]
    patience: Duration,
    evidence: Evidence,
}

impl Incident {
    /// Its name.
    #[must_use]
    pub fn id(&self) -> &IncidentId {
        &self.id
    }

    /// Whose it is.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// When it began.
    #[must_use]
    pub fn since(&self) -> Timestamp {
        self.since
    }

    /// What it is about: one backend, if that is all that is in trouble.
    #[must_use]
    pub fn subject(&self) -> &Subject {
        &self.last.0
    }

    /// What is in trouble at the moment. Nothing only while it is flapping.
    #[must_use]
    pub fn places(&self) -> &BTreeMap<Place, Trouble> {
        &self.places
    }

    /// How the service fails at the moment; none while it is flapping and works.
    #[must_use]
    pub fn trouble_kind(&self) -> Option<TroubleKind> {
        self.places.values().map(|trouble| trouble.kind).max()
    }

    /// Whether it comes and goes.
    #[must_use]
    pub fn is_flapping(&self) -> bool {
        self.flapping.is_some()
    }

    /// How long it must be open before anybody is alerted, whatever receivers ask for.
    #[must_use]
    pub fn patience(&self) -> Duration {
        if self.is_flapping() { Duration::ZERO } else { self.patience }
    }

    /// What the last round that changed it, or proved its trouble again, says.
    #[must_use]
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// This incident as a change at an instant, on the latest evidence.
    pub(super) fn change(&self, kind: ChangeKind, at: Timestamp) -> Change {
        Change {
            incident: self.id.clone(),
            kind,
            scope: self.scope.clone(),
            subject: self.last.0.clone(),
            status: self.trouble_kind(),
            reason: self.last.2.clone(),
            since: self.since,
            at,
            evidence: self.evidence.clone(),
        }
    }

    fn rests_on(&mut self, step: &Step) {
        let offset = offset_of(&self.places).or(step.offset);
        self.evidence = Evidence { summary: step.summary.clone(), offset, places: self.places.clone() };
        let worst = |worst: &'_ Trouble, other: &'_ Trouble| other.kind > worst.kind;
        let worst = self.places.values().reduce(|one, other| if worst(one, other) { other } else { one });
        if let Some(worst) = worst {
            self.last = (subject(&self.scope, &self.places), worst.kind, worst.reason.clone());
        }
    }
}

fn subject(scope: &Scope, places: &BTreeMap<Place, Trouble>) -> Subject {
    match (scope, places.first_key_value()) {
        (Scope::Monitor(part), _) => Subject::Monitor(part.clone()),
        (Scope::Check(check), Some((Place::Backend(instance), _))) if places.len() == 1 => {
            Subject::Backend { check: check.clone(), instance: instance.clone() }
        }
        (Scope::Check(check), _) => Subject::Check(check.clone()),
    }
}

/// What a round says about one track.
#[derive(Debug, Default)]
pub(super) struct Finding {
    /// Proven to be in trouble.
    pub(super) bad: BTreeMap<Place, Trouble>,
    /// Proven to be good.
    pub(super) leaving: Vec<Place>,
    /// No longer there.
    pub(super) gone: Vec<Place>,
    /// Whether all that was asked is proven good.
    pub(super) is_calm: bool,
}

/// When, and in which words.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) now: Timestamp,
    pub(super) summary: String,
    pub(super) offset: Option<OffsetBounds>,
    pub(super) stands_for: Duration,
}

impl Step {
    pub(super) fn of(round: &Round<'_>, now: Timestamp) -> Self {
        let offset = round.observation.offset();
        Self { now, summary: round.summary.clone(), offset, stands_for: round.stands_for }
    }
}

/// The incident of one check or one part of the monitor, and what came before it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Track {
    incident: Option<Incident>,
    starts: Starts,
    /// When places left the incident that is open.
    left: BTreeMap<Place, Timestamp>,
}

impl Track {
    pub(super) fn incident(&self) -> Option<&Incident> {
        self.incident.as_ref()
    }

    /// Whether nothing of it matters any more.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.incident.is_none() && self.starts.are_over(now)
    }

    /// What a round of a check says about what is in trouble.
    pub(super) fn finding(&mut self, round: &Observation, now: Timestamp) -> Finding {
        let is_calm = round.status() == ServiceStatus::Ok;
        let mut finding = Finding { bad: round.troubles().clone(), is_calm, ..Finding::default() };
        let Some(incident) = &mut self.incident else { return finding };
        for (place, trouble) in &incident.places {
            let is_good = match place {
                Place::Service => is_calm,
                Place::Name => round.has_addresses() && round.is_informative(),
                Place::Address(_) | Place::Backend(_) | Place::Check(_) => {
                    round.disproves(place, trouble.kind)
                }
            };
            if round.has_met(place) {
                incident.there.remove(place);
                incident.left_out.remove(place);
            }
            if finding.bad.contains_key(place) {
                continue;
            }
            let mut is_gone = || match place {
                Place::Address(_) => is_address_gone(place, round, &mut incident.left_out, now),
                Place::Backend(_) => is_backend_gone(place, round, &mut incident.there),
                Place::Service | Place::Name | Place::Check(_) => false,
            };
            if is_good {
                finding.leaving.push(place.clone());
            } else if !round.has_met(place) && is_gone() {
                finding.gone.push(place.clone());
            }
        }
        finding
    }

    /// Takes in what a round says. `names` are those of the incidents of all tracks.
    pub(super) fn apply(
        &mut self,
        scope: &Scope,
        finding: Finding,
        step: &Step,
        names: &mut Names,
    ) -> Vec<Change> {
        match &mut self.incident {
            Some(_) => self.go_on(finding, step).into_iter().collect(),
            None if finding.bad.is_empty() => Vec::new(),
            None => self.open(scope, finding.bad, step, names.next(step.now)),
        }
    }

    fn open(
        &mut self,
        scope: &Scope,
        places: BTreeMap<Place, Trouble>,
        step: &Step,
        id: IncidentId,
    ) -> Vec<Change> {
        let is_flapping = self.starts.add(step.now);
        let mut incident = Incident {
            id,
            scope: scope.clone(),
            since: step.now,
            last: (subject(scope, &places), TroubleKind::Down, String::new()),
            places,
            there: BTreeMap::new(),
            left_out: BTreeMap::new(),
            flapping: is_flapping.then(Calm::default),
            patience: if scope.may_be_momentary() { step.stands_for } else { Duration::ZERO },
            evidence: Evidence::default(),
        };
        incident.forget_unlikely_backends();
        incident.rests_on(step);
        let kinds = [ChangeKind::Opened, ChangeKind::Flapping];
        let changes = kinds.into_iter().take(1 + usize::from(is_flapping));
        let changes = changes.map(|kind| incident.change(kind, step.now)).collect();
        self.incident = Some(incident);
        changes
    }

    /// The next round of an open incident.
    fn go_on(&mut self, finding: Finding, step: &Step) -> Option<Change> {
        let incident = self.incident.as_mut()?;
        let before = incident.places.clone();
        let ending = if finding.gone.is_empty() { Ending::Recovered } else { Ending::Gone };
        for place in finding.leaving.iter().chain(&finding.gone) {
            if incident.places.remove(place).is_some() {
                incident.there.remove(place);
                incident.left_out.remove(place);
                self.left.insert(place.clone(), step.now);
            }
        }
        let is_proven_again = !finding.bad.is_empty();
        self.left.retain(|_, then| is_recent(*then, step.now));
        let has_returned = finding.bad.keys().filter(|place| self.left.remove(*place).is_some()).count() > 0;
        if finding.bad.keys().any(|place| before.contains_key(place)) {
            incident.patience = Duration::ZERO;
        } else if is_proven_again {
            incident.patience = incident.patience.min(elapsed(incident.since, step.now) + step.stands_for);
        }
        incident.places.extend(finding.bad);
        incident.forget_unlikely_backends();
        let starts_too_often = has_returned && self.starts.add(step.now);
        let is_over = incident.take_calm(is_proven_again, finding.is_calm, step);
        if is_over {
            return self.close(ending, step);
        }
        let kind = incident.compared_with(&before);
        if kind.is_some() || is_proven_again {
            incident.rests_on(step);
        }
        if incident.is_flapping() {
            return None;
        }
        if starts_too_often {
            incident.flapping = Some(Calm::default());
            return Some(incident.change(ChangeKind::Flapping, step.now));
        }
        let is_announced = matches!(incident.scope, Scope::Check(_));
        kind.filter(|_| is_announced).map(|kind| incident.change(kind, step.now))
    }

    /// Closes the incident of something that is watched no more.
    pub(super) fn removed(mut self, ending: Ending, step: &Step) -> Option<Change> {
        self.close(ending, step)
    }

    fn close(&mut self, ending: Ending, step: &Step) -> Option<Change> {
        let mut incident = self.incident.take()?;
        self.left.clear();
        if incident.is_flapping() {
            self.starts.clear();
        }
        incident.places.clear();
        incident.rests_on(step);
        Some(incident.change(ChangeKind::Closed(ending), step.now))
    }

    /// No remembered time is after this one.
    pub(super) fn not_after(&mut self, now: Timestamp) {
        self.starts.not_after(now);
        self.left.values_mut().for_each(|then| *then = now.min(*then));
        if let Some(incident) = &mut self.incident {
            incident.since = now.min(incident.since);
            if let Some(calm) = &mut incident.flapping {
                calm.not_after(now);
            }
        }
    }
}

impl Incident {
    /// Whether it is over: nothing is wrong, and when it is flapping, has not been for long enough.
    fn take_calm(&mut self, is_bad: bool, is_calm: bool, step: &Step) -> bool {
        let is_empty = self.places.is_empty();
        let Some(calm) = &mut self.flapping else { return is_empty };
        if is_bad {
            calm.trouble();
        } else if is_calm && is_empty {
            calm.good(step.now, step.stands_for);
            return calm.is_enough();
        } else {
            calm.unknown(step.now);
        }
        false
    }

    /// A name of a backend is free text of the service, and may be another one in each answer. The incident rests on as many
    /// as can be expected of a check at most: those that are most likely still there.
    fn forget_unlikely_backends(&mut self) {
        let backends = self.places.keys().filter(|place| matches!(place, Place::Backend(_)));
        let chance = |place: &Place| self.there.get(place).copied().unwrap_or(BILLION);
        let mut by_chance: Vec<(u32, Place)> = backends.map(|place| (chance(place), place.clone())).collect();
        by_chance.sort_unstable();
        let more = by_chance.len().saturating_sub(MOST_BACKENDS);
        for (_, place) in by_chance.into_iter().take(more) {
            self.places.remove(&place);
            self.there.remove(&place);
        }
    }

    /// How what is in trouble differs from before.
    fn compared_with(&self, before: &BTreeMap<Place, Trouble>) -> Option<ChangeKind> {
        let new = self.places.iter().filter(|(place, _)| !before.contains_key(*place)).count();
        let old = before.keys().filter(|place| !self.places.contains_key(*place)).count();
        let is_other = |(place, trouble): (&Place, &Trouble)| {
            before.get(place).is_some_and(|was| (was.kind, &was.reason) != (trouble.kind, &trouble.reason))
        };
        match (new, old) {
            (0, 0) => self.places.iter().any(is_other).then_some(ChangeKind::Shifted),
            (_, 0) => Some(ChangeKind::Grew),
            (0, _) => Some(ChangeKind::Shrank),
            _ => Some(ChangeKind::Shifted),
        }
    }
}

/// Whether a backend that a round did not meet is no longer there.
fn is_backend_gone(place: &Place, round: &Observation, there: &mut BTreeMap<Place, u32>) -> bool {
    let chance = there.entry(place.clone()).or_insert(BILLION);
    // Rounded up, so that it is never called gone too early.
    let less = (u64::from(*chance) * u64::from(round.chance_missed())).div_ceil(u64::from(BILLION));
    *chance = u32::try_from(less).unwrap_or(BILLION);
    *chance <= GONE
}

/// Whether the name no longer has an address that a round did not meet.
fn is_address_gone(
    place: &Place,
    round: &Observation,
    left_out: &mut BTreeMap<Place, (Timestamp, u32)>,
    now: Timestamp,
) -> bool {
    if !round.knows_all_addresses() {
        return false;
    }
    let (since, lookups) = left_out.entry(place.clone()).or_insert((now, 0));
    *since = now.min(*since);
    *lookups += 1;
    *lookups >= LOOKUPS_WITHOUT && elapsed(*since, now) >= TIME_WITHOUT
}
