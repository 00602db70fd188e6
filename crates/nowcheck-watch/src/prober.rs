//! Rounds on request, for `/probe`: who asks owns the targets, and this program keeps nothing of them.
//!
//! They are held on a thread of their own, so that neither the rounds of checks nor pages wait for them.

use std::io;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use clock_offset::MonotonicInstant;
use nowcheck::check::Check;
use nowcheck::clock::Clock;
use nowcheck::outcome::{Cause, NameFault, Outcome};
use nowcheck::reference::RoundReference;
use nowcheck::round;
use nowcheck::text::printable;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout_at;

use crate::config::ProbeModule;
use crate::references::SharedReferences;
use crate::side_thread::SideThread;

/// Rounds that may be under way at the same time, at most, whatever the limit on open files.
pub(crate) const MOST_SIDE_BY_SIDE: usize = 512;

/// What an answer needs on its way back, at most: `blackbox_exporter` takes as much.
const MOST_MARGIN: Duration = Duration::from_millis(500);

/// What shall be probed.
#[derive(Debug, Clone)]
pub(crate) struct ProbeRequest {
    /// The URL.
    pub(crate) target: String,
    /// The name of a module; none for the only one.
    pub(crate) module: Option<String>,
    /// How long the client waits.
    pub(crate) patience: Option<Duration>,
    /// When the request came.
    pub(crate) at: MonotonicInstant,
}

/// Why there was no round.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProbeError {
    /// The file has no module.
    #[error("no [[probe]] is in the configuration, so nothing may be probed")]
    NoModules,
    /// There are several.
    #[error("name a module: /probe?target=URL&module=NAME")]
    WhichModule,
    /// No module has that name.
    #[error("no [[probe]] has the module {0}")]
    UnknownModule(String),
    /// The URL is not in the list of the module.
    #[error("allow of the module {module} covers no such URL: {target}")]
    NotAllowed { module: String, target: String },
    /// Its name leads to an address that the list does not name.
    #[error("{0}; name the address, or the host without *, in allow")]
    AddressNotAllowed(String),
    /// The text is no URL.
    #[error("{0}")]
    NotAUrl(String),
    /// Too many rounds are under way.
    #[error("too many rounds are under way")]
    Busy,
    /// The time servers did not answer in time.
    #[error("what clocks are compared with has not answered in time")]
    NoReference,
}

/// Holds rounds on request.
#[derive(Debug)]
pub(crate) struct Prober {
    clock: Clock,
    modules: RwLock<Arc<[ProbeModule]>>,
    references: SharedReferences,
    side_by_side: Semaphore,
    rounds: SideThread,
}

impl Prober {
    /// Nothing may be probed yet. At most so many rounds are held side by side.
    ///
    /// # Errors
    /// When this machine has no thread to give.
    pub(crate) fn start(clock: Clock, side_by_side: usize) -> io::Result<Self> {
        Ok(Self {
            clock,
            modules: RwLock::new(Arc::default()),
            references: SharedReferences::new(clock),
            side_by_side: Semaphore::new(side_by_side.min(MOST_SIDE_BY_SIDE)),
            rounds: SideThread::start("probe")?,
        })
    }

    /// These modules may be asked for from now on.
    pub(crate) fn replace(&self, modules: &[ProbeModule]) {
        *self.modules.write().unwrap_or_else(PoisonError::into_inner) = modules.into();
    }

    /// Holds a round. It ends before the client gives up; when the client is gone, so is the round.
    ///
    /// # Errors
    /// Why there was none.
    pub(crate) async fn probe(&self, request: &ProbeRequest) -> Result<Outcome, ProbeError> {
        let (check, timeout) = self.check(request)?;
        let longest = request.patience.map_or(timeout, |patience| timeout.min(without_margin(patience)));
        let part = |parts: u32| self.clock.deadline(request.at + longest / 4 * parts);
        let turn = timeout_at(part(2), self.side_by_side.acquire()).await;
        let Ok(Ok(_turn)) = turn else { return Err(ProbeError::Busy) };
        let check = Arc::new(check);
        let reference =
            timeout_at(part(3), self.reference(&check)).await.map_err(|_| ProbeError::NoReference)??;
        let left = (request.at + longest).since(self.clock.now());
        let check = Arc::new(Arc::unwrap_or_clone(check).ending_within(left));
        let mut rounds = JoinSet::new();
        let clock = self.clock;
        let round = async move { round::hold_against(&check, &reference, clock).await };
        rounds.spawn_on(round, self.rounds.handle());
        let Some(Ok(outcome)) = rounds.join_next().await else { return Err(ProbeError::Busy) };
        match forbidden(&outcome) {
            Some(sentence) => Err(ProbeError::AddressNotAllowed(sentence)),
            None => Ok(outcome),
        }
    }

    /// What is compared with. A query goes on when this request ends, for the next one.
    async fn reference(&self, check: &Arc<Check>) -> Result<Arc<RoundReference>, ProbeError> {
        let (references, check) = (self.references.clone(), Arc::clone(check));
        let asked = self.rounds.handle().spawn(async move { references.of(&check).await });
        asked.await.map_err(|_| ProbeError::NoReference)
    }

    fn check(&self, request: &ProbeRequest) -> Result<(Check, Duration), ProbeError> {
        let modules = Arc::clone(&self.modules.read().unwrap_or_else(PoisonError::into_inner));
        let module = match (&request.module, &*modules) {
            (_, []) => return Err(ProbeError::NoModules),
            (None, [module]) => module,
            (None, _) => return Err(ProbeError::WhichModule),
            (Some(name), modules) => modules
                .iter()
                .find(|module| module.module == *name)
                .ok_or_else(|| ProbeError::UnknownModule(printable(name.as_bytes(), 100)))?,
        };
        match module.check(&request.target) {
            Ok(Some(check)) => Ok((check, module.timeout())),
            Ok(None) => Err(ProbeError::NotAllowed {
                module: module.module.clone(),
                target: printable(nowcheck::target::masked(&request.target).as_bytes(), 200),
            }),
            Err(error) => Err(ProbeError::NotAUrl(error.to_string())),
        }
    }
}

/// What is left of a time when the answer has to be there at its end: all but half a second, or all but a fifth if that
/// is less.
fn without_margin(patience: Duration) -> Duration {
    patience.saturating_sub(MOST_MARGIN.min(patience / 5))
}

/// That a name leads to an address that may not be asked, in a sentence.
fn forbidden(outcome: &Outcome) -> Option<String> {
    let causes = outcome.targets.iter().filter_map(|target| target.finding.failure());
    let forbidden =
        |cause: &&Cause| matches!(cause, Cause::Name { fault: NameFault::NotPermitted { .. }, .. });
    causes.map(|failure| &failure.cause).find(forbidden).map(ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_a_margin_on_its_way_back() {
        let after = |millis| without_margin(Duration::from_millis(millis)).as_millis();
        assert_eq!([10_000, 2_500, 1_000, 100].map(after), [9_500, 2_000, 800, 80]);
    }
}
