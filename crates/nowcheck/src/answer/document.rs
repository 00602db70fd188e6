//! A JSON body: text, its members, and members that occur twice.

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::outcome::NotATime;
use crate::text::printable;

/// The most of a value that is quoted.
const QUOTED: usize = 40;

/// The text of a body, without its byte order mark.
///
/// # Errors
/// Names UTF-16.
pub(super) fn text(body: &[u8]) -> Result<&str, NotATime> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    // Without a mark: every second byte of ASCII is zero.
    if matches!(body, [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] | [0, ..] | [_, 0, ..]) {
        return Err(NotATime::BodyIsUtf16);
    }
    std::str::from_utf8(body).map_err(|_| NotATime::BodyIsNotText)
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
    let document = serde_json::from_str(text).map_err(|error| {
        let error = if text.trim_start().starts_with('<') {
            "it looks like HTML".to_owned()
        } else {
            error.to_string()
        };
        NotATime::BodyIsNotJson(error)
    })?;
    match twice(text, matters) {
        Some(twice) => Err(twice),
        None => Ok(document),
    }
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
