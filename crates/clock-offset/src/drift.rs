//! How fast an offset changes, whether it was stepped, and when it will exceed a limit.
//!
//! A monitor observes one clock again and again. Each [`Observation`] is an interval that contains its offset
//! at an instant. This module says what a [`DriftWindow`] of them proves.
//!
//! # The lines
//!
//! A clock that drifts at one rate has the offset a + r · t. That line passes through all intervals: with the
//! ends lᵢ and uᵢ at the instants tᵢ,
//!
//! > lᵢ ≤ a + r tᵢ ≤ uᵢ for all i.
//!
//! For a given r there is such an a if and only if lᵢ − r tᵢ ≤ uⱼ − r tⱼ for all i and j. So the rates of all
//! lines are exactly those from the greatest of the slopes (lⱼ − uᵢ) / (tⱼ − tᵢ) to the least of the slopes
//! (uⱼ − lᵢ) / (tⱼ − tᵢ) over all pairs with tᵢ < tⱼ. Both are slopes of lines that separate the lower ends
//! from the upper ends and touch the convex hulls of both. That is how they are found without looking at all
//! pairs: see `drift/lines.rs`.
//!
//! There is a premise: a bound d on the drift that is possible ([`Drift`]). Only lines with −d ≤ r ≤ d are
//! considered, so the rates are bounded even after a single observation.
//!
//! # The trend and the step
//!
//! When no line passes through all intervals, the rate changed or the clock was stepped. The [`Trend`] is
//! then that of as many of the latest observations as one line passes through. This alone proves no step. A
//! clock that is slewed, or that gets warm, changes its rate. A [`Step`] is proven by two observations that
//! are further apart than the drift d explains, at whatever rates it went on between them.
//!
//! ```
//! use std::num::NonZeroUsize;
//! use std::time::Duration;
//!
//! use clock_offset::{
//!     Drift, DriftRate, DriftWindow, Forecast, Interval, MonotonicInstant, Observation, Offset, WindowSize,
//! };
//!
//! // A clock that gains 20 µs a second (20 ppm), observed each minute to within 1 ms.
//! let micros = |micros: i128| Offset::from_nanos(micros * 1_000);
//! let observation = |minute: u64, offset: i128| Observation {
//!     at: MonotonicInstant::after_origin(Duration::from_secs(60 * minute)),
//!     offset: Interval::new(micros(offset - 500), micros(offset + 500)),
//! };
//! let observations = NonZeroUsize::new(128).expect("not zero");
//! let size = WindowSize { length: Duration::from_secs(3_600), observations };
//! let mut window = DriftWindow::new(Drift::DISCIPLINED, size);
//! for minute in 0..50_u64 {
//!     window.record(observation(minute, 1_200 * i128::from(minute)))?;
//! }
//! let trend = window.trend().expect("there are observations");
//! let drift = trend.drift();
//! assert!(drift.contains(DriftRate::from_ppb(20_000)));
//! assert!(drift.earliest() > DriftRate::from_ppb(19_600) && drift.latest() < DriftRate::from_ppb(20_400));
//!
//! // 58.8 ms ahead, it is 1 s ahead in 941.2 ms / 20 ppm, which is 13 hours and 4 minutes.
//! let Forecast::Within(when) = trend.forecast(Duration::from_secs(1)) else { panic!("it drifts") };
//! let hours = |hours: u64| trend.until + Duration::from_secs(3_600 * hours);
//! assert!(when.earliest() > hours(12) && when.latest() < hours(14));
//!
//! // A minute later it was set back. Drift explains 30 ms of that, and the intervals 1 ms.
//! window.record(observation(50, 0))?;
//! let step = window.step().expect("drift does not explain it");
//! assert_eq!((step.after, step.until), (trend.until, hours(0) + Duration::from_secs(60)));
//! assert_eq!(step.size.latest().as_nanos(), -58_800_000 + 30_000_000 + 1_000_000);
//! assert_eq!(window.trend().expect("there are observations").observations, 1);
//! # Ok::<(), clock_offset::ObservationError>(())
//! ```

mod fit;
mod lines;
mod rate;
mod step;
mod trend;

use core::fmt;
use core::num::NonZeroUsize;
use core::time::Duration;
use std::collections::VecDeque;

use crate::interval::Interval;
use crate::time::{Drift, MonotonicInstant, Offset};
use fit::Fit;

pub use rate::DriftRate;
pub use step::Step;
pub use trend::{Forecast, Trend};

/// Bounds on the offset of a clock at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observation {
    /// The instant, for example that of [`BoundedTime::offset_from`](crate::BoundedTime::offset_from).
    pub at: MonotonicInstant,
    /// The interval that contains the offset.
    pub offset: Interval<Offset>,
}

/// How much a [`DriftWindow`] holds. What is older is forgotten.
///
/// To forget one observation costs as much as to look at all that stay. So when a limit is exceeded, an
/// eighth is forgotten at once: a full window holds between 7/8 of its size and all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowSize {
    /// The most time from the first observation to the last. Above [`WindowSize::LONGEST`] it counts as that.
    pub length: Duration,
    /// The most observations. One takes 48 bytes, and up to 64 more in the hulls, which are usually short.
    pub observations: NonZeroUsize,
}

impl WindowSize {
    /// 400 days. It keeps all numbers within 128 bits.
    pub const LONGEST: Duration = Duration::from_hours(400 * 24);
}

/// The offset with the greatest size that is taken: 37,000 years. It keeps all numbers within 128 bits.
const GREATEST_OFFSET: i128 = 1 << 70;

/// Why an observation is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObservationError {
    /// It is earlier than the last one.
    Earlier {
        /// The instant of the last one.
        last: MonotonicInstant,
    },
    /// An end of its offset is more than 2⁷⁰ ns (37,000 years) away from zero.
    OffsetTooLarge,
}

impl fmt::Display for ObservationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Earlier { .. } => "the observation is earlier than the last one",
            Self::OffsetTooLarge => "the offset is larger than 37,000 years",
        })
    }
}

impl core::error::Error for ObservationError {}

/// The latest observations of one clock, and what they prove.
///
/// They have to be of one clock: a step of one looks like two clocks. The monotonic clock has to be one too.
/// When it stopped, as it may while a machine is suspended, begin with a new window.
///
/// What it costs, for a window of n observations:
///
/// | operation | cost |
/// |---|---|
/// | [`record`](Self::record) one that continues the trend | amortized O(1), also in a full window |
/// | `record` one that breaks the trend | O(k), if k observations are left in it |
/// | `record` one that proves a step | O(n) |
/// | [`trend`](Self::trend), [`step`](Self::step), [`Trend::forecast`] | O(1) |
#[derive(Debug, Clone)]
pub struct DriftWindow {
    possible: Drift,
    size: WindowSize,
    observations: VecDeque<Observation>,
    /// What they prove; `None` as long as there are none.
    fit: Option<Fit>,
}

impl DriftWindow {
    /// A window without observations. `possible` bounds the drift of the clock and its reference together,
    /// and also the rate at which they are slewed.
    #[must_use]
    pub fn new(possible: Drift, size: WindowSize) -> Self {
        let size = WindowSize { length: size.length.min(WindowSize::LONGEST), ..size };
        Self { possible, size, observations: VecDeque::new(), fit: None }
    }

    /// Adds an observation, which may be at the same instant as the last one.
    ///
    /// # Errors
    ///
    /// An [`ObservationError`] when it is earlier than the last one, or absurd. The window is as before then.
    pub fn record(&mut self, observation: Observation) -> Result<(), ObservationError> {
        let last = self.observations.back().map(|last| last.at);
        if let Some(last) = last.filter(|last| observation.at < *last) {
            return Err(ObservationError::Earlier { last });
        }
        let is_absurd = |end: Offset| end.as_nanos().unsigned_abs() > GREATEST_OFFSET.unsigned_abs();
        if is_absurd(observation.offset.earliest()) || is_absurd(observation.offset.latest()) {
            return Err(ObservationError::OffsetTooLarge);
        }
        let is_whole = !self.forget(observation.at);
        self.observations.push_back(observation);
        let is_extended =
            is_whole && self.fit.as_mut().is_some_and(|fit| fit.extend(&self.observations, self.possible));
        if !is_extended {
            self.fit = Fit::of(&self.observations, self.possible);
        }
        Ok(())
    }

    /// Makes room for an observation at that instant. Returns whether something was forgotten.
    fn forget(&mut self, at: MonotonicInstant) -> bool {
        let before = self.observations.len();
        let most = self.size.observations.get();
        if before >= most {
            self.observations.drain(..(most / 8).max(1));
        }
        let length = self.size.length;
        if self.observations.front().is_some_and(|first| at.since(first.at) > length) {
            let kept = length * 7 / 8;
            let is_old = |observation: &Observation| at.since(observation.at) > kept;
            self.observations.drain(..self.observations.partition_point(is_old));
        }
        self.observations.len() < before
    }

    /// How many observations there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.observations.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.observations.is_empty()
    }

    /// The lines through as many of the latest observations as one line passes through; `None` if there are
    /// no observations.
    #[must_use]
    pub fn trend(&self) -> Option<Trend> {
        let (fit, last) = self.fit.as_ref().zip(self.observations.back())?;
        let first = self.observations.len() - fit.observations;
        let break_after = first.checked_sub(1).map(|before| self.observations[before].at);
        let fitted = Interval::new(self.observations[first].at, last.at);
        Some(Trend::new(&fit.lines, fitted, fit.observations, break_after))
    }

    /// The latest step that is proven; `None` if drift explains everything.
    ///
    /// Of all pairs that prove one it is that with the latest `after`, and the earliest `until`. It is
    /// reported until one of the two is forgotten. A later observation may prove the same step by another
    /// pair. So if the times between `after` and `until` of two reports overlap, both may be about one step.
    #[must_use]
    pub fn step(&self) -> Option<Step> {
        self.fit.as_ref()?.step
    }
}

#[cfg(test)]
mod tests;
