//! The command line, validated: the check that is wanted, and what the program does with its results.
//!
//! The library's errors hold facts. Here they become sentences that name the flag.

mod secrets;

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow};

use crate::arguments::Arguments;
use crate::output::{Output, Presentation};
use nowcheck::answer::{Field, TimeSelector};
use nowcheck::check::{Check, CheckError};
use nowcheck::probe::address_overrides::{AddressOverride, AddressOverrides};
use nowcheck::probe::tls::Trust;
use nowcheck::reference::poll_interval::TooFrequent;
use nowcheck::reference::source::ReferenceSource;
use nowcheck::time_format::Notation;

/// What the program was asked to do.
#[derive(Debug, Clone)]
pub(crate) struct Invocation {
    /// What to check.
    pub(crate) check: Check,
    /// What to print.
    pub(crate) presentation: Presentation,
    /// The period, when rounds are repeated.
    pub(crate) every: Option<Duration>,
}

impl Invocation {
    /// Validates the command line.
    ///
    /// # Errors
    /// Names the flag that is wrong, and what to do about it.
    pub(crate) fn of(arguments: &Arguments) -> anyhow::Result<Self> {
        let field = match &arguments.field {
            None => Field::Auto,
            Some(text) => text.parse().with_context(|| format!("--field {text}"))?,
        };
        let zone = arguments.zone.as_ref().map(|name| name.parse().with_context(|| format!("--zone {name}")));
        let notation = Notation { form: arguments.format.0.clone(), zone: zone.transpose()? };
        let builder = Check::of(arguments.plugin.urls(&arguments.urls)?)
            .max_offset(arguments.max_offset)
            .warn_offset(arguments.warn_offset)
            .timeout(arguments.timeout.unwrap_or(default_timeout(arguments.presentation.output)))
            .requests_per_connection(arguments.samples)
            .max_connections(NonZeroU32::new(arguments.connections).unwrap_or(NonZeroU32::MIN))
            .time(TimeSelector { field, notation, date_cache: arguments.date_cache })
            .references(references(&arguments.reference.references)?)
            .strict(arguments.reference.strict)
            .trust_system_clock(arguments.reference.trust_system_clock)
            .expected_backends(arguments.expect_backends.and_then(|count| NonZeroUsize::new(count.into())))
            .miss_probability(arguments.miss_probability)
            .addresses(addresses(&arguments.resolve)?)
            .ip_version(arguments.ip.version())
            .follow(arguments.follow)
            .request_headers(secrets::request_headers(&arguments.headers, arguments.user_file.as_deref())?)
            .trust(secrets::with_identity(trust(arguments.ca_file.as_deref())?, arguments)?);
        let check = builder.build().map_err(|error| by_its_flag(error, arguments))?;
        if let Some(period) = arguments.every {
            check.may_be_held_every(period).map_err(|error| too_frequent(&error))?;
        }
        Ok(Self { check, presentation: arguments.presentation.presentation(), every: arguments.every })
    }
}

/// NRPE, through which many plugins are run, gives up after ten seconds; starting and ending takes some, too.
fn default_timeout(output: Output) -> Duration {
    match output {
        Output::Nagios => Duration::from_secs(8),
        Output::Human | Output::Json => Duration::from_secs(10),
    }
}

fn references(texts: &[String]) -> anyhow::Result<Vec<ReferenceSource>> {
    texts.iter().map(|text| text.parse().with_context(|| format!("--reference {text}"))).collect()
}

fn addresses(texts: &[String]) -> anyhow::Result<AddressOverrides> {
    let read = |text: &String| text.parse::<AddressOverride>().with_context(|| format!("--resolve {text}"));
    texts.iter().map(read).collect()
}

fn trust(ca_file: Option<&Path>) -> anyhow::Result<Trust> {
    match ca_file {
        None => Ok(Trust::of_this_machine()),
        Some(path) => Trust::with_ca_file(path).with_context(|| format!("--ca-file {}", path.display())),
    }
}

fn by_its_flag(error: CheckError, arguments: &Arguments) -> anyhow::Error {
    match error {
        CheckError::WarnOffsetNotBelowMaximum => {
            anyhow!("--warn-offset must be less than --max-offset, or it could never warn")
        }
        CheckError::CredentialsTwice { url } => {
            let flag = if arguments.user_file.is_some() { "--user-file" } else { "--header Authorization" };
            anyhow!("{url} has credentials in it, and {flag} gives others; leave one out")
        }
        CheckError::DuplicateReference(source) => {
            // The last one that means it, as it was typed.
            let means_it = |text: &&String| text.parse().is_ok_and(|other: ReferenceSource| other == source);
            let typed = arguments.reference.references.iter().rfind(means_it);
            let typed = typed.map_or(source.to_string(), String::clone);
            anyhow!("--reference {typed} is given twice; it would vote twice")
        }
        CheckError::UnusedAddress { host } => {
            anyhow!("--resolve {host}: there is no URL and no reference with that host")
        }
        CheckError::Timeout => anyhow!("--timeout must be more than zero and at most a year"),
        CheckError::TooLong => {
            anyhow!("--max-offset, --warn-offset and --date-cache must be at most a year")
        }
        CheckError::Requests => anyhow!("--samples must be from 1 to 100"),
        CheckError::TooManyBackends => anyhow!("--expect-backends must be at most 100"),
        CheckError::MissProbability => anyhow!("--miss-probability must be between 0.0001% and 50%"),
        CheckError::NoReference => anyhow!("--reference: name at least one"),
        CheckError::NoUrl | CheckError::Url(_) => error.into(),
    }
}

fn too_frequent(error: &TooFrequent) -> anyhow::Error {
    match error {
        TooFrequent::NoPeriod => anyhow!("--every must be more than zero"),
        TooFrequent::TimeServer { reference, is_foreign: true, .. } => anyhow!(
            "--every must be 16s or more with {reference} as a reference: each round asks it, and it may be \
             somebody else's (RFC 4330 section 10). Only a private address, or a name with one from --resolve \
             HOST:ADDR, may be asked every second"
        ),
        TooFrequent::TimeServer { reference, is_foreign: false, .. } => {
            anyhow!("--every must be 1s or more with time servers as references: each round asks {reference}")
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::command_line::CommandLine;

    fn invocation(arguments: &[&str]) -> anyhow::Result<Invocation> {
        let line = ["nowcheck", "http://time.example"].into_iter().chain(arguments.iter().copied());
        Invocation::of(&CommandLine::try_parse_from(line)?.check)
    }

    #[test]
    fn what_cannot_be_is_rejected_by_the_name_of_its_flag() {
        for (arguments, words) in [
            (&["--warn-offset", "2s"][..], "--warn-offset must be less than --max-offset"),
            (&["--reference", "gps"], "--reference gps: write `system` or `ntp:HOST[:PORT]`"),
            (&["--reference", "ntp:"], "--reference ntp:: write"),
            (&["--reference", "ntp:time.example:0"], "--reference ntp:time.example:0: the port"),
            (
                &["--reference", "ntp:a.example", "--reference", "ntp:a.example:123"],
                "--reference ntp:a.example:123 is given twice",
            ),
            (&["--reference", "ntp:time.example", "--every", "15s"], "--every must be 16s or more"),
            (&["--reference", "ntp:127.0.0.1", "--every", "999ms"], "--every must be 1s or more"),
            (&["--resolve", "time.example"], "--resolve time.example: write HOST:ADDR"),
            (&["--resolve", "time.example:nonsense"], "HOST:ADDR"),
            (&["--resolve", "other.example:192.0.2.1"], "--resolve other.example: there is no URL"),
            (
                &["--field", "header:no spaces"],
                "--field header:no spaces: `no spaces` is not the name of a header",
            ),
            (&["--zone", "Europe/Atlantis"], "--zone Europe/Atlantis: `Europe/Atlantis` is no zone"),
            (&["--format", "%d.%m.%Y %J"], "--format"),
            (&["--ca-file", "/nonexistent.pem"], "--ca-file /nonexistent.pem: cannot be read"),
            (&["--header", "X-Key=secret"], "--header: write NAME: VALUE"),
            (
                &["--header", "X-Key: a", "--header", "X Key: secret"],
                "--header: what stands before the colon",
            ),
            (&["--user-file", "/nonexistent"], "--user-file /nonexistent: "),
            (&["--cert", "/nonexistent.pem"], "--cert and --key"),
            (&["--key", "/nonexistent.pem"], "--cert and --key"),
            (
                &["--cert", "/nonexistent.pem", "--key", "/dev/null"],
                "--cert /nonexistent.pem: cannot be read",
            ),
            (&["--user-file", "/"], "--user-file /: "),
            (&["--user-file", "/dev/null"], "--user-file /dev/null: is empty; write user:password"),
        ] {
            let error = format!("{:#}", invocation(arguments).unwrap_err());
            assert!(error.contains(words) && !error.contains("secret"), "{arguments:?}: {error}");
        }
    }

    #[test]
    fn credentials_in_a_url_and_beside_it_contradict_each_other() {
        let file = std::env::temp_dir().join(format!("nowcheck-user-{}", std::process::id()));
        std::fs::write(&file, "you:s3cret").unwrap();
        let path = file.to_str().unwrap();
        for (flag, value, named) in [
            ("--header", "Authorization: Bearer s3cret", "--header Authorization gives others"),
            ("--user-file", path, "--user-file gives others"),
        ] {
            let line = ["nowcheck", "http://a.example", "http://me:s3cret@time.example", flag, value];
            let error =
                Invocation::of(&CommandLine::try_parse_from(line).unwrap().check).unwrap_err().to_string();
            assert!(error.contains(named) && error.contains("http://time.example/now has"), "{error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
        std::fs::remove_file(file).unwrap();
    }

    #[test]
    fn what_the_program_does_with_the_results_is_no_part_of_the_check() {
        let repeated = invocation(&["--every", "30s", "--output", "json"]).unwrap();
        assert_eq!(
            (repeated.every, repeated.presentation.output),
            (Some(Duration::from_secs(30)), Output::Json)
        );
        assert!(invocation(&["--reference", "ntp:[2001:db8::1]:123", "--reference", "system"]).is_ok());
    }
}
