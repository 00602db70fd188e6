//! What a round asks of whom, and by which limits it judges.
//!
//! A [`Check`] holds only values that were validated together. It is made by a [`CheckBuilder`], from the flags of a
//! program or the keys of a file: nothing here knows how either spells them.

mod builder;
mod destinations;
mod error;

pub use builder::CheckBuilder;
pub use destinations::DestinationRule;
pub(crate) use destinations::Destinations;
pub use error::CheckError;

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use clock_offset::Limits;

use crate::answer::{ServerTime, TimeSelector};
use crate::probe::resolve::Resolution;
use crate::probe::tls::Trust;
use crate::reference::References;
use crate::reference::poll_interval::{self, TooFrequent};
use crate::reference::source::ReferenceSource;
use crate::target::Target;

/// What a round asks of whom, and by which limits it judges.
///
/// ```
/// use std::time::Duration;
/// use nowcheck::check::Check;
///
/// let check = Check::of(["https://time.example"])
///     .max_offset(Duration::from_millis(500))
///     .timeout(Duration::from_secs(5))
///     .build()
///     .expect("every value is valid");
/// assert_eq!(check.targets()[0].to_string(), "https://time.example/now");
///
/// let wrong = Check::of(["https://time.example"]).warn_offset(Some(Duration::from_secs(2))).build();
/// assert!(wrong.is_err(), "a warning limit beyond the maximum could never warn");
/// ```
#[derive(Debug, Clone)]
pub struct Check {
    pub(crate) targets: Vec<Target>,
    pub(crate) limits: Limits,
    pub(crate) timeout: Duration,
    pub(crate) requests_per_connection: u32,
    pub(crate) max_connections: NonZeroU32,
    pub(crate) time: TimeSelector,
    pub(crate) references: Vec<ReferenceSource>,
    pub(crate) strict: bool,
    pub(crate) trust_system_clock: bool,
    pub(crate) expected_backends: Option<NonZeroUsize>,
    pub(crate) miss_probability: f64,
    pub(crate) resolution: Resolution,
    pub(crate) follow: bool,
    pub(crate) trust: Trust,
    pub(crate) destinations: Destinations,
    pub(crate) instances: Instances,
}

impl Check {
    /// A check of these URLs with the default values of everything else.
    #[must_use]
    pub fn of<U: Into<String>>(urls: impl IntoIterator<Item = U>) -> CheckBuilder {
        CheckBuilder::of(urls.into_iter().map(Into::into).collect())
    }

    /// What is checked; at least one.
    #[must_use]
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// How far a clock may be off.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Whether rounds of both ask the same servers for the same, and judge the answers by the same limits. What is trusted
    /// does not matter: each round verifies the certificates of its own connections.
    #[must_use]
    pub fn asks_the_same_as(&self, other: &Self) -> bool {
        // Without dots, so that the compiler asks about each new field.
        let Self {
            targets,
            limits,
            timeout,
            requests_per_connection,
            max_connections,
            time,
            references,
            strict,
            trust_system_clock,
            expected_backends,
            miss_probability,
            resolution,
            follow,
            trust: _,
            destinations: _,
            // What one round makes of the answers.
            instances: _,
        } = self;
        *targets == other.targets
            && *limits == other.limits
            && *timeout == other.timeout
            && *requests_per_connection == other.requests_per_connection
            && *max_connections == other.max_connections
            && *time == other.time
            && *references == other.references
            && (*strict, *trust_system_clock) == (other.strict, other.trust_system_clock)
            && *expected_backends == other.expected_backends
            && miss_probability.to_bits() == other.miss_probability.to_bits()
            && *resolution == other.resolution
            && *follow == other.follow
    }

    /// The same with a timeout of at most that.
    #[must_use]
    pub fn ending_within(self, longest: Duration) -> Self {
        Self { timeout: self.timeout.min(longest), ..self }
    }

    /// The same, connecting to nothing that the rule does not permit. A redirect that leads elsewhere is not followed, and
    /// a name with another address is not asked. Addresses that the check itself gives to names are permitted.
    #[must_use]
    pub fn connecting_only_to(self, rule: Arc<dyn DestinationRule>) -> Self {
        Self { destinations: Destinations::by(rule), ..self }
    }

    /// The same for a service whose `instance` is no name of a backend: its answers are judged as if they named none.
    #[must_use]
    pub fn ignoring_instances(self) -> Self {
        Self { instances: Instances::Ignored, ..self }
    }

    /// Whether the instances are counted, because so many must answer.
    #[must_use]
    pub fn counts_instances(&self) -> bool {
        self.expected_backends.is_some()
    }

    /// How likely it may be that a backend is missed.
    #[must_use]
    pub fn miss_probability(&self) -> f64 {
        self.miss_probability
    }

    /// The most that a whole round may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// What the clocks are compared with, to be queried once in a `period`; without one, only once.
    #[must_use]
    pub fn references(&self, period: Option<Duration>) -> References {
        References::new(self.references.clone(), self.resolution.clone(), period)
            .trust_system_clock(self.trust_system_clock && !self.strict)
    }

    /// The time servers that the clocks are compared with.
    pub fn time_servers(&self) -> impl Iterator<Item = &ReferenceSource> {
        self.references.iter().filter(|source| **source != ReferenceSource::System)
    }

    /// Whether a round may be held that often: time servers must not be asked too often.
    ///
    /// # Errors
    /// Names the time server that would be; none when the period is zero.
    pub fn may_be_held_every(&self, period: Duration) -> Result<(), TooFrequent> {
        poll_interval::must_be_rare_enough(period, &self.references, &self.resolution.given)
    }
}

/// What the `instance` of an answer is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Instances {
    /// The name of the backend that answers.
    Names,
    /// Nothing.
    Ignored,
}

impl Instances {
    /// An answer, as far as it is to be believed.
    pub(crate) fn believed(self, time: ServerTime) -> ServerTime {
        match self {
            Self::Names => time,
            Self::Ignored => ServerTime { instance: None, ..time },
        }
    }
}

/// Longer than any sensible setting, and short enough that sums of instants stay in range.
pub const LONGEST: Duration = Duration::from_hours(366 * 24);

/// The most requests on each connection, and the most backends that can be expected: a round sends no more than some
/// thousand requests.
pub const MOST_REQUESTS: u32 = 100;
/// See [`MOST_REQUESTS`].
pub const MOST_BACKENDS: usize = 100;

#[cfg(test)]
mod tests;
