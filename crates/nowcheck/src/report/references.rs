//! What the clocks were compared with, in words.

use clock_offset::{Interval, Limits, Offset, Verdict};

use crate::clock::Synchronisation;
use crate::outcome::{ReferenceOutcome, SourceOutcome, SourceStanding, Standing};
use crate::probe::sntp::Leap;
use crate::report::figures::{length, offset};

/// What the clocks were compared with, and what that is worth.
#[must_use]
pub fn line(reference: &ReferenceOutcome) -> String {
    let named = |wanted: SourceStanding| {
        let names = reference.sources.iter().filter(|source| source.standing == wanted);
        names.map(|source| source.name.as_str()).collect::<Vec<_>>().join(", ")
    };
    let count = |wanted| reference.sources.iter().filter(|source| source.standing == wanted).count();
    match reference.standing {
        _ if !reference.asks_servers() => system(&reference.system),
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

/// What a reader should know of the references beside that, as sentences without a full stop.
#[must_use]
pub fn notes(reference: &ReferenceOutcome, limits: &Limits) -> Vec<String> {
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
    let is_beyond = |local: &Interval<Offset>| limits.verdict(local) == Verdict::Desynchronized;
    if let Some(local) = reference.local_offset.filter(is_beyond)
        && !reference.lists_system()
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
