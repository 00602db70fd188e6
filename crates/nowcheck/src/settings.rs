//! The command line, validated: what cannot be wrong any more.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use clock_offset::Limits;
use http::HeaderName;
use rustls::ClientConfig;

use crate::answer::{Field, TimeSource};
use crate::cli::{Cli, Output};
use crate::probe::resolve::Overrides;
use crate::probe::tls::{self, CertificateTime};
use crate::reference::courtesy;
use crate::reference::source::Source;
use crate::target::Target;

/// How a round is held.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What is checked.
    pub targets: Vec<Target>,
    /// How far a clock may be off.
    pub limits: Limits,
    /// The most that a round may take.
    pub timeout: Duration,
    /// Requests on each connection.
    pub requests_per_connection: u32,
    /// How the time is taken from an answer.
    pub source: TimeSource,
    /// What the clocks are compared with; at least one.
    pub references: Vec<Source>,
    /// Whether a doubt about the reference is UNKNOWN.
    pub strict: bool,
    /// How many instances a URL must have, if that was said.
    pub expected_backends: Option<usize>,
    /// The chance of having missed a backend that is small enough.
    pub miss_probability: f64,
    /// Addresses that were given by hand.
    pub overrides: Overrides,
    /// Whether redirects are followed.
    pub follow: bool,
    /// How TLS is spoken.
    pub tls: Arc<ClientConfig>,
    /// By which time certificates are judged.
    pub certificate_time: Arc<CertificateTime>,
    /// What is printed.
    pub output: Output,
    /// The period, when rounds are repeated.
    pub every: Option<Duration>,
}

impl Settings {
    /// Makes sense of the command line.
    ///
    /// # Errors
    /// Names the flag that is wrong, and what to do about it.
    pub fn from_cli(cli: &Cli) -> anyhow::Result<Self> {
        let field = parse_field(cli.field.as_deref())?;
        // A header is what any web server has; only a service of time has /now.
        let default_path = if matches!(field, Field::Header(_)) { "/" } else { "/now" };
        let targets: Vec<Target> =
            cli.urls.iter().map(|url| Target::parse(url, default_path)).collect::<Result<_, _>>()?;
        if cli.warn_offset.is_some_and(|warn| warn >= cli.max_offset) {
            bail!("--warn-offset must be less than --max-offset, or it could never warn");
        }
        let mut references: Vec<Source> = Vec::new();
        for text in &cli.references {
            let source = Source::parse(text)?;
            if references.contains(&source) {
                bail!("--reference {text} is given twice; it would vote twice");
            }
            references.push(source);
        }
        let overrides = Overrides::parse(&cli.resolve)?;
        if let Some(period) = cli.every {
            courtesy::must_be_rare_enough(period, &references, &overrides)?;
        }
        // Where a redirect leads to, nobody knows yet.
        if !cli.follow {
            let servers = references.iter().filter_map(Source::host);
            let hosts: Vec<_> = targets.iter().map(|target| &target.host).chain(servers).collect();
            overrides.must_concern(&hosts)?;
        }
        let certificate_time = Arc::new(CertificateTime::default());
        Ok(Self {
            targets,
            limits: Limits { max_offset: cli.max_offset, warn_offset: cli.warn_offset },
            timeout: cli.timeout,
            requests_per_connection: cli.samples,
            source: TimeSource { field, format: cli.format, date_cache: cli.date_cache },
            references,
            strict: cli.strict,
            expected_backends: cli.expect_backends.map(usize::from),
            miss_probability: cli.miss_probability,
            overrides,
            follow: cli.follow,
            tls: tls::client_config(cli.ca_file.as_deref(), &certificate_time)?,
            certificate_time,
            output: cli.output,
            every: cli.every,
        })
    }
}

/// `a.b.c`, `/a/b`, `header:NAME`, `body`, or nothing.
///
/// # Errors
/// When nothing is named, or the name cannot be that of a header.
pub fn parse_field(text: Option<&str>) -> anyhow::Result<Field> {
    let Some(text) = text else {
        return Ok(Field::Auto);
    };
    if let Some(name) = text.strip_prefix("header:") {
        let name: HeaderName =
            name.parse().with_context(|| format!("--field {text}: `{name}` is not the name of a header"))?;
        return Ok(Field::Header(name));
    }
    match text {
        "" => bail!("--field: name a field, a JSON Pointer, `header:NAME` or `body`"),
        "body" => Ok(Field::Body),
        pointer if pointer.starts_with('/') => Ok(Field::Pointer(pointer.to_owned())),
        path => Ok(Field::Member(path.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn settings(arguments: &[&str]) -> anyhow::Result<Settings> {
        let line = ["nowcheck", "http://time.example"].into_iter().chain(arguments.iter().copied());
        Settings::from_cli(&Cli::try_parse_from(line)?)
    }

    #[test]
    fn fields_are_told_apart_by_their_spelling() {
        assert_eq!(parse_field(None).unwrap(), Field::Auto);
        assert_eq!(parse_field(Some("body")).unwrap(), Field::Body);
        assert_eq!(parse_field(Some("a.b")).unwrap(), Field::Member("a.b".to_owned()));
        assert_eq!(parse_field(Some("/a/b")).unwrap(), Field::Pointer("/a/b".to_owned()));
        assert_eq!(parse_field(Some("header:Date")).unwrap(), Field::Header(http::header::DATE));
        assert!(parse_field(Some("header:no spaces")).is_err());
        assert!(parse_field(Some("")).is_err());
    }

    #[test]
    fn a_warning_limit_that_could_never_warn_is_refused() {
        let error = settings(&["--warn-offset", "2s"]).unwrap_err().to_string();
        assert!(error.contains("--warn-offset") && error.contains("--max-offset"), "{error}");
        assert!(settings(&["--warn-offset", "500ms"]).is_ok());
    }

    #[test]
    fn a_reference_that_is_none_or_votes_twice_is_refused() {
        for (arguments, hint) in [
            (&["--reference", "gps"][..], "ntp:HOST"),
            (&["--reference", "ntp:"], "ntp:HOST"),
            (&["--reference", "ntp:time.example:0"], "port"),
            (&["--reference", "ntp:a.example", "--reference", "ntp:a.example:123"], "twice"),
            (&["--reference", "ntp:time.example", "--every", "15s"], "--every must be 16s or more"),
            (&["--reference", "ntp:127.0.0.1", "--every", "999ms"], "--every must be 1s or more"),
            (&["--resolve", "time.example"], "HOST:ADDR"),
            (&["--resolve", "time.example:nonsense"], "HOST:ADDR"),
            (&["--resolve", "other.example:192.0.2.1"], "no URL"),
        ] {
            let error = settings(arguments).unwrap_err().to_string();
            assert!(error.contains(hint), "{arguments:?}: {error}");
        }
        let of_a_reference = ["--reference", "ntp:a.example", "--resolve", "a.example:192.0.2.1"];
        assert!(settings(&of_a_reference).is_ok());
        assert!(settings(&["--follow", "--resolve", "other.example:192.0.2.1"]).is_ok());
        assert!(settings(&["--reference", "ntp:[2001:db8::1]:123", "--reference", "system"]).is_ok());
        assert!(
            settings(&["--resolve", "TIME.example:[::1]", "--resolve", "time.example:127.0.0.1"]).is_ok()
        );
    }

    #[test]
    fn a_ca_file_that_cannot_be_read_is_named() {
        let error = settings(&["--ca-file", "/nonexistent.pem"]).unwrap_err().to_string();
        assert!(error.contains("--ca-file /nonexistent.pem"), "{error}");
    }
}
