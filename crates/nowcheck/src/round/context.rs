//! What all probes of a round share.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use clock_offset::{MonotonicInstant, ReferenceClock};
use rustls::ClientConfig;

use crate::check::Check;
use crate::clock::Clock;
use crate::outcome::{Believed, CertificateClock, Standing};
use crate::probe::clock_suspect::JudgingClock;
use crate::probe::tls::CertificateTime;
use crate::probe::tls::identity::ConnectionConfig;
use crate::reference::RoundReference;
use crate::target::Target;

use super::turns::Turns;

/// What all probes of a round share.
#[derive(Debug, Clone)]
pub(super) struct RoundContext {
    pub(super) check: Arc<Check>,
    /// How TLS is spoken in this round, once a target needs it.
    tls: Arc<OnceLock<Arc<ClientConfig>>>,
    certificate_time: CertificateTime,
    /// Whether somebody has looked yet if the address speaks TLS at all.
    tls_doubt: Arc<AtomicBool>,
    pub(super) clock: Clock,
    pub(super) reference: ReferenceClock,
    /// By which clock certificates are judged.
    pub(super) judging_clock: JudgingClock,
    pub(super) deadline: MonotonicInstant,
    pub(super) last_start: MonotonicInstant,
    pub(super) turns: Turns,
    /// Redirects are passed over: what is asked for is what an address answers by itself.
    pub(super) passes_over_redirects: bool,
}

impl RoundContext {
    /// A round that began then. It ends the timeout later.
    pub(super) fn new(
        check: &Arc<Check>,
        against: &RoundReference,
        clock: Clock,
        begin: MonotonicInstant,
    ) -> Self {
        let last_start = Self::last_start(check, begin);
        let bounds = against.reference.bounds;
        let (whose, certificate_time) = if against.outcome.local_offset.is_some() {
            (CertificateClock::TimeServers, CertificateTime::Reference { bounds, clock })
        } else {
            (CertificateClock::ThisMachine, CertificateTime::ThisMachine)
        };
        let believed = match against.outcome.standing {
            Standing::Agreed => Some(Believed::Synchronized),
            Standing::Trusted => Some(Believed::Trusted),
            Standing::Disagreement | Standing::OnlyUnvouched | Standing::Unreachable => None,
        };
        Self {
            clock,
            reference: against.reference,
            judging_clock: JudgingClock { bounds, believed, whose },
            deadline: begin + check.timeout,
            last_start,
            turns: Turns::default(),
            passes_over_redirects: false,
            tls: Arc::default(),
            tls_doubt: Arc::default(),
            certificate_time,
            check: Arc::clone(check),
        }
    }

    /// How TLS is spoken over one connection to a target. Only a server that the user named gets to see who asks.
    pub(super) fn tls(&self, target: &Target) -> ConnectionConfig {
        let shared = self.tls.get_or_init(|| self.check.trust.client_config(self.certificate_time));
        let identity = self.check.trust.identity().filter(|_| target.is_named_by_user());
        ConnectionConfig::new(shared, identity.cloned()).sharing_doubt(&self.tls_doubt)
    }

    /// Connections that were opened only to see which protocol the address speaks.
    pub(super) fn connections_of_doubt(&self) -> u32 {
        u32::from(self.tls_doubt.load(Ordering::Relaxed))
    }

    /// The same for another address.
    pub(super) fn with_doubt_of_its_own(&self) -> Self {
        Self { tls_doubt: Arc::default(), ..self.clone() }
    }

    /// A slow DNS may take most of a round, but must leave time to sample what it told.
    pub(super) fn resolve_until(check: &Check, begin: MonotonicInstant) -> MonotonicInstant {
        begin + check.timeout * 3 / 5
    }

    /// After that no request is begun: each has a quarter of the round to be answered, so that silence until its end
    /// means something.
    pub(super) fn last_start(check: &Check, begin: MonotonicInstant) -> MonotonicInstant {
        begin + check.timeout * 3 / 4
    }
}
