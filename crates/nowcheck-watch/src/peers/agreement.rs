//! Whether the references of several instances agree, by what each of them measures of the same clock.
//!
//! A backend that names itself is one clock for all instances. Each of them knows bounds on its offset from *their own*
//! reference, and if all references are right, all bounds hold the offset from true time. Bounds that have nothing in common
//! prove that a reference is wrong, if the clock of the backend did not move between the measurements.
//!
//! It may have moved: it is slewed, or was set. So two instances contradict each other only if one has measured *between* two
//! measurements of the other, and its bounds have nothing in common with the hull of those. A clock that drifts, is slewed or
//! is set once lies within that hull in between; only one that was set forth and back in that time looks like a wrong
//! reference.
//!
//! Which one is wrong follows from the majority: the largest set of instances none of which contradicts another (Marzullo's
//! idea, 1984, for the sources of a client). Where that is no more than half of them, nobody can tell.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use clock_offset::MonotonicInstant;
use nowcheck::check::MOST_BACKENDS;

use super::known::{LIVING, When};
use crate::figures::{bounds as bounds_in_words, nanoseconds};
use crate::incident::OffsetBounds;

/// Two measurements of an instance bracket that of another if they are no further apart.
const BRACKET: Duration = Duration::from_mins(10);

/// What is older says nothing about how things stand.
const RECENT: Duration = Duration::from_mins(15);

/// Measurements of a clock that are kept of each instance.
const KEPT: usize = 4;

/// More instances than these are not compared: the sets of them are tried one by one.
const MOST_COMPARED: usize = 12;

/// A measurement of the offset of a clock, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Measured {
    pub(super) when: When,
    pub(super) lower: f64,
    pub(super) upper: f64,
}

/// A clock: the check and the name of the backend.
type Clock = (String, String);

/// What the instances measured lately, by clock and name of the instance.
#[derive(Debug, Default)]
pub(super) struct Measurements(BTreeMap<Clock, BTreeMap<String, VecDeque<Measured>>>);

/// The references of two instances contradict each other.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Contradiction {
    /// The instances whose references are wrong; none if nobody can tell which ones are.
    pub(crate) wrong: BTreeSet<String>,
    /// All instances that contradict another one.
    pub(crate) parties: BTreeSet<String>,
    /// By what it is seen.
    pub(crate) example: Example,
}

/// Two instances, and what they say of one clock.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Example {
    pub(crate) check: String,
    pub(crate) backend: String,
    /// The name of each instance and its bounds, in seconds.
    pub(crate) sides: [(String, f64, f64); 2],
}

impl Measurements {
    /// Takes what an instance measured. The same measurement may be told again.
    pub(super) fn add(&mut self, check: &str, backend: &str, instance: &str, measured: Measured) {
        let clock = (check.to_owned(), backend.to_owned());
        self.make_room_for(&clock);
        let of = self.0.entry(clock).or_default();
        let of = of.entry(instance.to_owned()).or_default();
        // Through others it is known less well when it was, so the same bounds at about the same time are the same.
        let is_known = |last: &Measured| {
            let gap = measured.when.earliest.since(last.when.latest);
            let is_alike = (last.lower, last.upper) == (measured.lower, measured.upper);
            gap.is_zero() || (is_alike && gap < LIVING / 2)
        };
        if of.back().is_some_and(is_known) {
            return;
        }
        if of.len() == KEPT {
            of.pop_front();
        }
        of.push_back(measured);
    }

    /// A name of a backend is free text of the service: of each check the clocks are remembered that were heard of last.
    fn make_room_for(&mut self, clock: &Clock) {
        if self.0.contains_key(clock) {
            return;
        }
        let of_check = || {
            let from_the_first = self.0.range((clock.0.clone(), String::new())..);
            from_the_first.take_while(|((check, _), _)| *check == clock.0)
        };
        if of_check().count() < MOST_BACKENDS {
            return;
        }
        let heard = |of: &BTreeMap<String, VecDeque<Measured>>| {
            of.values().filter_map(|all| Some(all.back()?.when.latest)).max()
        };
        if let Some(oldest) = of_check().min_by_key(|(_, of)| heard(of)).map(|(clock, _)| clock.clone()) {
            self.0.remove(&oldest);
        }
    }

    /// Forgets what is old.
    pub(super) fn retain(&mut self, now: MonotonicInstant) {
        let is_recent = |measured: &Measured| now.since(measured.when.latest) < RECENT;
        self.0.retain(|_, of| {
            of.retain(|_, all| all.back().is_some_and(is_recent));
            !of.is_empty()
        });
    }

    /// Whether references contradict each other.
    pub(super) fn contradiction(&self) -> Option<Contradiction> {
        let mut pairs = BTreeSet::new();
        let mut compared: BTreeSet<&str> = BTreeSet::new();
        let mut example = None;
        for ((check, backend), of) in &self.0 {
            if of.len() < 2 {
                continue;
            }
            compared.extend(of.keys().map(String::as_str));
            for (nth, (one, by_one)) in of.iter().enumerate() {
                for (other, by_other) in of.iter().skip(nth + 1) {
                    let Some((a, b)) = contradicting(by_one, by_other) else { continue };
                    pairs.insert((one.as_str(), other.as_str()));
                    example.get_or_insert_with(|| Example {
                        check: check.clone(),
                        backend: backend.clone(),
                        sides: [(one.clone(), a.lower, a.upper), (other.clone(), b.lower, b.upper)],
                    });
                }
            }
        }
        let example = example?;
        let parties =
            pairs.iter().flat_map(|(one, other)| [one, other]).map(|name| (*name).to_owned()).collect();
        let compared: Vec<&str> = compared.into_iter().collect();
        Some(Contradiction { wrong: outvoted(&compared, &pairs), parties, example })
    }
}

impl Contradiction {
    /// In one sentence.
    pub(crate) fn summary(&self) -> String {
        let names = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(", ");
        let whose = match self.wrong.len() {
            0 => {
                let parties = names(&self.parties);
                format!("one of the references of {parties} is wrong, and nobody can tell which")
            }
            1 => format!("the reference of {} is wrong", names(&self.wrong)),
            _ => format!("the references of {} are wrong", names(&self.wrong)),
        };
        let Example { check, backend, sides: [one, other] } = &self.example;
        format!("{whose}: of the backend {backend} of {check}, {} and {}", side(one), side(other))
    }
}

/// What an instance says: `paris measures between …`.
fn side((name, lower, upper): &(String, f64, f64)) -> String {
    let bounds = OffsetBounds { lower: nanoseconds(*lower), upper: nanoseconds(*upper) };
    format!("{name} measures {}", bounds_in_words(bounds))
}

/// Two measurements that contradict each other, whatever the clock did but for moving forth and back.
fn contradicting(one: &VecDeque<Measured>, other: &VecDeque<Measured>) -> Option<(Measured, Measured)> {
    let within = bracketed(one, other);
    within.or_else(|| bracketed(other, one).map(|(inner, outer)| (outer, inner)))
}

/// A measurement of the first that lies between two of the other and has nothing in common with their hull: it, and the hull.
fn bracketed(inner: &VecDeque<Measured>, outer: &VecDeque<Measured>) -> Option<(Measured, Measured)> {
    let pairs = outer.iter().zip(outer.iter().skip(1));
    let mut pairs = pairs.filter(|(before, after)| after.when.latest.since(before.when.earliest) <= BRACKET);
    // The latest says how things stand now.
    let (before, after) = pairs.next_back()?;
    let between =
        |one: &&Measured| before.when.latest <= one.when.earliest && one.when.latest <= after.when.earliest;
    let hull = Measured {
        when: after.when,
        lower: before.lower.min(after.lower),
        upper: before.upper.max(after.upper),
    };
    let is_elsewhere = |one: &&Measured| one.upper < hull.lower || hull.upper < one.lower;
    inner.iter().rev().find(between).filter(is_elsewhere).map(|one| (*one, hull))
}

/// Those that are in no largest set without a contradiction, if such a set is more than half of all.
fn outvoted(all: &[&str], pairs: &BTreeSet<(&str, &str)>) -> BTreeSet<String> {
    if all.len() > MOST_COMPARED {
        return BTreeSet::new();
    }
    let places = |set: u32| (0..all.len()).filter(move |nth| set >> nth & 1 == 1);
    let agrees =
        |set: &u32| !places(*set).any(|a| places(*set).any(|b| a < b && pairs.contains(&(all[a], all[b]))));
    let sets: Vec<u32> = (1..1_u32 << all.len()).filter(agrees).collect();
    let largest = sets.iter().map(|set| set.count_ones()).max().unwrap_or(0);
    if usize::try_from(largest).unwrap_or(0) * 2 <= all.len() {
        return BTreeSet::new();
    }
    let right = sets.iter().filter(|set| set.count_ones() == largest).fold(0, |right, set| right | set);
    places(!right).map(|nth| all[nth].to_owned()).collect()
}

#[cfg(test)]
mod tests;
