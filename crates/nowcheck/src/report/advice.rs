//! What to do next, for somebody who was woken by a verdict.

use http::StatusCode;

use super::{Setting, Words};
use crate::outcome::{
    CheckerFault, Doubt, Failure, FailureKind, Finding, Note, Stale, TargetOutcome, Undetermined,
};

impl Words<'_> {
    /// What to do next, for a target that is not OK.
    #[must_use]
    pub fn next_step(self, target: &TargetOutcome) -> Option<String> {
        if let Some(step) = self.after_names(target) {
            return Some(step);
        }
        if let Finding::Undetermined(Undetermined::Limited(_)) = &target.finding {
            return Some(format!(
                "ask less at once and for longer: {} and a longer {}",
                self.with(Setting::Connections, "1"),
                self.name(Setting::Timeout)
            ));
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
                "make the service answer in UTC, or with its zone's offset (RFC 3339)".to_owned()
            }
            Finding::NotWithinWarning(_) | Finding::Desynchronized(_) => {
                "on the host behind it look at `chronyc tracking` or `timedatectl`: is time \
                 synchronization running, and can it reach its servers?"
                    .to_owned()
            }
            Finding::Stale(Stale::Age { .. } | Stale::Standstill { .. }) => {
                "make the cache in between pass this path (Cache-Control: no-store), or ask the service \
                 behind it"
                    .to_owned()
            }
            Finding::BackendsMissing { .. } => format!(
                "look at the balancer's list of targets: which are not healthy? If it is right, mend {}",
                self.name(Setting::ExpectBackends)
            ),
            Finding::CheckerFault(CheckerFault::Doubted { doubt, .. }) => self.after_doubt(doubt),
            Finding::Undetermined(Undetermined::Uncounted { missing, .. }) if missing.are_nameless => {
                format!(
                    "leave out {}: it counts answers that carry an `instance`",
                    self.name(Setting::ExpectBackends)
                )
            }
            Finding::Undetermined(_) if has(|note| matches!(note, Note::DateMayBeCached { .. })) => format!(
                "a Date header that may be old proves little: {} if this server renews it in time, or a {} \
                 that is greater than its age by a second",
                self.with(Setting::DateCache, "0s"),
                self.name(Setting::MaxOffset)
            ),
            Finding::Undetermined(_)
            | Finding::Down(_)
            | Finding::CheckerFault(CheckerFault::CannotAsk(_)) => format!(
                "ask again with a longer {} or more {}, or from a place that is nearer",
                self.name(Setting::Timeout),
                self.name(Setting::Samples)
            ),
        })
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
            "find out which clock is wrong: `chronyc tracking` or `timedatectl`, first on this machine, \
             then on the host behind it; or compare with time servers: {}",
            self.with(Setting::Reference, "ntp:HOST")
        )
    }

    fn after_doubt(self, doubt: &Doubt) -> String {
        let reference = self.name(Setting::Reference);
        match doubt {
            Doubt::ReferencesDisagree => {
                "find out which time server is wrong, or give three or more references: then the majority \
                 decides"
                    .to_owned()
            }
            Doubt::NoReference | Doubt::TooFewReferences => format!(
                "see whether this machine reaches its time servers (UDP port 123), or give it others with \
                 {reference}"
            ),
            Doubt::ReferenceTooWide { is_of_servers: true, .. } => format!(
                "name better time servers with {reference}, or allow a greater {}",
                self.name(Setting::MaxOffset)
            ),
            Doubt::LocalClockWrong { .. } => format!(
                "mend this machine's clock (`chronyc tracking`, `timedatectl`), or leave out {}",
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
                "mend this machine's clock first (`chronyc tracking`, `timedatectl`), or check from \
                 another one"
                    .to_owned()
            }
        }
    }

    fn after_failure(self, failure: &Failure) -> String {
        let step = match failure.kind() {
            FailureKind::NoSuchName => "check the spelling of the URL and the record in the DNS",
            FailureKind::DnsFailure => "look at the name servers in /etc/resolv.conf",
            FailureKind::Refused => "is the service running, and does it listen on this port?",
            FailureKind::Unreachable => "check the host, the route to it and the firewalls between",
            FailureKind::Timeout => {
                "look at the load and the logs of the service, and at the firewalls between"
            }
            FailureKind::Closed => {
                "look at the logs of the service and of the balancer before it; if it speaks TLS, write \
                 https://"
            }
            FailureKind::Certificate => {
                return format!(
                    "mend what the line above names; {} trusts an authority that this machine does not know",
                    self.with(Setting::CaFile, "FILE")
                );
            }
            FailureKind::Protocol => "is this the right port and scheme?",
            FailureKind::Status => return self.after_status(failure),
            FailureKind::Redirect => "check the URL that it points at",
            FailureKind::NotATime | FailureKind::TooLarge => {
                return format!(
                    "is this the right path? {} and {} say where and how the time stands",
                    self.name(Setting::Field),
                    self.name(Setting::Format)
                );
            }
            FailureKind::Unsupported => {
                "the service may be well: ask it with another client, or let it offer what is named above"
            }
            FailureKind::ClientCertificate => {
                return format!(
                    "give a certificate that the server accepts with {} and {}",
                    self.with(Setting::ClientCertificate, "FILE"),
                    self.with(Setting::ClientKey, "FILE")
                );
            }
            FailureKind::NoRoute => "the fault is on this machine: look at its network",
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
                "it wants to know who asks: give credentials that it accepts with {} (a redirect to another \
                 server does not take them along), or open this path to the check",
                self.with(Setting::UserFile, "FILE")
            ),
            Some(StatusCode::TOO_MANY_REQUESTS) => format!(
                "the service limits how often it may be asked: allow this machine more, or ask less with {}, {} \
                 and a greater {}",
                self.with(Setting::Connections, "1"),
                self.with(Setting::Samples, "1"),
                self.name(Setting::MissProbability)
            ),
            _ => "look at the logs of the service; is the path right?".to_owned(),
        }
    }
}

fn is_zone(note: &Note) -> bool {
    matches!(note, Note::ResemblesTimeZone { .. })
}
