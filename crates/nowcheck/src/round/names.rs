//! The names of targets, while they are being resolved.

use std::net::SocketAddr;
use std::sync::Arc;

use clock_offset::MonotonicInstant;
use tokio::task::JoinHandle;
use url::Host;

use super::RoundContext;
use crate::check::Check;
use crate::clock::Clock;
use crate::outcome::{Cause, Failure, NameFault, Phase};
use crate::probe::resolve::Addresses;
use crate::target::Target;

/// A target whose name is being resolved.
#[derive(Debug)]
pub(super) struct Name {
    pub(super) target: Target,
    resolving: JoinHandle<Result<Addresses, Failure>>,
}

/// The targets of a round.
pub(super) type Names = Vec<Name>;

impl Name {
    /// Begins to resolve the name of a target. A name that is not resolved by then has no address.
    pub(super) fn resolve(target: Target, check: &Arc<Check>, clock: Clock, until: MonotonicInstant) -> Self {
        let (check, of) = (Arc::clone(check), target.clone());
        let resolving = tokio::spawn(async move { addresses(&of, &check, clock, until).await });
        Self { target, resolving }
    }

    /// Its addresses, once they are known.
    pub(super) async fn addresses(&mut self) -> Result<Addresses, Failure> {
        (&mut self.resolving).await.unwrap_or_else(|_| {
            let fault = NameFault::Local("the lookup was ended".to_owned());
            let cause = Cause::Name { name: self.target.host.to_string(), fault };
            Err(Failure { phase: Phase::Resolve, cause, elapsed: std::time::Duration::ZERO })
        })
    }
}

/// The addresses of a target, if all of them may be asked.
async fn addresses(
    target: &Target,
    check: &Check,
    clock: Clock,
    until: MonotonicInstant,
) -> Result<Addresses, Failure> {
    let addresses = check.resolution.addresses(target.endpoint(), clock, until).await?;
    // Others stand in the URL, which is permitted, or in the check.
    let Some(elapsed) = addresses.took.filter(|_| matches!(target.host, Host::Domain(_))) else {
        return Ok(addresses);
    };
    let has = check.destinations.not_permitted(target.url(), addresses.all.iter().map(SocketAddr::ip));
    if has.is_empty() {
        return Ok(addresses);
    }
    let cause = Cause::Name { name: target.host.to_string(), fault: NameFault::NotPermitted { has } };
    Err(Failure { phase: Phase::Resolve, cause, elapsed })
}

impl Drop for Name {
    fn drop(&mut self) {
        self.resolving.abort();
    }
}

/// Begins to resolve the names of all targets of a check.
pub(super) fn of_targets(check: &Arc<Check>, clock: Clock, begin: MonotonicInstant) -> Names {
    let until = RoundContext::resolve_until(check, begin);
    check.targets.iter().map(|target| Name::resolve(target.clone(), check, clock, until)).collect()
}
