//! What anybody may know. Pages, the feed and badges are made of this alone, so nothing else can reach them: no address,
//! URL, label, instance, evidence, and nothing of checks that are not public.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::availability::FourTimes;
use crate::board::CheckState;
use crate::history::{PastIncident, Point};
use crate::incident::{Change, ChangeKind, Ending, OffsetBounds, Place, Scope, ServiceStatus, TroubleKind};
use crate::web::pages::parts;

/// The days that the page shows.
pub(super) const DAYS: u16 = 90;

/// All of it, at one moment.
#[derive(Debug, Clone)]
pub(super) struct Published {
    pub(super) at: Timestamp,
    /// The worst first.
    pub(super) services: Vec<PublicService>,
    /// The latest first.
    pub(super) incidents: Vec<PublicIncident>,
    /// Whether the past could be read.
    pub(super) knows_the_past: bool,
}

/// A public check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PublicService {
    pub(super) name: String,
    pub(super) status: ServiceStatus,
    /// Since when it is that; none before the first round.
    pub(super) since: Option<Timestamp>,
    /// How far off its clock is at most.
    pub(super) off_by: Option<Duration>,
    /// Whether somebody works on it.
    pub(super) is_maintained: bool,
    /// The last days, the oldest first.
    pub(super) days: Vec<Day>,
}

/// What a day, by UTC, came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Day {
    pub(super) from: Timestamp,
    /// Nothing, if it was not watched.
    pub(super) times: FourTimes,
}

impl From<&Point> for Day {
    fn from(point: &Point) -> Self {
        Self { from: point.from, times: point.summary.times }
    }
}

impl PublicService {
    pub(super) fn new(state: &CheckState, days: &[Day], is_maintained: bool, now: Timestamp) -> Self {
        let status = state.status_at(now).service();
        Self {
            name: state.identity.name.clone(),
            status,
            since: state.latest.is_some().then(|| state.since_at(now)),
            off_by: state.offset_at(now).filter(|_| status == ServiceStatus::Ok).map(greatest),
            is_maintained,
            days: days.to_vec(),
        }
    }

    /// What the last days came to.
    pub(super) fn times(&self, days: usize) -> FourTimes {
        let first = self.days.len().saturating_sub(days);
        self.days[first..].iter().fold(FourTimes::default(), |sum, day| sum + day.times)
    }
}

fn greatest(offset: OffsetBounds) -> Duration {
    let nanos = offset.lower.unsigned_abs().max(offset.upper.unsigned_abs());
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// An incident of a public check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PublicIncident {
    pub(super) service: String,
    /// The worst that it was.
    pub(super) status: ServiceStatus,
    pub(super) since: Timestamp,
    pub(super) until: Option<Timestamp>,
    /// What happened, in order.
    pub(super) story: Vec<Happening>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Happening {
    pub(super) at: Timestamp,
    pub(super) text: String,
}

/// Changes of an incident that are told, at most: the first ones, and the last one.
const TOLD: usize = 20;

impl PublicIncident {
    /// None if it is not that of a check.
    pub(super) fn new(incident: &PastIncident) -> Option<Self> {
        let Scope::Check(service) = &incident.scope else { return None };
        let worst = incident.changes.iter().filter_map(|change| change.status).max()?;
        let all = incident.changes.iter().map(|change| Happening { at: change.at, text: said(change) });
        let mut story: Vec<Happening> = all.collect();
        story.dedup_by(|next, before| next.text == before.text);
        if story.len() > TOLD {
            story.drain(TOLD - 1..story.len() - 1);
        }
        Some(Self {
            service: service.clone(),
            status: worst.into(),
            since: incident.since,
            until: incident.until,
            story,
        })
    }

    /// Its name among all that are public. That of the monitor would tell how many incidents there are of other checks.
    pub(super) fn key(&self) -> String {
        format!("{}-{}", self.since.as_second(), parts::encoded(&self.service))
    }

    /// When something happened to it last.
    pub(super) fn updated(&self) -> Timestamp {
        self.story.last().map_or(self.since, |last| last.at).max(self.since)
    }
}

/// What happened, without a word of the evidence: that names hosts, addresses and instances.
fn said(change: &Change) -> String {
    let text = match change.kind {
        ChangeKind::Opened | ChangeKind::Shifted => return trouble(change),
        ChangeKind::Grew => "More of it is affected.",
        ChangeKind::Shrank => "Less of it is affected.",
        ChangeKind::Flapping => "It fails and recovers again and again.",
        ChangeKind::Closed(Ending::Recovered) => "It works again.",
        ChangeKind::Closed(Ending::Gone) => "The part that failed was taken out of service.",
        ChangeKind::Closed(Ending::Removed | Ending::Moved) => "It is no longer watched.",
    };
    text.to_owned()
}

fn trouble(change: &Change) -> String {
    let places = &change.evidence.places;
    let is_part = !places.is_empty() && places.keys().all(|place| matches!(place, Place::Backend(_)));
    let whose = match (is_part, places.len()) {
        (false, _) => "Its clock is",
        (true, 1) => "The clock of one of its servers is",
        (true, _) => "The clocks of some of its servers are",
    };
    match change.status {
        None => "It works at the moment.".to_owned(),
        Some(TroubleKind::Down) if change.reason == "backends_missing" => {
            "Fewer of its servers answer than should.".to_owned()
        }
        Some(TroubleKind::Down) => "It does not give the time.".to_owned(),
        Some(TroubleKind::Wrong) if change.reason == "stale_cache" => {
            "It gives an old time: something caches its answers.".to_owned()
        }
        Some(TroubleKind::Wrong) => match change.evidence.offset {
            Some(offset) => format!("{whose} off by {}.", parts::offset(offset)),
            None => format!("{whose} wrong."),
        },
    }
}

/// The days of each public check, by name.
pub(super) type DaysOf = BTreeMap<String, Vec<Day>>;
