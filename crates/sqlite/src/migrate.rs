//! Whose file it is, and how it becomes the newest schema.
//!
//! # Promises
//! - A file of another program, a damaged file or one of a newer tasker is not changed by a single
//!   byte (I-18, F-14).
//! - A log of another file is refused before it is written into this one (F-15).
//! - A migration and its version number commit together; a kill leaves the old or the new (I-18).
//!
//! A new file is made in rollback mode and switched to the write-ahead log afterwards, so that the
//! header of a file that has tables always tells whose it is.
//!
//! Proof: `tests/open.rs`, `tests/faults.rs`.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use rusqlite::{Connection, ErrorCode, OpenFlags};
use tasker_core::error::{Code, Error, Result};
use tasker_core::id::IdKey;

use crate::code_words::with_codes;
use crate::location::{DatabaseFile, beside};
use crate::settings::{self, Sync};
use crate::temporary::random;
use crate::{error, row, schema, sql, views};

/// The mark of our files, "Tskr".
pub(crate) const APPLICATION_ID: i64 = 0x5473_6b72;
/// How a rollback journal of SQLite begins.
const JOURNAL_MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
/// Forward only: the n-th brings a file from version n to n + 1.
const MIGRATIONS: &[&str] = &[with_codes!(include_str!("../migrations/0001_initial.sql"))];

/// What the header of a file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    application_id: i64,
    version: i64,
}

impl Header {
    fn read(connection: &Connection) -> rusqlite::Result<Header> {
        let number = |name| connection.pragma_query_value(None, name, |row| row.get(0));
        Ok(Header { application_id: number("application_id")?, version: number("user_version")? })
    }

    /// Whether it is the header of a file that nobody has used yet.
    fn is_empty(self, objects: i64) -> bool {
        self == Header { application_id: 0, version: 0 } && objects == 0
    }

    /// Refuses what is not ours or newer than we are.
    fn check(self, database: &DatabaseFile) -> Result<()> {
        if self.application_id != APPLICATION_ID {
            let message = format!("{} is a database of another program", database.name());
            return Err(Error::new(Code::Corrupt, message));
        }
        if self.version < 1 {
            return Err(error::corrupt("its header has a version that never was"));
        }
        if self.version > MIGRATIONS.len() as i64 {
            let message = format!(
                "{} has schema version {}, this tasker knows {}; upgrade to open it",
                database.name(),
                self.version,
                MIGRATIONS.len()
            );
            return Err(Error::new(Code::Version, message));
        }
        Ok(())
    }
}

/// Looks at a file without locking or changing anything, and refuses what is surely not ours.
///
/// Only SQLite may open the file: closing it by other means would drop the locks that another
/// handle of this process holds. The look ignores the log, so what it cannot read is left to the
/// real open.
pub(crate) fn inspect(database: &DatabaseFile) -> Result<()> {
    match database.path.metadata().map_or(0, |facts| facts.len()) {
        0 => return Ok(()),
        // SQLite takes a single byte for an empty file and would write over it.
        1 => return Err(not_a_database(database)),
        _ => {}
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let seen = Connection::open_with_flags(immutable_uri(&database.path), flags)
        .and_then(|connection| Ok((Header::read(&connection)?, objects(&connection)?)));
    match seen {
        _ if was_making_cut(&database.path) => Ok(()),
        Ok((header, objects)) if header.is_empty(objects) => Ok(()),
        Ok((header, _)) => header.check(database),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
            Err(not_a_database(database).with_source(error))
        }
        Err(_) => Ok(()),
    }
}

fn not_a_database(database: &DatabaseFile) -> Error {
    Error::new(Code::Corrupt, format!("{} is not a database", database.name()))
}

/// Whether the making of a new file was cut: the rollback journal then says that the file had no
/// page before, or the one that setting the vacuum mode makes (bytes 16 to 20 of its header).
/// SQLite makes it so again.
fn was_making_cut(path: &Path) -> bool {
    let mut header = [0; 20];
    let read =
        File::open(beside(path, "-journal")).and_then(|mut file| file.read_exact(&mut header));
    read.is_ok() && header[..8] == JOURNAL_MAGIC && matches!(header[16..], [0, 0, 0, 0 | 1])
}

fn immutable_uri(path: &Path) -> String {
    let mut uri = String::from("file:");
    for byte in bytes_of(path.as_os_str()) {
        if byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte) {
            uri.push(byte as char);
        } else {
            uri.push_str(&format!("%{byte:02x}"));
        }
    }
    uri + "?immutable=1"
}

#[cfg(unix)]
fn bytes_of(name: &OsStr) -> Vec<u8> {
    std::os::unix::ffi::OsStrExt::as_bytes(name).to_vec()
}

#[cfg(not(unix))]
fn bytes_of(name: &OsStr) -> Vec<u8> {
    name.to_string_lossy().replace('\\', "/").into_bytes()
}

/// Makes or upgrades the schema. The file is known to be empty or ours afterwards.
///
/// # Errors
/// `Corrupt` or `Version` with the file untouched; else nothing of the failed migration is left.
pub(crate) fn migrate(writer: &Connection, database: &DatabaseFile, sync: Sync) -> Result<()> {
    let header = Header::read(writer).map_err(error::of)?;
    if is_empty(writer, header)? {
        settings::set_sync(writer, sync)?;
        settings::set_new_file(writer)?;
    } else {
        header.check(database)?;
    }
    if header.version < MIGRATIONS.len() as i64 {
        writer.execute_batch(sql::BEGIN).map_err(error::of)?;
        if let Err(error) = apply(writer, database) {
            // What matters is the first error; the connection is dropped next.
            let _ = writer.execute_batch(sql::ROLLBACK);
            return Err(error);
        }
        writer.execute_batch(sql::COMMIT).map_err(error::of)?;
    }
    schema::check(writer, MIGRATIONS)
}

/// Inside the transaction: another process may have been faster, so everything is read again.
fn apply(writer: &Connection, database: &DatabaseFile) -> Result<()> {
    debug_assert!(!writer.is_autocommit(), "a kill would leave half a migration (I-18)");
    let header = Header::read(writer).map_err(error::of)?;
    let is_new = is_empty(writer, header)?;
    if !is_new {
        header.check(database)?;
    }
    for migration in MIGRATIONS.iter().skip(header.version.max(0) as usize) {
        writer.execute_batch(migration).map_err(error::of)?;
    }
    if is_new {
        views::make(writer)?;
        let id_key = match database.test {
            Some(test) => test.id_key.0,
            None => random()?,
        };
        writer.execute(sql::META_PUT, [id_key as i64]).map_err(error::of)?;
    }
    for (name, value) in
        [("application_id", APPLICATION_ID), ("user_version", MIGRATIONS.len() as i64)]
    {
        writer.pragma_update(None, name, value).map_err(error::of)?;
    }
    debug_assert!(
        Header::read(writer).is_ok_and(|header| header.check(database).is_ok()),
        "we would refuse the file that we have made (I-18)"
    );
    Ok(())
}

fn is_empty(writer: &Connection, header: Header) -> Result<bool> {
    let objects = objects(writer).map_err(|e| match error::of(e) {
        // The statement is right, so it is the schema that is wrong.
        bug if bug.code() == Code::Bug => error::corrupt(bug.message()),
        error => error,
    })?;
    Ok(header.is_empty(objects))
}

fn objects(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row(sql::SCHEMA_OBJECTS, [], |row| row.get(0))
}

/// The secret of this database.
pub(crate) fn id_key(connection: &Connection) -> Result<IdKey> {
    let key: i64 =
        connection.query_row(sql::META, ["id_key"], |row| row.get(0)).map_err(error::of)?;
    Ok(IdKey(key as u64))
}

/// Refuses a file that does not belong together: its last task must carry the key of the file and
/// be older than the next number. A log that another file left under this name shows so.
pub(crate) fn check(connection: &Connection, id_key: IdKey) -> Result<()> {
    let mut statement = connection.prepare(sql::LAST).map_err(error::of)?;
    let mut rows = statement.query([]).map_err(error::of)?;
    let Some(last) = rows.next().map_err(error::of)? else { return Ok(()) };
    let (seq, _) = row::name(last, id_key)?;
    if seq < row::head(connection)?.seq_next {
        return Ok(());
    }
    Err(error::corrupt("its journal is older than its tasks"))
}
