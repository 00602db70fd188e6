//! What a stretch of time came to, and many of them ↔ bytes.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::record::RoundRecord;
use super::sketch::Sketch;
use super::units::Micros;
use super::varint::{Malformed, Reader, put, put_signed};
use crate::availability::FourTimes;
use crate::incident::{OffsetBounds, ServiceStatus};
use crate::status::CheckStatus;

/// How many rounds came to what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RoundCounts([u64; CheckStatus::ALL.len()]);

impl RoundCounts {
    /// The rounds of one status.
    #[must_use]
    pub fn of(&self, status: CheckStatus) -> u64 {
        self.0[status as usize]
    }

    /// All rounds.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

/// What a stretch of time came to. Summaries of stretches that do not overlap merge to that of all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// How long the service was what.
    pub times: FourTimes,
    /// How many rounds came to what.
    pub rounds: RoundCounts,
    /// The lowest and the highest bound on an offset.
    pub offset: Option<OffsetBounds>,
    /// The round trips.
    pub round_trips: Sketch,
    /// Until when the certificate is valid that ends first.
    pub certificate_expiry: Option<Timestamp>,
}

impl Summary {
    /// Adds another stretch.
    pub fn merge(&mut self, other: &Self) {
        self.times = self.times + other.times;
        self.rounds.0.iter_mut().zip(other.rounds.0).for_each(|(count, more)| *count += more);
        self.offset = hull(self.offset, other.offset);
        self.round_trips.merge(&other.round_trips);
        self.certificate_expiry = earliest(self.certificate_expiry, other.certificate_expiry);
    }

    /// Adds a round, but not its time.
    pub(super) fn add(&mut self, round: &RoundRecord) {
        self.rounds.0[round.status as usize] += 1;
        self.offset = hull(self.offset, round.offset);
        if let Some(round_trip) = round.round_trip {
            self.round_trips.add(round_trip);
        }
        self.certificate_expiry = earliest(self.certificate_expiry, round.certificate_expiry);
    }
}

fn hull(one: Option<OffsetBounds>, other: Option<OffsetBounds>) -> Option<OffsetBounds> {
    one.into_iter().chain(other).reduce(OffsetBounds::hull)
}

fn earliest(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}

/// The summaries of the stretches of one row, by their number in it.
pub(super) type Chunk = BTreeMap<u64, Summary>;

/// The first byte of a chunk.
const VERSION: u8 = 1;
const KINDS: [ServiceStatus; 4] =
    [ServiceStatus::Ok, ServiceStatus::Wrong, ServiceStatus::Down, ServiceStatus::Unknown];
const HAS_OFFSET: u8 = 1 << 4;
const HAS_ROUND_TRIPS: u8 = 1 << 5;
const HAS_EXPIRY: u8 = 1 << 6;

/// Writes a chunk. What is zero or not there takes no room.
pub(super) fn encode(chunk: &Chunk) -> Vec<u8> {
    let mut out = vec![VERSION];
    put(&mut out, chunk.len() as u64);
    let mut before = 0;
    for (number, summary) in chunk {
        put(&mut out, number - before);
        before = *number;
        put_summary(&mut out, summary);
    }
    out
}

/// The bits of those that are not zero.
fn present(numbers: &[u64]) -> u8 {
    numbers.iter().rev().fold(0, |bits, number| bits << 1 | u8::from(*number != 0))
}

fn put_present(out: &mut Vec<u8>, numbers: &[u64]) {
    numbers.iter().filter(|number| **number != 0).for_each(|number| put(out, *number));
}

fn put_summary(out: &mut Vec<u8>, summary: &Summary) {
    let times = KINDS.map(|kind| u64::try_from(summary.times.of(kind).as_millis()).unwrap_or(u64::MAX));
    let expiry = summary.certificate_expiry.and_then(|expiry| u64::try_from(expiry.as_second()).ok());
    let flag = |is_there: bool, flag: u8| if is_there { flag } else { 0 };
    out.push(
        present(&times)
            | flag(summary.offset.is_some(), HAS_OFFSET)
            | flag(!summary.round_trips.is_empty(), HAS_ROUND_TRIPS)
            | flag(expiry.is_some(), HAS_EXPIRY),
    );
    put_present(out, &times);
    out.push(present(&summary.rounds.0));
    put_present(out, &summary.rounds.0);
    if let Some(offset) = summary.offset.map(Micros::from) {
        put_signed(out, offset.lower);
        put(out, offset.width);
    }
    if !summary.round_trips.is_empty() {
        summary.round_trips.put(out);
    }
    if let Some(expiry) = expiry {
        put(out, expiry);
    }
}

/// Reads a chunk.
pub(super) fn decode(bytes: &[u8]) -> Result<Chunk, Malformed> {
    let mut reader = Reader(bytes);
    if reader.byte()? != VERSION {
        return Err(Malformed);
    }
    let mut chunk = Chunk::new();
    let mut number = 0_u64;
    for _ in 0..reader.count()? {
        number = number.checked_add(reader.number()?).ok_or(Malformed)?;
        chunk.insert(number, read_summary(&mut reader)?);
    }
    reader.end()?;
    Ok(chunk)
}

fn read_summary(reader: &mut Reader<'_>) -> Result<Summary, Malformed> {
    let flags = reader.byte()?;
    let mut summary = Summary::default();
    for (nth, kind) in KINDS.into_iter().enumerate() {
        if flags & (1 << nth) != 0 {
            summary.times.count(kind, Duration::from_millis(reader.number()?));
        }
    }
    let counts = reader.byte()?;
    for (nth, count) in summary.rounds.0.iter_mut().enumerate() {
        if counts & (1 << nth) != 0 {
            *count = reader.number()?;
        }
    }
    if flags & HAS_OFFSET != 0 {
        summary.offset = Some(Micros { lower: reader.signed()?, width: reader.number()? }.into());
    }
    if flags & HAS_ROUND_TRIPS != 0 {
        summary.round_trips = Sketch::read(reader)?;
    }
    if flags & HAS_EXPIRY != 0 {
        let second = i64::try_from(reader.number()?).map_err(|_| Malformed)?;
        summary.certificate_expiry = Some(Timestamp::from_second(second).map_err(|_| Malformed)?);
    }
    Ok(summary)
}

#[cfg(test)]
mod tests;
