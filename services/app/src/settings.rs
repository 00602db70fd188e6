//! Flags and environment, made into one checked [`Settings`].

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::fmt::friendly::SpanParser;

/// What to do.
#[derive(Debug, PartialEq)]
pub(crate) enum Command {
    Serve(Settings),
    /// Asks the service at these addresses whether it is ready.
    Healthcheck(Vec<SocketAddr>),
}

/// How to serve.
#[derive(Debug, PartialEq)]
pub(crate) struct Settings {
    /// At least one.
    pub(crate) listen: Vec<SocketAddr>,
    /// At least one.
    pub(crate) threads: usize,
    pub(crate) max_clock_error: Option<Duration>,
    pub(crate) drain_delay: Duration,
    pub(crate) log: LogFormat,
    /// The name under which metric lines are written, if they are.
    pub(crate) metrics: Option<String>,
}

/// The form of metric lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Metrics {
    /// Amazon's embedded metric format
    Emf,
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people
    Text,
    /// One JSON object a line
    Json,
}

/// Reads the command line and the environment. Ends the process, with 2, when they cannot be understood.
pub(crate) fn read() -> Command {
    Cli::parse().into()
}

/// Says what time it is, and how far that can be trusted.
///
/// Answers GET /now with JSON: the time to the nanosecond, and the kernel's own bound on the error of its clock.
/// GET / explains the rest to people, GET /openapi.json to programs.
#[derive(Debug, Parser)]
#[command(
    version,
    max_term_width = 100,
    after_help = "Signals: SIGTERM drains and stops, SIGINT stops at once.\n\
                  Exit codes: 0 stopped as asked, 1 cannot serve, 2 wrong usage.\n\n\
                  Try:\n  nowd --listen 127.0.0.1:8080\n  curl 'http://127.0.0.1:8080/now?tz=Europe/Madrid'"
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Subcommands>,
    #[command(flatten)]
    listen: Listen,
    /// Threads that serve, each on a core of its own if there are enough [default: one for each core]
    #[arg(long, env = "NOWD_THREADS", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Not ready (/readyz answers 503) while the kernel bounds its clock's error by more than this, or not at all
    ///
    /// Such as 50ms or 1s. Without it, readiness does not depend on the clock.
    #[arg(long, env = "NOWD_MAX_CLOCK_ERROR", value_name = "DURATION", value_parser = duration)]
    max_clock_error: Option<Duration>,
    /// How long to serve on after SIGTERM
    ///
    /// It has to last until the load balancer has seen that /readyz answers 503 and sends no more.
    #[arg(long, env = "NOWD_DRAIN_DELAY", value_name = "DURATION", value_parser = duration, default_value = "5s")]
    drain_delay: Duration,
    /// The form of log lines, which go to standard error
    #[arg(long, env = "NOWD_LOG", value_name = "FORM", value_enum, default_value = "text")]
    log: LogFormat,
    /// Write a line of metrics to standard output once a minute: the clock's error, requests, errors
    #[arg(long, env = "NOWD_METRICS", value_name = "FORM", value_enum)]
    metrics: Option<Metrics>,
    /// The dimension `Environment` of those metrics: tells one deployment from another
    #[arg(long, env = "NOWD_METRICS_ENVIRONMENT", value_name = "NAME", default_value = "nowd")]
    metrics_environment: String,
}

#[derive(Debug, Args)]
struct Listen {
    /// Address and port to listen on; repeat it for more, or separate them by commas
    ///
    /// Port 0 lets the system choose; the first log line says what it chose. An IPv6 address takes IPv6 only.
    #[arg(
        long,
        env = "NOWD_LISTEN",
        value_name = "ADDRESS",
        value_delimiter = ',',
        value_parser = address,
        default_value = "0.0.0.0:8080",
        global = true
    )]
    listen: Vec<SocketAddr>,
}

#[derive(Debug, Subcommand)]
enum Subcommands {
    /// Ask the nowd of this machine whether it is ready; exits with 0 if so, with 1 if not
    ///
    /// For containers without a shell: it asks /readyz at the addresses of --listen.
    Healthcheck,
}

impl From<Cli> for Command {
    fn from(cli: Cli) -> Self {
        match cli.command {
            Some(Subcommands::Healthcheck) => Self::Healthcheck(cli.listen.listen),
            None => Self::Serve(Settings {
                listen: cli.listen.listen,
                threads: cli.threads.map_or_else(cores, usize::from),
                max_clock_error: cli.max_clock_error,
                drain_delay: cli.drain_delay,
                log: cli.log,
                metrics: cli.metrics.map(|Metrics::Emf| cli.metrics_environment),
            }),
        }
    }
}

/// The cores that this process may use.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "write an IP address and a port, such as 0.0.0.0:8080 or [::]:8080")
}

fn duration(text: &str) -> Result<Duration, &'static str> {
    SpanParser::new()
        .parse_unsigned_duration(text)
        .map_err(|_| "write a number with its unit, such as 50ms, 5s or 1m 30s")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn parse(arguments: &[&str]) -> Result<Command, String> {
        let arguments = std::iter::once("nowd").chain(arguments.iter().copied());
        Cli::try_parse_from(arguments).map(Command::from).map_err(|error| error.to_string())
    }

    fn serve(arguments: &[&str]) -> Settings {
        match parse(arguments).unwrap() {
            Command::Serve(settings) => settings,
            other @ Command::Healthcheck(_) => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_arrives_in_the_settings() {
        let settings = serve(&[
            "--listen=127.0.0.1:1,[::1]:2",
            "--listen=127.0.0.2:3",
            "--threads=3",
            "--max-clock-error=50ms",
            "--drain-delay=1m 30s",
            "--log=json",
            "--metrics=emf",
            "--metrics-environment=staging",
        ]);
        let expected = Settings {
            listen: ["127.0.0.1:1", "[::1]:2", "127.0.0.2:3"].map(|a| a.parse().unwrap()).to_vec(),
            threads: 3,
            max_clock_error: Some(Duration::from_millis(50)),
            drain_delay: Duration::from_secs(90),
            log: LogFormat::Json,
            metrics: Some("staging".to_owned()),
        };
        assert_eq!(settings, expected);
        assert_eq!(serve(&[]).metrics, None);
    }

    #[test]
    fn a_value_that_is_not_understood_is_answered_with_one_that_would_be() {
        for (arguments, advice) in [
            (["--listen", "8080"], "such as 0.0.0.0:8080 or [::]:8080"),
            (["--listen", "localhost:8080"], "such as 0.0.0.0:8080 or [::]:8080"),
            (["--drain-delay", "5"], "such as 50ms, 5s or 1m 30s"),
            (["--max-clock-error", "soon"], "such as 50ms, 5s or 1m 30s"),
            (["--threads", "0"], "1..=1024"),
            (["--log", "xml"], "text, json"),
        ] {
            let error = parse(&arguments).unwrap_err();
            assert!(error.contains(advice) && error.contains(arguments[0]), "{error}");
        }
    }

    #[test]
    fn the_health_check_takes_its_address_before_or_after_its_name() {
        let expected = Command::Healthcheck(vec!["127.0.0.1:9".parse().unwrap()]);
        assert_eq!(parse(&["healthcheck", "--listen", "127.0.0.1:9"]).unwrap(), expected);
        assert_eq!(parse(&["--listen", "127.0.0.1:9", "healthcheck"]).unwrap(), expected);
    }
}
