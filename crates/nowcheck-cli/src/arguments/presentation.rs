//! The flags that say what is printed.

use clap::{ArgAction, Args};

use crate::charset::Charset;
use crate::output::{Output, Presentation};

/// `--output`, and what goes with it.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct PresentationArguments {
    /// What to print.
    #[arg(long, value_enum, default_value_t = Output::Human)]
    pub(crate) output: Output,

    /// With --output nagios: print the details as well, on further lines. The output for people always has them.
    #[arg(short = 'v', long, action = ArgAction::Count)]
    verbose: u8,

    /// Print nothing unless the status is not OK, as for cron. With --every: only the rounds that are not OK.
    #[arg(short = 'q', long)]
    quiet: bool,

    /// Print ASCII only: `+/- 85 us`. Default: if the locale (`LC_ALL`, `LC_CTYPE`, `LANG`) is not UTF-8; --output json
    /// is always UTF-8 without this flag.
    #[arg(long)]
    ascii: bool,
}

impl PresentationArguments {
    /// What is printed of a round, and how.
    #[must_use]
    pub(crate) fn presentation(self) -> Presentation {
        let charset = match (self.ascii, self.output) {
            (true, _) => Charset::Ascii,
            // JSON is UTF-8 wherever it goes (RFC 8259 section 8.1).
            (false, Output::Json) => Charset::Unicode,
            (false, Output::Human | Output::Nagios) => Charset::of_locale(),
        };
        Presentation { output: self.output, has_details: self.verbose > 0, is_quiet: self.quiet, charset }
    }
}
