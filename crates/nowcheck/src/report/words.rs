//! The outcome in sentences that somebody understands at three in the morning.

use clock_offset::verdict::within;
use clock_offset::{Limits, Verdict};

use crate::outcome::{
    BackendOutcome, Note, Outcome, Reason, SourceStanding, Stale, Standing, Status, TargetOutcome,
};
use crate::probe::failure::{Failure, Phase};
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
    target.backends.iter().max_by_key(|backend| (backend.verdict, backend.offset.midpoint().magnitude()))
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
pub fn note(one: &Note) -> String {
    match one {
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
        Note::OnTheWay { url, note: on_it } => format!("on the way, at {url}: {}", note(on_it)),
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
