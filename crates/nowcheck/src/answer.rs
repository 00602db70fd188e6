//! An answer to what the server's clock showed: which field, in which format.

pub mod age;

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use clock_offset::{Reading, UnixInstant};
use http::{HeaderMap, HeaderName, header};
use serde_json::Value;

use crate::outcome::{NotATime, StatedClock};
use crate::text::printable;
use crate::time_format::{self, Format};

/// Where in an answer the time stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// `datetime` of nowd's document, else `current_time`.
    Auto,
    /// A member of the JSON body; the parts of `a.b.c` lead inwards, numbers index arrays.
    Member(String),
    /// A JSON Pointer (RFC 6901).
    Pointer(String),
    /// A header.
    Header(HeaderName),
    /// The whole body is the time.
    Body,
}

/// Why a text does not say where the time stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// It is empty.
    #[error("name a field, a JSON Pointer, `header:NAME` or `body`")]
    Empty,
    /// What follows `header:` cannot be the name of a header.
    #[error("`{name}` is not the name of a header: invalid HTTP header name")]
    HeaderName {
        /// What follows `header:`.
        name: String,
    },
}

impl FromStr for Field {
    type Err = FieldError;

    /// Reads `a.b.c`, `/a/b`, `header:NAME` or `body`.
    fn from_str(text: &str) -> Result<Self, FieldError> {
        if let Some(name) = text.strip_prefix("header:") {
            let name = name.parse().map_err(|_| FieldError::HeaderName { name: name.to_owned() })?;
            return Ok(Self::Header(name));
        }
        match text {
            "" => Err(FieldError::Empty),
            "body" => Ok(Self::Body),
            pointer if pointer.starts_with('/') => Ok(Self::Pointer(pointer.to_owned())),
            path => Ok(Self::Member(path.to_owned())),
        }
    }
}

/// How a time is taken from an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeSelector {
    /// Where it stands.
    pub field: Field,
    /// How it is written.
    pub format: Format,
    /// How long the server may go on sending an old `Date` header: the clock can be that much later.
    pub date_cache: Duration,
}

/// What an answer says.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerTime {
    /// What the server's clock showed.
    pub reading: Reading,
    /// The process that answered, when it names itself.
    pub instance: Option<Arc<str>>,
    /// What the server says of its own clock.
    pub clock: Option<StatedClock>,
}

/// The most of a name that is taken over from an answer.
const NAME_LENGTH: usize = 64;

/// Reads the time from an answer.
///
/// # Errors
/// Says what is missing or wrong.
pub fn read(headers: &HeaderMap, body: &[u8], source: &TimeSelector) -> Result<ServerTime, NotATime> {
    match &source.field {
        Field::Header(name) => header_time(headers, name, source),
        Field::Body => {
            let text = std::str::from_utf8(body).map_err(|_| NotATime::BodyIsNotText)?;
            Ok(only_a_time(parse(text, source.format, false)?))
        }
        Field::Member(path) => {
            let document = json(body)?;
            let value =
                member(&document, path).ok_or_else(|| no_field(&document, &format!("field `{path}`")))?;
            Ok(only_a_time(value_time(value, path, source.format)?))
        }
        Field::Pointer(pointer) => {
            let document = json(body)?;
            let value = document
                .pointer(pointer)
                .ok_or_else(|| no_field(&document, &format!("value at `{pointer}`")))?;
            Ok(only_a_time(value_time(value, pointer, source.format)?))
        }
        Field::Auto => document_time(&json(body)?, source.format),
    }
}

/// Refuses a time that is nowhere near now, when it would be in another unit than the given one. As a
/// clock that runs a thousand times too fast it would look like a new backend with each answer.
///
/// # Errors
/// Names the unit that was meant more likely.
pub fn in_the_right_unit(time: ServerTime, format: Format, now: UnixInstant) -> Result<ServerTime, NotATime> {
    match time_format::likelier_unit(&time.reading, format, now) {
        None => Ok(time),
        Some(likelier) => Err(NotATime::WrongUnit { given: format, likelier }),
    }
}

fn only_a_time(reading: Reading) -> ServerTime {
    ServerTime { reading, instance: None, clock: None }
}

fn header_time(
    headers: &HeaderMap,
    name: &HeaderName,
    source: &TimeSelector,
) -> Result<ServerTime, NotATime> {
    let value = headers.get(name).ok_or_else(|| NotATime::NoHeader(name.to_string()))?;
    let text = value.to_str().map_err(|_| NotATime::HeaderIsNotText(name.to_string()))?;
    let mut reading = parse(text, source.format, false)?;
    if name == header::DATE {
        reading.may_lag = source.date_cache;
    }
    Ok(only_a_time(reading))
}

/// nowd's document, or the `current_time` alone that other services answer.
fn document_time(document: &Value, format: Format) -> Result<ServerTime, NotATime> {
    let current_time = document.get("current_time");
    let reading = if let Some(datetime) = document.get("datetime") {
        let reading = value_time(datetime, "datetime", format)?;
        // Clients read either; a service that contradicts itself is wrong for one of them.
        if let (Some(datetime), Some(current)) = (datetime.as_str(), current_time.and_then(Value::as_str))
            && let (Some(of_datetime), Some(of_current)) = (datetime.get(11..19), current.get(..8))
            && of_datetime != of_current
        {
            // They are the other side's words, and not yet known to be times.
            let [of_datetime, of_current] =
                [of_datetime, of_current].map(|text| printable(text.as_bytes(), 8));
            return Err(NotATime::Contradiction { datetime: of_datetime, current_time: of_current });
        }
        reading
    } else if let Some(current_time) = current_time {
        value_time(current_time, "current_time", format)?
    } else {
        return Err(no_field(document, "field `datetime` or `current_time`"));
    };
    let instance = document.get("instance").and_then(Value::as_str);
    Ok(ServerTime {
        reading,
        instance: instance.map(|name| printable(name.as_bytes(), NAME_LENGTH).into()),
        clock: document.get("clock").and_then(stated_clock),
    })
}

fn stated_clock(clock: &Value) -> Option<StatedClock> {
    let status = printable(clock.get("status")?.as_str()?.as_bytes(), NAME_LENGTH);
    let max_error =
        clock.get("max_error").and_then(Value::as_f64).filter(|bound| bound.is_finite() && *bound >= 0.0);
    Some(StatedClock { status, max_error })
}

fn json(body: &[u8]) -> Result<Value, NotATime> {
    if body.trim_ascii().is_empty() {
        return Err(NotATime::BodyIsEmpty);
    }
    serde_json::from_slice(body).map_err(|error| {
        let error = if body.trim_ascii_start().starts_with(b"<") {
            "it looks like HTML".to_owned()
        } else {
            error.to_string()
        };
        NotATime::BodyIsNotJson(error)
    })
}

/// A member named with dots in its name goes before a path of that spelling.
fn member<'a>(document: &'a Value, path: &str) -> Option<&'a Value> {
    document.get(path).or_else(|| {
        path.split('.').try_fold(document, |value, part| match value {
            Value::Array(items) => items.get(part.parse::<usize>().ok()?),
            other => other.get(part),
        })
    })
}

fn no_field(document: &Value, what: &str) -> NotATime {
    let found = match document {
        Value::Object(members) if members.is_empty() => "it is an empty object".to_owned(),
        Value::Object(members) => {
            let names: Vec<String> =
                members.keys().take(8).map(|name| printable(name.as_bytes(), 30)).collect();
            format!("it has {}", names.join(", "))
        }
        Value::Array(_) => "it is an array".to_owned(),
        _ => "it is a single value".to_owned(),
    };
    NotATime::NoField { wanted: what.to_owned(), found }
}

fn value_time(value: &Value, name: &str, format: Format) -> Result<Reading, NotATime> {
    match value {
        Value::String(text) => parse(text, format, false),
        Value::Number(number) => parse(number.as_str(), format, true),
        other => {
            let kind = match other {
                Value::Null => "null",
                Value::Bool(_) => "true or false",
                Value::Array(_) => "an array",
                _ => "an object",
            };
            Err(NotATime::WrongType { name: printable(name.as_bytes(), 30), kind })
        }
    }
}

fn parse(text: &str, format: Format, is_json_number: bool) -> Result<Reading, NotATime> {
    // What the other side wrote is quoted in a message; it must stay short.
    let shortened: String = text.trim().chars().take(80).collect();
    Ok(time_format::read(&shortened, format, is_json_number)?)
}

#[cfg(test)]
mod tests;
