//! Dates, times of day and zones.

use jiff::civil::{DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use toml::de::DeValue;

use super::{Given, Section, Wrong, text};

/// A date and a time of day, which may lack a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::config) enum Moment {
    /// One instant.
    Instant(Timestamp),
    /// What a clock on a wall shows.
    OnTheWall(DateTime),
}

impl Moment {
    /// The instant. A time that a zone's clocks skip is as much later; of a time that comes twice, it is the first.
    pub(in crate::config) fn instant(&self, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Self::Instant(instant) => Some(*instant),
            Self::OnTheWall(time) => Some(time.to_zoned(zone.clone()).ok()?.timestamp()),
        }
    }
}

const WEEKDAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];

fn weekday(text: &str) -> Option<Weekday> {
    let text = text.to_lowercase();
    let means = |name: &str| name == text || text.len() == 3 && name.starts_with(&text);
    WEEKDAYS.iter().find(|(name, _)| means(name)).map(|(_, day)| *day)
}

fn zone(name: &str) -> Result<TimeZone, Wrong> {
    let is_one = |name: &str| !name.is_empty() && !name.contains('\0');
    let found = is_one(name).then(|| TimeZone::get(name).ok()).flatten();
    found.ok_or_else(|| {
        Wrong::must("has no time zone that is known; write one such as \"Europe/Madrid\" or \"UTC\"")
    })
}

fn moment(written: &str) -> Option<Moment> {
    if written.contains('[') {
        return Some(Moment::Instant(written.parse::<Zoned>().ok()?.timestamp()));
    }
    if let Ok(instant) = written.parse::<Timestamp>() {
        return Some(Moment::Instant(instant));
    }
    // A day alone would be read as midnight, and may be meant whole.
    written.contains(':').then(|| written.parse::<DateTime>().ok().map(Moment::OnTheWall)).flatten()
}

impl Section<'_> {
    /// A time zone.
    pub(in crate::config) fn zone(&self, name: &str) -> Option<Given<TimeZone>> {
        self.value(name, |key, value| zone(&text(key, value)?))
    }

    /// A date and a time of day.
    pub(in crate::config) fn moment(&self, name: &str) -> Option<Given<Moment>> {
        self.value(name, |key, value| {
            let written = match value {
                DeValue::Datetime(time) => time.to_string(),
                DeValue::String(text) => text.to_string(),
                _ => String::new(),
            };
            moment(&written).ok_or_else(|| {
                Wrong::must(format!(
                    "must be a date and a time of day, with a zone that is known: {}",
                    key.example
                ))
            })
        })
    }

    /// A day of the week and a time of day, and the zone in brackets if there is one.
    pub(in crate::config) fn weekly(&self, name: &str) -> Option<Given<(Weekday, Time, Option<TimeZone>)>> {
        self.value(name, |_, value| {
            let must = || Wrong::must("must be a day of the week and a time of day, such as \"Sun 02:00\"");
            let written = value.as_str().ok_or_else(must)?;
            let (written, named) = match written.strip_suffix(']').and_then(|text| text.split_once('[')) {
                Some((written, name)) => (written, Some(zone(name)?)),
                None => (written, None),
            };
            let (day, time) = written.trim().split_once(' ').ok_or_else(must)?;
            let day = weekday(day.trim()).ok_or_else(must)?;
            let time: Time = Some(time.trim())
                .filter(|time| time.contains(':'))
                .and_then(|time| time.parse().ok())
                .ok_or_else(must)?;
            Ok((day, time, named))
        })
    }
}
