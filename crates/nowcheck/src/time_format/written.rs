//! From what is written to the instant that is meant: the zone decides.

use clock_offset::{Reading, UnixInstant};
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

use super::place::Place;
use super::{DAY, Lack, MINUTE, Nanos, SECOND, Unreadable};

/// A time as it was written.
#[derive(Debug, Clone)]
pub(super) struct Written {
    /// Days from 1970-01-01; none for a time of day.
    pub(super) date: Option<i128>,
    /// Since midnight.
    pub(super) nanos: Nanos,
    /// Whether its second is 60.
    pub(super) is_leap_second: bool,
    /// Where it is that time.
    pub(super) place: Place,
}

impl Written {
    /// The instant that is meant. The offset in the text goes first, then its zone, then `zone`; a time of day
    /// without any of them is in UTC.
    ///
    /// In the hour that a zone repeats at the end of summer time a local time means two instants. The one
    /// nearer to `now` is taken, as for the day of a time of day. So a clock that is off by exactly that hour
    /// cannot be seen in local times of that hour.
    pub(super) fn into_reading(
        self,
        text: &str,
        zone: Option<&TimeZone>,
        now: UnixInstant,
    ) -> Result<Reading, Unreadable> {
        let zone = self.place.zone.as_ref().or(zone);
        let offset = match (self.place.offset, zone) {
            (Some(offset), _) => offset,
            (None, Some(zone)) => self.offset_in(zone, now),
            (None, None) => match (&self.place.abbreviation, self.date) {
                (Some(abbreviation), _) => {
                    let why = format!("{text:?} is in `{abbreviation}`, which several zones share");
                    return Err(Unreadable { lacks: Some(Lack::Zone), ..Unreadable::new(why) });
                }
                (None, Some(_)) => {
                    let why = format!("{text:?} has no time zone (`Z` or `+01:00`), so it names no instant");
                    return Err(Unreadable { lacks: Some(Lack::Zone), ..Unreadable::new(why) });
                }
                (None, None) => 0,
            },
        };
        self.must_not_contradict_its_zone(text, offset, now)?;
        let shift = self.date.unwrap_or_default() * DAY - offset;
        let nanos = Nanos {
            earliest: self.nanos.earliest + shift,
            latest: self.nanos.latest + shift,
            step: self.nanos.step,
        };
        if self.is_leap_second && (nanos.latest - SECOND).rem_euclid(DAY) != 0 {
            let why = format!("{text:?} is not a time: a leap second can only be 23:59:60 UTC");
            return Err(Unreadable::new(why));
        }
        Ok(if self.date.is_some() { nanos.into_instant() } else { nanos.into_time_of_day() })
    }

    /// RFC 9557 section 3.4: an offset that the zone behind it does not have at that time leaves open which of them is meant.
    fn must_not_contradict_its_zone(
        &self,
        text: &str,
        offset: i128,
        now: UnixInstant,
    ) -> Result<(), Unreadable> {
        let (Some(zone), false) = (&self.place.zone, self.place.is_zulu) else { return Ok(()) };
        let there: Vec<i128> = self.local_times(now).flat_map(|local| offsets(zone, local)).collect();
        if there.contains(&offset) {
            return Ok(());
        }
        let name = zone.iana_name().map_or_else(|| format!("{zone:?}"), ToOwned::to_owned);
        let [said, there] = [offset, there[0]].map(written_offset);
        let why = format!("{text:?} contradicts itself: its offset is {said}, and that of {name} is {there}");
        Err(Unreadable { lacks: Some(Lack::Agreement), ..Unreadable::new(why) })
    }

    /// How far a zone is ahead of UTC at that local time, in nanoseconds.
    fn offset_in(&self, zone: &TimeZone, now: UnixInstant) -> i128 {
        let meant = self
            .local_times(now)
            .flat_map(|local| offsets(zone, local).into_iter().map(move |offset| (offset, local - offset)));
        meant.min_by_key(|(_, instant)| (instant - now.as_nanos()).abs()).map_or(0, |(offset, _)| offset)
    }

    /// What a calendar and a clock on the wall may show there, in nanoseconds. A time of day may be that of yesterday or
    /// tomorrow.
    fn local_times(&self, now: UnixInstant) -> impl Iterator<Item = i128> + use<> {
        let today = now.as_nanos().div_euclid(DAY);
        let days = self.date.map_or_else(|| today - 1..=today + 1, |date| date..=date);
        let time = self.nanos.earliest.max(0);
        days.map(move |day| day * DAY + time)
    }
}

/// An offset as it is written, `+05:30`.
fn written_offset(offset: i128) -> String {
    let sign = if offset < 0 { '-' } else { '+' };
    let minutes = offset.abs() / MINUTE;
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

/// The offsets that a zone has at a local time, which is given in nanoseconds: one, or two where a clock is
/// set back or forward. In nanoseconds ahead of UTC.
fn offsets(zone: &TimeZone, local: i128) -> Vec<i128> {
    let seconds = i64::try_from(local.div_euclid(SECOND)).unwrap_or_default();
    let epoch = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
    // Beyond the years that a zone is known for it has the offset of today's rules, or none.
    let local = epoch.checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap_or(epoch);
    let of = |offset: jiff::tz::Offset| i128::from(offset.seconds()) * SECOND;
    match zone.to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Unambiguous { offset } => vec![of(offset)],
        AmbiguousOffset::Gap { before, after } | AmbiguousOffset::Fold { before, after } => {
            vec![of(before), of(after)]
        }
    }
}
