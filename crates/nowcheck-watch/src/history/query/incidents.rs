//! Incidents, those that are open and those that are over.

use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::de::DeserializeOwned;

use crate::history::stands::Stretch;
use crate::history::units::timestamp;
use crate::incident::{Change, Scope};

/// An incident as it was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastIncident {
    /// Its name.
    pub id: String,
    /// Whose it is.
    pub scope: Scope,
    /// When it began.
    pub since: Timestamp,
    /// When it ended; none while it is open.
    pub until: Option<Timestamp>,
    /// What happened to it, in order.
    pub changes: Vec<Change>,
}

/// The incidents of that time: all, or those of one scope and of the monitor.
pub(super) fn within(
    connection: &Connection,
    scope: Option<&Scope>,
    within: Stretch,
    most: usize,
) -> rusqlite::Result<Vec<PastIncident>> {
    let to_text = |error| rusqlite::Error::ToSqlConversionFailure(Box::new(error));
    let scope = scope.map(serde_json::to_string).transpose().map_err(to_text)?;
    let select = r#"SELECT id, scope, since, until FROM incidents
        WHERE since < ?2 AND (until IS NULL OR until >= ?1)
        AND (?4 IS NULL OR scope = ?4 OR scope LIKE '{"monitor":%') ORDER BY since DESC, id LIMIT ?3"#;
    let mut select = connection.prepare_cached(select)?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let incidents: Vec<PastIncident> = select
        .query_map(params![within.from, within.until, most, scope], incident)?
        .collect::<Result<_, _>>()?;
    incidents.into_iter().map(|incident| with_changes(connection, incident)).collect()
}

/// The incidents of that time that are asked for.
pub(super) fn chosen(
    connection: &Connection,
    is_asked_for: &dyn Fn(&Scope) -> bool,
    within: Stretch,
    most: usize,
) -> rusqlite::Result<Vec<PastIncident>> {
    let select = "SELECT id, scope, since, until FROM incidents
        WHERE since < ?2 AND (until IS NULL OR until >= ?1) ORDER BY since DESC, id";
    let mut select = connection.prepare_cached(select)?;
    let all = select.query_map(params![within.from, within.until], incident)?;
    let is_chosen = |found: &rusqlite::Result<PastIncident>| {
        found.as_ref().map_or(true, |incident| is_asked_for(&incident.scope))
    };
    let chosen: Vec<PastIncident> = all.filter(is_chosen).take(most).collect::<Result<_, _>>()?;
    chosen.into_iter().map(|incident| with_changes(connection, incident)).collect()
}

pub(super) fn named(connection: &Connection, id: &str) -> rusqlite::Result<Option<PastIncident>> {
    let mut select =
        connection.prepare_cached("SELECT id, scope, since, until FROM incidents WHERE id = ?1")?;
    let found = select.query_row([id], incident).optional()?;
    found.map(|incident| with_changes(connection, incident)).transpose()
}

fn incident(row: &Row<'_>) -> rusqlite::Result<PastIncident> {
    Ok(PastIncident {
        id: row.get(0)?,
        scope: json(row, 1)?,
        since: timestamp(row.get(2)?),
        until: row.get::<_, Option<i64>>(3)?.map(timestamp),
        changes: Vec::new(),
    })
}

fn with_changes(connection: &Connection, mut incident: PastIncident) -> rusqlite::Result<PastIncident> {
    let mut select = connection.prepare_cached("SELECT json FROM changes WHERE incident = ?1 ORDER BY id")?;
    incident.changes = select.query_map([&incident.id], |row| json(row, 0))?.collect::<Result<_, _>>()?;
    Ok(incident)
}

fn json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    let malformed = |error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error));
    serde_json::from_str(text).map_err(malformed)
}
