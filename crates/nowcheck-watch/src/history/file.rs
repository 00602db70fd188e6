//! Opens the file of the history: of this program or not, of which version, damaged or not.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::error::HistoryError;
use super::place::HistoryPlace;
use super::schema;

/// How long to wait for a lock before the next try is left to the caller.
const LOCK_WAIT: Duration = Duration::from_millis(250);

/// Opens the history for its one writer, and makes it if it is not there.
pub(super) fn open_to_write(place: &HistoryPlace) -> Result<Connection, HistoryError> {
    if let Some(path) = place.path() {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if folder.is_some_and(|folder| !folder.is_dir()) {
            return Err(HistoryError::NoFolder { path: path.to_owned() });
        }
        check_header(path)?;
    }
    let access = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let of = |error: rusqlite::Error| HistoryError::of(place.shown(), &error);
    let mut connection = place.connect(access).map_err(of)?;
    // What is not this program's is not even tidied up.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(of)?;
    connection.busy_timeout(LOCK_WAIT).map_err(of)?;
    check_owner(place.shown(), &connection)?;
    configure(&connection).map_err(of)?;
    schema::migrate(&mut connection).map_err(of)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false).map_err(of)?;
    Ok(connection)
}

/// Opens the history to read it, beside the program that writes it.
pub(super) fn open_to_read(place: &HistoryPlace) -> Result<Connection, HistoryError> {
    if let Some(path) = place.path() {
        if !path.exists() {
            return Err(HistoryError::NoFile { path: path.to_owned() });
        }
        check_header(path)?;
    }
    let of = |error: rusqlite::Error| HistoryError::of(place.shown(), &error);
    let opened = |connection: rusqlite::Result<Connection>| {
        let connection = connection.map_err(of)?;
        connection.busy_timeout(4 * LOCK_WAIT).map_err(of)?;
        check_owner(place.shown(), &connection)?;
        // Its writer has just made it, and has not written the tables yet.
        let version: i64 =
            connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(of)?;
        if version == 0 {
            return Err(HistoryError::NoFile { path: place.shown().to_owned() });
        }
        Ok(connection)
    };
    match (opened(place.connect(OpenFlags::SQLITE_OPEN_READ_ONLY)), place.path()) {
        // Readers register in a file of their own, which cannot be made here. If all is in the file, nobody writes it.
        (Err(HistoryError::NotWritable { .. }), Some(path)) if !has_log(path) => {
            opened(HistoryPlace::connect_unchanging(path))
        }
        (opened, _) => opened,
    }
}

/// Whether something is in the write-ahead log.
pub(super) fn has_log(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    std::fs::metadata(log).is_ok_and(|log| log.len() > 0)
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    // Readers never wait for the writer, nor it for them.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // A loss of power may take the last seconds; it never damages the file.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "journal_size_limit", 16 * 1024 * 1024)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // Damage is found where it is read, before it spreads.
    connection.pragma_update(None, "cell_size_check", true)
}

/// How a file of this format begins; <https://www.sqlite.org/fileformat.html#the_database_header>.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
const HEADER: usize = 100;
const USER_VERSION: usize = 60;
const APPLICATION_ID: usize = 68;

/// Looks at the bytes of the file, so that one of somebody else is not even locked.
fn check_header(path: &Path) -> Result<(), HistoryError> {
    let mut header = Vec::with_capacity(HEADER);
    // Opening a named pipe would wait until somebody writes to it.
    if path.metadata().is_ok_and(|there| !there.is_file() && !there.is_dir()) {
        let detail = "it is a pipe, a socket or a device; name a file".to_owned();
        return Err(HistoryError::Other { path: path.to_owned(), detail });
    }
    match File::open(path).and_then(|file| file.take(HEADER as u64).read_to_end(&mut header)) {
        Ok(0) => return Ok(()),
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            return Err(HistoryError::NotWritable { path: path.to_owned() });
        }
        Err(error) => return Err(HistoryError::Other { path: path.to_owned(), detail: error.to_string() }),
    }
    if header.len() < HEADER || !header.starts_with(MAGIC) {
        let detail = "it is no SQLite database".to_owned();
        return Err(HistoryError::Corrupt { path: path.to_owned(), detail });
    }
    let field = |at: usize| {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&header[at..at + 4]);
        i32::from_be_bytes(bytes)
    };
    check_marks(path, field(APPLICATION_ID), i64::from(field(USER_VERSION)), None)
}

/// The same through the database: the newest header may still be in the write-ahead log.
fn check_owner(path: &Path, connection: &Connection) -> Result<(), HistoryError> {
    let of = |error: rusqlite::Error| HistoryError::of(path, &error);
    let application = connection.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(of)?;
    let version = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(of)?;
    let count = "SELECT count(*) FROM sqlite_schema";
    let tables: i64 = connection.query_row(count, [], |row| row.get(0)).map_err(of)?;
    check_marks(path, application, version, Some(tables))
}

fn check_marks(path: &Path, application: i32, version: i64, tables: Option<i64>) -> Result<(), HistoryError> {
    let path = PathBuf::from(path);
    let is_new = application == 0 && version == 0 && tables.is_none_or(|tables| tables == 0);
    if application != schema::APPLICATION_ID && !is_new {
        return Err(HistoryError::Foreign { path });
    }
    let known = schema::newest();
    if version > known {
        return Err(HistoryError::Newer { path, found: version, known });
    }
    Ok(())
}
