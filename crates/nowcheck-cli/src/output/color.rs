//! The colors of statuses. [`crate::terminal`] strips them where they are not wanted.

use anstyle::{AnsiColor, Style};
use nowcheck::outcome::Status;

/// The status word in its color, padded to a width.
#[must_use]
pub(crate) fn painted(status: Status, width: usize) -> String {
    let color = match status {
        Status::Ok => AnsiColor::Green,
        Status::Warning => AnsiColor::Yellow,
        Status::Critical => AnsiColor::Red,
        Status::Unknown => AnsiColor::Magenta,
    };
    let style = Style::new().bold().fg_color(Some(color.into()));
    format!("{style}{:width$}{style:#}", status.name())
}
