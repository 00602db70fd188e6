//! The references of all checks: each set of sources is queried once, however many checks compare with it.
//!
//! What time servers said is good for a while: a minute later it is known to 30 ms, by the drift that a clock may have. So
//! rounds are held against an answer that is at most [`RENEWED_AFTER`] old, and a new one is fetched beside them. This
//! machine's own clock is read for each round, because that costs nothing.
//!
//! Checks that share sources may have different limits. The sources are queried as the strictest of them needs it: an answer that
//! is sharp enough for a lax one may prove nothing to a strict one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    /// The smallest `max_offset` of the checks that are held against them; none before there is one.
    max_offset: Option<Duration>,
    /// For which one `latest` was queried.
    queried_for: Option<Duration>,
}

impl State {
    /// Whether they were queried for the strictest check.
    fn is_sharp_enough(&self) -> bool {
        self.queried_for.zip(self.max_offset).is_none_or(|(queried, needed)| queried <= needed)
    }

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

    /// These checks are watched from now on, and no others.
    pub(crate) fn watch_these<'a>(&self, checks: impl Iterator<Item = &'a Check>) {
        for group in self.groups().iter() {
            group.state().max_offset = None;
        }
        for check in checks {
            let asks = check.references(Some(RENEWED_AFTER));
            if asks.have_time_servers() {
                self.group(asks, check);
            }
        }
    }

    /// What a round of this check is held against.
    pub(crate) async fn of(&self, check: &Check) -> Arc<RoundReference> {
        let mut asks = check.references(Some(RENEWED_AFTER));
        if !asks.have_time_servers() {
            let patience = Patience::until(self.clock.now() + PATIENCE);
            return Arc::new(asks.query(check.limits().max_offset, self.clock, patience).await);
        }
        let group = self.group(asks, check);
        if let Some(usable) = group.usable(self.clock).filter(|_| group.state().is_sharp_enough()) {
            if group.must_be_renewed(&usable, self.clock) {
                let (group, clock) = (Arc::clone(&group), self.clock);
                tokio::spawn(async move { group.query(clock).await });
            }
            return usable;
        }
        group.query(self.clock).await
    }

    fn groups(&self) -> MutexGuard<'_, Vec<Arc<Group>>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The group of a check, which is queried as that check needs it from now on.
    fn group(&self, asks: References, check: &Check) -> Arc<Group> {
        let mut groups = self.groups();
        let known = groups.iter().find(|group| group.asks.query_the_same_as(&asks)).map(Arc::clone);
        let group = known.unwrap_or_else(|| {
            let queried = tokio::sync::Mutex::new(asks.clone());
            let are_ones_own = check.may_be_held_every(PAUSE_OF_ONES_OWN).is_ok();
            let pause = if are_ones_own { PAUSE_OF_ONES_OWN } else { TRIED_AGAIN_AFTER };
            let group = Arc::new(Group { asks, queried, state: Mutex::default(), pause });
            groups.push(Arc::clone(&group));
            group
        });
        let needed = check.limits().max_offset;
        let mut state = group.state();
        state.max_offset = Some(state.max_offset.map_or(needed, |known| known.min(needed)));
        drop(state);
        group
    }
}

impl Group {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the sources said last, if that still holds.
    fn usable(&self, clock: Clock) -> Option<Arc<RoundReference>> {
        let latest = self.state().latest.clone()?;
        let is_recent = clock.now().since(latest.wall.shown.at) < USED_FOR;
        (is_recent && round::still_holds(&latest, clock)).then_some(latest)
    }

    /// Whether somebody has to query the sources again, and nobody does.
    fn must_be_renewed(&self, latest: &RoundReference, clock: Clock) -> bool {
        if clock.now().since(latest.wall.shown.at) < RENEWED_AFTER {
            return false;
        }
        let mut state = self.state();
        if state.failed.is_some_and(|failed| clock.now().since(failed) < TRIED_AGAIN_AFTER) {
            return false;
        }
        !std::mem::replace(&mut state.is_being_renewed, true)
    }

    /// Queries the sources, unless somebody else has just done so.
    async fn query(&self, clock: Clock) -> Arc<RoundReference> {
        let mut references = self.queried.lock().await;
        if let Some(usable) = self.usable(clock)
            && clock.now().since(usable.wall.shown.at) < RENEWED_AFTER
            && self.state().is_sharp_enough()
        {
            return usable;
        }
        let max_offset = {
            // A clock that is stepped again and again takes the validity of each answer.
            let mut state = self.state();
            if let Some(latest) = state.within_the_pause(clock.now(), self.pause).map(Arc::clone) {
                state.is_being_renewed = false;
                return latest;
            }
            state.queried = Some(clock.now());
            state.max_offset
        };
        let patience = Patience::until(clock.now() + PATIENCE);
        let latest = Arc::new(references.query(max_offset.unwrap_or(Duration::MAX), clock, patience).await);
        let before = self.usable(clock);
        let mut state = self.state();
        state.is_being_renewed = false;
        // What they said before is less sharp by now, and better than nothing.
        if latest.outcome.standing != Standing::Agreed
            && let Some(before) = before.filter(|before| before.outcome.standing == Standing::Agreed)
        {
            state.failed = Some(clock.now());
            return before;
        }
        state.failed = None;
        state.queried_for = max_offset;
        state.latest = Some(Arc::clone(&latest));
        latest
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::net::UdpSocket;

    use super::*;

    /// A time server whose replies take 50 ms, and how often it was asked.
    async fn distant_server(clock: Clock) -> (String, Arc<AtomicU32>) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (address, asked) = (socket.local_addr().unwrap(), Arc::new(AtomicU32::new(0)));
        let count = Arc::clone(&asked);
        tokio::spawn(async move {
            loop {
                let mut packet = [0; 48];
                let (_, client) = socket.recv_from(&mut packet).await.unwrap();
                count.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(50)).await;
                // RFC 5905: version 4, server, stratum 1; origin, receive and transmit timestamp; seconds since 1900.
                let seconds = crate::timestamps::now(clock).as_second() + 2_208_988_800;
                let now = (u64::try_from(seconds).unwrap() << 32).to_be_bytes();
                packet.copy_within(40..48, 24);
                packet[..4].copy_from_slice(&[0x24, 1, 6, 0xec]);
                packet[12..16].copy_from_slice(b"TEST");
                for at in [16, 32, 40] {
                    packet[at..at + 8].copy_from_slice(&now);
                }
                socket.send_to(&packet, client).await.unwrap();
            }
        });
        (format!("ntp:{address}"), asked)
    }

    fn check(reference: &str, max_offset: Duration) -> Check {
        let sources = vec![reference.parse().unwrap()];
        Check::of(["http://a.example"]).references(sources).max_offset(max_offset).build().unwrap()
    }

    #[tokio::test]
    async fn sources_that_checks_share_are_queried_as_the_strictest_of_them_needs() {
        let clock = Clock::start();
        let (server, asked) = distant_server(clock).await;
        let (lax, strict) =
            (check(&server, Duration::from_secs(10)), check(&server, Duration::from_millis(100)));
        let references = SharedReferences::new(clock);
        references.watch_these([&lax, &strict].into_iter());
        references.of(&lax).await;
        assert_eq!(asked.load(Ordering::Relaxed), 3, "its claim is wide for the strict one");
        references.of(&strict).await;
        assert_eq!(asked.load(Ordering::Relaxed), 3, "one answer serves both");
    }

    #[tokio::test]
    async fn a_strict_check_that_comes_later_has_the_sources_queried_for_it() {
        let clock = Clock::start();
        let (server, asked) = distant_server(clock).await;
        let (lax, strict) =
            (check(&server, Duration::from_secs(10)), check(&server, Duration::from_millis(100)));
        let references = SharedReferences::new(clock);
        references.watch_these([&lax].into_iter());
        references.of(&lax).await;
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        references.watch_these([&lax, &strict].into_iter());
        tokio::time::sleep(PAUSE_OF_ONES_OWN).await;
        references.of(&strict).await;
        assert_eq!(asked.load(Ordering::Relaxed), 4);
        references.watch_these([&lax].into_iter());
        references.of(&lax).await;
        assert_eq!(asked.load(Ordering::Relaxed), 4);
    }

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
