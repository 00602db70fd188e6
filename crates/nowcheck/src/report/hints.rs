//! A failure in words: its facts, and the setting that may help.

use url::{ParseError, Url};

use super::{Setting, Words};
use crate::outcome::{
    AnswerFault, AnswerProblem, Cause, CertificateFault, Elsewhere, NotATime, TimePlace, TlsFault, Writing,
    Zoning,
};
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
                    format!("{cause} (then add its certificate with {})", self.name(Setting::CaFile))
                }
                CertificateFault::SelfSigned => {
                    format!("{cause} (if it is the right one, add it with {})", self.name(Setting::CaFile))
                }
                _ => cause.to_string(),
            },
            Cause::TooLittleTime(_) => format!("{cause} (set a longer {})", self.name(Setting::Timeout)),
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
            AnswerProblem::NotATime { why, body_start, is_about_body, elsewhere } => {
                if let Some(elsewhere) = elsewhere {
                    let format = match why {
                        NotATime::Unreadable(Unreadable { given: Some(given), .. }) => {
                            format!(" ({})", self.with(Setting::Format, given.name()))
                        }
                        _ => String::new(),
                    };
                    return format!("{why}{format}; {}", self.elsewhere(elsewhere, why));
                }
                let is_readable = !matches!(why, NotATime::BodyIsUtf16 | NotATime::BodyIsEncoded(_));
                let got = if *is_about_body && is_readable && !body_start.is_empty() {
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

    /// Where or how an answer holds a time, and what to set to read it.
    fn elsewhere(self, elsewhere: &Elsewhere, why: &NotATime) -> String {
        let what = match (&elsewhere.place, &elsewhere.writing) {
            (TimePlace::WhereItShould, Writing::AsItLooks) => "it holds a time in another format",
            (TimePlace::WhereItShould, Writing::WithoutZone(_)) => "it holds a time without its zone",
            (TimePlace::WhereItShould, Writing::ByPattern(..)) => "it holds a time in a form of its own",
            (TimePlace::WhereItShould, Writing::Unread(_)) => "it holds a time",
            _ => "it holds a time elsewhere",
        };
        match (&elsewhere.writing, &elsewhere.place) {
            (Writing::Unread(unread), TimePlace::Field(name)) => {
                format!("{what} ({name}), which no {} reads: {unread}", self.names.noun())
            }
            (Writing::Unread(unread), _) if *unread == why.to_string() => {
                format!("{what}, which no {} reads", self.names.noun())
            }
            (Writing::Unread(unread), _) => format!("{what}, which no {} reads: {unread}", self.names.noun()),
            _ => format!("{what}: {}", self.settings_for(elsewhere)),
        }
    }

    /// What to set, or to leave out, to read a time that an answer holds.
    pub(super) fn settings_for(self, elsewhere: &Elsewhere) -> String {
        let mut tries = Vec::new();
        let mut leaves = Vec::new();
        match &elsewhere.place {
            TimePlace::WhereItShould => {}
            TimePlace::WithoutField => leaves.push(self.name(Setting::Field)),
            TimePlace::Field(name) => tries.push(self.with(Setting::Field, name)),
        }
        if elsewhere.leaves_format_out {
            leaves.push(self.name(Setting::Format));
        }
        match &elsewhere.writing {
            Writing::AsItLooks => {}
            Writing::WithoutZone(zoning) => tries.push(self.zone(zoning)),
            Writing::ByPattern(patterns, zoning) => tries.push(self.by(patterns, zoning.as_ref())),
            Writing::Unread(_) => {
                return format!(
                    "make the service send a format that can be read, such as RFC 3339 or Unix time in UTF-8, \
                     or name another field with {}",
                    self.name(Setting::Field)
                );
            }
        }
        let leaves = (!leaves.is_empty()).then(|| format!("leave out {}", leaves.join(" and ")));
        let tries = (!tries.is_empty()).then(|| format!("try {}", tries.join(" and ")));
        let both: Vec<String> = leaves.into_iter().chain(tries).collect();
        both.join(" and ")
    }

    fn not_a_time(self, why: &NotATime) -> String {
        match why {
            NotATime::OtherSpeed { .. } | NotATime::NoTwoAgree => format!(
                "{why}; {} names the field of a time, {} its unit",
                self.name(Setting::Field),
                self.name(Setting::Format)
            ),
            NotATime::BodyIsNotJson(_) => {
                format!("{why}; {} selects another place", self.name(Setting::Field))
            }
            NotATime::NoField { .. } => format!("{why}; {} names the right one", self.name(Setting::Field)),
            NotATime::WrongUnit { given, likelier } => format!(
                "with {} it is far from now, and with {} it is near: use that, or leave the {} out",
                self.with(Setting::Format, given.name()),
                self.with(Setting::Format, likelier.name()),
                self.names.noun(),
            ),
            NotATime::Unreadable(unreadable) => self.not_readable(unreadable),
            _ => why.to_string(),
        }
    }

    fn not_readable(self, unreadable: &Unreadable) -> String {
        match &unreadable.lacks {
            Some(Lack::Zone) => {
                return format!("{unreadable}; {} sets its zone", self.with(Setting::Zone, "NAME"));
            }
            Some(Lack::Pattern(patterns)) => {
                let has_offset = patterns.iter().any(|pattern| pattern.ends_with('z'));
                let zoning = (!has_offset).then_some(Zoning::Open);
                return format!("{unreadable}; set it with {}", self.by(patterns, zoning.as_ref()));
            }
            Some(Lack::Unit | Lack::AnotherNumber) => {
                return format!("{unreadable}; {} names another one", self.name(Setting::Field));
            }
            Some(Lack::Agreement) | None => {}
        }
        let Some(given) = unreadable.given else { return unreadable.to_string() };
        let hint = unreadable.likelier.map_or_else(String::new, |likelier| {
            format!("; it looks like {}: use that, or leave the {} out", likelier.name(), self.names.noun())
        });
        format!("{unreadable} ({}{hint})", self.with(Setting::Format, given.name()))
    }

    /// The settings that read a date by one of these patterns.
    fn by(self, patterns: &[String], zoning: Option<&Zoning>) -> String {
        let formats: Vec<String> =
            patterns.iter().map(|pattern| self.with(Setting::Format, &format!("'{pattern}'"))).collect();
        let zone = zoning.map_or_else(String::new, |zoning| format!(" and {}", self.zone(zoning)));
        format!("{}{zone}", formats.join(" or "))
    }

    fn zone(self, zoning: &Zoning) -> String {
        match zoning {
            Zoning::Likely(zone) => self.with(Setting::Zone, zone),
            Zoning::Open => self.with(Setting::Zone, "NAME"),
        }
    }
}
