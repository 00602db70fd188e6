//! The references of all checks: each set of sources is queried once, however many checks compare with it.
//!
//! What time servers said is good for a while: a minute later it is known to 30 ms, by the drift that a clock may have. So
//! rounds are held against an answer that is at most [`RENEWED_AFTER`] old, and a new one is fetched beside them. This
//! machine's own clock is read for each round, because that costs nothing.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clock_offset::MonotonicInstant;
use nowcheck::check::Check;
use nowcheck::clock::Clock;
use nowcheck::outcome::Standing;
use nowcheck::reference::{Patience, References, RoundReference};
use nowcheck::round;

/// After that, time servers are queried again. NTP counts in powers of two; no courtesy forbids it (RFC 4330 section 10).
pub(crate) const RENEWED_AFTER: Duration = Duration::from_secs(64);

/// What they said is not used for longer: it is known to 300 ms then. Until then it is used while they do not answer.
const USED_FOR: Duration = Duration::from_mins(10);

/// The pause after a query that brought nothing. Courtesy asks for as much (RFC 4330 section 10: never more than once in 15 s).
const TRIED_AGAIN_AFTER: Duration = Duration::from_secs(16);

/// The same for time servers that are certainly one's own.
const PAUSE_OF_ONES_OWN: Duration = Duration::from_secs(1);

/// How long time servers and their names are waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// The references of all checks.
#[derive(Debug, Clone)]
pub(crate) struct SharedReferences {
    clock: Clock,
    groups: Arc<Mutex<Vec<Arc<Group>>>>,
}

/// Checks that compare with the same sources.
#[derive(Debug)]
struct Group {
    asks: References,
    queried: tokio::sync::Mutex<References>,
    state: Mutex<State>,
    /// The shortest pause between two queries, whatever happens.
    pause: Duration,
}

#[derive(Debug, Default)]
struct State {
    latest: Option<Arc<RoundReference>>,
    is_being_renewed: bool,
    /// When the sources were queried in vain.
    failed: Option<MonotonicInstant>,
    /// When they were queried last.
    queried: Option<MonotonicInstant>,
}

impl State {
    /// What the sources said last, while they must not be queried again. It may not hold any more, and proves nothing then.
    fn within_the_pause(&self, now: MonotonicInstant, pause: Duration) -> Option<&Arc<RoundReference>> {
        self.latest.as_ref().filter(|_| self.queried.is_some_and(|queried| now.since(queried) < pause))
    }
}

impl SharedReferences {
    /// Nothing has been queried yet.
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, groups: Arc::default() }
    }

    /// What a round of this check is held against.
    pub(crate) async fn of(&self, check: &Check) -> Arc<RoundReference> {
        let max_offset = check.limits().max_offset;
        let mut asks = check.references(Some(RENEWED_AFTER));
        if !asks.have_time_servers() {
            let patience = Patience::until(self.clock.now() + PATIENCE);
            return Arc::new(asks.query(max_offset, self.clock, patience).await);
        }
        let group = self.group(asks, check);
        if let Some(usable) = group.usable(self.clock) {
            if group.must_be_renewed(&usable, self.clock) {
                let (group, clock) = (Arc::clone(&group), self.clock);
                tokio::spawn(async move { group.query(max_offset, clock).await });
            }
            return usable;
        }
        group.query(max_offset, self.clock).await
    }

    fn group(&self, asks: References, check: &Check) -> Arc<Group> {
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = groups.iter().find(|group| group.asks.query_the_same_as(&asks)) {
            return Arc::clone(known);
        }
        let queried = tokio::sync::Mutex::new(asks.clone());
        let are_ones_own = check.may_be_held_every(PAUSE_OF_ONES_OWN).is_ok();
        let pause = if are_ones_own { PAUSE_OF_ONES_OWN } else { TRIED_AGAIN_AFTER };
        let group = Arc::new(Group { asks, queried, state: Mutex::default(), pause });
        groups.push(Arc::clone(&group));
        group
    }
}

impl Group {
    /// What the sources said last, if that still holds.
    fn usable(&self, clock: Clock) -> Option<Arc<RoundReference>> {
        let latest = self.state.lock().unwrap_or_else(PoisonError::into_inner).latest.clone()?;
        let is_recent = clock.now().since(latest.wall.shown.at) < USED_FOR;
        (is_recent && round::still_holds(&latest, clock)).then_some(latest)
    }

    /// Whether somebody has to query the sources again, and nobody does.
    fn must_be_renewed(&self, latest: &RoundReference, clock: Clock) -> bool {
        if clock.now().since(latest.wall.shown.at) < RENEWED_AFTER {
            return false;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.failed.is_some_and(|failed| clock.now().since(failed) < TRIED_AGAIN_AFTER) {
            return false;
        }
        !std::mem::replace(&mut state.is_being_renewed, true)
    }

    /// Queries the sources, unless somebody else has just done so.
    async fn query(&self, max_offset: Duration, clock: Clock) -> Arc<RoundReference> {
        let mut references = self.queried.lock().await;
        if let Some(usable) = self.usable(clock)
            && clock.now().since(usable.wall.shown.at) < RENEWED_AFTER
        {
            return usable;
        }
        {
            // A clock that is stepped again and again takes the validity of each answer.
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(latest) = state.within_the_pause(clock.now(), self.pause).map(Arc::clone) {
                state.is_being_renewed = false;
                return latest;
            }
            state.queried = Some(clock.now());
        }
        let patience = Patience::until(clock.now() + PATIENCE);
        let latest = Arc::new(references.query(max_offset, clock, patience).await);
        let before = self.usable(clock);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.is_being_renewed = false;
        // What they said before is less sharp by now, and better than nothing.
        if latest.outcome.standing != Standing::Agreed
            && let Some(before) = before.filter(|before| before.outcome.standing == Standing::Agreed)
        {
            state.failed = Some(clock.now());
            return before;
        }
        state.failed = None;
        state.latest = Some(Arc::clone(&latest));
        latest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_that_holds_no_more_is_not_replaced_before_courtesy_allows_it() {
        let clock = Clock::start();
        let check = Check::of(["http://a.example"]).build().unwrap();
        let patience = Patience::until(clock.now() + PATIENCE);
        let answer = check.references(None).query(Duration::from_secs(1), clock, patience).await;
        let now = clock.now();
        let mut state = State { latest: Some(Arc::new(answer)), ..State::default() };
        assert!(state.within_the_pause(now, TRIED_AGAIN_AFTER).is_none(), "it was never queried");
        state.queried = Some(now);
        let is_spared = |after| state.within_the_pause(now + after, TRIED_AGAIN_AFTER).is_some();
        assert!(is_spared(Duration::ZERO) && is_spared(Duration::from_secs(15)));
        assert!(!is_spared(Duration::from_secs(16)));
    }
}
