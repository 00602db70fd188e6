//! The flags and their environment variables, with the help text, and how they become [`Settings`].

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::error::ErrorKind;
use clap::{ArgAction, Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

use crate::clock::clock_bound::files::DEFAULT_DIRECTORY;
use crate::settings::flag_values::{address, dimension, duration, seconds};
use crate::settings::{ClientLimits, ClockSource, Command, Healthcheck, LogFormat, Settings};

/// The form of metric lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum MetricsFormat {
    /// Amazon's embedded metric format
    Emf,
}

/// The value of `--clock-source`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ClockSourceName {
    /// The kernel of this machine
    Kernel,
    /// ClockBound, at --clock-bound or in /var/run/clockbound
    ClockBound,
    /// The task metadata endpoint of Amazon ECS (version 4), which states a bound on Fargate
    EcsMetadata,
}

const AFTER_HELP: &str = "\
Examples:
  nowd --listen 127.0.0.1:8080
      curl 'http://127.0.0.1:8080/now?tz=Europe/Madrid'
  nowd --listen 0.0.0.0:8080 --listen [::]:8080
      IPv4 and IPv6
  nowd --max-clock-error 50ms --log json --access-log
      behind a load balancer that asks /readyz
  nowd --admin-listen 127.0.0.1:9090
      curl http://127.0.0.1:9090/metrics
  nowd healthcheck
      for containers without a shell

Environment:
  Each flag has a variable, named beside it; the flag wins. Lists are separated by
  commas; an empty variable is none. No other variable is read, except
  ECS_CONTAINER_METADATA_URI_V4 with --clock-source ecs-metadata, and no file
  except those of --clock-bound.

Output:
  Log lines go to standard error: one at the start (with --log json it has all
  settings), one for each change of state, none for a request. Metric lines and the
  access log go to standard output. A reader that is slow holds nothing up: lines
  are dropped then, and counted.

Signals:
  SIGTERM  drain: serve on for --drain-delay while /readyz answers 503; then end
  SIGINT   end at once; so does a second signal
  Any other is not caught and does what it always does: SIGHUP ends at once, too

Exit codes:
  0  stopped as asked
  1  cannot serve; the reason is on standard error (healthcheck: not alive, or not ready)
  2  wrong usage";

/// Says what time it is, and how far that can be trusted.
///
/// Answers GET /now with JSON: the time to the nanosecond, and a bound on the error of its clock.
/// GET / explains the rest to people, GET /openapi.json to programs.
#[derive(Debug, Parser)]
#[command(name = "nowd", version, max_term_width = 100, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Subcommands>,
    #[command(flatten)]
    listen: ListenArgs,
    /// Threads that serve, each on a core of its own if there are enough [default: one for each core]
    #[arg(
        long,
        env = "NOWD_THREADS",
        value_name = "N",
        value_parser = clap::value_parser!(u16).range(1..=1024)
    )]
    threads: Option<u16>,
    /// Private address and port where Prometheus reads /metrics; without it nothing does
    ///
    /// The addresses of --listen never answer /metrics.
    #[arg(long, env = "NOWD_ADMIN_LISTEN", value_name = "ADDRESS", value_parser = address)]
    admin_listen: Option<SocketAddr>,
    /// Connections at a time; requests on further ones get 503, except for /healthz and /readyz
    ///
    /// Each takes a file descriptor: the limit on open files (ulimit -n) is raised as far as it may be.
    #[arg(
        long,
        env = "NOWD_MAX_CONNECTIONS",
        value_name = "N",
        default_value = "10000",
        value_parser = clap::value_parser!(u32).range(1..=1_000_000)
    )]
    max_connections: u32,
    /// The longest head of a request, in bytes; a longer one is answered 431
    #[arg(
        long,
        env = "NOWD_MAX_HEAD_BYTES",
        value_name = "BYTES",
        default_value = "16384",
        value_parser = clap::value_parser!(u32).range(8_192..=1_048_576)
    )]
    max_head_bytes: u32,
    /// Headers of a request; more are answered 431
    #[arg(
        long,
        env = "NOWD_MAX_HEADERS",
        value_name = "N",
        default_value = "100",
        value_parser = clap::value_parser!(u16).range(16..=1_000)
    )]
    max_headers: u16,
    /// How long the head of a request may take to come; within a second after that its connection is closed
    #[arg(
        long,
        env = "NOWD_HEAD_TIMEOUT",
        value_name = "DURATION",
        value_parser = seconds,
        default_value = "10s"
    )]
    head_timeout: u16,
    /// How long a connection is kept without a request, or while its client does not take an answer
    ///
    /// Longer than a load balancer keeps it (60 s on AWS), which has to be the first to close it. While nine tenths of
    /// --max-connections are taken, one that has never asked anything has no longer than --head-timeout.
    #[arg(
        long,
        env = "NOWD_IDLE_TIMEOUT",
        value_name = "DURATION",
        value_parser = seconds,
        default_value = "75s"
    )]
    idle_timeout: u16,
    /// Not ready (/readyz answers 503) while the bound on the clock's error is more than this, or there is none
    ///
    /// Such as 50ms or 1s. It is ready again when the bound has been within three quarters of this for 5 s. Without this
    /// flag readiness does not depend on the clock.
    #[arg(long, env = "NOWD_MAX_CLOCK_ERROR", value_name = "DURATION", value_parser = duration)]
    max_clock_error: Option<Duration>,
    /// Where the bound on the clock's error comes from [default: clock-bound with --clock-bound, else kernel]
    ///
    /// While ClockBound gives no bound, the kernel is asked. While Amazon ECS states none, the last one grows, by 50 µs a
    /// second, and after an hour the bound is unknown.
    #[arg(long, env = "NOWD_CLOCK_SOURCE", value_name = "SOURCE", value_enum)]
    clock_source: Option<ClockSourceName>,
    /// Take the bound on the clock's error from ClockBound, which shares it at this path, when it is there
    ///
    /// A directory, such as /var/run/clockbound, or a file in it. Of the files shm1 (ClockBound 3) and shm0 the newer
    /// layout is used if both are there. While they are missing or out of date the kernel is asked.
    #[arg(long, env = "NOWD_CLOCK_BOUND", value_name = "PATH")]
    clock_bound: Option<PathBuf>,
    /// How long to serve on after SIGTERM
    ///
    /// Set it longer than the load balancer takes to notice that /readyz answers 503. Requests that are still in flight
    /// then have 10 s more. Set the supervisor's kill timeout longer than both together (docker stop waits for 10 s unless
    /// --timeout is given).
    #[arg(
        long,
        env = "NOWD_DRAIN_DELAY",
        value_name = "DURATION",
        value_parser = duration,
        default_value = "5s"
    )]
    drain_delay: Duration,
    /// The form of log lines, which go to standard error
    #[arg(long, env = "NOWD_LOG", value_name = "FORM", value_enum, default_value = "text")]
    log: LogFormat,
    /// Write a line of JSON to standard output for each request
    #[arg(
        long,
        env = "NOWD_ACCESS_LOG",
        action = ArgAction::SetTrue,
        value_parser = BoolishValueParser::new()
    )]
    access_log: bool,
    /// Write a line of metrics to standard output once a minute: the clock's error, requests, durations
    #[arg(long, env = "NOWD_METRICS", value_name = "FORM", value_enum)]
    metrics: Option<MetricsFormat>,
    /// The dimension `Environment` of those metrics: tells one deployment from another
    #[arg(
        long,
        env = "NOWD_METRICS_ENVIRONMENT",
        value_name = "NAME",
        default_value = "nowd",
        value_parser = dimension
    )]
    metrics_environment: String,
}

#[derive(Debug, Args)]
struct ListenArgs {
    /// Address and port to listen on; repeat it for more, or separate them by commas
    ///
    /// A port alone, such as 8080 or :8080, means all IPv4 addresses. Port 0 lets the system choose; the first log line
    /// says what it chose. An IPv6 address takes IPv6 only.
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
    /// Ask the nowd of this machine whether it is alive; exits with 0 if so, with 1 if not
    ///
    /// For containers without a shell: it asks /healthz at all addresses of --listen, side by side, takes two seconds at the
    /// most, and wants all of them to be well. It reads no other setting. With --ready it asks /readyz, which
    /// also fails while the process drains and while the clock is worse than --max-clock-error. Do not restart containers for
    /// that: when the time service of a site fails, none of them is ready.
    Healthcheck {
        /// Ask whether it is ready, not only alive
        #[arg(long)]
        ready: bool,
    },
}

impl TryFrom<Cli> for Command {
    type Error = clap::Error;

    fn try_from(cli: Cli) -> Result<Self, clap::Error> {
        Ok(match cli.command {
            Some(Subcommands::Healthcheck { ready }) => {
                Self::Healthcheck(Healthcheck { addresses: cli.listen.listen, checks_readiness: ready })
            }
            None => Self::Serve(Settings {
                listen: cli.listen.listen,
                threads: cli.threads.map_or_else(cores, usize::from),
                admin_listen: cli.admin_listen,
                limits: ClientLimits {
                    connections: cli.max_connections as usize,
                    head_bytes: cli.max_head_bytes as usize,
                    headers: cli.max_headers.into(),
                    head_seconds: cli.head_timeout,
                    idle_seconds: cli.idle_timeout,
                },
                max_clock_error: cli.max_clock_error,
                clock_source: clock_source(cli.clock_source, cli.clock_bound)?,
                drain_delay: cli.drain_delay,
                log: cli.log,
                access_log: cli.access_log,
                metrics: cli.metrics.map(|MetricsFormat::Emf| cli.metrics_environment),
            }),
        })
    }
}

fn clock_source(name: Option<ClockSourceName>, path: Option<PathBuf>) -> Result<ClockSource, clap::Error> {
    match (name, path) {
        (None | Some(ClockSourceName::Kernel), None) => Ok(ClockSource::Kernel),
        (None | Some(ClockSourceName::ClockBound), Some(path)) => Ok(ClockSource::ClockBound(path)),
        (Some(ClockSourceName::ClockBound), None) => Ok(ClockSource::ClockBound(DEFAULT_DIRECTORY.into())),
        (Some(ClockSourceName::EcsMetadata), None) => Ok(ClockSource::EcsMetadata),
        (Some(ClockSourceName::Kernel | ClockSourceName::EcsMetadata), Some(_)) => Err(Cli::command().error(
            ErrorKind::ArgumentConflict,
            "--clock-bound (or NOWD_CLOCK_BOUND) needs '--clock-source clock-bound': give one of the two, or both \
             for ClockBound",
        )),
    }
}

/// The cores that this process may use.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests;
