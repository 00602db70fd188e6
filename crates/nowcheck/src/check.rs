//! What a round asks of whom, and by which limits it judges.
//!
//! A [`Check`] holds only values that were validated together. It is made by a [`CheckBuilder`], from the flags of a
//! program or the keys of a file: nothing here knows how either spells them.

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use clock_offset::{Limits, MAX_CONNECTIONS};

use crate::answer::{Field, TimeSelector};
use crate::probe::address_overrides::AddressOverrides;
use crate::probe::resolve::{IpVersion, Resolution};
use crate::probe::tls::Trust;
use crate::reference::References;
use crate::reference::poll_interval::{self, TooFrequent};
use crate::reference::source::ReferenceSource;
use crate::request_headers::RequestHeaders;
use crate::target::{Target, TargetError};
use crate::time_format::Format;

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
}

impl Check {
    /// A check of these URLs with the default values of everything else.
    #[must_use]
    pub fn of<U: Into<String>>(urls: impl IntoIterator<Item = U>) -> CheckBuilder {
        CheckBuilder {
            urls: urls.into_iter().map(Into::into).collect(),
            limits: Limits { max_offset: Duration::from_secs(1), warn_offset: None },
            timeout: Duration::from_secs(10),
            requests_per_connection: 2,
            max_connections: NonZeroU32::new(MAX_CONNECTIONS).unwrap_or(NonZeroU32::MIN),
            time: TimeSelector {
                field: Field::Auto,
                notation: Format::Auto.into(),
                date_cache: Duration::from_secs(1),
            },
            references: vec![ReferenceSource::System],
            strict: false,
            trust_system_clock: false,
            expected_backends: None,
            miss_probability: 0.01,
            resolution: Resolution::default(),
            follow: false,
            trust: None,
            headers: RequestHeaders::default(),
        }
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

    /// What the clocks are compared with, to be queried once in a `period`; without one, only once.
    #[must_use]
    pub fn references(&self, period: Option<Duration>) -> References {
        References::new(self.references.clone(), self.resolution.clone(), period)
            .trust_system_clock(self.trust_system_clock && !self.strict)
    }

    /// Whether a round may be held that often: time servers must not be asked too often.
    ///
    /// # Errors
    /// Names the time server that would be; none when the period is zero.
    pub fn may_be_held_every(&self, period: Duration) -> Result<(), TooFrequent> {
        poll_interval::must_be_rare_enough(period, &self.references, &self.resolution.given)
    }
}

/// Longer than any sensible setting, and short enough that sums of instants stay in range.
pub const LONGEST: Duration = Duration::from_hours(366 * 24);

/// The most requests on each connection, and the most backends that can be expected: a round sends no more than some
/// thousand requests.
pub const MOST_REQUESTS: u32 = 100;
/// See [`MOST_REQUESTS`].
pub const MOST_BACKENDS: usize = 100;

/// Why values do not make a check. Each variant names one value, or two that contradict each other.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CheckError {
    /// There is nothing to check.
    #[error("name at least one URL to check")]
    NoUrl,
    /// A text is not a URL that can be checked.
    #[error(transparent)]
    Url(#[from] TargetError),
    /// The warning limit could never warn.
    #[error("the warning limit must be less than the maximum offset, or it could never warn")]
    WarnOffsetNotBelowMaximum,
    /// A round needs time, and sums of instants must stay in range.
    #[error("the timeout must be more than zero and at most a year")]
    Timeout,
    /// An offset, or the age of a header, is longer than any that can be judged.
    #[error("limits of offsets and the age of a Date header must be at most a year")]
    TooLong,
    /// A connection without a request proves nothing, and a hundred are more than any bound needs.
    #[error("from 1 to {MOST_REQUESTS} requests must be sent on each connection")]
    Requests,
    /// More backends than a round can look for.
    #[error("at most {MOST_BACKENDS} backends can be expected")]
    TooManyBackends,
    /// A chance is between 0 and a half; below a millionth a round would open thousands of connections.
    #[error("the probability of missing a backend must be between 0.0001% and 50%")]
    MissProbability,
    /// There is nothing to compare with.
    #[error("name at least one reference")]
    NoReference,
    /// A reference that is listed twice would count twice.
    #[error("the reference {0} is given twice; it would vote twice")]
    DuplicateReference(ReferenceSource),
    /// An address was given for a host that is not asked: probably a typing error.
    #[error("there is no URL and no reference with the host {host}")]
    UnusedAddress {
        /// As it was given.
        host: String,
    },
}

/// Collects the values of a [`Check`].
#[derive(Debug, Clone)]
pub struct CheckBuilder {
    urls: Vec<String>,
    limits: Limits,
    timeout: Duration,
    requests_per_connection: u32,
    max_connections: NonZeroU32,
    time: TimeSelector,
    references: Vec<ReferenceSource>,
    strict: bool,
    trust_system_clock: bool,
    expected_backends: Option<NonZeroUsize>,
    miss_probability: f64,
    resolution: Resolution,
    follow: bool,
    trust: Option<Trust>,
    headers: RequestHeaders,
}

impl CheckBuilder {
    /// A clock that is off by more is wrong; exactly this is right. Default: 1 s.
    #[must_use]
    pub fn max_offset(mut self, limit: Duration) -> Self {
        self.limits.max_offset = limit;
        self
    }

    /// A clock that is not proven to be within this deserves a warning. Default: none.
    #[must_use]
    pub fn warn_offset(mut self, limit: Option<Duration>) -> Self {
        self.limits.warn_offset = limit;
        self
    }

    /// The longest that a round may take. Default: 10 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Requests on each connection, at least. Default: 2.
    #[must_use]
    pub fn requests_per_connection(mut self, requests: u32) -> Self {
        self.requests_per_connection = requests;
        self
    }

    /// The most connections to a URL side by side, to all of its addresses together. Default: 8. A service that takes
    /// fewer is asked over fewer all the same.
    #[must_use]
    pub fn max_connections(mut self, connections: NonZeroU32) -> Self {
        self.max_connections = connections;
        self
    }

    /// Where the time stands in an answer, and how it is written. Default: nowd's document.
    #[must_use]
    pub fn time(mut self, time: TimeSelector) -> Self {
        self.time = time;
        self
    }

    /// What the clocks are compared with. Default: this machine's clock.
    #[must_use]
    pub fn references(mut self, references: Vec<ReferenceSource>) -> Self {
        self.references = references;
        self
    }

    /// Whether a doubt about the reference makes the result unknown. Default: no.
    #[must_use]
    pub fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// Whether this machine's clock is right because the user says so, when its kernel does not vouch for it. It does not
    /// matter when that clock is no reference, or when the check is strict. Default: no.
    #[must_use]
    pub fn trust_system_clock(mut self, trust: bool) -> Self {
        self.trust_system_clock = trust;
        self
    }

    /// How many instances a URL must have. Default: not known.
    #[must_use]
    pub fn expected_backends(mut self, backends: Option<NonZeroUsize>) -> Self {
        self.expected_backends = backends;
        self
    }

    /// The chance of having missed a backend that is small enough. Default: 0.01.
    #[must_use]
    pub fn miss_probability(mut self, probability: f64) -> Self {
        self.miss_probability = probability;
        self
    }

    /// Addresses to use for some hosts instead of those that the DNS has. Default: none.
    #[must_use]
    pub fn addresses(mut self, addresses: AddressOverrides) -> Self {
        self.resolution.given = addresses;
        self
    }

    /// The only IP version that is used, for references too. Default: both.
    #[must_use]
    pub fn ip_version(mut self, version: Option<IpVersion>) -> Self {
        self.resolution.version = version;
        self
    }

    /// Whether redirects are followed. Default: no.
    #[must_use]
    pub fn follow(mut self, follow: bool) -> Self {
        self.follow = follow;
        self
    }

    /// Which certificate authorities are trusted. Default: those that this machine trusts.
    #[must_use]
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust = Some(trust);
        self
    }

    /// What is added to the requests to these URLs, and to no other server. Default: nothing.
    #[must_use]
    pub fn request_headers(mut self, headers: RequestHeaders) -> Self {
        self.headers = headers;
        self
    }

    /// Validates the values together.
    ///
    /// # Errors
    /// Names the first value that is wrong.
    pub fn build(self) -> Result<Check, CheckError> {
        self.must_be_in_range()?;
        let default_path = Target::default_path(matches!(self.time.field, Field::Header(_)));
        let headers = Arc::new(self.headers);
        let target = |url: &String| Ok(Target::parse(url, default_path)?.with_headers(Arc::clone(&headers)));
        let targets: Vec<Target> = self.urls.iter().map(target).collect::<Result<_, TargetError>>()?;
        if targets.is_empty() {
            return Err(CheckError::NoUrl);
        }
        if self.limits.warn_offset.is_some_and(|warn| warn >= self.limits.max_offset) {
            return Err(CheckError::WarnOffsetNotBelowMaximum);
        }
        if !(0.000_001..=0.5).contains(&self.miss_probability) {
            return Err(CheckError::MissProbability);
        }
        must_vote_once(&self.references)?;
        // Where a redirect leads to is not known yet.
        if !self.follow {
            must_be_asked(&self.resolution.given, &targets, &self.references)?;
        }
        Ok(Check {
            targets,
            limits: self.limits,
            timeout: self.timeout,
            requests_per_connection: self.requests_per_connection,
            max_connections: self.max_connections,
            time: self.time,
            references: self.references,
            strict: self.strict,
            trust_system_clock: self.trust_system_clock,
            expected_backends: self.expected_backends,
            miss_probability: self.miss_probability,
            resolution: self.resolution,
            follow: self.follow,
            trust: self.trust.unwrap_or_else(Trust::of_this_machine),
        })
    }
}

impl CheckBuilder {
    fn must_be_in_range(&self) -> Result<(), CheckError> {
        if self.timeout.is_zero() || self.timeout > LONGEST {
            return Err(CheckError::Timeout);
        }
        let Limits { max_offset, warn_offset } = self.limits;
        if [max_offset, warn_offset.unwrap_or_default(), self.time.date_cache]
            .iter()
            .any(|one| *one > LONGEST)
        {
            return Err(CheckError::TooLong);
        }
        if !(1..=MOST_REQUESTS).contains(&self.requests_per_connection) {
            return Err(CheckError::Requests);
        }
        if self.expected_backends.is_some_and(|backends| backends.get() > MOST_BACKENDS) {
            return Err(CheckError::TooManyBackends);
        }
        Ok(())
    }
}

fn must_vote_once(references: &[ReferenceSource]) -> Result<(), CheckError> {
    if references.is_empty() {
        return Err(CheckError::NoReference);
    }
    let again = references.iter().enumerate().find(|(nth, one)| references[..*nth].contains(one));
    again.map_or(Ok(()), |(_, twice)| Err(CheckError::DuplicateReference(twice.clone())))
}

/// An address for a host that nobody asks would pass for a check of that address.
fn must_be_asked(
    addresses: &AddressOverrides,
    targets: &[Target],
    references: &[ReferenceSource],
) -> Result<(), CheckError> {
    let servers = references.iter().filter_map(ReferenceSource::host);
    let hosts: Vec<_> = targets.iter().map(|target| &target.host).chain(servers).collect();
    match addresses.unused(&hosts) {
        Some(host) => Err(CheckError::UnusedAddress { host: host.to_owned() }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check() -> CheckBuilder {
        Check::of(["http://time.example"])
    }

    fn sources(texts: &[&str]) -> Vec<ReferenceSource> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn addresses(texts: &[&str]) -> AddressOverrides {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn a_value_that_makes_no_sense_is_rejected_by_its_name() {
        let second = Duration::from_secs(1);
        for (builder, error) in [
            (Check::of([""; 0]), CheckError::NoUrl),
            (check().warn_offset(Some(second)), CheckError::WarnOffsetNotBelowMaximum),
            (check().timeout(Duration::ZERO), CheckError::Timeout),
            (check().timeout(Duration::MAX), CheckError::Timeout),
            (check().max_offset(Duration::MAX), CheckError::TooLong),
            (check().requests_per_connection(0), CheckError::Requests),
            (check().requests_per_connection(u32::MAX), CheckError::Requests),
            (check().expected_backends(NonZeroUsize::new(101)), CheckError::TooManyBackends),
            (check().miss_probability(0.0), CheckError::MissProbability),
            (check().miss_probability(f64::NAN), CheckError::MissProbability),
            (check().references(Vec::new()), CheckError::NoReference),
            (
                check().references(sources(&["ntp:a.example", "ntp:a.example:123"])),
                CheckError::DuplicateReference("ntp:a.example".parse().unwrap()),
            ),
            (
                check().addresses(addresses(&["other.example:192.0.2.1"])),
                CheckError::UnusedAddress { host: "other.example".to_owned() },
            ),
        ] {
            assert_eq!(builder.build().unwrap_err(), error);
        }
        assert!(matches!(Check::of(["ftp://time.example"]).build(), Err(CheckError::Url(_))));
        assert!(check().warn_offset(Some(second / 2)).build().is_ok());
    }

    #[test]
    fn an_address_may_be_that_of_a_url_of_a_reference_or_of_a_redirect() {
        let of_a_reference = check()
            .references(sources(&["ntp:a.example"]))
            .addresses(addresses(&["a.example:192.0.2.1"]))
            .build();
        assert!(of_a_reference.is_ok());
        let of_a_redirect = check().addresses(addresses(&["other.example:192.0.2.1"])).follow(true);
        assert!(of_a_redirect.build().is_ok());
        let both = addresses(&["TIME.example:[::1]", "time.example:127.0.0.1"]);
        assert!(check().addresses(both).build().is_ok());
    }

    #[test]
    fn a_url_without_a_path_is_the_root_where_a_header_is_read_and_now_otherwise() {
        let time = TimeSelector {
            field: Field::Header(http::header::DATE),
            notation: Format::Auto.into(),
            date_cache: Duration::ZERO,
        };
        assert_eq!(check().time(time).build().unwrap().targets()[0].to_string(), "http://time.example/");
        assert_eq!(check().build().unwrap().targets()[0].to_string(), "http://time.example/now");
    }
}
