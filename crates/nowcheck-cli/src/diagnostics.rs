//! What the program says when there is no outcome to show.

use std::env;
use std::ffi::OsString;

use nowcheck::outcome::Status;

use crate::charset::Charset;
use crate::output::plugin_line;
#[cfg(feature = "watch")]
use crate::terminal::lines_to_stderr;
use crate::terminal::{Stdout, to_stderr};

/// How to tell the user of an error. A monitoring system reads standard output only, so errors go there when its format
/// was asked for, and to standard error otherwise.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Diagnostics {
    is_plugin: bool,
    charset: Charset,
}

impl Diagnostics {
    /// What the command line asks for, which need not be a valid one.
    #[must_use]
    pub(crate) fn of_this_process() -> Self {
        let arguments: Vec<OsString> = env::args_os().collect();
        let has = |wanted: &[&str]| arguments.windows(wanted.len()).any(|some| some == wanted);
        Self {
            is_plugin: has(&["--output", "nagios"]) || has(&["--output=nagios"]),
            charset: if has(&["--ascii"]) { Charset::Ascii } else { Charset::of_locale() },
        }
    }

    /// Whether a monitoring system reads the output.
    #[must_use]
    pub(crate) fn is_plugin(self) -> bool {
        self.is_plugin
    }

    /// Tells that nothing is known. Returns the exit code: 3, because a program that reads it must not take a mistake for
    /// a verdict.
    #[must_use]
    pub(crate) fn unknown(self, message: &str) -> u8 {
        self.tell(message, "UNKNOWN: ")
    }

    /// Tells that the command line is wrong. Returns the exit code.
    #[must_use]
    pub(crate) fn usage(self, message: &str) -> u8 {
        self.tell(message, "")
    }

    /// Tells that a file is wrong, one line for each error. Returns the exit code.
    #[cfg(feature = "watch")]
    #[must_use]
    pub(crate) fn file(self, errors: &str) -> u8 {
        lines_to_stderr(&self.charset.encoded(errors));
        Status::Unknown.exit_code()
    }

    /// Tells of what does not change the verdict.
    pub(crate) fn aside(self, message: &str) {
        to_stderr(&self.charset.encoded(message));
    }

    fn tell(self, message: &str, for_people: &str) -> u8 {
        let message = self.charset.encoded(message);
        // When not even standard output can be written to, standard error may.
        let is_told = self.is_plugin && matches!(Stdout::new().write(&plugin_line(&message)), Ok(true));
        if !is_told {
            to_stderr(&format!("{for_people}{message}"));
        }
        Status::Unknown.exit_code()
    }
}
