//! A reference that is not good enough takes verdicts back.

use clock_offset::{Interval, Offset, Verdict};

use crate::check::Check;
use crate::outcome::{
    Doubt, Finding, Note, ReferenceOutcome, SourceStanding, Standing, Status, TargetOutcome, Undetermined,
};
use crate::reference::RoundReference;

/// Puts a finding in doubt.
pub(super) fn put_in_doubt(target: &mut TargetOutcome, doubt: Doubt) {
    replace_finding(target, |found| found.doubted(doubt));
}

fn replace_finding(target: &mut TargetOutcome, with: impl FnOnce(Finding) -> Finding) {
    let found = std::mem::replace(&mut target.finding, Finding::Undetermined(Undetermined::NothingAsked));
    target.finding = with(found);
}

/// What was compared with a reference is worth no more than that reference.
pub(super) fn doubt_the_reference(targets: &mut [TargetOutcome], against: &RoundReference, check: &Check) {
    let reference = &against.outcome;
    let reservations = Reservations::about(reference, check);
    for target in targets {
        // A certificate was judged by this machine's clock after all, and that is the one that is not trusted.
        let is_out_of_time =
            target.finding.failure().is_some_and(|failure| failure.cause.is_certificate_out_of_time());
        if is_out_of_time && reference.asks_servers() && !reference.standing.is_good() {
            put_in_doubt(target, Doubt::NoReference);
        } else if !target.backends().is_empty() {
            reservations.apply_to(target);
        }
    }
}

/// What is wrong with a reference.
struct Reservations {
    /// It may not be judged by.
    void: Option<Doubt>,
    /// It is this machine's clock, and nothing vouches for that one.
    is_unvouched: bool,
    /// Few of those that were asked stand behind it, and a reader should know.
    few: Option<Note>,
    /// This machine's clock is one of the references, and wrong by the others.
    local: Option<Interval<Offset>>,
    /// It is too vague to prove anything.
    wide: Option<Doubt>,
}

impl Reservations {
    fn about(reference: &ReferenceOutcome, check: &Check) -> Self {
        let answered = reference.sources.iter().filter(|source| has_claim(&source.standing)).count();
        let asked = reference.sources.len();
        let are_few = answered * 2 <= asked;
        let void = match reference.standing {
            Standing::Disagreement => Some(Doubt::ReferencesDisagree),
            Standing::Unreachable => Some(Doubt::NoReference),
            Standing::OnlyUnvouched if check.strict => Some(Doubt::ReferenceNotVouchedFor),
            Standing::OnlyUnvouched | Standing::Trusted | Standing::Agreed => {
                (are_few && check.strict).then_some(Doubt::TooFewReferences)
            }
        };
        let is_few = are_few && asked > 1 && void.is_none();
        let is_beyond = |offset: &Interval<Offset>| check.limits.verdict(offset) == Verdict::Desynchronized;
        let is_wrong = |offset: &Interval<Offset>| {
            reference.lists_system() && is_beyond(offset) || system_is_a_falseticker(reference)
        };
        let wide = reference.max_error.filter(|max_error| *max_error > check.limits.max_offset);
        Self {
            void,
            is_unvouched: reference.standing == Standing::OnlyUnvouched && void.is_none(),
            few: is_few.then_some(Note::FewReferences { answered, asked }),
            local: reference.local_offset.filter(is_wrong),
            wide: wide.map(|max_error| Doubt::ReferenceTooWide {
                max_error,
                is_of_servers: reference.asks_servers(),
            }),
        }
    }

    fn apply_to(&self, target: &mut TargetOutcome) {
        target.notes.extend(self.few.clone());
        if self.is_unvouched {
            replace_finding(target, Finding::unvouched);
            // A finding of another kind does not say so itself.
            if !target.finding.is_unvouched() {
                target.notes.push(Note::Doubt(Doubt::ReferenceNotVouchedFor));
            }
        }
        if let Some(doubt) = self.void {
            if target.finding.rests_on_the_reference() {
                // An offset from a clock that is no reference resembles nothing.
                target.notes.retain(|note| !matches!(note, Note::ResemblesTimeZone { .. }));
                put_in_doubt(target, doubt);
            } else {
                target.notes.push(Note::Doubt(doubt));
            }
        } else if let Some(offset) = self.local {
            let doubt = Doubt::LocalClockWrong { offset };
            // The others tell the time, so that a fault of the target is proven all the same.
            if target.status() < Status::Unknown {
                put_in_doubt(target, doubt);
            } else {
                target.notes.push(Note::Doubt(doubt));
            }
        }
        if let Some(doubt) = self.wide
            && matches!(target.finding, Finding::Undetermined(_))
        {
            put_in_doubt(target, doubt);
        }
    }
}

fn has_claim(standing: &SourceStanding) -> bool {
    use SourceStanding::{
        Duplicate, Falseticker, NotVouchedFor, Silent, Truechimer, Trusted, Undecided, Unusable,
    };
    match standing {
        Truechimer | Trusted | Falseticker | Undecided => true,
        Silent | Unusable(_) | NotVouchedFor | Duplicate { .. } => false,
    }
}

fn system_is_a_falseticker(reference: &ReferenceOutcome) -> bool {
    reference
        .sources
        .iter()
        .any(|source| source.is_system() && source.standing == SourceStanding::Falseticker)
}

#[cfg(test)]
mod tests;
