//! Why an answer holds no time.

use crate::time_format::{Format, Unreadable};

/// Why an answer holds no time. As text it stands behind "not a time: "; what the other side wrote is made printable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotATime {
    /// The body is compressed, and cannot be decoded; in the decoder's words.
    #[error("{0}")]
    BodyIsEncoded(String),
    /// There can be no body with this status.
    #[error("it answered {0}, which has no body")]
    NoBody(http::StatusCode),
    /// A cache believes that there is a copy of it here.
    #[error(
        "it answered 304 Not Modified, as if a copy were kept here; nowcheck keeps none and sends no \
         validator (If-None-Match, If-Modified-Since)"
    )]
    NotModified,
    /// The body is not UTF-8.
    #[error("the body is not text")]
    BodyIsNotText,
    /// The body is UTF-16 or UTF-32. JSON between systems is UTF-8 (RFC 8259 section 8.1).
    #[error("the body is UTF-16, and not UTF-8")]
    BodyIsUtf16,
    /// There is no body.
    #[error("the body is empty")]
    BodyIsEmpty,
    /// The body cannot be parsed as JSON; in the parser's words.
    #[error("the body is not JSON ({0})")]
    BodyIsNotJson(String),
    /// The header of that name is missing.
    #[error("the answer has no header `{0}`")]
    NoHeader(String),
    /// The header of that name is not visible ASCII.
    #[error("the header `{0}` is not text")]
    HeaderIsNotText(String),
    /// The JSON body has no such value.
    #[error("the JSON answer has no {wanted}: {found}")]
    NoField {
        /// What was looked for.
        wanted: String,
        /// What is there.
        found: String,
    },
    /// The value is neither a string nor a number.
    #[error("`{name}` is {kind}")]
    WrongType {
        /// As it was looked for.
        name: String,
        /// What it is instead.
        kind: &'static str,
    },
    /// A member or a header occurs twice, with different values.
    #[error("the answer contradicts itself: the {what} occurs twice, as {first} and as {second}")]
    Twice {
        /// What occurs twice.
        what: String,
        /// Its first value.
        first: String,
        /// Another one.
        second: String,
    },
    /// Two fields of one document say different times.
    #[error("the answer contradicts itself: `datetime` says {datetime}, `current_time` says {current_time}")]
    Contradiction {
        /// What `datetime` says.
        datetime: String,
        /// What `current_time` says.
        current_time: String,
    },
    /// The text is not a time.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The number is far from now in the unit that was given, and near now in another one. Such a clock would seem to
    /// run a thousand times too fast, and each answer would look like another backend.
    #[error("as {} it is far from now, as {} it is not", given.name(), likelier.name())]
    WrongUnit {
        /// The unit that was given.
        given: Format,
        /// The unit that puts it near now.
        likelier: Format,
    },
}
