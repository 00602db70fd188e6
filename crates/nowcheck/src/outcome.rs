//! What a round found, without a format: reports turn it into sentences and bytes.

mod backend;
mod certificate;
mod failure;
mod finding;
mod not_a_time;
mod note;
mod phases;
mod reference;
mod reference_note;
mod secrecy;
mod status;

use std::net::SocketAddr;
use std::time::Duration;

use clock_offset::{Limits, UnixInstant};
use http::StatusCode;

pub use backend::{BackendOutcome, Backends, Spread, StatedClock};
pub use certificate::{
    Believed, CertificateClock, CertificateFault, CertificateOutcome, ClockSuspect, ValidityBreach,
};
pub(crate) use failure::is_literal;
pub use failure::{
    AnswerFault, AnswerProblem, Cause, ConnectionFault, ExchangeFault, Failure, FailureKind, NameFault,
    Phase, TlsFault,
};
pub use finding::{CheckerFault, Doubt, Finding, Interrupted, MissingBackends, Stale, Undetermined};
pub use not_a_time::{Elsewhere, NotATime, TimePlace, Writing, Zoning};
pub use note::Note;
pub use phases::Phases;
pub use reference::{
    Leap, NtpError, ReferenceOutcome, Restraint, SYSTEM, SourceFacts, SourceOutcome, SourceStanding,
    Standing, Unusable, kiss_code_advice,
};
pub use reference_note::ReferenceNote;
pub(crate) use secrecy::Secrecy;
pub use status::{Reason, Status};

/// A round over all targets.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// When it started, by this machine's wall clock.
    pub checked_at: UnixInstant,
    /// How long it took.
    pub duration: Duration,
    /// What was judged.
    pub limits: Limits,
    /// What the clocks were compared with.
    pub reference: ReferenceOutcome,
    /// One for each address of each URL.
    pub targets: Vec<TargetOutcome>,
}

impl Outcome {
    /// The target that decides the status: the first of the worst.
    #[must_use]
    pub fn worst(&self) -> Option<&TargetOutcome> {
        self.targets
            .iter()
            .reduce(|worst, target| if target.status() > worst.status() { target } else { worst })
    }

    /// The status of the worst target.
    #[must_use]
    pub fn status(&self) -> Status {
        self.worst().map_or(Status::Unknown, TargetOutcome::status)
    }

    /// The reason of the worst target.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.worst().map_or(Reason::CheckerFault, TargetOutcome::reason)
    }

    /// The status and reason of one backend of a target. Where nothing vouches for the reference, no backend is OK.
    #[must_use]
    pub fn of_backend(&self, target: &TargetOutcome, backend: &BackendOutcome) -> (Status, Reason) {
        match target.finding.of_backend(backend) {
            (Status::Ok | Status::Warning, _) if self.reference.standing == Standing::OnlyUnvouched => {
                (Status::Warning, Reason::ReferenceNotVouchedFor)
            }
            other => other,
        }
    }

    /// Takes the names from the clocks behind each address that has answered under more than `most` of them. Nobody runs so
    /// many: such a service names something else, such as the request. The clocks of an address with one verdict become one
    /// then, whose bounds hold those of all of them. Whether an address was such a one.
    pub fn forget_names_beyond(&mut self, most: usize) -> bool {
        let mut has_forgotten = false;
        for target in &mut self.targets {
            let names = target.backends().iter().filter(|backend| backend.instance.is_some());
            if names.count() > most {
                target.finding.forget_names();
                has_forgotten = true;
            }
        }
        has_forgotten
    }

    /// Whether a clock was compared with the reference.
    #[must_use]
    pub fn has_measured(&self) -> bool {
        self.targets.iter().any(|target| !target.backends().is_empty())
    }
}

/// Answers that were not used, because the measurement itself was disturbed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Discarded {
    /// This machine was suspended meanwhile.
    pub suspended: u32,
    /// This machine's clock, which is the reference, was stepped meanwhile.
    pub clock_step: u32,
    /// This machine was too busy to let the program run.
    pub scheduling: u32,
}

/// One address of one URL.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetOutcome {
    /// The URL.
    pub url: String,
    /// The address; none when the name did not resolve.
    pub address: Option<SocketAddr>,
    /// What was found.
    pub finding: Finding,
    /// How long each phase of the first request took.
    pub phases: Phases,
    /// The HTTP status of the first answer; none when none came.
    pub http_status: Option<StatusCode>,
    /// What the server proved its name with.
    pub certificate: Option<CertificateOutcome>,
    /// Connections that were opened.
    pub connections: u32,
    /// Requests that were begun.
    pub requests: u32,
    /// Answers that were not used.
    pub discarded: Discarded,
    /// Bound on the chance that another backend was missed; none when nothing answered.
    pub miss_probability: Option<f64>,
    /// What a reader should know besides the finding; [`all_notes`](Self::all_notes) has that of the finding too.
    pub notes: Vec<Note>,
}

impl TargetOutcome {
    /// A finding before anything was measured: nothing is opened, asked or noted.
    #[must_use]
    pub fn new(url: impl Into<String>, address: Option<SocketAddr>, finding: Finding) -> Self {
        Self {
            url: url.into(),
            address,
            finding,
            phases: Phases::default(),
            http_status: None,
            certificate: None,
            connections: 0,
            requests: 0,
            discarded: Discarded::default(),
            miss_probability: None,
            notes: Vec::new(),
        }
    }

    /// The status of the finding.
    #[must_use]
    pub fn status(&self) -> Status {
        self.finding.status()
    }

    /// The reason of the finding.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.finding.reason()
    }

    /// The clocks behind the address, as far as they answered.
    #[must_use]
    pub fn backends(&self) -> &[BackendOutcome] {
        self.finding.backends()
    }

    /// All that a reader should know beside the verdict: on the answers, on the backends, and last on the reference and
    /// this machine.
    pub fn all_notes(&self) -> impl Iterator<Item = Note> {
        let (on_the_reference, others): (Vec<Note>, Vec<Note>) =
            self.notes.iter().cloned().partition(Note::is_on_the_reference);
        let missing = self.finding.missing().copied().map(Note::BackendsMissing);
        let unvouched = self.finding.is_unvouched().then_some(Doubt::ReferenceNotVouchedFor);
        let doubt = self.finding.doubt().copied().or(unvouched).map(Note::Doubt);
        others.into_iter().chain(missing).chain(on_the_reference).chain(doubt)
    }
}
