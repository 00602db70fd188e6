//! Clocks that tick more coarsely than their answers are printed.
//!
//! Older versions of Windows advance their clock every 15.6 ms, a kernel's coarse clock every 1 to 10 ms, and programs
//! print microseconds of it nevertheless. Such a clock shows the time of its last tick: it is never ahead of the true
//! reading, and behind by less than the tick. Two of its answers can seem to contradict each other by that much.

use core::time::Duration;
use std::collections::HashMap;

use crate::sample::{Sample, Shown};
use crate::staleness::longest_stay;
use crate::time::{Drift, MonotonicInstant};

/// The coarsest tick that is assumed because answers contradict each other: 15.6 ms on older Windows, 10 ms of a
/// kernel that ticks 100 times a second, with a margin.
const PLAUSIBLE: Duration = Duration::from_millis(20);

/// Ticks that are assumed only of a clock that was seen to show one reading for a while: 55 ms of the PC's timer, 100 ms.
const SEEN: [Duration; 2] = [Duration::from_millis(60), Duration::from_millis(110)];

/// The ticks that the samples of one clock may have, finest first, and whether they show that there is one: the same
/// reading again, later than a clock as fine as it is printed could show it.
///
/// A clock that repeats a reading after a time has a tick longer than that time, unless it stands still.
pub(crate) fn candidates<'a>(
    samples: impl Iterator<Item = &'a Sample>,
    drift: Drift,
) -> (Vec<Duration>, bool) {
    let mut seen: HashMap<Shown, (MonotonicInstant, MonotonicInstant)> = HashMap::new();
    let mut longest = None;
    for sample in samples {
        let (first, last) = seen.entry(sample.reading.shown).or_insert((sample.received, sample.sent));
        (*first, *last) = ((*first).min(sample.received), (*last).max(sample.sent));
        let stayed = last.since(*first);
        if stayed > longest_stay(sample, drift) {
            longest = longest.max(Some(stayed));
        }
    }
    match longest {
        None => (vec![PLAUSIBLE], false),
        Some(stayed) => {
            let ticks = [PLAUSIBLE].into_iter().chain(SEEN).filter(|tick| *tick > stayed);
            (ticks.collect(), true)
        }
    }
}
