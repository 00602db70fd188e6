//! The flags and their environment variables, with the help text, and how they become [`Settings`].

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use crate::settings::flag_values::{address, dimension, duration, seconds};
use crate::settings::{ClientLimits, Command, Healthcheck, LogFormat, Settings};

/// The form of metric lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum MetricsFormat {
    /// Amazon's embedded metric format
    Emf,
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
  commas; an empty variable is none. No other variable is read, and no file but that
  of --clock-bound.

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
/// Answers GET /now with JSON: the time to the nanosecond, and the kernel's own bound on the error of its clock.
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
    /// Take the bound on the clock's error from ClockBound, which shares it at this path, when it is there
    ///
    /// Such as /var/run/clockbound/shm0. While it is missing or out of date the kernel is asked, as without this flag.
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

impl From<Cli> for Command {
    fn from(cli: Cli) -> Self {
        match cli.command {
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
                clock_bound: cli.clock_bound,
                drain_delay: cli.drain_delay,
                log: cli.log,
                access_log: cli.access_log,
                metrics: cli.metrics.map(|MetricsFormat::Emf| cli.metrics_environment),
            }),
        }
    }
}

/// The cores that this process may use.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
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

    /// The man page: clap's own sections, and what follows the help as sections of its own.
    fn man_page() -> std::io::Result<String> {
        use std::io::Write as _;
        let man = clap_mangen::Man::new(Cli::command()).date("");
        let mut page = Vec::new();
        man.render_title(&mut page)?;
        man.render_name_section(&mut page)?;
        man.render_synopsis_section(&mut page)?;
        man.render_description_section(&mut page)?;
        man.render_options_section(&mut page)?;
        writeln!(page, ".SH COMMANDS")?;
        for command in Cli::command().get_subcommands() {
            let about = command.get_long_about().or(command.get_about()).unwrap_or_default();
            writeln!(page, ".TP\n\\fB{}\\fR\n{about}", command.get_name())?;
        }
        for section in AFTER_HELP.split("\n\n") {
            let (title, lines) = section.split_once(":\n").unwrap_or(("NOTES", section));
            let lines = lines.replace('\\', "\\e").replace('-', "\\-");
            writeln!(page, ".SH {}\n.nf\n{lines}\n.fi", title.to_uppercase())?;
        }
        Ok(String::from_utf8_lossy(&page).into_owned())
    }

    #[test]
    fn the_man_page_is_up_to_date() {
        // UPDATE_EXPECT=1 writes it anew.
        expect_test::expect_file!["../../../../docs/man/nowd.1"].assert_eq(&man_page().unwrap());
    }

    #[test]
    fn every_flag_arrives_in_the_settings() {
        let settings = serve(&[
            "--listen=127.0.0.1:1, [::1]:2",
            "--listen=127.0.0.2:3",
            "--threads=3",
            "--admin-listen=127.0.0.1:9",
            "--max-connections=5",
            "--max-head-bytes=10000",
            "--max-headers=20",
            "--head-timeout=3s",
            "--idle-timeout=2m",
            "--max-clock-error=50ms",
            "--clock-bound=/var/run/clockbound/shm0",
            "--drain-delay=1m 30s",
            "--log=json",
            "--access-log",
            "--metrics=emf",
            "--metrics-environment=staging",
        ]);
        let expected = Settings {
            listen: ["127.0.0.1:1", "[::1]:2", "127.0.0.2:3"].map(|a| a.parse().unwrap()).to_vec(),
            threads: 3,
            admin_listen: Some("127.0.0.1:9".parse().unwrap()),
            limits: ClientLimits {
                connections: 5,
                head_bytes: 10_000,
                headers: 20,
                head_seconds: 3,
                idle_seconds: 120,
            },
            max_clock_error: Some(Duration::from_millis(50)),
            clock_bound: Some("/var/run/clockbound/shm0".into()),
            drain_delay: Duration::from_secs(90),
            log: LogFormat::Json,
            access_log: true,
            metrics: Some("staging".to_owned()),
        };
        assert_eq!(settings, expected);
        let usual = serve(&[]);
        assert_eq!((usual.metrics, usual.admin_listen, usual.access_log), (None, None, false));
        let limits = usual.limits;
        assert_eq!((limits.connections, limits.head_bytes, limits.headers), (10_000, 16_384, 100));
        assert_eq!((limits.head_seconds, limits.idle_seconds), (10, 75));
    }

    #[test]
    fn a_value_that_is_not_understood_is_answered_with_one_that_would_be() {
        for (arguments, advice) in [
            (["--listen", "80800"], "ports go from 1 to 65535"),
            (["--listen", "127.0.0.1:80,"], "such as 8080, 0.0.0.0:8080 or [::]:8080"),
            (["--listen", "localhost:8080"], "such as 8080, 0.0.0.0:8080 or [::]:8080"),
            (["--drain-delay", "5"], "such as 50ms, 5s or 1m 30s"),
            (["--max-clock-error", "soon"], "such as 50ms, 5s or 1m 30s"),
            (["--threads", "0"], "1..=1024"),
            (["--admin-listen", "::9090"], "such as 8080, 0.0.0.0:8080 or [::]:8080"),
            (["--max-connections", "0"], "1..=1000000"),
            (["--max-head-bytes", "100"], "8192..=1048576"),
            (["--max-headers", "1"], "16..=1000"),
            (["--head-timeout", "0s"], "from 1s to 1h, such as 75s"),
            (["--head-timeout", "2h"], "from 1s to 1h, such as 75s"),
            (["--idle-timeout", "1500ms"], "from 1s to 1h, such as 75s"),
            (["--log", "xml"], "text, json"),
            (["--metrics-environment", ""], "such as staging"),
            (["--metrics-environment", "a\nb"], "such as staging"),
        ] {
            let error = parse(&arguments).unwrap_err();
            assert!(error.contains(advice) && error.contains(arguments[0]), "{error}");
        }
    }

    #[test]
    fn the_health_check_takes_its_address_before_or_after_its_name() {
        let expected = |checks_readiness| {
            Command::Healthcheck(Healthcheck {
                addresses: vec!["127.0.0.1:9".parse().unwrap()],
                checks_readiness,
            })
        };
        assert_eq!(parse(&["healthcheck", "--listen", "127.0.0.1:9"]).unwrap(), expected(false));
        assert_eq!(parse(&["--listen", "127.0.0.1:9", "healthcheck", "--ready"]).unwrap(), expected(true));
    }
}
