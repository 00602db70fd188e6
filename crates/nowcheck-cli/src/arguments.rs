//! The command line, as it is typed. [`crate::invocation`] makes sense of it.

mod ip_version;
#[cfg(test)]
mod man_page;
mod plugin;
mod presentation;
mod reference;
mod values;

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use values::{FormatArgument, FormatParser, duration, duration_or_zero, greatest_offset, probability};

const AFTER_HELP: &str = "\
Exit codes:
  0  OK        proven: up, and the clock is within --max-offset
  1  WARNING   up, and the clock is within --max-offset, but not proven to be within --warn-offset;
               or it agrees with this machine's clock, and nothing vouches for that one
               (reference_not_vouched_for)
  2  CRITICAL  down, or the clock is off by more than --max-offset
  3  UNKNOWN   nothing can be proven (the outcome says why); also wrong usage

The verdict is a proof: the offset lies in the interval that is shown, whatever the network
did. The reference is this machine's clock, with the error bound that its kernel admits;
with --reference ntp:HOST it is what time servers say, and this machine's clock does not matter.
Without time synchronization the kernel vouches for nothing, so nothing is OK: synchronize this
machine's clock, name a time server, or say --trust-system-clock if the clock is known to be right.

Durations:
  a number with its unit (500ms, 1s, 2m), or a number of seconds (0.5)

Examples:
  nowcheck http://time.example                        ask /now once
  nowcheck http://time.example --every 30s            ask for ever, one line a round
  nowcheck https://api.example/v1/clock --field data.now
  nowcheck https://www.example --field header:date --max-offset 2s   any web server
  nowcheck http://time.example --reference ntp:ntp1.example --reference ntp:ntp2.example \\
      --reference ntp:ntp3.example                    three references, one may be wrong
  nowcheck http://time.example --expect-backends 4    fewer than four are CRITICAL
  nowcheck -H time.example -p 8080 -w 0.5 -c 1 --output nagios   as a monitoring plugin
  nowcheck http://time.example --quiet                from cron: prints only what is not OK";

/// Proves that a service is up and that its clock is right.
#[derive(Debug, Parser)]
#[command(name = "nowcheck", version, about, after_help = AFTER_HELP, max_term_width = 100)]
pub(crate) struct Arguments {
    /// What to check; a URL without a path means /now (the root, with `--field header:NAME`), a host alone means http.
    /// Every address of its name is checked. `http://USER:PASSWORD@HOST` sends them as Basic credentials and shows
    /// neither; --user-file keeps them out of the list of processes too.
    #[arg(required_unless_present = "hostname", value_name = "URL")]
    pub(crate) urls: Vec<String>,

    /// A clock that is off by more than this is CRITICAL; exactly this is OK.
    #[arg(
        short = 'c',
        long,
        visible_alias = "critical",
        value_name = "DURATION",
        allow_hyphen_values = true
    )]
    #[arg(default_value = "1s", value_parser = greatest_offset)]
    pub(crate) max_offset: Duration,

    /// A clock that is not proven to be within this is a WARNING.
    #[arg(short = 'w', long, visible_alias = "warning", value_name = "DURATION", allow_hyphen_values = true)]
    #[arg(value_parser = greatest_offset)]
    pub(crate) warn_offset: Option<Duration>,

    /// The most that a whole round may take. A server that is silent for its last quarter is down. Default: 10s, or 8s
    /// with --output nagios, because NRPE gives up after 10.
    #[arg(short = 't', long, value_name = "DURATION", allow_hyphen_values = true, value_parser = duration)]
    pub(crate) timeout: Option<Duration>,

    /// Requests on each connection, at least: more of them make the bound on the offset narrower.
    #[arg(long, value_name = "N", default_value_t = 2)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) samples: u32,

    /// The most connections side by side. A service that takes fewer is asked over fewer, down to one.
    #[arg(long, value_name = "N", default_value_t = 8)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) connections: u32,

    /// Where the time stands in the answer: a member of the JSON body (`a.b.c`), a JSON Pointer (`/a/b`; empty for the
    /// whole document), `header:NAME`, or `body`. Default: nowd's `datetime`, else `current_time`.
    #[arg(long, value_name = "WHERE")]
    pub(crate) field: Option<String>,

    /// How the time is written: one of the names below, or a pattern of strptime such as `%d.%m.%Y %H:%M:%S`.
    #[arg(long, value_name = "FORMAT|PATTERN", value_parser = FormatParser, default_value = "auto")]
    pub(crate) format: FormatArgument,

    /// The time zone of times that do not say theirs, such as Europe/Madrid. In the hour that is repeated at the
    /// end of summer time, the reading nearer to the reference is taken.
    #[arg(long, value_name = "NAME")]
    pub(crate) zone: Option<String>,

    /// How long the server may go on sending an old `Date` header (with `--field header:date`): some
    /// renew it once a second by a timer of their own. 0s for one that is known not to; otherwise a Date can
    /// hardly prove a limit of one second.
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    #[arg(default_value = "1s", value_parser = duration_or_zero)]
    pub(crate) date_cache: Duration,

    #[command(flatten)]
    pub(crate) reference: reference::ReferenceArguments,

    /// Fewer different instances than this behind a URL are CRITICAL (for answers that name their `instance`).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=100))]
    pub(crate) expect_backends: Option<u16>,

    /// The chance of having missed a backend that is small enough: fresh connections are opened until then.
    #[arg(long, value_name = "P", default_value = "1%", value_parser = probability)]
    pub(crate) miss_probability: f64,

    /// Check this address of a name instead of those that the DNS tells; repeat it for several.
    #[arg(long = "resolve", value_name = "HOST:ADDR")]
    pub(crate) resolve: Vec<String>,

    #[command(flatten)]
    pub(crate) ip: ip_version::IpVersionArguments,

    /// Follow redirects (five at the most) and judge what they lead to.
    #[arg(long)]
    pub(crate) follow: bool,

    /// Trust the authorities in this PEM file as well as those that this machine trusts.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,

    /// Show this certificate (PEM, with those of its authorities behind it) to a server that asks for one. Other servers,
    /// to which redirects lead, do not get to see it.
    #[arg(long, value_name = "FILE")]
    pub(crate) cert: Option<PathBuf>,

    /// The key of --cert (PEM, not encrypted).
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,

    /// Do not verify the certificates of servers: anybody on the way can answer. A note says so.
    #[arg(long)]
    pub(crate) insecure: bool,

    /// Send this header too; repeat it for several. Other servers, to which redirects lead, do not get it.
    #[arg(long = "header", value_name = "NAME: VALUE")]
    pub(crate) headers: Vec<String>,

    /// Authenticate (Basic) by what stands in this file: one line, user:password. Other servers, to which redirects lead, do
    /// not get it.
    #[arg(long, value_name = "FILE")]
    pub(crate) user_file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) presentation: presentation::PresentationArguments,

    /// Repeat for ever, a round each DURATION; Ctrl-C ends with a summary and the worst status seen. 16s or more with time
    /// servers that may be somebody else's.
    #[arg(long, value_name = "DURATION", value_parser = duration, allow_hyphen_values = true)]
    pub(crate) every: Option<Duration>,

    // The last ones, because clap puts all that follows under their heading.
    #[command(flatten)]
    pub(crate) plugin: plugin::PluginArguments,
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
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_usage_error_is_one_line_that_hints_at_the_help() {
        for arguments in [
            &["nowcheck", "--nonsense", "http://x"][..],
            &["nowcheck"],
            &["nowcheck", "--max-offset=-1", "http://x"],
        ] {
            let error = Arguments::try_parse_from(arguments).unwrap_err();
            let line = in_one_line(&error);
            assert!(!line.contains('\n') && line.contains("--help") && !line.starts_with("error"), "{line}");
        }
    }
}
