//! The four kinds of time: how long a service was ok, wrong, down and unknown.

use std::ops::Add;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::incident::ServiceStatus;
use crate::timestamps::elapsed;

/// How long a service was what. The sum is the whole time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FourTimes {
    /// Up, and the clock right as far as was asked.
    pub ok: Duration,
    /// Up, and the clock wrong, or the answer old.
    pub wrong: Duration,
    /// Down.
    pub down: Duration,
    /// The monitor could not tell, was off, or missed a round.
    pub unknown: Duration,
}

impl FourTimes {
    /// All time.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.ok + self.wrong + self.down + self.unknown
    }

    /// The least and the greatest share of time, from 0 to 1, in which the service may have been ok. They are as far apart
    /// as the unknown time is long. None when there is no time.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use nowcheck_watch::availability::FourTimes;
    ///
    /// let hours = |hours: u64| Duration::from_secs(hours * 3_600);
    /// let times = FourTimes { ok: hours(6), down: hours(1), unknown: hours(1), ..FourTimes::default() };
    /// assert_eq!(times.availability(), Some((0.75, 0.875)));
    /// ```
    #[must_use]
    pub fn availability(&self) -> Option<(f64, f64)> {
        let total = self.total().as_secs_f64();
        let share = |time: Duration| (time.as_secs_f64() / total).min(1.0);
        (total > 0.0).then(|| (share(self.ok), share(self.ok + self.unknown)))
    }

    /// The time of one kind.
    #[must_use]
    pub fn of(&self, status: ServiceStatus) -> Duration {
        match status {
            ServiceStatus::Ok => self.ok,
            ServiceStatus::Wrong => self.wrong,
            ServiceStatus::Down => self.down,
            ServiceStatus::Unknown => self.unknown,
        }
    }

    /// Adds time of one kind.
    pub(crate) fn count(&mut self, status: ServiceStatus, time: Duration) {
        *match status {
            ServiceStatus::Ok => &mut self.ok,
            ServiceStatus::Wrong => &mut self.wrong,
            ServiceStatus::Down => &mut self.down,
            ServiceStatus::Unknown => &mut self.unknown,
        } += time;
    }
}

/// The times of two stretches together.
impl Add for FourTimes {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            ok: self.ok + other.ok,
            wrong: self.wrong + other.wrong,
            down: self.down + other.down,
            unknown: self.unknown + other.unknown,
        }
    }
}

/// The account of one service. It begins unknown.
///
/// A result stands from its round to the next one, and at most for the time that it is given. What follows is unknown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    times: FourTimes,
    at: Timestamp,
    status: ServiceStatus,
    stands_for: Duration,
}

impl Account {
    /// An account that begins at this instant.
    #[must_use]
    pub fn new(at: Timestamp) -> Self {
        let (times, status) = (FourTimes::default(), ServiceStatus::Unknown);
        Self { times, at, status, stands_for: Duration::ZERO }
    }

    /// A round says what the service is from now on. Of a clock that went back, no time is counted twice or taken off.
    pub fn record(&mut self, status: ServiceStatus, stands_for: Duration, now: Timestamp) {
        self.times = self.until(now);
        (self.at, self.status, self.stands_for) = (now, status, stands_for);
    }

    /// The times from the beginning until this instant. Of an instant before the last round, those until that round.
    #[must_use]
    pub fn until(&self, now: Timestamp) -> FourTimes {
        let elapsed = elapsed(self.at, now);
        let stood = elapsed.min(self.stands_for);
        let mut times = self.times;
        times.count(self.status, stood);
        times.count(ServiceStatus::Unknown, elapsed.saturating_sub(stood));
        times
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_521_600 + second).unwrap()
    }

    #[test]
    fn a_result_stands_for_its_time_and_what_follows_is_unknown() {
        let mut account = Account::new(second(0));
        account.record(ServiceStatus::Ok, Duration::from_secs(15), second(5));
        account.record(ServiceStatus::Down, Duration::from_secs(15), second(15));
        let seconds = Duration::from_secs;
        let expected =
            FourTimes { ok: seconds(10), wrong: seconds(0), down: seconds(15), unknown: seconds(75) };
        assert_eq!(account.until(second(100)), expected);
    }

    #[test]
    fn no_time_has_no_availability() {
        assert_eq!(Account::new(second(0)).until(second(-5)).availability(), None);
    }

    fn status() -> impl Strategy<Value = ServiceStatus> {
        use ServiceStatus::{Down, Ok, Unknown, Wrong};
        prop::sample::select(vec![Ok, Wrong, Down, Unknown])
    }

    proptest! {
        #[test]
        fn the_four_kinds_of_time_sum_to_the_whole(
            rounds in prop::collection::vec((status(), 0..100_u64, 0..100_i64), 0..50),
        ) {
            let mut account = Account::new(second(0));
            let mut now = 0;
            for (status, stands_for, later) in rounds {
                now += later;
                account.record(status, Duration::from_secs(stands_for), second(now));
            }
            let times = account.until(second(now + 7));
            prop_assert_eq!(times.total(), Duration::from_secs(u64::try_from(now + 7).unwrap()));
            let (least, greatest) = times.availability().unwrap();
            prop_assert!(0.0 <= least && least <= greatest && greatest <= 1.0);
        }
    }
}
