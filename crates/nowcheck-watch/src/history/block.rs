//! Rounds of one check ↔ bytes. A block holds an hour; a single round that waits to be packed is a block of one.
//!
//! Texts stand once, at the beginning. What rarely changes (how long a result stands, the reason, the certificate) is
//! written only where it changes; an instant is written as what differs from a regular pace.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;

use super::record::{BackendOffset, RoundRecord};
use super::units::{Micros, microseconds, milliseconds, timestamp, whole_milliseconds};
use super::varint::{Malformed, Reader, put, put_signed};
use crate::status::CheckStatus;

/// The first byte of a block.
const VERSION: u8 = 1;

const STATUS: u8 = 0b111;
const HAS_OFFSET: u8 = 1 << 3;
const HAS_ROUND_TRIP: u8 = 1 << 4;
const HAS_CAUSE: u8 = 1 << 5;
const HAS_BACKENDS: u8 = 1 << 6;
const HAS_SETTING: u8 = 1 << 7;

/// What rarely changes from one round to the next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Setting {
    stands_for: u64,
    /// The index of the reason, plus one.
    reason: u64,
    /// Seconds since 1970, plus one; zero for none.
    expiry: u64,
}

/// What a round is compared with: the one before.
#[derive(Debug, Clone, Copy, Default)]
struct Before {
    start: i64,
    pace: i64,
    setting: Setting,
}

impl Before {
    fn advance(&mut self, start: i64, setting: Setting) {
        let pace = if self.start == 0 { 0 } else { start.wrapping_sub(self.start) };
        *self = Self { start, pace, setting };
    }
}

/// Writes rounds, whose check is not written.
pub(super) fn encode(rounds: &[RoundRecord]) -> Vec<u8> {
    let mut texts = Texts::default();
    let mut body = Vec::new();
    put(&mut body, rounds.len() as u64);
    let mut before = Before::default();
    for round in rounds {
        put_round(&mut body, round, &mut texts, &mut before);
    }
    let mut out = vec![VERSION];
    put(&mut out, texts.all.len() as u64);
    for text in texts.all {
        put(&mut out, text.len() as u64);
        out.extend_from_slice(text.as_bytes());
    }
    out.append(&mut body);
    out
}

/// The texts of a block, in the order in which they came. There may be thousands, if a service renames its instances.
#[derive(Default)]
struct Texts<'a> {
    all: Vec<&'a str>,
    /// Of all of them, once there are more than [`FEW`].
    indexes: HashMap<&'a str, u64>,
}

/// So many are compared faster than hashed, and hardly a service has more.
const FEW: usize = 16;

impl<'a> Texts<'a> {
    fn index_of(&mut self, text: &'a str) -> u64 {
        let known = if self.all.len() <= FEW {
            self.all.iter().position(|known| *known == text).map(|index| index as u64)
        } else {
            self.indexes.get(text).copied()
        };
        known.unwrap_or_else(|| self.append(text))
    }

    fn append(&mut self, text: &'a str) -> u64 {
        let index = self.all.len() as u64;
        self.all.push(text);
        if self.all.len() == FEW + 1 {
            self.indexes.extend(self.all.iter().copied().zip(0..));
        } else if self.all.len() > FEW {
            self.indexes.insert(text, index);
        }
        index
    }
}

fn put_round<'a>(out: &mut Vec<u8>, round: &'a RoundRecord, texts: &mut Texts<'a>, before: &mut Before) {
    let start = milliseconds(round.start);
    let expiry = round.certificate_expiry.and_then(|expiry| u64::try_from(expiry.as_second()).ok());
    let setting = Setting {
        stands_for: whole_milliseconds(round.stands_for),
        reason: texts.index_of(&round.reason) + 1,
        expiry: expiry.map_or(0, |expiry| expiry + 1),
    };
    let flag = |is_there: bool, flag: u8| if is_there { flag } else { 0 };
    out.push(
        round.status as u8
            | flag(round.offset.is_some(), HAS_OFFSET)
            | flag(round.round_trip.is_some(), HAS_ROUND_TRIP)
            | flag(round.cause.is_some(), HAS_CAUSE)
            | flag(!round.backends.is_empty(), HAS_BACKENDS)
            | flag(setting != before.setting, HAS_SETTING),
    );
    put_signed(out, start.wrapping_sub(before.start.wrapping_add(before.pace)));
    put(out, microseconds(round.duration));
    if setting != before.setting {
        put(out, setting.stands_for);
        put(out, setting.reason);
        put(out, setting.expiry);
    }
    let offset = round.offset.map(Micros::from);
    if let Some(offset) = offset {
        put_signed(out, offset.lower);
        put(out, offset.width);
    }
    if let Some(round_trip) = round.round_trip {
        put(out, microseconds(round_trip));
    }
    if let Some(cause) = &round.cause {
        put(out, texts.index_of(cause));
    }
    if !round.backends.is_empty() {
        put(out, round.backends.len() as u64);
        for backend in &round.backends {
            put(out, texts.index_of(&backend.instance));
            put_near(out, backend.offset.into(), offset);
        }
    }
    before.advance(start, setting);
}

const NOTHING: Micros = Micros { lower: 0, width: 0 };

/// The offset of a backend is mostly that of the round.
fn put_near(out: &mut Vec<u8>, offset: Micros, near: Option<Micros>) {
    let near = near.unwrap_or(NOTHING);
    put_signed(out, offset.lower.wrapping_sub(near.lower));
    put_signed(out, offset.width.wrapping_sub(near.width).cast_signed());
}

fn near(reader: &mut Reader<'_>, near: Option<Micros>) -> Result<Micros, Malformed> {
    let near = near.unwrap_or(NOTHING);
    let lower = near.lower.wrapping_add(reader.signed()?);
    let width = near.width.wrapping_add(reader.signed()?.cast_unsigned());
    Ok(Micros { lower, width })
}

/// Reads the rounds of a check, in the order in which they were written.
pub(super) fn decode(check: &str, bytes: &[u8]) -> Result<Vec<RoundRecord>, Malformed> {
    let mut reader = Reader(bytes);
    if reader.byte()? != VERSION {
        return Err(Malformed);
    }
    let mut texts = Vec::new();
    for _ in 0..reader.count()? {
        texts.push(reader.text()?);
    }
    let count = reader.count()?;
    let mut rounds = Vec::with_capacity(count);
    let mut before = Before::default();
    for _ in 0..count {
        rounds.push(round(check, &mut reader, &texts, &mut before)?);
    }
    reader.end()?;
    Ok(rounds)
}

fn round(
    check: &str,
    reader: &mut Reader<'_>,
    texts: &[&str],
    before: &mut Before,
) -> Result<RoundRecord, Malformed> {
    let flags = reader.byte()?;
    let has = |flag: u8| flags & flag != 0;
    let text = |index: u64| {
        let index = usize::try_from(index).map_err(|_| Malformed)?;
        texts.get(index).map(|text| (*text).to_owned()).ok_or(Malformed)
    };
    let start = before.start.wrapping_add(before.pace).wrapping_add(reader.signed()?);
    let duration = Duration::from_micros(reader.number()?);
    let setting = if has(HAS_SETTING) {
        Setting { stands_for: reader.number()?, reason: reader.number()?, expiry: reader.number()? }
    } else {
        before.setting
    };
    let offset = if has(HAS_OFFSET) {
        Some(Micros { lower: reader.signed()?, width: reader.number()? })
    } else {
        None
    };
    let round_trip = if has(HAS_ROUND_TRIP) { Some(Duration::from_micros(reader.number()?)) } else { None };
    let cause = if has(HAS_CAUSE) { Some(text(reader.number()?)?) } else { None };
    let mut backends = Vec::new();
    for _ in 0..if has(HAS_BACKENDS) { reader.count()? } else { 0 } {
        let instance = text(reader.number()?)?;
        backends.push(BackendOffset { instance, offset: near(reader, offset)?.into() });
    }
    before.advance(start, setting);
    let expiry = setting.expiry.checked_sub(1).and_then(|second| i64::try_from(second).ok());
    Ok(RoundRecord {
        check: check.to_owned(),
        start: timestamp(start),
        duration,
        status: *CheckStatus::ALL.get(usize::from(flags & STATUS)).ok_or(Malformed)?,
        reason: text(setting.reason.checked_sub(1).ok_or(Malformed)?)?,
        offset: offset.map(Into::into),
        round_trip,
        cause,
        backends,
        certificate_expiry: expiry.and_then(|second| Timestamp::from_second(second).ok()),
        stands_for: Duration::from_millis(setting.stands_for),
    })
}

#[cfg(test)]
pub(super) mod tests;
