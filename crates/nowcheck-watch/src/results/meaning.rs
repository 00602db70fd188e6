//! What a round means is not always what it says: one that heard nothing at its end waits until it is known whether the service was
//! silent or the monitor's network is lost.
//!
//! All rounds and ticks are on one thread, so nothing is taken in between the judgement of a round and its own taking in.

use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};

use clock_offset::MonotonicInstant;

use super::{HeldRound, Results};
use crate::board::LatestRound;
use crate::config;
use crate::incident::{Contact, Held, Meaning, MonitorPart, Observation, Place, Silence};
use crate::timestamps;

/// What a check says while the network of the monitor is lost.
const NOBODY_ANSWERS: &str = "no answer from here, as from all other hosts";

/// Behind the summary of a round that waited in vain.
const MAY_BE_OURS: &str = "; it may have been the network of the monitor";

impl Results {
    /// Takes the result of a round.
    pub(crate) fn take(&self, mut round: HeldRound) {
        self.held.fetch_add(1, Ordering::Relaxed);
        // What it heard does not count either: it may have asked other hosts.
        if !self.lock().awaits(&round.config) {
            return;
        }
        let (name, next) = (round.config.name.clone(), round.next);
        if self.board.check(&name).is_some_and(|state| state.unlisted.is_some()) {
            // There would be as many clocks in incidents and in the history as there were answers.
            round.outcome.forget_names_beyond(0);
        }
        self.peers.round_held(&name, &round.outcome);
        let began = round.ended.since(MonotonicInstant::ORIGIN).saturating_sub(round.outcome.duration);
        let held = Held {
            began: MonotonicInstant::after_origin(began),
            ended: round.ended,
            shown: timestamps::of(round.outcome.checked_at),
        };
        let contact = Contact::from(&round.outcome);
        let known = self.silence().meet(&name, contact, held, round);
        if known.is_empty() {
            self.board.update(&name, |state| state.next_round = Some(next));
        }
        self.take_those(known);
    }

    /// Takes in the rounds that have waited long enough.
    pub(super) fn take_those_that_waited(&self) {
        let known = self.silence().judge(self.clock.now());
        self.take_those(known);
    }

    /// Takes in the rounds that wait still, before the monitor ends.
    pub(crate) fn take_the_last(&self) {
        let waiting = self.silence().end();
        self.take_those(waiting.into_iter().map(|round| (round, Meaning::Nothing)).collect());
    }

    fn take_those(&self, known: Vec<(HeldRound, Meaning)>) {
        for (round, meaning) in known {
            self.take_in(&round, meaning);
        }
    }

    pub(super) fn silence(&self) -> MutexGuard<'_, Silence<HeldRound>> {
        self.silence.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is made of a round.
pub(super) struct Reading {
    /// What it proves.
    pub(super) observation: Observation,
    /// What is shown of its check.
    pub(super) latest: LatestRound,
    /// What an incident says that rests on it.
    pub(super) summary: String,
}

impl HeldRound {
    pub(super) fn read(&self, meaning: Meaning) -> Reading {
        let observation = match meaning {
            Meaning::AsItSays => Observation::from(&self.outcome),
            Meaning::NetworkLost(_) => Observation::of_fault(MonitorPart::Network),
            Meaning::Nothing => Observation::default().with_doubt_about(Place::Service),
        };
        let mut latest = LatestRound {
            full_because: self.full_because,
            ..LatestRound::of(&self.outcome, config::words(), observation.offset(), self.lateness)
        };
        let summary = match meaning {
            Meaning::AsItSays => latest.summary.clone(),
            Meaning::NetworkLost(lost) => {
                // What to do stands once on a page, beside the incident of the monitor.
                (latest.summary, latest.advice) = (NOBODY_ANSWERS.to_owned(), None);
                lost.to_string()
            }
            Meaning::Nothing => {
                latest.summary.push_str(MAY_BE_OURS);
                latest.summary.clone()
            }
        };
        Reading { observation, latest, summary }
    }
}
