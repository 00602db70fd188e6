//! An answer to what the server's clock showed: which field, in which format.

pub mod age;
mod agreement;
mod composed;
mod document;
mod elsewhere;
mod stated_zone;

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use clock_offset::{Reading, Shown, UnixInstant};
use http::{HeaderMap, HeaderName, header};
use serde_json::Value;

use crate::outcome::{Elsewhere, NotATime, StatedClock};
use crate::text::printable;
use crate::time_format::{self, Form, Format, Lack, Notation, Unreadable, Zone};
use stated_zone::StatedZone;

/// Where in an answer the time stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// `datetime` of nowd's document, else `current_time`.
    Auto,
    /// A member of the JSON body; the parts of `a.b.c` lead inwards, numbers index arrays.
    Member(String),
    /// A JSON Pointer (RFC 6901). The empty one is the whole document.
    Pointer(String),
    /// A header.
    Header(HeaderName),
    /// The whole body is the time.
    Body,
}

/// Why a text does not say where the time stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// What follows `header:` cannot be the name of a header.
    #[error("`{name}` is not the name of a header: invalid HTTP header name")]
    HeaderName {
        /// What follows `header:`.
        name: String,
    },
}

impl FromStr for Field {
    type Err = FieldError;

    /// Reads `a.b.c`, `/a/b`, `header:NAME` or `body`. An empty text is the JSON Pointer of the whole document.
    fn from_str(text: &str) -> Result<Self, FieldError> {
        if let Some(name) = text.strip_prefix("header:") {
            let name = name.parse().map_err(|_| FieldError::HeaderName { name: name.to_owned() })?;
            return Ok(Self::Header(name));
        }
        match text {
            "body" => Ok(Self::Body),
            pointer if pointer.is_empty() || pointer.starts_with('/') => {
                Ok(Self::Pointer(pointer.to_owned()))
            }
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
    pub notation: Notation,
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

/// A clock is no further from now than that, or zones are mixed up: they are whole quarters of an hour apart.
const OTHER_ZONE: Duration = Duration::from_secs(450);

/// Seconds ahead of UTC in which no place on earth is.
const OTHER_ZONE_THAN_ANY: i32 = 15 * 3_600 + 450;

/// The most of a value that is quoted.
const QUOTED: usize = 40;

/// The most of a name that is taken over from an answer.
const NAME_LENGTH: usize = 64;

/// Reads the time from an answer that came at `now`, by the reference, so long after its request.
///
/// # Errors
/// Says what is missing or wrong.
pub fn read(
    headers: &HeaderMap,
    body: &[u8],
    source: &TimeSelector,
    now: UnixInstant,
    round_trip: Duration,
) -> Result<ServerTime, NotATime> {
    let reader =
        Reader { notation: &source.notation, now, most_between: agreement::most_between(round_trip) };
    match &source.field {
        Field::Header(name) => reader.header_time(headers, name, source.date_cache),
        Field::Body => Ok(only_a_time(reader.body_time(body)?)),
        Field::Member(path) => {
            let document =
                document::parse(body, &|name| name == path || path.split('.').any(|part| part == name))?;
            let (holder, value) =
                member(&document, path).ok_or_else(|| no_field(&document, &format!("field `{path}`")))?;
            let reading = reader.value_beside(value, path, &[holder, &document])?;
            Ok(said_by(&document, reading))
        }
        Field::Pointer(pointer) => {
            // RFC 6901 section 4.
            let unescaped = |part: &str| part.replace("~1", "/").replace("~0", "~");
            let document =
                document::parse(body, &|name| pointer.split('/').any(|part| unescaped(part) == name))?;
            let value = document
                .pointer(pointer)
                .ok_or_else(|| no_field(&document, &format!("value at `{pointer}`")))?;
            let name = if pointer.is_empty() { "the JSON answer" } else { pointer };
            let holder = pointer.rsplit_once('/').and_then(|(holder, _)| document.pointer(holder));
            let reading = reader.value_beside(value, name, &[holder.unwrap_or(&document), &document])?;
            Ok(said_by(&document, reading))
        }
        Field::Auto => {
            let matters = |name: &str| matches!(name, "datetime" | "current_time");
            reader.document_time(&document::parse(body, &matters)?)
        }
    }
}

/// What would read a time that an answer holds although it was not read, for that reason. No setting mends what contradicts
/// itself. The rule stands in `answer/elsewhere.rs`.
#[must_use]
pub fn elsewhere(
    headers: &HeaderMap,
    body: &[u8],
    source: &TimeSelector,
    now: UnixInstant,
    why: &NotATime,
) -> Option<Elsewhere> {
    let lacks_zone = matches!(why, NotATime::Unreadable(unreadable) if unreadable.lacks == Some(Lack::Zone));
    if why.is_contradiction() { None } else { elsewhere::find(headers, body, source, now, lacks_zone) }
}

/// The same of an answer that has no body and is none that fails.
#[must_use]
pub fn elsewhere_in_headers(
    headers: &HeaderMap,
    source: &TimeSelector,
    now: UnixInstant,
) -> Option<Elsewhere> {
    elsewhere::in_headers(headers, source, now, true)
}

/// Refuses a time that is nowhere near now, when it would be in another unit than the given one. As a
/// clock that runs a thousand times too fast it would look like a new backend with each answer.
///
/// # Errors
/// Names the unit that was meant more likely.
pub fn in_the_right_unit(
    time: ServerTime,
    notation: &Notation,
    now: UnixInstant,
) -> Result<ServerTime, NotATime> {
    let Some(given) = notation.format() else { return Ok(time) };
    match time_format::likelier_unit(&time.reading, given, now) {
        None => Ok(time),
        Some(likelier) => Err(NotATime::WrongUnit { given, likelier }),
    }
}

/// A reading, and what the document that it stands in says of itself.
fn said_by(document: &Value, reading: Reading) -> ServerTime {
    let instance = document.get("instance").and_then(Value::as_str);
    ServerTime {
        reading,
        instance: instance.map(|name| printable(name.as_bytes(), NAME_LENGTH).into()),
        clock: document.get("clock").and_then(stated_clock),
    }
}

fn only_a_time(reading: Reading) -> ServerTime {
    ServerTime { reading, instance: None, clock: None }
}

/// Reads times as they are written by one service.
#[derive(Debug, Clone, Copy)]
struct Reader<'a> {
    notation: &'a Notation,
    now: UnixInstant,
    /// How far apart two readings of one clock may be in this answer.
    most_between: Duration,
}

impl Reader<'_> {
    /// A header may come twice, from the service and from a proxy before it. Both are read, and have to be
    /// readings of clocks that agree.
    fn header_time(
        self,
        headers: &HeaderMap,
        name: &HeaderName,
        date_cache: Duration,
    ) -> Result<ServerTime, NotATime> {
        let is_not_text = |_| NotATime::HeaderIsNotText(name.to_string());
        let values: Vec<&str> = headers
            .get_all(name)
            .iter()
            .map(|value| value.to_str())
            .collect::<Result<_, _>>()
            .map_err(is_not_text)?;
        let (first, others) = values.split_first().ok_or_else(|| NotATime::NoHeader(name.to_string()))?;
        let mut reading = self.parse(first, false)?;
        for other in others.iter().filter(|other| other.trim() != first.trim()) {
            let covering = self
                .parse(other, false)
                .ok()
                .and_then(|other| agreement::covering(&reading, &other, self.most_between));
            reading = covering.ok_or_else(|| NotATime::Twice {
                what: format!("header `{name}`"),
                first: printable(first.as_bytes(), 40),
                second: printable(other.as_bytes(), 40),
            })?;
        }
        if name == header::DATE {
            reading.may_lag = date_cache;
        }
        Ok(only_a_time(reading))
    }

    /// The whole body: a text, or one JSON string.
    fn body_time(self, body: &[u8]) -> Result<Reading, NotATime> {
        let text = document::text(body)?;
        let text = text.trim();
        match serde_json::from_str::<String>(text) {
            Ok(inside) => self.parse(&inside, false),
            Err(_) => self.parse(text, false),
        }
    }

    /// nowd's document, or the `current_time` alone that other services answer.
    fn document_time(self, document: &Value) -> Result<ServerTime, NotATime> {
        let current_time = document.get("current_time");
        let reading = if let Some(datetime) = document.get("datetime") {
            let reading = self.value_beside(datetime, "datetime", &[document])?;
            match (datetime.as_str(), current_time.and_then(Value::as_str)) {
                (Some(datetime), Some(current)) => {
                    let zone = StatedZone::of(document).and_then(StatedZone::known);
                    // Clients read either; a service that contradicts itself is wrong for one of them.
                    self.both(reading, datetime, current, zone).ok_or_else(|| {
                        // They are the other side's words.
                        let [datetime, current_time] =
                            [datetime, current].map(|text| printable(text.as_bytes(), 40));
                        NotATime::Contradiction { datetime, current_time }
                    })?
                }
                _ => reading,
            }
        } else if let Some(current_time) = current_time {
            self.value_beside(current_time, "current_time", &[document])?
        } else {
            return Err(no_field(document, "field `datetime` or `current_time`"));
        };
        Ok(said_by(document, reading))
    }

    /// The reading that both fields stand for; none when `current_time` cannot be a reading of the clock that gave
    /// `datetime`, shortly before or after: an instant, or a time of day in the zone of `datetime`, in the one that the
    /// document names, or in UTC.
    fn both(
        self,
        reading: Reading,
        datetime: &str,
        current_time: &str,
        stated: Option<Zone>,
    ) -> Option<Reading> {
        let read_in = |zone: Option<Zone>| {
            Notation { form: Form::Known(Format::Auto), zone }.read(current_time, false, self.now).ok()
        };
        let current = read_in(self.notation.zone.clone());
        let is_dated = current.is_some_and(|current| matches!(current.shown, Shown::Instant(_)));
        for other in current.into_iter().chain(stated.and_then(|zone| read_in(Some(zone)))) {
            if let Some(reading) = agreement::standing_for_both(&reading, &other, self.most_between) {
                return Some(reading);
            }
        }
        if is_dated {
            return None;
        }
        let on_the_wall = [datetime, current_time].map(time_format::on_the_wall);
        let contradict = matches!(
            on_the_wall,
            [Some(datetime), Some(current)] if !agreement::agree(&datetime, &current, self.most_between)
        );
        (!contradict).then_some(reading)
    }

    /// The time in a value. A text that leaves its zone open is in the zone that the first of these objects names, unless the
    /// user said which it is.
    ///
    /// Not every document means its own times by the zone that it names. So where the time is near now in UTC and not in
    /// that zone, nobody can say whether the clock is wrong, and the user has to say the zone.
    fn value_beside(self, value: &Value, name: &str, objects: &[&Value]) -> Result<Reading, NotATime> {
        let as_it_is = self.value_time(value, name);
        let stated = objects.iter().find_map(|object| StatedZone::of(object));
        let (None, Some(stated)) = (&self.notation.zone, stated) else { return as_it_is };
        let read_in = |zone: Zone| {
            let notation = Notation { zone: Some(zone), ..self.notation.clone() };
            Reader { notation: &notation, ..self }.value_time(value, name)
        };
        let in_utc = read_in(Zone::utc());
        // A text that says its zone means the same in every other one.
        let far_away = Zone::ahead_of_utc(OTHER_ZONE_THAN_ANY);
        if far_away.is_none_or(|zone| read_in(zone) == in_utc) {
            return as_it_is;
        }
        let is_near = |reading: &Result<Reading, NotATime>| {
            reading.as_ref().is_ok_and(|reading| time_format::is_within(reading, self.now, OTHER_ZONE))
        };
        let (there, unknown) = match stated {
            StatedZone::Known(zone) => (read_in(zone), None),
            StatedZone::Unknown(name) => (as_it_is, Some(name)),
        };
        if is_near(&there) || (unknown.is_none() && !is_near(&in_utc)) {
            return there;
        }
        let text = printable(value.to_string().as_bytes(), QUOTED);
        Err(NotATime::Unreadable(Unreadable::without_zone(&text, unknown.as_deref())))
    }

    fn value_time(self, value: &Value, name: &str) -> Result<Reading, NotATime> {
        match value {
            Value::String(text) => self.parse(text, false),
            Value::Number(number) => self.parse(number.as_str(), true),
            other => {
                if let Some(text) = composed::as_text(other) {
                    return self.parse(&text, false);
                }
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

    fn parse(self, text: &str, is_json_number: bool) -> Result<Reading, NotATime> {
        // What the other side wrote is quoted in a message; it must stay short.
        let shortened: String = text.trim().chars().take(80).collect();
        Ok(self.notation.read(&shortened, is_json_number, self.now)?)
    }
}

fn stated_clock(clock: &Value) -> Option<StatedClock> {
    let status = printable(clock.get("status")?.as_str()?.as_bytes(), NAME_LENGTH);
    let max_error =
        clock.get("max_error").and_then(Value::as_f64).filter(|bound| bound.is_finite() && *bound >= 0.0);
    Some(StatedClock { status, max_error })
}

/// A member, and what it stands in. One named with dots in its name goes before a path of that spelling.
fn member<'a>(document: &'a Value, path: &str) -> Option<(&'a Value, &'a Value)> {
    if let Some(value) = document.get(path) {
        return Some((document, value));
    }
    path.split('.').try_fold((document, document), |(_, holder), part| {
        let value = match holder {
            Value::Array(items) => items.get(part.parse::<usize>().ok()?),
            other => other.get(part),
        };
        Some((holder, value?))
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

#[cfg(test)]
mod tests;
