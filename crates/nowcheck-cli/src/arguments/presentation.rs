//! The flags that say what is printed.

use clap::{ArgAction, Args};

use crate::charset::Charset;
use crate::output::{Output, Presentation};

use super::heading::OUTPUT;

/// `--output`, and what goes with it.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct PresentationArguments {
    /// The output format.
    #[arg(long, value_enum, default_value_t = Output::Human, help_heading = OUTPUT)]
    pub(crate) output: Output,

    /// With --output nagios, print the details too, on further lines. The output for people always has them.
    #[arg(short = 'v', long, action = ArgAction::Count, help_heading = OUTPUT)]
    verbose: u8,

    /// Print nothing while the status is OK, for use from cron. With --every, print only the rounds that are not OK.
    #[arg(short = 'q', long, help_heading = OUTPUT)]
    quiet: bool,

    /// Print ASCII only: `+/- 85 us`. This is the default if the locale (`LC_ALL`, `LC_CTYPE`, `LANG`) is not UTF-8, except
    /// with --output json.
    #[arg(long, help_heading = OUTPUT)]
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
