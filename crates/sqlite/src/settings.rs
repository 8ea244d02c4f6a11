//! How a connection is set, and that it took.
//!
//! # Promises
//! - Every setting is read back; one that did not take refuses to open. SQLite ignores a setting it
//!   does not know without a word.
//! - No extension, no schema trick of a foreign file and no statement of ours can damage the file
//!
//!
//! Proof: the tests below.

use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags};
use tasker_core::error::{Code, Error, Result};
use tasker_core::limits::{DATA_BYTES_MAX, RESULT_BYTES_MAX};

use crate::location::DatabaseFile;
use crate::write_queue::wait_for_lock;
use crate::{error, side_file};

/// The oldest SQLite whose log cannot be damaged by a checkpoint at the wrong moment.
const LIBRARY_MIN: i32 = 3_053_000;
/// More than there are, and than those for own indexes: what is evicted is compiled at each use.
const STATEMENTS_MAX: usize = 256;
const PAGE_BYTES: i64 = 4_096;
const WAL_BYTES_MAX: i64 = 64 * 1024 * 1024;
const KIB_64_MB: i64 = -64 * 1024;
const KIB_16_MB: i64 = -16 * 1024;

/// What a commit waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i64)]
pub(crate) enum Sync {
    /// Nothing: the file does not outlive the process anyway.
    Off = 0,
    /// The kernel has it.
    Normal = 1,
    /// The disk has it.
    Full = 2,
}

/// Refuses a SQLite with known damage.
pub(crate) fn check_library() -> Result<()> {
    if rusqlite::version_number() >= LIBRARY_MIN {
        return Ok(());
    }
    Err(Error::bug(format!("SQLite {} is too old", rusqlite::version())))
}

/// Opens the connection that writes; settings that write to the file are not made yet.
pub(crate) fn connect_writer(database: &DatabaseFile) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let writer = connect(database, flags)?;
    // Until the file is known to be ours, closing must not touch it.
    guard(&writer, DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    if writer.is_readonly("main").map_err(error::of)? {
        let ownership = side_file::ownership(&database.path);
        let message = format!(
            "{} cannot be written by the user of this process: {ownership}",
            database.name()
        );
        return Err(Error::new(Code::ReadOnly, message));
    }
    Ok(writer)
}

/// Opens the connection that reads.
pub(crate) fn connect_reader(database: &DatabaseFile) -> Result<Connection> {
    let reader = connect(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let settings = [("cache_size", KIB_16_MB), ("query_only", 1)];
    settings.iter().try_for_each(|(name, value)| set(&reader, name, *value))?;
    expect(&reader, "journal_mode", &Value::Text("wal".into()))?;
    Ok(reader)
}

/// What must stand before the first table of a new file.
pub(crate) fn set_new_file(writer: &Connection) -> Result<()> {
    set(writer, "page_size", PAGE_BYTES)?;
    // 2 is incremental: free pages can be given back later, which no setting after the first table
    // could do.
    set(writer, "auto_vacuum", 2)
}

/// The settings of a writer on a file that is known to be ours.
pub(crate) fn set_writer(writer: &Connection, sync: Sync) -> Result<()> {
    set_text(writer, "journal_mode", "wal")?;
    let settings = [
        ("synchronous", sync as i64),
        ("foreign_keys", 1),
        ("cache_size", KIB_64_MB),
        ("journal_size_limit", WAL_BYTES_MAX),
        ("wal_autocheckpoint", 0),
    ];
    settings.iter().try_for_each(|(name, value)| set(writer, name, *value))?;
    expect(writer, "page_size", &Value::Integer(PAGE_BYTES))?;
    expect(writer, "auto_vacuum", &Value::Integer(2))?;
    guard(writer, DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)
}

/// How long a statement waits for a lock of others, until `set_usual_wait`.
pub(crate) fn set_wait(connection: &Connection, wait: Duration) -> Result<()> {
    connection.busy_timeout(wait).map_err(error::of)
}

/// A statement waits for a lock of others as it does in every turn.
pub(crate) fn set_usual_wait(connection: &mut Connection) -> Result<()> {
    connection.busy_handler(Some(wait_for_lock)).map_err(error::of)
}

/// The sync setting alone, for the transaction that makes a new file.
pub(crate) fn set_sync(writer: &Connection, sync: Sync) -> Result<()> {
    set(writer, "synchronous", sync as i64)
}

/// What both connections share; nothing here writes to the file.
fn connect(database: &DatabaseFile, flags: OpenFlags) -> Result<Connection> {
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(&database.path, flags).map_err(error::of)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    set_usual_wait(&mut connection)?;
    guard(&connection, DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    guard(&connection, DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // A plan must not depend on a bound LIMIT, or each new one prepares the statement anew.
    guard(&connection, DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    bound(&connection)?;
    let on_mac = i64::from(cfg!(target_os = "macos"));
    let settings = [
        ("temp_store", 2),
        ("mmap_size", 0),
        ("cell_size_check", 1),
        ("fullfsync", on_mac),
        ("checkpoint_fullfsync", on_mac),
    ];
    settings.iter().try_for_each(|(name, value)| set(&connection, name, *value))?;
    expect(&connection, "trusted_schema", &Value::Integer(0))?;
    Ok(connection)
}

/// The bounds that a damaged or foreign file cannot exceed (I-17).
fn bound(connection: &Connection) -> Result<()> {
    let row_bytes_max = (DATA_BYTES_MAX + RESULT_BYTES_MAX) as i32 * 2;
    for (limit, value) in
        [(Limit::SQLITE_LIMIT_LENGTH, row_bytes_max), (Limit::SQLITE_LIMIT_ATTACHED, 0)]
    {
        connection.set_limit(limit, value).map_err(error::of)?;
    }
    Ok(())
}

fn guard(connection: &Connection, config: DbConfig, value: bool) -> Result<()> {
    if connection.set_db_config(config, value).map_err(error::of)? == value {
        return Ok(());
    }
    Err(refused(&format!("{config:?}")))
}

fn set(connection: &Connection, name: &str, value: i64) -> Result<()> {
    connection.pragma_update(None, name, value).map_err(error::of)?;
    expect(connection, name, &Value::Integer(value))
}

fn set_text(connection: &Connection, name: &str, value: &str) -> Result<()> {
    connection.pragma_update(None, name, value).map_err(error::of)?;
    expect(connection, name, &Value::Text(value.into()))
}

fn expect(connection: &Connection, name: &str, expected: &Value) -> Result<()> {
    // Without memory mapping compiled in, its setting answers with no row.
    let found: Option<Value> = connection
        .pragma_query_value(None, name, |row| row.get(0).map(Some))
        .or_else(|e| match e {
            rusqlite::Error::QueryReturnedNoRows if name == "mmap_size" => Ok(None),
            e => Err(e),
        })
        .map_err(error::of)?;
    match found {
        Some(found) if found != *expected => Err(refused(&format!("{name} (it is {found:?})"))),
        _ => Ok(()),
    }
}

fn refused(what: &str) -> Error {
    let message = format!("the file or its file system does not take the setting {what}");
    Error::new(Code::Unsupported, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Location, Options, migrate};

    fn at(path: std::path::PathBuf) -> Location {
        Location::file(path).unwrap()
    }

    fn made(folder: &tempfile::TempDir) -> DatabaseFile {
        let database = DatabaseFile::find(&at(folder.path().join("tasks.db"))).unwrap();
        let writer = connect_writer(&database).unwrap();
        migrate::migrate(&writer, &database, Sync::Full).unwrap();
        set_writer(&writer, Sync::Full).unwrap();
        database
    }

    fn values(connection: &Connection, names: &[&str]) -> Vec<Value> {
        let read = |name: &&str| connection.pragma_query_value(None, name, |row| row.get(0));
        names.iter().map(|name| read(name).unwrap()).collect()
    }

    #[test]
    fn every_setting_of_the_writer_took() {
        let folder = tempfile::tempdir().unwrap();
        let database = made(&folder);
        let writer = connect_writer(&database).unwrap();
        set_writer(&writer, Sync::Full).unwrap();
        let expected = [
            ("synchronous", 2),
            ("foreign_keys", 1),
            ("temp_store", 2),
            ("cache_size", -65_536),
            ("journal_size_limit", 67_108_864),
            ("wal_autocheckpoint", 0),
            ("trusted_schema", 0),
            ("page_size", 4_096),
            ("auto_vacuum", 2),
            ("cell_size_check", 1),
            ("user_version", 1),
            ("application_id", migrate::APPLICATION_ID),
        ];
        for (name, value) in expected {
            assert_eq!(values(&writer, &[name]), [Value::Integer(value)], "{name}");
        }
        assert_eq!(values(&writer, &["journal_mode"]), [Value::Text("wal".into())]);
        assert!(writer.db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE).unwrap());
        assert!(!writer.db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE).unwrap());
    }

    #[test]
    fn every_setting_of_the_reader_took_and_it_cannot_write() {
        let folder = tempfile::tempdir().unwrap();
        let database = made(&folder);
        let _open = connect_writer(&database).unwrap();
        let reader = connect_reader(&database).unwrap();
        let found = values(&reader, &["cache_size", "query_only", "temp_store"]);
        let expected = [-16_384, 1, 2].map(Value::Integer);
        assert_eq!(found, expected);
        assert!(reader.is_readonly("main").unwrap());
        assert!(reader.execute_batch("DELETE FROM tasks").is_err());
    }

    #[test]
    fn a_setting_that_does_not_take_refuses() {
        let folder = tempfile::tempdir().unwrap();
        let database = made(&folder);
        let writer = connect_writer(&database).unwrap();
        assert_eq!(set(&writer, "page_size", 8_192).unwrap_err().code(), Code::Unsupported);
        let error = set_text(&writer, "journal_mode", "sideways").unwrap_err();
        assert_eq!(error.code(), Code::Unsupported);
    }

    #[test]
    fn each_durability_has_its_sync() {
        for (durability, sync) in
            [(crate::Durability::Full, Sync::Full), (crate::Durability::Process, Sync::Normal)]
        {
            let options = Options { durability, ..Options::default() };
            let folder = tempfile::tempdir().unwrap();
            let database = DatabaseFile::find(&at(folder.path().join("x.db"))).unwrap();
            assert_eq!(crate::open::sync_of(&database, options), sync);
            assert_eq!(
                crate::open::sync_of(&DatabaseFile::find(&Location::memory()).unwrap(), options),
                Sync::Off
            );
        }
    }
}
