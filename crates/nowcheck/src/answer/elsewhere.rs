//! The time that an answer holds although it is not where, or not how, the settings say.
//!
//! **The rule.** A service that answers with success and with a time is not down because nowcheck does not find or read it.
//! An answer holds a time when one of these is near now:
//!
//! * the value that was looked for, in another format, with a zone, by a pattern, or in a unit that nowcheck only names;
//! * a member of its JSON, wherever it stands;
//! * its text, or a time in the middle of that, unless it is a page (HTML);
//! * a header of its own.
//!
//! Then the settings miss it, and the result is UNKNOWN with what would read it. An answer that holds no time is down. The
//! header `Date` alone is no evidence: most answers have one, also those of a service that is broken. It counts only beside
//! an answer without a body (204) and beside a short text that says that all is well.

use std::time::Duration;

use clock_offset::{Reading, UnixInstant};
use http::{HeaderMap, HeaderName, header};
use serde_json::Value;

use super::{Field, ServerTime, TimeSelector, document, member, read};
use crate::outcome::{Elsewhere, NotATime, TimePlace, Writing, Zoning};
use crate::text::printable;
use crate::time_format::{
    Embedded, Form, Format, Lack, Notation, Zone, embedded, is_near, is_now, is_within,
};

/// Members are looked for that deep.
const DEEPEST: usize = 4;

/// The most of a field's name that is quoted.
const NAME_LENGTH: usize = 80;

/// A number of fewer digits may be days or hours since whenever, but is likelier a port or a count.
const DIGITS_OF_A_TIME: usize = 9;

/// A time without its zone that is that near to now in a zone is likely in that.
const IN_ITS_ZONE: Duration = Duration::from_mins(5);

/// Headers that have a time in every answer, or one of something else.
const NOT_OF_THE_SERVICE: [HeaderName; 6] = [
    header::DATE,
    header::EXPIRES,
    header::LAST_MODIFIED,
    header::RETRY_AFTER,
    header::SET_COOKIE,
    header::ETAG,
];

/// What a service that is well answers to a health check.
const ALL_IS_WELL: [&str; 12] =
    ["ok", "okay", "up", "hello", "pong", "healthy", "alive", "ready", "true", "success", "pass", "it works"];

/// What would read a time near now that an answer holds; none when it holds none. It may be known already that the time
/// which was looked for lacks its zone.
pub(super) fn find(
    headers: &HeaderMap,
    body: &[u8],
    source: &TimeSelector,
    now: UnixInstant,
    lacks_zone: bool,
) -> Option<Elsewhere> {
    let search = Search { source, now };
    let text = document::text_of_any_kind(body);
    let document = document::parse(text.as_bytes(), &|_| false).ok();
    if document::text(body) == Err(NotATime::BodyIsUtf16) {
        // No setting reads it, wherever its time stands.
        let why = Writing::Unread("it is UTF-16".to_owned());
        return search
            .in_the_body(document.as_ref(), &text)
            .map(|_| search.found(TimePlace::WhereItShould, why));
    }
    search
        .where_it_should_be(headers, document.as_ref(), &text, lacks_zone)
        .or_else(|| search.without_the_field(headers, body))
        .or_else(|| search.in_the_body(document.as_ref(), &text))
        .or_else(|| in_headers(headers, source, now, says_all_is_well(&text)).filter(|_| !is_page(&text)))
}

/// What would read a time in a header. `Date` is one only if the answer says nothing that is wrong.
pub(super) fn in_headers(
    headers: &HeaderMap,
    source: &TimeSelector,
    now: UnixInstant,
    is_all_well: bool,
) -> Option<Elsewhere> {
    let search = Search { source, now };
    let asked = match &source.field {
        Field::Header(name) => Some(name),
        _ => None,
    };
    let is_time = |name: &HeaderName| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value
            .and_then(|value| search.writing(value, false))
            .is_some_and(|(writing, _)| writing == Writing::AsItLooks)
    };
    let of_its_own = headers.keys().filter(|name| !NOT_OF_THE_SERVICE.contains(name) && Some(*name) != asked);
    let date = (is_all_well && asked.is_none()).then_some(&header::DATE);
    let name = of_its_own.chain(date).find(|name| is_time(name))?;
    Some(search.found(TimePlace::Field(format!("header:{name}")), Writing::AsItLooks))
}

/// How well what was found can be read, how far from now it is (in minutes), and how deep it stands: the least is best.
type Rank = (Writing, u64, usize);

struct Search<'a> {
    source: &'a TimeSelector,
    now: UnixInstant,
}

impl Search<'_> {
    fn found(&self, place: TimePlace, writing: Writing) -> Elsewhere {
        let leaves_format_out = self.source.notation.form != Form::Known(Format::Auto)
            && !matches!(writing, Writing::ByPattern(..));
        Elsewhere { place, writing, leaves_format_out }
    }

    /// What was looked for, in another way.
    fn where_it_should_be(
        &self,
        headers: &HeaderMap,
        document: Option<&Value>,
        text: &str,
        lacks_zone: bool,
    ) -> Option<Elsewhere> {
        let at = |path: &str| member(document?, path).map(|(_, value)| value);
        let written = match &self.source.field {
            Field::Auto => at("datetime").and_then(written).or_else(|| at("current_time").and_then(written)),
            Field::Member(path) => at(path).and_then(written),
            Field::Pointer(pointer) => document?.pointer(pointer).and_then(written),
            Field::Header(name) => {
                headers.get(name).and_then(|value| value.to_str().ok()).map(|text| (text.to_owned(), false))
            }
            Field::Body if is_page(text) => None,
            Field::Body => Some(document.and_then(written).unwrap_or_else(|| (text.to_owned(), false))),
        };
        let (text, is_number) = written?;
        if lacks_zone && let Some(writing) = self.in_an_open_zone(&text, is_number) {
            return Some(Elsewhere { place: TimePlace::WhereItShould, writing, leaves_format_out: false });
        }
        let is_auto = self.source.notation.form == Form::Known(Format::Auto);
        let as_given = self.writing_by(&self.source.notation, &text, is_number);
        let (writing, leaves_format_out) = match as_given {
            Some((writing @ Writing::WithoutZone(_), _)) => (writing, false),
            _ => (self.writing(&text, is_number)?.0, !is_auto),
        };
        // What was looked for there and so was read, and was no time after all.
        if writing == Writing::AsItLooks && !leaves_format_out {
            return None;
        }
        let leaves_format_out = leaves_format_out && !matches!(writing, Writing::ByPattern(..));
        Some(Elsewhere { place: TimePlace::WhereItShould, writing, leaves_format_out })
    }

    /// A text that can be read as it is and is in another zone, perhaps: the document says so beside it.
    fn in_an_open_zone(&self, text: &str, is_number: bool) -> Option<Writing> {
        let notation = Notation { zone: Some(Zone::utc()), ..self.source.notation.clone() };
        let in_utc = notation.read(text, is_number, self.now).ok()?;
        self.source.notation.read(text, is_number, self.now).ok()?;
        let fits_utc = is_within(&in_utc, self.now, IN_ITS_ZONE);
        Some(Writing::WithoutZone(if fits_utc { Zoning::Likely("UTC".to_owned()) } else { Zoning::Open }))
    }

    /// nowd's document, although another field was asked for.
    fn without_the_field(&self, headers: &HeaderMap, body: &[u8]) -> Option<Elsewhere> {
        if self.source.field == Field::Auto {
            return None;
        }
        let notation = self.as_it_looks();
        let selector = TimeSelector { field: Field::Auto, notation, date_cache: Duration::ZERO };
        let is_time = |time: &ServerTime| is_near(&time.reading, self.now);
        read(headers, body, &selector, self.now, Duration::ZERO).ok().filter(is_time)?;
        Some(self.found(TimePlace::WithoutField, Writing::AsItLooks))
    }

    fn in_the_body(&self, document: Option<&Value>, text: &str) -> Option<Elsewhere> {
        let field = |name: &str| TimePlace::Field(printable(name.as_bytes(), NAME_LENGTH));
        match document {
            Some(document @ (Value::Object(_) | Value::Array(_))) => {
                let mut best: Option<(Rank, String)> = None;
                self.members(document, "", 0, &mut best);
                let ((writing, ..), name) = best?;
                Some(self.found(field(&name), writing))
            }
            _ if is_page(text) || self.source.field == Field::Body => None,
            scalar => {
                let (text, is_number) = scalar.and_then(written).unwrap_or_else(|| (text.to_owned(), false));
                let (writing, _) = self.writing(&text, is_number)?;
                Some(self.found(field("body"), writing))
            }
        }
    }

    /// The best of all members.
    fn members(&self, holder: &Value, path: &str, depth: usize, best: &mut Option<(Rank, String)>) {
        let members: Vec<(String, &Value)> = match holder {
            Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), value)).collect(),
            Value::Array(items) => {
                items.iter().enumerate().map(|(nth, value)| (nth.to_string(), value)).collect()
            }
            _ => return,
        };
        for (name, value) in members {
            let path = if path.is_empty() { name } else { format!("{path}.{name}") };
            let writing = written(value)
                .filter(|(text, is_number)| !is_number || text.len() >= DIGITS_OF_A_TIME)
                .and_then(|(text, is_number)| self.writing(&text, is_number));
            if let Some((writing, distance)) = writing {
                let rank = (writing, distance.as_secs() / 60, depth);
                if best.as_ref().is_none_or(|(least, _)| rank < *least) {
                    *best = Some((rank, path));
                }
            } else if depth + 1 < DEEPEST {
                self.members(value, &path, depth + 1, best);
            }
        }
    }

    fn as_it_looks(&self) -> Notation {
        Notation { form: Form::Known(Format::Auto), zone: self.source.notation.zone.clone() }
    }

    /// How a text is written that is a time near now, and how far from now it is.
    fn writing(&self, text: &str, is_number: bool) -> Option<(Writing, Duration)> {
        self.writing_by(&self.as_it_looks(), text, is_number)
    }

    fn writing_by(&self, notation: &Notation, text: &str, is_number: bool) -> Option<(Writing, Duration)> {
        // A long text is no time, but may have one in it.
        let shortened: String = text.trim().chars().take(80).collect();
        let read = |notation: &Notation| notation.read(&shortened, is_number, self.now);
        let in_utc = || Notation { zone: Some(Zone::utc()), ..notation.clone() };
        let error = match read(notation) {
            Ok(reading) => {
                let is_time = is_now(&shortened, &reading, self.now);
                return is_time.then(|| (Writing::AsItLooks, self.distance(&reading)));
            }
            Err(error) => error,
        };
        match error.lacks {
            Some(Lack::Zone) => {
                let reading = read(&in_utc()).ok().filter(|reading| is_now(&shortened, reading, self.now))?;
                let fits = |name: &&str| {
                    let notation = Notation { zone: name.parse().ok(), ..notation.clone() };
                    read(&notation).is_ok_and(|reading| is_within(&reading, self.now, IN_ITS_ZONE))
                };
                // An abbreviation may be a name of the database too, such as CET.
                let names = text.split(|c: char| !c.is_ascii_alphabetic()).filter(|name| name.len() >= 3);
                let zoning = names
                    .chain(["UTC"])
                    .find(fits)
                    .map_or(Zoning::Open, |name| Zoning::Likely(name.to_owned()));
                Some((Writing::WithoutZone(zoning), self.distance(&reading)))
            }
            Some(Lack::Pattern(patterns)) => self.by_patterns(&patterns, text, is_number),
            Some(Lack::Unit) => Some((Writing::Unread(error.why), Duration::ZERO)),
            Some(Lack::AnotherNumber | Lack::Agreement) => None,
            None if is_number => None,
            None => {
                let Embedded { pattern, without_zone } = embedded(text, self.now)?;
                let zoning = without_zone.map(|distance| {
                    if distance <= IN_ITS_ZONE { Zoning::Likely("UTC".to_owned()) } else { Zoning::Open }
                });
                let writing = match pattern {
                    Some(pattern) => Writing::ByPattern(vec![pattern], zoning),
                    None => Writing::Unread("it stands in the middle of a text".to_owned()),
                };
                Some((writing, Duration::ZERO))
            }
        }
    }

    /// Those of the patterns by which a text is near now.
    fn by_patterns(&self, patterns: &[String], text: &str, is_number: bool) -> Option<(Writing, Duration)> {
        let read = |pattern: &String, zone| {
            let notation = Notation { form: Form::Pattern(pattern.parse().ok()?), zone };
            notation.read(text.trim(), is_number, self.now).ok().filter(|reading| is_near(reading, self.now))
        };
        let fitting: Vec<String> =
            patterns.iter().filter(|pattern| read(pattern, Some(Zone::utc())).is_some()).cloned().collect();
        let first = fitting.first()?;
        let distance = self.distance(&read(first, Some(Zone::utc()))?);
        let lacks_zone = read(first, self.source.notation.zone.clone()).is_none();
        Some((Writing::ByPattern(fitting, lacks_zone.then_some(Zoning::Open)), distance))
    }

    fn distance(&self, reading: &Reading) -> Duration {
        let shown = reading.nearest_to(self.now);
        (shown.midpoint() - self.now).magnitude()
    }
}

/// A value as a text, and whether it is a number.
fn written(value: &Value) -> Option<(String, bool)> {
    match value {
        Value::String(text) => Some((text.clone(), false)),
        Value::Number(number) => Some((number.to_string(), true)),
        other => super::composed::as_text(other).map(|text| (text, false)),
    }
}

/// Whether a text is a page for people. One that shows a time is likelier an error with its date than a clock.
fn is_page(text: &str) -> bool {
    let start: String = text.trim_start().chars().take(1_024).collect::<String>().to_ascii_lowercase();
    start.starts_with('<')
        && ["<!doctype html", "<html", "<head", "<body", "<title", "<h1", "<p>", "<pre"]
            .iter()
            .any(|tag| start.contains(tag))
}

fn says_all_is_well(text: &str) -> bool {
    let said = text.trim().trim_end_matches(['.', '!']).to_ascii_lowercase();
    ALL_IS_WELL.contains(&said.as_str())
}

#[cfg(test)]
mod tests;
