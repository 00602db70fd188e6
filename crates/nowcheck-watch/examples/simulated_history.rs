//! Writes a history as a monitor would have, for screenshots and measurements: `simulated_history FILE DAYS NAME…`.
//!
//! It ends now. Each check has a clock that gains a little and is set once a week. In its last day, and once in each of the
//! weeks before, the monitor is off, the clock is stepped and stepped back, and the service is down. Rounds are 30 seconds
//! apart in the last eight days and 5 minutes before that.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use nowcheck::clock::Clock;
use nowcheck_watch::history::{
    BackendOffset, History, HistoryPlace, HistorySettings, QueueLimits, Retention, RoundRecord, Step,
};
use nowcheck_watch::incident::{
    Incidents, Observation, OffsetBounds, Place, Round, ServiceStatus, Trouble, TroubleKind,
};
use nowcheck_watch::status::CheckStatus;
use nowcheck_watch::timestamps;

const DAY: i64 = 86_400;
const WEEK: i64 = 7 * DAY;
/// So much of it has a round every half a minute.
const FINE: i64 = 8 * DAY;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: simulated_history FILE DAYS NAME…";
    let file = arguments.next().ok_or(usage)?;
    let days: i64 = arguments.next().ok_or(usage)?.parse()?;
    let hours = |hours: u64| Duration::from_hours(hours);
    let retention = Retention { rounds: hours(7 * 24), minutes: hours(30 * 24), hours: hours(730 * 24) };
    let place = HistoryPlace::file(Path::new(&file));
    let (history, _) = History::start(HistorySettings { place, retention, limits: QueueLimits::default() })?;
    let now = timestamps::now(Clock::start()).as_second();
    let mut incidents = Incidents::default();
    let checks: Vec<Simulated> =
        arguments.zip(0..).map(|(name, number)| Simulated { name, number }).collect();
    // All of them side by side, as they would have been: the history removes what is old by the time of the latest round.
    let mut before_end = days * DAY;
    while before_end > 30 {
        for check in &checks {
            check.hold(&history, &mut incidents, now, before_end);
        }
        if before_end % 3_000 == 0 {
            assert!(history.flush(hours(1)), "the history is not written");
        }
        before_end -= if before_end > FINE { 300 } else { 30 };
    }
    assert!(history.close(hours(1)), "the history is not written");
    Ok(())
}

/// A service that never was.
struct Simulated {
    name: String,
    number: i64,
}

/// What it is at a moment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moment {
    Ok,
    Stepped,
    Down,
    Unwatched,
}

impl Simulated {
    /// Each check has its troubles at another time of the week, the first one on the last day.
    fn moment(&self, before_end: i64) -> Moment {
        let minute = (before_end - self.number * (DAY + 4_200)).rem_euclid(WEEK) / 60;
        match minute {
            1_060..1_130 => Moment::Unwatched,
            640..672 => Moment::Stepped,
            296..301 => Moment::Down,
            _ => Moment::Ok,
        }
    }

    /// The offset of one of its clocks, in microseconds.
    fn offset(&self, before_end: i64, clock: i64) -> i64 {
        let gains = 2 + clock + self.number % 3;
        let since_set = (-before_end - self.number * DAY).rem_euclid(WEEK);
        let stepped = if self.moment(before_end) == Moment::Stepped && clock == 0 { 1_412_000 } else { 0 };
        gains * since_set / 40 - 9_000 + stepped
    }

    fn hold(&self, history: &History, incidents: &mut Incidents, end: i64, before_end: i64) {
        let moment = self.moment(before_end);
        if moment == Moment::Unwatched {
            return;
        }
        let noise = self.noise(before_end);
        let start = Timestamp::UNIX_EPOCH
            + Duration::from_secs(u64::try_from(end - before_end).unwrap_or_default())
            + Duration::from_millis(u64::try_from(self.number * 137).unwrap_or_default());
        let round_trip = 420 + noise % 260 + if noise % 60 == 0 { noise % 7_000 } else { 0 };
        let backends = self.backends(before_end, noise, round_trip);
        let offset = backends.iter().map(|backend| backend.offset).reduce(OffsetBounds::hull);
        let (status, summary) = match moment {
            Moment::Down => (CheckStatus::Down, "connection refused".to_owned()),
            Moment::Stepped => (
                CheckStatus::Wrong,
                format!("1 of 2 backends is wrong: {} is +1.4 s ahead (limit ± 1 s)", backends[0].instance),
            ),
            _ => (CheckStatus::Ok, "in sync".to_owned()),
        };
        let is_down = moment == Moment::Down;
        let period = if before_end > FINE { 300 } else { 30 };
        let observation = observation(moment, &backends);
        let stands_for = Duration::from_secs(period * 3 / 2);
        let answered = Duration::from_micros(u64::try_from(round_trip).unwrap_or_default());
        let took = answered + Duration::from_micros(300);
        let round = Round {
            check: &self.name,
            observation: &observation,
            summary: summary.clone(),
            stands_for,
            took,
        };
        let changes = incidents.observe(&round, start + took);
        history.record(
            RoundRecord {
                check: self.name.clone(),
                start,
                duration: took,
                status,
                reason: reason(status).to_owned(),
                offset: offset.filter(|_| !is_down),
                round_trip: (!is_down).then_some(answered),
                cause: (status != CheckStatus::Ok).then_some(summary),
                backends: if is_down { Vec::new() } else { backends },
                certificate_expiry: None,
                stands_for,
            },
            None,
        );
        if !changes.is_empty() {
            history.commit(Step { changes, ..Step::default() });
        }
    }

    fn backends(&self, before_end: i64, noise: i64, round_trip: i64) -> Vec<BackendOffset> {
        (0..2)
            .map(|clock| {
                let lower = i128::from(self.offset(before_end, clock) - noise % 190) * 1_000;
                let offset = OffsetBounds { lower, upper: lower + i128::from(round_trip) * 1_000 };
                BackendOffset {
                    instance: format!("{}-{}", self.name, ["7d4f9", "c81b2"][usize::from(clock == 1)]),
                    offset,
                }
            })
            .collect()
    }

    fn noise(&self, before_end: i64) -> i64 {
        let mixed = (before_end + self.number * 7_919).wrapping_mul(6_364_136_223_846_793_005);
        (mixed >> 33).rem_euclid(1 << 30)
    }
}

fn reason(status: CheckStatus) -> &'static str {
    match status {
        CheckStatus::Down => "down",
        CheckStatus::Wrong => "desynchronized",
        _ => "in_sync",
    }
}

/// What such a round proves.
fn observation(moment: Moment, backends: &[BackendOffset]) -> Observation {
    let address = Place::Address("192.0.2.10:443".to_owned());
    let places = backends.iter().map(|backend| Place::Backend(backend.instance.clone()));
    match moment {
        Moment::Down => Observation::of_trouble([(address, Trouble::new(TroubleKind::Down, "down"))]),
        Moment::Stepped => {
            let offset = backends.first().map(|backend| backend.offset);
            let trouble = Trouble { offset, ..Trouble::new(TroubleKind::Wrong, "desynchronized") };
            let found = Observation::of_trouble(places.take(1).map(|place| (place, trouble.clone())));
            assert_eq!(found.status(), ServiceStatus::Wrong, "that is what it is about");
            found
        }
        _ => Observation::of_proof([address].into_iter().chain(places)),
    }
}
