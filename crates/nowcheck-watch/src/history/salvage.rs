//! What can still be read of a damaged file: what is open, and what is not delivered. Rounds stay where they are.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, Row};

use super::file;
use super::place::HistoryPlace;
use super::record::{OutboxMessage, Restored};
use super::store;

/// Reads the state and the messages row by row, as far as that goes. Text that is no JSON is damage too.
pub(super) fn salvage(damaged: &Path) -> Restored {
    let connection = if file::has_log(damaged) {
        HistoryPlace::file(damaged).connect(OpenFlags::SQLITE_OPEN_READ_ONLY)
    } else {
        HistoryPlace::connect_unchanging(damaged)
    };
    let Ok(connection) = connection else { return Restored::default() };
    let state = rows(&connection, store::STATE, store::state);
    let outbox = rows(&connection, store::OUTBOX, store::message);
    Restored {
        state: state.into_iter().filter(|(_, json)| is_json(json)).collect(),
        outbox: outbox.into_iter().filter(|message: &OutboxMessage| is_json(&message.body)).collect(),
    }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// The rows until the first that cannot be found; those whose columns cannot be read are left out.
fn rows<T>(connection: &Connection, select: &str, read: fn(&Row<'_>) -> rusqlite::Result<T>) -> Vec<T> {
    let mut found = Vec::new();
    let Ok(mut statement) = connection.prepare(select) else { return found };
    let Ok(mut rows) = statement.query([]) else { return found };
    while let Ok(Some(row)) = rows.next() {
        found.extend(read(row));
    }
    found
}
