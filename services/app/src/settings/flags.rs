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

/// The headings of `--help`.
const LISTENING: &str = "Listening";
const LIMITS: &str = "Limits on clients";
const CLOCK: &str = "Clock";
const STOPPING: &str = "Stopping";
const LOGS: &str = "Logs and metrics";

const AFTER_HELP: &str = "\
Examples:
  nowd --listen 127.0.0.1:8080
      curl 'http://127.0.0.1:8080/now?tz=Europe/Madrid'
  nowd --listen 0.0.0.0:8080 --listen [::]:8080
      IPv4 and IPv6
  nowd --max-clock-error 50ms --log json --access-log
      behind a load balancer that checks /readyz
  nowd --admin-listen 127.0.0.1:9090
      curl http://127.0.0.1:9090/metrics
  nowd healthcheck
      for containers without a shell

Environment:
  Each flag has a variable, which stands beside it. The flag wins over the variable.
  Separate the items of a list by commas. An empty variable counts as unset.
  nowd reads one other variable: ECS_CONTAINER_METADATA_URI_V4, with
  --clock-source ecs-metadata. It reads no files except those of --clock-bound.

Durations:
  A number with its unit (50ms, 5s, 1m 30s), or a number of seconds (0.5).

Output:
  Log lines go to standard error: one at the start, one for each change of state, none
  for requests. With --log json, the first line holds all settings.
  Metrics and the access log go to standard output.
  A slow reader does not delay nowd: lines are dropped, and counted.

Signals:
  SIGTERM  drain: keep serving for --drain-delay while /readyz answers 503, then exit
  SIGINT   exit at once; a second SIGTERM does the same
  Other signals keep their default action. For example, SIGHUP ends the process

Exit codes:
  0  stopped as asked
  1  cannot serve; standard error has the reason (healthcheck: not alive, or not ready)
  2  wrong usage";

/// Tells the time over HTTP, with a bound on its error.
///
/// GET /now answers the time in JSON, to the nanosecond, and a bound on the error of the clock. GET / is a page for people,
/// and GET /openapi.json describes the API for programs.
#[derive(Debug, Parser)]
#[command(name = "nowd", version = env!("VERSION_WITH_COMMIT"), max_term_width = 100, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Subcommands>,
    #[command(flatten)]
    listen: ListenArgs,
    /// Threads that serve requests, each on a core of its own if possible [default: one for each core]
    #[arg(
        long,
        env = "NOWD_THREADS", help_heading = LISTENING,
        value_name = "N",
        value_parser = clap::value_parser!(u16).range(1..=1024)
    )]
    threads: Option<u16>,
    /// Serve Prometheus /metrics at this private address and port
    ///
    /// The addresses of --listen never answer /metrics.
    #[arg(long, env = "NOWD_ADMIN_LISTEN", help_heading = LOGS, value_name = "ADDRESS", value_parser = address)]
    admin_listen: Option<SocketAddr>,
    /// The most connections at a time; further ones get 503, except for /healthz and /readyz
    ///
    /// Each connection takes a file descriptor. nowd raises the limit on open files (ulimit -n) as far as allowed.
    #[arg(
        long,
        env = "NOWD_MAX_CONNECTIONS", help_heading = LIMITS,
        value_name = "N",
        default_value = "10000",
        value_parser = clap::value_parser!(u32).range(1..=1_000_000)
    )]
    max_connections: u32,
    /// The longest head of a request in bytes; longer ones get 431
    #[arg(
        long,
        env = "NOWD_MAX_HEAD_BYTES", help_heading = LIMITS,
        value_name = "BYTES",
        default_value = "16384",
        value_parser = clap::value_parser!(u32).range(8_192..=1_048_576)
    )]
    max_head_bytes: u32,
    /// The most headers of a request; more get 431
    #[arg(
        long,
        env = "NOWD_MAX_HEADERS", help_heading = LIMITS,
        value_name = "N",
        default_value = "100",
        value_parser = clap::value_parser!(u16).range(16..=1_000)
    )]
    max_headers: u16,
    /// How long the head of a request may take to arrive; after at most one second more, the connection is closed
    #[arg(
        long,
        env = "NOWD_HEAD_TIMEOUT", help_heading = LIMITS,
        value_name = "DURATION",
        value_parser = seconds,
        default_value = "10s"
    )]
    head_timeout: u16,
    /// How long a connection may stay without a request, or with an answer that its client does not read
    ///
    /// Set it longer than the load balancer's idle timeout (60 s on AWS), because the balancer has to close connections
    /// first. While nine tenths of --max-connections are taken, a connection without a first request only gets
    /// --head-timeout.
    #[arg(
        long,
        env = "NOWD_IDLE_TIMEOUT", help_heading = LIMITS,
        value_name = "DURATION",
        value_parser = seconds,
        default_value = "75s"
    )]
    idle_timeout: u16,
    /// Not ready (/readyz answers 503) while the bound on the clock's error exceeds this or is unknown
    ///
    /// For example 50ms or 1s. nowd is ready again when the bound has been within three quarters of this for 5 s. Without
    /// this flag, readiness does not depend on the clock.
    #[arg(long, env = "NOWD_MAX_CLOCK_ERROR", help_heading = CLOCK, value_name = "DURATION", value_parser = duration)]
    max_clock_error: Option<Duration>,
    /// Where the bound on the clock's error comes from [default: clock-bound with --clock-bound, else kernel]
    ///
    /// While ClockBound gives no bound, nowd uses the kernel's. While Amazon ECS states none, the last bound grows by 50 µs a
    /// second, and after an hour it is unknown.
    #[arg(long, env = "NOWD_CLOCK_SOURCE", help_heading = CLOCK, value_name = "SOURCE", value_enum)]
    clock_source: Option<ClockSourceName>,
    /// Read the bound on the clock's error from ClockBound at this path
    ///
    /// A directory, such as /var/run/clockbound, or a file in it. If the directory holds shm1 (ClockBound 3) and shm0, nowd
    /// uses shm1. While the files are missing or out of date, nowd uses the kernel's bound.
    #[arg(long, env = "NOWD_CLOCK_BOUND", help_heading = CLOCK, value_name = "PATH")]
    clock_bound: Option<PathBuf>,
    /// How long to keep serving after SIGTERM
    ///
    /// Set it longer than the load balancer takes to notice that /readyz answers 503. Requests in flight then get 10 s more.
    /// Set the supervisor's kill timeout longer than both together (docker stop waits for 10 s without --timeout).
    #[arg(
        long,
        env = "NOWD_DRAIN_DELAY", help_heading = STOPPING,
        value_name = "DURATION",
        value_parser = duration,
        default_value = "5s"
    )]
    drain_delay: Duration,
    /// The format of log lines on standard error
    #[arg(long, env = "NOWD_LOG", help_heading = LOGS, value_name = "FORMAT", value_enum, default_value = "text")]
    log: LogFormat,
    /// Write one JSON object per request to standard output
    #[arg(
        long,
        env = "NOWD_ACCESS_LOG", help_heading = LOGS,
        action = ArgAction::SetTrue,
        value_parser = BoolishValueParser::new()
    )]
    access_log: bool,
    /// Write a line of metrics to standard output once a minute: clock error, requests, durations
    #[arg(long, env = "NOWD_METRICS", help_heading = LOGS, value_name = "FORMAT", value_enum)]
    metrics: Option<MetricsFormat>,
    /// The dimension `Environment` of those metrics, which names the deployment
    #[arg(
        long,
        env = "NOWD_METRICS_ENVIRONMENT", help_heading = LOGS,
        value_name = "NAME",
        default_value = "nowd",
        value_parser = dimension
    )]
    metrics_environment: String,
}

#[derive(Debug, Args)]
struct ListenArgs {
    /// Address and port to listen on; repeat it for several, or separate them by commas
    ///
    /// A port alone, such as 8080 or :8080, means all IPv4 addresses. With port 0 the system chooses a port, and the first
    /// log line names it. An IPv6 address accepts IPv6 only.
    #[arg(
        long,
        env = "NOWD_LISTEN", help_heading = LISTENING,
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
    /// Check whether the nowd of this machine is alive; exit with 0 if it is, else with 1
    ///
    /// For containers without a shell. It asks /healthz at all addresses of --listen at once, and succeeds if all of them
    /// answer 200 within two seconds. It reads no other setting. With --ready it asks /readyz instead, which also fails while
    /// nowd drains and while the clock is worse than --max-clock-error. Do not restart containers because of /readyz: if the
    /// time servers of a site fail, none of them is ready.
    Healthcheck {
        /// Check whether it is ready, not only alive
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
            "--clock-bound (or NOWD_CLOCK_BOUND) needs '--clock-source clock-bound'. Remove --clock-bound, or use that \
             source",
        )),
    }
}

/// The cores that this process may use.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests;
