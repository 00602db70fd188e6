//! The whole command line: a check, or one of the other commands.

#[cfg(all(test, feature = "watch"))]
mod completions;
#[cfg(test)]
mod man_page;
#[cfg(feature = "watch")]
pub(crate) mod report;
#[cfg(feature = "watch")]
pub(crate) mod watch;

use clap::{Parser, Subcommand};

use crate::arguments::Arguments;

const AFTER_HELP: &str = "\
Exit codes:
  0  OK        proven: up, and the clock is within --max-offset
  1  WARNING   the clock is within --max-offset, but not proven to be within --warn-offset;
               or it agrees with this machine's clock, but nothing vouches for that clock
               (reference_not_vouched_for)
  2  CRITICAL  down, or the clock is off by more than --max-offset
  3  UNKNOWN   nothing can be proven (the output says why), or the usage is wrong

How the verdict is proven:
  The true offset is in the interval that is shown, whatever the network did. The verdict
  depends on that interval alone.

  The reference is this machine's clock, with the error bound that its kernel reports. With
  --reference ntp:HOST, the reference is what time servers agree on. This machine's clock does
  not matter then.

  Without time synchronization, the kernel vouches for nothing, and the result cannot be OK. To
  get an OK, synchronize this machine's clock, name time servers, or add --trust-system-clock if
  the clock is known to be right.

Durations:
  a number with its unit (500ms, 1s, 2m), or a number of seconds (0.5)

Examples:
  nowcheck http://time.example                        ask /now once
  nowcheck http://time.example --every 30s            ask forever, one line per round
  nowcheck https://api.example/v1/clock --field data.now
  nowcheck https://www.example --field header:date --max-offset 2s   any web server
  nowcheck http://time.example --reference ntp:ntp1.example --reference ntp:ntp2.example \\
      --reference ntp:ntp3.example                    three references, one may be wrong
  nowcheck http://time.example --expect-backends 4    fewer than four are CRITICAL
  nowcheck -H time.example -p 8080 -w 0.5 -c 1 --output nagios   as a monitoring plugin
  nowcheck http://time.example --quiet                from cron: prints only what is not OK";

/// Proves that a service is up and that its clock is right.
#[derive(Debug, Parser)]
#[command(name = "nowcheck", version = env!("VERSION_WITH_COMMIT"), about, after_help = AFTER_HELP, max_term_width = 100)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct CommandLine {
    #[command(flatten)]
    pub(crate) check: Arguments,

    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What the program does.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check once, or once per period with --every. This is the default without a command.
    #[command(after_help = AFTER_HELP)]
    Check(Box<Arguments>),

    /// Monitor services until stopped: measure, store, show and alert.
    #[cfg(feature = "watch")]
    #[command(after_help = watch::AFTER_HELP)]
    Watch(watch::WatchArguments),

    /// Send a test message to an alert receiver.
    #[cfg(feature = "watch")]
    Alert {
        #[command(subcommand)]
        command: watch::AlertCommand,
    },

    /// Report on the history as a page, a drawing, a table or JSON. It also works while the monitor runs.
    #[cfg(feature = "watch")]
    #[command(after_help = report::AFTER_HELP)]
    Report(report::ReportArguments),

    /// Check a configuration file, or print an example or the schema.
    #[cfg(feature = "watch")]
    Config {
        #[command(subcommand)]
        command: watch::ConfigCommand,
    },
}

/// What clap says of a wrong command line, in one line.
#[must_use]
pub(crate) fn in_one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let lines = text.lines().take_while(|line| !line.starts_with("Usage:"));
    // Tips on how to pass a flag as a value do not help whoever mistyped one.
    let is_noise = |line: &&str| line.starts_with("For more information") || line.contains("as a value, use");
    let said: Vec<&str> =
        lines.filter(|line| !is_noise(line)).map(str::trim).filter(|line| !line.is_empty()).collect();
    let said = said.join("; ").replace(":; ", ": ");
    format!("{}; see `nowcheck --help`", said.strip_prefix("error: ").unwrap_or(&said))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn a_usage_error_is_one_line_that_hints_at_the_help() {
        for arguments in [
            &["nowcheck", "--nonsense", "http://x"][..],
            &["nowcheck"],
            &["nowcheck", "--max-offset=-1", "http://x"],
        ] {
            let error = CommandLine::try_parse_from(arguments).unwrap_err();
            let line = in_one_line(&error);
            assert!(!line.contains('\n') && line.contains("--help") && !line.starts_with("error"), "{line}");
        }
    }
}
