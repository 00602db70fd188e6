//! What the clocks were compared with, in words.

use super::{Setting, Words};
use crate::clock::Synchronization;
use crate::outcome::{
    Cause, Leap, NtpError, ReferenceNote, ReferenceOutcome, Restraint, SourceOutcome, SourceStanding,
    Standing, Unusable, kiss_code_advice,
};
use crate::text::figures::{length, limit, offset};

impl Words<'_> {
    /// What the clocks were compared with, and what that is worth.
    #[must_use]
    pub fn reference(self, reference: &ReferenceOutcome) -> String {
        let named = |wanted: fn(&SourceStanding) -> bool| {
            let names = reference.sources.iter().filter(|source| wanted(&source.standing));
            names.map(|source| source.name.as_str()).collect::<Vec<_>>()
        };
        let agreeing = named(SourceStanding::agrees);
        match reference.standing {
            Standing::Trusted => self.trusted_system(reference.system),
            _ if !reference.asks_servers() => system(reference.system),
            Standing::Agreed => format!(
                "{}, {} ± {}",
                agreeing.join(", "),
                match (agreeing.len(), named(|standing| *standing == SourceStanding::Falseticker).len()) {
                    (1, 0) => "which claims to be right to".to_owned(),
                    (all, 0) => format!("all {all} agree to"),
                    (most, few) => format!("{most} of {} agree to", most + few),
                },
                length(reference.max_error.unwrap_or_default())
            ),
            Standing::Disagreement => {
                let undecided = named(|standing| *standing == SourceStanding::Undecided);
                format!("none; these contradict each other: {}", undecided.join(", "))
            }
            Standing::OnlyUnvouched => system(reference.system),
            Standing::Unreachable => "none; no time server could be used".to_owned(),
        }
    }

    /// A note on the references as a sentence without a full stop.
    #[must_use]
    pub fn reference_note(self, note: &ReferenceNote<'_>) -> String {
        let from = |source: &SourceOutcome| source.offset.as_ref().map(offset).unwrap_or_default();
        match note {
            ReferenceNote::Falseticker(source) => {
                format!(
                    "{} disagrees with the other references (a falseticker): {}",
                    source.name,
                    from(source)
                )
            }
            ReferenceNote::Undecided(source) => {
                format!("{} from this machine's clock: {}", source.name, from(source))
            }
            ReferenceNote::NotUsed(source) => {
                format!(
                    "{} was not used: {}{}",
                    source.name,
                    self.why_not_used(&source.standing).unwrap_or_default(),
                    self.name_advice(&source.standing)
                )
            }
            ReferenceNote::NotVouchedFor(system) => {
                format!("this machine's clock has no vote: {}", word_of_the_kernel(*system))
            }
            ReferenceNote::SystemClockTrusted(system) => format!(
                "this machine's clock has a vote because of {}: {}",
                self.name(Setting::TrustSystemClock),
                word_of_the_kernel(*system)
            ),
            ReferenceNote::LeapSecondAnnounced(source) => match source.facts.map(|facts| facts.leap) {
                Some(Leap::DeleteSecond) => {
                    format!("{} announces that the month ends a second early", source.name)
                }
                _ => format!("{} announces a leap second at the end of the month", source.name),
            },
            ReferenceNote::SmearsDiffer { smearing, other } => format!(
                "{} smears leap seconds and {} is not known to: near a leap second, they differ by up to a second",
                smearing.name, other.name
            ),
            ReferenceNote::LocalClockWrong(local) => format!(
                "this machine's own clock is wrong: {} from the reference; no verdict depends on it",
                offset(local)
            ),
        }
    }

    /// Why a source made no claim that counts, to stand behind its name; nothing when it did.
    #[must_use]
    pub fn why_not_used(self, standing: &SourceStanding) -> Option<String> {
        match standing {
            SourceStanding::Truechimer
            | SourceStanding::Trusted
            | SourceStanding::Falseticker
            | SourceStanding::Undecided
            | SourceStanding::NotVouchedFor => None,
            SourceStanding::Silent => Some(NtpError::Silent.to_string()),
            SourceStanding::Duplicate { of } => {
                Some(format!("it is the same server as {of}, and one server has one vote"))
            }
            SourceStanding::Unusable(why) => Some(match why {
                Unusable::Unresolved(failure) => self.cause(&failure.cause),
                Unusable::Ntp(error) => error.to_string(),
                Unusable::Refused(restraint) => self.after_refusal(restraint),
            }),
        }
    }

    /// What to do when the name of a source is the matter; begins with a colon.
    fn name_advice(self, standing: &SourceStanding) -> String {
        let SourceStanding::Unusable(Unusable::Unresolved(failure)) = standing else { return String::new() };
        let Cause::Name { name, fault } = &failure.cause else { return String::new() };
        self.after_name_fault(name, fault).map(|advice| format!(": {advice}")).unwrap_or_default()
    }

    /// This machine's clock as the reference that the user vouches for.
    fn trusted_system(self, synchronization: Synchronization) -> String {
        format!(
            "this machine's clock, trusted because of {}; {}",
            self.name(Setting::TrustSystemClock),
            word_of_the_kernel(synchronization)
        )
    }

    fn after_refusal(self, restraint: &Restraint) -> String {
        match restraint {
            Restraint::NeverAgain { code } => format!(
                "the server refused the request (kiss code {code}) and is not asked again: {}",
                kiss_code_advice(code)
            ),
            Restraint::LessOften { pause } => format!(
                "the server was asked too often (kiss code RATE) and is now asked only every {}: name another \
                 one, or set a longer {}",
                limit(*pause),
                self.name(Setting::Every)
            ),
        }
    }
}

/// What this machine's clock is worth as the reference.
fn system(synchronization: Synchronization) -> String {
    match synchronization {
        Synchronization::Synchronized { max_error } => {
            format!("this machine's clock, synchronized to ± {} by its kernel", length(max_error))
        }
        Synchronization::Unsynchronized | Synchronization::Unknown => {
            format!("this machine's clock; {}", word_of_the_kernel(synchronization))
        }
    }
}

/// Why the kernel does not vouch for this machine's clock.
fn word_of_the_kernel(synchronization: Synchronization) -> &'static str {
    match synchronization {
        Synchronization::Unknown => "its kernel cannot be asked whether it is synchronized (NTP)",
        Synchronization::Unsynchronized | Synchronization::Synchronized { .. } => {
            "its kernel reports no synchronization (NTP)"
        }
    }
}
