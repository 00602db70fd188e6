//! The outcome in sentences that somebody understands at three in the morning.

use clock_offset::verdict::within;
use clock_offset::{Limits, Verdict};
use http::StatusCode;

use super::Words;
use super::notes::missing_backends;
use crate::outcome::{
    AnswerFault, BackendOutcome, Backends, Cause, CheckerFault, Doubt, Failure, FailureKind, Finding,
    Interrupted, Leap, Note, Outcome, Phase, SourceStanding, Stale, Standing, Status, TargetOutcome,
    Undetermined,
};
use crate::text::figures::{ends, length, length_beside, limit, offset, signed};

/// More addresses than that are only counted.
const MOST_OTHERS: usize = 3;

/// Ends a sentence on clocks that agree with this machine's.
const NOBODY_VOUCHES: &str = "but nothing vouches for that clock";

impl Words<'_> {
    /// The verdict on the whole round in one line without a full stop, with all that a reader must know beside it.
    #[must_use]
    pub fn summary(self, outcome: &Outcome) -> String {
        format!("{}{}", self.verdict(outcome), self.caveats(outcome))
    }

    fn verdict(self, outcome: &Outcome) -> String {
        let Some(worst) = outcome.worst() else {
            return "nothing was checked".to_owned();
        };
        let sentence = self.target_summary(worst, &outcome.limits);
        let total = outcome.targets.len();
        let are_unvouched =
            || outcome.targets.iter().all(|target| matches!(target.finding, Finding::Unvouched(_)));
        match (total, worst.status()) {
            (1, _) => sentence,
            (_, Status::Ok) => format!("all {total} addresses in sync, {}", farthest(outcome)),
            (_, Status::Warning) if are_unvouched() => format!(
                "all {total} addresses are up and agree with this machine's clock, {}, {NOBODY_VOUCHES}",
                farthest(outcome)
            ),
            _ => {
                let as_bad =
                    outcome.targets.iter().filter(|target| target.status() == worst.status()).count();
                let others = self.others(outcome, worst);
                format!("{as_bad} of {total} addresses: {}: {sentence}{others}", place(worst))
            }
        }
    }

    /// What a reader of one line must know beside the verdict; begins with a semicolon, if there is anything.
    fn caveats(self, outcome: &Outcome) -> String {
        let mut caveats = Vec::new();
        let reference = &outcome.reference;
        let says_so = outcome.targets.iter().any(|target| target.finding.is_unvouched());
        if reference.standing == Standing::OnlyUnvouched && outcome.has_measured() && !says_so {
            caveats.push("; nothing vouches for the reference, this machine's clock".to_owned());
        }
        for source in &reference.sources {
            if let (Standing::Unreachable, Some(why)) =
                (reference.standing, self.why_not_used(&source.standing))
            {
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

    /// What else is not OK, for a reader of one line.
    fn others(self, outcome: &Outcome, worst: &TargetOutcome) -> String {
        let bad = |target: &&TargetOutcome| target.status() != Status::Ok && !std::ptr::eq(*target, worst);
        let others: Vec<String> = outcome
            .targets
            .iter()
            .filter(bad)
            .map(|target| {
                let sentence = self.target_summary(target, &outcome.limits);
                format!("; {} {}: {sentence}", target.status().name(), place(target))
            })
            .collect();
        let more = others.len().saturating_sub(MOST_OTHERS);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        format!("{}{more}", others[..others.len().min(MOST_OTHERS)].concat())
    }

    /// The verdict on one address, in one sentence without a full stop.
    #[must_use]
    pub fn target_summary(self, target: &TargetOutcome, limits: &Limits) -> String {
        let sentence = self.finding(&target.finding, target, limits);
        let few = target.notes.iter().find_map(|note| match note {
            Note::FewReferences { answered, asked } => Some((answered, asked)),
            _ => None,
        });
        match few {
            Some((answered, asked)) if says_something_about_a_clock(&target.finding) => {
                format!("{sentence}; but only {answered} of {asked} references answered")
            }
            _ => sentence,
        }
    }

    fn finding(self, finding: &Finding, target: &TargetOutcome, limits: &Limits) -> String {
        let allowed = limit(limits.max_offset);
        match finding {
            Finding::InSync(backends) => in_sync(backends, &allowed),
            Finding::NotWithinWarning(backends) => not_within_warning(backends, limits),
            Finding::Unvouched(backends) => unvouched(backends, limits),
            Finding::Desynchronized(backends) => {
                desynchronized(backends, target, ["ahead", "behind"], limits)
            }
            // A reader of one line must see in it that the other clock may be the wrong one.
            Finding::ClocksDisagree(backends) => format!(
                "{}; either the server's clock or this machine's is wrong: nothing vouches for this machine's",
                desynchronized(
                    backends,
                    target,
                    ["ahead of this machine's", "behind this machine's"],
                    limits
                )
            ),
            Finding::Undetermined(Undetermined::NothingAsked) => {
                "the timeout passed before a request could be sent".to_owned()
            }
            Finding::Undetermined(Undetermined::Open(backends)) => open(backends, target, limits),
            Finding::Undetermined(Undetermined::Uncounted { missing, .. })
            | Finding::BackendsMissing { missing, .. } => missing_backends(missing),
            Finding::Undetermined(Undetermined::Limited(interrupted)) => {
                let says_so = |answer: &AnswerFault| answer.status == StatusCode::TOO_MANY_REQUESTS;
                let whose = match &interrupted.failure {
                    failure if failure.answer().is_some_and(says_so) => "asked too often, cannot be decided",
                    failure if matches!(failure.cause, Cause::TooLittleTime(_)) => {
                        "cannot be decided, the service is too slow for the timeout"
                    }
                    failure if failure.kind() == FailureKind::Local => {
                        "cannot be decided because of this machine"
                    }
                    _ => "cannot be decided, some requests failed and others were answered",
                };
                self.interrupted(whose, interrupted, target.requests)
            }
            Finding::Stale(stale) => old_answer(*stale),
            Finding::Down(interrupted) => {
                let whose =
                    if interrupted.failure.phase == Phase::Content { "down, no time" } else { "down" };
                self.interrupted(whose, interrupted, target.requests)
            }
            Finding::CheckerFault(CheckerFault::CannotAsk(interrupted)) => {
                let whose = match interrupted.failure.elsewhere() {
                    Some(_) => "the service answers, but the settings do not fit",
                    None => "this machine cannot check",
                };
                self.interrupted(whose, interrupted, target.requests)
            }
            Finding::CheckerFault(CheckerFault::Doubted { doubt, found }) => match (doubt, found.failure()) {
                (_, Some(failure)) => {
                    self.failed("this machine cannot check", failure, found.backends(), target.requests)
                }
                (Doubt::ReferencesDisagree, _) => {
                    "the references contradict each other, so no clock can be judged".to_owned()
                }
                _ => format!("this machine cannot judge the clock: {}", self.doubt(doubt)),
            },
        }
    }

    fn interrupted(self, whose: &str, interrupted: &Interrupted, requests: u32) -> String {
        self.failed(whose, &interrupted.failure, &interrupted.backends, requests)
    }

    fn failed(self, whose: &str, failure: &Failure, backends: &[BackendOutcome], requests: u32) -> String {
        let good = backends.iter().map(|backend| backend.samples).sum::<usize>();
        let counted = match good {
            0 => String::new(),
            good => format!(" ({good} of {requests} requests succeeded)"),
        };
        let after = length(failure.elapsed);
        let cause = self.cause(&failure.cause);
        format!("{whose}: {cause}, in phase {} after {after}{counted}", failure.phase.name())
    }
}

fn says_something_about_a_clock(finding: &Finding) -> bool {
    finding.failure().is_none() && finding.missing().is_none() && !finding.backends().is_empty()
}

/// Where a target is: its URL, and its address when that is more.
#[must_use]
pub fn place(target: &TargetOutcome) -> String {
    match target.address {
        Some(address) if !target.url.contains(&address.to_string()) => format!("{} at {address}", target.url),
        _ => target.url.clone(),
    }
}

fn old_answer(stale: Stale) -> String {
    match stale {
        Stale::Age { seconds } => {
            format!("a cache answered instead of the service: its answer is {seconds} s old (Age header)")
        }
        Stale::Standstill { elapsed } => format!(
            "the time stands still: the same time came again after {}; a cache answers, or the clock has stopped",
            length(elapsed)
        ),
    }
}

fn in_sync(backends: &Backends, allowed: &str) -> String {
    let figure = offset(&backends.worst().offset);
    match backends.as_slice().len() {
        1 => format!("in sync: {figure} (limit ± {allowed})"),
        several => format!("all {several} backends in sync, the farthest: {figure} (limit ± {allowed})"),
    }
}

/// The farthest of all clocks of a round.
fn farthest(outcome: &Outcome) -> String {
    let backends = outcome.targets.iter().flat_map(TargetOutcome::backends);
    let farthest = backends.max_by_key(|backend| backend.offset.midpoint().magnitude());
    let figure = farthest.map_or_else(String::new, |backend| offset(&backend.offset));
    format!("the farthest: {figure} (limit ± {})", limit(outcome.limits.max_offset))
}

fn unvouched(backends: &Backends, limits: &Limits) -> String {
    let worst = backends.worst();
    if worst.verdict == Verdict::NotWithinWarning {
        let sentence = not_within_warning(backends, limits);
        return format!("{sentence}; nothing vouches for this machine's clock, which it was compared with");
    }
    let figure = offset(&worst.offset);
    let allowed = limit(limits.max_offset);
    match backends.as_slice().len() {
        1 => {
            format!(
                "up, and agrees with this machine's clock: {figure} (limit ± {allowed}), {NOBODY_VOUCHES}"
            )
        }
        several => format!(
            "up, and all {several} backends agree with this machine's clock, the farthest: {figure} (limit ± \
             {allowed}), {NOBODY_VOUCHES}"
        ),
    }
}

fn not_within_warning(backends: &Backends, limits: &Limits) -> String {
    let worst = backends.worst();
    let warn = limits.warn_offset.unwrap_or_default();
    let how = if worst.offset.intersection(&within(warn)).is_none() {
        "but beyond"
    } else {
        "but not proven to be within"
    };
    format!(
        "{}within ± {}, {how} ± {}: {}",
        which(backends),
        limit(limits.max_offset),
        limit(warn),
        offset(&worst.offset)
    )
}

/// The directions are the words for a clock that is ahead, and for one that is behind.
fn desynchronized(
    backends: &Backends,
    target: &TargetOutcome,
    directions: [&str; 2],
    limits: &Limits,
) -> String {
    let allowed = limit(limits.max_offset);
    let worst = backends.worst();
    let direction = directions[usize::from(worst.offset.midpoint().as_nanos() < 0)];
    let by = length_beside(worst.offset.midpoint().magnitude(), limits.max_offset);
    let zone = target.notes.iter().find_map(|note| match note {
        Note::ResemblesTimeZone { zone } => {
            Some(format!(", which looks like a time zone of {}", signed(*zone)))
        }
        _ => None,
    });
    format!(
        "{}clock is {by} {direction}: {} (limit ± {allowed}){}",
        which(backends),
        offset(&worst.offset),
        zone.unwrap_or_default()
    )
}

fn open(backends: &Backends, target: &TargetOutcome, limits: &Limits) -> String {
    let worst = backends.worst();
    let allowed = limit(limits.max_offset);
    let whose = which(backends);
    let [earliest, latest] = ends(&worst.offset, Some(limits.max_offset));
    if !worst.offset.is_within(&within(limits.max_offset)) {
        return format!(
            "{whose}cannot be decided: the offset lies between {earliest} and {latest}, the limit is ± \
             {allowed}"
        );
    }
    let why = match worst.instance {
        _ if target.notes.iter().any(|note| matches!(note, Note::BackendsMayBeMissing { .. })) => {
            "the timeout was too short for enough connections"
        }
        None => "they name no instance, and too few of them prove that by themselves",
        Some(_) => "they contradict each other",
    };
    format!(
        "{whose}cannot be decided: together the answers put the offset between {earliest} and {latest}, \
         within ± {allowed}, but {why}"
    )
}

/// Which backend is meant, when there are several: “1 of 4 backends, 3f9c2a7d: ”.
fn which(backends: &Backends) -> String {
    let (all, worst) = (backends.as_slice(), backends.worst());
    if all.len() == 1 {
        return String::new();
    }
    let as_bad = all.iter().filter(|backend| backend.verdict == worst.verdict).count();
    let name = worst.instance.as_deref().map_or_else(String::new, |name| format!(", {name}"));
    format!("{as_bad} of {} backends{name}: ", all.len())
}
