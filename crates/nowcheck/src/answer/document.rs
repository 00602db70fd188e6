//! A JSON body: text, its members, and members that occur twice.

mod guard;

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::outcome::NotATime;
use crate::text::printable;

/// The most of a value that is quoted.
const QUOTED: usize = 40;

/// The text of a body, without its byte order mark and without null bytes at its end (a buffer of C that was sent whole).
///
/// What is not UTF-8 is taken to be Latin-1, byte by byte: names of places beside a time are often that, and nothing
/// rests on them.
///
/// # Errors
/// Names UTF-16.
pub(super) fn text(body: &[u8]) -> Result<Cow<'_, str>, NotATime> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    if is_utf16(body) {
        return Err(NotATime::BodyIsUtf16);
    }
    let end = body.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    Ok(latin1_beside_utf8(&body[..end]))
}

/// Whether a body is UTF-16 or UTF-32. Without a mark: every second byte of ASCII is zero.
fn is_utf16(body: &[u8]) -> bool {
    matches!(body, [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..])
        || matches!(body, [0, other, ..] | [other, 0, _, ..] if *other != 0)
        || matches!(body, [0, 0, ..])
}

/// The text of a body, also of one that is not read because it is UTF-16: it may hold a time all the same.
pub(super) fn text_of_any_kind(body: &[u8]) -> Cow<'_, str> {
    text(body).unwrap_or_else(|_| {
        let units = |unit: fn([u8; 2]) -> u16| -> Vec<u16> {
            body.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect()
        };
        let is_big_endian = matches!(body, [0xFE, 0xFF, ..] | [0, ..]);
        let units = units(if is_big_endian { u16::from_be_bytes } else { u16::from_le_bytes });
        String::from_utf16_lossy(&units).trim_start_matches('\u{feff}').to_owned().into()
    })
}

fn latin1_beside_utf8(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.into();
    }
    let mut text = String::with_capacity(bytes.len() * 2);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| char::from(*byte)));
    }
    text.into()
}

/// Parses a body. Of the members whose name `matters` to the reader, none may occur twice with different values:
/// parsers differ in which one they take (RFC 8259 section 4).
///
/// # Errors
/// Says what is wrong with the body.
pub(super) fn parse(body: &[u8], matters: &dyn Fn(&str) -> bool) -> Result<Value, NotATime> {
    let text = text(body)?;
    if text.trim().is_empty() {
        return Err(NotATime::BodyIsEmpty);
    }
    let (json, document) = from_json(&text).map_err(|error| {
        if text.trim_start().starts_with('<') {
            NotATime::BodyIsNotJson("it looks like HTML".to_owned())
        } else if std::str::from_utf8(body).is_err() {
            NotATime::BodyIsNotText
        } else {
            NotATime::BodyIsNotJson(error.to_string())
        }
    })?;
    match twice(json, matters) {
        Some(twice) => Err(twice),
        None => Ok(document),
    }
}

/// The JSON of a text and what it says, also where a guard stands around it.
fn from_json(text: &str) -> serde_json::Result<(&str, Value)> {
    serde_json::from_str(text).map(|document| (text, document)).or_else(|error| {
        let inside = guard::taken_off(text).ok_or(error)?;
        Ok((inside, serde_json::from_str(inside)?))
    })
}

/// The first member that matters and occurs twice with different values.
fn twice(json: &str, matters: &dyn Fn(&str) -> bool) -> Option<NotATime> {
    let json = json.trim_start();
    if json.starts_with('[') {
        let items: Vec<&RawValue> = serde_json::from_str(json).ok()?;
        return items.iter().find_map(|item| twice(item.get(), matters));
    }
    if !json.starts_with('{') {
        return None;
    }
    let Members(members) = serde_json::from_str(json).ok()?;
    let value = |raw: &RawValue| serde_json::from_str::<Value>(raw.get()).ok();
    for (nth, (name, second)) in members.iter().enumerate() {
        let is_it = |(other, first): &&(String, &RawValue)| other == name && value(first) != value(second);
        if matters(name)
            && let Some((_, first)) = members[..nth].iter().find(is_it)
        {
            return Some(NotATime::Twice {
                what: format!("member `{}`", printable(name.as_bytes(), QUOTED)),
                first: printable(first.get().as_bytes(), QUOTED),
                second: printable(second.get().as_bytes(), QUOTED),
            });
        }
    }
    members.iter().find_map(|(_, value)| twice(value.get(), matters))
}

/// All members of an object, also those that occur twice.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;

        impl<'de> Visitor<'de> for All {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = object.next_entry::<String, &'de RawValue>()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(All)
    }
}
