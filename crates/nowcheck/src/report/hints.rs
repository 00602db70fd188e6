//! A failure in words: its facts, and the setting that may help.

use url::{ParseError, Url};

use super::{Setting, Words};
use crate::outcome::{AnswerFault, AnswerProblem, Cause, CertificateFault, NotATime, TlsFault};
use crate::time_format::{Lack, Unreadable};

impl Words<'_> {
    /// Why a request failed, as part of a sentence: begins in lower case, ends without a full stop.
    #[must_use]
    pub fn cause(self, cause: &Cause) -> String {
        match cause {
            Cause::Tls(TlsFault::Certificate { fault, .. }) => match fault {
                CertificateFault::UnknownAuthority
                | CertificateFault::OtherAuthorityKey
                | CertificateFault::MissingIntermediate { .. } => {
                    format!("{cause} (then name its certificate with {})", self.name(Setting::CaFile))
                }
                CertificateFault::SelfSigned => {
                    format!("{cause} (if it is the right one, name it with {})", self.name(Setting::CaFile))
                }
                _ => cause.to_string(),
            },
            Cause::TooLittleTime(_) => format!("{cause}; a longer {} tells", self.name(Setting::Timeout)),
            Cause::Answer(fault) => self.answer_fault(fault),
            Cause::Name { .. }
            | Cause::Connection { .. }
            | Cause::Tls(_)
            | Cause::Exchange(_)
            | Cause::Paused { .. } => cause.to_string(),
        }
    }

    fn answer_fault(self, fault: &AnswerFault) -> String {
        match &fault.problem {
            AnswerProblem::Redirect { location: Some(location), limit: Some(limit), is_loop: false } => {
                match Url::parse(location) {
                    Ok(url) if !matches!(url.scheme(), "http" | "https") => {
                        format!("{fault}; only redirects to http and https are followed")
                    }
                    Err(error) if error != ParseError::RelativeUrlWithoutBase => {
                        format!("{fault}, which is not a URL ({error})")
                    }
                    _ => format!("{fault}; at most {limit} redirects are followed"),
                }
            }
            AnswerProblem::Redirect { location: Some(_), limit: None, .. } => {
                format!("{fault}; {} follows it", self.name(Setting::Follow))
            }
            AnswerProblem::NotATime { why, body_start, is_about_body } => {
                let got = if *is_about_body && !body_start.is_empty() {
                    format!("; it begins with: {body_start}")
                } else {
                    String::new()
                };
                format!("the answer is not a time: {}{got}", self.not_a_time(why))
            }
            AnswerProblem::Status(_)
            | AnswerProblem::WantsTls
            | AnswerProblem::TooLarge { .. }
            | AnswerProblem::Redirect { .. } => fault.to_string(),
        }
    }

    fn not_a_time(self, why: &NotATime) -> String {
        match why {
            NotATime::BodyIsNotJson(_) => {
                format!("{why}; {} says where else the time stands", self.name(Setting::Field))
            }
            NotATime::NoField { .. } => format!("{why}; {} names the right one", self.name(Setting::Field)),
            NotATime::WrongUnit { given, likelier } => format!(
                "by {} it is far from now, by {} it is not: write that, or leave the {} out",
                self.with(Setting::Format, given.name()),
                self.with(Setting::Format, likelier.name()),
                self.names.noun(),
            ),
            NotATime::Unreadable(unreadable) => self.not_readable(unreadable),
            _ => why.to_string(),
        }
    }

    fn not_readable(self, unreadable: &Unreadable) -> String {
        match unreadable.lacks {
            Some(Lack::Zone) => {
                return format!(
                    "{unreadable}; {} says where it is that time",
                    self.with(Setting::Zone, "NAME")
                );
            }
            Some(Lack::Pattern) => {
                let patterns = ["'%m/%d/%Y %I:%M:%S %p'", "'%d/%m/%Y %H:%M:%S'"];
                let [one, other] = patterns.map(|pattern| self.with(Setting::Format, pattern));
                return format!("{unreadable}; say it with a pattern such as {one} or {other}");
            }
            None => {}
        }
        let Some(given) = unreadable.given else { return unreadable.to_string() };
        let hint = unreadable.likelier.map_or_else(String::new, |likelier| {
            format!("; it looks like {}: write that, or leave the {} out", likelier.name(), self.names.noun())
        });
        format!("{unreadable} ({}{hint})", self.with(Setting::Format, given.name()))
    }
}
