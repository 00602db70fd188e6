//! The command line, as it is typed. [`crate::invocation`] makes sense of it.

mod ip_version;
mod plugin;
mod presentation;
mod reference;
pub(crate) mod values;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use values::{FormatArgument, FormatParser, duration, duration_or_zero, greatest_offset, probability};

/// The headings of `--help`. Flags appear under them in the order in which they stand here.
pub(crate) mod heading {
    pub(crate) const TARGET: &str = "Target";
    pub(crate) const TLS: &str = "TLS and credentials";
    pub(crate) const VERDICT: &str = "Verdict";
    pub(crate) const ANSWER: &str = "Reading the answer";
    pub(crate) const REFERENCES: &str = "References";
    pub(crate) const BALANCERS: &str = "Balancers";
    pub(crate) const ROUNDS: &str = "Rounds";
    pub(crate) const OUTPUT: &str = "Output";
}

/// The flags of a check.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The service to check. A host alone means http, and a URL without a path means /now (the root with `--field
    /// header:NAME`). Every address of the name is checked. Credentials in `http://USER:PASSWORD@HOST` are sent as Basic
    /// authentication and never printed. --user-file keeps them out of the process list too.
    #[arg(required_unless_present = "hostname", value_name = "URL")]
    pub(crate) urls: Vec<String>,

    #[command(flatten)]
    pub(crate) plugin: plugin::PluginArguments,

    /// Check this address of HOST instead of the addresses in the DNS. Repeat it for several addresses.
    #[arg(long = "resolve", value_name = "HOST:ADDR", help_heading = heading::TARGET)]
    pub(crate) resolve: Vec<String>,

    #[command(flatten)]
    pub(crate) ip: ip_version::IpVersionArguments,

    /// Follow up to five redirects, and judge the service that they lead to.
    #[arg(long, help_heading = heading::TARGET)]
    pub(crate) follow: bool,

    /// Trust the certificate authorities in this PEM file too.
    #[arg(long, value_name = "FILE", help_heading = heading::TLS)]
    pub(crate) ca_file: Option<PathBuf>,

    /// Present this client certificate if the server asks for one (PEM, followed by the certificates of its authorities).
    /// It is not sent to another server after a redirect.
    #[arg(long, value_name = "FILE", help_heading = heading::TLS)]
    pub(crate) cert: Option<PathBuf>,

    /// The private key of --cert (PEM, not encrypted).
    #[arg(long, value_name = "FILE", help_heading = heading::TLS)]
    pub(crate) key: Option<PathBuf>,

    /// Do not verify certificates. Anybody on the way can then answer instead of the server. A note says so.
    #[arg(long, help_heading = heading::TLS)]
    pub(crate) insecure: bool,

    /// Send this header with each request. Repeat it for several headers. It is not sent to another server after a redirect.
    #[arg(long = "header", value_name = "NAME: VALUE", help_heading = heading::TLS)]
    pub(crate) headers: Vec<String>,

    /// Read Basic credentials from this file: one line, user:password. They are not sent to another server after a redirect.
    #[arg(long, value_name = "FILE", help_heading = heading::TLS)]
    pub(crate) user_file: Option<PathBuf>,

    /// A clock that is off by more than this is CRITICAL. Exactly this is OK.
    #[arg(
        short = 'c',
        long,
        visible_alias = "critical",
        value_name = "DURATION",
        allow_hyphen_values = true,
        help_heading = heading::VERDICT
    )]
    #[arg(default_value = "1s", value_parser = greatest_offset)]
    pub(crate) max_offset: Duration,

    /// A clock that is not proven to be within this is a WARNING.
    #[arg(short = 'w', long, visible_alias = "warning", value_name = "DURATION", allow_hyphen_values = true)]
    #[arg(value_parser = greatest_offset, help_heading = heading::VERDICT)]
    pub(crate) warn_offset: Option<Duration>,

    /// Where the answer holds the time: a member of the JSON body (`a.b.c`), a JSON Pointer (`/a/b`; empty for the whole
    /// document), `header:NAME`, or `body`. Default: nowd's `datetime`, else `current_time`.
    #[arg(long, value_name = "WHERE", help_heading = heading::ANSWER)]
    pub(crate) field: Option<String>,

    /// The format of the time: one of the names below, or a strptime pattern such as `%d.%m.%Y %H:%M:%S`.
    #[arg(long, value_name = "FORMAT|PATTERN", value_parser = FormatParser, default_value = "auto")]
    #[arg(help_heading = heading::ANSWER)]
    pub(crate) format: FormatArgument,

    /// The time zone of times that do not state theirs, such as Europe/Madrid. In the hour that is repeated at the end of
    /// summer time, nowcheck takes the reading that is nearer to the reference.
    #[arg(long, value_name = "NAME", help_heading = heading::ANSWER)]
    pub(crate) zone: Option<String>,

    /// How long the server may keep sending an old `Date` header (with `--field header:date`). Some servers renew it once
    /// a second. Use 0s if this server is known to renew it in time; otherwise it can hardly prove a limit of one second.
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true, help_heading = heading::ANSWER)]
    #[arg(default_value = "1s", value_parser = duration_or_zero)]
    pub(crate) date_cache: Duration,

    #[command(flatten)]
    pub(crate) reference: reference::ReferenceArguments,

    /// Fewer different instances than this behind a URL are CRITICAL. The answers have to name their `instance`.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=100))]
    #[arg(help_heading = heading::BALANCERS)]
    pub(crate) expect_backends: Option<u16>,

    /// Open new connections until the chance of having missed a backend is at most this.
    #[arg(long, value_name = "P", default_value = "1%", value_parser = probability)]
    #[arg(help_heading = heading::BALANCERS)]
    pub(crate) miss_probability: f64,

    /// The most connections at a time. A service that accepts fewer gets fewer, down to one.
    #[arg(long, value_name = "N", default_value_t = 8, help_heading = heading::BALANCERS)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) connections: u32,

    /// Requests on each connection. More requests make the bound on the offset narrower. A service that is slow, or that
    /// limits requests, gets fewer.
    #[arg(long, value_name = "N", default_value_t = 2, help_heading = heading::ROUNDS)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) samples: u32,

    /// The most that a whole round may take. A server that is silent for the last quarter of it counts as down. Default:
    /// 10s, or 8s with --output nagios, because NRPE gives up after 10s.
    #[arg(short = 't', long, value_name = "DURATION", allow_hyphen_values = true, value_parser = duration)]
    #[arg(help_heading = heading::ROUNDS)]
    pub(crate) timeout: Option<Duration>,

    /// Repeat forever, one round per DURATION. Ctrl-C prints a summary and exits with the worst status seen. At least 16s
    /// with time servers that may be somebody else's.
    #[arg(long, value_name = "DURATION", value_parser = duration, allow_hyphen_values = true)]
    #[arg(help_heading = heading::ROUNDS)]
    pub(crate) every: Option<Duration>,

    #[command(flatten)]
    pub(crate) presentation: presentation::PresentationArguments,
}
