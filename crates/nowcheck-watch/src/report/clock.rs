//! The clocks behind a check: who they are, and where their offsets go.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use clock_offset::{Forecast, MonotonicInstant, Span, WindowSize};
use jiff::Timestamp;

use crate::drift::{DriftBounds, FollowedClock};
use crate::history::RoundRecord;
use crate::incident::OffsetBounds;
use crate::jumps::{Jump, JumpFinder};
use crate::timestamps::elapsed;

/// A backend, or all clocks of a check together if they do not name themselves.
#[derive(Debug, Clone, PartialEq)]
pub struct Clock {
    /// As the backend names itself.
    pub instance: Option<String>,
    /// When the first round began that met it.
    pub first: Timestamp,
    /// When the last round began that met it.
    pub last: Timestamp,
    /// How many rounds met it.
    pub rounds: u64,
    /// The lowest and the highest bound on its offset.
    pub offset: OffsetBounds,
    /// Where its offset goes.
    pub drift: Option<Drift>,
}

/// What the latest rounds prove about the rate of a clock, if it has drifted at one rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drift {
    /// From when on one rate explains all offsets.
    pub since: Timestamp,
    /// The last observation.
    pub until: Timestamp,
    /// Bounds on its rate.
    pub rate: DriftBounds,
    /// When the limit will be exceeded, if the clock goes on like that; none without a limit.
    pub expected: Option<Expected>,
}

/// When a limit will be exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Not at all, or not within any time that can be named.
    Never,
    /// Not before this instant, and perhaps never.
    NotBefore(Timestamp),
    /// Between these instants.
    Within(Timestamp, Timestamp),
}

const WINDOW: WindowSize = WindowSize { length: WindowSize::LONGEST, observations: NonZeroUsize::MAX };

struct Followed {
    clock: Clock,
    drift: FollowedClock,
    jumps: JumpFinder,
}

/// The clocks that rounds met, by name, and the jumps of their offsets. The rounds are in the order of their beginning.
///
/// Clocks without a name are followed as one. A single rate then is one that explains all of their offsets.
pub(super) fn of_rounds(rounds: &[RoundRecord], limit: Option<Duration>) -> (Vec<Clock>, Vec<Jump>) {
    let Some(origin) = rounds.first().map(|round| round.start) else { return Default::default() };
    let mut clocks = BTreeMap::<Option<&str>, Followed>::new();
    for round in rounds {
        let named = round.backends.iter().map(|backend| (Some(backend.instance.as_str()), backend.offset));
        let unnamed = round.offset.filter(|_| round.backends.is_empty()).map(|offset| (None, offset));
        for (instance, offset) in named.chain(unnamed) {
            let followed =
                clocks.entry(instance).or_insert_with(|| Followed::new(instance, round, offset, origin));
            followed.meet(round, offset, origin);
        }
    }
    let mut jumps: Vec<Jump> = clocks.values().flat_map(|followed| followed.jumps.clone().found()).collect();
    jumps.sort_by_key(|jump| jump.until);
    (clocks.into_values().map(|followed| followed.clock(origin, limit)).collect(), jumps)
}

impl Followed {
    fn new(instance: Option<&str>, round: &RoundRecord, offset: OffsetBounds, origin: Timestamp) -> Self {
        let (first, instance) = (round.start, instance.map(str::to_owned));
        let jumps = JumpFinder::new(origin, instance.clone());
        let clock = Clock { instance, first, last: first, rounds: 0, offset, drift: None };
        Self { clock, drift: FollowedClock::new(WINDOW), jumps }
    }

    fn meet(&mut self, round: &RoundRecord, offset: OffsetBounds, origin: Timestamp) {
        self.clock.last = round.start;
        self.clock.rounds += 1;
        self.clock.offset = self.clock.offset.hull(offset);
        let at = MonotonicInstant::after_origin(elapsed(origin, round.start));
        self.drift.observe(at, round.duration, offset);
        let end = round.start.checked_add(round.duration).unwrap_or(round.start);
        self.jumps.observe(round.start, end, offset);
    }

    fn clock(self, origin: Timestamp, limit: Option<Duration>) -> Clock {
        let drift = self.drift.trend().map(|trend| {
            let wall = |at: MonotonicInstant| timestamp(origin, at);
            let expected = limit.map(|limit| match trend.forecast(limit) {
                Forecast::Never => Expected::Never,
                Forecast::NotBefore(at) => wall(at).map_or(Expected::Never, Expected::NotBefore),
                Forecast::Within(when) => match (wall(when.earliest()), wall(when.latest())) {
                    (Some(earliest), Some(latest)) => Expected::Within(earliest, latest),
                    (Some(earliest), None) => Expected::NotBefore(earliest),
                    (None, _) => Expected::Never,
                },
            });
            Drift {
                since: wall(trend.since).unwrap_or(origin),
                until: wall(trend.until).unwrap_or(origin),
                rate: DriftBounds::of(&trend),
                expected,
            }
        });
        Clock { drift, ..self.clock }
    }
}

/// An instant that no calendar has is none.
fn timestamp(origin: Timestamp, at: MonotonicInstant) -> Option<Timestamp> {
    origin.checked_add(Span::from_nanos(at.as_nanos()).positive_part()).ok()
}
