//! Why values do not make a check.

use super::{MOST_BACKENDS, MOST_REQUESTS};
use crate::reference::source::ReferenceSource;
use crate::target::TargetError;

/// Why values do not make a check. Each variant names one value, or two that contradict each other.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CheckError {
    /// There is nothing to check.
    #[error("name at least one URL to check")]
    NoUrl,
    /// A text is not a URL that can be checked.
    #[error(transparent)]
    Url(#[from] TargetError),
    /// Two credentials are given for one URL.
    #[error("{url} has credentials in it, and others are given for all URLs; leave one out")]
    CredentialsTwice {
        /// The URL, without them.
        url: String,
    },
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
