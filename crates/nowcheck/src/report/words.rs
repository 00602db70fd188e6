//! The outcome in sentences that somebody understands at three in the morning.

use clock_offset::{Limits, Verdict};

use crate::clock::Synchronisation;
use crate::outcome::{BackendOutcome, Note, Outcome, Reason, Stale, Status, TargetOutcome};
use crate::probe::failure::Kind;
use crate::report::figures::{estimate, length, limit, signed};

/// The verdict on the whole round, in one sentence without a full stop.
#[must_use]
pub fn summary(outcome: &Outcome) -> String {
    let Some(worst) = outcome.worst() else {
        return "nothing was checked".to_owned();
    };
    let sentence = target_summary(worst, &outcome.limits);
    let total = outcome.targets.len();
    if total == 1 {
        return sentence;
    }
    if worst.status == Status::Ok {
        return format!("all {total} addresses: {sentence}");
    }
    let as_bad = outcome.targets.iter().filter(|target| target.status == worst.status).count();
    format!("{as_bad} of {total} addresses: {}: {sentence}", place(worst))
}

/// Where a target is: its URL, and its address when that is more.
#[must_use]
pub fn place(target: &TargetOutcome) -> String {
    match target.address {
        Some(address) if !target.url.contains(&address.to_string()) => format!("{} at {address}", target.url),
        _ => target.url.clone(),
    }
}

/// The verdict on one address, in one sentence without a full stop.
#[must_use]
pub fn target_summary(target: &TargetOutcome, limits: &Limits) -> String {
    if let Some(failure) = &target.failure {
        let whose = match target.reason {
            Reason::CheckerFault => "this machine cannot check",
            _ => "down",
        };
        let after = length(failure.elapsed);
        let counted = match target.requests {
            0..=1 => String::new(),
            requests => format!(" (request {requests}; the ones before it were answered)"),
        };
        return format!(
            "{whose}: {} (phase {}, after {after}){counted}",
            failure.message,
            failure.phase.name()
        );
    }
    match target.stale {
        Some(Stale::Age { seconds }) => {
            return format!(
                "a cache answered instead of the service: its answer is {seconds} s old (header Age)"
            );
        }
        Some(Stale::Standstill { elapsed }) => {
            return format!(
                "the answers stand still: the same time again after {}; a cache answers, or the clock does not run",
                length(elapsed)
            );
        }
        None => {}
    }
    let allowed = limit(limits.max_offset);
    let Some(worst) = worst_backend(target) else {
        return "the time was over before anything could be asked".to_owned();
    };
    let figure = estimate(&worst.offset);
    match (target.status, target.reason) {
        (_, Reason::CheckerFault) => {
            format!("this machine cannot judge the clock: offset {figure}, limit ± {allowed}")
        }
        (Status::Ok, _) => {
            let whose = match target.backends.len() {
                1 => "in sync".to_owned(),
                several => format!("all {several} backends in sync, the farthest"),
            };
            format!("{whose}: {figure} (limit ± {allowed})")
        }
        (Status::Warning, _) => {
            let warn = limits.warn_offset.map_or_else(String::new, limit);
            format!(
                "{}within ± {allowed}, but not proven to be within ± {warn}: {figure}",
                which(target, worst)
            )
        }
        (Status::Critical, _) => {
            let direction = if worst.offset.midpoint().as_nanos() < 0 { "behind" } else { "ahead" };
            let by = length(worst.offset.midpoint().magnitude());
            format!("{}clock is {by} {direction}: {figure} (limit ± {allowed})", which(target, worst))
        }
        (Status::Unknown, _) => format!(
            "{}cannot be decided: the offset lies between {} and {}, the limit is ± {allowed}",
            which(target, worst),
            signed(worst.offset.earliest()),
            signed(worst.offset.latest())
        ),
    }
}

/// The backend that decides: the worst verdict, and among those the farthest off.
fn worst_backend(target: &TargetOutcome) -> Option<&BackendOutcome> {
    let rank = |verdict| match verdict {
        Verdict::InSync => 0,
        Verdict::NotWithinWarning => 1,
        Verdict::Undetermined => 2,
        Verdict::Desynchronised => 3,
    };
    target
        .backends
        .iter()
        .max_by_key(|backend| (rank(backend.verdict), backend.offset.midpoint().magnitude()))
}

/// Which backend is meant, when there are several: “1 of 4 backends, 3f9c2a7d: ”.
fn which(target: &TargetOutcome, worst: &BackendOutcome) -> String {
    let total = target.backends.len();
    if total == 1 {
        return String::new();
    }
    let as_bad = target.backends.iter().filter(|backend| backend.verdict == worst.verdict).count();
    let name = worst.instance.as_deref().map_or_else(String::new, |name| format!(", {name}"));
    format!("{as_bad} of {total} backends{name}: ")
}

/// A note as a sentence without a full stop.
#[must_use]
pub fn note(note: &Note) -> String {
    match note {
        Note::ReferenceNotVouchedFor => {
            "offsets are from this machine's clock as it stands: its kernel does not \
                                         say that anything keeps it right"
                .to_owned()
        }
        Note::WholeDaysUnseen => {
            "the answer is a time of day without a date: an error of whole days cannot be seen".to_owned()
        }
        Note::DateMayBeCached { cache } => format!(
            "the header Date is taken to be up to {} old; for a server that is known to renew it in time, \
             --date-cache 0s proves more",
            limit(*cache)
        ),
        Note::ResemblesTimeZone { zone } => {
            format!(
                "the error is {}, which looks like a time zone and not like a wrong clock: the answer is read as UTC",
                signed(*zone)
            )
        }
        Note::SeveralNamelessClocks => {
            "the answers contradict each other, so several clocks answer here; they do \
                                        not name themselves, and are told apart by their times only"
                .to_owned()
        }
        Note::ClockWasStepped { instance } => {
            format!("the answers of {instance} contradict each other: its clock was stepped in between")
        }
        Note::BackendsMayBeMissing => {
            "the round ended before every backend was likely seen: more may stand behind this address"
                .to_owned()
        }
        Note::ServerSaysUnsynchronised => {
            "the server says of its own clock that nothing keeps it right".to_owned()
        }
        Note::KeptConnectionsLost { count } => {
            format!(
                "the server closed {count} kept connection(s) before a request; it was repeated on a new one"
            )
        }
        Note::AddressSkipped { address, why } => format!("{address} was left out: {why}"),
        Note::RedirectedFrom { url } => format!("reached by a redirect from {url}"),
        Note::WallClockStepped { step } => {
            format!("this machine's clock was stepped by {} during the round", signed(*step))
        }
        Note::ReferenceTooWide { max_error } => {
            format!(
                "this machine's clock is only known to ± {} itself, so no answer could prove more",
                length(*max_error)
            )
        }
    }
}

/// What this machine's clock is worth as the reference.
#[must_use]
pub fn reference(synchronisation: &Synchronisation) -> String {
    match synchronisation {
        Synchronisation::Synchronized { max_error } => {
            format!("this machine's clock, right to ± {} by its kernel", length(*max_error))
        }
        Synchronisation::Unsynchronized => {
            "this machine's clock as it stands; its kernel says that nothing keeps it right".to_owned()
        }
        Synchronisation::Unknown => {
            "this machine's clock as it stands; its kernel cannot be asked what it is worth".to_owned()
        }
    }
}

/// What to do next, for a target that is not OK.
#[must_use]
pub fn next_step(target: &TargetOutcome) -> Option<String> {
    if target.status == Status::Ok {
        return None;
    }
    if let Some(failure) = &target.failure {
        return Some(step_after_failure(&failure.kind).to_owned());
    }
    let looks_like_zone = target.notes.iter().any(|note| matches!(note, Note::ResemblesTimeZone { .. }));
    let step = match target.reason {
        Reason::StaleCache => {
            "make the cache in between pass this path (Cache-Control: no-store), or ask the service behind it"
        }
        Reason::Desynchronised if looks_like_zone => {
            "make the service answer in UTC, or with its zone's offset (RFC 3339)"
        }
        Reason::Desynchronised => {
            "on the host behind it look at `chronyc tracking` or `timedatectl`: is time synchronisation running, \
             and can it reach its servers?"
        }
        Reason::CheckerFault => {
            "mend this machine's clock first (`chronyc tracking`, `timedatectl`), or check from another one"
        }
        _ => "ask again with more --samples or a longer --timeout, or from a place that is nearer",
    };
    Some(step.to_owned())
}

fn step_after_failure(kind: &Kind) -> &'static str {
    match kind {
        Kind::NoSuchName => "check the spelling of the URL and the record in the DNS",
        Kind::Refused => "is the service running, and does it listen on this port?",
        Kind::Unreachable => "check the host, the route to it and the firewalls between",
        Kind::Timeout => "look at the load and the logs of the service, and at the firewalls between",
        Kind::Closed => "look at the logs of the service and of the balancer before it",
        Kind::Certificate => "mend the certificate, or the clock that is named above",
        Kind::Protocol => "is this the right port and scheme?",
        Kind::Status { .. } => "look at the logs of the service; is the path right?",
        Kind::Redirect { .. } => "check the URL that it points at",
        Kind::NotATime { .. } | Kind::TooLarge { .. } => {
            "is this the right path? --field and --format say where and how the time stands"
        }
        Kind::NoRoute | Kind::Local => "the fault is on this machine: look at its network",
    }
}
