//! How the times of a service are written: their format or pattern, and their zone.

use std::str::FromStr;

use clock_offset::{Reading, UnixInstant};
use jiff::tz::{Offset, TimeZone};

use super::pattern::Pattern;
use super::{Format, Unreadable, guess, read_as, wrapping};

/// How the times of a service are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notation {
    /// In which form.
    pub form: Form,
    /// Where it is that time, for times that do not say so themselves.
    pub zone: Option<Zone>,
}

/// A format that is known, or a pattern for any other one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// A format that is known by its name.
    Known(Format),
    /// A pattern of `strptime`.
    Pattern(Pattern),
}

impl From<Format> for Notation {
    fn from(format: Format) -> Self {
        Self { form: Form::Known(format), zone: None }
    }
}

impl Notation {
    /// The format, if it is one that is known by its name.
    #[must_use]
    pub fn format(&self) -> Option<Format> {
        match self.form {
            Form::Known(format) => Some(format),
            Form::Pattern(_) => None,
        }
    }

    /// Reads a time. `is_json_number` says that it may have passed through a 64-bit float. What the text
    /// leaves open (the century, which of two equal hours at the end of summer time) is chosen to be near to
    /// `now`.
    ///
    /// # Errors
    /// Says what is wrong with the text.
    pub fn read(&self, text: &str, is_json_number: bool, now: UnixInstant) -> Result<Reading, Unreadable> {
        let text = text.trim();
        let context = Context { is_json_number, zone: self.zone.as_ref().map(|zone| &zone.0), now };
        match &self.form {
            Form::Pattern(pattern) => pattern.read(text, context.zone, now),
            Form::Known(Format::Auto) => read_as(wrapping::taken_off(text), Format::Auto, &context),
            Form::Known(format) => read_as(wrapping::taken_off(text), *format, &context).map_err(|error| {
                let is_readable = |other: &Format| read_as(text, *other, &context).is_ok();
                let likelier = guess(text).ok().filter(|other| other != format).filter(is_readable);
                Unreadable { given: Some(*format), likelier, ..error }
            }),
        }
    }
}

/// What reading depends on besides the text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    /// It may have passed through a 64-bit float.
    pub(super) is_json_number: bool,
    /// Where it is that time, for times that do not say so themselves.
    pub(super) zone: Option<&'a TimeZone>,
    /// What the reference says.
    pub(super) now: UnixInstant,
}

/// A time zone of the IANA database.
///
/// ```
/// use nowcheck::time_format::Zone;
///
/// assert!("Europe/Madrid".parse::<Zone>().is_ok());
/// assert!("Europe/Atlantis".parse::<Zone>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl Zone {
    /// UTC.
    #[must_use]
    pub fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// The zone that is always so many seconds ahead of UTC; none beyond a day.
    #[must_use]
    pub fn ahead_of_utc(seconds: i32) -> Option<Self> {
        Offset::from_seconds(seconds).ok().map(|offset| Self(TimeZone::fixed(offset)))
    }
}

/// There is no zone of that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is no zone of the IANA database; write a name such as Europe/Madrid or UTC")]
pub struct UnknownZone {
    /// What was written.
    pub name: String,
}

impl FromStr for Zone {
    type Err = UnknownZone;

    fn from_str(name: &str) -> Result<Self, UnknownZone> {
        TimeZone::get(name).map(Self).map_err(|_| UnknownZone { name: name.to_owned() })
    }
}
