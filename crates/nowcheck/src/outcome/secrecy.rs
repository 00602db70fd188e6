//! Secrets of the user, taken out of all that the other side wrote. Nothing here has a wildcard: a new text of the other
//! side does not compile before it is decided on.

use std::sync::Arc;

use super::{
    AnswerFault, AnswerProblem, BackendOutcome, Cause, CertificateFault, CheckerFault, ConnectionFault,
    Elsewhere, ExchangeFault, Finding, Interrupted, NameFault, NotATime, Note, TargetOutcome, TimePlace,
    TlsFault, Undetermined, Writing, Zoning,
};
use crate::text::Secrets;

/// What the user keeps secret, and what may be shown although it has a secret in it: the user wrote it as a URL.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Secrecy<'a> {
    /// What is masked.
    pub(crate) secrets: &'a Secrets,
    /// URLs and hosts that the user named.
    pub(crate) named: &'a [String],
}

impl Secrecy<'_> {
    fn mask(self, text: &mut String) {
        if !self.named.contains(text) {
            *text = self.secrets.masked(text);
        }
    }

    /// Of one target.
    pub(crate) fn mask_target(self, target: &mut TargetOutcome) {
        self.mask(&mut target.url);
        self.mask_finding(&mut target.finding);
        target.notes.iter_mut().for_each(|note| self.mask_note(note));
    }

    fn mask_finding(self, finding: &mut Finding) {
        match finding {
            Finding::InSync(backends)
            | Finding::NotWithinWarning(backends)
            | Finding::Unvouched(backends)
            | Finding::Desynchronized(backends)
            | Finding::ClocksDisagree(backends)
            | Finding::BackendsMissing { backends, .. }
            | Finding::Undetermined(
                Undetermined::Open(backends) | Undetermined::Uncounted { backends, .. },
            ) => {
                self.mask_backends(backends.as_mut_slice());
            }
            Finding::Down(interrupted)
            | Finding::Undetermined(Undetermined::Limited(interrupted))
            | Finding::CheckerFault(CheckerFault::CannotAsk(interrupted)) => {
                let Interrupted { failure, backends } = interrupted;
                self.mask_cause(&mut failure.cause);
                self.mask_backends(backends);
            }
            Finding::CheckerFault(CheckerFault::Doubted { found, .. }) => self.mask_finding(found),
            Finding::Undetermined(Undetermined::NothingAsked) | Finding::Stale(_) => {}
        }
    }

    fn mask_backends(self, backends: &mut [BackendOutcome]) {
        for BackendOutcome { instance, clock, .. } in backends {
            self.mask_name(instance.as_mut());
            if let Some(clock) = clock {
                self.mask(&mut clock.status);
            }
        }
    }

    fn mask_name(self, name: Option<&mut Arc<str>>) {
        if let Some(name) = name {
            *name = self.secrets.masked(name).into();
        }
    }

    fn mask_note(self, note: &mut Note) {
        match note {
            Note::ClockStepped { instance } => self.mask_name(Some(instance)),
            Note::AddressSkipped { address: _, cause } | Note::AddressesUnknown(cause) => {
                self.mask_cause(cause);
            }
            Note::Redirected { url } => self.mask(url),
            Note::OnTheWay { url, note } => {
                self.mask(url);
                self.mask_note(note);
            }
            Note::WholeDaysUnseen
            | Note::DateMayBeCached { .. }
            | Note::ResemblesTimeZone { .. }
            | Note::OneClockAssumed
            | Note::BackendsUncounted
            | Note::FewReferences { .. }
            | Note::SeveralNamelessClocks { .. }
            | Note::BackendsMayBeMissing { .. }
            | Note::ServerUnsynchronized
            | Note::KeptConnectionsLost { .. }
            | Note::FewConnections { .. }
            | Note::RateLimited { .. }
            | Note::KeepsRejecting { .. }
            | Note::NotVerified
            | Note::CertificateEndsSoon { .. }
            | Note::BackendsMissing(_)
            | Note::Doubt(_) => {}
        }
    }

    fn mask_cause(self, cause: &mut Cause) {
        match cause {
            Cause::Name { name, fault } => {
                self.mask(name);
                self.mask_name_fault(fault);
            }
            Cause::Connection { address: _, fault } => self.mask_connection_fault(fault),
            Cause::Tls(fault) => self.mask_tls_fault(fault),
            Cause::Exchange(ExchangeFault::NotHttp { error, start }) => {
                self.mask(error);
                self.mask(start);
            }
            Cause::Exchange(ExchangeFault::Local { error }) => self.mask(error),
            Cause::Exchange(
                ExchangeFault::SpeaksTls
                | ExchangeFault::Closed { .. }
                | ExchangeFault::TooShort { .. }
                | ExchangeFault::Silent
                | ExchangeFault::Unfinished,
            )
            | Cause::Paused { .. } => {}
            Cause::Answer(fault) => {
                let AnswerFault { status: _, problem } = fault.as_mut();
                self.mask_problem(problem);
            }
            Cause::TooLittleTime(cause) => self.mask_cause(cause),
        }
    }

    fn mask_problem(self, problem: &mut AnswerProblem) {
        match problem {
            AnswerProblem::Status(Some(text))
            | AnswerProblem::Redirect { location: Some(text), .. }
            | AnswerProblem::TooLarge { body_start: text } => self.mask(text),
            AnswerProblem::NotATime { why, body_start, is_about_body: _, elsewhere } => {
                self.mask_not_a_time(why);
                self.mask(body_start);
                if let Some(elsewhere) = elsewhere {
                    self.mask_elsewhere(elsewhere);
                }
            }
            AnswerProblem::Status(None)
            | AnswerProblem::Redirect { location: None, .. }
            | AnswerProblem::WantsTls => {}
        }
    }

    fn mask_elsewhere(self, elsewhere: &mut Elsewhere) {
        let Elsewhere { place, writing, leaves_format_out: _ } = elsewhere;
        match place {
            TimePlace::Field(name) => self.mask(name),
            TimePlace::WhereItShould | TimePlace::WithoutField => {}
        }
        match writing {
            Writing::ByPattern(patterns, zoning) => {
                for pattern in patterns {
                    self.mask(pattern);
                }
                if let Some(Zoning::Likely(zone)) = zoning {
                    self.mask(zone);
                }
            }
            Writing::WithoutZone(Zoning::Likely(zone)) => self.mask(zone),
            Writing::Unread(why) => self.mask(why),
            Writing::AsItLooks | Writing::WithoutZone(Zoning::Open) => {}
        }
    }

    fn mask_not_a_time(self, why: &mut NotATime) {
        match why {
            NotATime::BodyIsEncoded(text) | NotATime::BodyIsNotJson(text) => self.mask(text),
            NotATime::NoField { wanted: _, found } => self.mask(found),
            NotATime::WrongType { name, kind: _ } => self.mask(name),
            NotATime::Twice { what, first, second } => {
                for text in [what, first, second] {
                    self.mask(text);
                }
            }
            NotATime::Contradiction { datetime, current_time } => {
                self.mask(datetime);
                self.mask(current_time);
            }
            NotATime::Unreadable(unreadable) => self.mask(&mut unreadable.why),
            NotATime::NoBody(_)
            | NotATime::NotModified
            | NotATime::BodyIsNotText
            | NotATime::BodyIsUtf16
            | NotATime::BodyIsEmpty
            | NotATime::NoHeader(_)
            | NotATime::HeaderIsNotText(_)
            | NotATime::OtherSpeed { .. }
            | NotATime::NoTwoAgree
            | NotATime::WrongUnit { .. } => {}
        }
    }

    fn mask_name_fault(self, fault: &mut NameFault) {
        match fault {
            NameFault::ServerFailure(text) | NameFault::Local(text) => self.mask(text),
            NameFault::UnknownZone { zone } | NameFault::NeedlessZone { zone } => self.mask(zone),
            NameFault::NotFound
            | NameFault::NoAddress
            | NameFault::Silent(_)
            | NameFault::OtherVersion { .. }
            | NameFault::NotPermitted { .. } => {}
        }
    }

    /// The system's words are no server's, but they cost nothing.
    fn mask_connection_fault(self, fault: &mut ConnectionFault) {
        match fault {
            ConnectionFault::NoRoute(text)
            | ConnectionFault::Unreachable(text)
            | ConnectionFault::Reset(text)
            | ConnectionFault::Forbidden(text)
            | ConnectionFault::Failed(text)
            | ConnectionFault::Setup(text) => self.mask(text),
            ConnectionFault::Refused | ConnectionFault::NoZone | ConnectionFault::Silent => {}
        }
    }

    fn mask_tls_fault(self, fault: &mut TlsFault) {
        match fault {
            TlsFault::Certificate { fault, suspect: _ } => self.mask_certificate_fault(fault),
            TlsFault::InvalidName { host: text }
            | TlsFault::UnknownName { host: text }
            | TlsFault::CannotSpeak { offer: text }
            | TlsFault::WantsCertificate { alert: text }
            | TlsFault::RefusesCertificate { alert: text }
            | TlsFault::Failed { error: text }
            | TlsFault::Closed { error: text }
            | TlsFault::Local { error: text } => self.mask(text),
            TlsFault::NotTls | TlsFault::SpeaksHttp | TlsFault::Silent => {}
        }
    }

    fn mask_certificate_fault(self, fault: &mut CertificateFault) {
        match fault {
            CertificateFault::OtherName { host, presented } => {
                self.mask(host);
                presented.iter_mut().flatten().for_each(|name| self.mask(name));
            }
            CertificateFault::MissingIntermediate { issuer: text }
            | CertificateFault::AddressAsName { host: text }
            | CertificateFault::CannotVerify { error: text }
            | CertificateFault::Other { error: text } => self.mask(text),
            CertificateFault::OutOfTime { .. }
            | CertificateFault::UnknownAuthority
            | CertificateFault::SelfSigned
            | CertificateFault::ShortKey { .. }
            | CertificateFault::IsAuthority
            | CertificateFault::OtherAuthorityKey => {}
        }
    }
}
