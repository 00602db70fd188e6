//! Times in a form of their own, by a pattern of `strptime`.

use std::str::FromStr;
use std::sync::Arc;

use clock_offset::{Reading, UnixInstant};
use jiff::fmt::strtime::{self, BrokenDownTime};
use jiff::tz::TimeZone;

use super::civil::day_of_date;
use super::place::Place;
use super::written::Written;
use super::{DAY, MINUTE, Nanos, SECOND, Unreadable};

/// A pattern such as `%d.%m.%Y %H:%M:%S`, in the language of jiff's `strptime`.
///
/// ```
/// use nowcheck::time_format::Pattern;
///
/// assert!("%d.%m.%Y %H:%M:%S".parse::<Pattern>().is_ok());
/// assert!("%d.%m.%Y %J".parse::<Pattern>().is_err(), "there is no %J");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Arc<str>);

/// Why a text is not a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It has no directive.
    #[error("a pattern has directives such as %Y or %H")]
    NoDirective,
    /// Times cannot be read by it; in the library's words.
    #[error("no time can be read by this pattern ({0})")]
    CannotRead(String),
}

impl FromStr for Pattern {
    type Err = PatternError;

    /// Accepts a pattern by which a time can be written and read again.
    fn from_str(pattern: &str) -> Result<Self, PatternError> {
        if !pattern.contains('%') {
            return Err(PatternError::NoDirective);
        }
        let why = |error: jiff::Error| PatternError::CannotRead(error.to_string());
        let written = strtime::format(pattern, &jiff::Zoned::default()).map_err(why)?;
        strtime::parse(pattern, &written).map_err(why)?;
        Ok(Self(pattern.into()))
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Pattern {
    /// The resolution is that of the finest directive; zeros at the end of a fraction prove none.
    pub(super) fn read(
        &self,
        text: &str,
        zone: Option<&TimeZone>,
        now: UnixInstant,
    ) -> Result<Reading, Unreadable> {
        let fail = |error: jiff::Error| {
            Unreadable::new(format!("{text:?} does not match the pattern `{self}` ({error})"))
        };
        let parts = strtime::parse(&*self.0, text).map_err(fail)?;
        let step = resolution(&parts);
        if let Some(instant) = parts.timestamp() {
            let fraction = i128::from(parts.subsec_nanosecond().unwrap_or_default());
            let seconds = i128::from(instant.as_second()) * SECOND;
            return Ok(Nanos::of(seconds + fraction, step).into_instant());
        }
        let time = parts.to_time().map_err(fail)?;
        let seconds =
            (i128::from(time.hour()) * 60 + i128::from(time.minute())) * 60 + i128::from(time.second());
        let nanos = Nanos::of(seconds * SECOND + i128::from(time.subsec_nanosecond()), step);
        let zone_name = parts.iana_time_zone();
        let named = zone_name.map(TimeZone::get).transpose().map_err(fail)?;
        let place = Place {
            offset: parts.offset().map(|offset| i128::from(offset.seconds()) * SECOND),
            zone: named,
            ..Place::default()
        };
        let date = date(&parts, now).map_err(fail)?;
        Written { date, nanos, is_leap_second: false, place }.into_reading(text, zone, now)
    }
}

/// What the last place of the finest part is worth, in nanoseconds.
fn resolution(parts: &BrokenDownTime) -> i128 {
    if let Some(fraction @ 1..) = parts.subsec_nanosecond() {
        let zeros = fraction.to_string().bytes().rev().take_while(|digit| *digit == b'0').count();
        return (0..zeros).fold(1, |step, _| step * 10);
    }
    if parts.timestamp().is_some() || parts.second().is_some() {
        SECOND
    } else if parts.minute().is_some() {
        MINUTE
    } else if parts.hour().is_some() {
        60 * MINUTE
    } else {
        DAY
    }
}

/// Days from 1970-01-01; none when the pattern has no date. A date without its year, as in the lines of
/// syslog, is in the year that brings it nearest to now.
fn date(parts: &BrokenDownTime, now: UnixInstant) -> Result<Option<i128>, jiff::Error> {
    let has_date = parts.day().is_some() || parts.day_of_year().is_some() || parts.year().is_some();
    if let (None, Some(month), Some(day)) = (parts.year(), parts.month(), parts.day()) {
        let today = now.as_nanos().div_euclid(DAY);
        let this_year = 1970 + today * 400 / 146_097;
        let dates =
            (this_year - 1..=this_year + 1).filter_map(|year| day_of_date(year, month.into(), day.into()));
        return Ok(dates.min_by_key(|date| (date - today).abs()));
    }
    match parts.to_date() {
        Ok(date) => Ok(day_of_date(date.year().into(), date.month().into(), date.day().into())),
        Err(error) if has_date => Err(error),
        Err(_) => Ok(None),
    }
}
