//! Why an answer holds no time.

use crate::time_format::{Format, Lack, Unreadable};

/// A time that an answer holds, although it is not where or not how the settings say: what would read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elsewhere {
    /// Where it stands.
    pub place: TimePlace,
    /// How it is written there.
    pub writing: Writing,
    /// Whether the format that was given has to go.
    pub leaves_format_out: bool,
}

/// Where a time stands that was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimePlace {
    /// Where it was looked for.
    WhereItShould,
    /// Where it is looked for when nothing is said.
    WithoutField,
    /// In the field of this name.
    Field(String),
}

/// How a time is written that was not read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Writing {
    /// In a format that is told by its look.
    AsItLooks,
    /// Without its zone.
    WithoutZone(Zoning),
    /// By one of these patterns of `strptime`, the likelier first, and in that zone if the patterns do not say one.
    ByPattern(Vec<String>, Option<Zoning>),
    /// In a way that no setting reads: why, made printable.
    Unread(String),
}

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
    #[error("the body is UTF-16, and only UTF-8 is read (RFC 8259)")]
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
    /// The number does not advance at the speed of time.
    #[error("the number {}", advancing(*per_mille))]
    OtherSpeed {
        /// Its speed in thousandths of that of time; negative when it goes back.
        per_mille: i64,
    },
    /// No two answers can have come from one clock, and all are far from now.
    #[error("no two answers fit one clock: the number may be a counter or an id")]
    NoTwoAgree,
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

/// In which zone a time is that does not say its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Zoning {
    /// In this one it is near now.
    Likely(String),
    /// Only the user knows.
    Open,
}

impl NotATime {
    /// Whether the answer holds times that contradict each other. Then no setting is wrong, but the service.
    #[must_use]
    pub fn is_contradiction(&self) -> bool {
        match self {
            Self::Twice { .. } | Self::Contradiction { .. } => true,
            Self::Unreadable(unreadable) => unreadable.lacks == Some(Lack::Agreement),
            _ => false,
        }
    }
}

/// How a number advances, to stand behind it.
fn advancing(per_mille: i64) -> String {
    match per_mille {
        ..0 => "counts backwards".to_owned(),
        1_000_000 | 1_000_000_000 | 1_000_000_000_000 => format!(
            "advances {} times as fast as time, as an uptime in a finer unit does",
            in_groups(per_mille / 1_000)
        ),
        4_000_000.. => {
            format!("advances about {} times as fast as time, as an id does", in_groups(per_mille / 1_000))
        }
        2_000.. => format!("advances about {} times as fast as time, as a counter does", per_mille / 1_000),
        _ => format!("advances at {} % of the speed of time, as a counter does", per_mille / 10),
    }
}

/// With a comma between thousands.
fn in_groups(number: i64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (nth, digit) in digits.chars().enumerate() {
        if nth > 0 && (digits.len() - nth).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_a_number_advances_says_what_it_may_be() {
        for (per_mille, words) in [
            (1_000_000, "advances 1,000 times as fast as time, as an uptime"),
            (1_000_000_000_000, "advances 1,000,000,000 times as fast"),
            (41_000, "advances about 41 times as fast as time, as a counter"),
            (16, "advances at 1 % of the speed of time"),
            (-3_000, "counts backwards"),
            (4_194_304_000, "about 4,194,304 times as fast as time, as an id"),
        ] {
            let said = NotATime::OtherSpeed { per_mille }.to_string();
            assert!(said.contains(words), "{per_mille}: {said}");
        }
    }
}
