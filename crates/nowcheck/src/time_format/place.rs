//! Where a clock on the wall hangs: the offset or the zone behind a time.

use jiff::tz::{Offset, TimeZone};

use super::civil::Cursor;
use super::{Lack, SECOND, Unreadable};

/// What a text says of the place where it is that time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Nanoseconds ahead of UTC.
    pub(super) offset: Option<i128>,
    /// Whether the offset is `Z`, which says the instant and nothing about the place (RFC 9557 section 2).
    pub(super) is_zulu: bool,
    /// A zone of the IANA database, or an offset that a suffix has (RFC 9557 section 4.1).
    pub(super) zone: Option<TimeZone>,
    /// An abbreviation such as `CST`, which several zones share.
    pub(super) abbreviation: Option<String>,
}

impl Place {
    /// UTC.
    pub(super) fn utc() -> Self {
        Self { offset: Some(0), is_zulu: true, ..Self::default() }
    }

    /// Whether the text says nothing of it.
    pub(super) fn is_nowhere(&self) -> bool {
        *self == Self::default()
    }

    /// Reads what follows a time of day: `Z`, `UTC`, `+0530`, ` +01:00`, `GMT+0100 (CET)`, `+01:00[Europe/Madrid]`
    /// (RFC 9557), `+0000 UTC m=+0.01` (Go).
    pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Self, Unreadable> {
        let mut place = Self::default();
        loop {
            cursor.skip_spaces();
            let Some(first) = cursor.rest().first() else { return Ok(place) };
            match first {
                b'+' | b'-' | 0xE2 => place.read_offset(cursor)?,
                b'[' => place.read_suffix(cursor)?,
                b'(' => place.read_comment(cursor)?,
                // Go prints how long the process has run.
                b'm' if cursor.rest().starts_with(b"m=") => {
                    let word = cursor.rest().iter().take_while(|byte| !byte.is_ascii_whitespace()).count();
                    cursor.skip(word);
                }
                letter if letter.is_ascii_alphabetic() => place.read_name(cursor)?,
                _ => return Ok(place),
            }
        }
    }

    fn read_offset(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Unreadable> {
        // U+2212 is the minus sign that ISO 8601 recommends.
        let minus = "\u{2212}".as_bytes();
        let sign = if cursor.rest().starts_with(minus) {
            cursor.skip(minus.len());
            -1
        } else if cursor.one_of(b"+-")? == b'-' {
            -1
        } else {
            1
        };
        let digits = cursor.run_of_digits();
        let hours = cursor.digits(if matches!(digits, 1 | 3) { 1 } else { 2 }, "zone's hours")?;
        cursor.up_to(hours, 23, "zone's hours")?;
        let mut part = |name: &str| -> Result<i128, Unreadable> {
            let has_colon = cursor.rest().first() == Some(&b':');
            if !has_colon && (digits <= 2 || cursor.run_of_digits() == 0) {
                return Ok(0);
            }
            if has_colon {
                cursor.skip(1);
            }
            let value = cursor.digits(2, name)?;
            cursor.up_to(value, 59, name)
        };
        let minutes = part("zone's minutes")?;
        let seconds = part("zone's seconds")?;
        let offset = sign * ((hours * 60 + minutes) * 60 + seconds) * SECOND;
        if self.offset.is_some_and(|before| before != offset && before != 0) {
            return Err(Unreadable {
                lacks: Some(Lack::Agreement),
                ..cursor.fail("it has two different offsets")
            });
        }
        // `-00:00` says no more than `Z` (RFC 9557 section 2).
        (self.offset, self.is_zulu) = (Some(offset), offset == 0 && sign < 0);
        Ok(())
    }

    /// `[Europe/Madrid]`, `[+01:00]`, `[u-ca=gregory]`, each with an optional `!` (RFC 9557 section 4.1). What is not known
    /// is passed over, unless a `!` says that it must not be.
    fn read_suffix(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Unreadable> {
        let Some(length) = cursor.rest().iter().position(|byte| *byte == b']') else {
            return Err(cursor.fail("`]` is missing"));
        };
        let inside =
            std::str::from_utf8(&cursor.rest()[1..length]).map_err(|_| cursor.fail("it is not text"))?;
        cursor.skip(length + 1);
        let (is_critical, inside) =
            inside.strip_prefix('!').map_or((false, inside), |elective| (true, elective));
        if inside.contains('=') {
            // The calendar does not change the instant. Of any other key nobody can say that.
            return if is_critical && !inside.starts_with("u-ca=") {
                Err(cursor
                    .fail(&format!("its suffix `[!{inside}]` must not be passed over, and is not known")))
            } else {
                Ok(())
            };
        }
        self.take_zone(inside, cursor, is_critical)
    }

    fn take_zone(&mut self, name: &str, cursor: &Cursor<'_>, must_be_known: bool) -> Result<(), Unreadable> {
        let zone =
            if name.starts_with(['+', '-']) { of_offset(name, cursor)? } else { TimeZone::get(name).ok() };
        match zone {
            Some(zone) if self.zone.as_ref().is_some_and(|before| *before != zone) => {
                Err(Unreadable { lacks: Some(Lack::Agreement), ..cursor.fail("it has two different zones") })
            }
            Some(zone) => {
                self.zone = Some(zone);
                Ok(())
            }
            None if self.offset.is_some() && !must_be_known => Ok(()),
            None => Err(cursor.fail(&format!("there is no zone `{name}`"))),
        }
    }

    /// `(Coordinated Universal Time)`, as browsers print it and RFC 5322 allows it. It repeats the offset, unless it stands
    /// alone.
    fn read_comment(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Unreadable> {
        let Some(length) = cursor.rest().iter().position(|byte| *byte == b')') else {
            return Err(cursor.fail("`)` is missing"));
        };
        if self.is_nowhere() && matches!(&cursor.rest()[1..length], b"UTC" | b"GMT" | b"Z") {
            *self = Self::utc();
        }
        cursor.skip(length + 1);
        Ok(())
    }

    /// `Z`, `UTC`, `GMT`, `Europe/Madrid`, or an abbreviation.
    fn read_name(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Unreadable> {
        let is_part = |byte: &&u8| byte.is_ascii_alphabetic() || matches!(byte, b'/' | b'_');
        let length = cursor.rest().iter().take_while(is_part).count();
        let name = std::str::from_utf8(&cursor.rest()[..length]).unwrap_or_default().to_owned();
        cursor.skip(length);
        match name.to_ascii_uppercase().as_str() {
            "Z" | "UTC" | "GMT" | "UT" | "ZULU" => {
                if self.offset.is_none() {
                    (self.offset, self.is_zulu) = (Some(0), true);
                }
                Ok(())
            }
            _ if name.contains('/') => self.take_zone(&name, cursor, true),
            // A word behind an offset repeats it: `+0100 CET`.
            _ if self.offset.is_some() => Ok(()),
            _ if self.abbreviation.is_none() && (2..=5).contains(&length) => {
                self.abbreviation = Some(name);
                Ok(())
            }
            _ => Err(cursor.fail("something follows it")),
        }
    }
}

/// The offset of a suffix such as `[+01:00]`, as a zone.
fn of_offset(name: &str, cursor: &Cursor<'_>) -> Result<Option<TimeZone>, Unreadable> {
    let mut place = Place::default();
    let mut inside = Cursor::new(name, "an offset");
    place
        .read_offset(&mut inside)
        .and_then(|()| inside.end())
        .map_err(|_| cursor.fail(&format!("`[{name}]` is no offset")))?;
    let seconds = place.offset.and_then(|offset| i32::try_from(offset / SECOND).ok());
    Ok(seconds.and_then(|seconds| Offset::from_seconds(seconds).ok()).map(TimeZone::fixed))
}
