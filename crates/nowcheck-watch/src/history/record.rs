//! What is handed to the history, and what it gives back.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::incident::{Change, OffsetBounds};
use crate::status::CheckStatus;

/// The offset of one backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendOffset {
    /// As the backend names itself.
    pub instance: String,
    /// Bounds on its offset.
    pub offset: OffsetBounds,
}

/// One round of one check, or a slot of its grid in which no round could be held.
///
/// Instants are stored in milliseconds, lengths and offsets in microseconds. Bounds are rounded outward: no stored interval
/// is narrower than what was proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoundRecord {
    /// The name of the check.
    pub check: String,
    /// When it began.
    pub start: Timestamp,
    /// How long it took.
    pub duration: Duration,
    /// What it came to.
    pub status: CheckStatus,
    /// Why, as the contract writes it; of a missed slot, why it was missed.
    pub reason: String,
    /// Bounds on the offsets of all clocks that were compared.
    pub offset: Option<OffsetBounds>,
    /// The shortest round trip.
    pub round_trip: Option<Duration>,
    /// Why a request failed.
    pub cause: Option<String>,
    /// The offsets of single backends.
    pub backends: Vec<BackendOffset>,
    /// Until when the certificate is valid that ends first.
    pub certificate_expiry: Option<Timestamp>,
    /// How long the result stands if no other round follows: the period and a margin. Later time is unknown.
    pub stands_for: Duration,
}

/// A message that is not delivered yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxMessage {
    /// The name of the message, unchanged on retry.
    pub id: String,
    /// To whom.
    pub receiver: String,
    /// What is sent, as JSON.
    pub body: String,
    /// When it was tried first, or is to be.
    pub first_try: Timestamp,
    /// When it is tried next.
    pub next_try: Timestamp,
    /// How often it was tried.
    pub tries: u32,
}

/// What is stored together, in one transaction: all of it, or nothing.
#[derive(Debug, Clone, Default)]
pub struct Step {
    /// The state of a part of the monitor, as JSON under its name. It replaces what stood there.
    pub state: Vec<(String, String)>,
    /// What happened to incidents.
    pub changes: Vec<Change>,
    /// Messages that are to be delivered, or whose next try was put off.
    pub messages: Vec<OutboxMessage>,
    /// The names of messages that are delivered or given up.
    pub done: Vec<String>,
}

/// What a program finds when it starts again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Restored {
    /// The state of parts of the monitor, as JSON by name.
    pub state: BTreeMap<String, String>,
    /// What is not delivered yet, by its name.
    pub outbox: Vec<OutboxMessage>,
}
