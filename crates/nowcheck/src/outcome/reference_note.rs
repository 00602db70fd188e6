//! What a reader should know of the references.

use clock_offset::{Interval, Limits, Offset, Verdict};

use super::{Leap, ReferenceOutcome, SourceOutcome, SourceStanding, Standing};
use crate::clock::Synchronization;

/// What a reader should know of the references.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ReferenceNote<'a> {
    /// It disagrees with the others.
    Falseticker(&'a SourceOutcome),
    /// Nothing was agreed.
    Undecided(&'a SourceOutcome),
    /// It made no claim that counts.
    NotUsed(&'a SourceOutcome),
    /// This machine's clock makes no claim, because of what the kernel says of it.
    NotVouchedFor(Synchronization),
    /// This machine's clock is among those that agree, only because the user trusts it.
    SystemClockTrusted(Synchronization),
    /// It announces a leap second.
    LeapSecondAnnounced(&'a SourceOutcome),
    /// One spreads leap seconds over hours and the other is not known to: around one they differ by up to a second.
    SmearsDiffer {
        /// The one that does.
        smearing: &'a SourceOutcome,
        /// The other.
        other: &'a SourceOutcome,
    },
    /// This machine's clock is beyond the limit. It is no reference, so no verdict rests on it.
    LocalClockWrong(Interval<Offset>),
}

impl ReferenceNote<'_> {
    /// As the contract calls it.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Falseticker(_) => "falseticker",
            Self::Undecided(_) => "reference_undecided",
            Self::NotUsed(_) => "reference_not_used",
            Self::NotVouchedFor(_) => "reference_not_vouched_for",
            Self::SystemClockTrusted(_) => "system_clock_trusted",
            Self::LeapSecondAnnounced(_) => "leap_second_announced",
            Self::SmearsDiffer { .. } => "smears_differ",
            Self::LocalClockWrong(_) => "local_clock_wrong",
        }
    }
}

impl ReferenceOutcome {
    /// What a reader should know of the references.
    #[must_use]
    pub fn notes(&self, limits: &Limits) -> Vec<ReferenceNote<'_>> {
        let mut notes = Vec::new();
        for source in &self.sources {
            match &source.standing {
                SourceStanding::Falseticker => notes.push(ReferenceNote::Falseticker(source)),
                SourceStanding::Undecided => notes.push(ReferenceNote::Undecided(source)),
                SourceStanding::NotVouchedFor if self.sources.len() > 1 => {
                    notes.push(ReferenceNote::NotVouchedFor(self.system));
                }
                SourceStanding::Trusted if self.standing == Standing::Agreed => {
                    notes.push(ReferenceNote::SystemClockTrusted(self.system));
                }
                SourceStanding::Silent | SourceStanding::Unusable(_) | SourceStanding::Duplicate { .. } => {
                    notes.push(ReferenceNote::NotUsed(source));
                }
                SourceStanding::Truechimer | SourceStanding::Trusted | SourceStanding::NotVouchedFor => {}
            }
            if source.facts.is_some_and(|facts| facts.leap != Leap::None) {
                notes.push(ReferenceNote::LeapSecondAnnounced(source));
            }
        }
        let with_facts = |smears: bool| {
            let like_that =
                move |source: &&SourceOutcome| source.facts.is_some_and(|facts| facts.smears == smears);
            self.sources.iter().find(like_that)
        };
        if let (Some(smearing), Some(other)) = (with_facts(true), with_facts(false)) {
            notes.push(ReferenceNote::SmearsDiffer { smearing, other });
        }
        let is_beyond = |local: &Interval<Offset>| limits.verdict(local) == Verdict::Desynchronized;
        if let Some(offset) = self.local_offset.filter(is_beyond)
            && !self.lists_system()
        {
            notes.push(ReferenceNote::LocalClockWrong(offset));
        }
        notes
    }
}
