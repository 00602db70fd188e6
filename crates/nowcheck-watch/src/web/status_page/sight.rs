//! From the board and the history to what is published, as often as it changes.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use nowcheck::clock::Clock;

use super::published::{DAYS, DaysOf, PublicIncident, PublicService, Published};
use crate::board::{Board, CheckState};
use crate::history::{HistoryError, Range};
use crate::incident::{Scope, ServiceStatus};
use crate::results::Results;

/// Incidents that are listed, at most.
const LISTED: usize = 50;

/// How often days are read, at least that long apart.
const DAYS_EVERY: Duration = Duration::from_mins(1);

/// What the page sees of the monitor.
#[derive(Debug)]
pub(super) struct Sight {
    pub(super) clock: Clock,
    pub(super) board: Arc<Board>,
    pub(super) results: Arc<Results>,
    past: Past,
}

/// What was read of the history.
#[derive(Debug, Default)]
struct Past {
    days: DaysOf,
    incidents: Vec<PublicIncident>,
    /// When the days were read, and for how long they will do.
    days_read: Option<(Timestamp, Duration)>,
    is_known: bool,
}

/// What has to be shown at once when it changes.
pub(super) type Signs = Vec<(String, ServiceStatus, Option<String>, bool)>;

impl Sight {
    pub(super) fn new(clock: Clock, board: Arc<Board>, results: Arc<Results>) -> Self {
        Self { clock, board, results, past: Past::default() }
    }

    pub(super) fn signs(&self, now: Timestamp) -> Signs {
        let maintained = self.maintained(now);
        let sign = |check: Arc<CheckState>| {
            let name = check.identity.name.clone();
            let (incident, is_maintained) = (self.results.incident_of(&name), maintained(&name));
            (name, check.status_at(now).service(), incident, is_maintained)
        };
        self.public().map(sign).collect()
    }

    fn public(&self) -> impl Iterator<Item = Arc<CheckState>> + use<> {
        self.board.checks().into_iter().filter(|check| check.identity.is_public)
    }

    /// Whether somebody works on a check.
    fn maintained(&self, now: Timestamp) -> impl Fn(&str) -> bool + use<> {
        let (mut planned, announced) = self.results.maintenance(now);
        planned.retain(|one| one.window.contains(now));
        let announced: Vec<_> =
            announced.into_iter().filter(|one| one.from <= now && now < one.until).collect();
        move |check: &str| {
            planned.iter().any(|one| one.covers(check, now))
                || announced.iter().any(|one| one.checks.as_ref().is_none_or(|checks| checks.contains(check)))
        }
    }

    /// What anybody may know now. It reads the history, and may wait for the disk.
    pub(super) fn look(&mut self, now: Timestamp) -> Published {
        let checks: Vec<Arc<CheckState>> = self.public().collect();
        self.past.is_known = self.read(&checks, now).is_ok();
        let maintained = self.maintained(now);
        let none = Vec::new();
        let mut services: Vec<PublicService> = checks
            .iter()
            .map(|check| {
                let name = &check.identity.name;
                let days = self.past.days.get(name).unwrap_or(&none);
                PublicService::new(check, days, maintained(name), now)
            })
            .collect();
        services.sort_by(|one, other| other.status.cmp(&one.status).then_with(|| one.name.cmp(&other.name)));
        Published {
            at: now,
            services,
            incidents: self.past.incidents.clone(),
            knows_the_past: self.past.is_known,
        }
    }

    fn read(&mut self, checks: &[Arc<CheckState>], now: Timestamp) -> Result<(), HistoryError> {
        let reader = self.results.history().reader()?;
        let range = Range::last(Duration::from_hours(24 * u64::from(DAYS - 1)), now);
        let is_public = |scope: &Scope| matches!(scope, Scope::Check(name) if checks.iter().any(|check| check.identity.name == *name));
        let found = reader.incidents_of(is_public, range, LISTED)?;
        self.past.incidents = found.iter().filter_map(PublicIncident::new).collect();
        let lacks_days = |name: &str| self.past.days.get(name).is_none_or(Vec::is_empty);
        let is_new = checks.iter().any(|check| check.latest.is_some() && lacks_days(&check.identity.name));
        let is_fresh = |(read, lasts): (Timestamp, Duration)| {
            crate::timestamps::elapsed(read, now) < lasts && read <= now
        };
        if !is_new && self.past.days_read.is_some_and(is_fresh) {
            return Ok(());
        }
        let begun = self.clock.now();
        let mut days = DaysOf::new();
        for check in checks {
            let name = &check.identity.name;
            let points = reader.series(name, range, usize::from(DAYS))?;
            days.insert(name.clone(), points.iter().map(Into::into).collect());
        }
        self.past.days = days;
        // A history that is slow to read is read less often.
        let took = self.clock.now().since(begun);
        self.past.days_read = Some((now, DAYS_EVERY.max(50 * took)));
        Ok(())
    }
}
