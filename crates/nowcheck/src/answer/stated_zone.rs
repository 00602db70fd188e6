//! The zone that a document names beside its times.

use serde_json::Value;

use crate::time_format::Zone;

/// Members that name a zone.
const NAMES: [&str; 7] = ["timezone", "time_zone", "timeZone", "tz", "zone", "zoneName", "timezone_name"];

/// Members that say how far a zone is ahead of UTC, in seconds or as `+01:00`.
const OFFSETS: [&str; 8] = [
    "utc_offset",
    "utcOffset",
    "gmt_offset",
    "gmtOffset",
    "gmtoffset",
    "timezone_offset",
    "timezoneOffset",
    "tz_offset",
];

/// What a document says of the zone of its times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StatedZone {
    /// A zone of the IANA database, or one that is always as far ahead of UTC.
    Known(Zone),
    /// A name that may be that of any zone.
    Unknown(String),
}

impl StatedZone {
    /// The zone that an object names, or what its offset says; nothing of what is no object.
    pub(super) fn of(object: &Value) -> Option<Self> {
        let names = NAMES.iter().filter_map(|member| name(object.get(*member)?));
        let mut unknown = None;
        for name in names {
            match name.parse().ok().or_else(|| of_offset(name)) {
                Some(zone) => return Some(Self::Known(zone)),
                None => unknown = unknown.or(Some(Self::Unknown(name.to_owned()))),
            }
        }
        let offset = OFFSETS.iter().find_map(|member| match object.get(*member)? {
            Value::String(text) => of_offset(text),
            number => of_seconds(number.as_i64()?),
        });
        offset.map(Self::Known).or(unknown)
    }

    /// The zone, where it is known.
    pub(super) fn known(self) -> Option<Zone> {
        match self {
            Self::Known(zone) => Some(zone),
            Self::Unknown(_) => None,
        }
    }
}

/// A name, or that of an object such as `{"id": "Europe/Madrid"}`.
fn name(value: &Value) -> Option<&str> {
    let text =
        value.as_str().or_else(|| ["name", "id"].iter().find_map(|member| value.get(*member)?.as_str()));
    text.map(str::trim).filter(|text| !text.is_empty())
}

/// Whole quarters of an hour. Fewer seconds than that are likelier hours or minutes, of which nobody can say which.
fn of_seconds(seconds: i64) -> Option<Zone> {
    let is_offset = seconds == 0 || (seconds.abs() >= 1_800 && seconds % 900 == 0);
    is_offset.then(|| Zone::ahead_of_utc(i32::try_from(seconds).ok()?)).flatten()
}

/// `+01:00`, `-0330`, `+1`, also behind `UTC` or `GMT`.
fn of_offset(text: &str) -> Option<Zone> {
    let text = text.trim();
    let text = ["UTC", "GMT"].iter().find_map(|name| text.strip_prefix(name)).unwrap_or(text).trim();
    let (sign, digits) = match (text.strip_prefix('+'), text.strip_prefix(['-', '\u{2212}'])) {
        (Some(digits), _) => (1, digits),
        (None, Some(digits)) => (-1, digits),
        (None, None) => return None,
    };
    let (hours, minutes) = match (digits.split_once(':'), digits.len()) {
        (Some((hours, minutes)), _) => (hours, minutes),
        (None, 4) => digits.split_at_checked(2)?,
        (None, _) => (digits, "0"),
    };
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    ((0..=15).contains(&hours) && (0..60).contains(&minutes))
        .then(|| Zone::ahead_of_utc(sign * (hours * 60 + minutes) * 60))
        .flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn known(name: &str) -> Option<StatedZone> {
        name.parse().ok().map(StatedZone::Known)
    }

    fn ahead(seconds: i32) -> Option<StatedZone> {
        Zone::ahead_of_utc(seconds).map(StatedZone::Known)
    }

    #[test]
    fn a_zone_is_a_name_of_the_database_or_an_offset() {
        for (object, zone) in [
            (json!({"timezone": "Europe/Madrid"}), known("Europe/Madrid")),
            (json!({"tz": "UTC", "timezone": 3}), known("UTC")),
            (json!({"timezone": {"id": "Asia/Kathmandu"}}), known("Asia/Kathmandu")),
            (json!({"zone": "UTC+05:30"}), ahead(19_800)),
            (json!({"utc_offset": 3600}), ahead(3_600)),
            (json!({"utc_offset": "-03:30"}), ahead(-12_600)),
            (json!({"gmtOffset": "+0100"}), ahead(3_600)),
            (json!({"timezone": "Atlantis", "utc_offset": "+1"}), ahead(3_600)),
            (json!({"timezone": "CEST"}), Some(StatedZone::Unknown("CEST".to_owned()))),
        ] {
            assert_eq!(StatedZone::of(&object), zone, "{object}");
        }
    }

    #[test]
    fn what_names_no_zone_is_none() {
        for other in [
            json!({}),
            json!([]),
            json!({"timezone": null}),
            json!({"timezone": " "}),
            json!({"utc_offset": 60}),
            json!({"utc_offset": "soon"}),
            json!({"utc_offset": "+99:00"}),
        ] {
            assert_eq!(StatedZone::of(&other), None, "{other}");
        }
    }
}
