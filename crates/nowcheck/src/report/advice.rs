//! What to do next, for whoever was woken by a verdict.

use crate::outcome::Kind;
use crate::outcome::{Note, Reason, Status, TargetOutcome};

/// What to do next, for a target that is not OK.
#[must_use]
pub fn next_step(target: &TargetOutcome) -> Option<String> {
    if target.status == Status::Ok {
        return None;
    }
    if let Some(failure) = &target.failure {
        return Some(step_after_failure(&failure.kind).to_owned());
    }
    let has = |wanted: fn(&Note) -> bool| target.notes.iter().any(wanted);
    let step = match target.reason {
        Reason::StaleCache => {
            "make the cache in between pass this path (Cache-Control: no-store), or ask the service behind it"
        }
        Reason::Desynchronised
            if has(|note| matches!(note, Note::ResemblesTimeZone { .. }))
                && !has(|note| *note == Note::ReferenceNotVouchedFor) =>
        {
            "make the service answer in UTC, or with its zone's offset (RFC 3339)"
        }
        Reason::Desynchronised if has(|note| *note == Note::ReferenceNotVouchedFor) => {
            "find out which clock is wrong: `chronyc tracking` or `timedatectl`, first on this machine, then on the \
             host behind it; or compare with time servers: --reference ntp:HOST"
        }
        Reason::Desynchronised => {
            "on the host behind it look at `chronyc tracking` or `timedatectl`: is time synchronisation running, \
             and can it reach its servers?"
        }
        Reason::BackendsMissing => {
            "look at the balancer's list of targets: which are not healthy? If it is right, mend --expect-backends"
        }
        Reason::ReferencesDisagree => {
            "find out which time server is wrong, or give three or more references: then the majority decides"
        }
        Reason::CheckerFault if has(|note| matches!(note, Note::NoReference | Note::TooFewReferences)) => {
            "see whether this machine reaches its time servers (UDP port 123), or give it others with --reference"
        }
        Reason::CheckerFault
            if has(|note| matches!(note, Note::ReferenceTooWide { is_of_servers: true, .. })) =>
        {
            "name better time servers with --reference, or allow a greater --max-offset"
        }
        Reason::CheckerFault if has(|note| matches!(note, Note::LocalClockWrong { .. })) => {
            "mend this machine's clock (`chronyc tracking`, `timedatectl`), or leave out --reference system"
        }
        Reason::CheckerFault => {
            "mend this machine's clock first (`chronyc tracking`, `timedatectl`), or check from another one"
        }
        _ if target.status == Status::Warning => {
            "nothing is proven wrong: a greater --warn-offset, or more --samples over a shorter path"
        }
        _ if has(|note| matches!(note, Note::BackendsMissing { are_nameless: true, .. })) => {
            "leave out --expect-backends: it counts answers that carry an `instance`"
        }
        _ if has(|note| matches!(note, Note::DateMayBeCached { .. })) => {
            "a Date header that may be old proves little: --date-cache 0s if this server renews it in time, or a \
             --max-offset that is greater than its age by a second"
        }
        _ => "ask again with a longer --timeout or more --samples, or from a place that is nearer",
    };
    Some(step.to_owned())
}

fn step_after_failure(kind: &Kind) -> &'static str {
    match kind {
        Kind::NoSuchName => "check the spelling of the URL and the record in the DNS",
        Kind::DnsFailure => "look at the name servers of that name: they answer, but with a failure",
        Kind::Refused => "is the service running, and does it listen on this port?",
        Kind::Unreachable => "check the host, the route to it and the firewalls between",
        Kind::Timeout => "look at the load and the logs of the service, and at the firewalls between",
        Kind::Closed => {
            "look at the logs of the service and of the balancer before it; if it speaks TLS, write https://"
        }
        Kind::Certificate { .. } => {
            "mend what the line above names; --ca-file FILE trusts an authority that this machine does not know"
        }
        Kind::Protocol => "is this the right port and scheme?",
        Kind::Status { status: 401 | 403 | 407 } => {
            "it wants to know who asks, and nowcheck sends no credentials: open this path to the check"
        }
        Kind::Status { status: 429 } => {
            "the service limits how often it may be asked: allow this machine more, or ask less: --samples 1 and a \
             greater --miss-probability"
        }
        Kind::Status { .. } => "look at the logs of the service; is the path right?",
        Kind::Redirect { .. } => "check the URL that it points at",
        Kind::NotATime { .. } | Kind::TooLarge { .. } => {
            "is this the right path? --field and --format say where and how the time stands"
        }
        Kind::NoRoute => "the fault is on this machine: look at its network",
        Kind::Local => "the fault is on this machine: look at its network and at its load",
    }
}
