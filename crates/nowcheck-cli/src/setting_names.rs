//! How the flags of this program are called: what a report says about settings names them.

use nowcheck::report::{Setting, SettingNames, Words};

/// The flags of this program.
struct Flags;

/// Sentences that name settings by their flags.
pub(crate) fn words() -> Words<'static> {
    Words::new(&Flags)
}

impl SettingNames for Flags {
    fn noun(&self) -> &'static str {
        "flag"
    }

    fn name(&self, setting: Setting) -> &'static str {
        match setting {
            Setting::CaFile => "--ca-file",
            Setting::ClientCertificate => "--cert",
            Setting::ClientKey => "--key",
            Setting::Connections => "--connections",
            Setting::DateCache => "--date-cache",
            Setting::ExpectBackends => "--expect-backends",
            Setting::Every => "--every",
            Setting::Field => "--field",
            Setting::Follow => "--follow",
            Setting::Format => "--format",
            Setting::MaxOffset => "--max-offset",
            Setting::MissProbability => "--miss-probability",
            Setting::Reference => "--reference",
            Setting::Samples => "--samples",
            Setting::Strict => "--strict",
            Setting::Timeout => "--timeout",
            Setting::TrustSystemClock => "--trust-system-clock",
            Setting::UserFile => "--user-file",
            Setting::Zone => "--zone",
        }
    }

    fn with(&self, setting: Setting, value: &str) -> String {
        format!("{} {value}", self.name(setting))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use nowcheck::outcome::{
        AnswerFault, AnswerProblem, Cause, NotATime, Restraint, SourceStanding, Unusable,
    };
    use nowcheck::time_format::{Format, Unreadable};

    use super::*;
    use crate::command_line::CommandLine;

    #[test]
    fn every_flag_that_a_report_names_is_one() {
        let command = CommandLine::command();
        let flags: Vec<&str> = command.get_arguments().filter_map(clap::Arg::get_long).collect();
        for setting in Setting::ALL {
            let name = Flags.name(setting).trim_start_matches("--");
            assert!(flags.contains(&name), "{setting:?}: {name}");
        }
    }

    fn not_a_time(why: NotATime) -> String {
        let problem = AnswerProblem::NotATime {
            why,
            body_start: "noon".to_owned(),
            is_about_body: true,
            elsewhere: None,
        };
        words().cause(&Cause::Answer(Box::new(AnswerFault { status: http::StatusCode::OK, problem })))
    }

    #[test]
    fn a_failure_names_the_flag_that_may_help() {
        let unreadable = |given, likelier| {
            NotATime::Unreadable(Unreadable { why: "it is not".to_owned(), given, likelier, lacks: None })
        };
        for (why, words) in [
            (
                NotATime::NoField { wanted: "field `a`".to_owned(), found: "it has b".to_owned() },
                "it has b; --field names the right one; it begins with: noon",
            ),
            (
                NotATime::BodyIsNotJson("it looks like HTML".to_owned()),
                "(it looks like HTML); --field selects another place",
            ),
            (
                unreadable(Some(Format::UnixSeconds), Some(Format::UnixMicros)),
                "it is not (--format unix-s; it looks like unix-us: use that, or leave the flag out)",
            ),
            (unreadable(Some(Format::TimeOfDay), None), "it is not (--format hms);"),
            (
                NotATime::WrongUnit { given: Format::UnixMillis, likelier: Format::UnixSeconds },
                "with --format unix-ms it is far from now, and with --format unix-s it is near",
            ),
        ] {
            let sentence = not_a_time(why);
            assert!(sentence.contains(words), "{sentence}");
        }
    }

    #[test]
    fn a_server_that_was_asked_too_often_is_left_alone_by_a_longer_period() {
        let pause = std::time::Duration::from_mins(2);
        let standing = SourceStanding::Unusable(Unusable::Refused(Restraint::LessOften { pause }));
        let sentence = words().why_not_used(&standing).unwrap();
        assert!(sentence.contains("every 2 min") && sentence.contains("--every"), "{sentence}");
        let code = "DENY".to_owned();
        let standing = SourceStanding::Unusable(Unusable::Refused(Restraint::NeverAgain { code }));
        let sentence = words().why_not_used(&standing).unwrap();
        assert!(sentence.contains("DENY") && sentence.contains("name another one"), "{sentence}");
    }
}
