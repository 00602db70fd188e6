//! What to do next, for somebody who was woken by a verdict.

use std::time::Duration;

use clock_offset::{Limits, SLOW};
use http::StatusCode;

use super::{Setting, Words};
use crate::outcome::{
    Backends, Cause, CertificateFault, CheckerFault, ConnectionFault, Doubt, Failure, FailureKind, Finding,
    Note, Stale, TargetOutcome, TlsFault, Undetermined,
};
use crate::text::figures::{length, limit};

impl Words<'_> {
    /// What to do next, for a target that is not OK.
    #[must_use]
    pub fn next_step(self, target: &TargetOutcome, limits: &Limits) -> Option<String> {
        if let Some(step) = self.after_names(target) {
            return Some(step);
        }
        let lacked_time = |failure: &Failure| matches!(failure.cause, Cause::TooLittleTime(_));
        if target.finding.failure().is_some_and(lacked_time)
            && let Some(too_few) = TooFewAnswers::of(target)
        {
            return Some(self.after_too_few_answers(too_few));
        }
        if let Finding::Undetermined(Undetermined::Limited(limited)) = &target.finding {
            return Some(self.after_limit(&limited.failure));
        }
        if let Some(failure) = target.finding.failure() {
            return Some(self.after_failure(failure));
        }
        let has = |wanted: fn(&Note) -> bool| target.notes.iter().any(wanted);
        Some(match &target.finding {
            Finding::InSync(_) => return None,
            Finding::Unvouched(_) => self.have_somebody_vouch(),
            Finding::ClocksDisagree(_) => self.find_the_wrong_clock(),
            Finding::NotWithinWarning(_) | Finding::Desynchronized(_) if has(is_zone) => {
                format!(
                    "if {} is given, check it; otherwise make the service answer in UTC or with its UTC offset \
                     (RFC 3339)",
                    self.name(Setting::Zone)
                )
            }
            Finding::NotWithinWarning(backends) | Finding::Desynchronized(backends) => {
                self.after_wrong_clock(backends)
            }
            Finding::Stale(Stale::Age { .. } | Stale::Standstill { .. }) => {
                "exclude this path from the cache on the way (Cache-Control: no-store), or check the service \
                 behind the cache"
                    .to_owned()
            }
            Finding::BackendsMissing { .. } => format!(
                "look at the balancer's list of targets: which are unhealthy? If the list is right, correct {}",
                self.name(Setting::ExpectBackends)
            ),
            Finding::CheckerFault(CheckerFault::Doubted { doubt, .. }) => self.after_doubt(doubt),
            Finding::Undetermined(Undetermined::Uncounted { missing, .. }) if missing.are_nameless => {
                format!(
                    "leave out {}: it only counts backends that send an `instance`",
                    self.name(Setting::ExpectBackends)
                )
            }
            Finding::Undetermined(_) if has(|note| matches!(note, Note::DateMayBeCached { .. })) => format!(
                "a Date header that may be old proves little: set {} if this server renews it in time, or a {} \
                 that exceeds its age by a second",
                self.with(Setting::DateCache, "0s"),
                self.name(Setting::MaxOffset)
            ),
            Finding::Undetermined(Undetermined::Open(backends)) => {
                self.after_open_question(target, backends, limits)
            }
            Finding::Undetermined(_)
            | Finding::Down(_)
            | Finding::CheckerFault(CheckerFault::CannotAsk(_)) => self.ask_again(),
        })
    }

    fn after_wrong_clock(self, backends: &Backends) -> String {
        if is_decades_behind(backends) {
            return format!(
                "is this a time? Another number, such as an uptime in seconds, looks like a clock that is \
                 decades behind: then select the field of the time with {}. A clock on the server that was \
                 never set looks the same",
                self.name(Setting::Field)
            );
        }
        "on the server, look at `chronyc tracking` or `timedatectl`: is time synchronization running, and can \
         it reach its servers?"
            .to_owned()
    }

    fn ask_again(self) -> String {
        format!(
            "check again with a longer {} or more {}, or from a machine that is closer to the service",
            self.name(Setting::Timeout),
            self.name(Setting::Samples)
        )
    }

    fn after_open_question(self, target: &TargetOutcome, backends: &Backends, limits: &Limits) -> String {
        if is_slow(backends, limits) {
            return self.after_slow_answers(backends, limits);
        }
        TooFewAnswers::of(target)
            .map_or_else(|| self.ask_again(), |too_few| self.after_too_few_answers(too_few))
    }

    fn after_too_few_answers(self, too_few: TooFewAnswers) -> String {
        format!(
            "allow more time: {}. One answer takes {}, and {} of them are needed, one after the other",
            self.with(Setting::Timeout, &format!("{}s", too_few.enough().as_secs())),
            length(too_few.each),
            too_few.needed
        )
    }

    fn after_slow_answers(self, backends: &Backends, limits: &Limits) -> String {
        format!(
            "the fastest answer took {}, which is too long for the limit of {}: set a greater {}, or check from \
             a machine that is closer to the service",
            length(backends.worst().round_trip.min),
            limit(limits.max_offset),
            self.name(Setting::MaxOffset),
        )
    }

    fn have_somebody_vouch(self) -> String {
        format!(
            "synchronize this machine's clock (chrony, systemd-timesyncd), or compare with a time server ({}); \
             if this machine's clock is known to be right, add {}",
            self.with(Setting::Reference, "ntp:HOST"),
            self.name(Setting::TrustSystemClock)
        )
    }

    fn find_the_wrong_clock(self) -> String {
        format!(
            "find out which clock is wrong: look at `chronyc tracking` or `timedatectl` on this machine, then \
             on the server; or compare with time servers: {}",
            self.with(Setting::Reference, "ntp:HOST")
        )
    }

    fn after_doubt(self, doubt: &Doubt) -> String {
        let reference = self.name(Setting::Reference);
        match doubt {
            Doubt::ReferencesDisagree => {
                "find out which time server is wrong, or give three or more references, so that the majority decides"
                    .to_owned()
            }
            Doubt::NoReference | Doubt::TooFewReferences => format!(
                "check that this machine reaches its time servers (UDP port 123), or name others with {reference}"
            ),
            Doubt::ReferenceTooWide { is_of_servers: true, .. } => format!(
                "name better time servers with {reference}, or allow a greater {}",
                self.name(Setting::MaxOffset)
            ),
            Doubt::LocalClockWrong { .. } => format!(
                "correct this machine's clock (`chronyc tracking`, `timedatectl`), or leave out {}",
                self.with(Setting::Reference, "system")
            ),
            Doubt::ReferenceNotVouchedFor => format!(
                "synchronize this machine's clock (chrony, systemd-timesyncd), or compare with a time server \
                 ({})",
                self.with(Setting::Reference, "ntp:HOST")
            ),
            Doubt::Suspended
            | Doubt::WallClockStepped { .. }
            | Doubt::ReferenceTooWide { is_of_servers: false, .. } => {
                "correct this machine's clock first (`chronyc tracking`, `timedatectl`), or check from another machine"
                    .to_owned()
            }
        }
    }

    fn after_limit(self, failure: &Failure) -> String {
        if failure.kind() == FailureKind::Local {
            return self.after_failure(failure);
        }
        format!(
            "send fewer requests and allow more time: {}, {} and a longer {}. For repeated rounds, also set a \
             longer {}",
            self.with(Setting::Connections, "1"),
            self.with(Setting::Samples, "1"),
            self.name(Setting::Timeout),
            self.name(Setting::Every),
        )
    }

    fn after_failure(self, failure: &Failure) -> String {
        if matches!(failure.cause, Cause::TooLittleTime(_)) {
            return format!(
                "the service was slow: set a longer {}, and look at the load of the service",
                self.name(Setting::Timeout)
            );
        }
        let step = match failure.kind() {
            FailureKind::NoSuchName => "check the spelling of the URL, and the DNS record",
            FailureKind::DnsFailure => "look at the name servers in /etc/resolv.conf",
            FailureKind::Refused => "is the service running, and does it listen on this port?",
            FailureKind::Unreachable => "check the host, the route to it and the firewalls on the way",
            FailureKind::Timeout => {
                "look at the load and the logs of the service, and at the firewalls on the way"
            }
            FailureKind::Closed => {
                "look at the logs of the service and of its balancer; if this port speaks TLS, write https://"
            }
            FailureKind::Certificate => return self.after_certificate(&failure.cause),
            FailureKind::Protocol => "is this the right port and scheme?",
            FailureKind::Status => return self.after_status(failure),
            FailureKind::Redirect => "check the URL that it leads to",
            FailureKind::NotATime if failure.is_contradiction() => {
                "look at the program that writes the answer: one clock cannot have given both times"
            }
            FailureKind::NotATime if let Some(elsewhere) = failure.elsewhere() => {
                return format!(
                    "{}; or check whether the service has changed its answer",
                    self.settings_for(elsewhere)
                );
            }
            FailureKind::NotATime | FailureKind::TooLarge => {
                return format!(
                    "is this the right path? {} says where the time is, and {} how it is written",
                    self.name(Setting::Field),
                    self.name(Setting::Format)
                );
            }
            FailureKind::Unsupported => {
                "the service may be fine: try another client, or make the service offer what the line above names"
            }
            FailureKind::ClientCertificate => {
                return format!(
                    "give a certificate that the server accepts: {} and {}",
                    self.with(Setting::ClientCertificate, "FILE"),
                    self.with(Setting::ClientKey, "FILE")
                );
            }
            FailureKind::NoRoute if is_without_zone(&failure.cause) => {
                "add the interface to the address, such as [fe80::1%25eth0]; `ip address` lists this \
                 machine's interfaces"
            }
            FailureKind::NoRoute => "look at the routes of this machine: `ip route get ADDRESS`",
            FailureKind::Local => {
                "the fault is on this machine: look at its network, its load and its limits (`ulimit -a`, seccomp)"
            }
        };
        step.to_owned()
    }

    fn after_status(self, failure: &Failure) -> String {
        match failure.answer().map(|fault| fault.status) {
            Some(
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::PROXY_AUTHENTICATION_REQUIRED,
            ) => format!(
                "the service requires authorization: give credentials with {} (they are not sent to another \
                 server after a redirect), or allow this path without them",
                self.with(Setting::UserFile, "FILE")
            ),
            Some(StatusCode::TOO_MANY_REQUESTS) => format!(
                "the service limits requests: raise the limit for this machine, or send fewer requests with {}, \
                 {} and a greater {}",
                self.with(Setting::Connections, "1"),
                self.with(Setting::Samples, "1"),
                self.name(Setting::MissProbability)
            ),
            Some(StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::GONE) => {
                "is the path right? A URL without a path means /now; http://HOST/. asks for the root".to_owned()
            }
            Some(StatusCode::SERVICE_UNAVAILABLE) => {
                "the service is overloaded, shutting down or not ready: look at its load, its limits and its logs"
                    .to_owned()
            }
            _ => "look at the logs of the service".to_owned(),
        }
    }

    fn after_certificate(self, cause: &Cause) -> String {
        let Cause::Tls(TlsFault::Certificate { fault, .. }) = cause else {
            return "use a name that the server has a certificate for, or give it one for this name"
                .to_owned();
        };
        match fault {
            CertificateFault::UnknownAuthority
            | CertificateFault::SelfSigned
            | CertificateFault::MissingIntermediate { .. }
            | CertificateFault::OtherAuthorityKey => format!(
                "fix what the line above names. To trust an authority that this machine does not know, add {}",
                self.with(Setting::CaFile, "FILE")
            ),
            CertificateFault::OtherName { .. } => {
                "use a name that is in the certificate, or get a certificate for this name".to_owned()
            }
            CertificateFault::OutOfTime { .. } => {
                "check whether the certificate was renewed, and whether the server uses the new one"
                    .to_owned()
            }
            CertificateFault::AddressAsName { .. }
            | CertificateFault::ShortKey { .. }
            | CertificateFault::CannotVerify { .. }
            | CertificateFault::IsAuthority
            | CertificateFault::Other { .. } => "get another certificate for the server".to_owned(),
        }
    }
}

fn is_without_zone(cause: &Cause) -> bool {
    matches!(cause, Cause::Connection { fault: ConnectionFault::NoZone, .. })
}

/// Whether the answers took so long that they prove little. What is proven is about half as wide on each side as the round
/// trip, and the clock need not be in the middle of it.
/// A slow service, of which the round had no time to ask enough connections.
#[derive(Debug, Clone, Copy)]
struct TooFewAnswers {
    /// What an answer takes.
    each: Duration,
    /// How many answers are enough.
    needed: u32,
}

impl TooFewAnswers {
    fn of(target: &TargetOutcome) -> Option<Self> {
        let needed = target.notes.iter().find_map(|note| match note {
            Note::BackendsMayBeMissing { needed } => *needed,
            _ => None,
        })?;
        let each = target.backends().iter().map(|backend| backend.round_trip.median).max()?;
        // A service that is not slow takes several requests at a time, and time was not what it lacked.
        (each >= SLOW && needed > target.connections).then_some(Self { each, needed })
    }

    /// The timeout that lets so many be asked one after the other, in whole steps of five seconds: no request is begun in the
    /// last quarter of a round.
    fn enough(self) -> Duration {
        let least = self.each * self.needed.saturating_sub(1) * 4 / 3;
        Duration::from_secs((least.as_secs() / 5 + 1) * 5)
    }
}

fn is_slow(backends: &Backends, limits: &Limits) -> bool {
    backends.worst().round_trip.min > limits.max_offset
}

/// Whether all clocks are further behind than any clock that was ever set. A device without a battery begins with 1970 or 2000.
fn is_decades_behind(backends: &Backends) -> bool {
    const DECADES: i128 = 20 * 365 * 86_400 * 1_000_000_000;
    backends.as_slice().iter().all(|backend| backend.offset.midpoint().as_nanos() < -DECADES)
}

fn is_zone(note: &Note) -> bool {
    matches!(note, Note::ResemblesTimeZone { .. })
}
