//! Which message is tried when. Nothing here reads a clock, waits or writes.
//!
//! * A receiver gets one message at a time, in their order, and no receiver waits for another.
//! * A message that failed is tried again after a pause that grows, until it is a day old.
//! * A message that the receiver *rejected* may be the only one that it does not like, and so may one that failed some times.
//!   It steps aside: only what follows about the same incident waits for it. When another one is delivered, the receiver
//!   works again, and what failed is tried at once.
//! * A receiver that forgets (Alertmanager) gets the last message about an open incident again and again, for as long as the
//!   incident is open: it takes what it does not hear of for over.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// For how long a message is tried.
const DAY: Duration = Duration::from_hours(24);

/// The last try is this long before the day is over.
const MARGIN: Duration = Duration::from_mins(1);

/// Pauses after a failure that may pass by itself: the first one, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(10));

/// Pauses after a rejection: somebody has to mend something first.
const LONG_PAUSES: (Duration, Duration) = (Duration::from_mins(1), Duration::from_hours(1));

/// After so many failures the others wait no longer for a message.
const STEPS_ASIDE_AFTER: u32 = 3;

/// A message that is not delivered yet, or that is sent again and again. Store it whenever it changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// The name of the message; unique for a receiver.
    pub id: String,
    /// To whom.
    pub receiver: String,
    /// What is sent: a [`Notice`](super::Notice) as JSON.
    pub body: String,
    /// When it is tried next.
    pub next_try: Timestamp,
    /// How often it was tried in vain.
    pub tries: u32,
    /// When it was due first.
    pub first_try: Timestamp,
    /// The receiver rejected it, so that the others do not wait for it.
    #[serde(default)]
    pub steps_aside: bool,
    /// It is delivered, and is sent again because the receiver forgets.
    #[serde(default)]
    pub repeats: bool,
}

impl Pending {
    /// A message that is due now.
    #[must_use]
    pub fn new(id: &str, receiver: &str, body: String, now: Timestamp) -> Self {
        let (id, receiver) = (id.to_owned(), receiver.to_owned());
        Self {
            id,
            receiver,
            body,
            next_try: now,
            tries: 0,
            first_try: now,
            steps_aside: false,
            repeats: false,
        }
    }

    /// What it is about, and its place in that: ids end in a counter.
    fn thread(&self) -> (&str, u32) {
        let split = self.id.rsplit_once('-').and_then(|(thread, nth)| Some((thread, nth.parse().ok()?)));
        split.unwrap_or((&self.id, 0))
    }

    /// Whether what is about other incidents need not wait for it.
    fn lets_others_pass(&self) -> bool {
        self.steps_aside || self.tries >= STEPS_ASIDE_AFTER
    }

    /// When it is given up. A repetition never is: no new message would follow it.
    fn deadline(&self) -> Timestamp {
        if self.repeats { Timestamp::MAX } else { after(self.first_try, DAY) }
    }
}

/// How a try failed, as far as the next one depends on it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Setback {
    /// The receiver is there and does not want this message.
    pub is_rejected: bool,
    /// The least pause that the receiver asks for.
    pub retry_after: Option<Duration>,
}

/// What follows a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Another try.
    Retry(Timestamp),
    /// The day is over.
    GaveUp,
}

/// All messages that are not delivered, in order.
#[derive(Debug, Default)]
pub struct Outbox {
    queue: Vec<Pending>,
    /// At most one message for each receiver, by its name.
    in_flight: BTreeMap<String, String>,
}

impl Outbox {
    /// Restores what was stored, in any order.
    #[must_use]
    pub fn new(mut pending: Vec<Pending>) -> Self {
        let mut begins: BTreeMap<(String, String), Timestamp> = BTreeMap::new();
        let key = |one: &Pending| (one.receiver.clone(), one.thread().0.to_owned());
        for one in &pending {
            let begin = begins.entry(key(one)).or_insert(one.first_try);
            *begin = one.first_try.min(*begin);
        }
        // The counter orders what is about one incident, whatever the clock did meanwhile.
        pending.sort_by_cached_key(|one| (begins[&key(one)], key(one), one.thread().1));
        Self { queue: pending, in_flight: BTreeMap::new() }
    }

    /// All that has to be stored.
    #[must_use]
    pub fn pending(&self) -> &[Pending] {
        &self.queue
    }

    /// Takes a message, unless it is there already. Returns what needs no repetition any more.
    pub fn add(&mut self, message: Pending) -> Vec<Pending> {
        if self.position(&message.receiver, &message.id).is_some() {
            return Vec::new();
        }
        let superseded = |one: &mut Pending| {
            one.repeats && one.receiver == message.receiver && one.thread().0 == message.thread().0
        };
        let superseded = self.queue.extract_if(.., superseded).collect();
        self.queue.push(message);
        superseded
    }

    /// The messages to try now. Say for each of them how it went, before another one for its receiver is tried.
    pub fn start(&mut self, now: Timestamp) -> Vec<Pending> {
        self.not_after(now);
        let due: Vec<Pending> = self
            .waiting_receivers()
            .into_iter()
            .filter_map(|receiver| {
                let front = self.front(receiver).into_iter();
                let due = front.filter(|one| one.next_try <= now && now < one.deadline());
                // A new one first: it may be a page, and those that failed fail mostly again. Repetitions come last.
                due.min_by_key(|one| (one.repeats, one.tries)).cloned()
            })
            .collect();
        for one in &due {
            self.in_flight.insert(one.receiver.clone(), one.id.clone());
        }
        due
    }

    /// When there is something to try next, if nothing else happens.
    #[must_use]
    pub fn next_try(&self) -> Option<Timestamp> {
        let waiting = self.waiting_receivers();
        waiting.into_iter().flat_map(|receiver| self.front(receiver)).map(|one| one.next_try).min()
    }

    /// It was delivered. If it has to be sent again after a while, it stays.
    pub fn delivered(&mut self, receiver: &str, id: &str, again_after: Option<Duration>, now: Timestamp) {
        self.in_flight.remove(receiver);
        for one in
            self.queue.iter_mut().filter(|one| one.receiver == receiver && !one.steps_aside && !one.repeats)
        {
            one.next_try = now.min(one.next_try);
        }
        let Some(position) = self.position(receiver, id) else { return };
        let thread = self.queue[position].thread().0;
        let is_last = !self
            .queue
            .iter()
            .any(|one| one.id != id && !one.repeats && one.receiver == receiver && one.thread().0 == thread);
        match again_after.filter(|_| is_last) {
            Some(pause) => {
                let one = &mut self.queue[position];
                (one.repeats, one.steps_aside, one.tries) = (true, false, 0);
                (one.first_try, one.next_try) = (now, after(now, pause));
            }
            None => {
                self.queue.remove(position);
            }
        }
    }

    /// It was not delivered.
    pub fn failed(&mut self, receiver: &str, id: &str, setback: Setback, now: Timestamp) -> Next {
        self.in_flight.remove(receiver);
        let Some(position) = self.position(receiver, id) else { return Next::GaveUp };
        let one = &mut self.queue[position];
        // An alert cannot wait for as long as some servers would like.
        let asked = setback.retry_after.unwrap_or_default().min(PAUSES.1);
        let pause = pause(one, setback).max(asked);
        let latest = one.deadline().checked_sub(MARGIN).unwrap_or(Timestamp::MIN);
        let next = after(now, pause).min(latest);
        if next <= now {
            self.queue.remove(position);
            return Next::GaveUp;
        }
        one.tries = one.tries.saturating_add(1);
        (one.next_try, one.steps_aside) = (next, setback.is_rejected);
        Next::Retry(next)
    }

    /// Takes out what is a day old.
    pub fn expired(&mut self, now: Timestamp) -> Vec<Pending> {
        self.take(|one| now >= one.deadline())
    }

    /// The wall clock was stepped: what is stored by it goes with it, so that no message ages by that.
    pub fn wall_clock_was_stepped(&mut self, by: SignedDuration) {
        let moved = |at: Timestamp| at.checked_add(by).unwrap_or(at);
        for one in &mut self.queue {
            (one.first_try, one.next_try) = (moved(one.first_try), moved(one.next_try));
        }
    }

    /// Takes out what is for nobody any more.
    pub fn without_receiver(&mut self, is_known: impl Fn(&str) -> bool) -> Vec<Pending> {
        self.take(|one| !is_known(&one.receiver))
    }

    /// One message, by receiver and name.
    #[must_use]
    pub fn get(&self, receiver: &str, id: &str) -> Option<&Pending> {
        self.position(receiver, id).map(|position| &self.queue[position])
    }

    fn take(&mut self, is_taken: impl Fn(&Pending) -> bool) -> Vec<Pending> {
        let in_flight = &self.in_flight;
        let is_free = |one: &Pending| in_flight.get(&one.receiver) != Some(&one.id);
        self.queue.extract_if(.., |one| is_free(one) && is_taken(one)).collect()
    }

    fn position(&self, receiver: &str, id: &str) -> Option<usize> {
        self.queue.iter().position(|one| one.id == id && one.receiver == receiver)
    }

    /// The receivers of which nothing is in flight.
    fn waiting_receivers(&self) -> BTreeSet<&str> {
        let receivers = self.queue.iter().map(|one| one.receiver.as_str());
        receivers.filter(|receiver| !self.in_flight.contains_key(*receiver)).collect()
    }

    /// The messages of a receiver that wait for no other one; repetitions last.
    fn front(&self, receiver: &str) -> Vec<&Pending> {
        let (mut front, mut repetitions, mut held) = (Vec::new(), Vec::new(), HashSet::new());
        for one in self.queue.iter().filter(|one| one.receiver == receiver) {
            if one.repeats {
                repetitions.push(one);
            } else if held.insert(one.thread().0) {
                front.push(one);
                if !one.lets_others_pass() {
                    break;
                }
            }
        }
        front.extend(repetitions);
        front
    }

    /// What waits by a clock that went back is due now.
    fn not_after(&mut self, now: Timestamp) {
        for one in self.queue.iter_mut().filter(|one| one.first_try > now) {
            (one.first_try, one.next_try) = (now, now);
        }
    }
}

fn after(instant: Timestamp, length: Duration) -> Timestamp {
    instant.checked_add(length).unwrap_or(Timestamp::MAX)
}

/// Doubles with each try. Up to a quarter less, so that messages do not come back in step; the same after a restart.
fn pause(message: &Pending, setback: Setback) -> Duration {
    let (first, longest) = if setback.is_rejected { LONG_PAUSES } else { PAUSES };
    let doubled = 2_u32.saturating_pow(message.tries.min(16));
    let pause = first.saturating_mul(doubled).min(longest);
    pause.saturating_sub(pause / 4 * (hash(&message.id, message.tries) % 1_000) / 1_000)
}

/// FNV-1a, which stays the same from version to version.
fn hash(text: &str, salt: u32) -> u32 {
    text.bytes()
        .chain(salt.to_le_bytes())
        .fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests;
