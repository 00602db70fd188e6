//! What was before the start of the monitor, for the sparklines of those checks that somebody looks at.

use std::sync::Arc;

use jiff::Timestamp;

use crate::board::{Board, CheckState, Recent};
use crate::history::HistoryReader;
use crate::web::Served;

/// A point a minute.
const POINTS: usize = 61;

/// Looks up the past of these checks, once, beside everything else: the page that is sent meanwhile does without.
pub(super) fn look_up(served: &Served, checks: &[&Arc<CheckState>], now: Timestamp) {
    let lacking = checks.iter().filter(|check| check.latest.is_some() && check.recent.lacks_the_past());
    let names: Vec<String> = lacking.map(|check| check.identity.name.clone()).collect();
    if names.is_empty() {
        return;
    }
    let (history, board) = (served.results.history().clone(), Arc::clone(&served.board));
    tokio::task::spawn_blocking(move || {
        // Without a history there is no past, until somebody looks again.
        if let Ok(reader) = history.reader() {
            for name in &names {
                restore(&reader, &board, name, now);
            }
        }
    });
}

fn restore(reader: &HistoryReader, board: &Board, name: &str, now: Timestamp) {
    if let Ok(past) = reader.series(name, Recent::range(now), POINTS) {
        board.update(name, |state| state.recent.restore(&past));
    }
}
