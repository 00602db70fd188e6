//! A whole answer that cannot be used.

use http::StatusCode;

use super::FailureKind;
use crate::outcome::not_a_time::{Elsewhere, NotATime};
use crate::target::shown_location;
use crate::text::printable;

/// A whole answer that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", problem.sentence(*status))]
pub struct AnswerFault {
    /// The HTTP status of the answer.
    pub status: StatusCode,
    /// Why it cannot be used.
    pub problem: AnswerProblem,
}

/// Why a whole answer cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnswerProblem {
    /// It is an error, which may say more of itself (RFC 9457; made printable).
    Status(Option<String>),
    /// It says in plain HTTP that its port is for TLS.
    WantsTls,
    /// It is a redirect that is not followed.
    Redirect {
        /// Where it points, as the server wrote it.
        location: Option<String>,
        /// If redirects are followed: how many at the most.
        limit: Option<u32>,
        /// Whether it leads back to a URL on the way to it.
        is_loop: bool,
    },
    /// It holds no time.
    NotATime {
        /// What is missing or wrong.
        why: NotATime,
        /// The start of its body, made printable.
        body_start: String,
        /// Whether the time was looked for in the body.
        is_about_body: bool,
        /// Where or how it holds one, if what the user said about that does not fit.
        elsewhere: Option<Box<Elsewhere>>,
    },
    /// It is larger than any time.
    TooLarge {
        /// The start of its body, made printable.
        body_start: String,
    },
}

impl AnswerProblem {
    pub(super) fn kind(&self) -> FailureKind {
        match self {
            Self::Status(_) => FailureKind::Status,
            Self::WantsTls => FailureKind::Protocol,
            Self::Redirect { .. } => FailureKind::Redirect,
            Self::NotATime { .. } => FailureKind::NotATime,
            Self::TooLarge { .. } => FailureKind::TooLarge,
        }
    }

    pub(super) fn sentence(&self, status: StatusCode) -> String {
        let status = named(status);
        match self {
            Self::Status(None) => format!("it answered {status}"),
            Self::Status(Some(detail)) => format!("it answered {status}: {detail}"),
            Self::WantsTls => {
                format!("it answered {status}: this port speaks TLS, and not plain HTTP: write https://")
            }
            Self::Redirect { location, is_loop, .. } => {
                let back = if *is_loop { ", which leads in a circle" } else { "" };
                format!("it answered {status}, a redirect{}{back}", destination(location.as_deref()))
            }
            Self::NotATime { why, .. } => format!("the answer is not a time: {why}"),
            Self::TooLarge { body_start } => {
                format!("the answer is larger than 64 KiB, so it is not a time; it begins with: {body_start}")
            }
        }
    }
}

/// A status by its number and its standard name. The library has a placeholder for those without one.
fn named(status: StatusCode) -> String {
    match status.canonical_reason() {
        Some(reason) => format!("{} {reason}", status.as_u16()),
        None => status.as_u16().to_string(),
    }
}

/// Where a redirect points, to stand behind the word.
fn destination(location: Option<&str>) -> String {
    location.map_or_else(
        || " without a target".to_owned(),
        |to| format!(" to {}", printable(shown_location(to).as_bytes(), 300)),
    )
}
