//! How a handle comes to be.
//!
//! # Promises
//! - Either both halves of a handle are open and its owner is registered, or nothing has changed.
//! - A file that another living handle holds is `Locked`, with the pid of its process (I-5).
//!
//! Proof: `tests/open.rs`, `tests/owner.rs`.

use tasker_core::error::Result;

use crate::place::{Home, Place};
use crate::read::SqliteReader;
use crate::settings::{self, Sync};
use crate::store::SqliteStore;
use crate::{error, migrate, owner, sql};

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
}

/// Opens the database, makes it if it is missing, and registers this handle as an owner.
///
/// # Errors
/// `Locked` with the pid, if a living handle holds the file. `Corrupt`, if it is not a tasker file.
/// `Version`, if a newer tasker wrote it. `ReadOnly`, `Full`, `Busy`, `Unsupported` or `Io` for
/// what the system refuses. The file is left as it was.
pub fn open(place: &Place, options: Options) -> Result<(SqliteStore, SqliteReader)> {
    settings::check_library()?;
    let mut home = Home::find(place)?;
    migrate::inspect(&home)?;
    // First of all that writes, because the system tells best why a folder cannot be written.
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
    let registered = owner::register(&writer, &home, lock)?;
    let reader = settings::connect_reader(&home)?;
    home.settle()?;
    let store = SqliteStore::new(writer, registered, id_key, home.clone());
    Ok((store, SqliteReader::new(reader, id_key, home)))
}

pub(crate) fn sync_of(home: &Home, options: Options) -> Sync {
    match options.durability {
        _ if home.is_memory() => Sync::Off,
        Durability::Full => Sync::Full,
        Durability::Process => Sync::Normal,
    }
}
