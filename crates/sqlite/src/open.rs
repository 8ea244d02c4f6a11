//! Opening a handle: its two connections and its registration as an owner.
//!
//! # Promises
//! - Either both halves of a handle are open and its owner is registered, or nothing has changed.
//! - A file that another living handle wants alone is `Locked`, with the pid of its process (I-5).
//!
//! Proof: `tests/open.rs`, `tests/owner.rs`.

use rusqlite::Connection;
use tasker_core::error::Result;
use tasker_core::id::IdKey;

use crate::location::{DatabaseFile, Location};
use crate::owner::{self, Registered};
use crate::pages::{SqlitePages, SqliteReader};
use crate::settings::{self, Sync};
use crate::store::SqliteStore;
use crate::write_queue::{LockTimeout, WriteQueue};
use crate::{error, migrate, side_file, sql};

/// What a commit survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// A power cut: every commit waits for the disk.
    #[default]
    Full,
    /// The death of the process; a power cut may lose the last commits, never damage the file.
    Process,
}

/// How to open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// What a commit survives; in memory nothing has to.
    pub durability: Durability,
    /// Whether to have the file alone; otherwise any number of handles share it.
    pub exclusive: bool,
}

/// Opens the database, makes it if it is missing, and registers this handle as an owner.
///
/// # Errors
/// `Locked` with the pid, if a living handle holds the file and it or we want it alone.
/// `FileShared`, if something else in this process has the file open. `Corrupt`, if it is not a
/// tasker file.
/// `Version`, if a newer tasker wrote it. `ReadOnly`, `Full`, `Busy`, `Unsupported` or `Io` for
/// what the system refuses. The file is left as it was.
pub fn open(location: &Location, options: Options) -> Result<(SqliteStore, SqliteReader)> {
    settings::check_library()?;
    let database = DatabaseFile::find(location)?;
    let path = database.path.clone();
    let mut queue = WriteQueue::of(&database);
    // First of all that writes, because the system tells best why a folder cannot be written.
    let opened = queue
        .lock(LockTimeout::Open)
        .and_then(|is_in_turn| open_locked(database, options, is_in_turn));
    match opened {
        Ok(Opened { writer, registered, id_key, reader, database }) => {
            queue.unlock();
            let store = SqliteStore::new(writer, registered, id_key, database.clone(), queue);
            Ok((store, SqliteReader::new(SqlitePages::new(reader, id_key, database))))
        }
        Err(error) => {
            queue.undo();
            Err(side_file::explain(error, &path))
        }
    }
}

/// Nothing else in this process may have the file open (F-9).
fn refuse_strangers(database: &mut DatabaseFile) -> Result<()> {
    if database.is_memory() {
        return Ok(());
    }
    owner::refuse_other_copies(database)?;
    if database.begin_open() {
        return Ok(());
    }
    Err(owner::file_shared(database, "something that is not tasker holds a descriptor of it"))
}

struct Opened {
    writer: Connection,
    registered: Registered,
    id_key: IdKey,
    reader: Connection,
    database: DatabaseFile,
}

/// Under the fair lock: nobody else is opening or closing the file.
fn open_locked(mut database: DatabaseFile, options: Options, is_in_turn: bool) -> Result<Opened> {
    // Under the lock, because another thread of this process may be opening it too.
    refuse_strangers(&mut database)?;
    migrate::inspect(&database)?;
    let lock = owner::lock(&database)?;
    let sync = sync_of(&database, options);
    let writer = settings::connect_writer(&database)?;
    migrate::migrate(&writer, &database, sync)?;
    let id_key = migrate::id_key(&writer)?;
    migrate::check(&writer, id_key)?;
    settings::set_writer(&writer, sync)?;
    if cfg!(debug_assertions) {
        writer.execute_batch(sql::IMMUTABLE_END).map_err(error::of)?;
    }
    let registered = owner::register(&writer, &database, lock, (options.exclusive, is_in_turn))?;
    let reader = settings::connect_reader(&database)?;
    database.finish_open()?;
    Ok(Opened { writer, registered, id_key, reader, database })
}

pub(crate) fn sync_of(database: &DatabaseFile, options: Options) -> Sync {
    match options.durability {
        _ if database.is_memory() || database.test.is_some() => Sync::Off,
        Durability::Full => Sync::Full,
        Durability::Process => Sync::Normal,
    }
}
