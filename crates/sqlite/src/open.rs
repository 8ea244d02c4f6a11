//! How a handle comes to be.
//!
//! # Promises
//! - Either both halves of a handle are open and its owner is registered, or nothing has changed.
//! - A file that another living handle wants alone is `Locked`, with the pid of its process (I-5).
//!
//! Proof: `tests/open.rs`, `tests/owner.rs`.

use rusqlite::Connection;
use tasker_core::error::Result;
use tasker_core::id::IdKey;

use crate::claim;
use crate::identity::Identity;
use crate::owner::{self, Registered};
use crate::place::{Home, Place};
use crate::read::SqliteReader;
use crate::settings::{self, Sync};
use crate::store::SqliteStore;
use crate::turnstile::{Patience, Turnstile};
use crate::{error, migrate, sql};

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
pub fn open(place: &Place, options: Options) -> Result<(SqliteStore, SqliteReader)> {
    settings::check_library()?;
    let home = Home::find(place)?;
    let mut turnstile = Turnstile::of(&home);
    // First of all that writes, because the system tells best why a folder cannot be written.
    if let Err(error) = turnstile.enter(Patience::Open) {
        turnstile.give_up();
        return Err(error);
    }
    match open_inside(home, options) {
        Ok(Opened { writer, registered, id_key, reader, home }) => {
            turnstile.leave();
            let store = SqliteStore::new(writer, registered, id_key, home.clone(), turnstile);
            Ok((store, SqliteReader::new(reader, id_key, home)))
        }
        Err(error) => {
            turnstile.give_up();
            Err(error)
        }
    }
}

/// Nothing else in this process may have the file open (F-9).
fn refuse_strangers(home: &Home) -> Result<()> {
    if home.is_memory() {
        return Ok(());
    }
    owner::refuse_other_copies(home)?;
    match Identity::of_path(&home.path) {
        Some(identity) if claim::is_open_elsewhere(identity) => {
            Err(owner::file_shared(home, "something that is not tasker holds a descriptor of it"))
        }
        _ => Ok(()),
    }
}

struct Opened {
    writer: Connection,
    registered: Registered,
    id_key: IdKey,
    reader: Connection,
    home: Home,
}

/// Inside the turnstile: nobody else is opening or closing the file.
fn open_inside(mut home: Home, options: Options) -> Result<Opened> {
    // Inside, because another thread of this process may be opening it too.
    refuse_strangers(&home)?;
    migrate::inspect(&home)?;
    let lock = owner::lock(&home)?;
    let sync = sync_of(&home, options);
    let writer = settings::connect_writer(&home)?;
    migrate::migrate(&writer, &home, sync)?;
    let id_key = migrate::id_key(&writer)?;
    migrate::check(&writer, id_key)?;
    settings::set_writer(&writer, sync)?;
    if cfg!(debug_assertions) {
        writer.execute_batch(sql::FINAL_FENCE).map_err(error::of)?;
    }
    let registered = owner::register(&writer, &home, lock, options.exclusive)?;
    let reader = settings::connect_reader(&home)?;
    home.settle()?;
    Ok(Opened { writer, registered, id_key, reader, home })
}

pub(crate) fn sync_of(home: &Home, options: Options) -> Sync {
    match options.durability {
        _ if home.is_memory() => Sync::Off,
        Durability::Full => Sync::Full,
        Durability::Process => Sync::Normal,
    }
}
