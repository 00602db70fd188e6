//! Numbers that are no time: readings that advance faster or slower than any clock, or that never agree.
//!
//! Milliseconds since a start (uptime) that are read as seconds, a counter and an id each look like a new clock with every
//! answer. Such readings are nowhere near now, and how fast they advance tells them from clocks.

use core::time::Duration;

use crate::interval::{Interval, ReferenceClock};
use crate::sample::{Sample, Shown};
use crate::time::UnixInstant;

/// Readings further than that from the reference may be no time at all. A wrong zone is nearer.
const FAR: Duration = Duration::from_hours(48);

/// Requests that are compared are that far apart, so that the time on the way does not blur how fast readings advance.
pub(crate) const APART: Duration = Duration::from_millis(25);

/// As many readings that are [`APART`] show a speed, or that there is none.
const READINGS: usize = 3;

/// So many answers of which no two agree come from no clock.
pub(crate) const MANY: usize = 5;

/// A clock advances faster than half of the true speed, and slower than twice.
const SLOWEST: f64 = 0.5;
const FASTEST: f64 = 2.0;

/// Why the answers cannot be readings of clocks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NotAClock {
    /// They advance, but not as fast as time.
    Pace(Pace),
    /// No two of them agree, and they advance at no common speed.
    NoTwoAgree,
}

/// How fast readings advance, in seconds per second. 1 is the speed of time; negative is backwards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// The speed is at least this.
    pub at_least: f64,
    /// The speed is at most this.
    pub at_most: f64,
}

impl Pace {
    /// Between two answers. The clock was read at some instant between `sent` and `received` of each, so that at least
    /// `later.sent - earlier.received` lies between the readings, and at most `later.received - earlier.sent`.
    fn between(earlier: &Sample, later: &Sample) -> Option<Self> {
        let (from, to) = (instants(earlier)?, instants(later)?);
        let advanced = [to.earliest() - from.latest(), to.latest() - from.earliest()];
        let elapsed = [later.sent.since(earlier.received), later.received.since(earlier.sent)];
        #[expect(clippy::cast_precision_loss, reason = "a ratio that is compared with one half and two")]
        let [least, most] = advanced.map(|advanced| advanced.as_nanos() as f64 / 1e9);
        let [shortest, longest] = elapsed.map(|elapsed| elapsed.as_secs_f64());
        // What goes back, goes back the fastest in the shortest time.
        let ratio =
            |advanced: f64, if_ahead, if_back| advanced / if advanced < 0.0 { if_back } else { if_ahead };
        (shortest > 0.0).then(|| Self {
            at_least: ratio(least, longest, shortest),
            at_most: ratio(most, shortest, longest),
        })
    }

    /// Whether no clock runs at this speed.
    fn is_not_a_clocks(&self) -> bool {
        self.at_least > FASTEST || self.at_most < SLOWEST
    }

    /// Whether both can be the speed of one counter that is not quite even, such as one that ticks coarsely.
    fn resembles(&self, other: &Self) -> bool {
        let widest = |pace: &Self| {
            let [one, two] = [pace.at_least, pace.at_most].map(|end| (end * SLOWEST, end * FASTEST));
            (one.0.min(one.1), two.0.max(two.1))
        };
        let ((least, most), (other_least, other_most)) = (widest(self), widest(other));
        least <= other_most && other_least <= most
    }
}

fn instants(sample: &Sample) -> Option<Interval<UnixInstant>> {
    match sample.reading.shown {
        Shown::Instant(shown) => Some(shown),
        Shown::TimeOfDay(_) => None,
    }
}

/// Whether the answers name nobody, and all of their readings are nowhere near the reference, so that they may be no times.
pub(crate) fn may_be_no_times(samples: &[Sample], reference: &ReferenceClock) -> bool {
    let is_far = |shown: Interval<UnixInstant>, sample: &Sample| {
        (shown.midpoint() - reference.at(sample.received).shows.midpoint()).magnitude() > FAR
    };
    samples.iter().all(|sample| {
        sample.instance.is_none() && instants(sample).is_some_and(|shown| is_far(shown, sample))
    })
}

/// How many more answers are needed, each [`APART`] from the last, before the speed of the readings is known.
pub(crate) fn answers_lacking(samples: &[Sample]) -> usize {
    READINGS.saturating_sub(apart(samples).len())
}

/// Why readings that are nowhere near the reference cannot be those of clocks. `none_agree` says that no two of the samples
/// can have come from one clock.
///
/// The speed is that between the first and the last of the readings that are [`APART`]. It counts only if each step
/// between them is of a similar speed: two clocks that answer in turn jump.
pub(crate) fn not_a_clock(samples: &[Sample], none_agree: bool) -> Option<NotAClock> {
    let apart = apart(samples);
    if apart.len() >= READINGS
        && let (Some(first), Some(last)) = (apart.first(), apart.last())
        && let Some(pace) = Pace::between(first, last)
        && pace.is_not_a_clocks()
        && apart.windows(2).all(|pair| Pace::between(pair[0], pair[1]).is_some_and(|step| step.resembles(&pace)))
        // What does not move is stale, and no number in another unit.
        && (pace.at_least > 0.0 || pace.at_most < 0.0)
    {
        return Some(NotAClock::Pace(pace));
    }
    (none_agree && samples.len() >= MANY).then_some(NotAClock::NoTwoAgree)
}

/// The samples that are [`APART`], from the first one.
fn apart(samples: &[Sample]) -> Vec<&Sample> {
    let mut chosen: Vec<&Sample> = Vec::new();
    for sample in samples {
        let is_apart = |last: &&Sample| sample.sent >= last.received + APART;
        if chosen.last().is_none_or(is_apart) {
            chosen.push(sample);
        }
    }
    chosen
}

#[cfg(test)]
mod tests;
