//! The outcome in sentences that somebody understands at three in the morning.

use clock_offset::verdict::within;
use clock_offset::{Interval, Limits, Offset, Verdict, judge};

use crate::clock::Synchronisation;
use crate::outcome::{
    BackendOutcome, Note, Outcome, Reason, ReferenceOutcome, SourceOutcome, SourceStanding, Stale, Standing,
    Status, TargetOutcome,
};
use crate::probe::failure::{Failure, Kind, Phase};
use crate::probe::sntp::Leap;
use crate::report::figures::{length, limit, offset, signed};

/// The verdict on the whole round, in one sentence without a full stop.
#[must_use]
pub fn summary(outcome: &Outcome) -> String {
    let Some(worst) = outcome.worst() else {
        return "nothing was checked".to_owned();
    };
    let sentence = target_summary(worst, &outcome.limits);
    let total = outcome.targets.len();
    match (total, worst.status) {
        (1, _) => sentence,
        (_, Status::Ok) => {
            let farthest = outcome.targets.iter().flat_map(|target| &target.backends);
            let farthest = farthest.max_by_key(|backend| backend.offset.midpoint().magnitude());
            let figure = farthest.map_or_else(String::new, |backend| offset(&backend.offset));
            format!(
                "all {total} addresses in sync, the farthest: {figure} (limit ± {})",
                limit(outcome.limits.max_offset)
            )
        }
        _ => {
            let as_bad = outcome.targets.iter().filter(|target| target.status == worst.status).count();
            format!("{as_bad} of {total} addresses: {}: {sentence}{}", place(worst), others(outcome, worst))
        }
    }
}

/// More addresses than that are only counted.
const MOST_OTHERS: usize = 3;

/// What else is not OK, for a reader of one line.
fn others(outcome: &Outcome, worst: &TargetOutcome) -> String {
    let bad = |target: &&TargetOutcome| target.status != Status::Ok && !std::ptr::eq(*target, worst);
    let others: Vec<String> = outcome
        .targets
        .iter()
        .filter(bad)
        .map(|target| {
            let sentence = target_summary(target, &outcome.limits);
            format!("; {} {}: {sentence}", target.status.name(), place(target))
        })
        .collect();
    let more = others.len().saturating_sub(MOST_OTHERS);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    format!("{}{more}", others[..others.len().min(MOST_OTHERS)].concat())
}

/// What a reader of one line must know beside the verdict; begins with a semicolon, if there is anything.
#[must_use]
pub fn caveats(outcome: &Outcome) -> String {
    let mut caveats = Vec::new();
    let says_so = outcome.targets.iter().any(|target| target.reason == Reason::Desynchronised);
    let was_judged = outcome.targets.iter().any(|target| !target.backends.is_empty());
    if outcome.reference.standing == Standing::OnlyUnvouched && was_judged && !says_so {
        caveats.push("; the reference, this machine's clock, is not synchronised".to_owned());
    }
    for source in &outcome.reference.sources {
        if let (Standing::Unreachable, Some(why)) = (outcome.reference.standing, &source.message) {
            caveats.push(format!("; {}: {why}", source.name));
        }
        if source.standing == SourceStanding::Falseticker {
            caveats.push(format!("; {} is a falseticker", source.name));
        }
        if source.facts.is_some_and(|facts| facts.leap != Leap::None) {
            caveats.push(format!("; {} announces a leap second", source.name));
        }
    }
    caveats.concat()
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
        return failure_summary(target, failure);
    }
    match target.stale {
        Some(Stale::Age { seconds }) => {
            return format!(
                "a cache answered instead of the service: its answer is {seconds} s old (header Age)"
            );
        }
        Some(Stale::Standstill { elapsed }) => {
            return format!(
                "the answers stand still: the same time again after {}; a cache answers, or the clock has stopped",
                length(elapsed)
            );
        }
        None => {}
    }
    let Some(worst) = worst_backend(target) else {
        return "the time was over before anything could be asked".to_owned();
    };
    let missing = target.notes.iter().find(|note| matches!(note, Note::BackendsMissing { .. }));
    if let Some(missing) = missing
        && matches!(target.reason, Reason::BackendsMissing | Reason::Undetermined)
        && matches!(worst.verdict, Verdict::InSync | Verdict::NotWithinWarning)
    {
        return note(missing);
    }
    let verdict = verdict_summary(target, worst, limits);
    // Who is woken by one line must see in it that the other clock may be the wrong one.
    let doubt =
        if target.notes.contains(&Note::ReferenceNotVouchedFor) && target.reason == Reason::Desynchronised {
            "; but this machine's own clock is not synchronised either".to_owned()
        } else {
            let few = target.notes.iter().find_map(|note| match note {
                Note::FewReferences { answered, asked } => Some((answered, asked)),
                _ => None,
            });
            few.map_or_else(String::new, |(answered, asked)| {
                format!("; but only {answered} of {asked} references answered")
            })
        };
    format!("{verdict}{doubt}")
}

fn failure_summary(target: &TargetOutcome, failure: &Failure) -> String {
    let whose = match (target.reason, failure.phase) {
        (Reason::CheckerFault, _) => "this machine cannot check",
        (Reason::Undetermined, _) => "cannot be decided, the service limits how often it may be asked",
        (_, Phase::Content) => "down, no time",
        _ => "down",
    };
    let good = target.backends.iter().map(|backend| backend.samples).sum::<usize>();
    let counted = match good {
        0 => String::new(),
        good => format!(" ({good} of {} requests were answered well)", target.requests),
    };
    let after = length(failure.elapsed);
    format!("{whose}: {}, in phase {} after {after}{counted}", failure.message, failure.phase.name())
}

fn verdict_summary(target: &TargetOutcome, worst: &BackendOutcome, limits: &Limits) -> String {
    let allowed = limit(limits.max_offset);
    let figure = offset(&worst.offset);
    let whose = which(target, worst);
    match (target.status, target.reason) {
        (_, Reason::ReferencesDisagree) => {
            "the references contradict each other, so that no clock can be judged".to_owned()
        }
        (_, Reason::CheckerFault) => {
            let fault = target.notes.iter().rev().find(|note| is_checkers_fault(note)).map(note);
            match fault {
                Some(fault) => format!("this machine cannot judge the clock: {fault}"),
                None => format!("this machine cannot judge the clock: offset {figure}, limit ± {allowed}"),
            }
        }
        (Status::Ok, _) => match target.backends.len() {
            1 => format!("in sync: {figure} (limit ± {allowed})"),
            several => format!("all {several} backends in sync, the farthest: {figure} (limit ± {allowed})"),
        },
        (Status::Warning, _) => {
            let warn = limits.warn_offset.unwrap_or_default();
            let how = if worst.offset.intersection(&within(warn)).is_none() {
                "but beyond"
            } else {
                "but not proven to be within"
            };
            format!("{whose}within ± {allowed}, {how} ± {}: {figure}", limit(warn))
        }
        (Status::Critical, _) => {
            let direction = if worst.offset.midpoint().as_nanos() < 0 { "behind" } else { "ahead" };
            let by = length(worst.offset.midpoint().magnitude());
            let zone = target.notes.iter().find_map(|note| match note {
                Note::ResemblesTimeZone { zone } => {
                    Some(format!(", which looks like a time zone of {}", signed(*zone)))
                }
                _ => None,
            });
            format!(
                "{whose}clock is {by} {direction}: {figure} (limit ± {allowed}){}",
                zone.unwrap_or_default()
            )
        }
        (Status::Unknown, _) if worst.offset.is_within(&within(limits.max_offset)) => {
            let why = match worst.instance {
                None => "they name no instance, and too few of them prove that by themselves",
                Some(_) => "they contradict each other",
            };
            format!(
                "{whose}cannot be decided: together the answers put the offset between {} and {}, within ± {allowed}, \
                 but {why}",
                signed(worst.offset.earliest()),
                signed(worst.offset.latest())
            )
        }
        (Status::Unknown, _) => format!(
            "{whose}cannot be decided: the offset lies between {} and {}, the limit is ± {allowed}",
            signed(worst.offset.earliest()),
            signed(worst.offset.latest())
        ),
    }
}

fn is_checkers_fault(note: &Note) -> bool {
    matches!(
        note,
        Note::Suspended
            | Note::NoReference
            | Note::ReferenceNotVouchedFor
            | Note::TooFewReferences
            | Note::LocalClockWrong { .. }
            | Note::WallClockStepped { .. }
            | Note::ReferenceTooWide { .. }
    )
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
            "this machine's own clock is not synchronised (NTP), by its kernel: offsets are from that clock as it is"
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
                "the error is {}, which looks like a time zone: an answer in local time that is read as UTC, or a clock \
                 that was set to local time",
                signed(*zone)
            )
        }
        Note::OneClockIsBelieved => "the answers are vaguer than the limit and name no instance: that they all come from one \
                                     clock is taken for granted"
            .to_owned(),
        Note::BackendsUncounted => "the answers name no instance: backends whose clocks agree look like one, so a rarer one \
                                    that is wrong may have been missed"
            .to_owned(),
        Note::FewReferences { answered, asked } => {
            format!("only {answered} of {asked} references could be used, so no majority of them stands behind this")
        }
        Note::SeveralNamelessClocks => {
            "the answers contradict each other, so several clocks answer here; they do \
                                        not name themselves, and are told apart by their times only"
                .to_owned()
        }
        Note::ClockWasStepped { instance } => {
            format!("the answers of {instance} contradict each other: its clock was stepped in between, or runs too fast or too slow")
        }
        Note::BackendsMayBeMissing => {
            "the round ended before every backend was likely seen: more may stand behind this address"
                .to_owned()
        }
        Note::ServerSaysUnsynchronised => {
            "the server says that its own clock is not synchronised (NTP)".to_owned()
        }
        Note::KeptConnectionsLost { count } => {
            format!("the server closed {count} kept connection(s) before a request over them was answered")
        }
        Note::AddressSkipped { address, why } => format!("{address} was left out: {why}"),
        Note::AddressesUnknown { why } => format!("there may be more addresses than were checked: {why}"),
        Note::RedirectedFrom { url } => format!("reached by a redirect from {url}"),
        Note::WallClockStepped { step } => {
            format!("this machine's clock was stepped by {} during the round", signed(*step))
        }
        Note::Suspended => {
            "this machine was suspended during the round, and nothing that was measured before counts after".to_owned()
        }
        Note::BackendsMissing { met, expected, are_nameless: true } => format!(
            "{expected} backends or more are expected, but of those that answer only {met} named themselves by an \
             `instance`, so that they cannot be counted"
        ),
        Note::BackendsMissing { met, expected, are_nameless: false } => {
            format!("{met} of the {expected} backends that are expected were met")
        }
        Note::ReferencesDisagree => {
            "the references contradict each other and no majority agrees: nobody knows what time it is".to_owned()
        }
        Note::NoReference => "no time server gave a time that can be used, so there is nothing to compare with".to_owned(),
        Note::TooFewReferences => {
            "--strict: no more than half of the references could be used, and that is not enough".to_owned()
        }
        Note::LocalClockWrong { offset: local } => format!(
            "this machine's clock, which was given as a reference, is wrong by the others: {}",
            offset(local)
        ),
        Note::CertificateEndsSoon { left } if left.as_nanos() > 0 => {
            format!("the certificate ends in {}: see whether it is being renewed", length(left.magnitude()))
        }
        Note::CertificateEndsSoon { left } => {
            format!("the certificate ended {} ago by the reference's time", length(left.magnitude()))
        }
        Note::ReferenceTooWide { max_error, .. } => {
            format!(
                "the reference is only known to ± {} itself, so no answer could prove more",
                length(*max_error)
            )
        }
    }
}

/// What the clocks were compared with, and what that is worth.
#[must_use]
pub fn reference(reference: &ReferenceOutcome) -> String {
    let named = |wanted: SourceStanding| {
        let names = reference.sources.iter().filter(|source| source.standing == wanted);
        names.map(|source| source.name.as_str()).collect::<Vec<_>>().join(", ")
    };
    let count = |wanted| reference.sources.iter().filter(|source| source.standing == wanted).count();
    let asked = reference.sources.len();
    match reference.standing {
        _ if asked <= 1 && reference.sources.iter().all(is_system) => system(&reference.system),
        Standing::Agreed => format!(
            "{}, {} ± {}",
            named(SourceStanding::Truechimer),
            match (count(SourceStanding::Truechimer), count(SourceStanding::Falseticker)) {
                (1, 0) => "which claims to be right to".to_owned(),
                (all, 0) => format!("all {all} agree to"),
                (most, few) => format!("{most} of {} agree to", most + few),
            },
            length(reference.max_error.unwrap_or_default())
        ),
        Standing::Disagreement => {
            format!("none; these contradict each other: {}", named(SourceStanding::Undecided))
        }
        Standing::OnlyUnvouched => system(&reference.system),
        Standing::Unreachable => "none; no time server could be used".to_owned(),
    }
}

fn is_system(source: &SourceOutcome) -> bool {
    source.name == "system"
}

/// What a reader should know of the references beside that, as sentences without a full stop.
#[must_use]
pub fn reference_notes(reference: &ReferenceOutcome, limits: &Limits) -> Vec<String> {
    let mut notes = Vec::new();
    for source in &reference.sources {
        let from = source.offset.as_ref().map(offset).unwrap_or_default();
        match (source.standing, &source.message) {
            (SourceStanding::Falseticker, _) => {
                notes.push(format!("{} is wrong by the others (a falseticker): {from}", source.name));
            }
            (SourceStanding::Undecided, _) => {
                notes.push(format!("{} from this machine's clock: {from}", source.name));
            }
            (SourceStanding::Silent | SourceStanding::Unusable | SourceStanding::Duplicate, Some(why)) => {
                notes.push(format!("{} was not used: {why}", source.name));
            }
            (SourceStanding::NotVouchedFor, _) if reference.sources.len() > 1 => notes.push(format!(
                "this machine's clock has no vote: {}",
                match reference.system {
                    Synchronisation::Unknown => "its kernel cannot be asked whether it is synchronised",
                    _ => "it is not synchronised, by its kernel",
                }
            )),
            _ => {}
        }
        match source.facts.as_ref().map(|facts| facts.leap) {
            Some(Leap::InsertSecond) => {
                notes.push(format!("{} announces a leap second at the end of the month", source.name));
            }
            Some(Leap::DeleteSecond) => {
                notes.push(format!("{} announces that the month ends a second early", source.name));
            }
            Some(Leap::None) | None => {}
        }
    }
    notes.extend(smear_note(reference));
    let is_beyond = |local: &Interval<Offset>| judge(local, limits) == Verdict::Desynchronised;
    let is_listed = reference.sources.iter().any(is_system);
    if let Some(local) = reference.local_offset.filter(is_beyond)
        && !is_listed
    {
        notes.push(format!(
            "this machine's own clock is wrong: {} from the reference; no verdict rests on it",
            offset(&local)
        ));
    }
    notes
}

/// Who smears a leap second and who does not are up to a second apart around it.
fn smear_note(reference: &ReferenceOutcome) -> Option<String> {
    let has_facts = |smears: bool| {
        let like_that =
            move |source: &&SourceOutcome| source.facts.is_some_and(|facts| facts.smears == smears);
        reference.sources.iter().find(like_that).map(|source| source.name.as_str())
    };
    let (smearing, other) = (has_facts(true)?, has_facts(false)?);
    Some(format!(
        "{smearing} smears leap seconds and {other} is not known to: around one they differ by up to a second"
    ))
}

/// What this machine's clock is worth as the reference.
fn system(synchronisation: &Synchronisation) -> String {
    match synchronisation {
        Synchronisation::Synchronized { max_error } => {
            format!("this machine's clock, synchronised to ± {} by its kernel", length(*max_error))
        }
        Synchronisation::Unsynchronized => {
            "this machine's clock, which is not synchronised (NTP), by its kernel".to_owned()
        }
        Synchronisation::Unknown => {
            "this machine's clock; its kernel cannot be asked whether it is synchronised (NTP)".to_owned()
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
        Kind::NoRoute | Kind::Local => "the fault is on this machine: look at its network",
    }
}
