//! The arguments of the commands of the monitor.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum, ValueHint};

use crate::arguments::heading;
use crate::arguments::values::duration;
use crate::config_source::ConfigSource;

pub(super) const AFTER_HELP: &str = "\
Examples:
  nowcheck watch http://time.example https://api.example/now    the dashboard is at http://127.0.0.1:9464/
  nowcheck watch --config nowcheck.toml                         what the file lists
  nowcheck config example > nowcheck.toml                       a file to start from
  nowcheck alert test night --config nowcheck.toml              a test message

Signals:
  SIGHUP   reload the file. A change of its content does the same
  SIGTERM  write what is queued, then exit within a second";

/// What is watched, and where the results go.
#[derive(Debug, Args)]
pub(crate) struct WatchArguments {
    /// Watch these URLs with the default settings. Without any, the dashboard says how to begin.
    #[arg(value_name = "URL")]
    pub(crate) urls: Vec<String>,

    /// Watch what this file lists. `nowcheck config example` prints one with every key. With `env:NAME`, the text of
    /// the file is in the environment variable NAME.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::AnyPath, conflicts_with_all = ["urls", "every", "listen", "history", "trust_system_clock"])]
    #[arg(help_heading = heading::TARGET)]
    pub(crate) config: Option<ConfigSource>,

    /// Check each URL once per DURATION.
    #[arg(help_heading = heading::ROUNDS)]
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "30s")]
    pub(crate) every: Duration,

    /// Serve the dashboard, the API and the metrics at this address.
    #[arg(help_heading = heading::OUTPUT)]
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:9464")]
    pub(crate) listen: SocketAddr,

    /// Keep the history in this file, or nowhere with `none`. Default: nowcheck.db in `$STATE_DIRECTORY`,
    /// `$XDG_STATE_HOME/nowcheck` or `~/.local/state/nowcheck`.
    #[arg(long, value_name = "FILE", help_heading = heading::OUTPUT)]
    pub(crate) history: Option<PathBuf>,

    /// Take this machine's clock to be right, even if its kernel does not vouch for it.
    #[arg(long, help_heading = heading::REFERENCES)]
    pub(crate) trust_system_clock: bool,

    /// The format of log lines.
    #[arg(long, value_enum, default_value_t = LogFormat::Text, help_heading = heading::OUTPUT)]
    pub(crate) log: LogFormat,
}

/// How changes are logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// One line per change, for people.
    Text,
    /// One JSON object per line.
    Json,
}

/// What is done with a configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check a file and print each error with its line. The exit code is 3 if there is an error.
    Check {
        /// The file, or env:NAME.
        #[arg(value_hint = ValueHint::AnyPath)]
        file: ConfigSource,
    },
    /// Print the JSON Schema of the file.
    Schema,
    /// Print a commented file with every key.
    Example,
}

/// What is done with an alert.
#[derive(Debug, Subcommand)]
pub(crate) enum AlertCommand {
    /// Send one test message and print the result. The exit code is 3 if the message was not accepted.
    Test {
        /// The name of the alert.
        name: String,

        /// The file that lists it, or env:NAME.
        #[arg(long, value_name = "FILE", value_hint = ValueHint::AnyPath, default_value = "nowcheck.toml")]
        config: ConfigSource,
    },
}
