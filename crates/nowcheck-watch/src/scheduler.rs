//! Holds the rounds: each check in its slots, all of them side by side, and none later because of another one.

mod names;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use clock_offset::{MonotonicInstant, SteadyDoubt};
use nowcheck::check::Check;
use nowcheck::clock::Clock;
use nowcheck::outcome::Outcome;
use nowcheck::reference::RoundReference;
use nowcheck::round::{self, FullRoundReason, SteadyMemory};
use tokio::sync::{Semaphore, watch};

use crate::config::CheckConfig;
use crate::references::SharedReferences;
use crate::results::{HeldRound, Results};
use crate::slots::Slots;
use crate::timestamps;
use names::Names;

/// Why no round was held: too many others were under way.
pub(crate) const TOO_BUSY: &str = "too_busy";
/// Why no round was held: the one before had not ended.
pub(crate) const OVERRUN: &str = "overrun";

/// Why no round was held: this program could not run then.
pub(crate) const LATE: &str = "late";

/// Why a round ended without a result: its requests were aimed at the end of a short slot, and what they left in doubt needs
/// a full round, for which the time is in the next slot.
pub(crate) const TOO_SHORT: &str = "too_short";

/// All reasons why nothing is known of a slot.
pub(crate) const MISSED_REASONS: [&str; 4] = [TOO_BUSY, OVERRUN, LATE, TOO_SHORT];

/// Holds the rounds of all checks. When it is dropped, no further round begins.
#[derive(Debug)]
pub(crate) struct Scheduler {
    shared: Arc<Shared>,
    checks: BTreeMap<String, watch::Sender<Arc<CheckConfig>>>,
}

/// What all checks share.
#[derive(Debug)]
struct Shared {
    clock: Clock,
    start: MonotonicInstant,
    references: SharedReferences,
    results: Arc<Results>,
    /// Rounds that may be under way at the same time.
    side_by_side: Semaphore,
}

impl Scheduler {
    /// No check is watched yet. At most so many rounds are held side by side.
    pub(crate) fn new(clock: Clock, results: Arc<Results>, side_by_side: usize) -> Self {
        let shared = Shared {
            clock,
            start: clock.now(),
            references: SharedReferences::new(clock),
            results,
            side_by_side: Semaphore::new(side_by_side.min(Semaphore::MAX_PERMITS)),
        };
        Self { shared: Arc::new(shared), checks: BTreeMap::new() }
    }

    /// Watches these checks from now on. The slots of one that was watched before stay where they are, a round that is
    /// under way ends as it began, and a check whose rounds have not changed goes on with steady ones. Who takes the results
    /// drops those of a check that is gone, or asks otherwise by now.
    pub(crate) fn watch_these(&mut self, checks: &[CheckConfig]) {
        self.shared.references.watch_these(checks.iter().map(|config| &*config.check));
        let mut before = std::mem::take(&mut self.checks);
        for config in checks {
            let latest = Arc::new(config.clone());
            let sender = match before.remove(&config.name) {
                Some(sender) if !sender.is_closed() => {
                    replace(&sender, latest);
                    sender
                }
                _ => self.begin(latest, checks.len()),
            };
            self.checks.insert(config.name.clone(), sender);
        }
    }

    fn begin(&self, config: Arc<CheckConfig>, checks: usize) -> watch::Sender<Arc<CheckConfig>> {
        let (sender, receiver) = watch::channel(config);
        let task = CheckTask { shared: Arc::clone(&self.shared), config: receiver };
        tokio::spawn(task.run(checks));
        sender
    }
}

/// Hands a check its latest configuration. Rounds read it when they begin, so the check is notified only of what its memory
/// and its slots depend on.
fn replace(sender: &watch::Sender<Arc<CheckConfig>>, latest: Arc<CheckConfig>) {
    sender.send_if_modified(|current| {
        let before = std::mem::replace(current, latest);
        before.every != current.every || !before.check.asks_the_same_as(&current.check)
    });
}

/// Why a full round is held: only that can prove that an incident is over.
const INCIDENT: &str = "incident";

/// What a check remembers from round to round.
#[derive(Debug, Default)]
struct Memory {
    steady: SteadyMemory,
    names: Names,
    /// Why the next round has to be a full one, if it has to.
    full_because: Option<&'static str>,
    /// How much later than elsewhere its slots begin.
    shift: Duration,
    /// How many rounds in a row were full because what they wait for comes too late in their slots.
    out_of_time: u32,
}

impl Memory {
    /// A clock that passes to its next second late in a slot does so in each, if the period is of whole seconds. Other slots are
    /// looked for then.
    fn look_for_better_slots(&mut self, every: Duration, full_because: Option<&'static str>) {
        let out_of_time = FullRoundReason::Clock(SteadyDoubt::OutOfTime).name();
        self.out_of_time = if full_because == Some(out_of_time) { self.out_of_time + 1 } else { 0 };
        if self.out_of_time == 2 {
            self.out_of_time = 0;
            self.shift += every * 2 / 5;
        }
    }
}

/// A round that has ended.
struct Ended {
    outcome: Outcome,
    /// Why it was a full round, if it was.
    full_because: Option<&'static str>,
    /// Whether its answers were judged without the names of their instances.
    names_left_out: bool,
}

/// Holds the rounds of one check.
struct CheckTask {
    shared: Arc<Shared>,
    config: watch::Receiver<Arc<CheckConfig>>,
}

impl CheckTask {
    async fn run(mut self, checks: usize) {
        let clock = self.shared.clock;
        let config = Arc::clone(&self.config.borrow_and_update());
        // Those that come with a later configuration begin then.
        let begin = clock.now();
        let mut slot = Slots::new(&config.name, config.every, begin).first(&config.name, checks);
        let mut memory = Memory::default();
        let mut is_first = true;
        loop {
            tokio::select! {
                // A change first, so that no round begins with the memory of another one.
                biased;
                changed = self.config.changed() => match changed {
                    Ok(()) => {
                        memory = Memory::default();
                        let config = Arc::clone(&self.config.borrow());
                        slot = self.slots(&config, &memory).instead_of(slot, clock.now());
                        continue;
                    }
                    Err(_) => return,
                },
                () = tokio::time::sleep_until(clock.deadline(slot)) => {}
            }
            let config = Arc::clone(&self.config.borrow());
            let slots = self.slots(&config, &memory);
            let late = if is_first { 0 } else { slots.between(slot, clock.now()) };
            if late > 0 {
                // It slept beyond whole slots: it was stopped, or this machine is overloaded.
                self.shared.results.missed(&config, LATE, late);
                slot = slots.latest(clock.now());
            }
            self.hold(&config, slot, slots, &mut memory).await;
            // The first round begins before the grid, and may end in it.
            let missed = if is_first { 0 } else { slots.between(slot, clock.now()) };
            is_first = false;
            if missed > 0 {
                self.shared.results.missed(&config, OVERRUN, missed);
            }
            slot = self.slots(&config, &memory).after(clock.now());
        }
    }

    fn slots(&self, config: &CheckConfig, memory: &Memory) -> Slots {
        Slots::new(&config.name, config.every, self.shared.start).later_by(memory.shift)
    }

    /// Holds the round of a slot, unless the next slot begins before its turn comes.
    async fn hold(
        &self,
        config: &Arc<CheckConfig>,
        slot: MonotonicInstant,
        slots: Slots,
        memory: &mut Memory,
    ) {
        let Shared { clock, references, results, side_by_side, .. } = &*self.shared;
        let until = clock.deadline(slots.after(slot));
        let Ok(Ok(turn)) = tokio::time::timeout_at(until, side_by_side.acquire()).await else {
            results.missed(config, TOO_BUSY, 1);
            return;
        };
        let lateness = clock.now().since(slot);
        let reference = references.of(&config.check).await;
        // While an incident is open, only a full round can prove that it is over.
        let has_incident = results.has_incident(&config.name);
        // In a box, so that a check that waits for its slot does not hold the space of a round.
        let outcome = Box::pin(self.round(config, &reference, memory, has_incident)).await;
        drop(turn);
        let because = outcome.as_ref().map_or(memory.full_because, |ended| ended.full_because);
        memory.look_for_better_slots(config.every, because);
        let Some(Ended { outcome, full_because, names_left_out }) = outcome else {
            results.missed(config, TOO_SHORT, 1);
            return;
        };
        let ended = clock.now();
        let left = slots.after(ended).since(ended);
        let next = timestamps::now(*clock).checked_add(left).unwrap_or(jiff::Timestamp::MAX);
        // Steady rounds meet one backend each; whatever a full round has looked for is found by it.
        let rounds = memory.steady.rounds_to_meet_all(config.check.miss_probability());
        let (config, found_within) = (Arc::clone(config), config.every * rounds);
        results.take(HeldRound {
            config,
            outcome,
            lateness,
            next,
            found_within,
            full_because,
            names_left_out,
            ended,
        });
    }
}

impl CheckTask {
    /// A steady round, if it may be one and proves that all is as before; a full round otherwise. Both together end in time for
    /// the next slot. None if too little of it is left for a full round, which is held in the next slot then.
    async fn round(
        &self,
        config: &CheckConfig,
        reference: &RoundReference,
        memory: &mut Memory,
        has_incident: bool,
    ) -> Option<Ended> {
        let (clock, longest) = (self.shared.clock, config.longest_round());
        let begin = clock.now();
        let ignores_names = memory.names.are_ignored(begin) && !config.check.counts_instances();
        let check = if ignores_names {
            &Arc::new(Check::clone(&config.check).ignoring_instances())
        } else {
            &config.check
        };
        let why = match memory.full_because.take() {
            Some(why) => why,
            None if has_incident => INCIDENT,
            None => match round::hold_steadily(check, reference, &mut memory.steady, clock, longest).await {
                Ok(outcome) => {
                    memory.names.have_lasted();
                    return Some(Ended { outcome, full_because: None, names_left_out: ignores_names });
                }
                Err(reason) => reason.name(),
            },
        };
        let left = longest.saturating_sub(clock.now().since(begin));
        if left < check.timeout() * 2 / 5 {
            memory.full_because = Some(why);
            return None;
        }
        let check = if left < check.timeout() {
            Arc::new(Check::clone(check).ending_within(left))
        } else {
            Arc::clone(check)
        };
        let mut outcome = round::hold_against(&check, reference, clock).await;
        let names_left_out = ignores_names || memory.names.meet(&mut outcome, clock.now());
        memory.steady.learn(&outcome, reference, clock);
        Some(Ended { outcome, full_because: Some(why), names_left_out })
    }
}

/// How many rounds may be under way at the same time, for a limit on open files: a full round has up to eight connections,
/// and the rest of the program needs some too.
pub(crate) fn most_side_by_side(open_files: u64) -> usize {
    const MOST: u64 = 4_096;
    usize::try_from((open_files / 16).clamp(4, MOST)).unwrap_or(4)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Config, System};

    fn configured(lines: &str) -> Arc<CheckConfig> {
        let text = format!("[[check]]\nname = \"shop\"\n{lines}");
        let mut config = Config::parse("a.toml", text.as_bytes(), Path::new(""), &System).unwrap();
        Arc::new(config.checks.remove(0))
    }

    #[test]
    fn a_check_is_notified_only_of_what_its_memory_or_its_slots_depend_on() {
        const URL: &str = "url = \"http://shop.example\"\n";
        let (sender, mut receiver) = watch::channel(configured(URL));
        let mut is_notified = |lines: &str| {
            let latest = configured(lines);
            replace(&sender, Arc::clone(&latest));
            assert!(Arc::ptr_eq(&receiver.borrow(), &latest), "the next round does not read it: {lines}");
            let is_notified = receiver.has_changed().unwrap();
            receiver.mark_unchanged();
            is_notified
        };
        assert!(!is_notified(URL));
        assert!(!is_notified(&format!("{URL}labels = {{ team = \"web\" }}\ninsecure = true\npublic = true")));
        for lines in [
            "every = \"1m\"",
            "max_offset = \"2s\"",
            "headers = [\"Accept-Language: es\"]",
            "date_cache = \"2s\"",
        ] {
            assert!(is_notified(&format!("{URL}{lines}")), "{lines}");
        }
        assert!(is_notified("url = \"http://other.example\""));
    }

    #[test]
    fn slots_in_which_a_clock_ticks_too_late_are_moved() {
        let (every, late) = (Duration::from_secs(1), Some("out_of_time"));
        let mut memory = Memory::default();
        for because in [late, None, late, Some("failed"), late] {
            memory.look_for_better_slots(every, because);
            assert_eq!(memory.shift, Duration::ZERO);
        }
        memory.look_for_better_slots(every, late);
        assert_eq!(memory.shift, Duration::from_millis(400));
    }
}
