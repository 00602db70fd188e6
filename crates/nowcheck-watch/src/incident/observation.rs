//! What one round proved, as far as incidents are concerned.

mod from_outcome;

use std::collections::{BTreeMap, BTreeSet};

use clock_offset::{Interval, Offset};
use serde::{Deserialize, Serialize};

use super::{MonitorPart, Place};

/// What a service is: one of the four kinds of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceStatus {
    /// Up, and its clock right as far as was asked. A warning is ok, too.
    Ok,
    /// Nothing is proven.
    Unknown,
    /// Up, and its clock is proven wrong, or its answer old.
    Wrong,
    /// Down, as a whole or in part.
    Down,
}

impl ServiceStatus {
    /// As the contract writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unknown => "unknown",
            Self::Wrong => "wrong",
            Self::Down => "down",
        }
    }
}

/// How something fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TroubleKind {
    /// It answers, and what it says is proven wrong.
    Wrong,
    /// It gives no time.
    Down,
}

impl From<TroubleKind> for ServiceStatus {
    fn from(kind: TroubleKind) -> Self {
        match kind {
            TroubleKind::Wrong => Self::Wrong,
            TroubleKind::Down => Self::Down,
        }
    }
}

/// What is proven of a place that works. The order is that of strength.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// It answers. Nothing vouches for the clock that it was compared with, so its own may be wrong.
    Up,
    /// It answers, and its clock is right.
    Right,
}

/// Bounds on offsets in nanoseconds: server − reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffsetBounds {
    /// The lower bound.
    pub lower: i128,
    /// The upper bound.
    pub upper: i128,
}

impl OffsetBounds {
    /// Bounds that hold both.
    #[must_use]
    pub fn hull(self, other: Self) -> Self {
        Self { lower: self.lower.min(other.lower), upper: self.upper.max(other.upper) }
    }
}

impl From<Interval<Offset>> for OffsetBounds {
    fn from(offset: Interval<Offset>) -> Self {
        Self { lower: offset.earliest().as_nanos(), upper: offset.latest().as_nanos() }
    }
}

/// What is wrong at a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// How it fails.
    pub kind: TroubleKind,
    /// Why, as the contract writes it (`desynchronized`, `stale_cache`, …); of the monitor, the part.
    pub reason: String,
    /// Bounds on the offset of the clocks there that are wrong.
    pub offset: Option<OffsetBounds>,
}

impl Trouble {
    /// Trouble without an offset.
    #[must_use]
    pub fn new(kind: TroubleKind, reason: &str) -> Self {
        Self { kind, reason: reason.to_owned(), offset: None }
    }
}

/// What one round proved. Its status follows from the proofs, so the two cannot contradict each other.
///
/// Make it of an [`Outcome`](nowcheck::outcome::Outcome), or place by place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observation {
    bad: BTreeMap<Place, Trouble>,
    good: BTreeMap<Place, Proof>,
    met: BTreeSet<Place>,
    faults: BTreeSet<MonitorPart>,
    works: BTreeSet<MonitorPart>,
    reason: Option<&'static str>,
    offset: Option<OffsetBounds>,
    is_warning: bool,
    is_inconclusive: bool,
    has_answered: bool,
    chance_met: u32,
}

/// One in a billion: the unit of chances here. Whole numbers are the same after a restart.
pub(super) const BILLION: u32 = 1_000_000_000;

impl Observation {
    /// A round that proved trouble at these places, and nothing else.
    #[must_use]
    pub fn of_trouble(places: impl IntoIterator<Item = (Place, Trouble)>) -> Self {
        places.into_iter().fold(Self::default(), |round, (place, trouble)| round.with_trouble(place, trouble))
    }

    /// A round that proved these places to be up and right.
    #[must_use]
    pub fn of_proof(places: impl IntoIterator<Item = Place>) -> Self {
        places.into_iter().fold(Self::default(), |round, place| round.with_proof(place, Proof::Right))
    }

    /// A round that failed because of the monitor.
    #[must_use]
    pub fn of_fault(part: MonitorPart) -> Self {
        Self::default().with_fault(part)
    }

    /// Adds trouble at a place. It outranks proof that the place is good, and the worse of two troubles remains.
    #[must_use]
    pub fn with_trouble(mut self, place: Place, trouble: Trouble) -> Self {
        self.good.remove(&place);
        self.met.insert(place.clone());
        let known = self.bad.entry(place).or_insert_with(|| trouble.clone());
        let offset = hull(known.offset, trouble.offset);
        if trouble.kind > known.kind {
            *known = trouble;
        }
        known.offset = offset;
        self
    }

    /// Adds proof that a place is good. The weaker of two proofs remains.
    #[must_use]
    pub fn with_proof(mut self, place: Place, proof: Proof) -> Self {
        self.met.insert(place.clone());
        if !self.bad.contains_key(&place) {
            self.good.entry(place).and_modify(|known| *known = proof.min(*known)).or_insert(proof);
        }
        self
    }

    /// Adds a fault of the monitor.
    #[must_use]
    pub fn with_fault(mut self, part: MonitorPart) -> Self {
        self.is_inconclusive = true;
        self.faults.insert(part);
        self
    }

    /// Something was asked or met, and nothing is proven of it.
    #[must_use]
    pub fn with_doubt_about(mut self, place: Place) -> Self {
        self.is_inconclusive = true;
        self.met.insert(place);
        self
    }

    /// The greatest chance that a backend which is there was not met, from 0 to 1. Without it, it is 1.
    #[must_use]
    pub fn with_miss_probability(mut self, probability: f64) -> Self {
        let missed = if probability.is_nan() { 1.0 } else { probability.clamp(0.0, 1.0) };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to a billion")]
        let missed = (missed * f64::from(BILLION)).ceil() as u32;
        self.chance_met = BILLION.saturating_sub(missed);
        self
    }

    /// What the service is by this round alone.
    #[must_use]
    pub fn status(&self) -> ServiceStatus {
        match self.bad.values().map(|trouble| trouble.kind).max() {
            Some(kind) => kind.into(),
            None if self.is_inconclusive || self.good.is_empty() => ServiceStatus::Unknown,
            None => ServiceStatus::Ok,
        }
    }

    /// Why it is that, as the contract writes it.
    #[must_use]
    pub fn reason(&self) -> &str {
        let worst =
            self.bad.values().reduce(|worst, other| if other.kind > worst.kind { other } else { worst });
        match (worst, self.reason) {
            (Some(trouble), _) => &trouble.reason,
            (None, Some(reason)) => reason,
            (None, None) if !self.faults.is_empty() => "checker_fault",
            (None, None) if self.status() == ServiceStatus::Unknown => "undetermined",
            (None, None) => "in_sync",
        }
    }

    /// Whether it is ok, and less is proven than was asked for.
    #[must_use]
    pub fn is_warning(&self) -> bool {
        self.is_warning && self.status() == ServiceStatus::Ok
    }

    /// What is proven to be in trouble.
    #[must_use]
    pub fn troubles(&self) -> &BTreeMap<Place, Trouble> {
        &self.bad
    }

    /// The parts of the monitor that were at fault.
    #[must_use]
    pub fn faults(&self) -> &BTreeSet<MonitorPart> {
        &self.faults
    }

    /// Bounds on the offsets of all clocks that were compared with a reference.
    #[must_use]
    pub fn offset(&self) -> Option<OffsetBounds> {
        self.offset
    }

    /// Whether the place is proven good in that respect.
    pub(super) fn disproves(&self, place: &Place, kind: TroubleKind) -> bool {
        let needed = match kind {
            TroubleKind::Down => Proof::Up,
            TroubleKind::Wrong => Proof::Right,
        };
        self.good.get(place).is_some_and(|proof| *proof >= needed)
    }

    pub(super) fn has_met(&self, place: &Place) -> bool {
        self.met.contains(place)
    }

    /// Whether an address was asked, so that the name has some.
    pub(super) fn has_addresses(&self) -> bool {
        self.met.iter().any(|place| matches!(place, Place::Address(_)))
    }

    /// Whether all addresses of the name were looked up. What is met of a name is that a lookup of it fails.
    pub(super) fn knows_all_addresses(&self) -> bool {
        self.has_addresses() && self.is_informative() && !self.met.contains(&Place::Name)
    }

    /// The chance, in billionths, that this round did not meet a backend which is there.
    pub(super) fn chance_missed(&self) -> u32 {
        BILLION - self.chance_met
    }

    /// Whether it shows that a part of the monitor works. That a service is down shows nothing of the reference.
    pub(super) fn shows(&self, part: &MonitorPart) -> bool {
        match part {
            MonitorPart::Reference => {
                self.works.contains(part) || self.offset.is_some() || !self.good.is_empty()
            }
            _ => self.is_informative(),
        }
    }

    /// Whether the service answered, or was proven down: so the monitor could ask.
    pub(super) fn is_informative(&self) -> bool {
        self.has_answered || !self.bad.is_empty() || !self.good.is_empty()
    }
}

fn hull(one: Option<OffsetBounds>, other: Option<OffsetBounds>) -> Option<OffsetBounds> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.hull(other)),
        (one, other) => one.or(other),
    }
}

/// Bounds on the offsets of all that is in trouble.
pub(super) fn offset_of(troubles: &BTreeMap<Place, Trouble>) -> Option<OffsetBounds> {
    troubles.values().filter_map(|trouble| trouble.offset).reduce(OffsetBounds::hull)
}
