//! The live table on a terminal: what every check is, above the latest changes.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::{IsTerminal, stdout};
use std::sync::Arc;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use nowcheck_watch::board::{Board, CheckState};

use crate::charset::Charset;
use nowcheck_watch::figures::{bounds, rough};
use nowcheck_watch::status::CheckStatus;
use nowcheck_watch::timestamps::elapsed;

/// Changes that are kept for a terminal that grows.
const MOST_CHANGES: usize = 200;

/// How often the table is drawn anew.
pub(super) const DRAWN_EVERY: Duration = Duration::from_secs(1);

/// What is on the terminal.
#[derive(Debug)]
pub(super) struct Table {
    board: Arc<Board>,
    charset: Charset,
    changes: VecDeque<String>,
}

/// Columns and rows.
#[derive(Debug, Clone, Copy)]
struct Size {
    columns: usize,
    rows: usize,
}

impl Table {
    /// A table, if standard output is a terminal.
    pub(super) fn on_a_terminal(board: Arc<Board>) -> Option<Self> {
        let charset = Charset::of_locale();
        // A terminal that cannot move its cursor is a pipe to a reader of lines.
        let is_dumb = std::env::var_os("TERM").is_some_and(|name| name == "dumb");
        let is_shown = stdout().is_terminal() && !is_dumb;
        is_shown.then(|| Self { board, charset, changes: VecDeque::new() })
    }

    /// Adds a change to the list.
    pub(super) fn add(&mut self, line: &str) {
        self.changes.extend(line.lines().map(str::to_owned));
        while self.changes.len() > MOST_CHANGES {
            self.changes.pop_front();
        }
    }

    /// All of it, from the top left corner.
    pub(super) fn drawn(&self, now: Timestamp) -> String {
        let text = drawn(&self.board.checks(), &self.changes, now, size());
        format!("\x1b[H{}\x1b[J", self.charset.encoded(&text))
    }
}

fn size() -> Size {
    let window = rustix::termios::tcgetwinsize(stdout());
    let (columns, rows) = window.map_or((80, 24), |window| (window.ws_col, window.ws_row));
    Size { columns: usize::from(columns).max(40), rows: usize::from(rows).max(8) }
}

fn drawn(checks: &[Arc<CheckState>], changes: &VecDeque<String>, now: Timestamp, size: Size) -> String {
    let mut sorted: Vec<&CheckState> = checks.iter().map(AsRef::as_ref).collect();
    sorted.sort_by_key(|check| (std::cmp::Reverse(check.status_at(now)), &check.identity.name));
    // Half of the terminal for each, unless one needs less.
    let for_checks = (size.rows - 3).saturating_sub(changes.len()).max(size.rows / 2 - 1).min(sorted.len());
    let name = sorted.iter().map(|check| check.identity.name.chars().count()).max().unwrap_or(5);
    let widths = Widths { name: name.clamp(5, size.columns / 3), all: size.columns };
    let mut text = String::new();
    let mut line = |content: &str, style: Style| {
        // The rest of a line that was longer before is cleared.
        let _ = write!(text, "{style}{content}{style:#}\x1b[K\r\n");
    };
    line(&widths.row("CHECK", "STATUS", ["OFFSET", "SINCE", "NEXT"]), Style::new().dimmed());
    for check in sorted.iter().take(for_checks) {
        line(&row(check, now, widths), style(check.status_at(now)));
    }
    if sorted.len() > for_checks {
        line(&format!("and {} more", sorted.len() - for_checks), Style::new().dimmed());
    }
    line("", Style::new());
    let room = size.rows.saturating_sub(for_checks + 4);
    for change in changes.iter().skip(changes.len().saturating_sub(room)) {
        line(&cut(change, size.columns), Style::new());
    }
    text
}

/// How wide the columns are.
#[derive(Debug, Clone, Copy)]
struct Widths {
    name: usize,
    all: usize,
}

impl Widths {
    fn row(self, name: &str, status: &str, [offset, since, next]: [&str; 3]) -> String {
        let name = cut(name, self.name);
        cut(
            &format!("{name:<width$}  {status:<8} {offset:<26} {since:<8} {next}", width = self.name),
            self.all,
        )
    }
}

fn row(check: &CheckState, now: Timestamp, widths: Widths) -> String {
    let offset = check.offset_at(now).map_or_else(String::new, bounds);
    let next = check.next_round.map(|next| elapsed(now, next));
    widths.row(
        &check.identity.name,
        check.status_at(now).name(),
        [
            &offset,
            &rough(elapsed(check.since_at(now), now)),
            &next.map_or_else(String::new, |next| format!("in {}", rough(next))),
        ],
    )
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{kept}…")
}

fn style(status: CheckStatus) -> Style {
    match status {
        CheckStatus::Ok => Style::new(),
        CheckStatus::Warning | CheckStatus::Unknown => AnsiColor::Yellow.on_default(),
        CheckStatus::Wrong | CheckStatus::Down => AnsiColor::Red.on_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut() {
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("abcd", 4), "abcd");
    }

    #[test]
    fn the_latest_changes_stay_below_the_table_and_nothing_is_longer_than_the_terminal() {
        let changes: VecDeque<String> =
            (0..50).map(|number| format!("change {number} {}", "x".repeat(90))).collect();
        let text = drawn(&[], &changes, Timestamp::UNIX_EPOCH, Size { columns: 40, rows: 10 });
        let lines: Vec<&str> = text.split("\r\n").collect();
        assert!(lines.len() <= 10 && text.contains("change 49") && !text.contains("change 30"), "{text}");
        assert!(changes.iter().all(|change| cut(change, 40).chars().count() == 40));
    }
}
