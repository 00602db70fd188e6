//! Collects and validates the values of a check.

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use clock_offset::{Limits, MAX_CONNECTIONS};

use super::{Check, CheckError, Destinations, Instances, LONGEST, MOST_BACKENDS, MOST_REQUESTS};
use crate::answer::{Field, TimeSelector};
use crate::probe::address_overrides::AddressOverrides;
use crate::probe::resolve::{IpVersion, Resolution};
use crate::probe::tls::Trust;
use crate::reference::source::ReferenceSource;
use crate::request_headers::RequestHeaders;
use crate::target::{Target, TargetError};
use crate::time_format::Format;

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
    /// Every value but the URLs is the default one.
    pub(super) fn of(urls: Vec<String>) -> Self {
        Self {
            urls,
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
        if let Some(target) = targets.iter().find(|target| target.has_two_credentials()) {
            return Err(CheckError::CredentialsTwice { url: target.to_string() });
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
            destinations: Destinations::default(),
            instances: Instances::Names,
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
