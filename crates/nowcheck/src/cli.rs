//! The command line, as it is typed. [`crate::invocation`] makes sense of it.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use jiff::SignedDuration;

use crate::time_format::Format;

const AFTER_HELP: &str = "\
Exit codes:
  0  OK        up, and the clock is proven to be within --max-offset
  1  WARNING   within --max-offset, but not proven to be within --warn-offset
  2  CRITICAL  down, or the clock is proven to be off by more
  3  UNKNOWN   nothing can be proven (the outcome says why); also wrong usage

The verdict is a proof: the offset lies in the interval that is shown, whatever the network
did. The reference is this machine's clock, with the error bound that its kernel admits;
with --reference ntp:HOST it is what time servers say, and this machine's clock does not matter.

Examples:
  nowcheck http://time.example                        ask /now once
  nowcheck http://time.example --every 30s            ask for ever, one line a round
  nowcheck https://api.example/v1/clock --field data.now
  nowcheck https://www.example --field header:date --max-offset 2s   any web server
  nowcheck http://time.example --reference ntp:ntp1.example --reference ntp:ntp2.example \\
      --reference ntp:ntp3.example                    three references, one may be wrong
  nowcheck http://time.example --expect-backends 4    fewer than four are CRITICAL";

/// Proves that a service is up and that its clock is right.
#[derive(Debug, Parser)]
#[command(version, about, after_help = AFTER_HELP, max_term_width = 100)]
pub struct Cli {
    /// What to check; a URL without a path means /now (the root, with `--field header:NAME`). Every address of
    /// its name is checked.
    #[arg(required = true, value_name = "URL")]
    pub urls: Vec<String>,

    /// A clock that is off by more than this is CRITICAL; exactly this is OK.
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration, allow_hyphen_values = true)]
    pub max_offset: Duration,

    /// A clock that is not proven to be within this is a WARNING.
    #[arg(long, value_name = "DURATION", value_parser = duration, allow_hyphen_values = true)]
    pub warn_offset: Option<Duration>,

    /// The most that a whole round may take. A server that is silent for its last quarter is down.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration, allow_hyphen_values = true)]
    pub timeout: Duration,

    /// Requests on each connection, at least: more of them make the bound on the offset narrower.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub samples: u32,

    /// Where the time stands in the answer: a member of the JSON body (`a.b.c`), a JSON Pointer (`/a/b`), `header:NAME`,
    /// or `body`. Default: nowd's `datetime`, else `current_time`.
    #[arg(long, value_name = "WHERE")]
    pub field: Option<String>,

    /// How the time is written.
    #[arg(long, value_enum, default_value_t = Format::Auto)]
    pub format: Format,

    /// How long the server may go on sending an old `Date` header (with `--field header:date`): some
    /// renew it once a second by a timer of their own. 0s for one that is known not to; otherwise a Date can
    /// hardly prove a limit of one second.
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration_or_zero, allow_hyphen_values = true)]
    pub date_cache: Duration,

    /// What the clock is compared with: `system`, this machine's clock, or `ntp:HOST[:PORT]`, a time server. Repeat it for
    /// several: most of them have to agree, and one that does not is named. A time server is asked in each round.
    #[arg(long = "reference", value_name = "system|ntp:HOST[:PORT]", default_value = "system")]
    pub references: Vec<String>,

    /// Leave nothing to trust: UNKNOWN when nobody vouches for this machine's clock (as the reference), or when
    /// fewer than most of the references answered.
    #[arg(long)]
    pub strict: bool,

    /// Fewer different instances than this behind a URL are CRITICAL (for answers that name their `instance`).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=100))]
    pub expect_backends: Option<u16>,

    /// The chance of having missed a backend that is small enough: fresh connections are opened until then.
    #[arg(long, value_name = "P", default_value = "1%", value_parser = probability)]
    pub miss_probability: f64,

    /// Check this address of a name instead of those that the DNS tells; repeat it for several.
    #[arg(long = "resolve", value_name = "HOST:ADDR")]
    pub resolve: Vec<String>,

    /// Follow redirects (five at the most) and judge what they lead to.
    #[arg(long)]
    pub follow: bool,

    /// Trust the authorities in this PEM file as well as those that this machine trusts.
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,

    /// What to print.
    #[arg(long, value_enum, default_value_t = Output::Human)]
    pub output: Output,

    /// Repeat for ever, a round each DURATION; Ctrl-C ends with a summary and the worst status seen. 16s or more with time
    /// servers that may be somebody else's.
    #[arg(long, value_name = "DURATION", value_parser = duration, allow_hyphen_values = true)]
    pub every: Option<Duration>,
}

/// The format of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Human,
    /// One JSON object a round, on one line.
    Json,
    /// A monitoring plugin's line, with performance data.
    Nagios,
}

/// `1%` or `0.01`: more than 0 and at most a half.
fn probability(text: &str) -> Result<f64, String> {
    let (number, scale) = text.strip_suffix('%').map_or((text, 1.0), |percent| (percent, 100.0));
    let value = number.trim().parse::<f64>().map(|value| value / scale);
    match value {
        // Below that a round would open thousands of connections.
        Ok(value) if (0.000_001..=0.5).contains(&value) => Ok(value),
        _ => Err("write a probability from 0.0001% to 50%, such as 1% or 0.01".to_owned()),
    }
}

/// Longer than any sensible setting, and short enough that sums of instants stay in range.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3_600);

/// `500ms`, `1.5s`, `2m`; more than zero.
fn duration(text: &str) -> Result<Duration, String> {
    match duration_or_zero(text)? {
        Duration::ZERO => Err("must be more than zero".to_owned()),
        duration => Ok(duration),
    }
}

/// A bare number is refused: whoever means milliseconds would get a limit that never fires.
fn duration_or_zero(text: &str) -> Result<Duration, String> {
    let advice = "write a number with its unit, such as 500ms, 1s or 2m";
    if text.trim_start().starts_with('-') {
        return Err(format!("must not be negative; {advice}"));
    }
    let signed: SignedDuration = text.parse().map_err(|_| advice.to_owned())?;
    let duration = Duration::try_from(signed).map_err(|_| format!("must not be negative; {advice}"))?;
    if duration > LONGEST { Err("is more than a year".to_owned()) } else { Ok(duration) }
}

/// What clap says of a wrong command line, in one line.
#[must_use]
pub fn in_one_line(error: &clap::Error) -> String {
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
        Cli::command().debug_assert();
    }

    #[test]
    fn durations_are_read_with_their_unit() {
        for (text, millis) in
            [("1s", 1_000), ("500ms", 500), ("1.5s", 1_500), ("2m", 120_000), ("1m 30s", 90_000)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        assert!(duration("-1").unwrap_err().contains("negative"));
        assert!(duration("-1s").unwrap_err().contains("negative"));
        assert!(duration("soon").unwrap_err().contains("500ms"));
        assert!(duration("0s").unwrap_err().contains("more than zero"));
        assert!(duration("500").unwrap_err().contains("number with its unit"));
        assert_eq!(duration_or_zero("0s"), Ok(Duration::ZERO));
        for text in ["NaN", "inf", "1e300", "9999y", ""] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_probability_is_a_fraction_or_a_percentage() {
        assert_eq!(probability("1%"), probability("0.01"));
        assert_eq!(probability("0.1 %"), Ok(0.001));
        for text in ["0", "0%", "60%", "1", "-1%", "NaN", "inf", "", "%", "one"] {
            assert!(probability(text).unwrap_err().contains("1%"), "{text}");
        }
    }

    #[test]
    fn a_usage_error_is_one_line_that_hints_at_the_help() {
        for arguments in [
            &["nowcheck", "--nonsense", "http://x"][..],
            &["nowcheck"],
            &["nowcheck", "--max-offset=-1", "http://x"],
        ] {
            let error = Cli::try_parse_from(arguments).unwrap_err();
            let line = in_one_line(&error);
            assert!(!line.contains('\n') && line.contains("--help") && !line.starts_with("error"), "{line}");
        }
    }
}
